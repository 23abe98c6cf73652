package bridge_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/stretchr/testify/require"

	"smets1/gateway/bridge"
	"smets1/gateway/broker"
	"smets1/gateway/job"
	"smets1/gateway/topic"
	"smets1/gateway/topic/contract/contracttest"
	"smets1/internal/clock"
	"smets1/internal/store"
	"smets1/internal/wire"
)

// patience is how long a test waits for what should come at once; it is never waited for in a test that passes.
const patience = 30 * time.Second

var (
	hubA    = wire.MustEUI64("00-DB-12-34-56-78-90-A0")
	hubB    = wire.MustEUI64("00-DB-12-34-56-78-90-B0")
	nowhere = wire.MustEUI64("00-DB-12-34-56-78-90-FF")
	tree, _ = topic.NewTree("lab")
)

// homes are the hubs of a test.
type homes struct {
	mu   sync.Mutex
	hubs []bridge.Snapshot
}

func (h *homes) Known(hub wire.EUI64) bool {
	_, ok := h.Hub(hub)
	return ok
}

func (h *homes) Hub(hub wire.EUI64) (bridge.Snapshot, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i, ok := slices.BinarySearchFunc(h.hubs, hub, func(s bridge.Snapshot, e wire.EUI64) int { return bytes.Compare(s.Hub.Hub[:], e[:]) })
	if !ok {
		return bridge.Snapshot{}, false
	}
	return h.hubs[i], true
}

// set changes the state of a hub.
func (h *homes) set(hub wire.EUI64, state topic.Condition) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.hubs {
		if h.hubs[i].Hub.Hub == hub {
			h.hubs[i].Hub.State = state
		}
	}
}

func (h *homes) Len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.hubs)
}

func (h *homes) Page(after wire.EUI64, n int) (out []bridge.Snapshot) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.hubs {
		if string(s.Hub.Hub[:]) > string(after[:]) && len(out) < n {
			out = append(out, s)
		}
	}
	return out
}

func home(hub wire.EUI64) bridge.Snapshot {
	return bridge.Snapshot{
		Hub:     topic.HubState{Hub: hub, State: topic.Ready, Firmware: "1.0"},
		Devices: []topic.DeviceState{{Hub: hub, Device: topic.ESME, Identity: topic.Identity{Role: topic.ESME}}},
	}
}

func manyHomes(n int) *homes {
	h := &homes{}
	for i := range n {
		h.hubs = append(h.hubs, home(hubNumber(i)))
	}
	return h
}

func hubNumber(i int) wire.EUI64 {
	return wire.EUI64{0x00, 0xDB, 1, 0, 0, byte(i >> 16), byte(i >> 8), byte(i)}
}

func startBroker(t testing.TB, dir, listen string) *broker.Broker {
	t.Helper()
	b, err := broker.Start(t.Context(), broker.Config{StateDir: dir, Listen: listen, AckWait: time.Second})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

// gateway is a queue and a bridge.
type gateway struct {
	*bridge.Bridge
	queue *job.Queue
	t     testing.TB
	once  sync.Once
}

type setup struct {
	url    string
	store  store.Store
	hubs   bridge.Hubs
	handle job.HandlerFunc
	tune   func(*bridge.Config)
	queue  job.Config
}

func startGateway(t testing.TB, s setup) *gateway {
	t.Helper()
	if s.store == nil {
		s.store = store.Memory()
	}
	if s.hubs == nil {
		s.hubs = &homes{hubs: []bridge.Snapshot{home(hubA), home(hubB)}}
	}
	if s.handle == nil {
		s.handle = func(_ context.Context, task *job.Task) (any, error) { return nil, nil }
	}
	s.queue.Store, s.queue.Clock, s.queue.Handlers = s.store, clock.Real(), map[topic.Verb]job.Handler{}
	for _, v := range topic.Verbs() {
		if !v.Query && v.Verb != topic.HubRepoint {
			s.queue.Handlers[v.Verb] = s.handle
		}
	}
	q, err := job.Open(t.Context(), s.queue)
	require.NoError(t, err)
	cfg := bridge.Config{
		Broker: s.url, Fleet: "lab", Node: "n1", Queue: q, QueueConfig: s.queue, Store: s.store, Clock: clock.Real(), Hubs: s.hubs, Version: "test",
	}
	if s.tune != nil {
		s.tune(&cfg)
	}
	b, err := bridge.Start(t.Context(), cfg)
	require.NoError(t, err)
	g := &gateway{Bridge: b, queue: q, t: t}
	t.Cleanup(g.stop)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, b.Ready(ctx))
	return g
}

func (g *gateway) stop() {
	g.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(g.t, g.queue.Close(ctx))
		require.NoError(g.t, g.Close(ctx))
	})
}

type message struct {
	topic    string
	payload  []byte
	retained bool
}

// client is an MQTT client of a test. It sees all that matches its filters.
type client struct {
	mqtt.Client
	t        testing.TB
	messages chan message
}

func newClient(t testing.TB, url, name string, filters ...string) *client {
	t.Helper()
	c := &client{t: t, messages: make(chan message, 1<<16)}
	o := mqtt.NewClientOptions().AddBroker(url).SetClientID(name).SetOrderMatters(true).SetAutoReconnect(true).SetMaxReconnectInterval(100 * time.Millisecond)
	subs := map[string]byte{}
	for _, f := range filters {
		subs[f] = 1
	}
	subscribed := make(chan struct{}, 16)
	o.SetOnConnectHandler(func(m mqtt.Client) {
		if len(subs) > 0 {
			go func() {
				m.SubscribeMultiple(subs, func(_ mqtt.Client, m mqtt.Message) {
					if ours(m.Topic()) {
						if err := contracttest.Sent(m.Topic(), m.Payload()); err != nil {
							t.Errorf("a message on the wire is not of the contract: %v", err)
						}
					}
					c.messages <- message{m.Topic(), m.Payload(), m.Retained()}
				}).Wait()
				subscribed <- struct{}{}
			}()
		}
	})
	c.Client = mqtt.NewClient(o)
	c.done(c.Connect())
	t.Cleanup(func() { c.Disconnect(0) })
	if len(subs) > 0 {
		select {
		case <-subscribed:
		case <-time.After(patience):
			t.Fatal("no SUBACK")
		}
	}
	return c
}

// ours tells whether a topic is one that a gateway sends on; tests put all sorts of things on the others.
func ours(at string) bool {
	a, err := tree.Parse(at)
	return err == nil && a.Kind != topic.KindHubCommand && a.Kind != topic.KindFleetCommand && a.Kind != topic.KindManyCommand
}

func (c *client) done(tok mqtt.Token) {
	c.t.Helper()
	require.True(c.t, tok.WaitTimeout(patience), "the broker does not answer")
	require.NoError(c.t, tok.Error())
}

func (c *client) send(at string, payload []byte, retained bool) {
	c.t.Helper()
	c.done(c.Publish(at, 1, retained, payload))
}

func (c *client) command(cmd topic.Command) {
	c.t.Helper()
	payload, err := cmd.Marshal()
	require.NoError(c.t, err)
	c.send(cmd.Topic(tree), payload, false)
}

// until reads messages to the first that fits.
func (c *client) until(what string, fits func(message) bool) message {
	c.t.Helper()
	limit := time.After(patience)
	var seen []string
	for {
		select {
		case m := <-c.messages:
			if fits(m) {
				return m
			}
			seen = append(seen, fmt.Sprintf("%s %s", m.topic, m.payload))
		case <-limit:
			c.t.Fatalf("waited in vain for %s; saw %d messages: %.2000v", what, len(seen), seen)
		}
	}
}

func (c *client) on(at string) message {
	c.t.Helper()
	return c.until("a message on "+at, func(m message) bool { return m.topic == at })
}

// result waits for the final result of a command.
func (c *client) result(id string) topic.Result {
	c.t.Helper()
	var r topic.Result
	c.until("the result of "+id, func(m message) bool {
		var err error
		r, err = topic.ParseResult(m.payload, topic.Limits{Size: 1 << 20})
		return err == nil && r.ID == id && r.Status.Final()
	})
	return r
}

func command(id string, hub wire.EUI64, v topic.Verb, args any) topic.Command {
	c, err := topic.NewCommand(id, hub, v, args)
	if err != nil {
		panic(err)
	}
	c.Reply = tree.Reply("test")
	return c
}

func decode[T any](t testing.TB, b []byte) T {
	t.Helper()
	var v T
	require.NoError(t, json.Unmarshal(b, &v), "%s", b)
	return v
}
