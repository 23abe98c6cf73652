package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"smets1/gateway/topic"
	"smets1/internal/clock"
)

// Config says how to reach a gateway over MQTT.
type Config struct {
	// Broker is a URL that paho knows: tcp://host:1883, ssl://…, ws://….
	Broker string
	// Fleet is the name in the topics.
	Fleet string
	// Client is the engine's name; its results arrive at rsp/<Client>. It is
	// the MQTT client id too, so two engines cannot share one.
	Client string
	// User and Password are for brokers that ask; empty means none.
	User, Password string
	// TLS is for ssl:// and wss://; nil means the machine's certificates.
	TLS *tls.Config
	// Dial replaces the network, for a broker in the same process; nil means
	// the network.
	Dial func() (net.Conn, error)
	// Resend is how long a command may go without any answer before it is sent
	// again under the same id, in the machine's time; zero means 10 s.
	Resend time.Duration
	// Limits bound what is taken from a gateway; zero means the contract's.
	Limits topic.Limits
	// Log takes what a person may want to know; nil means nothing.
	Log *slog.Logger
}

// Client is one client of the MQTT contract. It is safe for concurrent use.
//
// A command is sent until it is answered: again after Resend, after each
// reconnection, and when a gateway is born. That is safe because a gateway
// never runs an id twice.
type Client struct {
	cfg     Config
	tree    topic.Tree
	client  mqtt.Client
	stop    chan struct{}
	done    sync.WaitGroup
	closing sync.Once

	mu      sync.Mutex
	calls   map[string]*call
	bridges map[string]topic.BridgeState
	changed chan struct{} // closed and made anew when bridges changes
}

// call is a command that waits for its end.
type call struct {
	topic    string
	payload  []byte
	sent     time.Time
	end      chan topic.Result // buffered: one final result
	progress func(topic.Progress)
}

// Dial connects to the broker; it returns when the connection stands and the
// replies are subscribed to, or with ctx.
func Dial(ctx context.Context, cfg Config) (*Client, error) {
	if cfg.Resend <= 0 {
		cfg.Resend = 10 * time.Second
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	tree, err := topic.NewTree(cfg.Fleet)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	if err := topic.CheckClient(cfg.Client); err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	r := &Client{
		cfg: cfg, tree: tree, stop: make(chan struct{}),
		calls: map[string]*call{}, bridges: map[string]topic.BridgeState{}, changed: make(chan struct{}),
	}
	up := make(chan error, 1)
	o := mqtt.NewClientOptions().
		AddBroker(cfg.Broker).
		SetClientID(cfg.Client).
		SetUsername(cfg.User).SetPassword(cfg.Password).
		SetCleanSession(true).
		SetOrderMatters(true).
		SetConnectRetry(true).SetConnectRetryInterval(time.Second).
		SetAutoReconnect(true).SetMaxReconnectInterval(5 * time.Second).
		SetWriteTimeout(30 * time.Second).
		SetConnectionLostHandler(func(_ mqtt.Client, err error) { cfg.Log.Warn("broker lost", slog.Any("error", err)) }).
		SetOnConnectHandler(func(c mqtt.Client) { r.connected(c, up) })
	if cfg.TLS != nil {
		o.SetTLSConfig(cfg.TLS)
	}
	if cfg.Dial != nil {
		o.SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) { return cfg.Dial() })
	}
	r.client = mqtt.NewClient(o)
	r.client.Connect()
	select {
	case err := <-up:
		if err != nil {
			r.client.Disconnect(0)
			return nil, fmt.Errorf("client: subscribing at %s: %w", cfg.Broker, err)
		}
	case <-ctx.Done():
		r.client.Disconnect(0)
		return nil, fmt.Errorf("client: no broker answers at %s: %w", cfg.Broker, context.Cause(ctx))
	}
	r.done.Go(r.resend)
	return r, nil
}

// Close leaves the broker. Calls under way end with net.ErrClosed. Closing
// twice does no harm.
func (r *Client) Close() {
	r.closing.Do(func() {
		close(r.stop)
		r.done.Wait()
		r.client.Disconnect(250)
	})
}

// connected subscribes anew: the session is clean, and what a broker keeps of
// one over its own restart is not to be relied on.
func (r *Client) connected(c mqtt.Client, up chan<- error) {
	at := r.now()
	t := c.SubscribeMultiple(map[string]byte{
		r.tree.Reply(r.cfg.Client): 1,
		r.tree.BridgeStates():      1,
	}, r.receive)
	go func() {
		t.Wait()
		select {
		case up <- t.Error():
		default:
		}
		r.sendOpen(at)
	}()
}

// receive runs on paho's router and must not block.
func (r *Client) receive(_ mqtt.Client, m mqtt.Message) {
	addr, err := r.tree.Parse(m.Topic())
	if err != nil {
		r.cfg.Log.Warn("message on an unknown topic", slog.String("topic", m.Topic()))
		return
	}
	switch addr.Kind {
	case topic.KindBridgeState:
		s, err := topic.ParseBridgeState(m.Payload(), r.cfg.Limits)
		if err != nil {
			r.cfg.Log.Warn("bridge state refused", slog.Any("error", err))
			return
		}
		r.bridge(s)
	case topic.KindReply:
		res, err := topic.ParseResult(m.Payload(), r.cfg.Limits)
		if err != nil {
			r.cfg.Log.Warn("result refused", slog.Any("error", err))
			return
		}
		r.result(res)
	default:
	}
}

func (r *Client) bridge(s topic.BridgeState) {
	r.mu.Lock()
	old, known := r.bridges[s.Node]
	if known && !s.Supersedes(old) {
		r.mu.Unlock()
		return
	}
	r.bridges[s.Node] = s
	close(r.changed)
	r.changed = make(chan struct{})
	born := s.State == topic.Online && (!known || s.Session != old.Session)
	r.mu.Unlock()
	if born {
		go r.sendOpen(r.now()) // publishing from a handler may block it
	}
}

func (r *Client) result(res topic.Result) {
	r.mu.Lock()
	c := r.calls[res.ID]
	if c != nil {
		c.sent = r.now() // heard: no need to send again for a while
		if res.Status.Final() {
			delete(r.calls, res.ID)
		}
	}
	r.mu.Unlock()
	switch {
	case c == nil:
	case res.Status.Final():
		c.end <- res
	case res.Progress != nil && c.progress != nil:
		c.progress(*res.Progress)
	}
}

// now is the machine's time: resending is about the wire, not about the
// programme's calendar.
func (r *Client) now() time.Time { return clock.Real().Now() }

func (r *Client) resend() {
	t := clock.Real().NewTimer(r.cfg.Resend / 4)
	defer t.Stop()
	for {
		select {
		case <-t.C():
			r.sendOpen(r.now().Add(-r.cfg.Resend))
			t.Reset(r.cfg.Resend / 4)
		case <-r.stop:
			return
		}
	}
}

// sendOpen publishes again every open call that was last sent or heard of
// before a time; a newer one went, or goes, to whoever is there now.
func (r *Client) sendOpen(before time.Time) {
	now := r.now()
	var due []*call
	r.mu.Lock()
	for _, c := range r.calls {
		if c.sent.Before(before) {
			c.sent = now
			due = append(due, c)
		}
	}
	r.mu.Unlock()
	for _, c := range due {
		r.client.Publish(c.topic, 1, false, c.payload)
	}
}

// Call sends a command and waits for its end. Progress, if given, is called on
// the way, from another goroutine, and must not block. The error is about the
// call; how the command fared is in the result (Result.Err).
func (r *Client) Call(ctx context.Context, cmd topic.Command, progress func(topic.Progress)) (topic.Result, error) {
	cmd.Reply = r.tree.Reply(r.cfg.Client)
	payload, err := cmd.Marshal()
	if err != nil {
		return topic.Result{}, fmt.Errorf("client: %s: %w", cmd.Verb, err)
	}
	c := &call{topic: cmd.Topic(r.tree), payload: payload, sent: r.now(), end: make(chan topic.Result, 1), progress: progress}
	r.mu.Lock()
	if r.calls[cmd.ID] != nil {
		r.mu.Unlock()
		return topic.Result{}, fmt.Errorf("client: command %s is under way already", cmd.ID)
	}
	r.calls[cmd.ID] = c
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		delete(r.calls, cmd.ID)
		r.mu.Unlock()
	}()
	r.client.Publish(c.topic, 1, false, payload)
	select {
	case res := <-c.end:
		return res, nil
	case <-ctx.Done():
		return topic.Result{}, context.Cause(ctx)
	case <-r.stop:
		return topic.Result{}, fmt.Errorf("client: %s: %w", cmd.ID, net.ErrClosed)
	}
}

// ErrNoGateway is what AwaitGateway reports (wrapped) when none comes online.
var ErrNoGateway = errors.New("no gateway is online in this fleet")

// askAgain is how long the retained state of a gateway is waited for.
const askAgain = 2 * time.Second

// AwaitGateway waits until a gateway of the fleet is online.
//
// The state of a gateway is retained, and yet it can be missed: NATS may deliver neither the message that is published
// while somebody subscribes, nor what it kept of it. So it is asked for again by subscribing anew.
func (r *Client) AwaitGateway(ctx context.Context) error {
	t := clock.Real().NewTimer(askAgain)
	defer t.Stop()
	for {
		r.mu.Lock()
		changed := r.changed
		for _, s := range r.bridges {
			if s.State == topic.Online {
				r.mu.Unlock()
				return nil
			}
		}
		r.mu.Unlock()
		select {
		case <-changed:
		case <-t.C():
			r.client.Subscribe(r.tree.BridgeStates(), 1, r.receive)
			t.Reset(askAgain)
		case <-ctx.Done():
			return fmt.Errorf("client: %w %q: %w", ErrNoGateway, r.cfg.Fleet, context.Cause(ctx))
		}
	}
}
