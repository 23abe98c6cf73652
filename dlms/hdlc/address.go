package hdlc

import (
	"errors"
	"fmt"
)

// ErrAddress: an address field of no valid length.
var ErrAddress = errors.New("address field is not 1, 2 or 4 bytes")

// Address is an HDLC address (IEC 62056-46, clause 6.4.2.2). A client has one byte: the client SAP in Upper. A server has
// one byte (Upper alone), two, or four: Upper is the logical device, Lower the physical one.
type Address struct {
	Upper, Lower uint16
	Size         uint8 // 1, 2 or 4 bytes on the wire
}

// Reserved addresses (recalled).
const (
	NoStation          = 0x00 // client or server: nobody
	ClientManagement   = 0x01 // client management process
	ClientPublic       = 0x10 // public client
	LogicalManagement  = 0x01 // management logical device
	AllStations        = 0x7F // upper: every logical device, lower: every physical device
	AllStationsLong    = 0x3FFF
	CallingStation     = 0x7E // lower: the server that calls
	CallingStationLong = 0x3FFE
)

// Client is a client's address.
func Client(sap uint8) Address { return Address{Upper: uint16(sap), Size: 1} }

// Server1 is a server's address of one byte.
func Server1(logical uint8) Address { return Address{Upper: uint16(logical), Size: 1} }

// Server2 is a server's address of two bytes.
func Server2(logical, physical uint8) Address {
	return Address{Upper: uint16(logical), Lower: uint16(physical), Size: 2}
}

// Server4 is a server's address of four bytes.
func Server4(logical, physical uint16) Address {
	return Address{Upper: logical, Lower: physical, Size: 4}
}

// IsBroadcast tells whether the address means every logical device, or every physical one.
func (a Address) IsBroadcast() bool {
	if a.Size == 4 {
		return a.Upper == AllStationsLong || a.Lower == AllStationsLong
	}
	return a.Upper == AllStations || (a.Size == 2 && a.Lower == AllStations)
}

// String is "16", "1/17" or "1/17 (4 bytes)".
func (a Address) String() string {
	switch a.Size {
	case 1:
		return fmt.Sprint(a.Upper)
	case 2:
		return fmt.Sprintf("%d/%d", a.Upper, a.Lower)
	}
	return fmt.Sprintf("%d/%d (%d bytes)", a.Upper, a.Lower, a.Size)
}

func (a Address) check() error {
	limit := uint16(0x7F)
	switch a.Size {
	case 1:
		if a.Lower != 0 {
			return fmt.Errorf("hdlc: address %d/%d does not fit one byte: use 2 or 4", a.Upper, a.Lower)
		}
	case 2:
	case 4:
		limit = 0x3FFF
	default:
		return fmt.Errorf("hdlc: address of %d bytes: %w", a.Size, ErrAddress)
	}
	if a.Upper > limit || a.Lower > limit {
		return fmt.Errorf("hdlc: address %v is out of range: %d bytes reach %d", a, a.Size, limit)
	}
	return nil
}

// AppendBinary appends the address field.
func (a Address) AppendBinary(b []byte) ([]byte, error) {
	if err := a.check(); err != nil {
		return b, err
	}
	return a.append(b), nil
}

func (a Address) append(b []byte) []byte {
	switch a.Size {
	case 1:
		return append(b, byte(a.Upper<<1)|1)
	case 2:
		return append(b, byte(a.Upper<<1), byte(a.Lower<<1)|1)
	}
	return append(b, byte(a.Upper>>7<<1), byte(a.Upper<<1), byte(a.Lower>>7<<1), byte(a.Lower<<1)|1)
}

// ParseAddress reads an address field and tells how many bytes it took.
func ParseAddress(b []byte) (Address, int, error) {
	n := 0
	for n < len(b) && n < 4 && b[n]&1 == 0 {
		n++
	}
	if n == len(b) || n == 4 {
		return Address{}, 0, ErrAddress
	}
	v := func(i int) uint16 { return uint16(b[i] >> 1) }
	switch n {
	case 0:
		return Address{Upper: v(0), Size: 1}, 1, nil
	case 1:
		return Address{Upper: v(0), Lower: v(1), Size: 2}, 2, nil
	case 3:
		return Address{Upper: v(0)<<7 | v(1), Lower: v(2)<<7 | v(3), Size: 4}, 4, nil
	}
	return Address{}, 0, ErrAddress
}
