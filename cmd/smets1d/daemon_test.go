package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/gateway/topic"
	"smets1/internal/wire"
	"smets1/migration/engine"
)

// The test binary is the daemon too, when it is told so.
func TestMain(m *testing.M) {
	if os.Getenv("SMETS1D_TEST_RUN") != "" {
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// child is a daemon as a process of its own.
type child struct {
	t    *testing.T
	cmd  *exec.Cmd
	log  *lines
	mqtt string
	http string
}

// lines collects the log and tells each line to whoever waits for it.
type lines struct {
	mu   sync.Mutex
	all  []map[string]any
	text bytes.Buffer
	more chan struct{}
	end  bool
}

func (l *lines) read(r io.Reader) {
	for s := bufio.NewScanner(r); s.Scan(); {
		var m map[string]any
		_ = json.Unmarshal(s.Bytes(), &m)
		l.mu.Lock()
		l.text.WriteString(s.Text() + "\n")
		l.all = append(l.all, m)
		close(l.more)
		l.more = make(chan struct{})
		l.mu.Unlock()
	}
	l.mu.Lock()
	l.end = true
	close(l.more)
	l.mu.Unlock()
}

// wait gives the first line with a message, from the nth on.
func (c *child) wait(message string) map[string]any {
	c.t.Helper()
	timeout := time.After(60 * time.Second)
	for from := 0; ; {
		c.log.mu.Lock()
		for ; from < len(c.log.all); from++ {
			if c.log.all[from]["msg"] == message {
				m := c.log.all[from]
				c.log.mu.Unlock()
				return m
			}
		}
		more, end := c.log.more, c.log.end
		c.log.mu.Unlock()
		if end {
			require.Failf(c.t, "the daemon ended", "it never said %q:\n%s", message, c.log.text.String())
		}
		select {
		case <-more:
		case <-timeout:
			require.Failf(c.t, "too slow", "it did not say %q:\n%s", message, c.log.text.String())
		}
	}
}

func spawn(t *testing.T, env []string, args ...string) *child {
	t.Helper()
	c := &child{t: t, log: &lines{more: make(chan struct{})}}
	c.cmd = exec.Command(os.Args[0], args...)
	// What make interop tells its tests is no setting of the daemon's, which would refuse it.
	own := slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "SMETS1_INTEROP_") })
	c.cmd.Env = append(append(own, "SMETS1D_TEST_RUN=1"), env...)
	r, err := c.cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, c.cmd.Start())
	t.Cleanup(func() { _ = c.cmd.Process.Kill() })
	go c.log.read(r)
	running := c.wait("running")
	c.mqtt, c.http = running["mqtt"].(string), running["metrics"].(string)
	return c
}

// stop sends a signal and tells how the process ended, and how soon.
func (c *child) stop(s os.Signal) (code int, took time.Duration) {
	c.t.Helper()
	began := time.Now()
	require.NoError(c.t, c.cmd.Process.Signal(s))
	for { // the pipe is read to its end before Wait closes it
		c.log.mu.Lock()
		more, end := c.log.more, c.log.end
		c.log.mu.Unlock()
		if end {
			break
		}
		<-more
	}
	_ = c.cmd.Wait()
	return c.cmd.ProcessState.ExitCode(), time.Since(began)
}

func (c *child) get(path string) (int, string) {
	c.t.Helper()
	r, err := http.Get("http://" + c.http + path)
	require.NoError(c.t, err)
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	require.NoError(c.t, err)
	return r.StatusCode, string(b)
}

func dial(t *testing.T, c *child) *engine.Remote {
	t.Helper()
	r, err := engine.Dial(t.Context(), engine.RemoteConfig{Broker: c.mqtt, Fleet: "test", Client: "tester"})
	require.NoError(t, err)
	return r // whoever dials closes
}

func call(t *testing.T, r *engine.Remote, id string, hub wire.EUI64, v topic.Verb) topic.Result {
	t.Helper()
	cmd, err := topic.NewCommand(id, hub, v, nil)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	res, err := r.Call(ctx, cmd, nil)
	require.NoError(t, err)
	return res
}

func configFile(t *testing.T, text string) string {
	t.Helper()
	manifest, err := filepath.Abs(filepath.Join("testdata", "fleet.yaml"))
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "smets1d.yaml")
	text = strings.ReplaceAll(text, "MANIFEST", manifest)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

const threeHomes = `
state: state
fleet: {name: test}
broker: {listen: "127.0.0.1:0"}
homes: {manifest: MANIFEST, speed: 120, dlms-port: 0}
log: {format: json}
metrics: {listen: "127.0.0.1:0"}
`

// The daemon with a manifest of three homes answers identify over its embedded
// broker, tells its health and counts, stops on SIGTERM with status 0, and after a
// restart still has the result that it gave.
func TestDaemonEndToEnd(t *testing.T) {
	file := configFile(t, threeHomes)
	socket := filepath.Join(t.TempDir(), "notify")
	systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	require.NoError(t, err)
	defer systemd.Close()
	told := make(chan string, 1024)
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := systemd.Read(buf)
			if err != nil {
				close(told)
				return
			}
			told <- string(buf[:n])
		}
	}()
	hear := func(prefix string) {
		t.Helper()
		timeout := time.After(30 * time.Second)
		for {
			select {
			case s := <-told:
				if strings.HasPrefix(s, prefix) {
					return
				}
			case <-timeout:
				require.Fail(t, "systemd did not hear "+prefix)
			}
		}
	}

	d := spawn(t, []string{"NOTIFY_SOCKET=" + socket, "WATCHDOG_USEC=200000"}, "--config", file)
	hear("READY=1")
	hear("WATCHDOG=1")
	d.wait("online")
	remote := dial(t, d)

	var list topic.ListResult
	require.NoError(t, call(t, remote, "list-1", wire.EUI64{}, topic.FleetList).Decode(&list))
	require.Equal(t, 3, list.Total)
	first := map[wire.EUI64]topic.Result{}
	for _, h := range list.Hubs {
		res := call(t, remote, "identify-"+h.Hub.String(), h.Hub, topic.Identify)
		require.Equal(t, topic.StatusDone, res.Status, "%+v", res)
		var who topic.IdentifyResult
		require.NoError(t, res.Decode(&who))
		require.Equal(t, h.Hub, who.Devices[0].EUI)
		require.GreaterOrEqual(t, len(who.Devices), 2)
		for _, x := range who.Devices {
			require.Equal(t, topic.CodeOK, x.Code, "%+v", x)
			require.NotEmpty(t, x.Serial)
		}
		first[h.Hub] = res
	}
	require.Equal(t, topic.CodeUnknownHub, call(t, remote, "nobody", wire.EUI64{1}, topic.Identify).Code)

	status, body := d.get("/readyz")
	require.Equal(t, http.StatusOK, status, body)
	status, _ = d.get("/healthz")
	require.Equal(t, http.StatusOK, status)
	_, body = d.get("/metrics")
	for _, want := range []string{
		`smets1_commands_total{code="ok",status="done",verb="identify"} 3`, `code="unknown-hub"`, "smets1_broker_connected 1",
		`smets1_queue_commands{state="queued"} 0`, `smets1_hubs{state="ready"} 3`, "smets1_sessions_open", "go_goroutines",
	} {
		require.Contains(t, body, want)
	}

	remote.Close()
	code, took := d.stop(syscall.SIGTERM)
	require.Equal(t, exitOK, code, d.log.text.String())
	require.Less(t, took, 10*time.Second)
	hear("STOPPING=1")

	d = spawn(t, nil, "--config", file)
	remote = dial(t, d)
	for hub, res := range first {
		again := call(t, remote, res.ID, hub, topic.Identify)
		require.True(t, again.Duplicate, "it is the stored result")
		require.Equal(t, res.Time, again.Time)
		require.JSONEq(t, string(res.Result), string(again.Result))
	}
	remote.Close()
	code, _ = d.stop(os.Interrupt)
	require.Equal(t, exitOK, code)
}

// SIGHUP reads the log level again, and a broken file changes nothing.
func TestHangupReadsTheLevel(t *testing.T) {
	file := configFile(t, "state: state\nbroker: {listen: \"127.0.0.1:0\"}\nmetrics: {listen: \"127.0.0.1:0\"}\nlog: {format: json}\n")
	d := spawn(t, nil, "--config", file)
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte("log: {level: loud}\n"), 0o600))
	require.NoError(t, d.cmd.Process.Signal(syscall.SIGHUP))
	d.wait("the configuration was not read again: it has mistakes")
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(b), "format: json", "format: json, level: debug", 1)), 0o600))
	require.NoError(t, d.cmd.Process.Signal(syscall.SIGHUP))
	require.Equal(t, "debug", d.wait("configuration read again: the log level holds from now on, the rest from the next start")["level"])
	code, _ := d.stop(syscall.SIGTERM)
	require.Equal(t, exitOK, code)
}

// A broker that is not there does not keep the daemon from running: it is alive,
// not ready, and stops in order.
func TestBrokerThatIsNotThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	file := configFile(t, "state: state\nbroker: {url: \"tcp://"+address+"\"}\nmetrics: {listen: \"127.0.0.1:0\"}\nlog: {format: json}\n")
	d := spawn(t, nil, "--config", file)
	status, _ := d.get("/readyz")
	require.Equal(t, http.StatusServiceUnavailable, status)
	status, _ = d.get("/healthz")
	require.Equal(t, http.StatusOK, status)
	code, took := d.stop(syscall.SIGTERM)
	require.Equal(t, exitOK, code, d.log.text.String())
	require.Less(t, took, stopTimeout)
}

func TestCommands(t *testing.T) {
	try := func(args ...string) (int, string, string) {
		var out, err bytes.Buffer
		code := run(args, &out, &err)
		return code, out.String(), err.String()
	}
	good := configFile(t, threeHomes)
	bad := configFile(t, "broker:\n  lisen: x\n")

	code, out, _ := try("config", "check", good)
	require.Equal(t, exitOK, code)
	require.Equal(t, good+": ok\n", out)
	code, _, text := try("config", "check", bad)
	require.Equal(t, exitUsage, code)
	require.Contains(t, text, bad+":2:3: broker.lisen: there is no such key: did you mean listen?")
	code, _, text = try("--config", bad)
	require.Equal(t, exitUsage, code)
	require.Contains(t, text, ":2:3: ")
	code, _, _ = try("config", "check")
	require.Equal(t, exitUsage, code)
	code, _, text = try("--no-such-flag")
	require.Equal(t, exitUsage, code)
	require.Contains(t, text, "--help")
	code, _, text = try("--broker-listen", "0.0.0.0:1883")
	require.Equal(t, exitUsage, code)
	require.Contains(t, text, "--broker-listen: broker.listen: ")
	code, out, _ = try("config", "explain")
	require.Equal(t, exitOK, code)
	require.Contains(t, out, "SMETS1_BROKER_LISTEN  --broker-listen")
	code, out, _ = try("--version")
	require.Equal(t, exitOK, code)
	require.Contains(t, out, "smets1d version")
	code, out, _ = try("--help")
	require.Equal(t, exitOK, code)
	require.Contains(t, out, "--homes-manifest")
}
