package topic_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/gateway/topic"
	"smets1/internal/wire"
)

var (
	hub  = wire.MustEUI64("00-DB-12-34-56-78-90-A0")
	tree = func() topic.Tree {
		t, err := topic.NewTree("lab")
		if err != nil {
			panic(err)
		}
		return t
	}()
)

// topics is the table of the package comment.
var topics = map[string]topic.Address{
	"smets1/v1/lab/bridge/n1/state":                                         {Kind: topic.KindBridgeState, Node: "n1"},
	"smets1/v1/lab/bridge/n1/info":                                          {Kind: topic.KindBridgeInfo, Node: "n1"},
	"smets1/v1/lab/bridge/n1/refused":                                       {Kind: topic.KindBridgeRefused, Node: "n1"},
	"smets1/v1/lab/bridge/req/list":                                         {Kind: topic.KindFleetCommand, Verb: topic.FleetList},
	"smets1/v1/lab/hub/00-DB-12-34-56-78-90-A0/state":                       {Kind: topic.KindHubState, Hub: hub},
	"smets1/v1/lab/hub/00-DB-12-34-56-78-90-A0/device/esme/state":           {Kind: topic.KindDeviceState, Hub: hub, Device: topic.ESME},
	"smets1/v1/lab/hub/00-DB-12-34-56-78-90-A0/cmd/clock.read":              {Kind: topic.KindHubCommand, Hub: hub, Verb: topic.ClockRead},
	"smets1/v1/lab/hub/00-DB-12-34-56-78-90-A0/evt/tamper":                  {Kind: topic.KindEvent, Hub: hub, Class: topic.ClassTamper},
	"smets1/v1/lab/hub/00-DB-12-34-56-78-90-A0/tlm/00-DB-12-34-56-78-90-A0": {Kind: topic.KindTelemetry, Hub: hub, Device: topic.DeviceEUI(hub)},
	"smets1/v1/lab/rsp/engine-7":                                            {Kind: topic.KindReply, Client: "engine-7"},
}

func TestTopics(t *testing.T) {
	for s, want := range topics {
		got, err := tree.Parse(s)
		require.NoError(t, err, s)
		require.Equal(t, want, got, s)
		require.Equal(t, s, build(got))
	}
	require.Equal(t, "smets1/v1/lab/hub/+/cmd/+", tree.HubCommands())
	require.Equal(t, "smets1/v1/lab/bridge/req/+", tree.FleetCommands())
	require.Equal(t, "smets1/v1/lab/hub/+/device/+/state", tree.DeviceStates())
	e, ok := topic.DeviceEUI(hub).EUI()
	require.True(t, ok)
	require.Equal(t, hub, e)
	_, ok = topic.ESME.EUI()
	require.False(t, ok)
}

// build is Parse the other way.
func build(a topic.Address) string {
	switch a.Kind {
	case topic.KindBridgeState:
		return tree.BridgeState(a.Node)
	case topic.KindBridgeInfo:
		return tree.BridgeInfo(a.Node)
	case topic.KindBridgeRefused:
		return tree.BridgeRefused(a.Node)
	case topic.KindFleetCommand:
		return tree.FleetCommand(a.Verb)
	case topic.KindHubState:
		return tree.HubState(a.Hub)
	case topic.KindDeviceState:
		return tree.DeviceState(a.Hub, a.Device)
	case topic.KindHubCommand:
		return tree.HubCommand(a.Hub, a.Verb)
	case topic.KindEvent:
		return tree.Event(a.Hub, a.Class)
	case topic.KindTelemetry:
		return tree.Telemetry(a.Hub, a.Device)
	case topic.KindReply:
		return tree.Reply(a.Client)
	}
	return ""
}

func TestTopicsThatAreNone(t *testing.T) {
	for _, s := range []string{
		"", "/", "smets1", "smets1/v1/lab", "smets1/v1/lab/", "smets1/v2/lab/rsp/a", "smets1/v1/other/rsp/a", "smets1/v1/lab/rsp", "smets1/v1/lab/rsp/",
		"smets1/v1/lab/rsp/a/b", "smets1/v1/lab/rsp/+", "smets1/v1/lab/rsp/#", "smets1/v1/lab/rsp/a b", "smets1/v1/lab/rsp/é", "smets1/v1/lab/rsp/..",
		"smets1/v1/lab/rsp/a\x00", "smets1/v1/lab/rsp/" + strings.Repeat("a", topic.MaxClient+1), "smets1/v1/lab/bridge/n1", "smets1/v1/lab/bridge/n1/secret",
		"smets1/v1/lab/bridge/N1/state", "smets1/v1/lab/bridge//state", "smets1/v1/lab/hub/+/state", "smets1/v1/lab/hub/00-db-12-34-56-78-90-a0/state",
		"smets1/v1/lab/hub/00-DB-12-34-56-78-90-A0", "smets1/v1/lab/hub/00-DB-12-34-56-78-90-A0/", "smets1/v1/lab/hub/00-DB-12-34-56-78-90-A0/state/",
		"smets1/v1/lab/hub/00-DB-12-34-56-78-90-A0/cmd", "smets1/v1/lab/hub/00-DB-12-34-56-78-90-A0/tlm/kettle", "smets1/v1/lab/hub/00-DB-12-34-56-78-90-A0/evt/A",
		"smets1/v1/lab/hub/00-DB-12-34-56-78-90-A0/device/esme", "smets1/v1/lab/hub/00-DB-12-34-56-78-90-A0/device//state",
		"smets1/v1/lab/hub/00-DB-12-34-56-78-90-A0/cmd/wake/now", strings.Repeat("smets1/", 200), "$SYS/broker", "SMETS1/v1/lab/rsp/a",
	} {
		_, err := tree.Parse(s)
		code, msg := topic.CodeOf(err)
		require.Equal(t, topic.CodeBadTopic, code, s)
		require.NotEmpty(t, msg.Where)
		require.Less(t, len(err.Error()), 600)
	}
	for _, verb := range []string{"", "Wake", "wake up", "..", ".wake", "wake.", "a..b", "-a", "+", "#", strings.Repeat("v", topic.MaxVerb+1)} {
		a, err := tree.Parse("smets1/v1/lab/hub/00-DB-12-34-56-78-90-A0/cmd/" + verb)
		code, _ := topic.CodeOf(err)
		require.Equal(t, topic.CodeUnknownVerb, code, verb)
		require.Equal(t, hub, a.Hub, "who should hear of it")
	}
	for _, fleet := range []string{"", "Lab", "a/b", "+", "-a", strings.Repeat("f", topic.MaxFleet+1)} {
		_, err := topic.NewTree(fleet)
		require.Error(t, err, fleet)
	}
	require.Error(t, topic.CheckNode("req"))
}

func FuzzTopic(f *testing.F) {
	for s := range topics {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := tree.Parse(s)
		if err != nil {
			code, _ := topic.CodeOf(err)
			require.Contains(t, []topic.Code{topic.CodeBadTopic, topic.CodeUnknownVerb}, code)
			return
		}
		require.Equal(t, s, build(a), "one topic has one form")
	})
}
