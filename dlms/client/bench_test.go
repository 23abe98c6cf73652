package client

import (
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/dlms/server"
)

// BenchmarkGet reads a clock over loopback TCP from our server in the same process: one connection, closed loop.
func BenchmarkGet(b *testing.B) {
	for _, bb := range []struct {
		name string
		sap  uint16
		cfg  Config
	}{
		{"plain", sapPublic, Config{}}, {"ciphered", sapManage, managed(b)},
	} {
		b.Run(bb.name, func(b *testing.B) {
			meter, _ := newMeter(b)
			home := &site{host: server.Devices{meter}}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(b, err)
			defer l.Close()
			go func() {
				if conn, err := l.Accept(); err == nil {
					serve(conn, home.machine("wrapper"), &home.mu)
				}
			}()
			conn, err := net.Dial("tcp", l.Addr().String())
			require.NoError(b, err)
			line := NewWrapper(conn)
			defer line.Close()
			c, err := Associate(b.Context(), line.Link(bb.sap, 1), bb.cfg)
			require.NoError(b, err)
			buf := make([]byte, 0, 64)
			b.ReportAllocs()
			for b.Loop() {
				if buf, err = c.AppendGet(b.Context(), buf[:0], clockTime, Selection{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	// What the machine gives: an echo of the same sizes.
	b.Run("echo", func(b *testing.B) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(b, err)
		defer l.Close()
		go func() {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			buf := make([]byte, 100)
			for {
				if _, err := io.ReadFull(conn, buf[:21]); err != nil {
					return
				}
				if _, err := conn.Write(buf[:26]); err != nil {
					return
				}
			}
		}()
		conn, err := net.Dial("tcp", l.Addr().String())
		require.NoError(b, err)
		defer conn.Close()
		buf := make([]byte, 100)
		for b.Loop() {
			_, _ = conn.Write(buf[:21])
			if _, err := io.ReadFull(conn, buf[:26]); err != nil {
				b.Fatal(err)
			}
		}
	})
}
