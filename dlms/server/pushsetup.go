package server

import (
	"fmt"
	"slices"
	"time"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/security"
)

// PushState is the state of a push setup.
type PushState struct {
	// Objects whose values are the body of the push: attributes, or with a data index one element of them.
	Objects []Column
	// Transport is 0 TCP, 1 UDP, 2 FTP, 3 SMTP, 4 SMS, 5 HDLC, 6 M-Bus, 7 ZigBee.
	Transport   uint8
	Destination []byte // "host:port" for TCP and UDP
	Message     uint8  // 0 is an A-XDR APDU
	// Windows are when the device may push; none is always.
	Windows       []PushWindow
	Randomisation uint16 // seconds a scheduled push is put off by at most
	Retries       uint8
	RetryDelay    uint16 // seconds
}

// PushWindow is a span of time, its ends patterns.
type PushWindow struct{ Start, End axdr.DateTime }

// Open tells whether the device may push at a time: one of its windows has begun and not ended.
func (p *PushState) Open(now time.Time) bool {
	if len(p.Windows) == 0 {
		return true
	}
	for _, w := range p.Windows {
		from, to := fill(w.Start, now), fill(w.End, now)
		if !now.Before(from) && !now.After(to) {
			return true
		}
	}
	return false
}

// fill takes the parts of a pattern that are not specified from a time.
func fill(d axdr.DateTime, now time.Time) time.Time {
	year, month, day := now.Date()
	if d.Date.Year != axdr.YearUnspecified {
		year = int(d.Date.Year)
	}
	if d.Date.Month != axdr.Unspecified {
		month = time.Month(d.Date.Month)
	}
	if d.Date.Day != axdr.Unspecified {
		day = int(d.Date.Day)
	}
	clock := [3]int{now.Hour(), now.Minute(), now.Second()}
	for i, f := range []uint8{d.Time.Hour, d.Time.Minute, d.Time.Second} {
		if f != axdr.Unspecified {
			clock[i] = int(f)
		}
	}
	return time.Date(year, month, day, clock[0], clock[1], clock[2], 0, now.Location())
}

// PushConfig declares class 40 version 0.
type PushConfig struct {
	Access Rights // Write covers all attributes and method 1
	Kept[PushState]
	// Protection of the push under the global keys; zero sends in clear.
	Protection security.Protection
	Suite      security.Suite
	// Stamp puts the time into the push.
	Stamp bool
	// Send takes the data-notification to where the state says; it aliases nothing. Nil refuses method 1. The adaptors' Push sends
	// to clients that are there, a link of the device's own to others. Repeating what was not sent is the device's.
	Send func(c *Call, s PushState, apdu []byte) error
}

// PushSetup declares class 40. Method 1, and [PushNow], send the values of the listed attributes.
func PushSetup(name cosem.OBIS, c PushConfig) Object {
	k, access := c.Kept, c.Access
	if c.Send == nil {
		c.Send = func(*Call, PushState, []byte) error { return cosem.ActionReadWriteDenied }
	}
	push := Method{ID: 1, Access: executeForWriters(access), Do: func(call *Call, arg, dst []byte) ([]byte, error) {
		if len(arg) > 0 && axdr.Tag(arg[0]) != axdr.TagInt8 {
			return dst, cosem.ActionTypeUnmatched
		}
		s := *k.Of(call)
		if !s.Open(call.Now) {
			return dst, cosem.ActionTemporaryFailure
		}
		n := Notification{Objects: s.Objects, Protection: c.Protection, Suite: c.Suite}
		if c.Stamp {
			n.Time = axdr.DateTimeOf(call.Now)
		}
		apdu, err := call.Device.Notification(call.Now, n)
		if err != nil {
			return dst, err
		}
		return dst, c.Send(call, s, apdu)
	}}
	return Object{
		Class: cosem.ClassPushSetup, Instance: name,
		Attrs: []Attr{
			k.field(2, axdr.TagArray, access, func(s *PushState, b []byte) []byte {
				return appendArray(b, s.Objects, func(b []byte, o Column) []byte { return o.AppendTo(b) })
			}, func(s *PushState, r *axdr.Reader) (err error) {
				s.Objects, err = readArray(r, maxElements, cosem.ReadCaptureObject)
				return err
			}),
			k.field(3, axdr.TagStructure, access, func(s *PushState, b []byte) []byte {
				b = axdr.AppendStructureHeader(b, 3)
				b = axdr.AppendEnum(b, s.Transport)
				b = axdr.AppendOctetString(b, s.Destination)
				return axdr.AppendEnum(b, s.Message)
			}, func(s *PushState, r *axdr.Reader) error {
				r.Structure(3)
				s.Transport, s.Destination, s.Message = r.Enum(), slices.Clone(r.OctetString()), r.Enum()
				if s.Message != 0 {
					return cosem.ScopeOfAccessViolated // XML is nobody's
				}
				return nil
			}),
			k.field(4, axdr.TagArray, access, func(s *PushState, b []byte) []byte {
				return appendArray(b, s.Windows, func(b []byte, w PushWindow) []byte {
					return axdr.AppendDateTime(axdr.AppendDateTime(axdr.AppendStructureHeader(b, 2), w.Start), w.End)
				})
			}, func(s *PushState, r *axdr.Reader) (err error) {
				s.Windows, err = readArray(r, maxElements, func(r *axdr.Reader) PushWindow {
					r.Structure(2)
					return PushWindow{Start: r.DateTime(), End: r.DateTime()}
				})
				return err
			}),
			k.field(5, axdr.TagUint16, access, func(s *PushState, b []byte) []byte { return axdr.AppendUint16(b, s.Randomisation) }, func(s *PushState, r *axdr.Reader) error {
				s.Randomisation = r.Uint16()
				return nil
			}),
			k.uint8(6, access, func(s *PushState) *uint8 { return &s.Retries }),
			k.field(7, axdr.TagUint16, access, func(s *PushState, b []byte) []byte { return axdr.AppendUint16(b, s.RetryDelay) }, func(s *PushState, r *axdr.Reader) error {
				s.RetryDelay = r.Uint16()
				return nil
			}),
		},
		Methods: []Method{push},
	}
}

// PushNow has the push setup of that name push, as the device itself does on an event or a schedule.
func (d *Device) PushNow(now time.Time, name cosem.OBIS) error {
	_, err := d.Do(now, cosem.Method{Class: cosem.ClassPushSetup, Instance: name, ID: 1}, axdr.AppendInt8(nil, 0), nil)
	if err != nil {
		return fmt.Errorf("server: push setup %v: %w", name, err)
	}
	return nil
}

// element appends an attribute, or the element of it that a data index names, counted from 1.
func (d *Device) element(now time.Time, o Column, dst []byte) ([]byte, error) {
	start := len(dst)
	dst, err := d.Get(now, o.Attribute, dst)
	if err != nil || o.DataIndex == 0 {
		return dst, err
	}
	v, err := axdr.ParseAll(dst[start:])
	if err != nil {
		return dst[:start], err
	}
	if int(o.DataIndex) > len(v.Items) {
		return dst[:start], cosem.ScopeOfAccessViolated
	}
	return v.Items[o.DataIndex-1].Clone().AppendBinary(dst[:start])
}
