package aps

import (
	"encoding/binary"
	"errors"
	"fmt"

	"smets1/internal/wire"
)

// Type of an APS frame.
type Type uint8

// The frame types.
const (
	TypeData     Type = 0
	TypeCommand  Type = 1
	TypeAck      Type = 2
	TypeInterPAN Type = 3
)

// Delivery says whom a frame is for.
type Delivery uint8

// The delivery modes; 1 (indirect) is obsolete.
const (
	DeliveryUnicast   Delivery = 0
	DeliveryBroadcast Delivery = 2
	DeliveryGroup     Delivery = 3
)

// Fragmentation says which part of a message a frame is.
type Fragmentation uint8

// The values of the fragmentation field.
const (
	NotFragmented Fragmentation = 0
	FirstFragment Fragmentation = 1
	LaterFragment Fragmentation = 2
)

// EndpointZDO is the device object; EndpointBroadcast every endpoint.
const (
	EndpointZDO       uint8 = 0x00
	EndpointBroadcast uint8 = 0xFF
)

// ErrFormat: octets that are no frame of this layer.
var ErrFormat = errors.New("not a ZigBee APS frame")

const (
	fcfAckFormat = 1 << 4
	fcfSecurity  = 1 << 5
	fcfAckReq    = 1 << 6
	fcfExtended  = 1 << 7
)

// Header is an APS header (ZigBee specification, clause 2.2.5.1; published).
type Header struct {
	Type     Type
	Delivery Delivery
	// AckOfCommand marks an acknowledgement without addressing fields.
	AckOfCommand bool
	Secured      bool
	AckRequest   bool
	DstEndpoint  uint8  // not with DeliveryGroup
	Group        uint16 // with DeliveryGroup
	Cluster      uint16
	Profile      uint16
	SrcEndpoint  uint8
	Counter      uint8
	// Extended header: present if Extended.
	Extended      bool
	Fragmentation Fragmentation
	Block         uint8 // number of blocks in the first fragment, index (from 1) in later ones; the window's first block in an ack
	Bitmap        uint8 // in acks of fragments: bit n is block Block+n
}

func (h *Header) addressed() bool {
	return h.Type == TypeData || h.Type == TypeAck && !h.AckOfCommand || h.Type == TypeInterPAN
}

// AppendBinary appends the header without auxiliary header.
func (h Header) AppendBinary(b []byte) ([]byte, error) { return h.append(b) }

func (h *Header) append(b []byte) ([]byte, error) {
	if h.Type > 3 || h.Delivery > 3 || h.Delivery == 1 || h.Fragmentation > LaterFragment || h.AckOfCommand && h.Type != TypeAck {
		return b, fmt.Errorf("aps: type %d, delivery %d and fragmentation %d do not go together: %w", h.Type, h.Delivery, h.Fragmentation, ErrFormat)
	}
	c := byte(h.Type) | byte(h.Delivery)<<2
	if h.AckOfCommand {
		c |= fcfAckFormat
	}
	if h.Secured {
		c |= fcfSecurity
	}
	if h.AckRequest {
		c |= fcfAckReq
	}
	if h.Extended {
		c |= fcfExtended
	}
	b = append(b, c)
	if h.addressed() {
		switch {
		case h.Delivery == DeliveryGroup:
			b = binary.LittleEndian.AppendUint16(b, h.Group)
		case h.Type != TypeInterPAN:
			b = append(b, h.DstEndpoint)
		}
		b = binary.LittleEndian.AppendUint16(b, h.Cluster)
		b = binary.LittleEndian.AppendUint16(b, h.Profile)
		if h.Type == TypeInterPAN {
			return b, nil // no endpoint, no counter, no security
		}
		b = append(b, h.SrcEndpoint)
	}
	b = append(b, h.Counter)
	if h.Extended {
		b = append(b, byte(h.Fragmentation))
		if h.Fragmentation != NotFragmented {
			b = append(b, h.Block)
			if h.Type == TypeAck {
				b = append(b, h.Bitmap)
			}
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
	c := r.U8()
	if r.Err() != nil {
		return
	}
	h.Type, h.Delivery = Type(c&3), Delivery(c>>2&3)
	h.AckOfCommand, h.Secured = c&fcfAckFormat != 0, c&fcfSecurity != 0
	h.AckRequest, h.Extended = c&fcfAckReq != 0, c&fcfExtended != 0
	if h.Delivery == 1 || h.AckOfCommand && h.Type != TypeAck || h.Type == TypeInterPAN && (h.Secured || h.Extended) {
		r.Fail(fmt.Errorf("aps: frame control %02X: %w", c, ErrFormat))
		return
	}
	if h.addressed() {
		switch {
		case h.Delivery == DeliveryGroup:
			h.Group = r.LE16()
		case h.Type != TypeInterPAN:
			h.DstEndpoint = r.U8()
		}
		h.Cluster, h.Profile = r.LE16(), r.LE16()
		if h.Type == TypeInterPAN {
			return
		}
		h.SrcEndpoint = r.U8()
	}
	h.Counter = r.U8()
	if h.Extended {
		x := r.U8()
		if x > byte(LaterFragment) {
			r.Fail(fmt.Errorf("aps: extended frame control %02X: %w", x, ErrFormat))
			return
		}
		if h.Fragmentation = Fragmentation(x); h.Fragmentation != NotFragmented {
			h.Block = r.U8()
			if h.Type == TypeAck {
				h.Bitmap = r.U8()
			}
		}
	}
}

// Ack is the header of the acknowledgement of a frame with header h: endpoints change places. An acknowledgement is secured
// only if the frame was; its own security fields are up to the caller.
func (h *Header) Ack() Header {
	a := Header{Type: TypeAck, Counter: h.Counter, Secured: h.Secured}
	if h.Type == TypeCommand {
		a.AckOfCommand = true
		return a
	}
	a.DstEndpoint, a.SrcEndpoint = h.SrcEndpoint, h.DstEndpoint
	a.Cluster, a.Profile = h.Cluster, h.Profile
	return a
}
