package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"smets1/gateway/topic"
	"smets1/internal/clock"
	"smets1/internal/store"
	"smets1/internal/wire"
	"smets1/migration/document"
)

// fakeGateway answers as a gateway does: an id that was seen before gets its
// stored result, and what happened to a home stays happened. It is at the
// contract's boundary, so nothing of the engine is bypassed.
type fakeGateway struct {
	clock *clock.Stepped

	mu      sync.Mutex
	homes   map[wire.EUI64]*fakeHome
	results map[string]topic.Result
	ran     map[string]int // executions by id
	// crash is called before and after each command; an error is the engine's
	// process dying there.
	crash func(where string) error
}

type fakeHome struct {
	devices   map[topic.Device]*fakeDevice
	noWAN     bool
	gasSilent bool
	wrongKey  topic.Device // opened by no stored set
	lapse     int          // take-overs of the hub that lapse
	endpoint  string
	takeovers map[topic.Device]int // completed
	// bend changes what comes of a command, for one fault at a time; the step is
	// the last part of the command's id.
	bend func(step string, out any, err error) (any, error)
}

type fakeDevice struct {
	doc      document.Device
	firmware string
	refuses  bool // every image
	owner    string
	version  uint32
}

func newFakeGateway(c *clock.Stepped, homes []document.Installation) *fakeGateway {
	g := &fakeGateway{clock: c, homes: map[wire.EUI64]*fakeHome{}, results: map[string]topic.Result{}, ran: map[string]int{}, crash: func(string) error { return nil }}
	for _, in := range homes {
		h := &fakeHome{devices: map[topic.Device]*fakeDevice{}, endpoint: "smso.example:4059", takeovers: map[topic.Device]int{}}
		for _, d := range in.Devices {
			h.devices[role(d.Type)] = &fakeDevice{doc: d, firmware: d.Firmware, owner: "SMSO", version: 1}
		}
		g.homes[in.ID] = h
	}
	return g
}

func (g *fakeGateway) Call(ctx context.Context, cmd topic.Command, _ func(topic.Progress)) (topic.Result, error) {
	if err := ctx.Err(); err != nil {
		return topic.Result{}, err
	}
	if err := g.crash("before " + cmd.ID); err != nil {
		return topic.Result{}, err
	}
	g.mu.Lock()
	res, seen := g.results[cmd.ID]
	if !seen {
		g.ran[cmd.ID]++
		out, err := g.run(cmd)
		if h := g.homes[cmd.Hub]; h != nil && h.bend != nil {
			out, err = h.bend(strings.Join(strings.Split(cmd.ID, "/")[3:], "/"), out, err)
		}
		res = topic.EndedBy(cmd, err, g.clock.Now())
		if err == nil && out != nil {
			res.Result, _ = json.Marshal(out)
		}
		g.results[cmd.ID] = res
	}
	g.mu.Unlock()
	if err := g.crash("after " + cmd.ID); err != nil {
		return topic.Result{}, err
	}
	return res, nil
}

func (g *fakeGateway) run(cmd topic.Command) (any, error) {
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
	if h.noWAN {
		return nil, topic.NewError(topic.CodeNoWAN, "the hub did not wake", cmd.Hub.String(), "check its SIM")
	}
	name := cmd.Device
	if name == "" {
		name = topic.CHF
	}
	switch cmd.Verb {
	case topic.KeysTakeover:
		var a topic.KeysTakeoverArgs
		if err := cmd.DecodeArgs(&a); err != nil {
			return nil, err
		}
		name = a.Devices[0]
	case topic.KeysRollback:
		var a topic.KeysRollbackArgs
		if err := cmd.DecodeArgs(&a); err != nil {
			return nil, err
		}
		name = a.Devices[0]
	default:
	}
	d := h.devices[name]
	if d == nil {
		return nil, topic.NewError(topic.CodeUnknownDev, "no such device", string(name), "")
	}
	bad := topic.Outcome{Code: topic.CodeOK}
	if name == topic.GSME && h.gasSilent {
		bad = topic.Outcome{Code: topic.CodeHANSilent, Message: topic.Message{What: "no answer over the HAN"}}
	}
	if name == h.wrongKey && cmd.Verb != topic.Wake && cmd.Verb != topic.Identify && cmd.Verb != topic.ConfigDigest && cmd.Verb != topic.ClockSync {
		bad = topic.Outcome{Code: topic.CodeKeyRefused, Message: topic.Message{What: "no stored set opens the device"}}
	}
	switch cmd.Verb {
	case topic.Wake:
		return topic.WakeResult{Attempts: 1}, nil
	case topic.Identify:
		return topic.IdentifyResult{Devices: []topic.DeviceIdentity{{Outcome: bad, Identity: topic.Identity{
			EUI: d.doc.ID, Role: name, Manufacturer: d.doc.Manufacturer, Model: d.doc.Model, Firmware: d.firmware, Serial: d.doc.Serial, MPxN: string(d.doc.MPxN),
		}}}}, nil
	case topic.ConfigDigest:
		return topic.ConfigDigestResult{Devices: []topic.ConfigDigestEntry{{Device: name, EUI: d.doc.ID, Outcome: bad, SHA256: strings.Repeat(fmt.Sprintf("%02x", d.doc.ID[7]), 32)}}}, nil
	case topic.ClockSync:
		return topic.ClockResult{Clocks: []topic.ClockReading{{Device: name, EUI: d.doc.ID, Outcome: bad, OffsetSeconds: 0.4}}}, nil
	case topic.HANCheck:
		return topic.HANCheckResult{Devices: []topic.HANDevice{{Device: name, EUI: d.doc.ID, Outcome: bad}}}, nil
	case topic.KeysProve:
		return topic.KeysResult{Devices: []topic.KeysDevice{{Device: name, EUI: d.doc.ID, Outcome: bad, Set: "current", Owner: d.owner, Version: d.version, Fingerprint: "A1B2C3D4"}}}, nil
	case topic.FirmwareUpgrade:
		if d.refuses {
			return nil, topic.NewError(topic.CodeFirmwareRefused, "bad digest", string(name), "")
		}
		var a topic.FirmwareUpgradeArgs
		if err := cmd.DecodeArgs(&a); err != nil {
			return nil, err
		}
		d.firmware = a.Version
		return topic.FirmwareUpgradeResult{Device: name, EUI: d.doc.ID, To: a.Version}, nil
	case topic.KeysTakeover:
		var a topic.KeysTakeoverArgs
		_ = cmd.DecodeArgs(&a)
		if name == topic.CHF && h.lapse > 0 {
			h.lapse--
			return nil, topic.NewError(topic.CodeKeyLapsed, "the hub lost power before the commit", string(name), "try again")
		}
		d.owner, d.version = a.Owner, d.version+1
		h.takeovers[name]++
		return topic.KeysResult{Devices: []topic.KeysDevice{{Device: name, EUI: d.doc.ID, Outcome: topic.Outcome{Code: topic.CodeOK}, Set: "current", Owner: d.owner, Version: d.version, Fingerprint: "A1B2C3D4", OldRefused: true}}}, nil
	case topic.KeysRollback:
		if d.owner != "SMSO" {
			d.owner, d.version = "SMSO", d.version+1
			h.takeovers[name]--
		}
		return topic.KeysResult{Devices: []topic.KeysDevice{{Device: name, EUI: d.doc.ID, Outcome: topic.Outcome{Code: topic.CodeOK}, Set: "current", Owner: d.owner, Version: d.version}}}, nil
	case topic.HubRepoint:
		var a topic.HubRepointArgs
		_ = cmd.DecodeArgs(&a)
		from := h.endpoint
		h.endpoint = a.Endpoint
		return topic.HubRepointResult{From: from, To: h.endpoint}, nil
	case topic.Read:
		return topic.ReadResult{Items: []topic.ReadValue{{Outcome: topic.Outcome{Code: topic.CodeOK}, Value: &topic.Value{}}}}, nil
	default:
		return nil, topic.NewError(topic.CodeUnknownVerb, "unknown", string(cmd.Verb), "")
	}
}

var errCrash = errors.New("the process dies here")

// dyingStore is a store whose writes die: the nth does not happen, or happens
// and is not told.
type dyingStore struct {
	store.Store
	die func(where string) error
}

func (s dyingStore) Bucket(ctx context.Context, name string, o store.Options) (store.Bucket, error) {
	b, err := s.Store.Bucket(ctx, name, o)
	return dyingBucket{b, s.die}, err
}

type dyingBucket struct {
	store.Bucket
	die func(where string) error
}

func (b dyingBucket) CompareAndSet(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	if err := b.die("before write " + key); err != nil {
		return 0, err
	}
	rev, err := b.Bucket.CompareAndSet(ctx, key, value, revision)
	if err == nil {
		err = b.die("after write " + key)
	}
	return rev, err
}

func (b dyingBucket) Put(ctx context.Context, key string, value []byte) (uint64, error) {
	if err := b.die("before write " + key); err != nil {
		return 0, err
	}
	rev, err := b.Bucket.Put(ctx, key, value)
	if err == nil {
		err = b.die("after write " + key)
	}
	return rev, err
}

// seeded is a source of octets for tests; never of keys that matter.
type seeded struct{ r *rand.ChaCha8 }

func newSeeded(s byte) seeded {
	var seed [32]byte
	seed[0] = s
	return seeded{rand.NewChaCha8(seed)}
}

func (s seeded) Read(b []byte) (int, error) { return s.r.Read(b) }

var began = time.Date(2019, 4, 8, 8, 0, 0, 0, time.UTC)
