// Package doctor looks at a broker for what is known to bite: answers that are held back, queues that are cut, retained messages that do not
// all arrive, sessions that are not kept. It uses topics of its own below smets1/v1/<fleet>/doctor and leaves nothing behind.
package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"smets1/internal/clock"
)

// Config says which broker to look at. Broker, Root and Client are needed.
type Config struct {
	Broker      string
	TLS         *tls.Config
	Credentials func() (user, password string)
	Root        string // topics of the fleet: Tree.Root
	Client      string // begins the names of the clients
	// Messages is how many are queued and retained; zero means 2,000.
	Messages int
}

// Verdict is how a check came out.
type Verdict string

// Verdicts.
const (
	Good Verdict = "good"
	Warn Verdict = "warn" // it works, and will bite
	Bad  Verdict = "bad"  // the contract does not hold
)

// Finding is what one check found, and what to set.
type Finding struct {
	Check   string  `json:"check"`
	Verdict Verdict `json:"verdict"`
	Saw     string  `json:"saw"`
	Do      string  `json:"do,omitzero"`
}

// answerTime bounds each wait for the broker.
const answerTime = 15 * time.Second

var errSlow = errors.New("the broker did not answer within 15 s")

type visit struct {
	Config
	ctx context.Context
}

// Run makes all checks. An error says that the broker cannot be looked at.
func Run(ctx context.Context, cfg Config) ([]Finding, error) {
	if cfg.Messages == 0 {
		cfg.Messages = 2000
	}
	v := visit{cfg, ctx}
	c, err := v.connect("a", true, nil)
	if err != nil {
		return nil, fmt.Errorf("doctor: %s: %w", cfg.Broker, err)
	}
	defer c.Disconnect(100)
	var out []Finding
	for _, check := range []struct {
		name string
		run  func(mqtt.Client) (Finding, error)
	}{
		{"version", v.version},
		{"round trips", v.roundTrips},
		{"retained messages", v.retained},
		{"kept sessions and queue limit", v.queued},
	} {
		f, err := check.run(c)
		if ctx.Err() != nil {
			return out, context.Cause(ctx)
		}
		if err != nil {
			f = Finding{Verdict: Bad, Saw: err.Error(), Do: "look at the log of the broker, and at what this user may do"}
		}
		f.Check = check.name
		out = append(out, f)
	}
	return out, nil
}

func (v *visit) connect(name string, clean bool, f func(mqtt.Message)) (mqtt.Client, error) {
	o := mqtt.NewClientOptions().AddBroker(v.Broker).SetClientID(v.Client + "-" + name).SetCleanSession(clean).SetOrderMatters(true).
		SetAutoReconnect(false).SetConnectTimeout(answerTime)
	if v.TLS != nil {
		o.SetTLSConfig(v.TLS)
	}
	if v.Credentials != nil {
		o.SetCredentialsProvider(v.Credentials)
	}
	if f != nil {
		o.SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) { f(m) })
	}
	c := mqtt.NewClient(o)
	return c, v.await(c.Connect())
}

func (v *visit) await(t mqtt.Token) error {
	timer := clock.Real().NewTimer(answerTime)
	defer timer.Stop()
	select {
	case <-t.Done():
		return t.Error()
	case <-timer.C():
		return errSlow
	case <-v.ctx.Done():
		return context.Cause(v.ctx)
	}
}

func (v *visit) at(leaf string) string { return v.Root + "/doctor/" + v.Client + "/" + leaf }

// collect subscribes and counts distinct topics and payloads until there are n, or none came for a while.
type collector struct {
	mu   sync.Mutex
	seen map[string]bool
	more chan struct{}
}

func newCollector() *collector {
	return &collector{seen: map[string]bool{}, more: make(chan struct{}, 1)}
}

func (c *collector) take(m mqtt.Message) {
	c.mu.Lock()
	c.seen[m.Topic()+" "+string(m.Payload())] = true
	c.mu.Unlock()
	select {
	case c.more <- struct{}{}:
	default:
	}
}

// wait waits until n were seen, or nothing came for the time of an answer.
func (c *collector) wait(ctx context.Context, n int) int {
	for {
		c.mu.Lock()
		got := len(c.seen)
		c.mu.Unlock()
		if got >= n {
			return got
		}
		timer := clock.Real().NewTimer(answerTime / 3)
		select {
		case <-c.more:
			timer.Stop()
		case <-timer.C():
			return got
		case <-ctx.Done():
			timer.Stop()
			return got
		}
	}
}

func (v *visit) version(c mqtt.Client) (Finding, error) {
	got := make(chan string, 1)
	t := c.Subscribe("$SYS/broker/version", 0, func(_ mqtt.Client, m mqtt.Message) {
		select {
		case got <- string(m.Payload()):
		default:
		}
	})
	if err := v.await(t); err != nil {
		return Finding{}, err
	}
	timer := clock.Real().NewTimer(time.Second)
	defer timer.Stop()
	select {
	case s := <-got:
		return Finding{Verdict: Good, Saw: fmt.Sprintf("%.80q", s)}, nil
	case <-timer.C():
		return Finding{Verdict: Good, Saw: "it does not say (the embedded broker does not)"}, nil
	case <-v.ctx.Done():
		return Finding{}, context.Cause(v.ctx)
	}
}

// slow is the round trip that only a delayed acknowledgement explains (measured: 87 ms at mosquitto's defaults, under 3 ms without).
const slow = 30 * time.Millisecond

func (v *visit) roundTrips(c mqtt.Client) (Finding, error) {
	back := make(chan struct{}, 1)
	at := v.at("echo")
	if err := v.await(c.Subscribe(at, 1, func(mqtt.Client, mqtt.Message) { back <- struct{}{} })); err != nil {
		return Finding{}, err
	}
	wall := clock.Real()
	var took []time.Duration
	for range 21 {
		began := wall.Now()
		if err := v.await(c.Publish(at, 1, false, "x")); err != nil {
			return Finding{}, err
		}
		timer := wall.NewTimer(answerTime)
		select {
		case <-back:
			timer.Stop()
		case <-timer.C():
			return Finding{}, errSlow
		}
		took = append(took, wall.Now().Sub(began))
	}
	slices.Sort(took)
	f := Finding{Verdict: Good, Saw: fmt.Sprintf("QoS 1: half within %s, the longest %s", took[len(took)/2].Round(10*time.Microsecond), took[len(took)-1].Round(10*time.Microsecond))}
	if took[len(took)/2] > slow {
		f.Verdict, f.Do = Warn, "mosquitto: set_tcp_nodelay true; else look for a slow network between here and the broker"
	}
	return f, nil
}

func (v *visit) publishAll(c mqtt.Client, retain bool, payload func(i int) any, at func(i int) string) error {
	tokens := make([]mqtt.Token, 0, 200)
	for i := range v.Messages {
		if tokens = append(tokens, c.Publish(at(i), 1, retain, payload(i))); len(tokens) == cap(tokens) || i == v.Messages-1 {
			for _, t := range tokens {
				if err := v.await(t); err != nil {
					return err
				}
			}
			tokens = tokens[:0]
		}
	}
	return nil
}

func (v *visit) retained(c mqtt.Client) (Finding, error) {
	at := func(i int) string { return v.at(fmt.Sprint("retained/", i)) }
	defer func() { _ = v.publishAll(c, true, func(int) any { return []byte{} }, at) }()
	if err := v.publishAll(c, true, func(int) any { return "x" }, at); err != nil {
		return Finding{}, err
	}
	got := newCollector()
	late, err := v.connect("b", true, got.take)
	if err != nil {
		return Finding{}, err
	}
	defer late.Disconnect(100)
	if err := v.await(late.Subscribe(v.at("retained/#"), 1, nil)); err != nil {
		return Finding{}, err
	}
	n := got.wait(v.ctx, v.Messages)
	f := Finding{Verdict: Good, Saw: fmt.Sprintf("%d of %d arrive at who comes later", n, v.Messages)}
	if n < v.Messages {
		f.Verdict = Bad
		f.Do = "mosquitto: max_queued_messages 0, max_inflight_messages 1000; or use snapshot in place of retained states (retained hubs of the gateway)"
	}
	return f, nil
}

func (v *visit) queued(c mqtt.Client) (Finding, error) {
	got := newCollector()
	sleeper, err := v.connect("c", false, got.take)
	if err != nil {
		return Finding{}, err
	}
	if err := v.await(sleeper.Subscribe(v.at("queue"), 1, nil)); err != nil {
		return Finding{}, err
	}
	sleeper.Disconnect(100)
	defer func() { // with a clean session the broker forgets what it kept
		if last, err := v.connect("c", true, nil); err == nil {
			last.Disconnect(100)
		}
	}()
	if err := v.publishAll(c, false, func(i int) any { return fmt.Sprint(i) }, func(int) string { return v.at("queue") }); err != nil {
		return Finding{}, err
	}
	back, err := v.connect("c", false, got.take)
	if err != nil {
		return Finding{}, err
	}
	n := got.wait(v.ctx, v.Messages)
	back.Disconnect(100)
	f := Finding{Verdict: Good, Saw: fmt.Sprintf("%d of %d sent meanwhile arrive at who was away", n, v.Messages)}
	switch {
	case n == 0:
		f.Verdict, f.Do = Bad, "the broker keeps no sessions: allow them; a gateway that restarts misses commands"
	case n < v.Messages:
		f.Verdict, f.Do = Warn, "mosquitto: max_queued_messages 0 (or as many as the fleet sends while a gateway restarts), and persistence true"
	}
	return f, nil
}
