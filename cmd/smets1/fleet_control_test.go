package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/device/fleet"
	"smets1/dlms/axdr"
	"smets1/dlms/client"
	"smets1/dlms/cosem"
	"smets1/dlms/security"
	"smets1/gateway/keystore"
	"smets1/internal/wire"
)

// childArguments has the test's own program be the command, so that there is a process
// to kill.
const childArguments = "SMETS1_TEST_ARGUMENTS"

func TestMain(m *testing.M) {
	if text := os.Getenv(childArguments); text != "" {
		var args []string
		if err := json.Unmarshal([]byte(text), &args); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(exitUsage)
		}
		os.Exit(run(args))
	}
	os.Exit(m.Run())
}

var ordersForm = regexp.MustCompile(`orders at (\S+)`)

// The time of a serve by steps stands still but for step; what its homes are is saved
// and loaded while it runs.
func TestFleetServeByStep(t *testing.T) {
	dir := t.TempDir()
	manifest := filepath.Join(dir, "fleet.yaml")
	require.NoError(t, os.WriteFile(manifest, []byte(oneHome+"  - {name: sleeper, profile: moc-secure}\n"), 0o600))
	for _, state := range []string{"", filepath.Join(dir, "state")} {
		args := []string{"fleet", "serve", manifest, "--addresses=false", "--gateway", "127.0.0.1:0", "--control", "127.0.0.1:0", "--clock", "step", "--state", state}
		_, errs, stop := background(t, args...)
		errs.until(t, "2 homes")
		at := ordersForm.FindStringSubmatch(errs.String())[1]
		on := func(args ...string) string {
			return must(t, append(append([]string{"fleet"}, args...), "--control", at)...)
		}

		require.Contains(t, on("status"), "time 2019-07-15T07:00:00Z (step)\n2 homes: 0 in memory")
		require.Equal(t, "2019-07-15T07:00:30Z\n", on("step", "30s"))
		require.Equal(t, "2019-07-15T08:00:00Z\n", on("step", "2019-07-15T08:00:00Z"))
		require.Contains(t, mustNot(t, exitFailed, "fleet", "step", "2019-07-15T07:00:00Z", "--control", at), "does not go back")
		require.Contains(t, on("inspect", "sleeper"), "asleep (wakes by: smsx2)")
		before := on("inspect", "home", "--json")
		require.Contains(t, on("inspect", "home"), "enabled")
		require.NotRegexp(t, keyForm, before)

		snap := filepath.Join(dir, "first"+filepath.Base(state)+".s1fs")
		require.Contains(t, on("save", snap), "fleet one at 2019-07-15T08:00:00Z, ")
		require.Contains(t, mustNot(t, exitUsage, "fleet", "save", snap, "--control", at), "is there already")
		require.Contains(t, on("wake", "sleeper"), "2 messages")
		on("step", "1m")
		require.Contains(t, on("inspect", "sleeper"), "reachable, 2 messages")
		require.Contains(t, on("load", snap), "goes on at 2019-07-15T08:00:00Z")
		require.Contains(t, on("inspect", "sleeper"), "0 messages")
		require.Equal(t, before, on("inspect", "home", "--json"))
		require.Contains(t, mustNot(t, exitFailed, "fleet", "inspect", "nobody", "--control", at), "no such home")
		require.Contains(t, mustNot(t, exitUsage, "fleet", "step", "soon", "--control", at), "no duration")
		require.Contains(t, mustNot(t, exitUsage, "fleet", "load", manifest, "--control", at), "this is none")
		require.Contains(t, on("status", "--json"), `"clock":"step"`)
		require.Contains(t, on("status"), "by DLMS gateway prefix")

		// A page in a browser cannot give orders.
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+at+"/status", nil)
		require.NoError(t, err)
		resp, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusForbidden, resp.StatusCode)
		require.Equal(t, exitOK, stop())

		if state != "" { // its time is where it was left, unless a snapshot says otherwise
			_, errs, stop := background(t, args...)
			errs.until(t, "2 homes")
			at = ordersForm.FindStringSubmatch(errs.String())[1]
			require.Contains(t, on("status"), "time 2019-07-15T08:00:00Z")
			require.Equal(t, exitOK, stop())
		}
		_, errs, stop = background(t, append(args, "--snapshot", snap)...)
		errs.until(t, "2 homes")
		at = ordersForm.FindStringSubmatch(errs.String())[1]
		require.Contains(t, on("status"), "time 2019-07-15T08:00:00Z")
		require.Equal(t, exitOK, stop())
	}
	require.Contains(t, mustNot(t, exitUsage, "fleet", "serve", manifest, "--clock", "step", "--speed", "2"), "--speed")
	require.Contains(t, mustNot(t, exitUsage, "fleet", "serve", manifest, "--for", "2h"), "--speed max")
	require.Contains(t, mustNot(t, exitUsage, "fleet", "serve", manifest, "--snapshot", manifest), "this is none")
	require.Contains(t, mustNot(t, exitUsage, "fleet", "serve", manifest, "--port", "0", "--control", "0.0.0.0:0"), "127.0.0.0/8")
	require.Contains(t, mustNot(t, exitFailed, "fleet", "inspect", "home", "--control", "127.0.0.1:1"), "is smets1 fleet serve running")
}

// As fast as possible means that a day of two live homes is over at once, and then the
// time stands.
func TestFleetServeAtFullSpeed(t *testing.T) {
	manifest := filepath.Join(t.TempDir(), "fleet.yaml")
	require.NoError(t, os.WriteFile(manifest, []byte(oneHome), 0o600))
	_, errs, stop := background(t, "fleet", "serve", manifest, "--port", "0", "--control", "127.0.0.1:0", "--live", "--speed", "max", "--for", "1h")
	errs.until(t, "the time stops, as --for says")
	at := ordersForm.FindStringSubmatch(errs.String())[1]
	s := must(t, "fleet", "status", "--control", at)
	require.Contains(t, s, "time 2019-07-15T08:00:00Z (max)\n1 homes: 1 in memory")
	require.Contains(t, mustNot(t, exitFailed, "fleet", "step", "1m", "--control", at), "--clock step")
	require.Equal(t, exitOK, stop())
}

// A serve with a state folder that is killed (SIGKILL) while clients change its homes has,
// when it is started again, everything that it acknowledged.
func TestFleetServeSurvivesKills(t *testing.T) {
	dir := t.TempDir()
	manifest := filepath.Join(dir, "fleet.yaml")
	require.NoError(t, os.WriteFile(manifest, []byte(strings.Replace(oneHome, "home,", "home-a,", 1)+
		"  - {name: home-b, profile: foc-mesh}\n  - {name: home-c, profile: foc-mesh}\n"), 0o600))
	must(t, "fleet", "handover", manifest, "--out", filepath.Join(dir, "handover.json"))
	b, err := os.ReadFile(filepath.Join(dir, "handover.json"))
	require.NoError(t, err)
	h, err := keystore.ParseHandover(b)
	require.NoError(t, err)
	m, err := fleet.LoadManifest(manifest)
	require.NoError(t, err)
	f, err := fleet.Open(t.Context(), m, fleet.Options{})
	require.NoError(t, err)
	var hubs []wire.EUI64
	for e := range f.Inventory() {
		hubs = append(hubs, e.Devices[0].EUI)
	}
	require.NoError(t, f.Close())
	keys := map[wire.EUI64]security.KeySet{}
	for _, d := range h.Devices {
		keys[d.EUI] = d.Keys
	}

	args, err := json.Marshal([]string{"fleet", "serve", manifest, "--addresses=false", "--gateway", "127.0.0.1:0", "--control", "", "--state", filepath.Join(dir, "state")})
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(5, 5))
	acknowledged := map[wire.EUI64]string{} // the end point that the hub said it has
	tried := map[wire.EUI64]string{}
	counters := map[wire.EUI64]uint32{}
	sets := 0
	for round := range 4 {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), childArguments+"="+string(args))
		errs, err := child.StderrPipe()
		require.NoError(t, err)
		require.NoError(t, child.Start())
		lines := bufio.NewReader(errs)
		gateway := ""
		for gateway == "" {
			line, err := lines.ReadString('\n')
			require.NoError(t, err, line)
			if rest, ok := strings.CutPrefix(line, "all homes at "); ok {
				gateway, _, _ = strings.Cut(rest, ",")
			}
		}
		go func() { _, _ = io.Copy(io.Discard, lines) }()
		nc, err := net.Dial("tcp", gateway)
		require.NoError(t, err)
		w := client.NewWrapper(nc)
		open := map[wire.EUI64]*client.Client{}
		for _, hub := range hubs {
			counters[hub] += 10_000
			c, err := client.Associate(t.Context(), client.Behind(w.Link(1, 1), 1, hub[:]), client.Config{
				Mechanism: security.MechanismGMAC, Keys: keys[hub], SystemTitle: security.SystemTitle{'X', 'X', 'X', 0, 0, 0, 0, 1},
				Counter: client.CountFrom(counters[hub]),
			})
			require.NoError(t, err, "round %d", round)
			open[hub] = c
			v, err := c.GetAxdr(t.Context(), endpoints)
			require.NoError(t, err)
			if want := acknowledged[hub]; want != "" {
				list, err := v.AsArray()
				require.NoError(t, err)
				got, err := list[0].AsBytes()
				require.NoError(t, err)
				// What was on its way when the process died may have been done, or not.
				require.Contains(t, []string{want, tried[hub]}, string(got), "round %d: %s", round, hex.EncodeToString(hub[:]))
				acknowledged[hub] = string(got)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		last := 20 + rng.IntN(60)
		for n := range last + 1 {
			if n == last {
				time.AfterFunc(time.Duration(rng.IntN(3))*time.Millisecond, func() { _ = child.Process.Kill() })
			}
			hub := hubs[rng.IntN(len(hubs))]
			tried[hub] = fmt.Sprintf("round%d.example:%d", round, n)
			err := open[hub].SetAxdr(ctx, endpoints, axdr.Array(axdr.Octets([]byte(tried[hub]))))
			if n < last {
				require.NoError(t, err)
			}
			if err == nil {
				acknowledged[hub] = tried[hub]
				sets++
			}
		}
		cancel()
		_ = child.Wait()
		_ = w.Close()
	}
	require.Greater(t, sets, 80)
	require.Len(t, acknowledged, len(hubs))
}

var endpoints = cosem.Attribute{Class: cosem.ClassAutoConnect, Instance: cosem.OBIS{0, 0, 2, 1, 0, 255}, ID: 6}
