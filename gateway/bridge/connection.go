package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"smets1/gateway/topic"
	"smets1/internal/clock"
	"smets1/internal/store"
	"smets1/internal/wire"
)

// connection is one connection, and so one session.
type connection struct {
	b        *Bridge
	client   mqtt.Client
	session  string
	sequence atomic.Uint64
	lost     chan struct{} // closed when it breaks
	lostOnce sync.Once
	lostErr  error
	sender   sync.WaitGroup
	drained  chan struct{} // closed when the farewell has been sent
	leaving  chan struct{} // closed to ask for it
}

// Times of the network.
const (
	keepAlive      = 30 * time.Second
	answerTimeout  = 10 * time.Second // CONNACK, SUBACK
	writeTimeout   = 4 * time.Second  // of a broker that takes nothing; also how long paho may sit on a broken connection
	disconnectWait = 250              // milliseconds that paho may take to say goodbye
)

// oneConnection connects, lives until the connection breaks or the bridge closes, and returns why.
func (b *Bridge) oneConnection() error {
	session, err := b.nextSession(b.base)
	if err != nil {
		return err
	}
	c := &connection{b: b, session: session, lost: make(chan struct{}), drained: make(chan struct{}), leaving: make(chan struct{})}
	c.client = mqtt.NewClient(c.options())
	if err := c.await(c.client.Connect()); err != nil {
		c.client.Disconnect(0)
		return fmt.Errorf("bridge: connect to %s: %w", b.cfg.Broker, err)
	}
	defer c.client.Disconnect(disconnectWait)
	if err := c.subscribe(); err != nil {
		return err
	}
	if err := c.birth(); err != nil {
		return err
	}
	c.enter()
	defer c.leave()
	b.log.Info("online", slog.Any("broker", b.cfg.Broker), slog.Any("session", session))
	ctx, cancel := context.WithCancel(b.base)
	defer cancel()
	c.sender.Go(func() { c.send(ctx) })
	c.sender.Go(func() { c.tellStates(ctx) })
	select {
	case <-c.lost:
		err = fmt.Errorf("bridge: connection to %s: %w", b.cfg.Broker, c.lostErr)
	case <-c.drained:
	case <-b.base.Done():
	}
	cancel()
	c.sender.Wait()
	return err
}

func (c *connection) options() *mqtt.ClientOptions {
	b := c.b
	will, _ := json.Marshal(topic.BridgeState{Schema: topic.Schema, Node: b.cfg.Node, State: topic.Offline, Session: c.session, Version: b.cfg.Version})
	o := mqtt.NewClientOptions().
		AddBroker(b.cfg.Broker).
		SetClientID("smets1-"+b.cfg.Fleet+"-"+b.cfg.Node).
		SetProtocolVersion(4).
		// The broker keeps what is sent to us while we are away.
		SetCleanSession(false).
		// One connection is one session with its own will: a new one has a new client.
		SetAutoReconnect(false).
		SetConnectRetry(false).
		SetConnectTimeout(answerTimeout).
		SetKeepAlive(keepAlive).
		SetPingTimeout(answerTimeout).
		SetWriteTimeout(writeTimeout).
		// Messages are handed over one by one, and acknowledged when their intents are on disk.
		SetOrderMatters(true).
		SetAutoAckDisabled(true).
		SetBinaryWill(b.tree.BridgeState(b.cfg.Node), will, 1, true).
		SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) { b.in.push(m) }).
		SetConnectionLostHandler(func(_ mqtt.Client, err error) { c.breakOff(err) })
	if b.cfg.TLS != nil {
		o.SetTLSConfig(b.cfg.TLS.Clone())
	}
	if b.cfg.Credentials != nil {
		o.SetCredentialsProvider(b.cfg.Credentials)
	}
	return o
}

func (c *connection) breakOff(err error) {
	c.lostOnce.Do(func() {
		c.lostErr = err
		close(c.lost)
	})
}

// await waits for the broker's answer.
func (c *connection) await(t mqtt.Token) error {
	timer := clock.Real().NewTimer(answerTimeout)
	defer timer.Stop()
	select {
	case <-t.Done():
		return t.Error()
	case <-c.lost:
		return c.lostErr
	case <-c.b.base.Done():
		return c.b.base.Err()
	case <-timer.C():
		return errors.New("the broker did not answer in time")
	}
}

// subscribe asks for commands, whether or not the broker remembers. The filters end in # so that a topic that is too long is
// refused rather than not seen.
func (c *connection) subscribe() error {
	root := c.b.tree.Root()
	filters := map[string]byte{root + "/hub/+/cmd/#": 1, root + "/bridge/req/#": 1, root + "/bridge/many/#": 1}
	t := c.client.SubscribeMultiple(filters, nil)
	if err := c.await(t); err != nil {
		return fmt.Errorf("bridge: subscribe: %w", err)
	}
	if s, ok := t.(*mqtt.SubscribeToken); ok {
		for filter, qos := range s.Result() {
			if qos > 2 {
				return fmt.Errorf("bridge: the broker refuses the subscription to %s: allow it for this user", filter)
			}
		}
	}
	return nil
}

// birth tells that the node is there, and what it can do.
func (c *connection) birth() error {
	for _, it := range []*item{c.state(topic.Online, 0), c.info()} {
		if err := c.await(c.client.Publish(it.topic, it.qos, it.retained, it.payload)); err != nil {
			return fmt.Errorf("bridge: birth: %w", err)
		}
	}
	return nil
}

func (c *connection) state(state string, sequence uint64) *item {
	b := c.b
	stats := b.cfg.Queue.Stats()
	payload, _ := json.Marshal(topic.BridgeState{
		Schema: topic.Schema, Node: b.cfg.Node, State: state, Session: c.session, Sequence: sequence,
		Hubs: b.cfg.Hubs.Len(), Queued: stats.Queued, Running: stats.Running, Version: b.cfg.Version, Time: b.cfg.Clock.Now().UTC(),
	})
	return &item{topic: b.tree.BridgeState(b.cfg.Node), qos: 1, retained: true, payload: payload}
}

func (c *connection) info() *item {
	b := c.b
	q := b.cfg.QueueConfig.Effective()
	payload, _ := json.Marshal(topic.BridgeInfo{
		Schema: topic.Schema, Node: b.cfg.Node, Version: b.cfg.Version, Schemas: []int{topic.Schema},
		Verbs: b.verbs, FleetVerbs: b.fleet, MaxPayload: b.cfg.Limits.Size, MaxDepth: b.cfg.Limits.Depth,
		MaxQueued: q.MaxQueued, MaxPerHub: q.MaxPerHub, Concurrency: q.Concurrency, ResultTTL: q.ResultTTL.Seconds(),
		RetainedHubs: b.cfg.RetainedHubs, PageLimit: b.cfg.PageLimit, Codes: topic.Codes(), Time: b.cfg.Clock.Now().UTC(),
	})
	return &item{topic: b.tree.BridgeInfo(b.cfg.Node), qos: 1, retained: true, payload: payload}
}

func (c *connection) enter() {
	b := c.b
	b.mu.Lock()
	first := b.session == ""
	b.session, b.conn, b.born = c.session, c, true
	b.mu.Unlock()
	if first {
		close(b.first)
	}
}

func (c *connection) leave() {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	c.b.conn, c.b.born = nil, false
}

// flight is a message on its way.
type flight struct {
	item  *item
	token mqtt.Token
}

// send takes messages from the outbox as the window allows. What the broker has not acknowledged when the connection breaks goes back.
func (c *connection) send(ctx context.Context) {
	window := make(chan flight, c.b.cfg.Window)
	back := make(chan []*item, 1)
	go func() { back <- c.collect(ctx, window) }()
	c.sendAll(ctx, window)
	close(window)
	c.b.out.putBack(<-back)
	if c.asked() {
		_ = c.await(c.client.Publish(c.goodbye()))
		close(c.drained)
	}
}

func (c *connection) sendAll(ctx context.Context, window chan<- flight) {
	out := c.b.out
	wall := clock.Real()
	timer := wall.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		now := wall.Now()
		if c.asked() {
			now = now.Add(patience) // nothing waits any longer
		}
		it, wait := out.pop(now)
		if it == nil {
			if c.asked() {
				return
			}
			if wait > 0 {
				timer.Reset(wait)
			}
			select {
			case <-out.more:
			case <-timer.C():
			case <-c.leaving:
			case <-c.lost:
				return
			case <-ctx.Done():
				return
			}
			continue
		}
		payload := it.payload
		if it.build != nil {
			var err error
			if payload, err = it.build(c.session, c.sequence.Add(1)); err != nil {
				c.b.log.Error("a message could not be encoded", slog.Any("topic", it.topic), slog.Any("error", err))
				continue
			}
		}
		select {
		case window <- flight{it, c.client.Publish(it.topic, it.qos, it.retained, payload)}:
		case <-c.lost:
			window <- flight{it, nil} // the collector does not wait any more
			return
		}
	}
}

// collect waits for acknowledgements, in the order of sending, and returns what got none.
func (c *connection) collect(ctx context.Context, window <-chan flight) (unsent []*item) {
	for f := range window {
		if f.token != nil {
			select {
			case <-f.token.Done():
			case <-c.lost:
			case <-ctx.Done():
			}
		}
		if f.token == nil || !arrived(f.token) {
			unsent = append(unsent, f.item)
			// What could not be sent is sent again on the next connection, in its place.
			c.breakOff(errors.New("a message could not be sent"))
			continue
		}
		if f.item.acked != nil {
			f.item.acked()
		}
	}
	return unsent
}

func arrived(t mqtt.Token) bool {
	select {
	case <-t.Done():
		return t.Error() == nil
	default:
		return false
	}
}

func (c *connection) asked() bool {
	select {
	case <-c.leaving:
		return true
	default:
		return false
	}
}

func (c *connection) goodbye() (at string, qos byte, retained bool, payload any) {
	it := c.state(topic.Offline, c.sequence.Add(1))
	return it.topic, it.qos, it.retained, it.payload
}

// farewell lets the outbox run dry, says goodbye and waits until the broker has heard it.
func (c *connection) farewell(ctx context.Context) error {
	close(c.leaving)
	select {
	case <-c.drained:
		return nil
	case <-c.lost:
		return fmt.Errorf("bridge: the connection broke before all was sent: %w", c.lostErr)
	case <-ctx.Done():
		return fmt.Errorf("bridge: not all was sent in time: %w", ctx.Err())
	}
}

// tellStates tells the states of all hubs at the start of the session, since the broker may have lost them, and whenever it is asked to.
func (c *connection) tellStates(ctx context.Context) {
	for {
		if err := c.tellAll(ctx); err != nil && ctx.Err() == nil {
			c.b.log.Warn("the states of the hubs could not all be told", slog.Any("error", err))
		}
		select {
		case <-c.b.reborn:
			it := c.state(topic.Online, c.sequence.Add(1))
			it.key = it.topic
			c.b.out.push(it)
			c.b.out.push(c.info())
		case <-c.lost:
			return
		case <-ctx.Done():
			return
		}
	}
}

// Key of what is known to be retained at the broker: "yes" once states have been.
const retainedKey = "retained"

// tellAll tells all states if they are retained. If they were and are no longer, because the fleet grew, it removes them, so that no
// consumer takes what is old for true.
func (c *connection) tellAll(ctx context.Context) error {
	b := c.b
	retain := b.cfg.Hubs.Len() <= b.cfg.RetainedHubs
	_, err := b.bucket.Get(ctx, retainedKey)
	was := err == nil
	switch {
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return err
	case !retain && !was:
		return nil
	case retain && !was:
		if _, err := b.bucket.Put(ctx, retainedKey, []byte("yes")); err != nil {
			return err
		}
	}
	var after wire.EUI64
	for {
		page := b.cfg.Hubs.Page(after, b.cfg.PageLimit)
		for _, s := range page {
			if retain {
				b.tell(s, true)
				continue
			}
			b.forget(b.tree.HubState(s.Hub.Hub))
			for _, d := range s.Devices {
				b.forget(b.tree.DeviceState(d.Hub, d.Device))
			}
		}
		if len(page) < b.cfg.PageLimit {
			break
		}
		after = page[len(page)-1].Hub.Hub
		if err := c.room(ctx); err != nil {
			return err
		}
	}
	if !retain {
		return b.bucket.Delete(ctx, retainedKey)
	}
	return nil
}

// room waits until the outbox is short, so that a large fleet does not stand in it as a whole.
func (c *connection) room(ctx context.Context) error {
	for c.b.out.len() > 4*c.b.cfg.PageLimit {
		select {
		case <-c.b.out.less:
		case <-c.lost:
			return c.lostErr
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
