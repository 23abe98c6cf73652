package bridge_test

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/stretchr/testify/require"

	"smets1/gateway/bridge"
	"smets1/gateway/topic"
	"smets1/internal/store"
)

// BenchmarkRoundTrip sends commands with QoS 1 and waits for their final results, so many in flight, in turns: some through the bridge to
// a handler that does nothing ("reversible", and "irreversible" with its syncs), some through a bare paho client at the same
// broker that sends back what it gets. The ratio is what counts: turns see the same machine, separate runs do not.
// With the tag interop the broker is mosquitto.
func BenchmarkRoundTrip(b *testing.B) {
	for _, what := range []string{"reversible", "irreversible"} {
		for _, inFlight := range []int{1, 16, 256} {
			b.Run(fmt.Sprintf("%s/inflight=%d", what, inFlight), func(b *testing.B) {
				url, s := benchBroker(b)
				verb, args := topic.Wake, any(nil)
				if what == "irreversible" {
					verb, args = topic.KeysTakeover, topic.KeysTakeoverArgs{Owner: "bench"}
				}
				startGateway(b, setup{url: url, store: s, hubs: manyHomes(1000), tune: func(c *bridge.Config) { c.RetainedHubs = -1 }})
				echo(b, url)
				compare(b, url, verb, args, inFlight)
			})
		}
	}
}

// benchBroker gives a broker, and the store of the gateway: that of the embedded broker, whichever carries the messages.
func benchBroker(b *testing.B) (string, store.Store) {
	b.Helper()
	br := startBroker(b, b.TempDir(), "127.0.0.1:0")
	s, err := br.Store()
	require.NoError(b, err)
	if otherBroker != nil {
		return otherBroker(b), s
	}
	return br.URL(), s
}

var echoTree, _ = topic.NewTree("echo")

// echo answers each command of a fleet of its own with what came, as the simplest gateway would.
func echo(b *testing.B, url string) {
	b.Helper()
	o := mqtt.NewClientOptions().AddBroker(url).SetClientID("echo").SetOrderMatters(true)
	c := mqtt.NewClient(o)
	tok := c.Connect()
	require.True(b, tok.WaitTimeout(patience))
	require.NoError(b, tok.Error())
	b.Cleanup(func() { c.Disconnect(0) })
	tok = c.Subscribe(echoTree.HubCommands(), 1, func(c mqtt.Client, m mqtt.Message) {
		c.Publish(echoTree.Reply("test"), 1, false, m.Payload())
	})
	require.True(b, tok.WaitTimeout(patience))
}

// turn is how many commands go one way before it is the other's turn.
const turn = 500

// compare runs b.N commands each way.
func compare(b *testing.B, url string, verb topic.Verb, args any, inFlight int) {
	b.Helper()
	c := newClient(b, url, "engine", tree.Reply("test"), echoTree.Reply("test"))
	ours, theirs := &lap{b: b, c: c, tree: tree, verb: verb, args: args}, &lap{b: b, c: c, tree: echoTree, verb: verb, args: args}
	ours.run(min(200, b.N), inFlight)
	theirs.run(min(200, b.N), inFlight)
	ours.took, theirs.took, ours.cpu, theirs.cpu, ours.waits, theirs.waits = 0, 0, 0, 0, nil, nil
	b.ResetTimer()
	for left := b.N; left > 0; left -= turn {
		ours.run(min(left, turn), inFlight)
		theirs.run(min(left, turn), inFlight)
	}
	b.StopTimer()
	rate := func(l *lap) float64 { return float64(b.N) / l.took.Seconds() }
	b.ReportMetric(rate(ours), "commands/s")
	b.ReportMetric(percentile(ours.waits, 50), "p50-ms")
	b.ReportMetric(percentile(ours.waits, 99), "p99-ms")
	b.ReportMetric(rate(theirs), "echo/s")
	b.ReportMetric(percentile(theirs.waits, 50), "echo-p50-ms")
	b.ReportMetric(percentile(theirs.waits, 99), "echo-p99-ms")
	b.ReportMetric(rate(ours)/rate(theirs), "of-echo")
	b.ReportMetric(float64(ours.cpu.Microseconds())/float64(b.N), "cpu-us")
	b.ReportMetric(float64(theirs.cpu.Microseconds())/float64(b.N), "echo-cpu-us")
}

// lap measures one way.
type lap struct {
	b     *testing.B
	c     *client
	tree  topic.Tree
	verb  topic.Verb
	args  any
	n     int
	took  time.Duration
	cpu   time.Duration // of this process: on a busy machine it tells more than the clock
	waits []time.Duration
	sent  map[string]time.Time
}

func (l *lap) run(n, inFlight int) {
	l.b.Helper()
	l.sent = map[string]time.Time{}
	began, used := time.Now(), cpuTime()
	for i := range n {
		if i >= inFlight {
			l.receive()
		}
		l.send()
	}
	for len(l.sent) > 0 {
		l.receive()
	}
	l.took += time.Since(began)
	l.cpu += cpuTime() - used
}

func (l *lap) send() {
	l.n++
	cmd := command(fmt.Sprint("c", l.n), hubNumber(l.n%1000), l.verb, l.args)
	cmd.Reply = l.tree.Reply("test")
	payload, err := cmd.Marshal()
	require.NoError(l.b, err)
	l.sent[cmd.ID] = time.Now()
	l.c.Publish(cmd.Topic(l.tree), 1, false, payload)
}

func (l *lap) receive() {
	for m := range l.c.messages {
		if s := string(m.payload); strings.Contains(s, `"status":"accepted"`) {
			continue
		}
		id := decode[struct{ ID string }](l.b, m.payload).ID
		if at, ok := l.sent[id]; ok {
			l.waits = append(l.waits, time.Since(at))
			delete(l.sent, id)
			return
		}
	}
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func percentile(d []time.Duration, p int) float64 {
	sorted := slices.Sorted(slices.Values(d))
	return float64(sorted[(len(sorted)-1)*p/100].Microseconds()) / 1000
}
