package apdu

import (
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

// EventNotification is a value that a server sends unasked inside an
// association (IEC 62056-5-3, published).
//
//	C2 (00 | 01 0C date-time(12)) desc data
type EventNotification struct {
	HasTime   bool
	Time      axdr.DateTime
	Attribute cosem.Attribute
	Data      []byte // encoded
}

// Kind is the kind of TagEventNotification.
func (EventNotification) Kind() Kind { return TagEventNotification.Kind() }

// AppendBinary appends the APDU.
func (p EventNotification) AppendBinary(b []byte) ([]byte, error) {
	if len(p.Data) == 0 {
		return b, incomplete(p.Kind(), "data")
	}
	b = append(b, byte(TagEventNotification))
	if p.HasTime {
		b = append(b, 1)
	}
	b = appendDateTime(b, p.HasTime, p.Time)
	return append(p.Attribute.AppendTo(b), p.Data...), nil
}

// ParseEventNotification decodes the APDU at the start of b.
func ParseEventNotification(b []byte) (p EventNotification, n int, err error) {
	r := begin(b, TagEventNotification.Kind())
	if present(&r) {
		if p.HasTime, p.Time = readDateTime(&r); !p.HasTime && r.Err() == nil {
			r.Fail("date-time", axdr.ErrLength)
		}
	}
	p.Attribute = readAttribute(&r)
	p.Data = r.Data()
	if n, err = finish(&r, TagEventNotification.Kind()); err != nil {
		return EventNotification{}, 0, err
	}
	return p, n, nil
}
