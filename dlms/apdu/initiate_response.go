package apdu

import (
	"encoding/binary"

	"smets1/dlms/cosem"
)

// InitiateResponse is what was negotiated; it travels in the user-information
// of the AARE, plain or ciphered (IEC 62056-5-3, published).
//
//	08 (00 | 01 quality-of-service) version(1) 5F 1F 04 00 conformance(3)
//	server-max-receive-pdu-size(2) vaa-name(2)
type InitiateResponse struct {
	HasQoS      bool
	QoS         int8
	Version     uint8 // DLMSVersion
	Conformance cosem.Conformance
	MaxPDU      uint16 // bytes the server can receive; 0 and FFFF mean no limit
	VAAName     uint16 // VAANameLN or VAANameSN
}

// Kind is the kind of TagInitiateResponse.
func (InitiateResponse) Kind() Kind { return TagInitiateResponse.Kind() }

// AppendBinary appends the APDU.
func (p InitiateResponse) AppendBinary(b []byte) ([]byte, error) {
	b = appendQoS(append(b, byte(TagInitiateResponse)), p.HasQoS, p.QoS)
	b = appendConformance(append(b, p.Version), p.Conformance)
	b = binary.BigEndian.AppendUint16(b, p.MaxPDU)
	return binary.BigEndian.AppendUint16(b, p.VAAName), nil
}

// ParseInitiateResponse decodes the APDU at the start of b.
func ParseInitiateResponse(b []byte) (p InitiateResponse, n int, err error) {
	r := begin(b, TagInitiateResponse.Kind())
	if p.HasQoS = present(&r); p.HasQoS {
		p.QoS = int8(r.U8())
	}
	p.Version = r.U8()
	p.Conformance = readConformance(&r)
	p.MaxPDU = r.U16()
	p.VAAName = r.U16()
	if n, err = finish(&r, TagInitiateResponse.Kind()); err != nil {
		return InitiateResponse{}, 0, err
	}
	return p, n, nil
}
