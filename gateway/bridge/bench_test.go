package bridge_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/stretchr/testify/require"

	"smets1/gateway/bridge"
	"smets1/gateway/topic"
)

// BenchmarkRoundTrip sends commands with QoS 1 and waits for their final results, so many in flight: through the bridge to a
// handler that does nothing ("reversible", and "irreversible" with its syncs), and beside it through a bare paho client that sends back what it gets
// ("echo"). Same broker, same run: the ratio is what counts.
func BenchmarkRoundTrip(b *testing.B) {
	for _, inFlight := range []int{1, 16, 256} {
		for _, what := range []string{"echo", "reversible", "irreversible"} {
			b.Run(fmt.Sprintf("%s/inflight=%d", what, inFlight), func(b *testing.B) {
				br := startBroker(b, b.TempDir(), "127.0.0.1:0")
				verb := topic.Wake
				switch what {
				case "irreversible":
					verb = topic.KeysTakeover
					fallthrough
				case "reversible":
					s, err := br.Store()
					require.NoError(b, err)
					startGateway(b, setup{url: br.URL(), store: s, hubs: manyHomes(1000), tune: func(c *bridge.Config) { c.RetainedHubs = -1 }})
				default:
					echo(b, br.URL())
				}
				roundTrips(b, br.URL(), verb, inFlight)
			})
		}
	}
}

// echo answers each command with a result, as the simplest gateway would.
func echo(b *testing.B, url string) {
	b.Helper()
	o := mqtt.NewClientOptions().AddBroker(url).SetClientID("echo").SetOrderMatters(true)
	c := mqtt.NewClient(o)
	tok := c.Connect()
	require.True(b, tok.WaitTimeout(patience))
	require.NoError(b, tok.Error())
	b.Cleanup(func() { c.Disconnect(0) })
	tok = c.Subscribe(tree.HubCommands(), 1, func(c mqtt.Client, m mqtt.Message) {
		c.Publish(tree.Reply("test"), 1, false, m.Payload())
	})
	require.True(b, tok.WaitTimeout(patience))
}

func roundTrips(b *testing.B, url string, verb topic.Verb, inFlight int) {
	b.Helper()
	c := newClient(b, url, "engine", tree.Reply("test"))
	var waits []time.Duration
	sent := map[string]time.Time{}
	n := 0
	send := func() {
		n++
		cmd := command(fmt.Sprint("c", n), hubNumber(n%1000), verb, topic.KeysTakeoverArgs{Owner: "bench"})
		payload, err := cmd.Marshal()
		require.NoError(b, err)
		sent[cmd.ID] = time.Now()
		c.Publish(cmd.Topic(tree), 1, false, payload)
	}
	receive := func() {
		for m := range c.messages {
			if s := string(m.payload); strings.Contains(s, `"status":"accepted"`) {
				continue
			}
			id := decode[struct{ ID string }](b, m.payload).ID
			if at, ok := sent[id]; ok {
				waits = append(waits, time.Since(at))
				delete(sent, id)
				return
			}
		}
	}
	for range inFlight {
		send()
	}
	b.ResetTimer()
	for range b.N {
		receive()
		send()
	}
	b.StopTimer()
	for len(sent) > 0 {
		receive()
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commands/s")
	b.ReportMetric(percentile(waits, 50), "p50-ms")
	b.ReportMetric(percentile(waits, 99), "p99-ms")
}

func percentile(d []time.Duration, p int) float64 {
	sorted := slices.Sorted(slices.Values(d))
	return float64(sorted[(len(sorted)-1)*p/100].Microseconds()) / 1000
}
