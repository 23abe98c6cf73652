package topic

import (
	"slices"
)

// Verb names what a command asks for.
type Verb string

// Verbs for a hub and the devices behind it.
const (
	Wake            Verb = "wake"
	Identify        Verb = "identify"
	Read            Verb = "read"
	Write           Verb = "write"
	ClockRead       Verb = "clock.read"
	ClockSync       Verb = "clock.sync"
	HANCheck        Verb = "han.check"
	ConfigDigest    Verb = "config.digest"
	FirmwareUpgrade Verb = "firmware.upgrade"
	KeysProve       Verb = "keys.prove"
	KeysTakeover    Verb = "keys.takeover"
	KeysRollback    Verb = "keys.rollback"
	KeysRepair      Verb = "keys.repair"
	HubRepoint      Verb = "hub.repoint"
)

// Verbs for the fleet.
const (
	FleetList     Verb = "list"
	FleetSnapshot Verb = "snapshot"
	FleetRebirth  Verb = "rebirth"
	FleetClock    Verb = "clock"
	FleetCampaign Verb = "campaign"
)

// VerbInfo describes a verb.
type VerbInfo struct {
	Verb     Verb
	Fleet    bool // asked of the fleet, not of a hub
	Sentence string
	// Mutates says that success changes the hub, so that its revision grows.
	Mutates bool
	// Irreversible says that the work has a step that cannot be undone. Its intent is kept through a loss of
	// power, its start is on disk before the first byte to the device, and a deadline never cuts it short.
	Irreversible bool
	// Query says that the work changes nothing and its answer is worth nothing later, so that neither the command nor the
	// result is stored: an id seen again is simply answered again.
	Query bool
	// Args and Result are zero values of the types of the arguments and the result.
	Args, Result any
}

var verbs = []VerbInfo{
	{Verb: Wake, Sentence: "Bring a sleeping hub to answer.", Args: WakeArgs{}, Result: WakeResult{}},
	{Verb: Identify, Sentence: "Tell what the hub and the devices behind it are.", Args: IdentifyArgs{}, Result: IdentifyResult{}},
	{Verb: Read, Sentence: "Read attributes of a device.", Args: ReadArgs{}, Result: ReadResult{}},
	{Verb: Write, Sentence: "Write attributes of a device, in order, and stop at the first that is refused.", Mutates: true, Args: WriteArgs{}, Result: WriteResult{}},
	{Verb: ClockRead, Sentence: "Read the clocks of a home.", Args: ClockReadArgs{}, Result: ClockResult{}},
	{Verb: ClockSync, Sentence: "Set the clocks of a home that are off.", Mutates: true, Args: ClockSyncArgs{}, Result: ClockResult{}},
	{Verb: HANCheck, Sentence: "Tell which devices answer over the HAN.", Args: HANCheckArgs{}, Result: HANCheckResult{}},
	{Verb: ConfigDigest, Sentence: "Digest the configuration read back from the devices.", Args: ConfigDigestArgs{}, Result: ConfigDigestResult{}},
	{Verb: FirmwareUpgrade, Sentence: "Bring a device to a firmware version.", Mutates: true, Irreversible: true, Args: FirmwareUpgradeArgs{}, Result: FirmwareUpgradeResult{}},
	{Verb: KeysProve, Sentence: "Tell which stored key set opens each device.", Args: KeysProveArgs{}, Result: KeysResult{}},
	{Verb: KeysTakeover, Sentence: "Rotate the keys of the devices to a new owner: stage, prove, commit, prove the old ones refused.", Mutates: true, Irreversible: true, Args: KeysTakeoverArgs{}, Result: KeysResult{}},
	{Verb: KeysRollback, Sentence: "Bring the devices back under the previous keys.", Mutates: true, Irreversible: true, Args: KeysRollbackArgs{}, Result: KeysResult{}},
	{Verb: KeysRepair, Sentence: "End changes of keys that were begun, and have the store follow devices that went back; begin none.", Mutates: true, Irreversible: true, Args: KeysRepairArgs{}, Result: KeysResult{}},
	{Verb: HubRepoint, Sentence: "Point the hub at another head end, and read it back.", Mutates: true, Irreversible: true, Args: HubRepointArgs{}, Result: HubRepointResult{}},
	{Verb: FleetList, Fleet: true, Query: true, Sentence: "List the hubs, in pages.", Args: PageArgs{}, Result: ListResult{}},
	{Verb: FleetSnapshot, Fleet: true, Query: true, Sentence: "Tell the state of the hubs and the devices behind them, in pages.", Args: PageArgs{}, Result: SnapshotResult{}},
	{Verb: FleetRebirth, Fleet: true, Query: true, Sentence: "Send birth, info and retained states again.", Args: RebirthArgs{}, Result: RebirthResult{}},
	{Verb: FleetClock, Fleet: true, Sentence: "Tell the time of the fleet; advance it where it is virtual.", Args: FleetClockArgs{}, Result: FleetClockResult{}},
	{Verb: FleetCampaign, Fleet: true, Sentence: "Plan, begin, watch and stop firmware campaigns.", Args: CampaignArgs{}, Result: CampaignResult{}},
}

// Verbs returns the table of verbs, in the order of the contract.
func Verbs() []VerbInfo { return slices.Clone(verbs) }

// Info returns the description of a verb; ok is false for one that the contract does not have.
// Fleet and hub verbs are told apart by name: no name is both.
func (v Verb) Info() (info VerbInfo, ok bool) {
	for _, i := range verbs {
		if i.Verb == v {
			return i, true
		}
	}
	return VerbInfo{}, false
}
