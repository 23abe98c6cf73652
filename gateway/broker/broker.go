package broker

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"smets1/internal/store"
)

// Config of a broker. StateDir is needed.
type Config struct {
	// StateDir is the folder of everything that lasts. One process at a time may use it.
	StateDir string
	// Listen is the address for MQTT clients, host:port; port 0 takes a free one. Empty means 127.0.0.1:1883.
	// An address other than loopback needs TLS and Users, or Insecure.
	Listen string
	// StateOnly starts no MQTT listener: another broker carries the messages, or nobody sends any.
	StateOnly bool
	// TLS, if set, is what the listener speaks.
	TLS *tls.Config
	// Users may connect. None means everybody may.
	Users []User
	// Insecure allows what Listen would not: anybody on the network may then command the meters.
	Insecure bool
	// SyncInterval is how long a write may wait for the disk in buckets without Sync and in the broker's own
	// streams: so much may be lost with the power. Zero means 2 seconds.
	SyncInterval time.Duration
	// AckWait is how long the broker waits for a client's PUBACK before it delivers again; what was on its way when a
	// connection broke comes again no sooner. Zero means 5 seconds.
	AckWait time.Duration
	// MaxPayload is the largest MQTT payload in bytes; a client that sends more is disconnected. Zero means 1 MiB.
	MaxPayload int
	// Log gets what the servers have to say. Nil means nothing is logged.
	Log *slog.Logger
}

// User may connect to the MQTT listener.
type User struct {
	Name     string
	Password Password
	// Publish and Subscribe are the MQTT filters that the user may publish to and subscribe to. Nil means all. What is published
	// elsewhere is ignored; a subscription elsewhere is refused.
	Publish, Subscribe []string
}

// permissions are those of the user on the subjects that stand for MQTT topics.
func (u User) permissions() *server.Permissions {
	if u.Publish == nil && u.Subscribe == nil {
		return nil
	}
	allow := func(filters []string, own ...string) *server.SubjectPermission {
		if filters == nil {
			return nil
		}
		p := &server.SubjectPermission{Allow: own}
		for _, f := range filters {
			p.Allow = append(p.Allow, subject(f))
		}
		return p
	}
	// Deliveries and acknowledgements with QoS 1 go over subjects of the broker's own.
	return &server.Permissions{Publish: allow(u.Publish, "$MQTT.>"), Subscribe: allow(u.Subscribe, "$MQTT.sub.>")}
}

// subject is the NATS subject of an MQTT filter (published: a slash is a dot, a dot two slashes).
func subject(filter string) string {
	return strings.NewReplacer("/", ".", ".", "//", "+", "*", "#", ">").Replace(filter)
}

// Password is a secret: it cannot be compared with == and prints as [redacted].
type Password struct {
	_ [0]func()
	s string
}

// NewPassword makes a secret of a string.
func NewPassword(s string) Password { return Password{s: s} }

func (Password) String() string               { return "[redacted]" }
func (Password) GoString() string             { return "[redacted]" }
func (Password) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte("[redacted]")) }
func (Password) LogValue() slog.Value         { return slog.StringValue("[redacted]") }
func (Password) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// Broker runs the servers. Make one with Start.
type Broker struct {
	bus, vault *server.Server
	url        string
	addr       net.Addr
	lock       *os.File

	mu      sync.Mutex
	conns   []*nats.Conn
	store   store.Store
	closed  bool
	secret  Password // of the connections inside the process
	hasAuth bool
}

// startTimeout is how long a server may take to read its state: about 2 s for a million records.
const startTimeout = 30 * time.Second

const insideUser = "smets1-inside"

// Start runs the servers and returns when clients can connect.
func Start(ctx context.Context, cfg Config) (*Broker, error) {
	host, port, err := cfg.address()
	if err != nil {
		return nil, err
	}
	if cfg.StateDir == "" {
		return nil, errors.New("broker: Config needs a StateDir")
	}
	b := &Broker{secret: NewPassword(rand.Text()), hasAuth: len(cfg.Users) > 0}
	bus := cfg.options("bus")
	bus.SyncInterval = cfg.SyncInterval
	if bus.SyncInterval == 0 {
		bus.SyncInterval = 2 * time.Second
	}
	if !cfg.StateOnly {
		bus.MQTT = cfg.mqtt(host, port)
	}
	if b.hasAuth {
		bus.Users = append(bus.Users, &server.User{Username: insideUser, Password: b.secret.s})
		for _, u := range cfg.Users {
			bus.Users = append(bus.Users, &server.User{Username: u.Name, Password: u.Password.s, Permissions: u.permissions()})
		}
	}
	vault := cfg.options("vault")
	vault.SyncAlways = true
	if b.lock, err = lockDir(cfg.StateDir); err != nil {
		return nil, err
	}
	if b.vault, err = run(ctx, vault, cfg.Log); err != nil {
		_ = b.lock.Close()
		return nil, err
	}
	if b.bus, err = run(ctx, bus, cfg.Log); err != nil {
		b.vault.Shutdown()
		_ = b.lock.Close()
		return nil, err
	}
	if !cfg.StateOnly {
		b.locate(host, bus.MQTT.Port, cfg.TLS != nil)
	}
	return b, nil
}

func (c Config) mqtt(host string, port int) server.MQTTOpts {
	o := server.MQTTOpts{Host: host, Port: port, TLSConfig: c.TLS, TLSTimeout: 5, MaxAckPending: 1024, AckWait: c.AckWait}
	if o.AckWait == 0 {
		o.AckWait = 5 * time.Second
	}
	if port == 0 {
		o.Port = server.RANDOM_PORT
	}
	return o
}

func (c Config) address() (host string, port int, err error) {
	if c.Listen == "" {
		c.Listen = "127.0.0.1:1883"
	}
	host, p, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return "", 0, fmt.Errorf("broker: listen address %q: %w: write host:port", c.Listen, err)
	}
	n, err := strconv.ParseUint(p, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("broker: listen address %q: the port is not a number from 0 to 65535", c.Listen)
	}
	if !loopback(host) && !c.Insecure && (c.TLS == nil || len(c.Users) == 0) {
		return "", 0, fmt.Errorf("broker: listen address %q is not loopback: set TLS and users, or say insecure if anybody on that network may command the meters", c.Listen)
	}
	for _, u := range c.Users {
		if u.Name == "" || u.Password.s == "" || u.Name == insideUser {
			return "", 0, fmt.Errorf("broker: user %q: a user needs a name and a password, and may not be called %s", u.Name, insideUser)
		}
	}
	return host, int(n), nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func (c Config) options(name string) *server.Options {
	return &server.Options{
		ServerName: "smets1-" + name,
		DontListen: true,
		JetStream:  true,
		StoreDir:   filepath.Join(c.StateDir, name),
		NoSigs:     true,
		MaxPayload: int32(c.maxPayload()),
		// A stop does not wait for clients to leave on their own.
		LameDuckDuration:    0,
		LameDuckGracePeriod: 0,
		JetStreamMaxMemory:  64 << 20,
		JetStreamMaxStore:   1 << 40,
	}
}

func (c Config) maxPayload() int {
	if c.MaxPayload == 0 {
		return 1 << 20
	}
	return c.MaxPayload
}

func run(ctx context.Context, o *server.Options, log *slog.Logger) (*server.Server, error) {
	s, err := server.NewServer(o)
	if err != nil {
		return nil, fmt.Errorf("broker: %s: %w", o.ServerName, err)
	}
	l := &logger{log: log, fatal: make(chan struct{}, 1)}
	s.SetLoggerV2(l, false, false, false)
	s.Start()
	ready := make(chan bool, 1)
	go func() { ready <- s.ReadyForConnections(startTimeout) }()
	ok := false
	select {
	case ok = <-ready:
	case <-l.fatal:
	case <-ctx.Done():
	}
	if !ok || s.JetStreamConfig() == nil {
		s.Shutdown()
		return nil, fmt.Errorf("broker: %s did not start (state in %s): %s", o.ServerName, o.StoreDir, l.lastError())
	}
	return s, nil
}

func (b *Broker) locate(host string, port int, secure bool) {
	scheme := "tcp"
	if secure {
		scheme = "ssl"
	}
	hp := net.JoinHostPort(host, strconv.Itoa(port))
	b.url = scheme + "://" + hp
	b.addr = listenAddr(hp)
}

type listenAddr string

func (listenAddr) Network() string  { return "tcp" }
func (a listenAddr) String() string { return string(a) }

// URL is where MQTT clients connect: tcp://host:port, or ssl:// with TLS. Empty with Config.StateOnly.
func (b *Broker) URL() string { return b.url }

// Addr is the address of the MQTT listener, with its real port; nil with Config.StateOnly.
func (b *Broker) Addr() net.Addr { return b.addr }

// Store returns the store that the servers keep. It ends with the broker.
func (b *Broker) Store() (store.Store, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, store.ErrClosed
	}
	if b.store != nil {
		return b.store, nil
	}
	bus, err := b.connect(b.bus)
	if err != nil {
		return nil, err
	}
	vault, err := b.connect(b.vault)
	if err != nil {
		return nil, err
	}
	b.store, err = store.OpenJetStream(store.JetStreamConfig{Conn: bus, SyncConn: vault})
	return b.store, err
}

// connect makes a connection inside the process. Lock held.
func (b *Broker) connect(s *server.Server) (*nats.Conn, error) {
	opts := []nats.Option{nats.InProcessServer(s), nats.Name("store"), nats.NoReconnect()}
	if b.hasAuth && s == b.bus {
		opts = append(opts, nats.UserInfo(insideUser, b.secret.s))
	}
	nc, err := nats.Connect("", opts...)
	if err != nil {
		return nil, fmt.Errorf("broker: connection inside the process: %w", err)
	}
	b.conns = append(b.conns, nc)
	return nc, nil
}

// Close stops the servers; what was written stays.
func (b *Broker) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	if b.store != nil {
		_ = b.store.Close()
	}
	for _, nc := range b.conns {
		nc.Close()
	}
	b.bus.Shutdown()
	b.vault.Shutdown()
	b.bus.WaitForShutdown()
	b.vault.WaitForShutdown()
	return b.lock.Close()
}
