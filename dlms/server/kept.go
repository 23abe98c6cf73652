package server

import (
	"slices"
	"time"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

// Kept says where a device keeps the state of an object.
type Kept[T any] struct {
	// Of finds it. Required.
	Of func(*Call) *T
	// Changed is called after a client or a script changed it. Nil is no call.
	Changed func(*Call)
}

// update gives a change a copy of the state, and puts the copy in force if it succeeds. A change replaces slices rather
// than their elements.
func (k Kept[T]) update(c *Call, change func(*T) error) error {
	next := *k.Of(c)
	if err := change(&next); err != nil {
		return err
	}
	*k.Of(c) = next
	if k.Changed != nil {
		k.Changed(c)
	}
	return nil
}

// field declares an attribute that is a part of the state. A nil write makes it read-only.
func (k Kept[T]) field(id int8, tag axdr.Tag, access Rights, read func(*T, []byte) []byte, write func(*T, *axdr.Reader) error) Attr {
	a := Attr{ID: id, Access: only(access, ^Write), Get: func(c *Call, dst []byte) ([]byte, error) { return read(k.Of(c), dst), nil }}
	if write == nil {
		return a
	}
	a.Type, a.Access = tag, access
	a.Set = func(c *Call, raw []byte) error {
		return k.update(c, func(t *T) error {
			r := axdr.NewReader(raw)
			if err := write(t, &r); err != nil {
				return err
			}
			return typed(&r)
		})
	}
	return a
}

// method declares a method that changes the state. do reads its argument from r; what it leaves there is type-unmatched.
func (k Kept[T]) method(id int8, access Rights, do func(c *Call, t *T, r *axdr.Reader) error) Method {
	return Method{ID: id, Access: executeForWriters(access), Do: func(c *Call, arg, dst []byte) ([]byte, error) {
		return dst, k.update(c, func(t *T) error {
			r := axdr.NewReader(arg)
			return do(c, t, &r)
		})
	}}
}

// zero is method for those that take integer 0.
func (k Kept[T]) zero(id int8, access Rights, do func(c *Call, t *T) error) Method {
	return Method{ID: id, Access: executeForWriters(access), Do: Zero(func(c *Call) error {
		return k.update(c, func(t *T) error { return do(c, t) })
	})}
}

// argument tells whether r held exactly what was read from it.
func argument(r *axdr.Reader) error {
	if typed(r) != nil {
		return cosem.ActionTypeUnmatched
	}
	return nil
}

// put replaces the element with the same key, or appends.
func put[E any](list []E, e E, same func(E) bool) []E {
	list = slices.Clone(list)
	if i := slices.IndexFunc(list, same); i >= 0 {
		list[i] = e
		return list
	}
	return append(list, e)
}

// without is the list less those elements; ok tells whether there were any.
func without[E any](list []E, gone func(E) bool) (rest []E, ok bool) {
	rest = slices.DeleteFunc(slices.Clone(list), gone)
	return rest, len(rest) < len(list)
}

// appendArray appends an array.
func appendArray[E any](b []byte, list []E, item func([]byte, E) []byte) []byte {
	b = axdr.AppendArrayHeader(b, len(list))
	for _, e := range list {
		b = item(b, e)
	}
	return b
}

// readArray reads an array of at most limit elements.
func readArray[E any](r *axdr.Reader, limit int, item func(*axdr.Reader) E) ([]E, error) {
	n := r.Array()
	if n > limit {
		return nil, cosem.ScopeOfAccessViolated
	}
	list := make([]E, 0, n)
	for range n {
		list = append(list, item(r))
	}
	return list, nil
}

// maxElements bounds lists that clients write.
const maxElements = 256

// ScriptRef names a script of a script table. The zero value is none.
type ScriptRef struct {
	Table    cosem.OBIS
	Selector uint16
}

// Run executes the script as the device itself; none does nothing.
func (s ScriptRef) Run(d *Device, now time.Time) error {
	if s == (ScriptRef{}) {
		return nil
	}
	_, err := d.Do(now, cosem.Method{Class: cosem.ClassScriptTable, Instance: s.Table, ID: 1}, axdr.AppendUint16(nil, s.Selector), nil)
	return err
}

func appendScriptRef(b []byte, s ScriptRef) []byte {
	b = axdr.AppendStructureHeader(b, 2)
	b = axdr.AppendOctetString(b, s.Table[:])
	return axdr.AppendUint16(b, s.Selector)
}

func readScriptRef(r *axdr.Reader) ScriptRef {
	r.Structure(2)
	return ScriptRef{Table: cosem.ReadOBIS(r), Selector: r.Uint16()}
}

// appendReference appends structure {class, logical name, attribute}.
func appendReference(b []byte, a cosem.Attribute) []byte {
	b = axdr.AppendStructureHeader(b, 3)
	b = axdr.AppendUint16(b, uint16(a.Class))
	b = axdr.AppendOctetString(b, a.Instance[:])
	return axdr.AppendInt8(b, a.ID)
}

func readReference(r *axdr.Reader) cosem.Attribute {
	r.Structure(3)
	class := cosem.ClassID(r.Uint16())
	return cosem.Attribute{Class: class, Instance: cosem.ReadOBIS(r), ID: r.Int8()}
}

// number reads an attribute that is an integer.
func (d *Device) number(now time.Time, a cosem.Attribute) (int64, error) {
	raw, err := d.Get(now, a, nil)
	if err != nil {
		return 0, err
	}
	r := axdr.NewReader(raw)
	v := r.Integer()
	return v, typed(&r)
}
