package apdu

import (
	"fmt"

	"smets1/dlms/axdr"
)

// GatewayPrefix stands before an APDU that a gateway is to hand on, or that it
// brings back (IEC 62056-5-3, recalled).
//
//	E6 request or E7 response | network id(1) | address length(1) | physical device address | APDU
type GatewayPrefix struct {
	Response  bool
	NetworkID uint8
	Address   []byte // physical device address; for a device on the HAN its EUI-64
}

func (p GatewayPrefix) tag() Tag {
	if p.Response {
		return TagGatewayResponse
	}
	return TagGatewayRequest
}

// Kind is the kind of TagGatewayRequest or TagGatewayResponse.
func (p GatewayPrefix) Kind() Kind { return p.tag().Kind() }

// AppendBinary appends the prefix; append the APDU after it.
func (p GatewayPrefix) AppendBinary(b []byte) ([]byte, error) {
	if len(p.Address) > 0xFF {
		return b, &Error{Kind: p.Kind(), Err: fmt.Errorf("address of %d bytes, at most 255 fit: %w", len(p.Address), axdr.ErrLength)}
	}
	return append(append(b, byte(p.tag()), p.NetworkID, byte(len(p.Address))), p.Address...), nil
}

// IsGateway reports whether b begins with a gateway prefix.
func IsGateway(b []byte) bool {
	return len(b) > 0 && (Tag(b[0]) == TagGatewayRequest || Tag(b[0]) == TagGatewayResponse)
}

// ParseGatewayPrefix decodes the prefix at the start of b. The APDU is b[n:].
func ParseGatewayPrefix(b []byte) (p GatewayPrefix, n int, err error) {
	p.Response = len(b) > 0 && Tag(b[0]) == TagGatewayResponse
	r := begin(b, p.Kind())
	p.NetworkID = r.U8()
	p.Address = r.Bytes(int(r.U8()))
	if n, err = finish(&r, p.Kind()); err != nil {
		return GatewayPrefix{}, 0, err
	}
	return p, n, nil
}
