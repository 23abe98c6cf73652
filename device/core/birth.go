package core

import (
	"fmt"
	"time"

	"smets1/device/profile"
	"smets1/dlms/security"
	"smets1/firmware"
	"smets1/internal/wire"
)

// Kind says what a device is, with the numbers that images and the hub's device list use.
type Kind = firmware.DeviceType

// Birth is how a device left the depot. All of it follows from the manifest and
// the seed, so it is derived again at every start and stored nowhere.
type Birth struct {
	Kind    Kind
	EUI     wire.EUI64
	Serial  string
	MPxN    string // MPAN of an ESME, MPRN of a GSME, empty for the others
	Profile *profile.Profile
	Make    *profile.Device // the device's part of Profile

	Keys       security.KeySet
	Firmware   string        // version it runs
	ClockError time.Duration // at Start; positive is ahead
	Prepayment bool
	Start      time.Time // start of the simulation
	Source     *Clock    // that the device's clock follows; nil: none

	// Secret feeds the challenges that the device sends; it differs per device.
	Secret [32]byte
}

// Title is the device's DLMS system title.
func (b *Birth) Title() security.SystemTitle { return b.Make.Title(b.EUI) }

// LogicalName is the logical device name: the FLAG id and thirteen digits and
// letters of the device, 16 characters as the Blue Book has it.
func (b *Birth) LogicalName() string {
	return fmt.Sprintf("%s%d%X", b.Make.Flag, b.Kind, b.EUI[2:])
}
