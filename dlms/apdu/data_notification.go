package apdu

import (
	"encoding/binary"

	"smets1/dlms/axdr"
)

// DataNotification is a push (IEC 62056-5-3, published).
//
//	0F long-iip(4) (00 | 0C date-time(12)) data
type DataNotification struct {
	InvokeID LongInvokeID
	HasTime  bool
	Time     axdr.DateTime
	Data     []byte // encoded
}

// Kind is the kind of TagDataNotification.
func (DataNotification) Kind() Kind { return TagDataNotification.Kind() }

// AppendBinary appends the APDU.
func (p DataNotification) AppendBinary(b []byte) ([]byte, error) {
	if len(p.Data) == 0 {
		return b, incomplete(p.Kind(), "data")
	}
	b = binary.BigEndian.AppendUint32(append(b, byte(TagDataNotification)), uint32(p.InvokeID))
	return append(appendDateTime(b, p.HasTime, p.Time), p.Data...), nil
}

// ParseDataNotification decodes the APDU at the start of b.
func ParseDataNotification(b []byte) (p DataNotification, n int, err error) {
	r := begin(b, TagDataNotification.Kind())
	p.InvokeID = LongInvokeID(r.U32())
	p.HasTime, p.Time = readDateTime(&r)
	p.Data = r.Data()
	if n, err = finish(&r, TagDataNotification.Kind()); err != nil {
		return DataNotification{}, 0, err
	}
	return p, n, nil
}
