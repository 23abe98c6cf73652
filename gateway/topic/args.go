package topic

import (
	"time"

	"smets1/internal/wire"
)

// Outcome is embedded in the result for one device of several: its code is ok, or says why it is not.
type Outcome struct {
	Code    Code    `json:"code"`
	Message Message `json:"message,omitzero"`
}

// OutcomeOf makes an outcome of an error; nil is ok.
func OutcomeOf(err error) Outcome {
	c, m := CodeOf(err)
	return Outcome{c, m}
}

// Err returns nil for ok, else the code and message as an *Error.
func (o Outcome) Err() error {
	if o.Code == CodeOK || o.Code == "" {
		return nil
	}
	return &Error{Code: o.Code, Message: o.Message}
}

// WakeArgs are the arguments of wake.
type WakeArgs struct {
	// TimeoutSeconds is how long to keep trying; zero means the gateway's default.
	TimeoutSeconds float64 `json:"timeout_seconds,omitzero"`
}

// WakeResult is the result of wake.
type WakeResult struct {
	Attempts       int       `json:"attempts"`
	ElapsedSeconds float64   `json:"elapsed_seconds"`
	At             time.Time `json:"at"`
}

// IdentifyArgs are the arguments of identify. Command.Device empty means the hub and all behind it.
type IdentifyArgs struct{}

// Identity is what a device says it is.
type Identity struct {
	EUI          wire.EUI64 `json:"eui"`
	Role         Device     `json:"role"` // chf, esme, gsme, ihd
	Manufacturer string     `json:"manufacturer,omitzero"`
	Model        string     `json:"model,omitzero"`
	Hardware     string     `json:"hardware,omitzero"`
	Firmware     string     `json:"firmware,omitzero"`
	Serial       string     `json:"serial,omitzero"`
	MPxN         string     `json:"mpxn,omitzero"` // MPAN or MPRN
	PaymentMode  string     `json:"payment_mode,omitzero"`
}

// IdentifyResult is the result of identify. The command is done when the hub answered; each device has its own outcome.
type IdentifyResult struct {
	Devices []DeviceIdentity `json:"devices"`
}

// DeviceIdentity is the identity of one device, or why it could not be had.
type DeviceIdentity struct {
	Identity
	Outcome
}

// Attribute names an attribute of a COSEM object of the device in Command.Device; empty means the hub.
type Attribute struct {
	Class     uint16 `json:"class"`
	OBIS      string `json:"obis"` // 1-0:1.8.0.255
	Attribute int8   `json:"attribute"`
}

// ReadArgs are the arguments of read.
type ReadArgs struct {
	Items []ReadItem `json:"items"`
}

// ReadItem asks for one attribute. From and To, both or none, select the rows of a profile by time, To exclusive.
type ReadItem struct {
	Attribute
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
}

// ReadResult is the result of read, an entry per item in the order asked.
type ReadResult struct {
	Items []ReadValue `json:"items"`
}

// ReadValue is one attribute, or why it could not be read.
type ReadValue struct {
	Attribute
	Outcome
	Value *Value `json:"value,omitzero"`
	// Scaled is the value of a register with its scaler applied, as decimal digits, and Unit its unit.
	Scaled string `json:"scaled,omitzero"`
	Unit   string `json:"unit,omitzero"`
}

// WriteArgs are the arguments of write.
type WriteArgs struct {
	Items []WriteItem `json:"items"`
}

// WriteItem is one attribute to write.
type WriteItem struct {
	Attribute
	Value Value `json:"value"`
}

// WriteResult is the result of write, an entry per item tried.
type WriteResult struct {
	Items []WriteOutcome `json:"items"`
}

// WriteOutcome tells how one attribute fared.
type WriteOutcome struct {
	Attribute
	Outcome
}

// ClockReadArgs are the arguments of clock.read. Command.Device empty means the hub and all behind it.
type ClockReadArgs struct{}

// ClockSyncArgs are the arguments of clock.sync. Command.Device empty means the hub and all behind it.
type ClockSyncArgs struct {
	// ToleranceSeconds is how far a clock may be off and be left alone; zero means 10, as SMETS1 asks.
	ToleranceSeconds float64 `json:"tolerance_seconds,omitzero"`
	// MaxStepSeconds is the largest step to make; a clock further off gives the code clock. Zero means no limit.
	MaxStepSeconds float64 `json:"max_step_seconds,omitzero"`
}

// ClockResult is the result of clock.read and clock.sync.
type ClockResult struct {
	Clocks []ClockReading `json:"clocks"`
}

// ClockReading is one clock. OffsetSeconds is device minus gateway, after setting if it was set.
type ClockReading struct {
	Device Device     `json:"device"`
	EUI    wire.EUI64 `json:"eui"`
	Outcome
	Time          time.Time `json:"time,omitzero"`
	OffsetSeconds float64   `json:"offset_seconds"`
	Status        uint8     `json:"status,omitzero"` // clock status octet of the device
	Set           bool      `json:"set,omitzero"`
	// BeforeSeconds is the offset before setting.
	BeforeSeconds float64 `json:"before_seconds,omitzero"`
}

// SupplyReadArgs are the arguments of supply.read. Command.Device names the meter.
type SupplyReadArgs struct{}

// States of a supply.
const (
	SupplyOn    = "on"
	SupplyOff   = "off"
	SupplyArmed = "armed" // off, and its customer may switch it on
)

// SupplySetArgs are the arguments of supply.set. Command.Device names the meter.
type SupplySetArgs struct {
	State string `json:"state"` // on, off
}

// SupplyResult is the result of supply.read and supply.set: what was read back.
type SupplyResult struct {
	Device Device     `json:"device"`
	EUI    wire.EUI64 `json:"eui"`
	State  string     `json:"state"`         // on, off, armed
	Output bool       `json:"output"`        // whether energy gets through
	From   string     `json:"from,omitzero"` // before supply.set
	Mode   uint8      `json:"mode"`          // control mode of the device (IEC 62056-6-2, class 70)
	Time   time.Time  `json:"time"`
}

// HANListArgs are the arguments of han.list.
type HANListArgs struct{}

// HANListResult is the result of han.list: what the hub says, whether or not the devices answer.
type HANListResult struct {
	Devices []HANMember `json:"devices"`
}

// HANMember is a device on a hub's HAN.
type HANMember struct {
	Device Device     `json:"device"`
	EUI    wire.EUI64 `json:"eui"`
	Known  bool       `json:"known"` // the gateway has it on file behind this hub
}

// HANCheckArgs are the arguments of han.check. Command.Device empty means all devices behind the hub.
type HANCheckArgs struct{}

// HANCheckResult is the result of han.check. The command is done when the hub answered; each device has its own outcome.
type HANCheckResult struct {
	Devices []HANDevice `json:"devices"`
}

// HANDevice tells whether a device answered over the HAN.
type HANDevice struct {
	Device Device     `json:"device"`
	EUI    wire.EUI64 `json:"eui"`
	Model  string     `json:"model,omitzero"`
	Outcome
	ElapsedSeconds float64 `json:"elapsed_seconds"`
}

// ConfigDigestArgs are the arguments of config.digest. Command.Device empty means the hub and all behind it.
type ConfigDigestArgs struct{}

// ConfigDigestResult is the result of config.digest.
type ConfigDigestResult struct {
	Devices []ConfigDigestEntry `json:"devices"`
}

// ConfigDigestEntry is the digest of one device's configuration.
type ConfigDigestEntry struct {
	Device Device     `json:"device"`
	EUI    wire.EUI64 `json:"eui"`
	Outcome
	SHA256     string    `json:"sha256,omitzero"` // 64 lower-case hexadecimal digits
	Attributes int       `json:"attributes"`      // how many went in
	Time       time.Time `json:"time,omitzero"`
}

// FirmwareUpgradeArgs are the arguments of firmware.upgrade. Command.Device is the device; empty means the hub.
type FirmwareUpgradeArgs struct {
	Image   string `json:"image"`   // SHA-256 of the image file, 64 lower-case hexadecimal digits
	Version string `json:"version"` // that the device must report afterwards
}

// FirmwareUpgradeResult is the result of firmware.upgrade.
type FirmwareUpgradeResult struct {
	Device         Device     `json:"device"`
	EUI            wire.EUI64 `json:"eui"`
	From           string     `json:"from,omitzero"`
	To             string     `json:"to,omitzero"` // as read back
	Already        bool       `json:"already,omitzero"`
	Blocks         int        `json:"blocks"`
	Resent         int        `json:"resent"`
	Activations    int        `json:"activations"`
	Signer         string     `json:"signer,omitzero"`
	ElapsedSeconds float64    `json:"elapsed_seconds"`
	Activated      time.Time  `json:"activated,omitzero"`
}

// KeysProveArgs are the arguments of keys.prove. Command.Device empty means the hub and all behind it.
type KeysProveArgs struct{}

// KeysTakeoverArgs are the arguments of keys.takeover.
type KeysTakeoverArgs struct {
	Owner   string   `json:"owner"`            // whose keys these will be
	Devices []Device `json:"devices,omitzero"` // none means the hub and all behind it
}

// KeysRollbackArgs are the arguments of keys.rollback.
type KeysRollbackArgs struct {
	Devices []Device `json:"devices,omitzero"` // none means the hub and all behind it
}

// KeysRepairArgs are the arguments of keys.repair.
type KeysRepairArgs struct {
	Devices []Device `json:"devices,omitzero"` // none means the hub and all behind it
}

// KeysResult is the result of keys.prove, keys.takeover, keys.rollback and keys.repair.
type KeysResult struct {
	Devices []KeysDevice `json:"devices"`
}

// KeysDevice tells which keys open a device. Keys themselves never travel.
type KeysDevice struct {
	Device Device     `json:"device"`
	EUI    wire.EUI64 `json:"eui"`
	Outcome
	Set         string `json:"set,omitzero"` // current, pending, previous: the stored set that opens the device
	Version     uint32 `json:"version,omitzero"`
	FromVersion uint32 `json:"from_version,omitzero"`
	Owner       string `json:"owner,omitzero"`
	Fingerprint string `json:"fingerprint,omitzero"`
	Step        string `json:"step,omitzero"`        // last step reached
	OldRefused  bool   `json:"old_refused,omitzero"` // proven
	Unchanged   bool   `json:"unchanged,omitzero"`   // of keys.repair: nothing was to be done
}

// HubRepointArgs are the arguments of hub.repoint.
type HubRepointArgs struct {
	Endpoint string `json:"endpoint"` // host:port
}

// HubRepointResult is the result of hub.repoint.
type HubRepointResult struct {
	From string `json:"from,omitzero"`
	To   string `json:"to"` // as read back
}

// PageArgs are the arguments of list and snapshot.
type PageArgs struct {
	After string `json:"after,omitzero"` // the next of the page before; empty means the first page
	Limit int    `json:"limit,omitzero"` // hubs per page; zero or more than BridgeInfo.PageLimit means that
}

// ListResult is a page of list.
type ListResult struct {
	Hubs  []HubSummary `json:"hubs"`
	Total int          `json:"total"`
	Next  string       `json:"next,omitzero"` // empty on the last page
}

// HubSummary is a hub in a list.
type HubSummary struct {
	Hub      wire.EUI64 `json:"hub"`
	State    Condition  `json:"state"`
	Revision uint64     `json:"revision"`
}

// SnapshotResult is a page of snapshot. A hub that changes meanwhile is also told by its state topic with a higher sequence.
type SnapshotResult struct {
	Session  string        `json:"session"`
	Sequence uint64        `json:"sequence"`
	Hubs     []HubState    `json:"hubs"`
	Devices  []DeviceState `json:"devices"`
	Total    int           `json:"total"` // hubs in all pages
	Next     string        `json:"next,omitzero"`
}

// RebirthArgs are the arguments of rebirth.
type RebirthArgs struct{}

// RebirthResult is the result of rebirth.
type RebirthResult struct {
	Session string `json:"session"`
	Hubs    int    `json:"hubs"`   // all
	Retain  int    `json:"retain"` // whose state is sent again
}

// FleetClockArgs are the arguments of clock. At most one member may be set.
type FleetClockArgs struct {
	AdvanceTo      time.Time `json:"advance_to,omitzero"`
	AdvanceSeconds float64   `json:"advance_seconds,omitzero"`
}

// FleetClockResult is the result of clock.
type FleetClockResult struct {
	Time    time.Time `json:"time"`
	Virtual bool      `json:"virtual"`
	Factor  float64   `json:"factor,omitzero"` // virtual seconds per second
}
