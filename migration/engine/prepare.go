package engine

import (
	"context"
	"encoding/hex"

	"smets1/gateway/topic"
	"smets1/migration/document"
)

// noWAN is what an unreachable hub means before a home is in any file.
var noWAN = map[topic.Code]string{topic.CodeNoWAN: "XPC04", topic.CodeHubSilent: "XPC04", topic.CodeLinkLost: "XPC04", topic.CodeKeyRefused: "XVB05", topic.CodeKeyUnknown: "XPC05", topic.CodeHANSilent: "GT01"}

// target finds the eligible combination that a home has, or that a firmware
// upgrade can give it (MA110; preconditions 1 and 2).
func (e *Engine) target(h *home, on document.Date) (document.EPCLEntry, *failure) {
	c := h.doc.Combination()
	entry, ok, why := e.in.EPCL.Match(c, on)
	if ok {
		return entry, nil
	}
	if to := e.in.EPCL.Targets(c, on); len(to) > 0 {
		return to[0], nil
	}
	return entry, failed("MA110", "%s", why)
}

func wanted(c document.Combination, t document.DeviceType) document.Model {
	switch t {
	case document.CHF:
		return c.CHF
	case document.ESME:
		return c.ESME
	case document.GSME:
		return c.GSME
	default:
		return c.Display
	}
}

// prepare brings a home to where it may be put into a file: reachable, of an
// eligible combination, at its firmware, with its configuration read back.
func (e *Engine) prepare(ctx context.Context, h *home) (*failure, error) {
	entry, f := e.target(h, document.DateOf(e.cfg.Clock.Now()))
	if f != nil {
		return f, nil
	}
	err := e.ask(ctx, h, "prepare/wake", topic.Wake, "", topic.WakeArgs{TimeoutSeconds: e.cfg.WakeTimeout.Seconds()}, nil)
	if f, err := e.verdict(h, "prepare/wake", err, "XPC04", noWAN); f != nil || err != nil {
		return f, err
	}
	if f, err := e.keysThere(ctx, h); f != nil || err != nil {
		return f, err
	}
	// Keys come before anything else that is asked of a home: without them no
	// answer of its can be trusted (precondition 5).
	for _, d := range h.devices() {
		if f, err := e.bringTo(ctx, h, d, wanted(entry.Combination, d.Type)); f != nil || err != nil {
			return f, err
		}
	}
	for _, d := range h.devices() {
		var digest topic.ConfigDigestResult
		step := "prepare/digest/" + string(role(d.Type))
		err := e.ask(ctx, h, step, topic.ConfigDigest, role(d.Type), topic.ConfigDigestArgs{}, &digest)
		if err == nil && len(digest.Devices) == 1 {
			err = digest.Devices[0].Err()
		}
		f, err := e.verdict(h, step, err, "XPC03", noWAN)
		if err != nil {
			return nil, err
		}
		if f != nil {
			if f.code == "GT01" && d.Type == document.GSME {
				continue // the device test that the programme has for this decides
			}
			return f, nil
		}
		if len(digest.Devices) == 1 {
			h.evidence(d.ID, d.Type).ConfigDigest = digest.Devices[0].SHA256
		}
	}
	return nil, e.journal.save(ctx, h.Record)
}

// bringTo reads a device's firmware and upgrades it if it is not the one that
// the eligible combination asks for.
func (e *Engine) bringTo(ctx context.Context, h *home, d document.Device, want document.Model) (*failure, error) {
	name := string(role(d.Type))
	var id topic.IdentifyResult
	step := "prepare/identify/" + name
	err := e.ask(ctx, h, step, topic.Identify, role(d.Type), topic.IdentifyArgs{}, &id)
	if err == nil && len(id.Devices) == 1 {
		err = id.Devices[0].Err()
	}
	f, err := e.verdict(h, step, err, "XVB02", noWAN)
	if err != nil {
		return nil, err
	}
	if f != nil {
		if f.code == "GT01" && d.Type == document.GSME && d.Firmware == want.Firmware {
			return nil, nil // no upgrade is due; the device test decides
		}
		return f, nil
	}
	if len(id.Devices) != 1 {
		return failed("XVB02", "the gateway named %d devices for %s", len(id.Devices), name), nil
	}
	has := id.Devices[0].Firmware
	h.evidence(d.ID, d.Type).Firmware = has
	if has == want.Firmware {
		return nil, nil
	}
	image, ok := e.in.Releases.Image(d.Type, want)
	if !ok {
		return failed("XFW03", "%s has %s; no release holds %s for %s %s", name, has, want.Firmware, want.Manufacturer, want.Model), nil
	}
	var up topic.FirmwareUpgradeResult
	step = "prepare/firmware/" + name
	err = e.ask(ctx, h, step, topic.FirmwareUpgrade, role(d.Type), topic.FirmwareUpgradeArgs{Image: hex.EncodeToString(image.SHA256[:]), Version: want.Firmware}, &up)
	f, err = e.verdict(h, step, err, "XFW02", map[topic.Code]string{
		topic.CodeFirmwareRefused: "XFW01", topic.CodeFirmwareUnknown: "XFW03", topic.CodeFirmwareMismatch: "XPC02",
		topic.CodeTimeout: "XFW02", topic.CodeNoWAN: "XPC04", topic.CodeHubSilent: "XPC04", topic.CodeLinkLost: "XPC04", topic.CodeHANSilent: "GT01",
	})
	if f != nil || err != nil {
		return f, err
	}
	if up.To != want.Firmware {
		return failed("XPC02", "%s reports %s after the upgrade to %s", name, up.To, want.Firmware), nil
	}
	h.evidence(d.ID, d.Type).Firmware = up.To
	return nil, nil
}
