package server

import (
	"fmt"
	"slices"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

// Cells are the encoded values of an object's attributes.
type Cells map[int8][]byte

// PlainConfig declares an object of any class that does no more than keep its attributes: setups of ports and links,
// ZigBee and STS attributes, a manufacturer's own data.
type PlainConfig struct {
	Access Rights // Write covers all attributes but those of ReadOnly
	Kept[Cells]
	ReadOnly []int8
	// Methods that do something; other methods of the class are declared and refused.
	Methods []Method
}

// Plain declares an object of a class of the class table, at a version: its attributes with their types, kept as cells,
// and its methods. It panics on a class that is not in the table, as declarations are code.
func Plain(class cosem.ClassID, version uint8, name cosem.OBIS, c PlainConfig) Object {
	info, ok := cosem.LookupClass(class, version)
	if !ok {
		panic(fmt.Sprintf("server: class %d is not in the class table: declare its attributes one by one", class))
	}
	o := Object{Class: class, Version: version, Instance: name}
	for _, a := range info.Attributes {
		if a.ID == 1 {
			continue // the logical name is the model's
		}
		attr := c.attribute(a)
		if slices.Contains(c.ReadOnly, a.ID) {
			attr = readOnly(attr)
		}
		o.Attrs = append(o.Attrs, attr)
	}
	for _, m := range info.Methods {
		if i := slices.IndexFunc(c.Methods, func(d Method) bool { return d.ID == m.ID }); i >= 0 {
			o.Methods = append(o.Methods, c.Methods[i])
		} else {
			o.Methods = append(o.Methods, Method{ID: m.ID})
		}
	}
	return o
}

func (c *PlainConfig) attribute(info cosem.AttributeInfo) Attr {
	id, kept := info.ID, c.Kept
	return Attr{
		ID: id, Access: c.Access,
		Get: func(call *Call, dst []byte) ([]byte, error) {
			if v := (*kept.Of(call))[id]; len(v) > 0 {
				return append(dst, v...), nil
			}
			return axdr.AppendNull(dst), nil
		},
		Set: func(call *Call, raw []byte) error {
			if !info.Allows(axdr.Tag(raw[0])) {
				return cosem.TypeUnmatched
			}
			cells := kept.Of(call)
			if *cells == nil {
				*cells = Cells{}
			}
			(*cells)[id] = slices.Clone(raw)
			if kept.Changed != nil {
				kept.Changed(call)
			}
			return nil
		},
	}
}

// ExtendedData declares GBCS's class 9000 (published there): a value in force and a passive one, each with scaler and
// unit, kept as cells. Write in access covers the passive value, its scaler and the activation time, and method 2, which
// puts the passive value in force; at its time that is the device's to do, with [Cells.ActivateExtended].
func ExtendedData(name cosem.OBIS, access Rights, k Kept[Cells]) Object {
	return Plain(cosem.ClassGBCSExtendedData, 0, name, PlainConfig{
		Access: access, Kept: k, ReadOnly: []int8{2, 3},
		Methods: []Method{{ID: 2, Access: executeForWriters(access), Do: Zero(func(c *Call) error {
			k.Of(c).ActivateExtended()
			if k.Changed != nil {
				k.Changed(c)
			}
			return nil
		})}},
	})
}

// ActivateExtended puts the passive value of class 9000 in force.
func (c Cells) ActivateExtended() {
	if c != nil {
		c[2], c[3] = c[4], c[5]
	}
}
