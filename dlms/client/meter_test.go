package client

import (
	"crypto/sha256"
	"errors"
	"io"
	"math/rand"
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

// A small meter on our own server, for our client here and for independent ones in the interoperability tests.

const (
	sapPublic = 16
	sapLLS    = 17
	sapHLS2   = 18
	sapMD5    = 19
	sapSHA1   = 20
	sapGMAC   = 21 // HLS 5 without ciphering
	sapSHA256 = 22
	sapManage = 1 // HLS 5, ciphered, everything protected
)

// hls2Secret is long enough for a challenge, because dlms-cosem sends the secret itself as one.
const hls2Secret = "0123456789abcdef"

var (
	meterTitle  = security.SystemTitle{'S', 'M', 'E', 0, 0, 0, 0, 0x77}
	clientTitle = security.SystemTitle{'S', 'M', 'E', 0, 0, 0, 0, 1}
	meterStart  = time.Date(2024, 6, 1, 12, 0, 0, 0, time.UTC)
	profileAt   = time.Date(2024, 6, 1, 0, 0, 0, 0, time.UTC)
	longData    = cosem.Attribute{Class: 1, Instance: cosem.MustOBIS("0-0:96.2.0.255"), ID: 2}
	profileName = cosem.MustOBIS("1-0:99.1.0.255")
)

type meterState struct {
	time     time.Time
	serial   []byte
	long     []byte
	register uint32
	image    []byte
	bank     *server.Bank
}

func testKey(t testing.TB, s string) security.Key {
	t.Helper()
	k, err := security.ParseKey(s)
	require.NoError(t, err)
	return k
}

func meterKeys(t testing.TB) security.KeySet {
	t.Helper()
	return security.KeySet{
		GUEK: testKey(t, "000102030405060708090A0B0C0D0E0F"),
		GAK:  testKey(t, "D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF"),
		KEK:  testKey(t, "00112233445566778899AABBCCDDEEFF"),
	}
}

type meterRows struct{}

func (meterRows) Len(*server.Call) int { return 48 }
func (meterRows) Time(_ *server.Call, i int) time.Time {
	return profileAt.Add(time.Duration(i) * 30 * time.Minute)
}

func (r meterRows) Append(c *server.Call, i, column int, dst []byte) ([]byte, error) {
	if column == 0 {
		return axdr.AppendDateTime(dst, axdr.DateTimeOf(r.Time(c, i))), nil
	}
	return axdr.AppendUint32(dst, uint32(1000+i)), nil
}

var meterModel = server.MustModel(server.Config{
	Name: "test meter",
	Associations: []server.Association{
		{Name: "public", Client: sapPublic, Instance: cosem.MustOBIS("0-0:40.0.1.255")},
		{Name: "lls", Client: sapLLS, Mechanism: security.MechanismLLS},
		{Name: "hls", Client: sapHLS2, Mechanism: security.MechanismHLS},
		{Name: "md5", Client: sapMD5, Mechanism: security.MechanismMD5},
		{Name: "sha1", Client: sapSHA1, Mechanism: security.MechanismSHA1},
		{Name: "gmac", Client: sapGMAC, Mechanism: security.MechanismGMAC},
		{Name: "sha256", Client: sapSHA256, Mechanism: security.MechanismSHA256},
		{
			Name: "management", Client: sapManage, Mechanism: security.MechanismGMAC, Ciphered: true,
			Policy:        security.RequestAuthenticated | security.RequestEncrypted | security.ResponseAuthenticated | security.ResponseEncrypted,
			SecuritySetup: cosem.SecuritySetup, Quirks: server.Quirks{PlainRelease: true},
		},
	},
	Objects: []server.Object{
		server.LogicalDeviceName(server.All(server.Read), func(*server.Call) string { return "SME0000000000077" }),
		server.InvocationCounter(0, server.All(server.Read), func(c *server.Call) uint32 {
			return c.Device.Security.(*server.Keyring).RxHighest()
		}),
		server.Clock(cosem.Clock, server.ClockConfig{
			Access:  server.All(server.ReadWrite),
			Time:    func(c *server.Call) axdr.DateTime { return axdr.DateTimeOf(state(c).time) },
			SetTime: func(c *server.Call, at axdr.DateTime) error { return setTime(state(c), at) },
		}),
		server.Register(register, server.Value{
			Access: server.All(server.Read), Get: server.Uint32(func(c *server.Call) uint32 { return state(c).register }),
		}, cosem.ScalerUnit{Scaler: 0, Unit: cosem.UnitWattHour}, server.Method{
			Access: server.All(server.Execute), Do: server.Zero(func(c *server.Call) error { state(c).register = 0; return nil }),
		}),
		server.Data(data2.Instance, server.Value{
			Access: server.All(server.ReadWrite), Type: axdr.TagOctetString,
			Get: server.Octets(func(c *server.Call) []byte { return state(c).serial }),
			Set: server.SetOctets(func(c *server.Call, b []byte) error {
				state(c).serial = append([]byte(nil), b...)
				return nil
			}),
		}),
		server.Data(longData.Instance, server.Value{
			Access: server.All(server.ReadWrite), Type: axdr.TagOctetString,
			Get: server.Octets(func(c *server.Call) []byte { return state(c).long }),
			Set: server.SetOctets(func(c *server.Call, b []byte) error {
				state(c).long = append([]byte(nil), b...)
				return nil
			}),
		}),
		server.Profile(profileName, server.ProfileConfig{
			Access:  server.All(server.Read),
			Columns: []server.Column{{Attribute: clockTime}, {Attribute: cosem.Attribute{Class: 3, Instance: register, ID: 2}}},
			Period:  30 * time.Minute, Capacity: 1440,
			Rows: func(*server.Call) server.Rows { return meterRows{} },
		}),
		server.ImageTransfer(server.All(server.ReadWrite), func(c *server.Call) server.ImageBank { return state(c).bank }),
		server.SecuritySetup(cosem.SecuritySetup, server.All(server.ReadWrite)),
	},
})

func state(c *server.Call) *meterState { return server.State[*meterState](c) }

func setTime(s *meterState, at axdr.DateTime) error {
	t, err := at.In(time.UTC)
	s.time = t.UTC()
	return err
}

func newMeter(t testing.TB) (*server.Device, *meterState) {
	t.Helper()
	s := &meterState{time: meterStart, serial: []byte("SME55667788"), register: 123456, long: make([]byte, 600)}
	for i := range s.long {
		s.long[i] = byte(i)
	}
	s.bank = &server.Bank{
		Size: 64,
		Check: func(_ time.Time, id, image []byte) (server.ImageInfo, error) {
			if len(image) < 4 {
				return server.ImageInfo{}, errors.New("too short")
			}
			sum := sha256.Sum256(image)
			return server.ImageInfo{Size: uint32(len(image)), Identification: id, Signature: sum[:]}, nil
		},
		Install: func(_ time.Time, image []byte) error { s.image = append([]byte(nil), image...); return nil },
	}
	secrets := make([]security.Secret, 8)
	for i := range secrets {
		secrets[i] = security.NewSecret([]byte("secret"))
	}
	secrets[2] = security.NewSecret([]byte(hls2Secret))
	return &server.Device{
		Model: meterModel, State: s, Rand: rand.New(rand.NewSource(7)),
		Security: server.NewKeyring(server.KeyringConfig{Title: meterTitle, Keys: meterKeys(t), Secrets: secrets}),
	}, s
}

// machine is what server.Stream and server.Line have in common.
type machine interface {
	Input(now time.Time, b []byte)
	Output() []byte
	Close()
}

// serve runs a machine on a connection until it closes. All connections of one test share mu.
func serve(conn io.ReadWriteCloser, m machine, mu *sync.Mutex) {
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			break
		}
		mu.Lock()
		m.Input(time.Now(), buf[:n])
		out := append([]byte(nil), m.Output()...)
		mu.Unlock()
		if len(out) > 0 {
			if _, err := conn.Write(out); err != nil {
				break
			}
		}
	}
	mu.Lock()
	m.Close()
	mu.Unlock()
	_ = conn.Close()
}

// hub forwards to the meters behind it at once.
type hub struct {
	meters map[string]*server.Device
	seen   int
}

func (h *hub) Forward(now time.Time, r server.Forwarded) {
	h.seen++
	meter, ok := h.meters[string(r.Address)]
	if !ok {
		_ = r.From.Reply(now, r.Token, []byte{0xD8, 2, 1})
		return
	}
	_ = r.From.Reply(now, r.Token, meter.Serve(now, server.Peer{Link: 1, Client: r.Client, Single: true}, r.APDU, nil))
}

// site is a device with what is behind it, served on any number of lines.
type site struct {
	host    server.Devices
	forward server.Forwarder
	mu      sync.Mutex
	links   uint64
}

// look lets a test see what the goroutines that serve see.
func (s *site) look(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *site) machine(framing string) machine {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links++
	if framing == "hdlc" {
		return server.NewLine(server.LineConfig{Host: s.host, Forward: s.forward, Link: s.links, HDLC: hdlc.ServerConfig{
			Params: hdlc.Params{InfoTransmit: 128, InfoReceive: 128, WindowTransmit: 1, WindowReceive: 1},
		}})
	}
	return server.NewStream(server.StreamConfig{Host: s.host, Forward: s.forward, Link: s.links})
}

// dial gives a fresh in-memory line to the site.
func (s *site) dial(t *testing.T, framing string) io.ReadWriteCloser {
	t.Helper()
	near, far := net.Pipe()
	t.Cleanup(func() { _ = near.Close() })
	go serve(far, s.machine(framing), &s.mu)
	return near
}

// connect makes a link of a line to the site.
func connect(t *testing.T, conn io.ReadWriteCloser, framing string, client uint8) Link {
	t.Helper()
	if framing == "hdlc" {
		line := NewHDLC(conn, hdlc.ClientConfig{}, nil)
		t.Cleanup(func() { _ = line.Close() })
		link, err := line.Link(hdlc.Client(client), hdlc.Server1(1))
		require.NoError(t, err)
		return link
	}
	line := NewWrapper(conn)
	t.Cleanup(func() { _ = line.Close() })
	return line.Link(uint16(client), 1)
}

// managed is how the management client associates.
func managed(t testing.TB) Config {
	t.Helper()
	keys := meterKeys(t)
	keys.KEK = security.Key{}
	return Config{Mechanism: security.MechanismGMAC, Keys: keys, SystemTitle: clientTitle}
}
