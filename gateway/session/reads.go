package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"smets1/dlms/axdr"
	"smets1/dlms/client"
	"smets1/dlms/cosem"
	"smets1/firmware"
	"smets1/internal/wire"
)

// Identity is what a device says it is. What it does not say is empty.
type Identity struct {
	EUI          wire.EUI64
	Type         firmware.DeviceType
	Manufacturer string
	Model        string
	Hardware     string
	Firmware     string
	Serial       string
	MPxN         string // MPAN or MPRN
	PaymentMode  string // credit or prepayment
}

// firmwareName is where a type of device tells its version.
func firmwareName(t firmware.DeviceType) cosem.OBIS {
	if t == firmware.Hub {
		return NameHubFirmware
	}
	return NameMeterFirmware
}

// ErrWrongDevice: who answered is not who was addressed.
var ErrWrongDevice = errors.New("another device answered")

// Identify reads what a device says it is, and checks that it is the one that was
// addressed: ErrWrongDevice if not.
func (s *Session) Identify(ctx context.Context, device wire.EUI64) (Identity, error) {
	kind, err := s.DeviceType(device)
	if err != nil {
		return Identity{}, err
	}
	names := []cosem.OBIS{NameEUI, NameManufacturer, NameModel, NameHardware, firmwareName(kind), NameSerial}
	if kind == firmware.ESME || kind == firmware.GSME {
		names = append(names, NameMPxN, NamePaymentMode)
	}
	items := make([]client.GetItem, len(names))
	for i, n := range names {
		items[i].Attribute = value(n)
	}
	id := Identity{Type: kind}
	err = s.Do(ctx, device, func(ctx context.Context, a *Association) error {
		results, err := a.GetList(ctx, items...)
		if err != nil {
			return err
		}
		for i, r := range results {
			if r.Err != nil {
				continue // an object that this make does not have
			}
			if err := id.take(names[i], r.Data); err != nil {
				return fmt.Errorf("session: device %s, %s: %w", device, names[i], err)
			}
		}
		return nil
	})
	if err != nil {
		return Identity{}, err
	}
	if id.EUI.IsZero() {
		id.EUI = device // it does not say; its system title was checked
	}
	if id.EUI != device {
		return id, fmt.Errorf("session: device %s: it says it is %s: %w", device, id.EUI, ErrWrongDevice)
	}
	return id, nil
}

func (id *Identity) take(name cosem.OBIS, data []byte) error {
	v, err := axdr.ParseAll(data)
	if err != nil {
		return err
	}
	switch name {
	case NameEUI:
		b, err := v.AsBytes()
		if err != nil {
			return err
		}
		if len(b) != len(id.EUI) {
			return fmt.Errorf("an EUI-64 of %d octets", len(b))
		}
		id.EUI = wire.EUI64(b)
		return nil
	case NamePaymentMode:
		n, err := v.AsEnum()
		if err != nil {
			return err
		}
		id.PaymentMode = paymentMode(n)
		return nil
	}
	s, err := v.AsString()
	if err != nil {
		return err
	}
	switch name {
	case NameManufacturer:
		id.Manufacturer = s
	case NameModel:
		id.Model = s
	case NameHardware:
		id.Hardware = s
	case NameSerial:
		id.Serial = s
	case NameMPxN:
		id.MPxN = s
	default:
		id.Firmware = s
	}
	return nil
}

// paymentMode names the account mode of class 111 (Blue Book).
func paymentMode(n uint8) string {
	switch n {
	case 1:
		return "credit"
	case 2:
		return "prepayment"
	}
	return fmt.Sprintf("mode %d", n)
}

// Firmware reads the version a device runs.
func (s *Session) Firmware(ctx context.Context, device wire.EUI64) (version string, err error) {
	kind, err := s.DeviceType(device)
	if err != nil {
		return "", err
	}
	err = s.Do(ctx, device, func(ctx context.Context, a *Association) error {
		version, err = a.GetString(ctx, value(firmwareName(kind)))
		return err
	})
	return version, err
}

// ClockReading is a device's time and how far it is ahead of the gateway's, at the
// middle of the exchange.
type ClockReading struct {
	Time   time.Time
	Offset time.Duration
	Status axdr.ClockStatus
}

// Clock reads the clock of a device.
func (s *Session) Clock(ctx context.Context, device wire.EUI64) (r ClockReading, err error) {
	err = s.Do(ctx, device, func(ctx context.Context, a *Association) error {
		before := s.c.Clock.Now()
		t, status, err := a.Clock(ctx)
		if err != nil {
			return err
		}
		after := s.c.Clock.Now()
		middle := before.Add(after.Sub(before) / 2)
		r = ClockReading{Time: t, Offset: t.Sub(middle), Status: status}
		return nil
	})
	return r, err
}

// SetClock sets the clock of a device to the gateway's.
func (s *Session) SetClock(ctx context.Context, device wire.EUI64) error {
	return s.Do(ctx, device, func(ctx context.Context, a *Association) error {
		return a.SetClock(ctx, s.c.Clock.Now())
	})
}

// HANDevices reads the hub's list of the devices on its HAN (ours).
func (s *Session) HANDevices(ctx context.Context) (list []Device, err error) {
	err = s.Do(ctx, s.hub.EUI, func(ctx context.Context, a *Association) error {
		v, err := a.GetAxdr(ctx, value(NameHANDevices))
		if err != nil {
			return err
		}
		list, err = parseHANDevices(v)
		return err
	})
	return list, err
}

func parseHANDevices(v axdr.Value) ([]Device, error) {
	items, err := v.AsArray()
	if err != nil {
		return nil, fmt.Errorf("session: HAN device list: %w", err)
	}
	list := make([]Device, 0, len(items))
	for i, item := range items {
		f, err := item.AsStructure(3)
		if err != nil {
			return nil, fmt.Errorf("session: HAN device list, entry %d: %w", i+1, err)
		}
		eui, err := f[0].AsBytes()
		if err != nil || len(eui) != len(wire.EUI64{}) {
			return nil, fmt.Errorf("session: HAN device list, entry %d: the EUI-64 has %d octets (%w)", i+1, len(eui), axdr.ErrLength)
		}
		kind, err := f[1].AsEnum()
		if err != nil {
			return nil, fmt.Errorf("session: HAN device list, entry %d: %w", i+1, err)
		}
		model, err := f[2].AsString()
		if err != nil {
			return nil, fmt.Errorf("session: HAN device list, entry %d: %w", i+1, err)
		}
		list = append(list, Device{EUI: wire.EUI64(eui), Type: firmware.DeviceType(kind), Model: model})
	}
	return list, nil
}

// Endpoint reads where the hub calls: the first of its destinations, empty if it
// has none.
func (s *Session) Endpoint(ctx context.Context) (endpoint string, err error) {
	err = s.Do(ctx, s.hub.EUI, func(ctx context.Context, a *Association) error {
		v, err := a.GetAxdr(ctx, destinations)
		if err != nil {
			return err
		}
		items, err := v.AsArray()
		if err != nil {
			return fmt.Errorf("session: destinations of hub %s: %w", s.hub.EUI, err)
		}
		endpoint = ""
		if len(items) > 0 {
			endpoint, err = items[0].AsString()
		}
		return err
	})
	return endpoint, err
}

// SetEndpoint makes the hub call one destination, host:port.
func (s *Session) SetEndpoint(ctx context.Context, endpoint string) error {
	return s.Do(ctx, s.hub.EUI, func(ctx context.Context, a *Association) error {
		return a.SetAxdr(ctx, destinations, axdr.Array(axdr.Octets([]byte(endpoint))))
	})
}

var destinations = cosem.Attribute{Class: cosem.ClassAutoConnect, Instance: NameAutoConnect, ID: 6}
