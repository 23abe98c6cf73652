package axdr

import "fmt"

// Tag is the first byte of an encoded Data and names its type.
type Tag uint8

// The Data tags of IEC 62056-5-3 (published).
const (
	TagNull          Tag = 0
	TagArray         Tag = 1
	TagStructure     Tag = 2
	TagBool          Tag = 3
	TagBitString     Tag = 4
	TagInt32         Tag = 5 // double-long
	TagUint32        Tag = 6 // double-long-unsigned
	TagOctetString   Tag = 9
	TagVisibleString Tag = 10
	TagUTF8          Tag = 12
	TagBCD           Tag = 13
	TagInt8          Tag = 15 // integer
	TagInt16         Tag = 16 // long
	TagUint8         Tag = 17 // unsigned
	TagUint16        Tag = 18 // long-unsigned
	TagCompactArray  Tag = 19
	TagInt64         Tag = 20 // long64
	TagUint64        Tag = 21 // long64-unsigned
	TagEnum          Tag = 22
	TagFloat32       Tag = 23
	TagFloat64       Tag = 24
	TagDateTime      Tag = 25
	TagDate          Tag = 26
	TagTime          Tag = 27
	TagDeltaInt8     Tag = 28
	TagDeltaInt16    Tag = 29
	TagDeltaInt32    Tag = 30
	TagDeltaUint8    Tag = 31
	TagDeltaUint16   Tag = 32
	TagDeltaUint32   Tag = 33
	TagDontCare      Tag = 255
)

const (
	sizeVariable = -1 // what fixedSize says of strings and containers
	sizeInvalid  = -2 // and of what is not a tag

	dateTimeSize = 12
	dateSize     = 5
	timeSize     = 4
)

var tagNames = [256]string{
	TagNull:          "null-data",
	TagArray:         "array",
	TagStructure:     "structure",
	TagBool:          "boolean",
	TagBitString:     "bit-string",
	TagInt32:         "double-long",
	TagUint32:        "double-long-unsigned",
	TagOctetString:   "octet-string",
	TagVisibleString: "visible-string",
	TagUTF8:          "utf8-string",
	TagBCD:           "bcd",
	TagInt8:          "integer",
	TagInt16:         "long",
	TagUint8:         "unsigned",
	TagUint16:        "long-unsigned",
	TagCompactArray:  "compact-array",
	TagInt64:         "long64",
	TagUint64:        "long64-unsigned",
	TagEnum:          "enum",
	TagFloat32:       "float32",
	TagFloat64:       "float64",
	TagDateTime:      "date-time",
	TagDate:          "date",
	TagTime:          "time",
	TagDeltaInt8:     "delta-integer",
	TagDeltaInt16:    "delta-long",
	TagDeltaInt32:    "delta-double-long",
	TagDeltaUint8:    "delta-unsigned",
	TagDeltaUint16:   "delta-long-unsigned",
	TagDeltaUint32:   "delta-double-long-unsigned",
	TagDontCare:      "don't-care",
}

// String returns the name the standard gives the type, such as "double-long-unsigned".
func (t Tag) String() string {
	if name := tagNames[t]; name != "" {
		return name
	}
	return fmt.Sprintf("tag %d", uint8(t))
}

// Valid reports whether t is one of the Data tags.
func (t Tag) Valid() bool { return tagNames[t] != "" }

// TagByName finds the tag whose String is name.
func TagByName(name string) (Tag, bool) {
	if name == "" {
		return 0, false
	}
	for t, n := range tagNames {
		if n == name {
			return Tag(t), true
		}
	}
	return 0, false
}

// fixedSize is the number of content bytes of a type that always has the same
// number, sizeVariable for the others and sizeInvalid for what is not a tag.
func (t Tag) fixedSize() int {
	switch t {
	case TagNull, TagDontCare:
		return 0
	case TagBool, TagBCD, TagInt8, TagUint8, TagEnum, TagDeltaInt8, TagDeltaUint8:
		return 1
	case TagInt16, TagUint16, TagDeltaInt16, TagDeltaUint16:
		return 2
	case TagInt32, TagUint32, TagFloat32, TagDeltaInt32, TagDeltaUint32:
		return 4
	case TagInt64, TagUint64, TagFloat64:
		return 8
	case TagDateTime:
		return dateTimeSize
	case TagDate:
		return dateSize
	case TagTime:
		return timeSize
	case TagArray, TagStructure, TagBitString, TagOctetString, TagVisibleString, TagUTF8, TagCompactArray:
		return sizeVariable
	}
	return sizeInvalid
}

// signed reports whether the number of a Value with this tag is two's complement.
func (t Tag) signed() bool {
	switch t {
	case TagInt8, TagInt16, TagInt32, TagInt64, TagDeltaInt8, TagDeltaInt16, TagDeltaInt32:
		return true
	default:
	}
	return false
}

// unsigned reports whether a Value with this tag is a number without a sign.
func (t Tag) unsigned() bool {
	switch t {
	case TagUint8, TagUint16, TagUint32, TagUint64, TagEnum, TagBCD,
		TagDeltaUint8, TagDeltaUint16, TagDeltaUint32:
		return true
	default:
	}
	return false
}
