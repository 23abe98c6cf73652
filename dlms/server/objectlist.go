package server

import (
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

// Selectors of the object list (all and by class verified against independent clients, the others recalled).
const (
	selectAll     = int8(cosem.SelectAllObjects)
	selectClasses = int8(cosem.SelectClasses)
	selectObjects = int8(cosem.SelectObjects)
	selectObject  = int8(cosem.SelectObject)
)

// getObjectList appends what the association may see. The device itself sees all.
func getObjectList(c *Call, dst []byte) ([]byte, error) {
	want, err := objectFilter(c)
	if err != nil {
		return dst, err
	}
	m, n := c.Device.Model, 0
	for _, o := range m.objects {
		if c.sees(o) && want(o) {
			n++
		}
	}
	dst = axdr.AppendArrayHeader(dst, n)
	for _, o := range m.objects {
		if c.sees(o) && want(o) {
			dst = c.appendListed(dst, o)
		}
	}
	return dst, nil
}

func (c *Call) sees(o *Object) bool { return c.assoc == nil || o.visible(c.assoc.index) }

func objectFilter(c *Call) (func(*Object) bool, error) {
	r := axdr.NewReader(c.Selection)
	switch c.Selector {
	case 0, selectAll:
		return func(*Object) bool { return true }, nil
	case selectClasses:
		classes := map[cosem.ClassID]bool{}
		for range r.Array() {
			classes[cosem.ClassID(r.Uint16())] = true
		}
		return func(o *Object) bool { return classes[o.Class] }, typed(&r)
	case selectObjects, selectObject:
		n := 1
		if c.Selector == selectObjects {
			n = r.Array()
		}
		keys := map[objectKey]bool{}
		for range n {
			r.Structure(2)
			class := cosem.ClassID(r.Uint16())
			keys[objectKey{class, cosem.ReadOBIS(&r)}] = true
		}
		return func(o *Object) bool { return keys[objectKey{o.Class, o.Instance}] }, typed(&r)
	}
	return nil, cosem.ScopeOfAccessViolated
}

// typed turns a reader's failure into type-unmatched.
func typed(r *axdr.Reader) error {
	if r.Err() != nil || r.Len() != 0 {
		return cosem.TypeUnmatched
	}
	return nil
}

// appendListed appends one object_list_element: class, version, logical name, access rights.
func (c *Call) appendListed(b []byte, o *Object) []byte {
	i, hide := 0, false
	if c.assoc != nil {
		i, hide = c.assoc.index, c.assoc.spec.Quirks.HideInaccessible
	}
	version := c.Device.Model.version
	b = axdr.AppendStructureHeader(b, 4)
	b = axdr.AppendUint16(b, uint16(o.Class))
	b = axdr.AppendUint8(b, o.Version)
	b = axdr.AppendOctetString(b, o.Instance[:])
	b = axdr.AppendStructureHeader(b, 2)

	n := 1
	for k := range o.Attrs {
		if !hide || o.Attrs[k].Access[i] != 0 {
			n++
		}
	}
	b = axdr.AppendArrayHeader(b, n)
	b = appendAttributeAccess(b, 1, o.nameAccess(i), nil, version)
	for k := range o.Attrs {
		if a := &o.Attrs[k]; !hide || a.Access[i] != 0 {
			b = appendAttributeAccess(b, a.ID, a.Access[i], a.Selectors, version)
		}
	}

	n = 0
	for k := range o.Methods {
		if !hide || o.Methods[k].Access[i] != 0 {
			n++
		}
	}
	b = axdr.AppendArrayHeader(b, n)
	for k := range o.Methods {
		m := &o.Methods[k]
		if hide && m.Access[i] == 0 {
			continue
		}
		b = axdr.AppendStructureHeader(b, 2)
		b = axdr.AppendInt8(b, m.ID)
		switch version {
		case 0:
			b = axdr.AppendBool(b, m.Access[i].V0Method() != 0)
		case 1, 2:
			b = axdr.AppendEnum(b, m.Access[i].V0Method())
		default:
			b = axdr.AppendEnum(b, uint8(m.Access[i]))
		}
	}
	return b
}

func appendAttributeAccess(b []byte, id int8, a Access, selectors []int8, version uint8) []byte {
	b = axdr.AppendStructureHeader(b, 3)
	b = axdr.AppendInt8(b, id)
	if version < 3 {
		b = axdr.AppendEnum(b, a.V0Attribute())
	} else {
		b = axdr.AppendEnum(b, uint8(a))
	}
	if len(selectors) == 0 {
		return axdr.AppendNull(b)
	}
	b = axdr.AppendArrayHeader(b, len(selectors))
	for _, s := range selectors {
		b = axdr.AppendInt8(b, s)
	}
	return b
}
