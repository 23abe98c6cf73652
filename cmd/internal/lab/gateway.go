package lab

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"smets1/device/profile"
	"smets1/dlms/security"
	"smets1/firmware"
	"smets1/gateway/audit"
	"smets1/gateway/bridge"
	"smets1/gateway/campaign"
	"smets1/gateway/job"
	"smets1/gateway/keystore"
	"smets1/gateway/rekey"
	"smets1/gateway/session"
	"smets1/gateway/topic"
	"smets1/gateway/verbs"
	"smets1/internal/clock"
	"smets1/internal/store"
	"smets1/internal/wire"
)

// GatewayConfig says what a gateway runs on. Broker, Fleet, Node, Store, Root,
// Clock, Library and Hubs are needed.
type GatewayConfig struct {
	Broker    string      // URL of the MQTT broker
	BrokerTLS *tls.Config // nil means the system's authorities
	// Credentials at the broker; nil means none.
	Credentials func() (user, password string)
	// Background has StartGateway return before the broker is reached.
	Background  bool
	Fleet, Node string // names in the topics
	Store       store.Store
	Root        security.Key // seals the keys at rest
	Clock       clock.Clock
	Library     *firmware.Library
	Hubs        []session.Hub
	Waker       session.Waker
	// Advance moves a virtual fleet's time; nil for real hubs, whose time is the
	// machine's. Factor is how fast it runs.
	Advance func(context.Context, time.Time) error
	Factor  float64
	// Tap is put around each line to a hub; nil means none.
	Tap         func(hub wire.EUI64, address string, line io.ReadWriteCloser) io.ReadWriteCloser
	Concurrency int // commands at once; zero means the queue's default
	KeyChanges  int // changes of keys at once; zero means the verbs' default
	// MaxQueued, MaxPerHub and ResultTTL are those of the queue; zero means its defaults.
	MaxQueued, MaxPerHub int
	ResultTTL            time.Duration
	// Timeout, Viability and Idle are those of sessions; zero means their defaults.
	Timeout, Viability, Idle time.Duration
	// Permit, Roles and Audit are those of the queue and the bridge; nil means that everybody may do everything, unrecorded.
	Permit func(hub wire.EUI64, v topic.Verb) error
	Roles  func(client string) []topic.Role
	Audit  *audit.Log
	// Observe is told the end of each command; see the bridge's.
	Observe func(topic.Result)
	Version string
	Log     *slog.Logger
}

// Gateway is the near side, running: keys, sessions, verbs, queue and bridge.
type Gateway struct {
	Keys *keystore.Store

	pool      *session.Pool
	queue     *job.Queue
	campaigns *campaign.Manager
	bridge    *bridge.Bridge
	online    atomic.Pointer[bridge.Bridge] // where events go, once it is there
	hubs      *registry
	lines     lines
}

// Stats counts what goes on in a gateway.
type Stats struct {
	Queue      job.Stats
	Bridge     bridge.Stats
	Hubs       map[topic.Condition]int // by their last known state
	LinesOpen  int                     // lines to hubs
	LinesTotal uint64                  // lines opened since the start
}

// Stats counts.
func (g *Gateway) Stats() Stats {
	return Stats{Queue: g.queue.Stats(), Bridge: g.bridge.Stats(), Hubs: g.hubs.count(), LinesOpen: int(g.lines.open.Load()), LinesTotal: g.lines.total.Load()}
}

// StartGateway starts a gateway and returns when it is online, or before that with Background. Import the keys
// of its hubs before they are asked for anything.
func StartGateway(ctx context.Context, c GatewayConfig, prepare func(*keystore.Store) error) (*Gateway, error) {
	bucket := func(name string) (store.Bucket, error) {
		return c.Store.Bucket(ctx, name, store.Options{Sync: true})
	}
	keysBucket, err := bucket("keys")
	if err != nil {
		return nil, err
	}
	journal, err := bucket("rekey")
	if err != nil {
		return nil, err
	}
	g := &Gateway{}
	if g.Keys, err = keystore.Open(ctx, keystore.Config{Bucket: keysBucket, Root: c.Root}); err != nil {
		return nil, err
	}
	if prepare != nil {
		if err := prepare(g.Keys); err != nil {
			return nil, err
		}
	}
	// Answers are waited for in the time of the clock, and of a hurried one some
	// seconds more: the machine that computes them is in no hurry.
	spare := time.Duration(0)
	if c.Factor > 1 {
		spare = time.Duration(5 * c.Factor * float64(time.Second))
	}
	if c.Timeout <= 0 {
		c.Timeout = 30 * time.Second
	}
	if g.pool, err = session.NewPool(session.Config{
		Keys: g.Keys, Title: gatewayTitle, Profiles: profile.Builtin(), Clock: c.Clock, Waker: c.Waker, Tap: g.lines.tap(c.Tap),
		Timeout: c.Timeout + spare, Viability: c.Viability, Idle: c.Idle, Log: c.Log,
	}); err != nil {
		return nil, err
	}
	for _, h := range c.Hubs {
		if err := g.pool.Add(h); err != nil {
			return nil, errors.Join(err, g.pool.Close())
		}
	}
	g.hubs = newRegistry(c.Hubs)
	v, err := verbs.New(verbs.Config{
		Pool: g.pool, Keys: g.Keys, Journal: rekey.Journal{Bucket: journal}, Library: c.Library, Clock: c.Clock, KeyChanges: c.KeyChanges, Patience: 10*time.Minute + spare,
		HubState: g.hubs.hubState, DeviceState: g.hubs.deviceState, Event: g.event, Log: c.Log,
	})
	if err != nil {
		return nil, errors.Join(err, g.pool.Close())
	}
	handlers := v.Handlers()
	handlers[topic.FleetClock] = job.HandlerFunc(c.fleetClock)
	handlers[topic.FleetCampaign] = job.HandlerFunc(g.campaign)
	qc := job.Config{
		Store: c.Store, Handlers: handlers, Clock: c.Clock, Concurrency: c.Concurrency, MaxQueued: c.MaxQueued, MaxPerHub: c.MaxPerHub, ResultTTL: c.ResultTTL, Log: c.Log,
		Select: g.hubs.pick, Permit: c.Permit, Audit: c.Audit,
	}
	if g.queue, err = job.Open(ctx, qc); err != nil {
		return nil, errors.Join(err, g.pool.Close())
	}
	campaigns, err := bucket("campaigns")
	if err == nil {
		g.campaigns, err = campaign.Open(ctx, campaign.Config{Bucket: campaigns, Doer: campaign.ByQueue(g.queue), Clock: c.Clock, Log: c.Log})
	}
	if err != nil {
		return nil, errors.Join(err, g.queue.Close(ctx), g.pool.Close())
	}
	if g.bridge, err = bridge.Start(ctx, bridge.Config{
		Broker: c.Broker, TLS: c.BrokerTLS, Credentials: c.Credentials, Observe: c.Observe, Fleet: c.Fleet, Node: c.Node, Queue: g.queue, QueueConfig: qc, Store: c.Store, Clock: c.Clock, Hubs: g.hubs, Version: c.Version, Log: c.Log,
		Roles: c.Roles, Audit: c.Audit,
	}); err != nil {
		return nil, errors.Join(err, g.campaigns.Close(), g.queue.Close(ctx), g.pool.Close())
	}
	g.online.Store(g.bridge)
	g.hubs.tell(g.bridge.HubChanged)
	if c.Background {
		return g, nil
	}
	if err := g.bridge.Ready(ctx); err != nil {
		return nil, errors.Join(err, g.Close(ctx))
	}
	return g, nil
}

// event sends what the verbs have to tell; before there is a bridge nobody
// could hear it.
func (g *Gateway) event(e topic.Event) {
	if b := g.online.Load(); b != nil {
		b.Event(e)
	}
}

// gatewayTitle is the gateway's own DLMS system title.
var gatewayTitle = security.SystemTitle{'S', 'M', '1', 0, 0, 0, 0, 1}

// campaign answers the verb campaign, for which the queue must be there first.
func (g *Gateway) campaign(ctx context.Context, t *job.Task) (any, error) {
	return g.campaigns.Handler(g.hubs.all).Handle(ctx, t)
}

// fleetClock tells the time of the fleet, and advances it where it is virtual.
func (c GatewayConfig) fleetClock(ctx context.Context, t *job.Task) (any, error) {
	var a topic.FleetClockArgs
	if err := t.DecodeArgs(&a); err != nil {
		return nil, err
	}
	to := a.AdvanceTo
	if a.AdvanceSeconds > 0 {
		to = c.Clock.Now().Add(time.Duration(a.AdvanceSeconds * float64(time.Second)))
	}
	if !to.IsZero() {
		if c.Advance == nil {
			return nil, topic.NewError(topic.CodeNotSupported, "the time of this fleet is the machine's", "clock", "wait")
		}
		if err := c.Advance(ctx, to); err != nil {
			return nil, err
		}
	}
	return topic.FleetClockResult{Time: c.Clock.Now(), Virtual: c.Advance != nil, Factor: c.Factor}, nil
}

// Close stops the gateway: nothing new is taken in, what runs is stored where
// it stands, and the broker is told goodbye.
func (g *Gateway) Close(ctx context.Context) error {
	var errs []error
	for _, part := range []struct {
		name  string
		close func() error
	}{
		{"campaigns", g.campaigns.Close},
		{"queue", func() error { return g.queue.Close(ctx) }},
		{"bridge", func() error { return g.bridge.Close(ctx) }},
		{"sessions", g.pool.Close},
	} {
		if err := part.close(); err != nil {
			errs = append(errs, fmt.Errorf("stopping the %s: %w", part.name, err))
		}
	}
	return errors.Join(errs...)
}
