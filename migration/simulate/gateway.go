package simulate

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"sync"
	"time"

	"smets1/gateway/topic"
	"smets1/internal/clock"
	"smets1/internal/wire"
	"smets1/migration/document"
)

// Rates say how often things happen. Each is a part of one.
type Rates struct {
	NoWAN            float64 // a hub cannot be reached, on a day
	GasSilent        float64 // a gas meter never answers, of the homes that have one
	WrongKey         float64 // the operator's record has a wrong key, of the homes
	PowerCut         float64 // a key change lapses, on an attempt
	FirmwareFails    float64 // an upgrade is cut short, on an attempt
	ChangeOfSupplier float64 // a home gets another supplier, in a week
}

// DefaultRates are of the order that the programme's public papers complain
// of; the figures are ours.
var DefaultRates = Rates{NoWAN: 0.05, GasSilent: 0.02, WrongKey: 0.005, PowerCut: 0.02, FirmwareFails: 0.03, ChangeOfSupplier: 0.003}

// chance draws from a seed and what the draw is for: the same question has the
// same answer whenever and in whatever order it is asked.
type chance uint64

func (c chance) below(rate float64, what string, id wire.EUI64, when string) bool {
	h := sha256.New()
	_ = binary.Write(h, binary.BigEndian, uint64(c)) // a hash takes everything
	h.Write(id[:])
	h.Write([]byte(what + "\x00" + when))
	sum := h.Sum(nil)
	return float64(binary.BigEndian.Uint64(sum)) < rate*math.MaxUint64
}

// gateway answers for homes that are not there.
type gateway struct {
	clock  *clock.Stepped
	rates  Rates
	chance chance

	mu    sync.Mutex
	homes map[wire.EUI64]*home
}

type home struct {
	devices  map[topic.Device]*device
	endpoint string
}

type device struct {
	doc      document.Device
	firmware string
	owner    string
	version  uint32
}

const operator = "SMSO"

func newGateway(c *clock.Stepped, rates Rates, seed uint64, homes []document.Installation) *gateway {
	g := &gateway{clock: c, rates: rates, chance: chance(seed), homes: make(map[wire.EUI64]*home, len(homes))}
	for _, in := range homes {
		h := &home{devices: map[topic.Device]*device{}, endpoint: "smso.example:4059"}
		for _, d := range in.Devices {
			h.devices[role(d.Type)] = &device{doc: d, firmware: d.Firmware, owner: operator, version: 1}
		}
		g.homes[in.ID] = h
	}
	return g
}

func role(t document.DeviceType) topic.Device {
	switch t {
	case document.ESME:
		return topic.ESME
	case document.GSME:
		return topic.GSME
	default:
		return topic.CHF
	}
}

// Call implements engine.Gateway.
func (g *gateway) Call(ctx context.Context, cmd topic.Command, _ func(topic.Progress)) (topic.Result, error) {
	if err := ctx.Err(); err != nil {
		return topic.Result{}, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	out, err := g.run(cmd)
	res := topic.EndedBy(cmd, err, g.clock.Now())
	if err == nil && out != nil {
		if res.Result, err = json.Marshal(out); err != nil {
			return topic.Result{}, err
		}
	}
	return res, nil
}

func (g *gateway) run(cmd topic.Command) (any, error) {
	if cmd.Verb == topic.FleetClock {
		var a topic.FleetClockArgs
		if err := cmd.DecodeArgs(&a); err != nil {
			return nil, err
		}
		g.clock.Advance(a.AdvanceTo.Sub(g.clock.Now()))
		return topic.FleetClockResult{Time: g.clock.Now(), Virtual: true}, nil
	}
	h := g.homes[cmd.Hub]
	if h == nil {
		return nil, topic.NewError(topic.CodeUnknownHub, "no such hub", cmd.Hub.String(), "")
	}
	today := g.clock.Now().Format(time.DateOnly)
	if g.chance.below(g.rates.NoWAN, "no WAN", cmd.Hub, today) {
		return nil, topic.NewError(topic.CodeNoWAN, "the hub did not wake", cmd.Hub.String(), "check its SIM")
	}
	name, err := addressed(cmd)
	if err != nil {
		return nil, err
	}
	d := h.devices[name]
	if d == nil {
		return nil, topic.NewError(topic.CodeUnknownDev, "no such device", string(name), "")
	}
	outcome := topic.Outcome{Code: topic.CodeOK}
	switch {
	case name == topic.GSME && g.chance.below(g.rates.GasSilent, "gas silent", cmd.Hub, ""):
		outcome = topic.Outcome{Code: topic.CodeHANSilent, Message: topic.Message{What: "no answer over the HAN"}}
	case cmd.Verb == topic.KeysProve && name == topic.ESME && g.chance.below(g.rates.WrongKey, "wrong key", cmd.Hub, ""):
		outcome = topic.Outcome{Code: topic.CodeKeyRefused, Message: topic.Message{What: "no stored set opens the device"}}
	}
	keys := topic.KeysDevice{Device: name, EUI: d.doc.ID, Outcome: outcome, Set: "current", Owner: d.owner, Version: d.version, Fingerprint: "A1B2C3D4"}
	switch cmd.Verb {
	case topic.Wake:
		return topic.WakeResult{Attempts: 1}, nil
	case topic.Identify:
		return topic.IdentifyResult{Devices: []topic.DeviceIdentity{{Outcome: outcome, Identity: topic.Identity{
			EUI: d.doc.ID, Role: name, Manufacturer: d.doc.Manufacturer, Model: d.doc.Model, Firmware: d.firmware, Serial: d.doc.Serial, MPxN: string(d.doc.MPxN),
		}}}}, nil
	case topic.ConfigDigest:
		sum := sha256.Sum256(d.doc.ID[:])
		return topic.ConfigDigestResult{Devices: []topic.ConfigDigestEntry{{Device: name, EUI: d.doc.ID, Outcome: outcome, SHA256: hex.EncodeToString(sum[:])}}}, nil
	case topic.ClockSync:
		return topic.ClockResult{Clocks: []topic.ClockReading{{Device: name, EUI: d.doc.ID, Outcome: outcome, OffsetSeconds: 0.4}}}, nil
	case topic.HANCheck:
		return topic.HANCheckResult{Devices: []topic.HANDevice{{Device: name, EUI: d.doc.ID, Outcome: outcome}}}, nil
	case topic.KeysProve:
		return topic.KeysResult{Devices: []topic.KeysDevice{keys}}, nil
	case topic.FirmwareUpgrade:
		var a topic.FirmwareUpgradeArgs
		if err := cmd.DecodeArgs(&a); err != nil {
			return nil, err
		}
		if g.chance.below(g.rates.FirmwareFails, "firmware", cmd.Hub, cmd.ID) {
			return nil, topic.NewError(topic.CodeTimeout, "the upgrade did not end in time", string(name), "try again")
		}
		d.firmware = a.Version
		return topic.FirmwareUpgradeResult{Device: name, EUI: d.doc.ID, To: a.Version}, nil
	case topic.KeysTakeover:
		var a topic.KeysTakeoverArgs
		if err := cmd.DecodeArgs(&a); err != nil {
			return nil, err
		}
		if g.chance.below(g.rates.PowerCut, "power cut", cmd.Hub, cmd.ID) {
			return nil, topic.NewError(topic.CodeKeyLapsed, "the device lost power before the commit", string(name), "try again")
		}
		d.owner, d.version = a.Owner, d.version+1
		keys.Owner, keys.Version, keys.OldRefused = d.owner, d.version, true
		return topic.KeysResult{Devices: []topic.KeysDevice{keys}}, nil
	case topic.KeysRollback:
		if d.owner != operator {
			d.owner, d.version = operator, d.version+1
		}
		keys.Owner, keys.Version = d.owner, d.version
		return topic.KeysResult{Devices: []topic.KeysDevice{keys}}, nil
	case topic.HubRepoint:
		var a topic.HubRepointArgs
		if err := cmd.DecodeArgs(&a); err != nil {
			return nil, err
		}
		from := h.endpoint
		h.endpoint = a.Endpoint
		return topic.HubRepointResult{From: from, To: h.endpoint}, nil
	case topic.Read:
		return topic.ReadResult{Items: []topic.ReadValue{{Outcome: topic.Outcome{Code: topic.CodeOK}, Value: &topic.Value{}}}}, nil
	default:
		return nil, topic.NewError(topic.CodeUnknownVerb, "unknown", string(cmd.Verb), "")
	}
}

// addressed gives the device that a command is for; those of keys name it in
// their arguments.
func addressed(cmd topic.Command) (topic.Device, error) {
	switch cmd.Verb {
	case topic.KeysTakeover:
		var a topic.KeysTakeoverArgs
		if err := cmd.DecodeArgs(&a); err != nil || len(a.Devices) != 1 {
			return "", topic.NewError(topic.CodeBadArgs, "one device is wanted", string(cmd.Verb), "")
		}
		return a.Devices[0], nil
	case topic.KeysRollback:
		var a topic.KeysRollbackArgs
		if err := cmd.DecodeArgs(&a); err != nil || len(a.Devices) != 1 {
			return "", topic.NewError(topic.CodeBadArgs, "one device is wanted", string(cmd.Verb), "")
		}
		return a.Devices[0], nil
	default:
	}
	if cmd.Device == "" {
		return topic.CHF, nil
	}
	return cmd.Device, nil
}
