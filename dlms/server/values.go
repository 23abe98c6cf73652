package server

import (
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

// Fixed is a getter of a value that never changes. It panics on a value that cannot be encoded, as declarations are
// code.
func Fixed(v axdr.Value) Getter {
	b, err := v.AppendBinary(nil)
	if err != nil {
		panic("server: fixed value: " + err.Error())
	}
	return encoded(b)
}

// encoded is a getter of a value that is encoded already.
func encoded(b []byte) Getter {
	return func(_ *Call, dst []byte) ([]byte, error) { return append(dst, b...), nil }
}

// Getters over a function for the common types.

// Bool is a getter of a boolean.
func Bool(f func(*Call) bool) Getter {
	return func(c *Call, dst []byte) ([]byte, error) { return axdr.AppendBool(dst, f(c)), nil }
}

// Enum is a getter of an enum.
func Enum(f func(*Call) uint8) Getter {
	return func(c *Call, dst []byte) ([]byte, error) { return axdr.AppendEnum(dst, f(c)), nil }
}

// Int8 is a getter of an integer.
func Int8(f func(*Call) int8) Getter {
	return func(c *Call, dst []byte) ([]byte, error) { return axdr.AppendInt8(dst, f(c)), nil }
}

// Int16 is a getter of a long.
func Int16(f func(*Call) int16) Getter {
	return func(c *Call, dst []byte) ([]byte, error) { return axdr.AppendInt16(dst, f(c)), nil }
}

// Int32 is a getter of a double-long.
func Int32(f func(*Call) int32) Getter {
	return func(c *Call, dst []byte) ([]byte, error) { return axdr.AppendInt32(dst, f(c)), nil }
}

// Int64 is a getter of a long64.
func Int64(f func(*Call) int64) Getter {
	return func(c *Call, dst []byte) ([]byte, error) { return axdr.AppendInt64(dst, f(c)), nil }
}

// Uint8 is a getter of an unsigned.
func Uint8(f func(*Call) uint8) Getter {
	return func(c *Call, dst []byte) ([]byte, error) { return axdr.AppendUint8(dst, f(c)), nil }
}

// Uint16 is a getter of a long-unsigned.
func Uint16(f func(*Call) uint16) Getter {
	return func(c *Call, dst []byte) ([]byte, error) { return axdr.AppendUint16(dst, f(c)), nil }
}

// Uint32 is a getter of a double-long-unsigned.
func Uint32(f func(*Call) uint32) Getter {
	return func(c *Call, dst []byte) ([]byte, error) { return axdr.AppendUint32(dst, f(c)), nil }
}

// Uint64 is a getter of a long64-unsigned.
func Uint64(f func(*Call) uint64) Getter {
	return func(c *Call, dst []byte) ([]byte, error) { return axdr.AppendUint64(dst, f(c)), nil }
}

// Octets is a getter of an octet-string.
func Octets(f func(*Call) []byte) Getter {
	return func(c *Call, dst []byte) ([]byte, error) { return axdr.AppendOctetString(dst, f(c)), nil }
}

// Text is a getter of an octet-string that holds text.
func Text(f func(*Call) string) Getter {
	return func(c *Call, dst []byte) ([]byte, error) {
		s := f(c)
		dst = axdr.AppendLength(append(dst, byte(axdr.TagOctetString)), len(s))
		return append(dst, s...), nil
	}
}

// DateTime is a getter of a date-time sent as an octet-string, as attributes hold them.
func DateTime(f func(*Call) axdr.DateTime) Getter {
	return func(c *Call, dst []byte) ([]byte, error) { return axdr.AppendDateTime(dst, f(c)), nil }
}

// Setters over a function for the common types.

// SetInteger is a setter of any integer type and enum.
func SetInteger(f func(*Call, int64) error) Setter {
	return func(c *Call, raw []byte) error {
		r := axdr.NewReader(raw)
		v := r.Integer()
		if err := typed(&r); err != nil {
			return err
		}
		return f(c, v)
	}
}

// SetEnum is a setter of an enum.
func SetEnum(f func(*Call, uint8) error) Setter {
	return func(c *Call, raw []byte) error {
		r := axdr.NewReader(raw)
		v := r.Enum()
		if err := typed(&r); err != nil {
			return err
		}
		return f(c, v)
	}
}

// SetBool is a setter of a boolean.
func SetBool(f func(*Call, bool) error) Setter {
	return func(c *Call, raw []byte) error {
		r := axdr.NewReader(raw)
		v := r.Bool()
		if err := typed(&r); err != nil {
			return err
		}
		return f(c, v)
	}
}

// SetOctets is a setter of an octet-string. The bytes alias the request.
func SetOctets(f func(*Call, []byte) error) Setter {
	return func(c *Call, raw []byte) error {
		r := axdr.NewReader(raw)
		v := r.OctetString()
		if err := typed(&r); err != nil {
			return err
		}
		return f(c, v)
	}
}

// SetDateTime is a setter of a date-time, sent as an octet-string of 12 bytes or tagged.
func SetDateTime(f func(*Call, axdr.DateTime) error) Setter {
	return func(c *Call, raw []byte) error {
		r := axdr.NewReader(raw)
		v := r.DateTime()
		if err := typed(&r); err != nil {
			return err
		}
		if !v.Valid() {
			return cosem.OtherReason
		}
		return f(c, v)
	}
}

// SetValue is a setter of any type, parsed.
func SetValue(f func(*Call, axdr.Value) error) Setter {
	return func(c *Call, raw []byte) error {
		v, n, err := axdr.Parse(raw)
		if err != nil || n != len(raw) {
			return cosem.TypeUnmatched
		}
		return f(c, v)
	}
}

// Zero is a method that takes integer 0, as most methods do; no argument is accepted too.
func Zero(f func(*Call) error) Do {
	return func(c *Call, arg, dst []byte) ([]byte, error) {
		if len(arg) > 0 && axdr.Tag(arg[0]) != axdr.TagInt8 && axdr.Tag(arg[0]) != axdr.TagNull {
			return dst, cosem.ActionTypeUnmatched
		}
		return dst, f(c)
	}
}

// Stored is an attribute whose encoded value the device keeps: cell finds it. A nil value reads as null-data.
func Stored(id int8, t axdr.Tag, access Rights, cell func(*Call) *[]byte) Attr {
	return Attr{
		ID: id, Type: t, Access: access,
		Get: func(c *Call, dst []byte) ([]byte, error) {
			if b := *cell(c); len(b) > 0 {
				return append(dst, b...), nil
			}
			return axdr.AppendNull(dst), nil
		},
		Set: func(c *Call, raw []byte) error {
			*cell(c) = append([]byte(nil), raw...)
			return nil
		},
	}
}
