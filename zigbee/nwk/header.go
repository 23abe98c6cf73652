package nwk

import (
	"encoding/binary"
	"errors"
	"fmt"

	"smets1/internal/wire"
	"smets1/zigbee/internal/le"
)

// Type of a NWK frame.
type Type uint8

// The frame types.
const (
	TypeData     Type = 0
	TypeCommand  Type = 1
	TypeInterPAN Type = 3
)

// ProtocolVersion is that of ZigBee PRO.
const ProtocolVersion = 2

// Broadcast addresses (ZigBee specification, table 3-69; published).
const (
	BroadcastAll             uint16 = 0xFFFF
	BroadcastRxOnWhenIdle    uint16 = 0xFFFD
	BroadcastRouters         uint16 = 0xFFFC
	BroadcastLowPowerRouters uint16 = 0xFFFB
	// Coordinator is the address of the network's first device, in a home the communications hub.
	Coordinator uint16 = 0x0000
)

// IsBroadcast tells whether an address means more than one device.
func IsBroadcast(a uint16) bool { return a >= 0xFFF8 }

// MaxRelays is the longest source route (nwkMaxSourceRoute).
const MaxRelays = 12

// MaxRadius is twice the deepest network of ZigBee PRO, what a frame starts with if nothing else is wanted.
const MaxRadius = 30

// ErrFormat: a frame that is not one of this layer.
var ErrFormat = errors.New("not a ZigBee PRO network frame")

// Discover says what a router does that has no route.
type Discover uint8

// The values of the discover-route field.
const (
	DiscoverSuppress Discover = 0
	DiscoverEnable   Discover = 1
	DiscoverForce    Discover = 3 // of earlier revisions
)

// SourceRoute lists the routers between source and destination, the one closest to the destination first.
type SourceRoute struct {
	Count, Index uint8 // Index is the next relay
	Relays       [MaxRelays]uint16
}

// Header is a NWK header (ZigBee specification, clause 3.3.1; published).
type Header struct {
	Type               Type
	Discover           Discover
	Secured            bool
	EndDeviceInitiator bool
	Dst, Src           uint16
	Radius, Sequence   uint8
	// DstEUI and SrcEUI are carried if the flags say so.
	HasDstEUI, HasSrcEUI bool
	DstEUI, SrcEUI       wire.EUI64
	// Multicast frames carry MulticastControl.
	Multicast        bool
	MulticastControl uint8
	HasRoute         bool
	Route            SourceRoute
}

const (
	fcfMulticast = 1 << 8
	fcfSecurity  = 1 << 9
	fcfRoute     = 1 << 10
	fcfDstEUI    = 1 << 11
	fcfSrcEUI    = 1 << 12
	fcfInitiator = 1 << 13
	fcfReserved  = 3 << 14
)

// AppendBinary appends the header without auxiliary header.
func (h Header) AppendBinary(b []byte) ([]byte, error) { return h.append(b) }

func (h *Header) append(b []byte) ([]byte, error) {
	if h.Type > 3 || h.Discover > 3 || h.Route.Count > MaxRelays {
		return b, fmt.Errorf("nwk: type %d, discovery %d or a source route of %d does not fit its field: %w", h.Type, h.Discover, h.Route.Count, ErrFormat)
	}
	c := uint16(h.Type) | ProtocolVersion<<2 | uint16(h.Discover)<<6
	for _, f := range [...]struct {
		set bool
		bit uint16
	}{{h.Multicast, fcfMulticast}, {h.Secured, fcfSecurity}, {h.HasRoute, fcfRoute}, {h.HasDstEUI, fcfDstEUI}, {h.HasSrcEUI, fcfSrcEUI}, {h.EndDeviceInitiator, fcfInitiator}} {
		if f.set {
			c |= f.bit
		}
	}
	b = binary.LittleEndian.AppendUint16(b, c)
	if h.Type == TypeInterPAN {
		return b, nil // the APS stub header follows at once
	}
	b = binary.LittleEndian.AppendUint16(b, h.Dst)
	b = binary.LittleEndian.AppendUint16(b, h.Src)
	b = append(b, h.Radius, h.Sequence)
	if h.HasDstEUI {
		b = le.AppendEUI64(b, h.DstEUI)
	}
	if h.HasSrcEUI {
		b = le.AppendEUI64(b, h.SrcEUI)
	}
	if h.Multicast {
		b = append(b, h.MulticastControl)
	}
	if h.HasRoute {
		b = append(b, h.Route.Count, h.Route.Index)
		for _, r := range h.Route.Relays[:h.Route.Count] {
			b = binary.LittleEndian.AppendUint16(b, r)
		}
	}
	return b, nil
}

// ParseHeader reads a header; n is where the auxiliary header or the payload begins.
func ParseHeader(b []byte) (h Header, n int, err error) {
	r := wire.NewReader(b)
	h.read(&r)
	return h, r.Offset(), r.Err()
}

func (h *Header) read(r *wire.Reader) {
	c := r.LE16()
	if r.Err() != nil {
		return
	}
	if c>>2&15 != ProtocolVersion || c&fcfReserved != 0 || c&3 == 2 {
		r.Fail(fmt.Errorf("nwk: frame control %04X: %w", c, ErrFormat))
		return
	}
	h.Type, h.Discover = Type(c&3), Discover(c>>6&3)
	h.Multicast, h.Secured, h.HasRoute = c&fcfMulticast != 0, c&fcfSecurity != 0, c&fcfRoute != 0
	h.HasDstEUI, h.HasSrcEUI, h.EndDeviceInitiator = c&fcfDstEUI != 0, c&fcfSrcEUI != 0, c&fcfInitiator != 0
	if h.Type == TypeInterPAN {
		return // the APS stub header follows at once
	}
	h.Dst, h.Src = r.LE16(), r.LE16()
	h.Radius, h.Sequence = r.U8(), r.U8()
	if h.HasDstEUI {
		h.DstEUI = le.EUI64(r)
	}
	if h.HasSrcEUI {
		h.SrcEUI = le.EUI64(r)
	}
	if h.Multicast {
		h.MulticastControl = r.U8()
	}
	if h.HasRoute {
		h.Route.Count, h.Route.Index = r.U8(), r.U8()
		if h.Route.Count > MaxRelays {
			r.Fail(fmt.Errorf("nwk: source route of %d relays, at most %d: %w", h.Route.Count, MaxRelays, ErrFormat))
			h.Route.Count = 0
		}
		for i := range int(h.Route.Count) {
			h.Route.Relays[i] = r.LE16()
		}
	}
}
