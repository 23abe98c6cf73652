package engine

import (
	"context"
	"time"

	"smets1/gateway/topic"
	"smets1/internal/wire"
	"smets1/migration/document"
)

// deviceTests are steps 18 to 23, in the order in which they are run on a
// home: is it who, what and where the files say, and do the keys on record
// open it.
var deviceTests = []struct {
	name string
	only document.DeviceType // empty: every device
	run  func(*Engine, context.Context, *home, document.Device) (*failure, error)
}{
	{"wake", document.CHF, (*Engine).testWake},
	{"identity and firmware", "", (*Engine).testIdentity},
	{"clock", "", (*Engine).testClock},
	{"keys", "", (*Engine).testKeys},
	{"answers over the HAN", document.GSME, (*Engine).testGas},
}

// test is device testing. It stops at the first test that is not passed.
func (e *Engine) test(ctx context.Context, h *home) (*failure, error) {
	h.Evidence.Checks = nil
	for _, t := range deviceTests {
		for _, d := range h.devices() {
			if t.only != "" && t.only != d.Type {
				continue
			}
			began := e.cfg.Clock.Now()
			f, err := t.run(e, ctx, h, d)
			if err != nil {
				return nil, err
			}
			e.check(h, d, t.name, began, f)
			if f != nil {
				return f, e.journal.save(ctx, h.Record)
			}
		}
	}
	return nil, e.journal.save(ctx, h.Record)
}

func (e *Engine) testWake(ctx context.Context, h *home, _ document.Device) (*failure, error) {
	err := e.ask(ctx, h, "test/wake", topic.Wake, "", topic.WakeArgs{TimeoutSeconds: e.cfg.WakeTimeout.Seconds()}, nil)
	return e.verdict(h, "test/wake", err, "XVB01", nil)
}

// testCodes is what a device's silence or refusal means while it is tested.
func testCodes(d document.Device) map[topic.Code]string {
	c := map[topic.Code]string{topic.CodeKeyRefused: "XVB05", topic.CodeKeyUnknown: "XVB05", topic.CodeWrongDevice: "XVB02"}
	if d.Type == document.GSME {
		c[topic.CodeHANSilent] = "GT01"
	}
	return c
}

func (e *Engine) testIdentity(ctx context.Context, h *home, d document.Device) (*failure, error) {
	step := "test/identify/" + string(role(d.Type))
	var id topic.IdentifyResult
	err := e.ask(ctx, h, step, topic.Identify, role(d.Type), topic.IdentifyArgs{}, &id)
	if err == nil && len(id.Devices) == 1 {
		err = id.Devices[0].Err()
	}
	if f, err := e.verdict(h, step, err, "XVB02", testCodes(d)); f != nil || err != nil {
		return f, err
	}
	if len(id.Devices) != 1 {
		return failed("XVB02", "the gateway named %d devices for %s", len(id.Devices), role(d.Type)), nil
	}
	got := id.Devices[0]
	for _, c := range []struct{ what, file, read string }{
		{"EUI-64", d.ID.String(), got.EUI.String()}, {"manufacturer", d.Manufacturer, got.Manufacturer}, {"model", d.Model, got.Model},
		{"serial number", d.Serial, got.Serial}, {"meter point", string(d.MPxN), got.MPxN},
	} {
		if c.file != "" && c.file != c.read {
			return failed("XVB02", "%s: %s is %q on the device and %q in the file", role(d.Type), c.what, c.read, c.file), nil
		}
	}
	// The file says what the preparation read back.
	ev := h.evidence(d.ID, d.Type)
	if ev.Firmware != "" && got.Firmware != ev.Firmware {
		return failed("XVB03", "%s: firmware is %q on the device and %q in the file", role(d.Type), got.Firmware, ev.Firmware), nil
	}
	ev.Firmware = got.Firmware
	return nil, nil
}

// clockTolerance is how far a meter's clock may be off after it was set
// (step 21; ours, after the ten seconds of SMETS1 as recalled).
const clockTolerance = 10 * time.Second

func (e *Engine) testClock(ctx context.Context, h *home, d document.Device) (*failure, error) {
	step := "test/clock/" + string(role(d.Type))
	var r topic.ClockResult
	err := e.ask(ctx, h, step, topic.ClockSync, role(d.Type), topic.ClockSyncArgs{ToleranceSeconds: clockTolerance.Seconds()}, &r)
	if err == nil && len(r.Clocks) == 1 {
		err = r.Clocks[0].Err()
	}
	if f, err := e.verdict(h, step, err, "XVB04", testCodes(d)); f != nil || err != nil {
		return f, err
	}
	for _, c := range r.Clocks {
		if off := c.OffsetSeconds; off > clockTolerance.Seconds() || off < -clockTolerance.Seconds() {
			return failed("XVB04", "%s: %.1f s off after it was set", c.Device, off), nil
		}
	}
	return nil, nil
}

// testKeys proves the current set on a device (step 23). In this set-up one
// set serves S1SP and DCO, and one association proves it for both.
func (e *Engine) testKeys(ctx context.Context, h *home, d document.Device) (*failure, error) {
	return e.prove(ctx, h, "test/keys/"+string(role(d.Type)), d, "XVB05")
}

// prove asks which stored set opens a device; anything but the current one is
// a failure.
func (e *Engine) prove(ctx context.Context, h *home, step string, d document.Device, code string) (*failure, error) {
	var r topic.KeysResult
	err := e.ask(ctx, h, step, topic.KeysProve, role(d.Type), topic.KeysProveArgs{}, &r)
	k, found := keysOf(r, d.ID)
	if err == nil && found {
		err = k.Err()
	}
	codes := testCodes(d)
	codes[topic.CodeKeyRefused], codes[topic.CodeKeyUnknown] = code, code
	if f, err := e.verdict(h, step, err, code, codes); f != nil || err != nil {
		return f, err
	}
	if k.Set != "current" {
		return failed(code, "%s: opened by the %s set and not by the current one", role(d.Type), k.Set), nil
	}
	ev := h.evidence(d.ID, d.Type)
	ev.KeyVersion, ev.Fingerprint = k.Version, k.Fingerprint
	return nil, nil
}

func keysOf(r topic.KeysResult, id wire.EUI64) (topic.KeysDevice, bool) {
	for _, k := range r.Devices {
		if k.EUI == id {
			return k, true
		}
	}
	return topic.KeysDevice{}, false
}

func (e *Engine) testGas(ctx context.Context, h *home, d document.Device) (*failure, error) {
	var r topic.HANCheckResult
	err := e.ask(ctx, h, "test/han", topic.HANCheck, topic.GSME, topic.HANCheckArgs{}, &r)
	if err == nil && len(r.Devices) == 1 {
		err = r.Devices[0].Err()
	}
	return e.verdict(h, "test/han", err, "GT01", testCodes(d))
}
