// Package ihd is the in-home display: for now who it is. What it shows comes with
// the radio, over which it learns it. The package may change.
package ihd

import (
	"smets1/device/profile"
	"smets1/internal/wire"
)

// Display is an in-home display.
type Display struct {
	EUI      wire.EUI64
	Serial   string
	Make     *profile.Device
	Firmware string
}
