package apdu

import (
	"encoding/binary"

	"smets1/dlms/axdr"
)

const (
	gbtLast      = 0x80
	gbtStreaming = 0x40
	gbtWindow    = 0x3F
)

// GeneralBlockTransfer carries a part of any APDU, ciphered ones included, in
// either direction (IEC 62056-5-3, published).
//
//	E0 control(1) block(2) acknowledged(2) len raw
//
// An acknowledgement has no Raw. Ack is the last block received in sequence,
// so a gap is repaired by sending from Ack+1.
type GeneralBlockTransfer struct {
	Last      bool  // no more blocks follow
	Streaming bool  // the sender goes on without waiting
	Window    uint8 // blocks the sender of this APDU can take at once, 0 to 63
	Block     uint16
	Ack       uint16
	Raw       []byte
}

// Kind is the kind of TagGeneralBlockTransfer.
func (GeneralBlockTransfer) Kind() Kind { return TagGeneralBlockTransfer.Kind() }

// AppendBinary appends the APDU.
func (p GeneralBlockTransfer) AppendBinary(b []byte) ([]byte, error) {
	control := p.Window
	if control > gbtWindow {
		return b, incomplete(p.Kind(), "window below 64")
	}
	if p.Last {
		control |= gbtLast
	}
	if p.Streaming {
		control |= gbtStreaming
	}
	b = append(b, byte(TagGeneralBlockTransfer), control)
	b = binary.BigEndian.AppendUint16(b, p.Block)
	b = binary.BigEndian.AppendUint16(b, p.Ack)
	return append(axdr.AppendLength(b, len(p.Raw)), p.Raw...), nil
}

// ParseGeneralBlockTransfer decodes the APDU at the start of b.
func ParseGeneralBlockTransfer(b []byte) (p GeneralBlockTransfer, n int, err error) {
	r := begin(b, TagGeneralBlockTransfer.Kind())
	control := r.U8()
	p.Last = control&gbtLast != 0
	p.Streaming = control&gbtStreaming != 0
	p.Window = control & gbtWindow
	p.Block = r.U16()
	p.Ack = r.U16()
	p.Raw = r.LengthBytes()
	if n, err = finish(&r, TagGeneralBlockTransfer.Kind()); err != nil {
		return GeneralBlockTransfer{}, 0, err
	}
	return p, n, nil
}
