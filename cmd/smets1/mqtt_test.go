package main

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/cmd/internal/lab"
	"smets1/device/fleet"
	"smets1/firmware"
	"smets1/gateway/broker"
	"smets1/gateway/keystore"
	"smets1/gateway/topic"
	"smets1/internal/wire"
)

// gatewayOf runs a gateway with the home of oneHome, and gives the URL of its
// broker and its hub.
func gatewayOf(t *testing.T) (url string, hub wire.EUI64) {
	t.Helper()
	return gatewayWith(t, oneHome, firmware.NewLibrary())
}

// gatewayWith is gatewayOf with a manifest of one home and a library of images.
func gatewayWith(t *testing.T, manifest string, library *firmware.Library) (url string, hub wire.EUI64) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // it is stopped by the cleanup below, in order
	m, err := fleet.ParseManifest("fleet.yaml", []byte(manifest))
	require.NoError(t, err)
	st, err := lab.CreateState(ctx, filepath.Join(t.TempDir(), "state"), lab.Root{}, broker.Config{Listen: "127.0.0.1:0"})
	require.NoError(t, err)
	c, err := lab.OpenClock(ctx, st.Store, m.StartTime(), 60)
	require.NoError(t, err)
	f, err := fleet.Open(ctx, m, fleet.Options{Clock: c, Listen: true, Port: -1})
	require.NoError(t, err)
	g, err := lab.StartGateway(ctx, lab.GatewayConfig{
		Broker: st.Broker.URL(), Fleet: "lab", Node: "gateway-1", Store: st.Store, Root: st.Root, Clock: c, Library: library,
		Hubs: lab.Hubs(f), Waker: lab.FleetWaker(f), Advance: c.AdvanceTo, Factor: 60,
	}, func(keys *keystore.Store) error { return lab.Handover(ctx, f, keys, "SMSO", c.Now()) })
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, g.Close(ctx))
		require.NoError(t, f.Close())
		c.Close()
		require.NoError(t, st.Close())
	})
	for e := range f.Inventory() {
		hub = e.Devices[0].EUI
	}
	return st.Broker.URL(), hub
}

func TestMQTTAgainstAGateway(t *testing.T) {
	url, hub := gatewayOf(t)
	at := []string{"--broker", url}
	send := func(args ...string) []string { return append(append([]string{"mqtt", "send"}, args...), at...) }

	var who topic.IdentifyResult
	require.NoError(t, json.Unmarshal([]byte(must(t, send(hub.String(), "identify")...)), &who))
	require.Len(t, who.Devices, 3)
	require.Equal(t, hub, who.Devices[0].EUI)

	var r topic.Result
	read := `{"items":[{"class":3,"obis":"1-0:1.8.0.255","attribute":2}]}`
	require.NoError(t, json.Unmarshal([]byte(must(t, send(hub.String(), "read", read, "--device", "esme", "--json", "--id", "script-1")...)), &r))
	require.Equal(t, topic.StatusDone, r.Status)
	require.Equal(t, "script-1", r.ID)
	again := r
	require.NoError(t, json.Unmarshal([]byte(must(t, send(hub.String(), "read", read, "--device", "esme", "--json", "--id", "script-1")...)), &again))
	require.True(t, again.Duplicate)
	require.Equal(t, r.Time, again.Time)

	require.Contains(t, must(t, send("fleet", "list")...), hub.String())
	wait := func(args ...string) []string { return append(append([]string{"mqtt", "wait"}, args...), at...) }
	require.Contains(t, must(t, wait("gateway")...), `"state":"online"`)
	require.Contains(t, must(t, wait(hub.String(), "--state", "ready")...), `"state":"ready"`)
	require.Contains(t, mustNot(t, exitUsage, wait(hub.String())...), "--state or --event")
	require.Equal(t, 1, strings.Count(must(t, append([]string{"jobs", "open"}, at...)...), "\n"), "nothing is open")
	require.Contains(t, must(t, send("fleet", "clock", `{"advance_seconds": 60}`)...), `"virtual": true`)

	// The exit status says how it ended.
	require.Contains(t, mustNot(t, exitUsage, send("00-DB-00-00-00-00-00-00", "identify")...), "rejected, unknown-hub")
	require.Contains(t, mustNot(t, exitUsage, send(hub.String(), "dance", "--unchecked")...), "unknown-verb")
	require.Contains(t, mustNot(t, exitFailed, send(hub.String(), "identify", "--expect", "77")...), "rejected, stale")
	require.Contains(t, mustNot(t, exitUsage, send(hub.String(), "read", read, "--device", "ihd")...), "unknown-device")

	status := must(t, append([]string{"fleet", "status"}, at...)...)
	require.Contains(t, status, "1 hubs")
	require.Contains(t, status, "ready")
	var state topic.HubState
	require.NoError(t, json.Unmarshal([]byte(must(t, append([]string{"fleet", "status", "--json"}, at...)...)), &state))
	require.Equal(t, hub, state.Hub)

	proof := must(t, append([]string{"keys", "check", "--ask"}, at...)...)
	require.Equal(t, 3, strings.Count(proof, "current"))
	require.Contains(t, proof, "all in order")
	require.Equal(t, 3, strings.Count(proof, "match"))
	repair := must(t, append([]string{"keys", "repair"}, at...)...)
	require.Equal(t, 3, strings.Count(repair, "unchanged"))
	mustNot(t, exitFailed, append([]string{"keys", "check", "--ask", "00-DB-00-00-00-00-00-00"}, at...)...)

	// watch shows what the broker keeps, then what comes.
	var line struct {
		Topic    string
		Retained bool
		Payload  topic.BridgeState
	}
	require.NoError(t, json.Unmarshal([]byte(must(t, append([]string{"mqtt", "watch", "--json", "--count", "1", "bridge/+/state"}, at...)...)), &line))
	require.Equal(t, "smets1/v1/lab/bridge/gateway-1/state", line.Topic)
	require.True(t, line.Retained)
	require.Equal(t, topic.Online, line.Payload.State)
	require.Contains(t, must(t, append([]string{"mqtt", "watch", "--count", "1", "--hub", hub.String()}, at...)...), " R hub/"+hub.String()+"/")

	out, _, stop := background(t, append([]string{"mqtt", "watch", "rsp/#", "bridge/+/state"}, at...)...)
	out.until(t, "bridge/gateway-1/state") // it listens
	must(t, send(hub.String(), "han.check", "--client", "seen")...)
	out.until(t, `rsp/seen {"schema":1`)
	require.Equal(t, exitOK, stop())
}

func TestMQTTMistakes(t *testing.T) {
	const hub = "00-DB-12-34-56-78-90-A0"
	for want, args := range map[string][]string{
		"or write fleet":                 {"mqtt", "send", "home", "identify"},
		"there is no verb":               {"mqtt", "send", hub, "identity"},
		"is a verb for the fleet":        {"mqtt", "send", hub, "list"},
		"is a verb for hubs":             {"mqtt", "send", "fleet", "identify"},
		"write a JSON object":            {"mqtt", "send", hub, "read", "[1]"},
		`unknown field "itms"`:           {"mqtt", "send", hub, "read", `{"itms":[]}`},
		"no such file":                   {"mqtt", "send", hub, "read", "@nowhere.json"},
		"--device":                       {"mqtt", "send", hub, "read", "--device", "meter"},
		"--id":                           {"mqtt", "send", hub, "read", "--id", "a b"},
		"accepts between 2 and 3 arg(s)": {"mqtt", "send", hub},
		"--fleet: ":                      {"mqtt", "send", hub, "identify", "--fleet", "Lab"},
		"--client: ":                     {"mqtt", "watch", "--client", "a/b"},
		"credentials by --user":          {"mqtt", "watch", "--broker", "tcp://me:secret@127.0.0.1:1883"},
		"use tcp, ssl, ws or wss":        {"mqtt", "watch", "--broker", "http://127.0.0.1:1883"},
		"--user and --password-file":     {"mqtt", "watch", "--user", "me"},
		"--cert and --key":               {"mqtt", "watch", "--cert", "x"},
		"--hub":                          {"mqtt", "watch", "--hub", "x"},
	} {
		require.Contains(t, mustNot(t, exitUsage, args...), want)
	}
}

// Without a broker both end in the time given, and say what to look at.
func TestMQTTWithoutABroker(t *testing.T) {
	for _, args := range [][]string{{"mqtt", "send", "fleet", "list"}, {"mqtt", "watch"}, {"fleet", "status"}} {
		began := time.Now()
		said := mustNot(t, exitFailed, append(args, "--broker", "tcp://127.0.0.1:1", "--connect-timeout", "200ms")...)
		require.Contains(t, said, "is the broker running")
		require.Less(t, time.Since(began), 10*time.Second)
	}
}

// Every command of ours teaches by example.
func TestHelpHasExamples(t *testing.T) {
	for _, args := range [][]string{
		{"fleet", "init"}, {"fleet", "serve"}, {"fleet", "status"}, {"fleet", "inspect"}, {"fleet", "wake"}, {"fleet", "step"}, {"fleet", "save"}, {"fleet", "load"}, {"fleet", "inventory"}, {"fleet", "handover"},
		{"keys", "import"}, {"keys", "list"}, {"keys", "check"}, {"keys", "export"},
		{"firmware", "inspect"}, {"firmware", "verify"}, {"firmware", "pack"}, {"firmware", "sign"},
		{"mqtt", "send"}, {"mqtt", "watch"}, {"bench"},
	} {
		help := must(t, append(args, "--help")...)
		require.Contains(t, help, "Examples:\n  smets1 "+args[0], args)
	}
	for _, v := range topic.Verbs() {
		require.Contains(t, must(t, "mqtt", "send", "--help"), string(v.Verb))
	}
}
