package mac

import (
	"encoding/binary"
	"fmt"

	"smets1/internal/wire"
	"smets1/zigbee/internal/le"
)

// Superframe is the superframe specification of a beacon.
//
//	0-3 beacon order, 4-7 superframe order (15 both: no beacons unasked), 8-11 final CAP slot, 12 battery extension,
//	14 PAN coordinator, 15 association permitted
type Superframe uint16

// NonBeacon is the superframe of every ZigBee network: no superframe at all.
const NonBeacon Superframe = 0x0FFF

const (
	superframeCoordinator Superframe = 1 << 14
	superframePermit      Superframe = 1 << 15
)

// With sets who sends the beacon and whether joining is open.
func (s Superframe) With(coordinator, permit bool) Superframe {
	s &^= superframeCoordinator | superframePermit
	if coordinator {
		s |= superframeCoordinator
	}
	if permit {
		s |= superframePermit
	}
	return s
}

// Coordinator tells whether the PAN coordinator sent it.
func (s Superframe) Coordinator() bool { return s&superframeCoordinator != 0 }

// AssociationPermitted tells whether joining is open.
func (s Superframe) AssociationPermitted() bool { return s&superframePermit != 0 }

// Beacon is the payload of a beacon frame without guaranteed time slots, which ZigBee does not use.
//
//	superframe(2) gts(1)=00 pending(1): n short 0-2, m extended 4-6; short(2n) extended(8m) payload
type Beacon struct {
	Superframe      Superframe
	PendingShort    []uint16
	PendingExtended []wire.EUI64
	// Payload belongs to the layer above, see [BeaconPayload]. A parsed one aliases the input.
	Payload []byte
}

const maxPending = 7

// AppendBinary appends the beacon as the payload of a frame.
func (m Beacon) AppendBinary(b []byte) ([]byte, error) {
	if len(m.PendingShort)+len(m.PendingExtended) > maxPending {
		return b, fmt.Errorf("mac: beacon with %d pending addresses, there is room for %d: %w", len(m.PendingShort)+len(m.PendingExtended), maxPending, ErrFormat)
	}
	b = binary.LittleEndian.AppendUint16(b, uint16(m.Superframe))
	b = append(b, 0, byte(len(m.PendingShort))|byte(len(m.PendingExtended))<<4)
	for _, s := range m.PendingShort {
		b = binary.LittleEndian.AppendUint16(b, s)
	}
	for _, e := range m.PendingExtended {
		b = le.AppendEUI64(b, e)
	}
	return append(b, m.Payload...), nil
}

// ParseBeacon reads the payload of a beacon frame.
func ParseBeacon(b []byte) (m Beacon, n int, err error) {
	r := wire.NewReader(b)
	m.Superframe = Superframe(r.LE16())
	if gts := r.U8(); gts != 0 {
		r.Fail(fmt.Errorf("mac: beacon with guaranteed time slots (%02X): %w", gts, ErrFormat))
	}
	p := r.U8()
	short, extended := int(p&7), int(p>>4&7)
	if p&0x88 != 0 || short+extended > maxPending {
		r.Fail(fmt.Errorf("mac: pending address specification %02X: %w", p, ErrFormat))
	}
	for range short {
		m.PendingShort = append(m.PendingShort, r.LE16())
	}
	for range extended {
		m.PendingExtended = append(m.PendingExtended, le.EUI64(&r))
	}
	m.Payload = r.Rest()
	return m, r.Offset(), r.Err()
}

// BeaconPayload is what ZigBee puts into a beacon: how a network is recognised before joining (ZigBee specification,
// clause 3.6.7; published).
//
//	protocol(1)=00 capabilities(2) extendedPAN(8) txOffset(3)=FFFFFF updateID(1)
//	capabilities: 0-3 stack profile, 4-7 protocol version, 10 router capacity, 11-14 depth, 15 end-device capacity
type BeaconPayload struct {
	StackProfile      uint8 // 2: ZigBee PRO
	ProtocolVersion   uint8 // 2
	RouterCapacity    bool
	Depth             uint8 // 0 to 15
	EndDeviceCapacity bool
	// ExtendedPAN is the network's 64-bit name.
	ExtendedPAN wire.EUI64
	TxOffset    uint32 // FFFFFF where no beacons are sent unasked
	UpdateID    uint8
}

// NoTxOffset is the TxOffset of networks without superframes.
const NoTxOffset = 0xFFFFFF

// AppendBinary appends the 15 octets.
func (m BeaconPayload) AppendBinary(b []byte) ([]byte, error) {
	if m.StackProfile > 15 || m.ProtocolVersion > 15 || m.Depth > 15 || m.TxOffset > NoTxOffset {
		return b, fmt.Errorf("mac: beacon payload: profile %d, version %d, depth %d or offset %d does not fit its field: %w", m.StackProfile, m.ProtocolVersion, m.Depth, m.TxOffset, ErrFormat)
	}
	c := uint16(m.StackProfile) | uint16(m.ProtocolVersion)<<4 | uint16(m.Depth)<<11
	if m.RouterCapacity {
		c |= 1 << 10
	}
	if m.EndDeviceCapacity {
		c |= 1 << 15
	}
	b = append(b, 0)
	b = binary.LittleEndian.AppendUint16(b, c)
	b = le.AppendEUI64(b, m.ExtendedPAN)
	b = le.AppendUint(b, uint64(m.TxOffset), 3)
	return append(b, m.UpdateID), nil
}

// ParseBeaconPayload reads the payload of a ZigBee beacon; another protocol's gives an error that wraps ErrFormat.
func ParseBeaconPayload(b []byte) (m BeaconPayload, n int, err error) {
	r := wire.NewReader(b)
	if id := r.U8(); id != 0 {
		r.Fail(fmt.Errorf("mac: beacon of protocol %02X, not ZigBee: %w", id, ErrFormat))
	}
	c := r.LE16()
	if c&(3<<8) != 0 {
		r.Fail(fmt.Errorf("mac: beacon capabilities %04X have reserved bits set: %w", c, ErrFormat))
	}
	m.StackProfile, m.ProtocolVersion = uint8(c&15), uint8(c>>4&15)
	m.RouterCapacity, m.Depth, m.EndDeviceCapacity = c&(1<<10) != 0, uint8(c>>11&15), c&(1<<15) != 0
	m.ExtendedPAN = le.EUI64(&r)
	m.TxOffset = r.LE24()
	m.UpdateID = r.U8()
	return m, r.Offset(), r.Err()
}
