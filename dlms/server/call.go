package server

import (
	"time"

	"smets1/dlms/cosem"
	"smets1/dlms/security"
)

// Call is what a getter, setter or method is told. It is valid during the call only.
type Call struct {
	// Now is the time given to Serve.
	Now time.Time
	// Device the object belongs to.
	Device *Device
	// Object asked for.
	Object *Object
	// ID of the attribute or method.
	ID int8
	// Selector of selective access, one of Attr.Selectors; 0 is none.
	Selector int8
	// Selection is the selector's parameter, exactly one well-formed Data.
	Selection []byte

	assoc *association
	after []func()
}

// State gives the state of the call's device as what it is.
func State[T any](c *Call) T { return c.Device.State.(T) }

// Association under which the call is made; nil for a call the device makes itself (push, scripts, capture).
func (c *Call) Association() *Association {
	if c.assoc == nil {
		return nil
	}
	return c.assoc.spec
}

// Index of the association in the model, -1 for the device's own calls.
func (c *Call) Index() int {
	if c.assoc == nil {
		return -1
	}
	return c.assoc.index
}

// Peer that called; zero for the device's own calls.
func (c *Call) Peer() Peer {
	if c.assoc == nil {
		return Peer{}
	}
	return c.assoc.peer
}

// KeyVersion is the key set the association runs under; 0 if it uses none.
func (c *Call) KeyVersion() KeyVersion {
	if c.assoc == nil {
		return 0
	}
	return c.assoc.version
}

// ClientTitle is the client's system title as its AARQ gave it.
func (c *Call) ClientTitle() security.SystemTitle {
	if c.assoc == nil {
		return security.SystemTitle{}
	}
	return c.assoc.title
}

// After has f called once the reply has been protected: for what must not apply to the reply itself, such as new keys.
func (c *Call) After(f func()) { c.after = append(c.after, f) }

// allowed says whether the call's association has all of the rights; the device itself has.
func (c *Call) allowed(r *Rights, need Access) bool {
	return c.assoc == nil || r[c.assoc.index]&need == need
}

// Get appends the value of an attribute, as the device itself sees it: no rights are checked.
func (d *Device) Get(now time.Time, a cosem.Attribute, dst []byte) ([]byte, error) {
	c := Call{Now: now, Device: d, ID: a.ID}
	var ok bool
	if c.Object, ok = d.Model.Object(a.Class, a.Instance); !ok {
		return dst, cosem.ObjectUndefined
	}
	return c.get(dst)
}

// Set gives an attribute a value, as the device itself may: no rights are checked, the type is.
func (d *Device) Set(now time.Time, a cosem.Attribute, raw []byte) error {
	c := Call{Now: now, Device: d, ID: a.ID}
	var ok bool
	if c.Object, ok = d.Model.Object(a.Class, a.Instance); !ok {
		return cosem.ObjectUndefined
	}
	err := c.set(raw)
	c.runAfter()
	return err
}

// Do runs a method, as the device itself may: no rights are checked.
func (d *Device) Do(now time.Time, m cosem.Method, arg, dst []byte) ([]byte, error) {
	c := Call{Now: now, Device: d, ID: m.ID}
	var ok bool
	if c.Object, ok = d.Model.Object(m.Class, m.Instance); !ok {
		return dst, cosem.ActionObjectUndefined
	}
	dst, err := c.do(arg, dst)
	c.runAfter()
	return dst, err
}

func (c *Call) runAfter() {
	for i, f := range c.after {
		c.after[i] = nil
		f()
	}
	c.after = c.after[:0]
}
