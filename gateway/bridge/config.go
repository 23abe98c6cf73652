package bridge

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"

	"smets1/gateway/audit"
	"smets1/gateway/job"
	"smets1/gateway/topic"
	"smets1/internal/clock"
	"smets1/internal/store"
	"smets1/internal/wire"
)

// Config of a bridge. Broker, Fleet, Node, Queue, Store, Clock and Hubs are needed.
type Config struct {
	// Broker is tcp://host:port, ssl://host:port, ws://host:port/path or wss://host:port/path.
	Broker string
	// TLS is how to speak to an ssl or wss broker. Nil means the system's certificates.
	TLS *tls.Config
	// Credentials returns the user name and password, asked for at each connection. Nil means none.
	Credentials func() (user, password string)
	// Fleet is the name in the topics, Node that of this gateway. The broker allows each node one connection.
	Fleet, Node string
	// Queue runs the commands. The bridge starts it; its owner closes it, before the bridge.
	Queue *job.Queue
	// QueueConfig is what the queue was opened with, to be told in the bridge's info.
	QueueConfig job.Config
	// Store keeps the number of the session.
	Store store.Store
	// Clock stamps what is sent.
	Clock clock.Clock
	// Hubs tells what hubs there are.
	Hubs Hubs
	// Limits of a command's payload. Zero fields mean the defaults of package topic.
	Limits topic.Limits
	// RetainedHubs is up to how many hubs the states are retained; with more, none are, and consumers take snapshots.
	// Zero means 50,000; a negative number means none.
	RetainedHubs int
	// PageLimit is how many hubs a page of list or snapshot has at most. Zero means 200.
	PageLimit int
	// Window is how many messages may be on their way to the broker. Zero means 256.
	Window int
	// MaxOutbox is how many messages may wait; beyond it events and telemetry are dropped, and counted. Zero means 100,000.
	MaxOutbox int
	// Roles tells what the client of a reply topic may do; the name is empty for commands without one. It is a second lock behind the
	// broker's own, which alone knows who sent a message: see docs/operations.md. Nil means that everybody may do everything.
	Roles func(client string) []topic.Role
	// Audit is told of what was forbidden, cancelled and resolved. Nil means that nobody is.
	Audit *audit.Log
	// Observe, if not nil, is told the end of each command and each refusal, for counting. Ends that were not delivered
	// before a restart are told again after it. It is called by several goroutines and must not block.
	Observe func(topic.Result)
	// Version is told in birth and info.
	Version string
	// Log gets what an operator may want to know. Nil means nothing is logged.
	Log *slog.Logger
}

// Hubs is what the bridge needs to know of the hubs of this gateway. It must be safe for concurrent use and not block.
type Hubs interface {
	// Known tells whether there is such a hub.
	Known(hub wire.EUI64) bool
	// Hub returns what is now known of a hub; ok is false if there is no such hub.
	Hub(hub wire.EUI64) (s Snapshot, ok bool)
	// Len counts the hubs.
	Len() int
	// Page returns, in the order of their EUI-64, at most n hubs after the one given; the zero EUI-64 means from the first.
	Page(after wire.EUI64, n int) []Snapshot
}

// Snapshot is the state of a hub and of the devices behind it. The bridge sets schema, session and sequence, and the revision.
type Snapshot struct {
	Hub     topic.HubState
	Devices []topic.DeviceState
}

func (c Config) withDefaults() (Config, error) {
	if c.Queue == nil || c.Store == nil || c.Clock == nil || c.Hubs == nil {
		return c, errors.New("bridge: Config needs a Queue, a Store, a Clock and Hubs")
	}
	if err := topic.CheckNode(c.Node); err != nil {
		return c, err
	}
	u, err := url.Parse(c.Broker)
	if err != nil || u.Host == "" {
		return c, fmt.Errorf("bridge: broker %q is not a URL like tcp://127.0.0.1:1883", c.Broker)
	}
	switch u.Scheme {
	case "tcp", "mqtt", "ssl", "mqtts", "ws", "wss":
	default:
		return c, fmt.Errorf("bridge: broker %q: use tcp, ssl, ws or wss", c.Broker)
	}
	if u.User != nil {
		return c, errors.New("bridge: the broker's URL has credentials in it: name them apart, URLs end up in logs")
	}
	setDefault(&c.Limits.Size, topic.DefaultSize)
	setDefault(&c.Limits.Depth, topic.DefaultDepth)
	setDefault(&c.RetainedHubs, 50_000)
	c.RetainedHubs = max(c.RetainedHubs, 0)
	setDefault(&c.PageLimit, 200)
	setDefault(&c.Window, 256)
	setDefault(&c.MaxOutbox, 100_000)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Observe == nil {
		c.Observe = func(topic.Result) {}
	}
	return c, nil
}

func setDefault(v *int, d int) {
	if *v == 0 {
		*v = d
	}
}
