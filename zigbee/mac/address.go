package mac

import (
	"encoding/binary"
	"fmt"

	"smets1/internal/wire"
	"smets1/zigbee/internal/le"
)

// AddressMode says how a frame addresses a device.
type AddressMode uint8

// The addressing modes; 1 is reserved.
const (
	AddressNone     AddressMode = 0
	AddressShort    AddressMode = 2
	AddressExtended AddressMode = 3
)

// Short addresses and PAN identifiers with a meaning of their own.
const (
	Broadcast    uint16 = 0xFFFF // every device; as a PAN identifier every PAN
	NoShort      uint16 = 0xFFFE // associated, but addressed by EUI-64
	BroadcastPAN uint16 = 0xFFFF
)

// Address is one end of a frame.
type Address struct {
	Mode  AddressMode
	PAN   uint16 // of the frame; for a source it equals the destination's under PAN compression
	Short uint16 // with AddressShort
	EUI   wire.EUI64
}

// ShortAddress is a 16-bit address in a PAN.
func ShortAddress(pan, short uint16) Address {
	return Address{Mode: AddressShort, PAN: pan, Short: short}
}

// ExtendedAddress is an EUI-64 in a PAN.
func ExtendedAddress(pan uint16, e wire.EUI64) Address {
	return Address{Mode: AddressExtended, PAN: pan, EUI: e}
}

// String is PAN/address in hexadecimal.
func (a Address) String() string {
	switch a.Mode {
	case AddressShort:
		return fmt.Sprintf("%04X/%04X", a.PAN, a.Short)
	case AddressExtended:
		return fmt.Sprintf("%04X/%s", a.PAN, a.EUI)
	default:
		return "none"
	}
}

func (a *Address) append(b []byte) []byte {
	switch a.Mode {
	case AddressShort:
		return binary.LittleEndian.AppendUint16(b, a.Short)
	case AddressExtended:
		return le.AppendEUI64(b, a.EUI)
	default:
		return b
	}
}

func (a *Address) read(r *wire.Reader) {
	switch a.Mode {
	case AddressShort:
		a.Short = r.LE16()
	case AddressExtended:
		a.EUI = le.EUI64(r)
	default:
	}
}
