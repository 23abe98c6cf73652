package broker_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/gateway/broker"
	"smets1/internal/store"
)

func start(t *testing.T, cfg broker.Config) *broker.Broker {
	t.Helper()
	if cfg.StateDir == "" {
		cfg.StateDir = t.TempDir()
	}
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	b, err := broker.Start(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

// connect sends a CONNECT packet of MQTT 3.1.1 and returns the return code of the CONNACK, or an error when the broker hangs up.
func connect(c net.Conn, user, password string) (byte, error) {
	text := func(s string) []byte { return append([]byte{byte(len(s) >> 8), byte(len(s))}, s...) }
	flags := byte(0x02)
	if user != "" {
		flags |= 0xC0
	}
	body := append(text("MQTT"), 4, flags, 0, 30)
	body = append(body, text("test")...)
	if user != "" {
		body = append(append(body, text(user)...), text(password)...)
	}
	if _, err := c.Write(append([]byte{0x10, byte(len(body))}, body...)); err != nil {
		return 0, err
	}
	if err := c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return 0, err
	}
	var ack [4]byte
	if _, err := c.Read(ack[:]); err != nil {
		return 0, err
	}
	return ack[3], nil
}

func TestListens(t *testing.T) {
	b := start(t, broker.Config{})
	require.True(t, strings.HasPrefix(b.URL(), "tcp://127.0.0.1:"), b.URL())
	require.Equal(t, "tcp", b.Addr().Network())
	require.NotContains(t, b.Addr().String(), ":0")
	c, err := net.Dial("tcp", b.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	code, err := connect(c, "", "")
	require.NoError(t, err)
	require.Zero(t, code, "on loopback, anybody")
	require.NoError(t, b.Close())
	require.NoError(t, b.Close(), "twice is no harm")
	_, err = net.Dial("tcp", b.Addr().String())
	require.Error(t, err)
	_, err = b.Store()
	require.ErrorIs(t, err, store.ErrClosed)
}

func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestUsersAndTLS(t *testing.T) {
	cert, pool := certificate(t)
	b := start(t, broker.Config{
		TLS:   &tls.Config{Certificates: []tls.Certificate{cert}},
		Users: []broker.User{{Name: "engine", Password: broker.NewPassword("correct horse")}},
	})
	require.True(t, strings.HasPrefix(b.URL(), "ssl://"), b.URL())
	for _, test := range []struct {
		user, password string
		ok             bool
	}{
		{"engine", "correct horse", true}, {"engine", "wrong", false}, {"nobody", "correct horse", false}, {"", "", false}, {"smets1-inside", "", false},
	} {
		c, err := tls.Dial("tcp", b.Addr().String(), &tls.Config{RootCAs: pool})
		require.NoError(t, err)
		code, err := connect(c, test.user, test.password)
		require.Equal(t, test.ok, err == nil && code == 0, "%q: code %d, %v", test.user, code, err)
		_ = c.Close()
	}
	s, err := b.Store()
	require.NoError(t, err)
	bucket, err := s.Bucket(t.Context(), "b", store.Options{})
	require.NoError(t, err, "the store inside gets in")
	_, err = bucket.Put(t.Context(), "k", nil)
	require.NoError(t, err)
}

func TestRefusesWhatIsUnsafe(t *testing.T) {
	cert, _ := certificate(t)
	secure := &tls.Config{Certificates: []tls.Certificate{cert}}
	users := []broker.User{{Name: "u", Password: broker.NewPassword("p")}}
	for name, cfg := range map[string]broker.Config{
		"open to all":        {Listen: "0.0.0.0:0"},
		"open by no address": {Listen: ":0"},
		"no TLS":             {Listen: "0.0.0.0:0", Users: users},
		"no users":           {Listen: "0.0.0.0:0", TLS: secure},
		"by name":            {Listen: "example.invalid:0"},
	} {
		cfg.StateDir = t.TempDir()
		_, err := broker.Start(t.Context(), cfg)
		require.ErrorContains(t, err, "not loopback", name)
	}
	for name, cfg := range map[string]broker.Config{
		"no port":       {Listen: "127.0.0.1"},
		"bad port":      {Listen: "127.0.0.1:70000"},
		"no password":   {Listen: "127.0.0.1:0", Users: []broker.User{{Name: "u"}}},
		"reserved name": {Listen: "127.0.0.1:0", Users: []broker.User{{Name: "smets1-inside", Password: broker.NewPassword("x")}}},
	} {
		cfg.StateDir = t.TempDir()
		_, err := broker.Start(t.Context(), cfg)
		require.Error(t, err, name)
	}
	_, err := broker.Start(t.Context(), broker.Config{Listen: "127.0.0.1:0"})
	require.ErrorContains(t, err, "StateDir")
	start(t, broker.Config{Listen: "0.0.0.0:0", Insecure: true})
	start(t, broker.Config{Listen: "0.0.0.0:0", TLS: secure, Users: users})
}

func TestPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	dir := t.TempDir()
	_, err = broker.Start(t.Context(), broker.Config{StateDir: dir, Listen: l.Addr().String()})
	require.ErrorContains(t, err, "address already in use")
	start(t, broker.Config{StateDir: dir}) // nothing is left that holds the folder
}

func TestPasswordIsNotPrinted(t *testing.T) {
	const secret = "correct horse"
	u := broker.User{Name: "u", Password: broker.NewPassword(secret)}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "user", u, "password", u.Password)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "user", u, "password", u.Password)
	b, err := json.Marshal(u)
	require.NoError(t, err)
	for _, s := range []string{fmt.Sprint(u), fmt.Sprintf("%v %+v %#v %s %q %x", u, u, u, u.Password, u.Password, u.Password), log.String(), string(b)} {
		require.NotContains(t, s, secret)
		require.NotContains(t, s, fmt.Sprintf("%x", secret))
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

func TestQuiet(t *testing.T) {
	var out lockedBuffer
	b := start(t, broker.Config{Log: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelInfo}))})
	_, err := b.Store()
	require.NoError(t, err)
	require.NoError(t, b.Close())
	require.Empty(t, out.String(), "a start and a stop are not news")
}
