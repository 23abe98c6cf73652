package cosem

import "fmt"

// DescriptorSize is the encoded size of an Attribute or Method.
const DescriptorSize = 9

// Attribute names one attribute of one object. ID 0 means all attributes where
// that has been negotiated; negative ones are a manufacturer's own.
type Attribute struct {
	Class    ClassID
	Instance OBIS
	ID       int8
}

// Method names one method of one object.
type Method struct {
	Class    ClassID
	Instance OBIS
	ID       int8
}

// AppendTo appends the nine bytes.
func (a Attribute) AppendTo(b []byte) []byte { return appendDescriptor(b, a.Class, a.Instance, a.ID) }

// AppendTo appends the nine bytes.
func (m Method) AppendTo(b []byte) []byte { return appendDescriptor(b, m.Class, m.Instance, m.ID) }

func appendDescriptor(b []byte, class ClassID, ln OBIS, id int8) []byte {
	b = append(b, byte(class>>8), byte(class))
	b = append(b, ln[:]...)
	return append(b, byte(id))
}

// AttributeOf decodes nine bytes; b must have them.
func AttributeOf(b []byte) Attribute {
	return Attribute{Class: ClassID(b[0])<<8 | ClassID(b[1]), Instance: OBIS(b[2:8]), ID: int8(b[8])}
}

// MethodOf decodes nine bytes; b must have them.
func MethodOf(b []byte) Method {
	return Method{Class: ClassID(b[0])<<8 | ClassID(b[1]), Instance: OBIS(b[2:8]), ID: int8(b[8])}
}

// String gives "3/1-0:1.8.0.255/2": class, logical name, attribute.
func (a Attribute) String() string { return fmt.Sprintf("%d/%s/%d", a.Class, a.Instance, a.ID) }

// String gives "70/0-0:96.3.10.255/1": class, logical name, method.
func (m Method) String() string { return fmt.Sprintf("%d/%s/%d", m.Class, m.Instance, m.ID) }
