package topic

import (
	"encoding/json"
	"time"

	"smets1/internal/wire"
)

// Online and Offline are the states of a node.
const (
	Online  = "online"
	Offline = "offline"
)

// BridgeState is the birth and, with state offline, the last will of a node. Both carry the session, so that a
// will that comes late, after the next birth, is recognised and ignored: see Supersedes.
type BridgeState struct {
	Schema int    `json:"schema"`
	Node   string `json:"node"`
	State  string `json:"state"` // online, offline
	// Session is new at each connection of the node and sorts in the order of connections.
	Session string `json:"session"`
	// Sequence grows by one with each message of the node in this session that carries one; the birth has 0.
	Sequence uint64    `json:"sequence"`
	Hubs     int       `json:"hubs"`
	Queued   int       `json:"queued"`
	Running  int       `json:"running"`
	Version  string    `json:"version,omitzero"`
	Time     time.Time `json:"time,omitzero"` // absent from a will, which is written before its time
}

// Supersedes tells whether s is to replace old as what is known of the node.
// Within a session the highest sequence wins and the will is the last; between sessions the later session wins.
func (s BridgeState) Supersedes(old BridgeState) bool {
	if s.Session != old.Session {
		return s.Session > old.Session
	}
	return s.State == Offline || old.State != Offline && s.Sequence >= old.Sequence
}

// BridgeInfo tells what a node allows and can do.
type BridgeInfo struct {
	Schema       int        `json:"schema"`
	Node         string     `json:"node"`
	Version      string     `json:"version,omitzero"`
	Schemas      []int      `json:"schemas"`       // schema numbers that are understood
	Verbs        []Verb     `json:"verbs"`         // for hubs
	FleetVerbs   []Verb     `json:"fleet_verbs"`   // for the fleet
	MaxPayload   int        `json:"max_payload"`   // bytes of a command
	MaxDepth     int        `json:"max_depth"`     // nesting of a command
	MaxQueued    int        `json:"max_queued"`    // commands accepted and not ended
	MaxPerHub    int        `json:"max_per_hub"`   // the same for one hub
	Concurrency  int        `json:"concurrency"`   // commands that run at once
	RetainedHubs int        `json:"retained_hubs"` // hubs whose state is retained; above it, use snapshot
	PageLimit    int        `json:"page_limit"`    // hubs per page of list and snapshot
	ResultTTL    float64    `json:"result_ttl_seconds"`
	Codes        []CodeInfo `json:"codes"`
	Time         time.Time  `json:"time"`
}

// Condition is the state of a hub.
type Condition string

// Conditions of a hub. The words are those of the Homie convention, except alert's cause, which HubState.Alert tells.
const (
	Init     Condition = "init"     // known, not yet spoken to
	Ready    Condition = "ready"    // answers
	Sleeping Condition = "sleeping" // dormant: must be woken
	Lost     Condition = "lost"     // does not answer
	Alert    Condition = "alert"    // answers, and wants a person
)

// HubState is what is known of a hub.
type HubState struct {
	Schema     int        `json:"schema"`
	Hub        wire.EUI64 `json:"hub"`
	State      Condition  `json:"state"`
	Alert      string     `json:"alert,omitzero"`
	Session    string     `json:"session,omitzero"`  // of the node that says so
	Sequence   uint64     `json:"sequence,omitzero"` // in that session
	Revision   uint64     `json:"revision"`
	Model      string     `json:"model,omitzero"`
	Firmware   string     `json:"firmware,omitzero"`
	KeyVersion uint32     `json:"key_version,omitzero"`
	Migration  string     `json:"migration,omitzero"` // state of the migration, as the gateway knows it
	Endpoint   string     `json:"endpoint,omitzero"`  // head end that the hub calls, host:port
	Devices    []Device   `json:"devices,omitzero"`   // behind the hub
	LastSeen   time.Time  `json:"last_seen,omitzero"`
	Time       time.Time  `json:"time"`
}

// DeviceState is what is known of a device behind a hub.
type DeviceState struct {
	Schema   int        `json:"schema"`
	Hub      wire.EUI64 `json:"hub"`
	Device   Device     `json:"device"` // as in the topic
	Session  string     `json:"session,omitzero"`
	Sequence uint64     `json:"sequence,omitzero"`
	Identity Identity   `json:"identity"`
	Supply   string     `json:"supply,omitzero"` // on, off, armed
	Readings []Reading  `json:"readings,omitzero"`
	LastSeen time.Time  `json:"last_seen,omitzero"`
	Time     time.Time  `json:"time"`
}

// Reading is a value with its unit at a time.
type Reading struct {
	Name  string    `json:"name"` // OBIS code or name
	Value string    `json:"value"`
	Unit  string    `json:"unit,omitzero"`
	Time  time.Time `json:"time,omitzero"`
}

// Event reports what happened at a hub.
type Event struct {
	Schema   int             `json:"schema"`
	Hub      wire.EUI64      `json:"hub"`
	Class    string          `json:"class"` // as in the topic
	Session  string          `json:"session,omitzero"`
	Sequence uint64          `json:"sequence,omitzero"`
	Device   Device          `json:"device,omitzero"`
	Code     string          `json:"code,omitzero"` // stable within the class
	Text     string          `json:"text,omitzero"`
	Data     json.RawMessage `json:"data,omitzero"`
	Time     time.Time       `json:"time"`
}

// Classes of events.
const (
	ClassRefused  = "refused" // data is a Result: a command for this hub that could not be answered elsewhere
	ClassAlert    = "alert"
	ClassJoin     = "join"
	ClassTamper   = "tamper"
	ClassPower    = "power"
	ClassFirmware = "firmware"
	ClassKeys     = "keys"
)

// Telemetry carries readings of a device.
type Telemetry struct {
	Schema   int        `json:"schema"`
	Hub      wire.EUI64 `json:"hub"`
	Device   Device     `json:"device"`
	Readings []Reading  `json:"readings"`
	Time     time.Time  `json:"time"`
}

// ParseBridgeState, ParseHubState, ParseDeviceState, ParseEvent and the like decode what a node sends. Errors are *Error.

// ParseBridgeState decodes a birth or will.
func ParseBridgeState(b []byte, l Limits) (BridgeState, error) {
	return parse(b, l, func(s *BridgeState) *int { return &s.Schema })
}

// ParseBridgeInfo decodes the limits of a node.
func ParseBridgeInfo(b []byte, l Limits) (BridgeInfo, error) {
	return parse(b, l, func(s *BridgeInfo) *int { return &s.Schema })
}

// ParseHubState decodes the state of a hub.
func ParseHubState(b []byte, l Limits) (HubState, error) {
	return parse(b, l, func(s *HubState) *int { return &s.Schema })
}

// ParseDeviceState decodes the state of a device.
func ParseDeviceState(b []byte, l Limits) (DeviceState, error) {
	return parse(b, l, func(s *DeviceState) *int { return &s.Schema })
}

// ParseEvent decodes an event.
func ParseEvent(b []byte, l Limits) (Event, error) {
	return parse(b, l, func(s *Event) *int { return &s.Schema })
}

// ParseTelemetry decodes readings.
func ParseTelemetry(b []byte, l Limits) (Telemetry, error) {
	return parse(b, l, func(s *Telemetry) *int { return &s.Schema })
}

func parse[T any](b []byte, l Limits, schema func(*T) *int) (T, error) {
	var v, zero T
	if err := l.decode(b, &v); err != nil {
		return zero, err
	}
	if err := checkSchema(schema(&v)); err != nil {
		return zero, err
	}
	return v, nil
}
