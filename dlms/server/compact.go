package server

import (
	"time"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

// CompactConfig declares class 62.
type CompactConfig struct {
	Access   Rights // Write lets the methods run
	Objects  []Column
	Template uint8
	// Implicit captures whenever the buffer is read; otherwise method 2 captures into Buffer.
	Implicit bool
	Buffer   func(*Call) *[]byte
}

// CompactData declares class 62 version 1: the values of the capture objects as a compact-array packs them, without
// their types; attribute 5 describes the types. Values whose types change over time have no such description, and
// reading them fails.
func CompactData(name cosem.OBIS, c CompactConfig) Object {
	ro := only(c.Access, ^Write)
	method := uint8(0)
	if c.Implicit {
		method = 1
	}
	columns := axdr.AppendArrayHeader(nil, len(c.Objects))
	for _, o := range c.Objects {
		columns = o.AppendTo(columns)
	}
	capture := func(call *Call) error {
		_, packed, err := call.Device.compact(call.Now, c.Objects)
		if err != nil {
			return err
		}
		*c.Buffer(call) = packed
		return nil
	}
	o := Object{
		Class: cosem.ClassCompactData, Version: 1, Instance: name,
		Attrs: []Attr{
			{ID: 2, Access: ro, Get: func(call *Call, dst []byte) ([]byte, error) {
				if !c.Implicit {
					return axdr.AppendOctetString(dst, *c.Buffer(call)), nil
				}
				_, packed, err := call.Device.compact(call.Now, c.Objects)
				if err != nil {
					return dst, err
				}
				return axdr.AppendOctetString(dst, packed), nil
			}},
			{ID: 3, Access: ro, Get: encoded(columns)},
			{ID: 4, Access: ro, Get: Fixed(axdr.Uint8(c.Template))},
			{ID: 5, Access: ro, Get: func(call *Call, dst []byte) ([]byte, error) {
				description, _, err := call.Device.compact(call.Now, c.Objects)
				if err != nil {
					return dst, err
				}
				return axdr.AppendOctetString(dst, description), nil
			}},
			{ID: 6, Access: ro, Get: Fixed(axdr.Enum(method))},
		},
		Methods: []Method{{ID: 1}, {ID: 2}},
	}
	if !c.Implicit {
		run := executeForWriters(c.Access)
		o.Methods[0] = Method{ID: 1, Access: run, Do: Zero(func(call *Call) error {
			*c.Buffer(call) = nil
			return nil
		})}
		o.Methods[1] = Method{ID: 2, Access: run, Do: Zero(capture)}
	}
	return o
}

// compact reads values and packs them as one structure.
func (d *Device) compact(now time.Time, objects []Column) (description, packed []byte, err error) {
	row := axdr.Structure()
	for _, o := range objects {
		raw, err := d.element(now, o, nil)
		if err != nil {
			return nil, nil, err
		}
		v, err := axdr.ParseAll(raw)
		if err != nil {
			return nil, nil, err
		}
		row.Items = append(row.Items, v)
	}
	v, err := axdr.CompactArray(row)
	if err != nil {
		return nil, nil, err
	}
	raw, err := v.AppendBinary(nil)
	if err != nil {
		return nil, nil, err
	}
	rest := raw[1+len(v.Bytes):]
	_, n, err := axdr.ParseLength(rest)
	if err != nil {
		return nil, nil, err
	}
	return v.Bytes, rest[n:], nil
}
