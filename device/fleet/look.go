package fleet

import (
	"fmt"
	"time"

	"smets1/device/core"
	"smets1/device/ihd"
	"smets1/device/meter"
	"smets1/device/prepay"
)

// Screen is what the display of a home shows; a home without one has none.
func (f *Fleet) Screen(name string) (s ihd.Screen, err error) {
	err = f.withName(name, func(h *home, now time.Time) error {
		if h.display == nil {
			return fmt.Errorf("fleet: home %s has no display", name)
		}
		s = ihd.Look(now, h.esme, h.gsme)
		s.Home, s.Model = name, h.display.Make.Manufacturer+" "+h.display.Make.Model
		s.Connected = h.esme.On(now) && !h.esme.Silent() && h.hub.Allowed(h.display.EUI)
		if h.radio == nil {
			return nil
		}
		// What came over the air is what a display knows.
		shown, ok := h.radio.Shown()
		s.Connected = s.Connected && ok && now.Sub(shown.ElectricityAt) < unheard
		return nil
	})
	return s, err
}

// unheard is after how long without a reading a display says that it has no signal (ours).
const unheard = 10 * time.Minute

// meter gives a meter of a home by word.
func (h *home) meter(device string) (*meter.Meter, error) {
	switch {
	case device == "esme":
		return &h.esme.Meter, nil
	case device == "gsme" && h.gsme != nil:
		return &h.gsme.Meter, nil
	default:
		return nil, fmt.Errorf("fleet: home %s has no meter %q: esme or gsme", h.name, device)
	}
}

// A Press is what a person does at a meter or display.
type Press struct {
	Device string `json:"device"` // esme or gsme
	// Key is code (with Code), emergency for emergency credit, or on to switch on an armed supply; or cover, terminal,
	// battery or magnet for one who tampers.
	Key  string `json:"key"`
	Code string `json:"code,omitzero"`
	// Display: the code is entered at the display and not at the meter.
	Display bool `json:"display,omitzero"`
}

// tampers are what a person does to a meter who should not.
var tampers = map[string]core.Event{
	"cover": core.EventTamperCover, "terminal": core.EventTamperTerminal, "battery": core.EventTamperBattery, "magnet": core.EventTamperMagnet,
}

// Press does what a person does, and tells what the meter shows.
func (f *Fleet) Press(name string, p Press) (shown string, err error) {
	err = f.withName(name, func(h *home, now time.Time) error {
		m, err := h.meter(p.Device)
		if err != nil {
			return err
		}
		if !m.On(now) {
			return fmt.Errorf("fleet: the %s of home %s has no power", p.Device, name)
		}
		switch p.Key {
		case "code":
			from := meter.Keypad
			if p.Display {
				from = meter.PPMID
			}
			_, why := m.EnterCode(now, p.Code, from)
			shown = fmt.Sprintf("%v; credit %s", why, ihd.Money(m.Balance(now)))
		case "emergency":
			shown = "emergency credit is not to be had"
			if m.ActivateEmergency(now) {
				shown = "emergency credit " + ihd.Money(m.At(now).Account.Emergency)
			}
		case "on":
			shown = "the supply is not ready"
			if m.SwitchOn(now) {
				shown = "the supply is on"
			}
		default:
			what, ok := tampers[p.Key]
			if !ok {
				return fmt.Errorf("fleet: there is no key %q: code, emergency or on; cover, terminal, battery or magnet", p.Key)
			}
			m.Tamper(now, what, false)
			shown = what.String()
		}
		if !h.flush(&m.Unit) {
			return fmt.Errorf("fleet: home %s: what the meter was told could not be made durable", name)
		}
		return nil
	})
	return shown, err
}

// Vend makes a top-up code for a meter, as whoever has its vending key does. A counter
// of 0 is the one after the highest that the meter has seen.
func (f *Fleet) Vend(name, device string, t prepay.Token) (code string, err error) {
	err = f.withName(name, func(h *home, now time.Time) error {
		m, err := h.meter(device)
		if err != nil {
			return err
		}
		if t.Counter == 0 {
			t.Counter = m.At(now).Window.Highest + 1
		}
		code, err = m.VendingKey().Code(t)
		return err
	})
	return code, err
}
