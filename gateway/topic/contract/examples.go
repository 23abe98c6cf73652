package contract

import (
	"time"

	"smets1/gateway/topic"
	"smets1/internal/wire"
)

// Example is a command and what may come of it.
type Example struct {
	Device topic.Device
	Args   any
	Result any
}

var (
	hub  = wire.MustEUI64("00-DB-12-34-56-78-90-A0")
	esme = wire.MustEUI64("00-DB-12-34-56-78-90-A1")
	gsme = wire.MustEUI64("00-DB-12-34-56-78-90-A2")
	noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
)

const digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

func ok() topic.Outcome { return topic.Outcome{Code: topic.CodeOK} }

// Examples gives one for each verb. All devices and figures are invented.
func Examples() map[topic.Verb]Example {
	active := topic.Attribute{Class: 3, OBIS: "1-0:1.8.0.255", Attribute: 2}
	value := topic.Int(topic.DoubleLongUnsigned, 1234567)
	threshold := topic.Attribute{Class: 71, OBIS: "0-0:17.0.0.255", Attribute: 4}
	keys := topic.KeysResult{Devices: []topic.KeysDevice{
		{Device: topic.CHF, EUI: hub, Outcome: ok(), Set: "current", Version: 2, FromVersion: 1, Owner: "ACB", Fingerprint: "5f2c9a01", Step: "done", OldRefused: true},
	}}
	state := topic.HubState{Schema: 1, Hub: hub, State: topic.Ready, Revision: 7, Firmware: "1.2", Devices: []topic.Device{topic.DeviceEUI(esme)}, LastSeen: noon, Time: noon}
	open := topic.Result{Schema: 1, ID: "c-17", Hub: hub, Verb: topic.Identify, Status: topic.StatusRunning, Time: noon}
	said := topic.Resolution{Outcome: "done", Note: "the meter opens with version 2", By: "alice", Time: noon}
	return map[topic.Verb]Example{
		topic.Wake: {Args: topic.WakeArgs{TimeoutSeconds: 120}, Result: topic.WakeResult{Attempts: 1, ElapsedSeconds: 41.5, At: noon}},
		topic.Identify: {Args: topic.IdentifyArgs{}, Result: topic.IdentifyResult{Devices: []topic.DeviceIdentity{
			{Identity: topic.Identity{EUI: esme, Role: topic.ESME, Manufacturer: "XYZ", Model: "E1", Firmware: "1.2", Serial: "S100", MPxN: "1300012345675", PaymentMode: "credit"}, Outcome: ok()},
			{Identity: topic.Identity{EUI: gsme, Role: topic.GSME}, Outcome: topic.Outcome{Code: topic.CodeHANSilent, Message: topic.Message{What: "no answer in 40 s", Where: "gsme", Do: "try again later"}}},
		}}},
		topic.Read:      {Device: topic.ESME, Args: topic.ReadArgs{Items: []topic.ReadItem{{Attribute: active}}}, Result: topic.ReadResult{Items: []topic.ReadValue{{Attribute: active, Outcome: ok(), Value: &value, Scaled: "1234567", Unit: "Wh"}}}},
		topic.Write:     {Device: topic.ESME, Args: topic.WriteArgs{Items: []topic.WriteItem{{Attribute: threshold, Value: value}}}, Result: topic.WriteResult{Items: []topic.WriteOutcome{{Attribute: threshold, Outcome: ok()}}}},
		topic.ClockRead: {Args: topic.ClockReadArgs{}, Result: topic.ClockResult{Clocks: []topic.ClockReading{{Device: topic.ESME, EUI: esme, Outcome: ok(), Time: noon, OffsetSeconds: -3.2}}}},
		topic.ClockSync: {Args: topic.ClockSyncArgs{ToleranceSeconds: 10, MaxStepSeconds: 3600}, Result: topic.ClockResult{Clocks: []topic.ClockReading{
			{Device: topic.ESME, EUI: esme, Outcome: ok(), Time: noon, Set: true, BeforeSeconds: 41},
		}}},
		topic.SupplyRead: {Device: topic.ESME, Args: topic.SupplyReadArgs{}, Result: topic.SupplyResult{Device: topic.ESME, EUI: esme, State: topic.SupplyOn, Output: true, Mode: 4, Time: noon}},
		topic.SupplySet:  {Device: topic.ESME, Args: topic.SupplySetArgs{State: topic.SupplyOff}, Result: topic.SupplyResult{Device: topic.ESME, EUI: esme, State: topic.SupplyOff, From: topic.SupplyOn, Mode: 4, Time: noon}},
		topic.HANList:    {Args: topic.HANListArgs{}, Result: topic.HANListResult{Devices: []topic.HANMember{{Device: topic.ESME, EUI: esme, Known: true}}}},
		topic.HANCheck:   {Args: topic.HANCheckArgs{}, Result: topic.HANCheckResult{Devices: []topic.HANDevice{{Device: topic.ESME, EUI: esme, Model: "E1", Outcome: ok(), ElapsedSeconds: 1.7}}}},
		topic.ConfigDigest: {Args: topic.ConfigDigestArgs{}, Result: topic.ConfigDigestResult{Devices: []topic.ConfigDigestEntry{
			{Device: topic.ESME, EUI: esme, Outcome: ok(), SHA256: digest, Attributes: 42, Time: noon},
		}}},
		topic.FirmwareUpgrade: {Device: topic.ESME, Args: topic.FirmwareUpgradeArgs{Image: digest, Version: "1.3"}, Result: topic.FirmwareUpgradeResult{
			Device: topic.ESME, EUI: esme, From: "1.2", To: "1.3", Blocks: 96, Resent: 2, Activations: 1, ElapsedSeconds: 812, Activated: noon,
		}},
		topic.KeysProve:    {Args: topic.KeysProveArgs{}, Result: keys},
		topic.KeysTakeover: {Args: topic.KeysTakeoverArgs{Owner: "ACB"}, Result: keys},
		topic.KeysRollback: {Args: topic.KeysRollbackArgs{Devices: []topic.Device{topic.ESME}}, Result: keys},
		topic.KeysRepair:   {Args: topic.KeysRepairArgs{}, Result: keys},
		topic.HubRepoint:   {Args: topic.HubRepointArgs{Endpoint: "s1sp.example:4059"}, Result: topic.HubRepointResult{From: "smso.example:4059", To: "s1sp.example:4059"}},

		topic.FleetList:     {Args: topic.PageArgs{Limit: 100}, Result: topic.ListResult{Hubs: []topic.HubSummary{{Hub: hub, State: topic.Ready, Revision: 7}}, Total: 1}},
		topic.FleetSnapshot: {Args: topic.PageArgs{}, Result: topic.SnapshotResult{Session: "0000000000000003", Sequence: 12, Hubs: []topic.HubState{state}, Devices: []topic.DeviceState{}, Total: 1}},
		topic.FleetRebirth:  {Args: topic.RebirthArgs{}, Result: topic.RebirthResult{Session: "0000000000000003", Hubs: 1, Retain: 1}},
		topic.FleetClock:    {Args: topic.FleetClockArgs{AdvanceSeconds: 3600}, Result: topic.FleetClockResult{Time: noon, Virtual: true, Factor: 60}},
		topic.FleetCampaign: {Args: topic.CampaignArgs{Op: topic.CampaignStatus, ID: "autumn"}, Result: topic.CampaignResult{Campaigns: []topic.CampaignReport{
			{ID: "autumn", State: "running", Homes: 100, Waiting: 40, Working: 10, Done: 48, Failed: 2, Steps: 96, Wave: 2, Waves: 3, Causes: []topic.CampaignCause{{Code: topic.CodeHANSilent, Homes: 2}}, Started: noon},
		}}},
		topic.FleetJobs:    {Args: topic.JobsArgs{Which: topic.JobsOpen}, Result: topic.JobsResult{Jobs: []topic.Job{{Result: open, Accepted: noon}}, Total: 1}},
		topic.FleetCancel:  {Args: topic.CancelArgs{ID: "c-17"}, Result: topic.CancelResult{Status: topic.StatusRunning}},
		topic.FleetResolve: {Args: topic.ResolveArgs{ID: "t-4", Outcome: "done", Note: said.Note, By: said.By}, Result: topic.ResolveResult{ID: "t-4", Resolution: said}},
	}
}

// Command makes the command of an example.
func (e Example) Command(v topic.VerbInfo) (topic.Command, error) {
	h := hub
	if v.Fleet {
		h = wire.EUI64{}
	}
	c, err := topic.NewCommand("example-1", h, v.Verb, e.Args)
	c.Reply, c.Device = topic.Prefix+"/lab/rsp/engine", e.Device
	return c, err
}
