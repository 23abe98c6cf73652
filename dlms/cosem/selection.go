package cosem

import (
	"smets1/dlms/axdr"
)

// Selectors of selective access (Blue Book, published).
const (
	// SelectRange picks rows of a profile by the value of one column.
	SelectRange uint8 = 1
	// SelectEntry picks rows and columns of a profile by number.
	SelectEntry uint8 = 2

	// SelectAllObjects, SelectClasses, SelectObjects and SelectObject pick from
	// the object list of an association: everything (null-data), by a list of
	// classes, by a list of class and logical name, or one object.
	SelectAllObjects uint8 = 1
	SelectClasses    uint8 = 2
	SelectObjects    uint8 = 3
	SelectObject     uint8 = 4
)

// CaptureObject names a column of a profile: one attribute, or with a
// DataIndex from 1 one element of it.
//
//	structure{class long-unsigned, logical_name octet-string[6], attribute integer, data_index long-unsigned}
type CaptureObject struct {
	Attribute Attribute
	DataIndex uint16
}

// AppendTo appends the structure.
func (c CaptureObject) AppendTo(b []byte) []byte {
	b = axdr.AppendStructureHeader(b, 4)
	b = axdr.AppendUint16(b, uint16(c.Attribute.Class))
	b = axdr.AppendOctetString(b, c.Attribute.Instance[:])
	b = axdr.AppendInt8(b, c.Attribute.ID)
	return axdr.AppendUint16(b, c.DataIndex)
}

// ReadCaptureObject reads the structure; errors stay in r.
func ReadCaptureObject(r *axdr.Reader) CaptureObject {
	r.Structure(4)
	class := ClassID(r.Uint16())
	ln := ReadOBIS(r)
	id := r.Int8()
	return CaptureObject{Attribute: Attribute{Class: class, Instance: ln, ID: id}, DataIndex: r.Uint16()}
}

// ReadOBIS reads an octet-string of six bytes; errors stay in r.
func ReadOBIS(r *axdr.Reader) OBIS {
	b := r.OctetString()
	if r.Err() != nil {
		return OBIS{}
	}
	if len(b) != len(OBIS{}) {
		r.Fail("logical name", axdr.ErrLength)
		return OBIS{}
	}
	return OBIS(b)
}

// RangeDescriptor is the parameter of SelectRange on the buffer of a profile:
//
//	structure{restricting_object CaptureObject, from Data, to Data, selected_values array of CaptureObject}
//
// From and To are encoded Data and inclusive. No Columns means all.
type RangeDescriptor struct {
	Restricting CaptureObject
	From, To    []byte
	Columns     []CaptureObject
}

// AppendTo appends the structure.
func (d RangeDescriptor) AppendTo(b []byte) []byte {
	b = axdr.AppendStructureHeader(b, 4)
	b = d.Restricting.AppendTo(b)
	b = append(b, d.From...)
	b = append(b, d.To...)
	b = axdr.AppendArrayHeader(b, len(d.Columns))
	for _, c := range d.Columns {
		b = c.AppendTo(b)
	}
	return b
}

// captureObjectSize is the encoded size of a CaptureObject.
const captureObjectSize = 2 + 3 + 8 + 2 + 3

// ParseRangeDescriptor decodes the structure, which must be all of b. From and To alias b.
func ParseRangeDescriptor(b []byte) (RangeDescriptor, error) {
	r := axdr.NewReader(b)
	r.Structure(4)
	d := RangeDescriptor{Restricting: ReadCaptureObject(&r), From: r.Data(), To: r.Data()}
	n := r.Array()
	if n > r.Len()/captureObjectSize {
		r.Fail("selected values", axdr.ErrTruncated)
		n = 0
	}
	for range n {
		d.Columns = append(d.Columns, ReadCaptureObject(&r))
	}
	r.End("range descriptor")
	if r.Err() != nil {
		return RangeDescriptor{}, r.Err()
	}
	return d, nil
}

// EntryDescriptor is the parameter of SelectEntry on the buffer of a profile:
//
//	structure{from_entry double-long-unsigned, to_entry double-long-unsigned, from_column long-unsigned, to_column long-unsigned}
//
// Entries and columns count from 1 and are inclusive; ToEntry 0 means the last
// entry and ToColumn 0 the last column.
type EntryDescriptor struct {
	FromEntry, ToEntry   uint32
	FromColumn, ToColumn uint16
}

// AppendTo appends the structure.
func (d EntryDescriptor) AppendTo(b []byte) []byte {
	b = axdr.AppendStructureHeader(b, 4)
	b = axdr.AppendUint32(b, d.FromEntry)
	b = axdr.AppendUint32(b, d.ToEntry)
	b = axdr.AppendUint16(b, d.FromColumn)
	return axdr.AppendUint16(b, d.ToColumn)
}

// ParseEntryDescriptor decodes the structure, which must be all of b.
func ParseEntryDescriptor(b []byte) (EntryDescriptor, error) {
	r := axdr.NewReader(b)
	r.Structure(4)
	d := EntryDescriptor{FromEntry: r.Uint32(), ToEntry: r.Uint32(), FromColumn: r.Uint16(), ToColumn: r.Uint16()}
	r.End("entry descriptor")
	if r.Err() != nil {
		return EntryDescriptor{}, r.Err()
	}
	return d, nil
}

// ScalerUnit is the scaler_unit attribute of registers: the value times ten to
// the power of Scaler is in Unit.
//
//	structure{scaler integer, unit enum}
type ScalerUnit struct {
	Scaler int8
	Unit   Unit
}

// AppendTo appends the structure.
func (s ScalerUnit) AppendTo(b []byte) []byte {
	b = axdr.AppendInt8(axdr.AppendStructureHeader(b, 2), s.Scaler)
	return axdr.AppendEnum(b, uint8(s.Unit))
}

// ParseScalerUnit decodes the structure, which must be all of b.
func ParseScalerUnit(b []byte) (ScalerUnit, error) {
	r := axdr.NewReader(b)
	r.Structure(2)
	s := ScalerUnit{Scaler: r.Int8(), Unit: Unit(r.Enum())}
	r.End("scaler and unit")
	if r.Err() != nil {
		return ScalerUnit{}, r.Err()
	}
	return s, nil
}
