package topic

import (
	"fmt"
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
	SupplyRead      Verb = "supply.read"
	SupplySet       Verb = "supply.set"
	HANList         Verb = "han.list"
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
	FleetJobs     Verb = "jobs"
	FleetCancel   Verb = "cancel"
	FleetResolve  Verb = "resolve"
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
	// Query says that the node answers at once, of what it knows, and stores neither the command nor the result: an id seen
	// again is simply answered again.
	Query bool
	// Roles may ask for it.
	Roles []Role
	// Args and Result are zero values of the types of the arguments and the result.
	Args, Result any
}

// Role is what a client of the broker may do. Roles do not contain each other: a client has one or several.
type Role string

// Roles.
const (
	Observer  Role = "observer"  // sees states, events and results of its own; asks what the gateway knows
	Operator  Role = "operator"  // also reads devices, sets clocks, cancels
	Engineer  Role = "engineer"  // also writes, switches supply, brings firmware
	Migration Role = "migration" // as operator, and what a migration needs: firmware, keys, the head end
)

// Roles returns all roles.
func Roles() []Role { return []Role{Observer, Operator, Engineer, Migration} }

// ParseRole checks the name of a role.
func ParseRole(s string) (Role, error) {
	if r := Role(s); slices.Contains(Roles(), r) {
		return r, nil
	}
	return "", fmt.Errorf("topic: %q is no role: there are observer, operator, engineer, migration", clip(s))
}

var (
	everybody = []Role{Observer, Operator, Engineer, Migration}
	operators = []Role{Operator, Engineer, Migration}
	resolvers = []Role{Engineer, Migration}
	movers    = []Role{Engineer, Migration}
	engineers = []Role{Engineer}
	migrators = []Role{Migration}
)

var verbs = []VerbInfo{
	{Verb: Wake, Roles: operators, Sentence: "Bring a sleeping hub to answer.", Args: WakeArgs{}, Result: WakeResult{}},
	{Verb: Identify, Roles: operators, Sentence: "Tell what the hub and the devices behind it are.", Args: IdentifyArgs{}, Result: IdentifyResult{}},
	{Verb: Read, Roles: operators, Sentence: "Read attributes of a device.", Args: ReadArgs{}, Result: ReadResult{}},
	{Verb: Write, Roles: engineers, Sentence: "Write attributes of a device, in order, and stop at the first that is refused.", Mutates: true, Args: WriteArgs{}, Result: WriteResult{}},
	{Verb: ClockRead, Roles: operators, Sentence: "Read the clocks of a home.", Args: ClockReadArgs{}, Result: ClockResult{}},
	{Verb: ClockSync, Roles: operators, Sentence: "Set the clocks of a home that are off.", Mutates: true, Args: ClockSyncArgs{}, Result: ClockResult{}},
	{Verb: SupplyRead, Roles: operators, Sentence: "Tell whether a meter supplies.", Args: SupplyReadArgs{}, Result: SupplyResult{}},
	{Verb: SupplySet, Roles: engineers, Sentence: "Switch the supply of a meter off, or on, or arm it for its customer.", Mutates: true, Args: SupplySetArgs{}, Result: SupplyResult{}},
	{Verb: HANList, Roles: operators, Sentence: "Tell which devices the hub has on its HAN.", Args: HANListArgs{}, Result: HANListResult{}},
	{Verb: HANCheck, Roles: operators, Sentence: "Tell which devices answer over the HAN.", Args: HANCheckArgs{}, Result: HANCheckResult{}},
	{Verb: ConfigDigest, Roles: operators, Sentence: "Digest the configuration read back from the devices.", Args: ConfigDigestArgs{}, Result: ConfigDigestResult{}},
	{Verb: FirmwareUpgrade, Roles: movers, Sentence: "Bring a device to a firmware version.", Mutates: true, Irreversible: true, Args: FirmwareUpgradeArgs{}, Result: FirmwareUpgradeResult{}},
	{Verb: KeysProve, Roles: operators, Sentence: "Tell which stored key set opens each device.", Args: KeysProveArgs{}, Result: KeysResult{}},
	{Verb: KeysTakeover, Roles: migrators, Sentence: "Rotate the keys of the devices to a new owner: stage, prove, commit, prove the old ones refused.", Mutates: true, Irreversible: true, Args: KeysTakeoverArgs{}, Result: KeysResult{}},
	{Verb: KeysRollback, Roles: migrators, Sentence: "Bring the devices back under the previous keys.", Mutates: true, Irreversible: true, Args: KeysRollbackArgs{}, Result: KeysResult{}},
	{Verb: KeysRepair, Roles: migrators, Sentence: "End changes of keys that were begun, and have the store follow devices that went back; begin none.", Mutates: true, Irreversible: true, Args: KeysRepairArgs{}, Result: KeysResult{}},
	{Verb: HubRepoint, Roles: migrators, Sentence: "Point the hub at another head end, and read it back.", Mutates: true, Irreversible: true, Args: HubRepointArgs{}, Result: HubRepointResult{}},
	{Verb: FleetList, Roles: everybody, Fleet: true, Query: true, Sentence: "List the hubs, in pages.", Args: PageArgs{}, Result: ListResult{}},
	{Verb: FleetSnapshot, Roles: everybody, Fleet: true, Query: true, Sentence: "Tell the state of the hubs and the devices behind them, in pages.", Args: PageArgs{}, Result: SnapshotResult{}},
	{Verb: FleetRebirth, Roles: operators, Fleet: true, Query: true, Sentence: "Send birth, info and retained states again.", Args: RebirthArgs{}, Result: RebirthResult{}},
	{Verb: FleetClock, Roles: operators, Fleet: true, Sentence: "Tell the time of the fleet; advance it where it is virtual.", Args: FleetClockArgs{}, Result: FleetClockResult{}},
	{Verb: FleetCampaign, Roles: movers, Fleet: true, Sentence: "Plan, begin, watch and stop firmware campaigns.", Args: CampaignArgs{}, Result: CampaignResult{}},
	{Verb: FleetJobs, Roles: everybody, Fleet: true, Query: true, Sentence: "List the commands that have not ended, or the results that wait for a person, in pages.", Args: JobsArgs{}, Result: JobsResult{}},
	{Verb: FleetCancel, Roles: operators, Fleet: true, Query: true, Sentence: "Ask a command to stop: at once if it waits, as its verb allows if it runs.", Args: CancelArgs{}, Result: CancelResult{}},
	{Verb: FleetResolve, Roles: resolvers, Fleet: true, Query: true, Sentence: "Say what a person found out about a result in doubt.", Args: ResolveArgs{}, Result: ResolveResult{}},
}

// Verbs returns the table of verbs, in the order of the contract.
func Verbs() []VerbInfo { return slices.Clone(verbs) }

// May tells whether a role may ask for the verb.
func (i VerbInfo) May(r Role) bool { return slices.Contains(i.Roles, r) }

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
