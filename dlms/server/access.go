package server

import (
	"errors"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

// get appends attribute c.ID of c.Object.
func (c *Call) get(dst []byte) ([]byte, error) {
	o := c.Object
	if c.ID == 1 {
		if c.assoc != nil && o.nameAccess(c.assoc.index)&Read == 0 {
			return dst, cosem.ReadWriteDenied
		}
		if c.Selector != 0 {
			return dst, cosem.ScopeOfAccessViolated
		}
		return axdr.AppendOctetString(dst, o.Instance[:]), nil
	}
	a := o.attr(c.ID)
	if a == nil || a.Get == nil || !c.allowed(&a.Access, Read) {
		return dst, cosem.ReadWriteDenied
	}
	if err := c.protected(a.Access); err != nil {
		return dst, err
	}
	if c.Selector != 0 && !selects(a, c.Selector) {
		return dst, cosem.ScopeOfAccessViolated
	}
	start := len(dst)
	dst, err := a.Get(c, dst)
	if err != nil {
		return dst[:start], err
	}
	if len(dst)-start > c.Device.Model.maxBytes {
		return dst[:start], cosem.DataBlockUnavailable
	}
	return dst, nil
}

// getAll appends attribute 0: a structure of all attributes, null-data for those that cannot be read (recalled).
func (c *Call) getAll(dst []byte) ([]byte, error) {
	o := c.Object
	dst = axdr.AppendStructureHeader(dst, 1+len(o.Attrs))
	dst = axdr.AppendOctetString(dst, o.Instance[:])
	for i := range o.Attrs {
		c.ID = o.Attrs[i].ID
		start := len(dst)
		var err error
		if dst, err = c.get(dst); err != nil {
			dst = axdr.AppendNull(dst[:start])
		}
	}
	return dst, nil
}

func selects(a *Attr, selector int8) bool {
	for _, s := range a.Selectors {
		if s == selector {
			return true
		}
	}
	return false
}

// set gives attribute c.ID of c.Object the value raw.
func (c *Call) set(raw []byte) error {
	a := c.Object.attr(c.ID)
	if a == nil || a.Set == nil || !c.allowed(&a.Access, Write) {
		return cosem.ReadWriteDenied
	}
	if err := c.protected(a.Access); err != nil {
		return err
	}
	if c.Selector != 0 {
		return cosem.ScopeOfAccessViolated
	}
	if n, err := axdr.Skip(raw); err != nil || n != len(raw) {
		return cosem.TypeUnmatched
	}
	if a.Type != axdr.TagNull && axdr.Tag(raw[0]) != a.Type {
		return cosem.TypeUnmatched
	}
	mark := len(c.after)
	err := a.Set(c, raw)
	if err != nil {
		c.after = c.after[:mark]
	}
	return err
}

// do runs method c.ID of c.Object.
func (c *Call) do(arg, dst []byte) ([]byte, error) {
	m := c.Object.method(c.ID)
	if m == nil || m.Do == nil || !c.allowed(&m.Access, Execute) {
		return dst, cosem.ActionReadWriteDenied
	}
	if err := c.protected(m.Access); err != nil {
		return dst, cosem.ActionReadWriteDenied
	}
	if len(arg) > 0 {
		if n, err := axdr.Skip(arg); err != nil || n != len(arg) {
			return dst, cosem.ActionTypeUnmatched
		}
	}
	start, mark := len(dst), len(c.after)
	dst, err := m.Do(c, arg, dst)
	if err != nil {
		dst, c.after = dst[:start], c.after[:mark]
	}
	return dst, err
}

// protected checks that the request carried the protection an attribute or method needs, and notes what its reply
// needs.
func (c *Call) protected(r Rights) error {
	if c.assoc == nil {
		return nil
	}
	a := r[c.assoc.index]
	got := c.assoc.request.protection
	// Access modes and security policies have the same bits for protection.
	if Policy(a).Request()&^got != 0 {
		return cosem.ReadWriteDenied
	}
	c.assoc.request.reply |= Policy(a).Response()
	return nil
}

// resultOf is the data-access-result an error stands for.
func resultOf(err error) cosem.Result {
	if err == nil {
		return cosem.Success
	}
	var r cosem.Result
	if errors.As(err, &r) {
		return r
	}
	var a cosem.ActionResult
	if errors.As(err, &a) {
		return cosem.Result(a)
	}
	return cosem.OtherReason
}

// actionResultOf is the action-result an error stands for. The two lists have the same codes where both have one.
func actionResultOf(err error) cosem.ActionResult { return cosem.ActionResult(resultOf(err)) }
