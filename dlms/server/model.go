package server

import (
	"fmt"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

// MaxAssociations is how many associations a model may declare.
const MaxAssociations = 8

// Access is [cosem.AccessMode]: read, write (of a method: execute), and how requests must be protected.
type Access = cosem.AccessMode

// Access in short.
const (
	Read      = cosem.AccessRead
	Write     = cosem.AccessWrite
	ReadWrite = cosem.AccessReadWrite
	Execute   = cosem.AccessCall
)

// Rights holds the access of each association of a model, by its index in [Config.Associations]. The zero value is no
// access for anybody.
type Rights [MaxAssociations]Access

// All gives the same access to every association.
func All(a Access) Rights {
	var r Rights
	for i := range r {
		r[i] = a
	}
	return r
}

// Getter appends the value of an attribute, as one encoded A-XDR Data, to dst. An error that is (or wraps) a
// [cosem.Result] becomes that result; any other error becomes other-reason (250).
type Getter func(c *Call, dst []byte) ([]byte, error)

// Setter takes the value of an attribute: raw is exactly one well-formed Data of the attribute's type. It aliases the
// request and must be copied to be kept. Errors as for Getter. A setter that returns an error has changed nothing.
type Setter func(c *Call, raw []byte) error

// Do runs a method. arg is exactly one well-formed Data, nil when the request had none. It appends the return
// parameter, if there is one, to dst. Errors: a [cosem.ActionResult] is sent as it is, any other error becomes
// other-reason.
type Do func(c *Call, arg, dst []byte) ([]byte, error)

// Attr declares an attribute.
type Attr struct {
	// ID is the attribute number, from 2 upwards; 1 (logical name) is supplied by the model. Negative numbers are the
	// manufacturer's.
	ID int8
	// Type is the tag a written value must have. Zero (null-data) accepts any type.
	Type axdr.Tag
	// Access of each association.
	Access Rights
	// Get appends the value. Nil makes the attribute unreadable whatever Access says.
	Get Getter
	// Set takes a value. Nil makes the attribute unwritable whatever Access says.
	Set Setter
	// Selectors are the selective access selectors Get understands; it finds them in Call.Selector and Call.Selection.
	// Others are refused.
	Selectors []int8
}

// Method declares a method.
type Method struct {
	// ID is the method number, from 1.
	ID int8
	// Access of each association: [Execute] and protection bits.
	Access Rights
	// Do runs it. Nil refuses it whatever Access says.
	Do Do
}

// Object declares a COSEM object.
type Object struct {
	Class    cosem.ClassID
	Version  uint8
	Instance cosem.OBIS
	// NameAccess is the access to attribute 1, the logical name. Zero gives read to each association with any right on
	// the object.
	NameAccess Rights
	Attrs      []Attr
	Methods    []Method
}

// attr finds a declared attribute.
func (o *Object) attr(id int8) *Attr {
	for i := range o.Attrs {
		if o.Attrs[i].ID == id {
			return &o.Attrs[i]
		}
	}
	return nil
}

// method finds a declared method.
func (o *Object) method(id int8) *Method {
	for i := range o.Methods {
		if o.Methods[i].ID == id {
			return &o.Methods[i]
		}
	}
	return nil
}

// visible says whether association i has any right on the object.
func (o *Object) visible(i int) bool {
	if o.NameAccess[i] != 0 {
		return true
	}
	for k := range o.Attrs {
		if o.Attrs[k].Access[i]&ReadWrite != 0 {
			return true
		}
	}
	for k := range o.Methods {
		if o.Methods[k].Access[i]&Execute != 0 {
			return true
		}
	}
	return false
}

// nameAccess is the access of association i to attribute 1.
func (o *Object) nameAccess(i int) Access {
	if o.NameAccess[i] != 0 {
		return o.NameAccess[i]
	}
	if o.visible(i) {
		return Read
	}
	return 0
}

// Config declares a model.
type Config struct {
	// Name of the type, for messages.
	Name string
	// Associations clients may open, at most [MaxAssociations]. Their order gives the indices of [Rights].
	Associations []Association
	// Objects of the logical device. The objects of the current association (0-0:40.0.0.255) and of each declared
	// association with an Instance (class 15) are added by NewModel and need not be listed.
	Objects []Object
	// AssociationVersion is the version of the class 15 objects (0 to 3), which decides how rights are written in the
	// object list. Zero is version 0; meters of this generation have 0 to 2.
	AssociationVersion uint8
	// MaxOpen is how many associations may be open in one device at once; a further AARQ is refused as transient. Zero
	// is 8.
	MaxOpen int
	// MaxTransfer bounds what is collected of a long request and prepared of a long reply, in bytes. Zero is 1 MiB.
	MaxTransfer int
}

// Model is a validated Config with its index. It is immutable.
type Model struct {
	name     string
	assocs   []Association
	objects  []*Object
	index    map[objectKey]*Object
	version  uint8
	maxOpen  int
	maxBytes int
}

type objectKey struct {
	class    cosem.ClassID
	instance cosem.OBIS
}

// currentAssociation is the logical name under which each association sees itself (published, IEC 62056-6-2 class 15).
var currentAssociation = cosem.OBIS{0, 0, 40, 0, 0, 255}

// NewModel checks a declaration and indexes it. The declaration must not be changed afterwards.
func NewModel(c Config) (*Model, error) {
	if len(c.Associations) == 0 {
		return nil, fmt.Errorf("server: model %q declares no association: add at least one", c.Name)
	}
	if len(c.Associations) > MaxAssociations {
		return nil, fmt.Errorf("server: model %q declares %d associations: at most %d", c.Name, len(c.Associations), MaxAssociations)
	}
	if c.AssociationVersion > 3 {
		return nil, fmt.Errorf("server: model %q has association version %d: 0 to 3", c.Name, c.AssociationVersion)
	}
	m := &Model{
		name: c.Name, assocs: c.Associations, version: c.AssociationVersion,
		maxOpen: c.MaxOpen, maxBytes: c.MaxTransfer,
		index: make(map[objectKey]*Object, len(c.Objects)+len(c.Associations)+1),
	}
	if m.maxOpen == 0 {
		m.maxOpen = 8
	}
	if m.maxBytes == 0 {
		m.maxBytes = 1 << 20
	}
	for i := range m.assocs {
		if err := m.assocs[i].check(); err != nil {
			return nil, fmt.Errorf("server: model %q: association %d (%s): %w", c.Name, i, m.assocs[i].Name, err)
		}
	}
	if err := m.addAssociationObjects(); err != nil {
		return nil, err
	}
	for i := range c.Objects {
		if err := m.add(&c.Objects[i]); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// MustModel is NewModel for declarations fixed in code: it panics on an error.
func MustModel(c Config) *Model {
	m, err := NewModel(c)
	if err != nil {
		panic(err)
	}
	return m
}

// Name of the type.
func (m *Model) Name() string { return m.name }

// Associations are those declared, in order. The slice must not be changed.
func (m *Model) Associations() []Association { return m.assocs }

// Objects are the objects of the model, those of class 15 first. The slice must not be changed.
func (m *Model) Objects() []*Object { return m.objects }

// Object finds an object by class and logical name.
func (m *Model) Object(class cosem.ClassID, instance cosem.OBIS) (*Object, bool) {
	o, ok := m.index[objectKey{class, instance}]
	return o, ok
}

func (m *Model) add(o *Object) error {
	where := fmt.Sprintf("server: model %q: object %v class %d", m.name, o.Instance, o.Class)
	key := objectKey{o.Class, o.Instance}
	if _, ok := m.index[key]; ok {
		return fmt.Errorf("%s is declared twice", where)
	}
	seen := map[int8]bool{0: true, 1: true}
	for i := range o.Attrs {
		a := &o.Attrs[i]
		if seen[a.ID] {
			return fmt.Errorf("%s: attribute %d is declared twice or reserved", where, a.ID)
		}
		seen[a.ID] = true
		for k := range m.assocs {
			if a.Access[k]&Read != 0 && a.Get == nil {
				return fmt.Errorf("%s: attribute %d may be read but has no getter", where, a.ID)
			}
			if a.Access[k]&Write != 0 && a.Set == nil {
				return fmt.Errorf("%s: attribute %d may be written but has no setter", where, a.ID)
			}
		}
	}
	seen = map[int8]bool{0: true}
	for i := range o.Methods {
		d := &o.Methods[i]
		if seen[d.ID] {
			return fmt.Errorf("%s: method %d is declared twice or reserved", where, d.ID)
		}
		seen[d.ID] = true
		for k := range m.assocs {
			if d.Access[k]&Execute != 0 && d.Do == nil {
				return fmt.Errorf("%s: method %d may be run but has no function", where, d.ID)
			}
		}
	}
	m.index[key] = o
	m.objects = append(m.objects, o)
	return nil
}

// find resolves an object for association i; the result tells why it is not there (success when found).
func (m *Model) find(i int, class cosem.ClassID, instance cosem.OBIS) (*Object, cosem.Result) {
	if o, ok := m.index[objectKey{class, instance}]; ok && o.visible(i) {
		return o, cosem.Success
	}
	for _, o := range m.objects {
		if o.Instance == instance && o.visible(i) {
			return nil, cosem.ObjectClassInconsistent
		}
	}
	return nil, cosem.ObjectUndefined
}
