package topic

import (
	"fmt"
	"strings"

	"smets1/internal/wire"
)

// Prefix is the first part of every topic: product and major version of the contract.
const Prefix = "smets1/v1"

// maxTopic is longer than any topic of the contract.
const maxTopic = 256

// Kind tells what a topic carries.
type Kind uint8

// Kinds of topic; see the table in the package comment.
const (
	KindBridgeState Kind = iota + 1
	KindBridgeInfo
	KindBridgeRefused
	KindFleetCommand
	KindHubState
	KindDeviceState
	KindHubCommand
	KindEvent
	KindTelemetry
	KindReply
	KindManyCommand
)

// Address is a topic taken apart. Only the fields that its Kind has are set.
type Address struct {
	Kind   Kind
	Node   string
	Hub    wire.EUI64
	Device Device
	Verb   Verb
	Class  string
	Client string
}

// Tree builds and parses the topics of one fleet.
type Tree struct{ fleet string }

// NewTree returns the topics of a fleet.
func NewTree(fleet string) (Tree, error) {
	if err := CheckFleet(fleet); err != nil {
		return Tree{}, err
	}
	return Tree{fleet}, nil
}

// Fleet returns the name of the fleet.
func (t Tree) Fleet() string { return t.fleet }

// Root returns smets1/v1/<fleet>.
func (t Tree) Root() string { return Prefix + "/" + t.fleet }

// BridgeState is where a node tells that it lives, and the broker that it does not.
func (t Tree) BridgeState(node string) string { return t.join("bridge", node, "state") }

// BridgeInfo is where a node tells its limits and capabilities.
func (t Tree) BridgeInfo(node string) string { return t.join("bridge", node, "info") }

// BridgeRefused is where a node reports what it refused and could not answer elsewhere.
func (t Tree) BridgeRefused(node string) string { return t.join("bridge", node, "refused") }

// FleetCommand is where a client asks the fleet for something.
func (t Tree) FleetCommand(v Verb) string { return t.join("bridge", "req", string(v)) }

// ManyCommand is where a client asks many hubs for something.
func (t Tree) ManyCommand(v Verb) string { return t.join("bridge", "many", string(v)) }

// HubState is where the state of a hub is kept.
func (t Tree) HubState(hub wire.EUI64) string { return t.join("hub", hub.String(), "state") }

// DeviceState is where the state of a device behind a hub is kept.
func (t Tree) DeviceState(hub wire.EUI64, d Device) string {
	return t.join("hub", hub.String(), "device", string(d), "state")
}

// HubCommand is where a client asks a hub for something.
func (t Tree) HubCommand(hub wire.EUI64, v Verb) string {
	return t.join("hub", hub.String(), "cmd", string(v))
}

// Event is where a hub reports what happened.
func (t Tree) Event(hub wire.EUI64, class string) string {
	return t.join("hub", hub.String(), "evt", class)
}

// Telemetry is where readings of a device are sent.
func (t Tree) Telemetry(hub wire.EUI64, d Device) string {
	return t.join("hub", hub.String(), "tlm", string(d))
}

// Reply is where the results of a client's commands are sent.
func (t Tree) Reply(client string) string { return t.join("rsp", client) }

// HubCommands, FleetCommands, HubStates, DeviceStates, Events, BridgeStates and Refusals are the
// filters to subscribe to.

// HubCommands matches the commands for all hubs.
func (t Tree) HubCommands() string { return t.join("hub", "+", "cmd", "+") }

// FleetCommands matches all requests to the fleet.
func (t Tree) FleetCommands() string { return t.join("bridge", "req", "+") }

// ManyCommands matches the commands for many hubs.
func (t Tree) ManyCommands() string { return t.join("bridge", "many", "+") }

// HubStates matches the states of all hubs.
func (t Tree) HubStates() string { return t.join("hub", "+", "state") }

// DeviceStates matches the states of all devices behind hubs.
func (t Tree) DeviceStates() string { return t.join("hub", "+", "device", "+", "state") }

// Events matches the events of all hubs.
func (t Tree) Events() string { return t.join("hub", "+", "evt", "+") }

// BridgeStates matches the states of all nodes.
func (t Tree) BridgeStates() string { return t.join("bridge", "+", "state") }

// Refusals matches the refusals of all nodes.
func (t Tree) Refusals() string { return t.join("bridge", "+", "refused") }

func (t Tree) join(parts ...string) string { return t.Root() + "/" + strings.Join(parts, "/") }

// Parse takes a topic of this fleet apart. A topic that the contract does not have, or whose names
// are not in their canonical form, gives an *Error with code bad-topic; when only the verb's form is wrong
// the code is unknown-verb. The Address then still holds what could be understood.
func (t Tree) Parse(s string) (Address, error) {
	if len(s) > maxTopic {
		return Address{}, badTopic(s, "it is longer than any topic of the contract")
	}
	rest, ok := strings.CutPrefix(s, t.Root()+"/")
	if !ok {
		return Address{}, badTopic(s, "it does not begin with "+t.Root()+"/")
	}
	p := strings.Split(rest, "/")
	switch {
	case p[0] == "rsp" && len(p) == 2:
		if err := CheckClient(p[1]); err != nil {
			return Address{}, badTopic(s, err.Error())
		}
		return Address{Kind: KindReply, Client: p[1]}, nil
	case p[0] == "bridge" && len(p) == 3:
		return parseBridge(s, p[1], p[2])
	case p[0] == "hub" && len(p) >= 3:
		hub, err := parseEUI(p[1])
		if err != nil {
			return Address{}, badTopic(s, "the hub is not an EUI-64 like 00-DB-12-34-56-78-90-A0")
		}
		return parseHub(s, hub, p[2:])
	}
	return Address{}, badTopic(s, "the contract has no such topic")
}

func parseBridge(s, node, leaf string) (Address, error) {
	if node == "req" {
		a := Address{Kind: KindFleetCommand, Verb: Verb(leaf)}
		return a, checkVerbOf(s, leaf)
	}
	if node == "many" {
		a := Address{Kind: KindManyCommand, Verb: Verb(leaf)}
		return a, checkVerbOf(s, leaf)
	}
	if err := CheckNode(node); err != nil {
		return Address{}, badTopic(s, err.Error())
	}
	kinds := map[string]Kind{"state": KindBridgeState, "info": KindBridgeInfo, "refused": KindBridgeRefused}
	k, ok := kinds[leaf]
	if !ok {
		return Address{}, badTopic(s, "the contract has no such topic")
	}
	return Address{Kind: k, Node: node}, nil
}

func parseHub(s string, hub wire.EUI64, p []string) (Address, error) {
	a := Address{Hub: hub}
	switch {
	case len(p) == 1 && p[0] == "state":
		a.Kind = KindHubState
		return a, nil
	case len(p) == 2 && p[0] == "cmd":
		a.Kind, a.Verb = KindHubCommand, Verb(p[1])
		return a, checkVerbOf(s, p[1])
	case len(p) == 2 && p[0] == "evt":
		if err := CheckClass(p[1]); err != nil {
			return Address{Hub: hub}, badTopic(s, err.Error())
		}
		a.Kind, a.Class = KindEvent, p[1]
		return a, nil
	case len(p) == 2 && p[0] == "tlm":
		a.Kind = KindTelemetry
		return parseDeviceOf(a, s, p[1])
	case len(p) == 3 && p[0] == "device" && p[2] == "state":
		a.Kind = KindDeviceState
		return parseDeviceOf(a, s, p[1])
	}
	return a, badTopic(s, "the contract has no such topic")
}

func parseDeviceOf(a Address, s, name string) (Address, error) {
	d, err := ParseDevice(name)
	if err != nil {
		return Address{Hub: a.Hub}, badTopic(s, err.Error())
	}
	a.Device = d
	return a, nil
}

func checkVerbOf(s, verb string) error {
	if err := CheckVerb(verb); err != nil {
		return NewError(CodeUnknownVerb, err.Error(), "topic "+clipTopic(s), "use a verb of the contract")
	}
	return nil
}

func badTopic(s, why string) error {
	return NewError(CodeBadTopic, why, "topic "+clipTopic(s), "see the topic table of the contract")
}

func clipTopic(s string) string { return fmt.Sprintf("%q", s[:min(len(s), 160)]) }
