package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/cmd/internal/lab"
	"smets1/device/core"
	"smets1/device/profile"
	"smets1/dlms/security"
	"smets1/firmware"
	"smets1/gateway/topic"
	"smets1/internal/store"
	"smets1/internal/wire"
	"smets1/migration/engine"
)

// setting is a number from the environment.
func setting(t *testing.T, name string, otherwise int) int {
	v, ok := os.LookupEnv(name)
	if !ok {
		return otherwise
	}
	n, err := strconv.Atoi(v)
	require.NoError(t, err, name)
	return n
}

// load is what is asked of every home, and what has come of it.
type load struct {
	t        *testing.T
	commands []topic.Command

	mu    sync.Mutex
	begun map[string]bool // heard of: it was acknowledged
	ended map[string]topic.Result
}

// send asks for all that has not ended, until ctx is done or it has.
func (l *load) send(ctx context.Context, r *engine.Remote) {
	var all sync.WaitGroup
	for _, c := range l.commands {
		l.mu.Lock()
		_, done := l.ended[c.ID]
		l.mu.Unlock()
		if done {
			continue
		}
		all.Go(func() {
			res, err := r.Call(ctx, c, func(topic.Progress) {
				l.mu.Lock()
				defer l.mu.Unlock()
				l.begun[c.ID] = true
			})
			if err == nil {
				l.mu.Lock()
				defer l.mu.Unlock()
				l.ended[c.ID] = res
			}
		})
	}
	all.Wait()
}

// A daemon that upgrades firmware and takes keys over in many homes is killed
// (SIGKILL) again and again, and started again with the same folder. No home is
// lost, no image is activated twice, every command that was acknowledged has one
// result, and the keys are nowhere but in the store: not in logs, results,
// captures, nor in what it says when it crashes.
//
// A test run has few homes and kills; SMETS1D_KILL_HOMES=500 SMETS1D_KILLS=200 is
// the same under load.
func TestKilledUnderLoad(t *testing.T) {
	homes, kills := setting(t, "SMETS1D_KILL_HOMES", 12), setting(t, "SMETS1D_KILLS", 6)
	manifest := filepath.Join(t.TempDir(), "fleet.yaml")
	require.NoError(t, os.WriteFile(manifest, fmt.Appendf(nil, `schema: 1
name: load
seed: 5
start: 2019-07-15T07:00:00Z
cohorts: [{name: home, profile: foc-mesh, count: %d, fuel: electricity, firmware: {hub: first, esme: first}}]
`, homes), 0o600))
	file := configFile(t, `
state: state
fleet: {name: test}
broker: {listen: "127.0.0.1:0"}
homes: {manifest: `+manifest+`, speed: 60, dlms-port: 0}
capture: lines.pcapng
log: {format: json, level: debug}
metrics: {listen: "127.0.0.1:0"}
`)
	dir := filepath.Dir(file)
	state := filepath.Join(dir, "state")
	library, err := firmware.OpenLibrary(filepath.Join(state, "firmware"))
	require.NoError(t, err)
	p, _ := profile.Builtin().Get("foc-mesh")
	images := map[topic.Device]topic.FirmwareUpgradeArgs{}
	for role, d := range map[topic.Device]*profile.Device{"chf": &p.Hub, "esme": &p.ESME} {
		kind, _ := firmware.DeviceTypeOf(string(role))
		b, err := firmware.SimulatedRelease(firmware.Header{Type: kind, Manufacturer: d.Manufacturer, Model: d.Model, HardwareFrom: d.Hardware, HardwareTo: d.Hardware, Version: d.Newest()}, 1500)
		require.NoError(t, err)
		digest, err := library.Put(b)
		require.NoError(t, err)
		images[role] = topic.FirmwareUpgradeArgs{Image: digest.String(), Version: d.Newest()}
	}

	l := &load{t: t, begun: map[string]bool{}, ended: map[string]topic.Result{}}
	random := rand.New(rand.NewPCG(5, 5))
	var traces bytes.Buffer // all that the processes said and recorded
	ears := func(d *child) {
		d.log.mu.Lock()
		traces.Write(d.log.text.Bytes())
		d.log.mu.Unlock()
		b, err := os.ReadFile(filepath.Join(dir, "lines.pcapng"))
		require.NoError(t, err)
		traces.Write(b)
	}
	died := 0
	for n := 0; n <= kills; n++ {
		d := spawn(t, nil, "--config", file)
		d.wait("online")
		remote := dial(t, d)
		if len(l.commands) == 0 {
			l.commands = commands(t, remote, homes, images)
		}
		if n == kills {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
			l.send(ctx, remote)
			l.mend(ctx, t, remote)
			cancel()
			l.finish(t, remote)
			remote.Close()
			code, _ := d.stop(syscall.SIGTERM)
			require.Equal(t, exitOK, code)
			ears(d)
			break
		}
		ctx, cancel := context.WithCancel(t.Context())
		var sending sync.WaitGroup
		sending.Go(func() { l.send(ctx, remote) })
		time.Sleep(time.Duration(random.IntN(1500)) * time.Millisecond) // where it stands then is anybody's guess
		how := os.Signal(syscall.SIGKILL)
		if n == kills/2 {
			how = syscall.SIGQUIT // it dies of it, and says where each goroutine was
		}
		d.stop(how)
		died++
		cancel()
		sending.Wait()
		remote.Close()
		ears(d)
	}

	for id := range l.begun {
		require.Contains(t, l.ended, id, "acknowledged")
	}
	for _, c := range l.commands {
		r := l.ended[c.ID]
		require.Equal(t, topic.StatusDone, r.Status, "%s: %s %s", c.ID, r.Code, r.Message)
	}
	for _, r := range l.ended {
		b, err := json.Marshal(r)
		require.NoError(t, err)
		traces.Write(b)
	}
	activations, keys := l.inside(t, state)
	require.Equal(t, 2*homes, activations, "each new image confirmed itself once")
	for _, k := range keys {
		require.False(t, found(traces.Bytes(), k), "a key (%s) is in the logs, results or captures", k.Fingerprint())
	}
	t.Logf("%d kills of %d homes; %d commands acknowledged before a kill, %d results; %d activations; %d keys looked for in %d octets",
		died, homes, len(l.begun), len(l.ended), activations, len(keys), traces.Len())
}

// commands is what is asked: two upgrades and a take-over for each home.
func commands(t *testing.T, r *engine.Remote, homes int, images map[topic.Device]topic.FirmwareUpgradeArgs) []topic.Command {
	t.Helper()
	var all []topic.Command
	n := 0
	for after := ""; ; {
		var page topic.ListResult
		cmd, err := topic.NewCommand("list"+after, wire.EUI64{}, topic.FleetList, topic.PageArgs{After: after})
		require.NoError(t, err)
		res, err := r.Call(t.Context(), cmd, nil)
		require.NoError(t, err)
		require.NoError(t, res.Decode(&page))
		for _, h := range page.Hubs {
			n++
			for _, x := range []struct {
				verb   topic.Verb
				device topic.Device
				args   any
			}{
				{topic.FirmwareUpgrade, "chf", images["chf"]},
				{topic.FirmwareUpgrade, "esme", images["esme"]},
				{topic.KeysTakeover, "", topic.KeysTakeoverArgs{Owner: "S1SP"}},
			} {
				cmd, err := topic.NewCommand(fmt.Sprintf("%s/%s/%s", x.verb, h.Hub, x.device), h.Hub, x.verb, x.args)
				require.NoError(t, err)
				cmd.Device = x.device
				all = append(all, cmd)
			}
		}
		if after = page.Next; after == "" {
			require.Equal(t, homes, n)
			return all
		}
	}
}

// mend gives what failed for a reason that may go away a new command: on a machine
// that is busy a device's window for new keys may pass, and it keeps the old ones.
func (l *load) mend(ctx context.Context, t *testing.T, r *engine.Remote) {
	t.Helper()
	for round := range 5 {
		failed := 0
		for i := range l.commands {
			c := &l.commands[i]
			res, ok := l.ended[c.ID]
			require.True(t, ok, "%s has no result", c.ID)
			if res.Status == topic.StatusDone {
				continue
			}
			require.True(t, res.Code.Retryable(), "%s: %s %s", c.ID, res.Code, res.Message)
			failed++
			c.ID = fmt.Sprintf("%s/again%d", c.ID, round)
		}
		if failed == 0 {
			return
		}
		t.Logf("%d commands are given again", failed)
		l.send(ctx, r)
	}
}

// finish gives every command once more, and tries the keys of every home.
func (l *load) finish(t *testing.T, r *engine.Remote) {
	t.Helper()
	for _, c := range l.commands {
		res, err := r.Call(t.Context(), c, nil)
		require.NoError(t, err)
		require.True(t, res.Duplicate, "%s was run again", c.ID)
		require.JSONEq(t, string(l.ended[c.ID].Result), string(res.Result), "%s has one result", c.ID)
	}
	for i := 0; i < len(l.commands); i += 3 {
		cmd, err := topic.NewCommand("prove/"+l.commands[i].Hub.String(), l.commands[i].Hub, topic.KeysProve, nil)
		require.NoError(t, err)
		res, err := r.Call(t.Context(), cmd, nil)
		require.NoError(t, err)
		var k topic.KeysResult
		require.NoError(t, res.Decode(&k))
		require.Len(t, k.Devices, 2)
		for _, d := range k.Devices {
			require.Equal(t, topic.CodeOK, d.Code, "%s %s", d.EUI, d.Message)
			require.Equal(t, "current", d.Set)
			require.Equal(t, "S1SP", d.Owner)
			require.True(t, d.OldRefused)
		}
	}
}

// inside looks into the folder of a daemon that has stopped: how often images
// confirmed themselves, by the devices' own security logs, and every key there is.
func (l *load) inside(t *testing.T, state string) (activations int, keys []security.Key) {
	t.Helper()
	st, err := lab.OpenState(t.Context(), state, lab.Root{}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer func() { require.NoError(t, st.Close()) }()
	b, err := st.Store.Bucket(t.Context(), "fleet", store.Options{})
	require.NoError(t, err)
	records, err := b.List(t.Context(), "")
	require.NoError(t, err)
	for _, r := range records {
		if _, err := wire.ParseEUI64(r.Key); err != nil {
			continue // a block of an image
		}
		n := 0
		require.NoError(t, core.ParseRecord(r.Value, func(s core.Section, body *wire.Reader) bool {
			for s == core.SectionSecurity && body.Err() == nil && body.Len() > 0 {
				body.U64() // when
				if core.Event(body.U16()) == core.EventFirmwareActivated {
					n++
				}
			}
			body.Rest()
			return true
		}))
		require.LessOrEqual(t, n, 1, "%s: a new image was activated %d times", r.Key, n)
		activations += n
	}
	store, err := st.Keys(t.Context())
	require.NoError(t, err)
	all, err := store.List(t.Context())
	require.NoError(t, err)
	keys = append(keys, st.Root)
	for _, d := range all {
		require.Nil(t, d.Pending)
		require.NotNil(t, d.Previous)
		for _, k := range []security.KeySet{d.Current.Keys, d.Previous.Keys} {
			keys = append(keys, k.GUEK, k.GAK, k.KEK)
		}
	}
	return activations, keys
}

// found reports whether a key stands in b, as it is or in a usual spelling.
func found(b []byte, k security.Key) bool {
	raw := k.Reveal()
	text := hex.EncodeToString(raw)
	for _, s := range []string{string(raw), text, strings.ToUpper(text), base64.StdEncoding.EncodeToString(raw), base64.URLEncoding.EncodeToString(raw),
		strings.Trim(strings.ReplaceAll(fmt.Sprint(raw), " ", ","), "[]"), strings.Trim(fmt.Sprint(raw), "[]"), fmt.Sprintf("% x", raw)} {
		if bytes.Contains(b, []byte(s)) {
			return true
		}
	}
	return false
}

// The search finds what it is made to find.
func TestKeysAreFound(t *testing.T) {
	k, err := security.ParseKey("000102030405060708090a0b0c0d0e0f")
	require.NoError(t, err)
	for _, s := range []string{"000102030405060708090a0b0c0d0e0f", "000102030405060708090A0B0C0D0E0F", "AAECAwQFBgcICQoLDA0ODw==", "[0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15]", string(k.Reveal())} {
		require.True(t, found([]byte("log: "+s+"\n"), k), s)
	}
	require.False(t, found([]byte("000102030405060708090a0b0c0d0e"), k))
}
