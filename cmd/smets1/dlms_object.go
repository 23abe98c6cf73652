package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"smets1/dlms/axdr"
	"smets1/dlms/client"
	"smets1/dlms/cosem"
)

// memberName is CLASS/LOGICAL NAME/MEMBER as people write it: the class may be
// left out, and the member be a number, a name of the class table, or left out.
type memberName struct {
	class  cosem.ClassID // 0: to be looked up
	name   cosem.OBIS
	member string // "": all attributes
}

func parseMember(s string) (memberName, error) {
	bad := usageError{fmt.Errorf("%.60q: want CLASS/LOGICAL-NAME/MEMBER as 3/1-0:1.8.0.255/2; class and member may be left out, as in 1-0:1.8.0", s)}
	parts := strings.Split(s, "/")
	m := memberName{}
	if n, err := strconv.ParseUint(parts[0], 10, 16); err == nil && len(parts) > 1 {
		m.class, parts = cosem.ClassID(n), parts[1:]
	}
	if len(parts) == 0 || len(parts) > 2 {
		return m, bad
	}
	var err error
	if m.name, err = cosem.ParseOBIS(parts[0]); err != nil {
		return m, bad
	}
	if len(parts) == 2 {
		if m.member = parts[1]; m.member == "" {
			return m, bad
		}
	}
	return m, nil
}

// view looks objects up in the association view, which it reads once and only
// if it must.
type view struct {
	s       *dlmsSession
	objects []client.ObjectInfo
}

func (v *view) find(name cosem.OBIS, class cosem.ClassID) (client.ObjectInfo, error) {
	if v.objects == nil {
		objects, err := v.s.Objects(v.s.ctx)
		if err != nil {
			return client.ObjectInfo{}, fmt.Errorf("reading the association view to find %s (giving class and attribute, as in 3/%s/2, does without): %w", name, name, err)
		}
		v.objects = objects
	}
	var found []client.ObjectInfo
	for _, o := range v.objects {
		if o.Name == name && (class == 0 || o.Class == class) {
			found = append(found, o)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return client.ObjectInfo{}, dlmsError{fmt.Errorf("the association view has no object %s: smets1 dlms list shows what there is; another client address may see more", name), exitRefused}
	}
	return client.ObjectInfo{}, usageError{fmt.Errorf("%s is the name of %d objects: give the class too, as in %d/%s", name, len(found), found[0].Class, name)}
}

// associationVersion is the version by which access rights are coded.
func (v *view) associationVersion() uint8 {
	for _, o := range v.objects {
		if o.Class == cosem.ClassAssociationLN {
			return o.Version
		}
	}
	return 0
}

func attributeAccess(version, code uint8) cosem.AccessMode {
	if version >= 3 {
		return cosem.AccessMode(code)
	}
	m, err := cosem.AttributeAccessV0(code)
	if err != nil {
		return cosem.AccessNone
	}
	return m
}

func methodAccess(version, code uint8) cosem.AccessMode {
	if version >= 3 {
		return cosem.AccessMode(code)
	}
	m, err := cosem.MethodAccessV0(code)
	if err != nil {
		return cosem.AccessNone
	}
	return m
}

// attributes gives the attributes that a name means.
func (v *view) attributes(m memberName) ([]cosem.Attribute, error) {
	if m.member != "" {
		class, err := v.class(m)
		if err != nil {
			return nil, err
		}
		id, err := attributeID(class, m.member)
		if err != nil {
			return nil, err
		}
		return []cosem.Attribute{{Class: class, Instance: m.name, ID: id}}, nil
	}
	o, err := v.find(m.name, m.class)
	if err != nil {
		return nil, err
	}
	var out []cosem.Attribute
	for _, a := range o.Attributes {
		if attributeAccess(v.associationVersion(), a.Access).Can(cosem.AccessRead) {
			out = append(out, cosem.Attribute{Class: o.Class, Instance: o.Name, ID: a.ID})
		}
	}
	if len(out) == 0 {
		return nil, dlmsError{fmt.Errorf("this association may read nothing of %s: another client address may", m.name), exitRefused}
	}
	return out, nil
}

func (v *view) class(m memberName) (cosem.ClassID, error) {
	if m.class != 0 {
		return m.class, nil
	}
	o, err := v.find(m.name, 0)
	return o.Class, err
}

func attributeID(class cosem.ClassID, s string) (int8, error) {
	if n, err := strconv.ParseInt(s, 10, 8); err == nil {
		return int8(n), nil
	}
	if s == "logical_name" {
		return 1, nil
	}
	info, ok := cosem.LookupClass(class, 0xFF)
	if ok {
		if a, ok := info.AttributeByName(s); ok {
			return a.ID, nil
		}
	}
	names := []string{"logical_name"}
	for _, a := range info.Attributes {
		names = append(names, a.Name)
	}
	return 0, usageError{fmt.Errorf("class %s has no attribute %q: want a number, or one of %s", class, s, strings.Join(names, ", "))}
}

func methodID(class cosem.ClassID, s string) (int8, error) {
	if n, err := strconv.ParseInt(s, 10, 8); err == nil {
		return int8(n), nil
	}
	info, _ := cosem.LookupClass(class, 0xFF)
	if m, ok := info.MethodByName(s); ok {
		return m.ID, nil
	}
	var names []string
	for _, m := range info.Methods {
		names = append(names, m.Name)
	}
	return 0, usageError{fmt.Errorf("class %s has no method %q: want a number, or one of %s", class, s, strings.Join(names, ", "))}
}

func attributeInfo(a cosem.Attribute) cosem.AttributeInfo {
	if a.ID == 1 {
		return cosem.AttributeInfo{ID: 1, Name: "logical_name", Types: []axdr.Tag{axdr.TagOctetString}}
	}
	info, _ := cosem.LookupClass(a.Class, 0xFF)
	at, _ := info.Attribute(a.ID)
	return at
}

// typedValue reads a value that says its type, or whose type the class table
// tells, or else the value that is there now.
func typedValue(text string, types []axdr.Tag, shape string, now func() (axdr.Tag, error)) (axdr.Value, error) {
	word := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(": {\t", r) })
	if len(word) > 0 {
		if _, isType := axdr.TagByName(word[0]); isType || word[0] == "null" {
			v, err := axdr.ParseText(text)
			if err != nil {
				return v, usageError{err}
			}
			return v, nil
		}
	}
	var t axdr.Tag
	switch {
	case len(types) == 1:
		t = types[0]
	case now != nil:
		var err error
		if t, err = now(); err != nil {
			return axdr.Value{}, fmt.Errorf("the type of %.30q is not known (write it as in double-long-unsigned:5), and reading the value that is there now to find out: %w", text, err)
		}
	default:
		return axdr.Value{}, usageError{fmt.Errorf("the type of %.30q is not known: write it, as in double-long-unsigned:5", text)}
	}
	if t == axdr.TagOctetString && !strings.Contains(text, `"`) {
		for _, form := range []string{"date-time", "date", "time"} {
			if strings.HasPrefix(shape, form) && !strings.HasPrefix(text, form) && !strings.HasPrefix(text, "hex:") {
				text = form + ":" + text
				break
			}
		}
	}
	v, err := axdr.ParseTextAs(t, text)
	if err != nil {
		return v, usageError{fmt.Errorf("%w (taken for %s; another type is written before it, as in long:5)", err, t)}
	}
	return v, nil
}

// meaning says what a value stands for where the class table tells: the name of
// an enum's value, a date-time.
func meaning(v axdr.Value, shape string) string {
	if v.Tag == axdr.TagOctetString && strings.HasPrefix(shape, "date-time") {
		if d, err := v.AsDateTime(); err == nil {
			return d.String()
		}
	}
	if v.Tag != axdr.TagEnum {
		return ""
	}
	for _, part := range strings.Split(shape, ", ") {
		number, name, ok := strings.Cut(part, " ")
		if n, err := strconv.ParseUint(number, 10, 8); ok && err == nil && n == v.Num {
			return name
		}
	}
	return ""
}

// unitOf finds the scaler_unit among what was read of the same object.
func unitOf(a cosem.Attribute, rows []readRow) (cosem.ScalerUnit, bool) {
	scaler := int8(3)
	switch {
	case (a.Class == cosem.ClassRegister || a.Class == cosem.ClassExtendedRegister) && a.ID == 2:
	case a.Class == cosem.ClassDemandRegister && (a.ID == 2 || a.ID == 3):
		scaler = 4
	default:
		return cosem.ScalerUnit{}, false
	}
	i := slices.IndexFunc(rows, func(r readRow) bool {
		return r.attribute.Class == a.Class && r.attribute.Instance == a.Instance && r.attribute.ID == scaler && r.err == nil
	})
	if i < 0 {
		return cosem.ScalerUnit{}, false
	}
	u, err := cosem.ParseScalerUnit(rows[i].raw)
	return u, err == nil
}
