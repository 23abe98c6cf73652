package server

import (
	"fmt"
	"time"

	"smets1/dlms/apdu"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/security"
)

// Notification is a push: what a device sends without being asked. The adaptors' Push sends the APDU that
// [Device.Notification] makes.
type Notification struct {
	InvokeID uint32 // 24 bits
	// Time stamps it. Zero sends none.
	Time axdr.DateTime
	// Attributes whose values are the body, a structure in their order, read as the device itself sees them.
	Attributes []cosem.Attribute
	// Objects are further values, with a data index one element of an attribute.
	Objects []Column
	// Protection under the global keys; zero sends in clear.
	Protection security.Protection
	Suite      security.Suite
}

// Notification builds a data-notification.
func (d *Device) Notification(now time.Time, n Notification) ([]byte, error) {
	body := axdr.AppendStructureHeader(nil, len(n.Attributes)+len(n.Objects))
	for _, a := range n.Attributes {
		var err error
		if body, err = d.Get(now, a, body); err != nil {
			return nil, fmt.Errorf("server: push of %v: %w", a, err)
		}
	}
	for _, o := range n.Objects {
		var err error
		if body, err = d.element(now, o, body); err != nil {
			return nil, fmt.Errorf("server: push of %v: %w", o.Attribute, err)
		}
	}
	plain, err := apdu.DataNotification{
		InvokeID: apdu.LongInvokeID(n.InvokeID & 0xFFFFFF), HasTime: n.Time != (axdr.DateTime{}), Time: n.Time, Data: body,
	}.AppendBinary(nil)
	if err != nil || n.Protection == security.ProtectNone {
		return plain, err
	}
	return d.sealPush(now, n.Suite, n.Protection, plain)
}

// Event builds an event-notification: one attribute, as the device itself sees it, sent inside an association. A zero at
// stamps none, zero protection sends it in clear.
func (d *Device) Event(now time.Time, a cosem.Attribute, at axdr.DateTime, suite security.Suite, protection security.Protection) ([]byte, error) {
	data, err := d.Get(now, a, nil)
	if err != nil {
		return nil, fmt.Errorf("server: event of %v: %w", a, err)
	}
	plain, err := apdu.EventNotification{HasTime: at != (axdr.DateTime{}), Time: at, Attribute: a, Data: data}.AppendBinary(nil)
	if err != nil || protection == security.ProtectNone {
		return plain, err
	}
	return d.sealPush(now, suite, protection, plain)
}

// sealPush protects what nobody asked for under the global keys in force.
func (d *Device) sealPush(now time.Time, suite security.Suite, protection security.Protection, plain []byte) ([]byte, error) {
	if d.Security == nil {
		return nil, fmt.Errorf("server: push: %w", cosem.ObjectUnavailable)
	}
	var buf [4]KeyVersion
	versions := d.Security.Versions(now, buf[:0])
	if len(versions) == 0 {
		return nil, fmt.Errorf("server: push: the device has no keys: %w", cosem.ObjectUnavailable)
	}
	keys, _ := d.Security.Keys(now, versions[0])
	c, err := keys.Cipher(suite)
	if err != nil {
		return nil, fmt.Errorf("server: push: %w", err)
	}
	ic, err := d.Security.NextTx(versions[0])
	if err != nil {
		return nil, fmt.Errorf("server: push: %w", err)
	}
	return c.AppendGeneral(nil, byte(apdu.TagGeneralGlo), d.Security.SystemTitle(), security.NewControl(suite, protection), ic, plain)
}
