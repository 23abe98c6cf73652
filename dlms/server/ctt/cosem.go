package ctt

import (
	"bytes"
	"errors"

	"smets1/dlms/apdu"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

var objectListAttribute = cosem.Attribute{Class: cosem.ClassAssociationLN, Instance: cosem.OBIS{0, 0, 40, 0, 0, 255}, ID: 2}

func cosemCases() []Case {
	return []Case{
		{Name: "COSEM_X_Y", Purpose: "every object of every association: read what may be read, refuse what may not", run: cosemWalk},
		{Name: "mandatory", Purpose: "current association, SAP assignment, logical device name present and consistent", run: cosemMandatory},
		{Name: "multiple_references", Purpose: "with-list reads equal single reads", run: cosemLists},
		{Name: "profile_range", Purpose: "selective access by range", run: cosemRange},
		{Name: "profile_entry", Purpose: "selective access by entry", run: cosemEntry},
		{Name: "push", Purpose: "a pushed APDU is a well-formed data-notification", run: cosemPush},
	}
}

// longWrite is the longest value that is written back where it must be refused: a profile's buffer fills any link.
const longWrite = 200

// listed is one attribute of the association view.
type listed struct {
	attribute cosem.Attribute
	access    cosem.AccessMode
	version   uint8
}

// view reads and decodes the object list.
func (s *session) view() ([]listed, error) {
	raw, err := s.get(objectListAttribute, apdu.Selection{})
	if err != nil {
		return nil, err
	}
	v, n, err := axdr.Parse(raw)
	if err != nil || n != len(raw) || v.Tag != axdr.TagArray {
		return nil, failf("the object list is no array: %v", err)
	}
	version := uint8(0)
	for _, o := range v.Items {
		if o.At(0).Num == uint64(cosem.ClassAssociationLN) {
			version = uint8(o.At(1).Num)
		}
	}
	var out []listed
	for _, o := range v.Items {
		if len(o.Items) != 4 || len(o.At(2).Bytes) != 6 {
			return nil, failf("an element of the object list is malformed: %v", o)
		}
		for _, a := range o.At(3, 0).Items {
			mode := cosem.AccessMode(a.At(1).Num)
			if version < 3 {
				if mode, err = cosem.AttributeAccessV0(uint8(a.At(1).Num)); err != nil {
					return nil, err
				}
			}
			out = append(out, listed{
				cosem.Attribute{Class: cosem.ClassID(o.At(0).Num), Instance: cosem.OBIS(o.At(2).Bytes), ID: int8(a.At(0).Num)}, mode, uint8(o.At(1).Num),
			})
		}
	}
	return out, nil
}

func cosemWalk(t *Target) error {
	for _, c := range t.known() {
		s, err := t.open(c)
		if err != nil {
			return err
		}
		defer s.close()
		all, err := s.view()
		if err != nil {
			return err
		}
		for _, l := range all {
			if err := s.walk(l); err != nil {
				return failf("client %d, %v: %w", c.Client, l.attribute, err)
			}
		}
		if err := s.works(); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) walk(l listed) error {
	data, err := s.get(l.attribute, apdu.Selection{})
	var r cosem.Result
	if !l.access.Can(cosem.AccessRead) {
		if !errors.As(err, &r) {
			return failf("is listed without read access and reads % X, %v", data, err)
		}
	} else {
		// A value may be unavailable for now; it may not be denied.
		if errors.As(err, &r) && r != cosem.ReadWriteDenied && r != cosem.ObjectUndefined {
			return nil
		}
		if err != nil {
			return err
		}
		if n, err := axdr.Skip(data); err != nil || n != len(data) {
			return failf("reads % X, which is not one value", data)
		}
		if l.attribute.ID == 1 && !bytes.Equal(data, axdr.AppendOctetString(nil, l.attribute.Instance[:])) {
			return failf("logical name reads % X", data)
		}
	}
	if l.access.Can(cosem.AccessWrite) || !s.initiate.Conformance.Has(cosem.ConfSet) {
		return nil
	}
	if data == nil || len(data) > longWrite {
		data = axdr.AppendNull(nil) // it is refused before its type is looked at
	}
	if err := s.set(l.attribute, data); !errors.As(err, &r) || r != cosem.ReadWriteDenied {
		return failf("is listed without write access, writing gives %v", err)
	}
	return nil
}

func cosemMandatory(t *Target) error {
	for _, c := range t.known() {
		s, err := t.open(c)
		if err != nil {
			return err
		}
		defer s.close()
		all, err := s.view()
		if err != nil {
			return err
		}
		has := func(a cosem.Attribute) bool {
			for _, l := range all {
				if l.attribute == a && l.access.Can(cosem.AccessRead) {
					return true
				}
			}
			return false
		}
		if !has(objectListAttribute) || !has(logicalDeviceName) {
			return failf("client %d: the current association or the logical device name is missing", c.Client)
		}
		name, err := s.get(logicalDeviceName, apdu.Selection{})
		if err != nil {
			return err
		}
		r := axdr.NewReader(name)
		if b := r.OctetString(); r.Err() != nil || len(b) < 3 || len(b) > 16 {
			return failf("logical device name is % X: an octet-string of 3 to 16", name)
		}
		sap := cosem.Attribute{Class: cosem.ClassSAPAssignment, Instance: cosem.OBIS{0, 0, 41, 0, 0, 255}, ID: 2}
		if !has(sap) {
			continue // mandatory in the management logical device alone, for whoever may see it
		}
		list, err := s.get(sap, apdu.Selection{})
		if err != nil {
			return err
		}
		if !bytes.Contains(list, name) {
			return failf("the SAP assignment % X does not name this device", list)
		}
	}
	return nil
}

func cosemLists(t *Target) error {
	s, err := t.open(&t.Public)
	if err != nil {
		return err
	}
	defer s.close()
	if !s.initiate.Conformance.Has(cosem.ConfMultipleReferences) {
		return ErrNotApplicable
	}
	all, err := s.view()
	if err != nil {
		return err
	}
	var list apdu.AttributeList
	var single []apdu.GetResult
	for _, l := range all[:min(10, len(all))] {
		data, err := s.get(l.attribute, apdu.Selection{})
		g := apdu.GetResult{Data: data}
		if err != nil && !errors.As(err, &g.Result) {
			return err
		}
		list.Add(l.attribute, apdu.Selection{})
		single = append(single, g)
	}
	// One that fails among those that do not.
	list.Add(cosem.Attribute{Class: 1, Instance: cosem.OBIS{9, 9, 9, 9, 9, 9}, ID: 2}, apdu.Selection{})
	single = append(single, apdu.GetResult{Result: cosem.ObjectUndefined})
	got, err := s.getList(list)
	if err != nil {
		return err
	}
	if got.Len() != len(single) {
		return failf("%d results came for %d attributes", got.Len(), len(single))
	}
	for i, g := range got.All() {
		if g.Result != single[i].Result || !bytes.Equal(g.Data, single[i].Data) {
			return failf("element %d is % X (%v), alone % X (%v)", i, g.Data, g.Result, single[i].Data, single[i].Result)
		}
	}
	return s.works()
}

// getList reads with-list, in blocks if need be.
func (s *session) getList(list apdu.AttributeList) (apdu.GetResultList, error) {
	id := s.invoke()
	b, err := apdu.GetRequestList{InvokeID: id, Attributes: list}.AppendBinary(nil)
	if err != nil {
		return apdu.GetResultList{}, err
	}
	var whole []byte
	for number := uint32(1); ; number++ {
		reply, err := s.send(b)
		if err != nil {
			return apdu.GetResultList{}, err
		}
		if r, _, err := apdu.ParseGetResponseList(reply); err == nil && number == 1 {
			return r.Results, nil
		}
		r, _, err := apdu.ParseGetResponseBlock(reply)
		if err != nil {
			return apdu.GetResultList{}, failf("% X is no get-response", reply)
		}
		if whole = append(whole, r.Raw...); r.Last {
			l, n, err := apdu.ParseGetResultList(whole)
			if err == nil && n != len(whole) {
				err = failf("the blocks hold %d bytes more than the list", len(whole)-n)
			}
			return l, err
		}
		if b, err = (apdu.GetRequestNext{InvokeID: id, Number: number}).AppendBinary(nil); err != nil {
			return apdu.GetResultList{}, err
		}
	}
}

// profile reads a profile with its columns.
func (t *Target) profile() (s *session, rows []axdr.Value, columns []cosem.CaptureObject, err error) {
	if t.Profile == (cosem.Attribute{}) {
		return nil, nil, nil, ErrNotApplicable
	}
	if s, err = t.open(&t.Public); err != nil {
		return nil, nil, nil, err
	}
	if rows, err = s.rows(t.Profile, apdu.Selection{}); err != nil {
		return s, nil, nil, err
	}
	a := t.Profile
	a.ID = 3
	raw, err := s.get(a, apdu.Selection{})
	if err != nil {
		return s, nil, nil, err
	}
	r := axdr.NewReader(raw)
	for range r.Array() {
		columns = append(columns, cosem.ReadCaptureObject(&r))
	}
	if len(rows) < 4 || len(columns) < 2 {
		return s, nil, nil, failf("the profile needs 4 rows and 2 columns for this test, it has %d and %d", len(rows), len(columns))
	}
	return s, rows, columns, r.Err()
}

func (s *session) rows(a cosem.Attribute, sel apdu.Selection) ([]axdr.Value, error) {
	raw, err := s.get(a, sel)
	if err != nil {
		return nil, err
	}
	v, n, err := axdr.Parse(raw)
	if err != nil || n != len(raw) {
		return nil, failf("the buffer is not one value: %v", err)
	}
	return v.AsArray()
}

func sameRows(a, b []axdr.Value) bool {
	return axdr.Array(a...).Equal(axdr.Array(b...))
}

func cosemRange(t *Target) error {
	s, rows, columns, err := t.profile()
	if s != nil {
		defer s.close()
	}
	if err != nil {
		return err
	}
	clock := -1
	for i, c := range columns {
		if c.Attribute.Class == cosem.ClassClock {
			clock = i
		}
	}
	if clock < 0 {
		return ErrNotApplicable
	}
	limit := func(i int) []byte {
		b, _ := rows[i].At(clock).AppendBinary(nil)
		return b
	}
	last := len(rows) - 1
	one := []cosem.CaptureObject{columns[1]}
	for _, x := range []struct {
		what     string
		from, to int
		columns  []cosem.CaptureObject
	}{{"all", 0, last, nil}, {"one row", 1, 1, nil}, {"a part", 1, last - 1, nil}, {"a part, one column", 1, last - 1, one}} {
		d := cosem.RangeDescriptor{Restricting: columns[clock], From: limit(x.from), To: limit(x.to), Columns: x.columns}
		got, err := s.rows(t.Profile, apdu.Selection{Selector: cosem.SelectRange, Data: d.AppendTo(nil)})
		if err != nil {
			return failf("%s: %w", x.what, err)
		}
		want := rows[x.from : x.to+1]
		if x.columns != nil {
			var cut []axdr.Value
			for _, r := range want {
				cut = append(cut, axdr.Structure(r.At(1)))
			}
			want = cut
		}
		if !sameRows(got, want) {
			return failf("%s: %d rows came that are not the %d wanted", x.what, len(got), len(want))
		}
	}
	return s.works()
}

func cosemEntry(t *Target) error {
	s, rows, columns, err := t.profile()
	if s != nil {
		defer s.close()
	}
	if err != nil {
		return err
	}
	n := uint32(len(rows))
	for _, x := range []struct {
		what string
		d    cosem.EntryDescriptor
		lo   uint32
		hi   uint32
		cols []int
	}{
		{"all", cosem.EntryDescriptor{FromEntry: 1}, 0, n, nil},
		{"rows 2 and 3", cosem.EntryDescriptor{FromEntry: 2, ToEntry: 3}, 1, 3, nil},
		{"rows 2 and 3, column 2", cosem.EntryDescriptor{FromEntry: 2, ToEntry: 3, FromColumn: 2, ToColumn: 2}, 1, 3, []int{1}},
	} {
		if x.d.FromColumn == 0 {
			x.d.FromColumn = 1
		}
		got, err := s.rows(t.Profile, apdu.Selection{Selector: cosem.SelectEntry, Data: x.d.AppendTo(nil)})
		if err != nil {
			return failf("%s: %w", x.what, err)
		}
		var want []axdr.Value
		for _, r := range rows[x.lo:x.hi] {
			if x.cols != nil {
				r = axdr.Structure(r.At(x.cols[0]))
			}
			want = append(want, r)
		}
		if !sameRows(got, want) {
			return failf("%s: %d rows came that are not the %d wanted (of %d columns)", x.what, len(got), len(want), len(columns))
		}
	}
	return s.works()
}

func cosemPush(t *Target) error {
	if t.Push == nil {
		return ErrNotApplicable
	}
	b, err := t.Push()
	if err != nil {
		return err
	}
	p, n, err := apdu.ParseDataNotification(b)
	if err != nil || n != len(b) {
		return failf("% X is no data-notification: %v", b, err)
	}
	_, _, err = axdr.Parse(p.Data)
	return err
}
