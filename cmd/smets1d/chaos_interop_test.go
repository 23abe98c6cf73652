//go:build interop

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/gateway/audit"
	"smets1/gateway/bridge/watch"
	"smets1/gateway/topic"
	"smets1/internal/wire"
	"smets1/migration/engine"
)

// outcomes collects every final result that goes over the broker.
type outcomes struct {
	mu  sync.Mutex
	all map[string]map[string]int // by id and by what it says
}

func (o *outcomes) take(m watch.Message) error {
	r, err := topic.ParseResult(m.Payload, topic.Limits{Size: 1 << 20})
	if err != nil || !r.Status.Final() {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.all[r.ID] == nil {
		o.all[r.ID] = map[string]int{}
	}
	o.all[r.ID][fmt.Sprintf("%s %s %s", r.Status, r.Code, r.Time.Format(time.RFC3339Nano))]++
	return nil
}

// mosquitto runs one at a port, with persistence.
type mosquitto struct {
	t    *testing.T
	conf string
	addr string
	cmd  *exec.Cmd
}

func startMosquitto(t *testing.T) *mosquitto {
	t.Helper()
	exe, err := exec.LookPath("mosquitto")
	if err != nil {
		exe = "/usr/sbin/mosquitto"
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	m := &mosquitto{t: t, addr: l.Addr().String()}
	require.NoError(t, l.Close())
	_, port, err := net.SplitHostPort(m.addr)
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o777)) // mosquitto gives up root
	m.conf = filepath.Join(dir, "mosquitto.conf")
	require.NoError(t, os.WriteFile(m.conf, fmt.Appendf(nil,
		"listener %s 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nmax_inflight_messages 1000\nmax_queued_messages 0\npersistence true\npersistence_location %s/\nautosave_interval 1\n", port, dir), 0o644))
	m.start(exe)
	t.Cleanup(m.kill)
	return m
}

func (m *mosquitto) start(exe string) {
	m.t.Helper()
	m.cmd = exec.Command(exe, "-c", m.conf)
	require.NoError(m.t, m.cmd.Start())
	for end := time.Now().Add(30 * time.Second); ; {
		c, err := net.Dial("tcp", m.addr)
		if err == nil {
			_ = c.Close()
			return
		}
		require.True(m.t, time.Now().Before(end), "mosquitto does not listen: %v", err)
		time.Sleep(10 * time.Millisecond) // another process: there is nothing to wait on
	}
}

func (m *mosquitto) kill() {
	_ = m.cmd.Process.Kill()
	_ = m.cmd.Wait()
}

const (
	chaosCommands = 500
	chaosKills    = 20
)

// Mosquitto, and separately the daemon, is killed without warning twenty times and started again while five hundred commands are under
// way. The engine sends again what was not answered, and every command a second time in any case. Each has one outcome, whoever hears it and how
// often; nothing ran twice; the audit verifies.
func TestInteropChaos(t *testing.T) {
	for _, victim := range []string{"mosquitto", "daemon"} {
		t.Run(victim, func(t *testing.T) {
			m := startMosquitto(t)
			file := configFile(t, fmt.Sprintf(`
state: state
fleet: {name: test}
broker: {url: "tcp://%s"}
homes: {manifest: MANIFEST, speed: 60, dlms-port: 0}
queue: {max-per-hub: 1000}
log: {format: json}
metrics: {listen: "off"}
`, m.addr))
			d := spawn(t, nil, "--config", file)
			d.wait("online")
			said := &outcomes{all: map[string]map[string]int{}}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var watching sync.WaitGroup
			defer watching.Wait()
			defer cancel()
			ready := make(chan struct{}, 64)
			watching.Go(func() {
				_ = watch.Run(ctx, watch.Config{Broker: "tcp://" + m.addr, Client: "watcher", Filters: []string{"smets1/v1/test/rsp/+"}, Ready: func() {
					select {
					case ready <- struct{}{}:
					default:
					}
				}}, said.take)
			})
			<-ready
			r, err := engine.Dial(ctx, engine.RemoteConfig{Broker: "tcp://" + m.addr, Fleet: "test", Client: "tester", Resend: 2 * time.Second})
			require.NoError(t, err)
			defer r.Close()
			require.NoError(t, r.AwaitGateway(ctx))
			list := call(t, r, "list", wire.EUI64{}, topic.FleetList)
			var page topic.ListResult
			require.NoError(t, list.Decode(&page))

			results := make([]topic.Result, chaosCommands)
			errs := make([]error, chaosCommands)
			var calls sync.WaitGroup
			for i := range chaosCommands {
				calls.Go(func() {
					v := topic.ClockSync // it changes the home, so that the audit has it
					if i%2 == 0 {
						v = topic.Wake
					}
					cmd, err := topic.NewCommand(fmt.Sprint("c", i), page.Hubs[i%len(page.Hubs)].Hub, v, nil)
					if err == nil {
						results[i], err = r.Call(ctx, cmd, nil)
					}
					errs[i] = err
				})
			}
			for kills := range chaosKills {
				time.Sleep(time.Duration(50+37*(kills%7)) * time.Millisecond) // at another moment each time
				if victim == "mosquitto" {
					m.kill()
					m.start(m.cmd.Path)
					continue
				}
				require.NoError(t, d.cmd.Process.Kill())
				_ = d.cmd.Wait()
				d = spawn(t, nil, "--config", file)
			}
			over := make(chan struct{})
			go func() { calls.Wait(); close(over) }()
			select {
			case <-over:
			case <-time.After(4 * time.Minute):
				require.Fail(t, "some commands have no outcome", "%s", d.log.text.String())
			}
			for i := range chaosCommands {
				require.NoError(t, errs[i])
				require.Equal(t, topic.StatusDone, results[i].Status, "%+v", results[i])
				// Sent once more: the stored result.
				if i%10 == 0 {
					again := call(t, r, fmt.Sprint("c", i), results[i].Hub, results[i].Verb)
					require.Equal(t, results[i].Time, again.Time)
				}
			}
			cancel()
			watching.Wait()
			for i := range chaosCommands {
				require.LessOrEqual(t, len(said.all[fmt.Sprint("c", i)]), 1, "c%d has more than one outcome: %v", i, said.all[fmt.Sprint("c", i)])
			}
			_, _ = d.stop(os.Interrupt)
			f, err := os.Open(filepath.Join(filepath.Dir(file), "state", audit.FileName))
			require.NoError(t, err)
			defer f.Close()
			ended := map[string]int{}
			_, err = audit.Verify(f, func(e audit.Entry) error {
				if e.Action == audit.Ended {
					ended[e.ID]++
				}
				return nil
			})
			require.NoError(t, err)
			for id, n := range ended {
				require.Equal(t, 1, n, "%s ended %d times", id, n)
			}
			b, _ := json.Marshal(len(ended))
			t.Logf("%s killed %d times; %d commands, %s of them in the audit, one outcome each", victim, chaosKills, chaosCommands, b)
		})
	}
}
