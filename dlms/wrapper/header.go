// Package wrapper is the COSEM transport wrapper that carries APDUs over TCP and UDP port 4059 and over byte tunnels
// (IEC 62056-47, clause 6; published). One unit on the wire:
//
//	version(2) = 0001
//	source wPort(2)       a request's source is the client SAP, a reply's the server SAP
//	destination wPort(2)
//	length(2)             of the APDU alone
//	APDU(length)
//
// TCP carries units back to back; [Decoder] cuts them. UDP carries one unit per datagram; use [ParseHeader].
package wrapper

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	// Size is the length of a header.
	Size = 8
	// Version is the only version there is.
	Version = 1
	// Port is the port registered for DLMS/COSEM over TCP and UDP.
	Port = 4059
	// MaxLength is the longest APDU that the length field can announce.
	MaxLength = 0xFFFF
)

// Errors that ParseHeader wraps.
var (
	ErrTruncated = errors.New("wrapper header is incomplete")
	ErrVersion   = errors.New("not a wrapper header")
)

// Header is the wrapper's header.
type Header struct {
	Version             uint16 // 0 is written as 1
	Source, Destination uint16 // wPorts
	Length              uint16 // of the APDU that follows
}

// AppendBinary appends the eight bytes of the header.
func (h Header) AppendBinary(b []byte) ([]byte, error) {
	if h.Version == 0 {
		h.Version = Version
	}
	b = binary.BigEndian.AppendUint16(b, h.Version)
	b = binary.BigEndian.AppendUint16(b, h.Source)
	b = binary.BigEndian.AppendUint16(b, h.Destination)
	return binary.BigEndian.AppendUint16(b, h.Length), nil
}

// Reply is the header of a reply of n bytes: the wPorts swapped.
func (h Header) Reply(n int) Header {
	return Header{Version: h.Version, Source: h.Destination, Destination: h.Source, Length: uint16(n)}
}

// Append appends a whole unit.
func Append(b []byte, source, destination uint16, apdu []byte) ([]byte, error) {
	if len(apdu) > MaxLength {
		return b, fmt.Errorf("wrapper: APDU of %d bytes: the length field ends at %d, use block transfer", len(apdu), MaxLength)
	}
	b, err := Header{Source: source, Destination: destination, Length: uint16(len(apdu))}.AppendBinary(b)
	return append(b, apdu...), err
}

// ParseHeader reads a header and returns how many bytes it took. The error wraps ErrTruncated or ErrVersion.
func ParseHeader(b []byte) (Header, int, error) {
	if len(b) < Size {
		return Header{}, 0, fmt.Errorf("wrapper: %w: %d of 8 bytes", ErrTruncated, len(b))
	}
	h := Header{
		Version:     binary.BigEndian.Uint16(b),
		Source:      binary.BigEndian.Uint16(b[2:]),
		Destination: binary.BigEndian.Uint16(b[4:]),
		Length:      binary.BigEndian.Uint16(b[6:]),
	}
	if h.Version != Version {
		return h, 0, fmt.Errorf("wrapper: %w: version %04X, want 0001", ErrVersion, h.Version)
	}
	return h, Size, nil
}
