package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"smets1/internal/store"
	"smets1/internal/wire"
	"smets1/migration/document"
)

// inventory is the device inventory of the simulated data systems (DSP): its
// statuses and the region SMETS1 are DUIS's (published); what it refuses is
// ours. It shares nothing with the parties but its records.
type inventory struct{ bucket store.Bucket }

// entry is one device of the inventory.
type entry struct {
	Status       document.DeviceStatus `json:"status"`
	Type         document.DeviceType   `json:"type"`
	Installation wire.EUI64            `json:"installation"`
	S1SP         string                `json:"s1sp,omitempty"`
	CSPRegion    string                `json:"csp_region,omitempty"`
}

const (
	deviceKey = "inventory/"
	// regionSMETS1 is the region of a SMETS1 device (published).
	regionSMETS1 = "SMETS1"
)

// get finds a device.
func (v inventory) get(ctx context.Context, device wire.EUI64) (x entry, known bool, err error) {
	e, err := v.bucket.Get(ctx, deviceKey+device.String())
	if errors.Is(err, store.ErrNotFound) {
		return x, false, nil
	}
	if err == nil {
		err = json.Unmarshal(e.Value, &x)
	}
	if err != nil {
		return x, false, fmt.Errorf("engine: inventory: %s: %w", device, err)
	}
	return x, true, nil
}

func (v inventory) put(ctx context.Context, device wire.EUI64, x entry) error {
	b, err := json.Marshal(x)
	if err == nil {
		_, err = v.bucket.Put(ctx, deviceKey+device.String(), b)
	}
	if err != nil {
		return fmt.Errorf("engine: inventory: %s: %w", device, err)
	}
	return nil
}

// prenotify takes a device up as Pending (step 25). It refuses one that another
// installation has, or that is commissioned; the same again is no mistake.
func (v inventory) prenotify(ctx context.Context, device wire.EUI64, x entry) (refusal string, err error) {
	was, known, err := v.get(ctx, device)
	switch {
	case err != nil:
		return "", err
	case known && was.Installation != x.Installation:
		return fmt.Sprintf("%s %s is in the inventory with installation %s", x.Type, device, was.Installation), nil
	case known && was.Status != document.DevicePending:
		return "", nil // of this very home: a crash cut the step short
	}
	x.Status = document.DevicePending
	return "", v.put(ctx, device, x)
}

// commission takes a device into service (step 26): it must be Pending, and
// everything but a hub needs a hub in service.
func (v inventory) commission(ctx context.Context, device, hub wire.EUI64) (refusal string, err error) {
	x, known, err := v.get(ctx, device)
	switch {
	case err != nil:
		return "", err
	case !known:
		return fmt.Sprintf("%s was not pre-notified", device), nil
	case x.Status == document.DeviceCommissioned:
		return "", nil
	case x.Status != document.DevicePending:
		return fmt.Sprintf("%s %s is %s; only what is Pending can be commissioned", x.Type, device, x.Status), nil
	}
	if device != hub {
		if h, _, err := v.get(ctx, hub); err != nil || h.Status != document.DeviceCommissioned {
			return fmt.Sprintf("%s %s comes before its hub", x.Type, device), err
		}
	}
	x.Status, x.CSPRegion = document.DeviceCommissioned, regionSMETS1
	return "", v.put(ctx, device, x)
}

// forget takes out a device of an installation, in a roll-back.
func (v inventory) forget(ctx context.Context, device, installation wire.EUI64) error {
	x, known, err := v.get(ctx, device)
	if err != nil || !known || x.Installation != installation {
		return err
	}
	if err := v.bucket.Delete(ctx, deviceKey+device.String()); err != nil {
		return fmt.Errorf("engine: inventory: %s: %w", device, err)
	}
	return nil
}

// commissioned are the devices that a home has in the inventory, in the order
// in which they are commissioned: hub, electricity meter, gas proxy, gas meter,
// display. A SMETS1 hub's gas proxy is notional.
func (h *home) commissioned() []document.Device {
	var out []document.Device
	for _, d := range h.devices() {
		if d.Type == document.GSME {
			out = append(out, document.Device{Type: document.GPF, ID: notional(h.ID)})
		}
		out = append(out, d)
	}
	if d, ok := h.doc.Display(); ok {
		out = append(out, d)
	}
	return out
}

// enter has the commissioning party enter a home's devices.
func (e *Engine) enter(ctx context.Context, h *home) (*failure, error) {
	devices := h.commissioned()
	for _, d := range devices {
		refusal, err := e.inventory.prenotify(ctx, d.ID, entry{Type: d.Type, Installation: h.ID, S1SP: h.doc.S1SP})
		if err != nil {
			return nil, err
		}
		if refusal != "" {
			return failed("XCM01", "%s", refusal), nil
		}
	}
	for _, d := range devices {
		refusal, err := e.inventory.commission(ctx, d.ID, h.ID)
		if err != nil {
			return nil, err
		}
		if refusal != "" {
			return failed("XCM02", "%s", refusal), nil
		}
	}
	return nil, nil
}

// entered is the inventory's part of the post-checks (step 27).
func (e *Engine) entered(ctx context.Context, h *home) (*failure, error) {
	for _, d := range h.commissioned() {
		switch x, _, err := e.inventory.get(ctx, d.ID); {
		case err != nil:
			return nil, err
		case x.Status != document.DeviceCommissioned || x.CSPRegion != regionSMETS1 || x.S1SP != h.doc.S1SP:
			return failed("XCM03", "%s %s is in the inventory as %q, region %q, S1SP %q", d.Type, d.ID, x.Status, x.CSPRegion, x.S1SP), nil
		}
	}
	return nil, nil
}
