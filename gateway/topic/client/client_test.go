package client

import (
	"context"
	"encoding/json"
	"net"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/stretchr/testify/require"

	"smets1/gateway/broker"
	"smets1/gateway/topic"
	"smets1/internal/wire"
)

// peer is a gateway as far as MQTT goes: it hears commands and says what the
// test wants.
type peer struct {
	t        *testing.T
	client   mqtt.Client
	tree     topic.Tree
	commands chan mqtt.Message
}

var began = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

var peerHub = wire.MustEUI64("00-DB-12-34-56-78-90-A0")

func newPeer(t *testing.T) (*peer, Config) {
	t.Helper()
	b, err := broker.Start(t.Context(), broker.Config{StateDir: t.TempDir(), Listen: "127.0.0.1:0"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	tree, err := topic.NewTree("test")
	require.NoError(t, err)
	p := &peer{t: t, tree: tree, commands: make(chan mqtt.Message, 100)}
	p.client = mqtt.NewClient(mqtt.NewClientOptions().AddBroker(b.URL()).SetClientID("peer").SetOrderMatters(true))
	p.done(p.client.Connect())
	t.Cleanup(func() { p.client.Disconnect(100) })
	p.done(p.client.Subscribe(tree.HubCommands(), 1, func(_ mqtt.Client, m mqtt.Message) { p.commands <- m }))
	return p, Config{Broker: b.URL(), Fleet: "test", Client: "engine", Resend: time.Hour}
}

func (p *peer) done(tok mqtt.Token) {
	p.t.Helper()
	require.True(p.t, tok.WaitTimeout(20*time.Second), "the broker does not answer")
	require.NoError(p.t, tok.Error())
}

func (p *peer) next() topic.Command {
	p.t.Helper()
	select {
	case m := <-p.commands:
		var c topic.Command
		require.NoError(p.t, json.Unmarshal(m.Payload(), &c))
		require.EqualValues(p.t, 1, m.Qos())
		require.False(p.t, m.Retained(), "a command is never retained")
		return c
	case <-time.After(20 * time.Second):
		p.t.Fatal("no command came")
		return topic.Command{}
	}
}

func (p *peer) say(c topic.Command, status topic.Status, code topic.Code, progress *topic.Progress) {
	p.t.Helper()
	r := topic.NewResult(c, status, began)
	r.Hub, r.Verb, r.Code, r.Progress = peerHub, topic.Wake, code, progress
	b, err := r.Marshal()
	require.NoError(p.t, err)
	p.done(p.client.Publish(c.Reply, 1, false, b))
}

func (p *peer) bear(session string) {
	p.t.Helper()
	b, err := json.Marshal(topic.BridgeState{Schema: topic.Schema, Node: "gw", State: topic.Online, Session: session})
	require.NoError(p.t, err)
	p.done(p.client.Publish(p.tree.BridgeState("gw"), 1, true, b))
}

func dialPeer(t *testing.T, cfg Config) *Client {
	t.Helper()
	r, err := Dial(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(r.Close)
	return r
}

type ended struct {
	res topic.Result
	err error
}

func callWake(t *testing.T, r *Client, id string, progress func(topic.Progress)) <-chan ended {
	t.Helper()
	cmd, err := topic.NewCommand(id, peerHub, topic.Wake, topic.WakeArgs{})
	require.NoError(t, err)
	end := make(chan ended, 1)
	go func() {
		res, err := r.Call(t.Context(), cmd, progress)
		end <- ended{res, err}
	}()
	return end
}

func TestCallHearsProgressAndTheEnd(t *testing.T) {
	p, cfg := newPeer(t)
	r := dialPeer(t, cfg)
	heard := make(chan topic.Progress, 1)
	end := callWake(t, r, "a/1", func(p topic.Progress) { heard <- p })
	c := p.next()
	require.Equal(t, "a/1", c.ID)
	require.Equal(t, p.tree.Reply("engine"), c.Reply)
	p.say(c, topic.StatusAccepted, "", nil)
	p.say(c, topic.StatusRunning, "", &topic.Progress{Step: "wake", Done: 1, Total: 2})
	require.Equal(t, topic.Progress{Step: "wake", Done: 1, Total: 2}, <-heard)
	p.say(topic.Command{ID: "another", Reply: c.Reply}, topic.StatusDone, topic.CodeOK, nil) // nobody waits for it
	p.say(c, topic.StatusFailed, topic.CodeNoWAN, nil)
	got := <-end
	require.NoError(t, got.err)
	require.Equal(t, topic.CodeNoWAN, got.res.Code)
	require.Error(t, got.res.Err())
}

func TestSilenceIsAnsweredByAskingAgain(t *testing.T) {
	p, cfg := newPeer(t)
	cfg.Resend = 200 * time.Millisecond
	r := dialPeer(t, cfg)
	end := callWake(t, r, "b/1", nil)
	first, second := p.next(), p.next()
	require.Equal(t, first, second, "the same command, to the letter")
	p.say(second, topic.StatusDone, topic.CodeOK, nil)
	require.NoError(t, (<-end).err)
}

// A gateway that is born again has not heard what was said before; one that
// was there all the time is not told twice.
func TestABirthIsAnsweredByAskingAgain(t *testing.T) {
	p, cfg := newPeer(t)
	p.bear("0001")
	r := dialPeer(t, cfg)
	require.NoError(t, r.AwaitGateway(t.Context()))
	end := callWake(t, r, "c/1", nil)
	first := p.next()
	p.bear("0001") // a repeated birth is no new one
	p.bear("0002")
	require.Equal(t, first, p.next())
	p.say(first, topic.StatusDone, topic.CodeOK, nil)
	require.NoError(t, (<-end).err)
	require.Empty(t, p.commands, "asked once too often")
}

func TestOneIDOneCall(t *testing.T) {
	p, cfg := newPeer(t)
	r := dialPeer(t, cfg)
	end := callWake(t, r, "d/1", nil)
	c := p.next()
	require.ErrorContains(t, (<-callWake(t, r, "d/1", nil)).err, "under way already")
	p.say(c, topic.StatusDone, topic.CodeOK, nil)
	require.NoError(t, (<-end).err)
}

func TestCloseEndsCalls(t *testing.T) {
	p, cfg := newPeer(t)
	r := dialPeer(t, cfg)
	end := callWake(t, r, "e/1", nil)
	p.next()
	r.Close()
	require.ErrorIs(t, (<-end).err, net.ErrClosed)
	r.Close()
}

func TestNobodyThere(t *testing.T) {
	_, cfg := newPeer(t)
	r := dialPeer(t, cfg)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, r.AwaitGateway(ctx), ErrNoGateway)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	cfg.Broker = "tcp://" + l.Addr().String()
	_, err = Dial(ctx, cfg)
	require.ErrorContains(t, err, "no broker answers at tcp://127.0.0.1:")
	cfg.Client = "a/b"
	_, err = Dial(ctx, cfg)
	require.ErrorContains(t, err, "client")
}

// A gateway whose retained state was missed, as happens with NATS when it is published while somebody subscribes, is
// found by subscribing anew.
func TestABirthThatWasMissed(t *testing.T) {
	p, cfg := newPeer(t)
	p.bear("one")
	r := dialPeer(t, cfg)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	require.NoError(t, r.AwaitGateway(ctx))
	r.mu.Lock()
	clear(r.bridges)
	r.mu.Unlock()
	require.NoError(t, r.AwaitGateway(ctx))
}
