package zcl

import (
	"encoding/binary"
	"errors"
	"fmt"

	"smets1/internal/wire"
)

// Type of a ZCL frame.
type Type uint8

// The frame types.
const (
	TypeGlobal  Type = 0
	TypeCluster Type = 1
)

// ErrFormat: octets that are no ZCL frame.
var ErrFormat = errors.New("not a ZCL frame")

const (
	controlManufacturer   = 1 << 2
	controlFromServer     = 1 << 3
	controlDisableDefault = 1 << 4
	controlKnown          = 0x1F
)

// Header is a ZCL header (ZCL, clause 2.4.1; published).
type Header struct {
	Type Type
	// Manufacturer is the code of a manufacturer-specific frame, with HasManufacturer.
	HasManufacturer bool
	Manufacturer    uint16
	// FromServer is the direction: set from the cluster's server to its client.
	FromServer             bool
	DisableDefaultResponse bool
	Sequence               uint8
	Command                uint8
}

// AppendBinary appends the header.
func (h Header) AppendBinary(b []byte) ([]byte, error) { return h.append(b) }

func (h *Header) append(b []byte) ([]byte, error) {
	if h.Type > TypeCluster {
		return b, fmt.Errorf("zcl: frame type %d: %w", h.Type, ErrFormat)
	}
	c := byte(h.Type)
	if h.HasManufacturer {
		c |= controlManufacturer
	}
	if h.FromServer {
		c |= controlFromServer
	}
	if h.DisableDefaultResponse {
		c |= controlDisableDefault
	}
	b = append(b, c)
	if h.HasManufacturer {
		b = binary.LittleEndian.AppendUint16(b, h.Manufacturer)
	}
	return append(b, h.Sequence, h.Command), nil
}

// ParseHeader reads a header; n is where the payload begins.
func ParseHeader(b []byte) (h Header, n int, err error) {
	r := wire.NewReader(b)
	c := r.U8()
	h.Type = Type(c & 3)
	if r.Err() == nil && (h.Type > TypeCluster || c&^byte(controlKnown) != 0) {
		return h, 0, fmt.Errorf("zcl: frame control %02X: %w", c, ErrFormat)
	}
	h.HasManufacturer, h.FromServer, h.DisableDefaultResponse = c&controlManufacturer != 0, c&controlFromServer != 0, c&controlDisableDefault != 0
	if h.HasManufacturer {
		h.Manufacturer = r.LE16()
	}
	h.Sequence, h.Command = r.U8(), r.U8()
	return h, r.Offset(), r.Err()
}

// Response is the header of an answer to h with another command of the same type.
func (h *Header) Response(command uint8) Header {
	a := *h
	a.FromServer, a.DisableDefaultResponse, a.Command = !h.FromServer, true, command
	return a
}

// Frame is a ZCL frame: the payload of an APS data frame.
type Frame struct {
	Header
	Payload []byte // a parsed one aliases the input
}

// AppendBinary appends the frame.
func (f Frame) AppendBinary(b []byte) ([]byte, error) {
	b, err := f.append(b)
	return append(b, f.Payload...), err
}

// ParseFrame reads a frame, which ends with b.
func ParseFrame(b []byte) (f Frame, n int, err error) {
	f.Header, n, err = ParseHeader(b)
	if err != nil {
		return f, n, err
	}
	f.Payload = b[n:]
	return f, len(b), nil
}
