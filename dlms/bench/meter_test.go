package bench

import (
	"bytes"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/hdlc"
	"smets1/dlms/security"
	"smets1/dlms/server"
)

const (
	clientPlain   = 0x10
	clientSecured = 0x01
)

var (
	energy      = cosem.Attribute{Class: cosem.ClassRegister, Instance: cosem.MustOBIS("1-0:1.8.0.255"), ID: 2}
	meterTitle  = security.SystemTitle{'S', 'M', 'E', 0, 0, 0, 0, 1}
	clientTitle = security.SystemTitle{'M', 'M', 'M', 0, 0, 0, 0, 1}
	keys        = security.KeySet{GUEK: key(1), GAK: key(2), KEK: key(3)}
)

func key(b byte) security.Key {
	k, err := security.NewKey(bytes.Repeat([]byte{b}, 16))
	if err != nil {
		panic(err)
	}
	return k
}

// meter is the state of one meter.
type meter struct{ energy uint32 }

// model has about as many objects as a small meter.
var model = server.MustModel(server.Config{
	Name: "bench",
	Associations: []server.Association{
		{Name: "plain", Client: clientPlain},
		{Name: "secured", Client: clientSecured, Ciphered: true, Policy: security.RequestAuthenticated | security.RequestEncrypted},
	},
	Objects: func() []server.Object {
		all := server.All(server.Read)
		objects := []server.Object{
			server.LogicalDeviceName(all, func(*server.Call) string { return "SMEBENCH00000001" }),
			server.Clock(cosem.MustOBIS("0-0:1.0.0.255"), server.ClockConfig{
				Access: all, Time: func(c *server.Call) axdr.DateTime { return axdr.DateTimeOf(c.Now) },
			}),
		}
		for i := range 40 {
			name := energy.Instance
			name[4] = byte(i)
			objects = append(objects, server.Register(name, server.Value{
				Access: all, Get: server.Uint32(func(c *server.Call) uint32 { return server.State[*meter](c).energy }),
			}, server.ScalerUnit{Unit: cosem.UnitWattHour}, server.Method{}))
		}
		return objects
	}(),
})

func newMeter() *server.Device {
	return &server.Device{
		Model: model, State: &meter{energy: 123456},
		Security: server.NewKeyring(server.KeyringConfig{Title: meterTitle, Keys: keys}),
	}
}

// serve accepts connections, and hands each to its own goroutine, until the benchmark ends.
func serve(b *testing.B, handle func(net.Conn)) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				handle(c)
				_ = c.Close()
			})
		}
	})
	b.Cleanup(func() {
		_ = l.Close()
		conns.Wait()
	})
	return l.Addr().String()
}

// adaptor is what Stream and Line have in common.
type adaptor interface {
	Input(now time.Time, b []byte)
	Output() []byte
	Close()
}

// meters serves one meter on each connection, the way a program would.
func meters(b *testing.B, onLine bool) string {
	return serve(b, func(c net.Conn) {
		host := server.Devices{newMeter()}
		var a adaptor = server.NewStream(server.StreamConfig{Host: host})
		if onLine {
			a = server.NewLine(server.LineConfig{Host: host, HDLC: hdlc.ServerConfig{}})
		}
		defer a.Close()
		buf := make([]byte, 2048)
		for {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			a.Input(time.Now(), buf[:n])
			if out := a.Output(); len(out) > 0 {
				if _, err := c.Write(out); err != nil {
					return
				}
			}
		}
	})
}

// echoes answers each request of one size with as many bytes as a reply has.
func echoes(b *testing.B, request, reply int) string {
	return serve(b, func(c net.Conn) {
		in, out := make([]byte, request), make([]byte, reply)
		for {
			for got := 0; got < request; {
				n, err := c.Read(in[got:])
				if err != nil {
					return
				}
				got += n
			}
			if _, err := c.Write(out); err != nil {
				return
			}
		}
	})
}
