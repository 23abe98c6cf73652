package engine

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/gateway/topic"
	"smets1/internal/wire"
	"smets1/migration/document"
	"smets1/migration/lifecycle"
)

// at bends the result of one step.
func at[R any](step string, change func(*R)) func(string, any, error) (any, error) {
	return func(s string, out any, err error) (any, error) {
		if r, ok := out.(R); ok && s == step {
			change(&r)
			out = r
		}
		return out, err
	}
}

// refuse has one step, or each whose name begins so, end with a code.
func refuse(step string, code topic.Code) func(string, any, error) (any, error) {
	return func(s string, out any, err error) (any, error) {
		if strings.HasPrefix(s, step) {
			return nil, topic.NewError(code, "refused by the test", s, "")
		}
		return out, err
	}
}

// Steps 18 to 28 of the checks: one thing is wrong with one home, and exactly
// the one code comes of it, at the state where the step belongs; the other home
// passes every step. (Steps 1 to 17: package document.)
func TestDeviceChecksFailAlone(t *testing.T) {
	identity := func(change func(*topic.DeviceIdentity)) func(string, any, error) (any, error) {
		return at("test/identify/esme", func(r *topic.IdentifyResult) { change(&r.Devices[0]) })
	}
	taken := func(e *Engine, h *home, d document.DeviceType) func(context.Context) error {
		return func(ctx context.Context) error {
			dev, _ := h.doc.Device(d)
			return e.inventory.put(ctx, dev.ID, entry{Status: document.DevicePending, Type: d, Installation: peerHub})
		}
	}
	for _, c := range []struct {
		step  int
		code  string
		name  string
		to    lifecycle.State // that the failure leads to
		bend  func(string, any, error) (any, error)
		spoil func(e *Engine, h *home) func(context.Context) error // at the first command of the commissioning
		also  string                                               // a second code that must follow from the first
	}{
		{18, "XVB01", "the hub does not wake", lifecycle.ViabilityFailed, refuse("test/wake", topic.CodeNoWAN), nil, ""},
		{19, "XVB02", "another serial number", lifecycle.ViabilityFailed, identity(func(d *topic.DeviceIdentity) { d.Serial = "X" }), nil, ""},
		{19, "XVB02", "another device", lifecycle.ViabilityFailed, identity(func(d *topic.DeviceIdentity) { d.EUI[7] ^= 1 }), nil, ""},
		{19, "XVB02", "another meter point", lifecycle.ViabilityFailed, identity(func(d *topic.DeviceIdentity) { d.MPxN = "1" }), nil, ""},
		{20, "XVB03", "another firmware", lifecycle.ViabilityFailed, identity(func(d *topic.DeviceIdentity) { d.Firmware = "9.99" }), nil, ""},
		{21, "XVB04", "the clock runs away", lifecycle.ViabilityFailed, at("test/clock/gsme", func(r *topic.ClockResult) { r.Clocks[0].OffsetSeconds = -10.1 }), nil, ""},
		{22, "GT01", "the gas meter is silent", lifecycle.ViabilityFailed, refuse("test/han", topic.CodeHANSilent), nil, ""},
		{23, "XVB05", "keys refused", lifecycle.ViabilityFailed, refuse("test/keys/esme", topic.CodeKeyRefused), nil, ""},
		{23, "XVB05", "an earlier set opens", lifecycle.ViabilityFailed, at("test/keys/chf", func(r *topic.KeysResult) { r.Devices[0].Set = "previous" }), nil, ""},
		{24, "XKR01", "no keys to stage", lifecycle.RotationFailed, refuse("keys/takeover/gsme", topic.CodeKeyUnknown), nil, ""},
		{24, "XKR02", "the new keys do not prove", lifecycle.RotationFailed, refuse("keys/takeover/esme", topic.CodeKeyRefused), nil, ""},
		{24, "XKR03", "the commit lapses", lifecycle.RotationFailed, refuse("keys/takeover/chf", topic.CodeKeyLapsed), nil, ""},
		{24, "XKR04", "the old keys still open", lifecycle.RotationFailed, at("keys/takeover/esme", func(r *topic.KeysResult) { r.Devices[0].OldRefused = false }), nil, ""},
		{24, "XKR05", "not read back", lifecycle.RotationFailed, refuse("keys/takeover/esme", topic.CodeVerify), nil, ""},
		{24, "XKR06", "not pointed to the new head end", lifecycle.CommissioningFailed, at("keys/repoint", func(r *topic.HubRepointResult) { r.To = "elsewhere:1" }), nil, ""},
		{25, "XCM01", "in the inventory with another home", lifecycle.CommissioningFailed, nil, func(e *Engine, h *home) func(context.Context) error { return taken(e, h, document.GSME) }, ""},
		{26, "XCM02", "cannot be commissioned", lifecycle.CommissioningFailed, nil, func(e *Engine, h *home) func(context.Context) error {
			return func(ctx context.Context) error {
				d, _ := h.doc.Device(document.ESME)
				return e.inventory.put(ctx, d.ID, entry{Status: document.DeviceWithdrawn, Type: d.Type, Installation: h.ID, S1SP: h.doc.S1SP})
			}
		}, ""},
		{27, "XCM03", "in the inventory with another service provider", lifecycle.CommissioningFailed, nil, func(e *Engine, h *home) func(context.Context) error {
			return func(ctx context.Context) error {
				return e.inventory.put(ctx, h.ID, entry{Status: document.DeviceCommissioned, Type: document.CHF, Installation: h.ID, S1SP: "OTHER", CSPRegion: regionSMETS1})
			}
		}, ""},
		{27, "XCM03", "a read is refused", lifecycle.CommissioningFailed, refuse("commission/read/gsme", topic.CodeAccess), nil, ""},
		{28, "XRB01", "the operator does not get it back", lifecycle.RollbackFailed, func(s string, out any, err error) (any, error) {
			out, err = refuse("keys/takeover/chf", topic.CodeKeyLapsed)(s, out, err)
			return refuse("rollback/prove/esme", topic.CodeKeyRefused)(s, out, err)
		}, nil, "XKR03"},
	} {
		t.Run(c.code+" "+c.name, func(t *testing.T) {
			w := newWorld(t, []homeKind{{name: "bad"}, {name: "good"}})
			bad := w.homes["bad"]
			w.gateway.homes[bad].bend = c.bend
			e, err := w.open(w.store)
			require.NoError(t, err)
			if c.spoil != nil {
				spoil := c.spoil(e, e.homes[bad])
				w.gateway.homes[bad].bend = func(step string, out any, err error) (any, error) {
					if step == "keys/repoint" {
						require.NoError(t, spoil(t.Context()))
					}
					return out, err
				}
			}
			require.NoError(t, e.RunUntil(t.Context(), began.AddDate(0, 0, 3).Truncate(24*time.Hour)))
			var codes []string
			for _, m := range e.homes[bad].Moves {
				if m.Code != "" && m.Attempt == 1 && !slices.Contains(codes, m.Code) {
					codes = append(codes, m.Code)
				}
				if m.Code == c.code {
					require.Equal(t, c.to, m.To, "%s: %s", m.Code, m.Detail)
					break
				}
			}
			want := []string{c.code}
			if c.also != "" {
				want = []string{c.also, c.code}
			}
			require.Equal(t, want, codes)
			require.Equal(t, lifecycle.Migrated, e.homes[w.homes["good"]].State(), "%s", e.homes[w.homes["good"]].LastFailure().Detail)
			require.Empty(t, e.homes[w.homes["good"]].LastFailure().Code)
			_, known := w.specs.Catalogue.Lookup(c.code)
			require.True(t, known)
			// Whatever went wrong, its operator has the home, or a person does.
			if c.step != 28 && c.code != "XKR04" {
				for name, d := range w.gateway.homes[bad].devices {
					require.Equal(t, "SMSO", d.owner, name)
				}
				for _, d := range e.homes[bad].commissioned() {
					x, known, err := e.inventory.get(t.Context(), d.ID)
					require.NoError(t, err)
					require.True(t, !known || x.Installation != bad, "%s is left in the inventory as %s", d.Type, x.Status)
				}
			}
		})
	}
}

// A device that stands in no order, or that nobody announced, is not
// commissioned, and what is asked twice is done once.
func TestInventoryKeepsTheOrder(t *testing.T) {
	w := newWorld(t, allKinds[:1])
	e, err := w.open(w.store)
	require.NoError(t, err)
	ctx, v := t.Context(), e.inventory
	hub, meter := peerHub, wire.EUI64{1}
	refusal, err := v.commission(ctx, meter, hub)
	require.NoError(t, err)
	require.Contains(t, refusal, "was not pre-notified")
	for range 2 {
		for id, kind := range map[wire.EUI64]document.DeviceType{hub: document.CHF, meter: document.ESME} {
			refusal, err = v.prenotify(ctx, id, entry{Type: kind, Installation: hub, S1SP: "CGI"})
			require.NoError(t, err)
			require.Empty(t, refusal)
		}
	}
	refusal, err = v.commission(ctx, meter, hub)
	require.NoError(t, err)
	require.Contains(t, refusal, "comes before its hub")
	for range 2 {
		for _, id := range []wire.EUI64{hub, meter} {
			refusal, err = v.commission(ctx, id, hub)
			require.NoError(t, err)
			require.Empty(t, refusal)
		}
	}
	require.NoError(t, v.forget(ctx, meter, meter))
	x, known, err := v.get(ctx, meter)
	require.NoError(t, err)
	require.True(t, known, "of another home: not forgotten")
	require.Equal(t, entry{document.DeviceCommissioned, document.ESME, hub, "CGI", "SMETS1"}, x)
	require.NoError(t, v.forget(ctx, meter, hub))
	_, known, err = v.get(ctx, meter)
	require.NoError(t, err)
	require.False(t, known)
}
