package apdu

import (
	"encoding/binary"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

const (
	// DLMSVersion is the version of xDLMS that everyone speaks.
	DLMSVersion = 6
	// MinPDU is the smallest maximum PDU size that a side may propose.
	MinPDU = 12

	// VAANameLN and VAANameSN are what a server answers with logical and with short names.
	VAANameLN = 0x0007
	VAANameSN = 0xFA00

	conformanceTag1   = 0x5F // [APPLICATION 31] in BER
	conformanceTag2   = 0x1F
	conformanceLength = 4
)

// InitiateRequest is what a client proposes for the association; it travels in
// the user-information of the AARQ, plain or ciphered (IEC 62056-5-3, published).
//
//	01 (00 | 01 len dedicated-key) (00 | 01 response-allowed) (00 | 01 quality-of-service) version(1)
//	5F 1F 04 00 conformance(3) client-max-receive-pdu-size(2)
type InitiateRequest struct {
	DedicatedKey    Secret // empty for none
	ResponseRefused bool   // response-allowed is FALSE, which nobody sends
	HasQoS          bool
	QoS             int8
	Version         uint8 // DLMSVersion
	Conformance     cosem.Conformance
	MaxPDU          uint16 // bytes the client can receive; 0 and FFFF mean no limit
}

// Kind is the kind of TagInitiateRequest.
func (InitiateRequest) Kind() Kind { return TagInitiateRequest.Kind() }

// AppendBinary appends the APDU.
func (p InitiateRequest) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, byte(TagInitiateRequest))
	if p.DedicatedKey.Len() > 0 {
		b = axdr.AppendLength(append(b, 1), p.DedicatedKey.Len())
		b = append(b, p.DedicatedKey.Bytes()...)
	} else {
		b = append(b, 0)
	}
	if p.ResponseRefused {
		b = append(b, 1, 0)
	} else {
		b = append(b, 0)
	}
	b = appendQoS(b, p.HasQoS, p.QoS)
	b = appendConformance(append(b, p.Version), p.Conformance)
	return binary.BigEndian.AppendUint16(b, p.MaxPDU), nil
}

// ParseInitiateRequest decodes the APDU at the start of b.
func ParseInitiateRequest(b []byte) (p InitiateRequest, n int, err error) {
	r := begin(b, TagInitiateRequest.Kind())
	if present(&r) {
		p.DedicatedKey = NewSecret(r.LengthBytes())
		if r.Err() == nil && p.DedicatedKey.Len() == 0 {
			r.Fail("dedicated key", axdr.ErrLength)
		}
	}
	if present(&r) {
		p.ResponseRefused = !r.Flag()
	}
	if p.HasQoS = present(&r); p.HasQoS {
		p.QoS = int8(r.U8())
	}
	p.Version = r.U8()
	p.Conformance = readConformance(&r)
	p.MaxPDU = r.U16()
	if n, err = finish(&r, TagInitiateRequest.Kind()); err != nil {
		return InitiateRequest{}, 0, err
	}
	return p, n, nil
}

func appendQoS(b []byte, has bool, qos int8) []byte {
	if !has {
		return append(b, 0)
	}
	return append(b, 1, byte(qos))
}

func appendConformance(b []byte, c cosem.Conformance) []byte {
	return c.AppendTo(append(b, conformanceTag1, conformanceTag2, conformanceLength, 0))
}

// readConformance reads the block, which is BER inside A-XDR. Old peers send
// the tag as 5F alone; the standard asks to accept that.
func readConformance(r *axdr.Reader) cosem.Conformance {
	if r.U8() != conformanceTag1 && r.Err() == nil {
		r.Fail("conformance tag", axdr.ErrValue)
	}
	if v, ok := r.Peek(); ok && v == conformanceTag2 {
		r.U8()
	}
	if r.U8() != conformanceLength && r.Err() == nil {
		r.Fail("conformance length", axdr.ErrLength)
	}
	if r.U8() != 0 && r.Err() == nil {
		r.Fail("unused bits of the conformance", axdr.ErrValue)
	}
	if b := r.Bytes(3); b != nil {
		return cosem.ConformanceOf(b)
	}
	return 0
}
