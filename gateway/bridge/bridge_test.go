package bridge_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/gateway/bridge"
	"smets1/gateway/job"
	"smets1/gateway/topic"
	"smets1/internal/store"
	"smets1/internal/wire"
)

// otherBroker, if set, starts a broker that stands in for the embedded one.
var otherBroker func(testing.TB) string

func brokerURL(t *testing.T) string {
	t.Helper()
	if otherBroker != nil {
		return otherBroker(t)
	}
	return startBroker(t, t.TempDir(), "127.0.0.1:0").URL()
}

func TestBirthStatesAndFarewell(t *testing.T) {
	url := brokerURL(t)
	hubs := &homes{hubs: []bridge.Snapshot{home(hubA), home(hubB)}}
	g := startGateway(t, setup{url: url, hubs: hubs})
	// Someone who comes later and asks knows all there is to know.
	c := newClient(t, url, "late", tree.Root()+"/#")
	c.command(command("tell", wire.EUI64{}, topic.FleetRebirth, nil))
	want := map[string]bool{}
	for _, at := range []string{tree.BridgeState("n1"), tree.BridgeInfo("n1"), tree.HubState(hubA), tree.HubState(hubB), tree.DeviceState(hubA, topic.ESME), tree.DeviceState(hubB, topic.ESME)} {
		want[at] = true
	}
	got := map[string]message{}
	c.until("all states", func(m message) bool {
		got[m.topic] = m
		delete(want, m.topic)
		return len(want) == 0
	})
	birth := decode[topic.BridgeState](t, got[tree.BridgeState("n1")].payload)
	require.Equal(t, topic.Online, birth.State)
	require.Equal(t, g.Stats().Session, birth.Session)
	require.Equal(t, 2, birth.Hubs)
	info, err := topic.ParseBridgeInfo(got[tree.BridgeInfo("n1")].payload, topic.Limits{})
	require.NoError(t, err)
	require.Contains(t, info.Verbs, topic.KeysTakeover)
	require.NotContains(t, info.Verbs, topic.HubRepoint, "it has no handler")
	require.Equal(t, []topic.Verb{topic.FleetList, topic.FleetSnapshot, topic.FleetRebirth, topic.FleetClock, topic.FleetCampaign, topic.FleetJobs, topic.FleetCancel, topic.FleetResolve}, info.FleetVerbs)
	require.Equal(t, 64, info.MaxPerHub)
	require.NotEmpty(t, info.Codes)
	hub, err := topic.ParseHubState(got[tree.HubState(hubA)].payload, topic.Limits{})
	require.NoError(t, err)
	require.Equal(t, birth.Session, hub.Session)
	require.NotZero(t, hub.Sequence)
	require.Equal(t, "1.0", hub.Firmware)

	hubs.set(hubA, topic.Alert)
	g.HubChanged(hubA)
	alert := decode[topic.HubState](t, c.until("the alert", func(m message) bool {
		return m.topic == tree.HubState(hubA) && strings.Contains(string(m.payload), "alert")
	}).payload)
	require.Greater(t, alert.Sequence, hub.Sequence)
	g.Event(topic.Event{Hub: hubA, Class: topic.ClassTamper, Text: "cover open"})
	event, err := topic.ParseEvent(c.on(tree.Event(hubA, topic.ClassTamper)).payload, topic.Limits{})
	require.NoError(t, err)
	require.Greater(t, event.Sequence, alert.Sequence)
	g.Telemetry(topic.Telemetry{Hub: hubA, Device: topic.ESME, Readings: []topic.Reading{{Name: "1-0:1.8.0", Value: "5", Unit: "Wh"}}})
	tlm, err := topic.ParseTelemetry(c.on(tree.Telemetry(hubA, topic.ESME)).payload, topic.Limits{})
	require.NoError(t, err)
	require.Equal(t, "5", tlm.Readings[0].Value)
	g.HubGone(hubB, topic.ESME)
	for _, at := range []string{tree.HubState(hubB), tree.DeviceState(hubB, topic.ESME)} {
		c.until("the removal of "+at, func(m message) bool { return m.topic == at && len(m.payload) == 0 })
	}

	g.stop()
	bye := decode[topic.BridgeState](t, c.on(tree.BridgeState("n1")).payload)
	require.Equal(t, topic.Offline, bye.State)
	require.True(t, bye.Supersedes(birth))
	require.False(t, bye.Time.IsZero(), "it said so itself")
}

func TestCommandsAndTheirResults(t *testing.T) {
	url := brokerURL(t)
	ran := make(chan string, 100)
	gate := make(chan struct{})
	startGateway(t, setup{url: url, handle: func(ctx context.Context, task *job.Task) (any, error) {
		ran <- task.ID
		if task.Verb == topic.FirmwareUpgrade {
			task.Progress(topic.Progress{Step: "blocks", Done: 1, Total: 2})
			<-gate
			return topic.FirmwareUpgradeResult{To: "2.0"}, nil
		}
		if task.Verb == topic.KeysProve {
			return nil, topic.NewError(topic.CodeHANSilent, "silent", "gas meter", "wait for its wake-up")
		}
		if task.Verb == topic.FleetClock {
			return topic.FleetClockResult{}, nil
		}
		return topic.WakeResult{Attempts: 1}, nil
	}})
	c := newClient(t, url, "engine", tree.Reply("test"))
	c.command(command("one", hubA, topic.Wake, topic.WakeArgs{}))
	r := c.result("one")
	require.Equal(t, topic.StatusDone, r.Status)
	require.Equal(t, hubA, r.Hub)
	require.Equal(t, topic.Wake, r.Verb)
	var wake topic.WakeResult
	require.NoError(t, r.Decode(&wake))
	require.Equal(t, 1, wake.Attempts)

	c.command(command("one", hubA, topic.Wake, topic.WakeArgs{}))
	again := c.result("one")
	require.True(t, again.Duplicate)
	require.JSONEq(t, string(r.Result), string(again.Result))
	c.command(command("one", hubB, topic.Wake, nil))
	require.Equal(t, topic.CodeIDReused, c.result("one").Code)

	c.command(command("prove", hubA, topic.KeysProve, nil))
	r = c.result("prove")
	require.Equal(t, topic.StatusFailed, r.Status)
	require.Equal(t, topic.CodeHANSilent, r.Code)
	require.True(t, r.Retryable)
	require.Equal(t, topic.Message{What: "silent", Where: "gas meter", Do: "wait for its wake-up"}, r.Message)

	c.command(command("fw", hubA, topic.FirmwareUpgrade, topic.FirmwareUpgradeArgs{Image: "aa", Version: "2.0"}))
	progress := decode[topic.Result](t, c.until("progress", func(m message) bool { return strings.Contains(string(m.payload), `"running"`) }).payload)
	require.Equal(t, &topic.Progress{Step: "blocks", Done: 1, Total: 2}, progress.Progress)
	c.command(command("behind", hubA, topic.Wake, nil))
	accepted := decode[topic.Result](t, c.until("acceptance", func(m message) bool { return strings.Contains(string(m.payload), `"behind"`) }).payload)
	require.Equal(t, topic.StatusAccepted, accepted.Status)
	close(gate)
	require.Equal(t, topic.StatusDone, c.result("fw").Status)
	require.Equal(t, topic.StatusDone, c.result("behind").Status)

	c.command(command("fleet", wire.EUI64{}, topic.FleetClock, topic.FleetClockArgs{AdvanceSeconds: 5}))
	require.Equal(t, topic.StatusDone, c.result("fleet").Status)
	close(ran)
	var order []string
	for id := range ran {
		order = append(order, id)
	}
	require.Equal(t, []string{"one", "prove", "fw", "behind", "fleet"}, order, "each once")
}

// TestHostile sends what should not be sent. Each gets its code where it can be heard, and none runs.
func TestHostile(t *testing.T) {
	url := brokerURL(t)
	startGateway(t, setup{url: url, handle: func(_ context.Context, task *job.Task) (any, error) {
		if task.ID != "end" {
			t.Errorf("%s of %s ran", task.Verb, task.ID)
		}
		return nil, nil
	}})
	c := newClient(t, url, "stranger", tree.Reply("test"), tree.Refusals(), tree.Events())
	root, good := tree.Root(), tree.HubCommand(hubA, topic.Wake)
	to := func(id string, more string) string {
		return fmt.Sprintf(`{"schema":1,"id":%q,"reply":%q%s}`, id, tree.Reply("test"), more)
	}
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	type where int
	const (
		reply where = iota
		event
		refused
	)
	for i, test := range []struct {
		topic, payload string
		code           topic.Code
		where          where
	}{
		{good, ``, topic.CodeBadJSON, event},
		{good, `{`, topic.CodeBadJSON, event},
		{good, `null`, topic.CodeBadJSON, event},
		{good, `[]`, topic.CodeBadJSON, event},
		{good, `"id"`, topic.CodeBadJSON, event},
		{good, `{}`, topic.CodeBadID, event},
		{good, "\x00\x01\x02", topic.CodeBadJSON, event},
		{good, "{\"id\":\"\xff\"}", topic.CodeBadJSON, event},
		{good, `{"id":"a"}{"id":"b"}`, topic.CodeBadJSON, event},
		{good, `{"id":"a",}`, topic.CodeBadJSON, event},
		{good, `{"id":5}`, topic.CodeBadJSON, event},
		{good, `{"id":null,"reply":null}`, topic.CodeBadID, event},
		{good, fmt.Sprintf(`{"id":5,"reply":%q}`, tree.Reply("test")), topic.CodeBadJSON, reply},
		{good, to("", ``), topic.CodeBadID, reply},
		{good, to("a b", ``), topic.CodeBadID, reply},
		{good, to("é", ``), topic.CodeBadID, reply},
		{good, to("#", ``), topic.CodeBadID, reply},
		{good, to(strings.Repeat("i", topic.MaxID+1), ``), topic.CodeBadID, reply},
		{good, to("deadline", `,"deadline":"yesterday"`), topic.CodeBadJSON, reply},
		{good, to("deadline", `,"deadline":1e99`), topic.CodeBadJSON, reply},
		{good, to("old", `,"deadline":"2019-04-07T18:25:03Z"`), topic.CodeExpired, reply},
		{good, to("expect", `,"expect":-1`), topic.CodeBadJSON, reply},
		{good, to("expect", `,"expect":1.5`), topic.CodeBadJSON, reply},
		{good, to("expect", `,"expect":18446744073709551616`), topic.CodeBadJSON, reply},
		{good, to("device", `,"device":"kettle"`), topic.CodeBadJSON, reply},
		{good, to("device", `,"device":"../esme"`), topic.CodeBadJSON, reply},
		{good, to("device", `,"device":["esme"]`), topic.CodeBadJSON, reply},
		{good, to("args", `,"args":[]`), topic.CodeBadArgs, reply},
		{good, to("args", `,"args":"x"`), topic.CodeBadArgs, reply},
		{good, to("args", `,"args":{"timeout_seconds":"long"}`), topic.CodeBadArgs, reply},
		{good, to("schema", `,"schema":2`), topic.CodeBadSchema, reply},
		{good, to("schema", `,"schema":"1"`), topic.CodeBadJSON, reply},
		{good, to("deep", `,"args":{"x":`+deep(30)+`}`), topic.CodeTooBig, reply},
		{good, to("deep", `,"more":`+deep(9000)), topic.CodeTooBig, reply},
		{good, deep(20000), topic.CodeTooBig, event},
		{good, to("big", `,"args":{"x":"`+strings.Repeat("x", 70<<10)+`"}`), topic.CodeTooBig, reply},
		{good, strings.Repeat(" ", 200<<10), topic.CodeTooBig, event},
		{good, `{"id":"r","reply":"` + root + `/rsp/+"}`, topic.CodeBadReply, event},
		{good, `{"id":"r","reply":"` + root + `/rsp/#"}`, topic.CodeBadReply, event},
		{good, `{"id":"r","reply":"` + root + `/rsp/a/b"}`, topic.CodeBadReply, event},
		{good, `{"id":"r","reply":"` + root + `/rsp/"}`, topic.CodeBadReply, event},
		{good, `{"id":"r","reply":"` + root + `/rsp/../hub"}`, topic.CodeBadReply, event},
		{good, `{"id":"r","reply":"smets1/v1/other/rsp/a"}`, topic.CodeBadReply, event},
		{good, `{"id":"r","reply":"` + tree.HubState(hubA) + `"}`, topic.CodeBadReply, event},
		{good, `{"id":"r","reply":"` + good + `"}`, topic.CodeBadReply, event},
		{good, `{"id":"r","reply":"$SYS/x"}`, topic.CodeBadReply, event},
		{good, `{"id":"r","reply":7}`, topic.CodeBadJSON, event},
		{tree.HubCommand(nowhere, topic.Wake), to("nowhere", ``), topic.CodeUnknownHub, reply},
		{tree.HubCommand(nowhere, topic.Wake), `{"id":"nowhere"}`, topic.CodeUnknownHub, refused},
		{tree.HubCommand(nowhere, topic.Wake), `{`, topic.CodeBadJSON, refused},
		{tree.HubCommand(hubA, "explode"), to("verb", ``), topic.CodeUnknownVerb, reply},
		{tree.HubCommand(hubA, "explode"), `{"id":"verb"}`, topic.CodeUnknownVerb, event},
		{tree.HubCommand(hubA, "Wake"), to("verb", ``), topic.CodeUnknownVerb, reply},
		{tree.HubCommand(hubA, "wake!"), to("verb", ``), topic.CodeUnknownVerb, reply},
		{tree.HubCommand(hubA, ".."), to("verb", ``), topic.CodeUnknownVerb, reply},
		{tree.HubCommand(hubA, ""), to("verb", ``), topic.CodeUnknownVerb, reply},
		{tree.HubCommand(hubA, topic.Verb(strings.Repeat("v", 99))), to("verb", ``), topic.CodeUnknownVerb, reply},
		{tree.HubCommand(hubA, topic.FleetClock), to("verb", ``), topic.CodeUnknownVerb, reply},
		{tree.HubCommand(hubA, topic.FleetList), to("verb", ``), topic.CodeUnknownVerb, reply},
		{tree.HubCommand(hubA, topic.HubRepoint), to("verb", ``), topic.CodeNotSupported, reply},
		{tree.FleetCommand(topic.Wake), to("verb", ``), topic.CodeUnknownVerb, reply},
		{tree.FleetCommand("explode"), to("verb", ``), topic.CodeUnknownVerb, reply},
		{tree.FleetCommand("explode"), `{"id":"verb"}`, topic.CodeUnknownVerb, refused},
		{tree.FleetCommand(topic.FleetList), to("page", `,"args":{"after":"x"}`), topic.CodeBadArgs, reply},
		{tree.FleetCommand(topic.FleetList), to("page", `,"args":{"limit":-1}`), topic.CodeBadArgs, reply},
		{tree.FleetCommand(topic.FleetList), to("page", `,"args":{"limit":"all"}`), topic.CodeBadArgs, reply},
		{tree.FleetCommand(topic.FleetRebirth), to("page", `,"args":7`), topic.CodeBadArgs, reply},
		{tree.FleetCommand(topic.FleetList), to("page", `,"deadline":"2019-04-07T18:25:03Z"`), topic.CodeExpired, reply},
		{root + "/hub/00-db-12-34-56-78-90-a0/cmd/wake", to("topic", ``), topic.CodeBadTopic, reply},
		{root + "/hub/00DB1234567890A0/cmd/wake", to("topic", ``), topic.CodeBadTopic, reply},
		{root + "/hub/../cmd/wake", to("topic", ``), topic.CodeBadTopic, reply},
		{root + "/hub/" + hubA.String() + "%00/cmd/wake", `{"id":"x"}`, topic.CodeBadTopic, refused},
		{good + "/now", to("topic", ``), topic.CodeBadTopic, reply},
		{good + "/", to("topic", ``), topic.CodeBadTopic, reply},
		{root + "/hub/" + hubA.String() + "/cmd", to("topic", ``), topic.CodeBadTopic, reply},
		{good + "/" + strings.Repeat("x/", 110), `{"id":"x"}`, topic.CodeBadTopic, refused},
		{root + "/bridge/req/list/all", to("topic", ``), topic.CodeBadTopic, reply},
	} {
		c.send(test.topic, []byte(test.payload), false)
		m := c.until(fmt.Sprintf("the answer to %d: %.80s %.120s", i, test.topic, test.payload), func(message) bool { return true })
		payload := m.payload
		switch test.where {
		case reply:
			require.Equal(t, tree.Reply("test"), m.topic, "case %d", i)
		case event:
			require.Equal(t, tree.Event(hubA, topic.ClassRefused), m.topic, "case %d: %.200s", i, test.payload)
			payload = decode[topic.Event](t, payload).Data
		case refused:
			require.Equal(t, tree.BridgeRefused("n1"), m.topic, "case %d", i)
		}
		r, err := topic.ParseResult(payload, topic.Limits{})
		require.NoError(t, err, "case %d: %s", i, payload)
		require.Equal(t, test.code, r.Code, "case %d: %.80s %.200s: %s", i, test.topic, test.payload, r.Message)
		require.Equal(t, topic.StatusRejected, r.Status, "case %d", i)
		require.NotEmpty(t, r.Message.What, "case %d", i)
		require.NotEmpty(t, r.Message.Do, "case %d", i)
		require.Less(t, len(m.payload), 2048, "case %d: a refusal does not repeat what it refuses", i)
	}
	c.command(command("end", hubA, topic.Wake, nil))
	require.Equal(t, topic.StatusDone, c.result("end").Status, "and it still works")
}

func TestRetainedCommandIsRefusedAndRemoved(t *testing.T) {
	url := brokerURL(t)
	c := newClient(t, url, "careless", tree.Reply("test"))
	cmd := command("kept", hubA, topic.KeysTakeover, topic.KeysTakeoverArgs{Owner: "x"})
	payload, err := cmd.Marshal()
	require.NoError(t, err)
	c.send(cmd.Topic(tree), payload, true)
	startGateway(t, setup{url: url, handle: func(_ context.Context, task *job.Task) (any, error) {
		if task.ID == "kept" {
			t.Error("it ran")
		}
		return nil, nil
	}})
	require.Equal(t, topic.CodeRetained, c.result("kept").Code)
	// Once this one has run, the empty message that removes the other has come back and was not taken for a command.
	c.command(command("after", hubA, topic.Wake, nil))
	require.Equal(t, topic.StatusDone, c.result("after").Status)
	late := newClient(t, url, "late", tree.HubCommands(), tree.BridgeInfo("n1"))
	m := late.on(tree.BridgeInfo("n1"))
	require.True(t, m.retained)
	late.command(command("live", hubA, topic.Wake, nil))
	for {
		m := late.until("the live command", func(message) bool { return true })
		require.False(t, m.retained, "nothing is left of it: %s", m.payload)
		if strings.Contains(string(m.payload), "live") {
			return
		}
	}
}

func TestPagesAndRebirth(t *testing.T) {
	url := brokerURL(t)
	const n = 25
	startGateway(t, setup{url: url, hubs: manyHomes(n), tune: func(c *bridge.Config) { c.PageLimit = 10; c.RetainedHubs = -1 }})
	c := newClient(t, url, "console", tree.Reply("test"), tree.HubStates(), tree.BridgeStates())
	seen := map[wire.EUI64]bool{}
	after, pages := "", 0
	for {
		pages++
		c.command(command(fmt.Sprint("snap", pages), wire.EUI64{}, topic.FleetSnapshot, topic.PageArgs{After: after}))
		var page topic.SnapshotResult
		require.NoError(t, c.result(fmt.Sprint("snap", pages)).Decode(&page))
		require.Equal(t, n, page.Total)
		require.Equal(t, len(page.Hubs), len(page.Devices))
		require.NotEmpty(t, page.Session)
		for _, h := range page.Hubs {
			require.False(t, seen[h.Hub])
			seen[h.Hub] = true
			require.Equal(t, page.Session, h.Session)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	require.Equal(t, 3, pages)
	require.Len(t, seen, n)
	c.command(command("list", wire.EUI64{}, topic.FleetList, topic.PageArgs{After: hubNumber(22).String(), Limit: 5}))
	var list topic.ListResult
	require.NoError(t, c.result("list").Decode(&list))
	require.Equal(t, []topic.HubSummary{{Hub: hubNumber(23), State: topic.Ready}, {Hub: hubNumber(24), State: topic.Ready}}, list.Hubs)
	require.Empty(t, list.Next)

	c.command(command("again", wire.EUI64{}, topic.FleetRebirth, nil))
	var birth topic.BridgeState
	answered := false
	c.until("a second birth", func(m message) bool {
		require.NotContains(t, m.topic, "/hub/", "the fleet is above the limit: no states by topic")
		answered = answered || m.topic == tree.Reply("test")
		return m.topic == tree.BridgeState("n1") && json.Unmarshal(m.payload, &birth) == nil && birth.Sequence > 0
	})
	require.Equal(t, topic.Online, birth.State)
	require.NotZero(t, birth.Sequence, "it is the same session")
	require.Equal(t, n, birth.Hubs)
	if !answered {
		require.Equal(t, topic.StatusDone, c.result("again").Status)
	}
}

func TestFleetOutgrowsRetention(t *testing.T) {
	url := brokerURL(t)
	s := store.Memory()
	small := func(c *bridge.Config) { c.RetainedHubs = 3; c.PageLimit = 2 }
	c := newClient(t, url, "watcher", tree.HubStates(), tree.DeviceStates())
	first := startGateway(t, setup{url: url, store: s, hubs: manyHomes(3), tune: small})
	for range 6 {
		c.until("a state", func(message) bool { return true })
	}
	first.stop()
	late := newClient(t, url, "late", tree.HubStates(), tree.DeviceStates())
	for range 6 {
		require.True(t, late.until("a retained state", func(message) bool { return true }).retained)
	}
	startGateway(t, setup{url: url, store: s, hubs: manyHomes(4), tune: small})
	gone := map[string]bool{}
	c.until("all of them to go", func(m message) bool {
		require.Empty(t, m.payload)
		gone[m.topic] = true
		return len(gone) == 8
	})
}

func TestALateWillIsRecognised(t *testing.T) {
	url := brokerURL(t)
	cable := newProxy(t, url)
	c := newClient(t, url, "watcher", tree.BridgeStates())
	startGateway(t, setup{url: cable.url()})
	born := decode[topic.BridgeState](t, c.on(tree.BridgeState("n1")).payload)
	// The broker may tell the will before or after the next birth.
	cable.cut()
	var will, again topic.BridgeState
	known := born
	c.until("will and birth", func(m message) bool {
		s := decode[topic.BridgeState](t, m.payload)
		if s.Supersedes(known) {
			known = s
		}
		if s.State == topic.Offline && s.Session == born.Session {
			will = s
		}
		if s.State == topic.Online && s.Session > born.Session {
			again = s
		}
		return will.Session != "" && again.Session != ""
	})
	require.True(t, will.Supersedes(born))
	require.True(t, again.Supersedes(will))
	require.False(t, will.Supersedes(again), "a will that comes late is not believed")
	require.Equal(t, again, known, "whatever the order")
}

// TestBrokerRestarts kills the broker again and again under commands. Every command has one outcome and ran once.
func TestBrokerRestarts(t *testing.T) {
	const commands, rounds = 120, 3
	dir := t.TempDir()
	b := startBroker(t, dir, "127.0.0.1:0")
	url, listen := b.URL(), b.Addr().String()
	var mu sync.Mutex
	ran := map[string]int{}
	done := make(chan struct{}, commands)
	g := startGateway(t, setup{url: url, hubs: manyHomes(10), handle: func(_ context.Context, task *job.Task) (any, error) {
		mu.Lock()
		defer mu.Unlock()
		ran[task.ID]++
		done <- struct{}{}
		return nil, nil
	}})
	for round := range rounds {
		c := newClient(t, url, fmt.Sprint("engine", round), tree.Reply("test"))
		for i := range commands / rounds {
			c.command(command(fmt.Sprintf("c/%d/%d", round, i), hubNumber(i%10), topic.KeysTakeover, topic.KeysTakeoverArgs{Owner: "new"}))
			if i == commands/rounds/2 {
				require.NoError(t, b.Close())
				b = startBroker(t, dir, listen)
				c.Disconnect(0)
				c = newClient(t, url, fmt.Sprintf("engine%d-again", round), tree.Reply("test"))
			}
		}
		// The engine sends again what it has no answer to, with the same ids.
		open := map[string]bool{}
		for i := range commands / rounds {
			id := fmt.Sprintf("c/%d/%d", round, i)
			open[id] = true
			c.command(command(id, hubNumber(i%10), topic.KeysTakeover, topic.KeysTakeoverArgs{Owner: "new"}))
		}
		c.until("all results", func(m message) bool {
			r, err := topic.ParseResult(m.payload, topic.Limits{})
			require.NoError(t, err)
			if r.Status.Final() {
				require.Equal(t, topic.StatusDone, r.Status, r.Message)
				delete(open, r.ID)
			}
			return len(open) == 0
		})
		c.Disconnect(0)
	}
	mu.Lock()
	defer mu.Unlock()
	require.Len(t, ran, commands)
	for id, n := range ran {
		require.Equal(t, 1, n, id)
	}
	require.Zero(t, g.Stats().Dropped)
	g.stop() // before the last of the brokers
}

// TestCableIsCut breaks the connection of the gateway under commands, with a client that sends each once: the broker keeps
// them for the gateway, the gateway keeps the results for the broker.
func TestCableIsCut(t *testing.T) {
	const commands = 200
	url := brokerURL(t)
	cable := newProxy(t, url)
	var mu sync.Mutex
	ran := map[string]int{}
	startGateway(t, setup{url: cable.url(), hubs: manyHomes(10), handle: func(_ context.Context, task *job.Task) (any, error) {
		mu.Lock()
		defer mu.Unlock()
		ran[task.ID]++
		return nil, nil
	}})
	c := newClient(t, url, "engine", tree.Reply("test"))
	open := map[string]bool{}
	for i := range commands {
		id := fmt.Sprint("c", i)
		open[id] = true
		c.command(command(id, hubNumber(i%10), topic.ClockSync, nil))
		if i%40 == 20 {
			cable.cut()
		}
	}
	c.until("all results", func(m message) bool {
		r, err := topic.ParseResult(m.payload, topic.Limits{})
		require.NoError(t, err)
		if r.Status.Final() {
			require.Equal(t, topic.StatusDone, r.Status, r.Message)
			delete(open, r.ID)
		}
		return len(open) == 0
	})
	mu.Lock()
	defer mu.Unlock()
	require.Len(t, ran, commands)
	for id, n := range ran {
		require.Equal(t, 1, n, id)
	}
}

// What ended while nobody could be told is told after the restart of the gateway.
func TestResultsOutliveTheGateway(t *testing.T) {
	b := startBroker(t, t.TempDir(), "127.0.0.1:0")
	s, err := b.Store()
	require.NoError(t, err)
	started, release := make(chan struct{}), make(chan struct{})
	g := startGateway(t, setup{url: b.URL(), store: s, handle: func(ctx context.Context, task *job.Task) (any, error) {
		close(started)
		<-release
		return nil, nil
	}})
	c := newClient(t, b.URL(), "engine", tree.Reply("test"))
	c.command(command("x", hubA, topic.KeysTakeover, topic.KeysTakeoverArgs{Owner: "new"}))
	<-started
	require.NoError(t, g.Close(t.Context())) // the connection goes first, as when it is cut for good
	close(release)
	r, err := g.queue.Wait(t.Context(), "x")
	require.NoError(t, err)
	require.Equal(t, topic.StatusDone, r.Status)
	require.NoError(t, g.queue.Close(t.Context()))
	startGateway(t, setup{url: b.URL(), store: s})
	require.Equal(t, topic.StatusDone, c.result("x").Status)
}

func TestConfigIsChecked(t *testing.T) {
	good := bridge.Config{Broker: "tcp://127.0.0.1:1", Fleet: "lab", Node: "n", Queue: &job.Queue{}, Store: store.Memory(), Hubs: &homes{}}
	for name, change := range map[string]func(*bridge.Config){
		"no clock":        func(*bridge.Config) {},
		"node":            func(c *bridge.Config) { c.Node = "a/b" },
		"reserved node":   func(c *bridge.Config) { c.Node = "req" },
		"no URL":          func(c *bridge.Config) { c.Broker = "localhost" },
		"scheme":          func(c *bridge.Config) { c.Broker = "http://localhost:1" },
		"password in URL": func(c *bridge.Config) { c.Broker = "tcp://me:secret@localhost:1" },
	} {
		cfg := good
		change(&cfg)
		_, err := bridge.Start(t.Context(), cfg)
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), "secret")
	}
}
