package topic

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// ValueType is the type of a COSEM value. Numbers are the tags of the Data choice of IEC 62056-6-2 (published), names its words.
type ValueType uint8

// Types of COSEM values.
const (
	NullData           ValueType = 0
	Array              ValueType = 1
	Structure          ValueType = 2
	Boolean            ValueType = 3
	BitString          ValueType = 4
	DoubleLong         ValueType = 5
	DoubleLongUnsigned ValueType = 6
	OctetString        ValueType = 9
	VisibleString      ValueType = 10
	UTF8String         ValueType = 12
	BCD                ValueType = 13
	Integer            ValueType = 15
	Long               ValueType = 16
	Unsigned           ValueType = 17
	LongUnsigned       ValueType = 18
	Long64             ValueType = 20
	Long64Unsigned     ValueType = 21
	Enum               ValueType = 22
	Float32            ValueType = 23
	Float64            ValueType = 24
	DateTime           ValueType = 25
	Date               ValueType = 26
	Time               ValueType = 27
	DontCare           ValueType = 255
)

var typeNames = map[ValueType]string{
	NullData: "null-data", Array: "array", Structure: "structure", Boolean: "boolean", BitString: "bit-string",
	DoubleLong: "double-long", DoubleLongUnsigned: "double-long-unsigned", OctetString: "octet-string",
	VisibleString: "visible-string", UTF8String: "utf8-string", BCD: "bcd", Integer: "integer", Long: "long",
	Unsigned: "unsigned", LongUnsigned: "long-unsigned", Long64: "long64", Long64Unsigned: "long64-unsigned",
	Enum: "enum", Float32: "float32", Float64: "float64", DateTime: "date-time", Date: "date", Time: "time", DontCare: "dont-care",
}

var typesByName = func() map[string]ValueType {
	m := make(map[string]ValueType, len(typeNames))
	for t, n := range typeNames {
		m[n] = t
	}
	return m
}()

// String returns the name of the type.
func (t ValueType) String() string {
	if n, ok := typeNames[t]; ok {
		return n
	}
	return fmt.Sprintf("type-%d", uint8(t))
}

// Limits of a value.
const (
	maxValueDepth = 16
	maxValueItems = 1 << 16
)

// Value is a COSEM value in JSON, without loss: {"type":"double-long-unsigned","value":5}.
//
//	null-data, dont-care                  no value
//	boolean                               true, false
//	integer, unsigned, long, … enum, bcd  number
//	long64, long64-unsigned               string of decimal digits (a number is also read)
//	float32, float64                      number, or "0x" and the bits in hexadecimal where JSON has no number for them
//	octet-string, date-time, date, time   string of hexadecimal digits
//	visible-string                        string, one character per octet (ISO 8859-1), so that any octet survives
//	utf8-string                           string; octets that are not UTF-8 have "hex" in place of "value"
//	bit-string                            string of 0 and 1
//	array, structure                      array of values
type Value struct {
	Type ValueType
	// Num holds numbers: two's complement for signed types, 0 or 1 for boolean, the bits of a float, the number of bits of a bit-string.
	Num uint64
	// Bytes holds strings, dates and bit-strings, as on the wire.
	Bytes []byte
	// Items holds the values of an array or a structure.
	Items []Value
}

// Int makes a value of a signed type, or of an unsigned one from a number that is not negative.
func Int(t ValueType, n int64) Value { return Value{Type: t, Num: uint64(n)} }

// Octets makes an octet-string.
func Octets(b []byte) Value { return Value{Type: OctetString, Bytes: b} }

type intRange struct {
	lo int64
	hi uint64
}

var intRanges = map[ValueType]intRange{
	DoubleLong: {math.MinInt32, math.MaxInt32}, DoubleLongUnsigned: {0, math.MaxUint32}, BCD: {math.MinInt8, math.MaxInt8},
	Integer: {math.MinInt8, math.MaxInt8}, Long: {math.MinInt16, math.MaxInt16}, Unsigned: {0, math.MaxUint8},
	LongUnsigned: {0, math.MaxUint16}, Long64: {math.MinInt64, math.MaxInt64}, Long64Unsigned: {0, math.MaxUint64}, Enum: {0, math.MaxUint8},
}

var fixedSize = map[ValueType]int{DateTime: 12, Date: 5, Time: 4}

type jsonValue struct {
	Type  string          `json:"type"`
	Value json.RawMessage `json:"value,omitzero"`
	Hex   *string         `json:"hex,omitzero"`
}

// MarshalJSON writes the form above. A value that is not one (a number out of its type's range, a date of the wrong
// length, an unknown type) gives an error.
func (v Value) MarshalJSON() ([]byte, error) { return v.appendJSON(nil, 0) }

func (v Value) appendJSON(b []byte, depth int) ([]byte, error) {
	name, ok := typeNames[v.Type]
	if !ok {
		return nil, fmt.Errorf("topic: value has type %d, which is none", v.Type)
	}
	if depth > maxValueDepth {
		return nil, fmt.Errorf("topic: value is nested more than %d deep", maxValueDepth)
	}
	b = append(b, `{"type":"`+name+`"`...)
	var err error
	switch v.Type {
	case NullData, DontCare:
		return append(b, '}'), nil
	case Array, Structure:
		b = append(b, `,"value":[`...)
		for i, item := range v.Items {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = item.appendJSON(b, depth+1); err != nil {
				return nil, err
			}
		}
		return append(b, "]}"...), nil
	case UTF8String:
		if !utf8.Valid(v.Bytes) {
			return append(b, `,"hex":"`+hex.EncodeToString(v.Bytes)+`"}`...), nil
		}
	}
	text, err := v.scalarJSON()
	if err != nil {
		return nil, err
	}
	b = append(b, `,"value":`...)
	b = append(b, text...)
	return append(b, '}'), nil
}

func (v Value) scalarJSON() ([]byte, error) {
	if r, ok := intRanges[v.Type]; ok {
		return v.intJSON(r)
	}
	switch v.Type {
	case Boolean:
		if v.Num > 1 {
			return nil, fmt.Errorf("topic: boolean holds %d", v.Num)
		}
		return strconv.AppendBool(nil, v.Num == 1), nil
	case BitString:
		if v.Num > uint64(len(v.Bytes))*8 || (v.Num+7)/8 != uint64(len(v.Bytes)) {
			return nil, fmt.Errorf("topic: bit-string of %d bits has %d bytes", v.Num, len(v.Bytes))
		}
		bits := make([]byte, v.Num)
		for i := range bits {
			bits[i] = '0' + v.Bytes[i/8]>>(7-i%8)&1
		}
		return json.Marshal(string(bits))
	case Float32:
		if v.Num > math.MaxUint32 {
			return nil, fmt.Errorf("topic: float32 holds 0x%X", v.Num)
		}
		return floatJSON(float64(math.Float32frombits(uint32(v.Num))), v.Num, 32), nil
	case Float64:
		return floatJSON(math.Float64frombits(v.Num), v.Num, 64), nil
	case VisibleString:
		runes := make([]rune, len(v.Bytes))
		for i, c := range v.Bytes {
			runes[i] = rune(c)
		}
		return json.Marshal(string(runes))
	case UTF8String:
		return json.Marshal(string(v.Bytes))
	}
	if n, ok := fixedSize[v.Type]; ok && len(v.Bytes) != n {
		return nil, fmt.Errorf("topic: %s has %d bytes, not %d", v.Type, len(v.Bytes), n)
	}
	return json.Marshal(hex.EncodeToString(v.Bytes))
}

func (v Value) intJSON(r intRange) ([]byte, error) {
	var text []byte
	if r.lo < 0 {
		n := int64(v.Num)
		if n < r.lo || n > int64(r.hi) {
			return nil, fmt.Errorf("topic: %s holds %d", v.Type, n)
		}
		text = strconv.AppendInt(nil, n, 10)
	} else {
		if v.Num > r.hi {
			return nil, fmt.Errorf("topic: %s holds %d", v.Type, v.Num)
		}
		text = strconv.AppendUint(nil, v.Num, 10)
	}
	if v.Type == Long64 || v.Type == Long64Unsigned {
		text = append(append([]byte{'"'}, text...), '"')
	}
	return text, nil
}

func floatJSON(f float64, bits uint64, size int) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return fmt.Appendf(nil, `"0x%0*x"`, size/4, bits)
	}
	return strconv.AppendFloat(nil, f, 'g', -1, size)
}

// UnmarshalJSON reads the form above.
func (v *Value) UnmarshalJSON(b []byte) error {
	w, err := parseValue(b, 0)
	if err == nil {
		*v = w
	}
	return err
}

func parseValue(b []byte, depth int) (Value, error) {
	if depth > maxValueDepth {
		return Value{}, fmt.Errorf("topic: value is nested more than %d deep", maxValueDepth)
	}
	var j jsonValue
	if err := json.Unmarshal(b, &j); err != nil {
		return Value{}, err
	}
	t, ok := typesByName[j.Type]
	if !ok {
		return Value{}, fmt.Errorf("topic: there is no value type %q", clip(j.Type))
	}
	v := Value{Type: t}
	switch {
	case t == NullData || t == DontCare:
		return v, nil
	case t == UTF8String && j.Hex != nil:
		raw, err := hex.DecodeString(*j.Hex)
		v.Bytes = raw
		return v, err
	case len(j.Value) == 0 || string(j.Value) == "null":
		return Value{}, fmt.Errorf("topic: %s has no value", t)
	case t == Array || t == Structure:
		var raw []json.RawMessage
		if err := json.Unmarshal(j.Value, &raw); err != nil {
			return Value{}, err
		}
		if len(raw) > maxValueItems {
			return Value{}, fmt.Errorf("topic: %s of %d items: the limit is %d", t, len(raw), maxValueItems)
		}
		v.Items = make([]Value, len(raw))
		for i := range raw {
			item, err := parseValue(raw[i], depth+1)
			if err != nil {
				return Value{}, err
			}
			v.Items[i] = item
		}
		return v, nil
	}
	return v, v.parseScalar(j.Value)
}

func (v *Value) parseScalar(raw json.RawMessage) error {
	if r, ok := intRanges[v.Type]; ok {
		return v.parseInt(raw, r)
	}
	switch v.Type {
	case Boolean:
		var t bool
		err := json.Unmarshal(raw, &t)
		if t {
			v.Num = 1
		}
		return err
	case Float32, Float64:
		return v.parseFloat(raw)
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	switch v.Type {
	case BitString:
		return v.parseBits(s)
	case VisibleString:
		for _, r := range s {
			if r > 0xFF {
				return fmt.Errorf("topic: visible-string has the character %q, which is not one octet", r)
			}
			v.Bytes = append(v.Bytes, byte(r))
		}
		return nil
	case UTF8String:
		v.Bytes = []byte(s)
		return nil
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		return fmt.Errorf("topic: %s is not hexadecimal: %w", v.Type, err)
	}
	if n, ok := fixedSize[v.Type]; ok && len(b) != n {
		return fmt.Errorf("topic: %s has %d bytes, not %d", v.Type, len(b), n)
	}
	v.Bytes = b
	return nil
}

func (v *Value) parseInt(raw json.RawMessage, r intRange) error {
	text := string(raw)
	if raw[0] == '"' && (v.Type == Long64 || v.Type == Long64Unsigned) {
		if err := json.Unmarshal(raw, &text); err != nil {
			return err
		}
	}
	if r.lo < 0 {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < r.lo || n > int64(r.hi) {
			return fmt.Errorf("topic: %s cannot be %s", v.Type, clip(text))
		}
		v.Num = uint64(n)
		return nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n > r.hi {
		return fmt.Errorf("topic: %s cannot be %s", v.Type, clip(text))
	}
	v.Num = n
	return nil
}

func (v *Value) parseFloat(raw json.RawMessage) error {
	size := 64
	if v.Type == Float32 {
		size = 32
	}
	text := string(raw)
	if raw[0] == '"' {
		if err := json.Unmarshal(raw, &text); err != nil {
			return err
		}
		if len(text) != 2+size/4 || text[:2] != "0x" {
			return fmt.Errorf("topic: %s cannot be %q: write a number, or 0x and %d digits", v.Type, clip(text), size/4)
		}
		n, err := strconv.ParseUint(text[2:], 16, size)
		v.Num = n
		return err
	}
	f, err := strconv.ParseFloat(text, size)
	if err != nil {
		return fmt.Errorf("topic: %s cannot be %s", v.Type, clip(text))
	}
	if size == 32 {
		v.Num = uint64(math.Float32bits(float32(f)))
	} else {
		v.Num = math.Float64bits(f)
	}
	return nil
}

func (v *Value) parseBits(s string) error {
	v.Num = uint64(len(s))
	v.Bytes = make([]byte, (len(s)+7)/8)
	for i := range len(s) {
		switch s[i] {
		case '0':
		case '1':
			v.Bytes[i/8] |= 0x80 >> (i % 8)
		default:
			return fmt.Errorf("topic: bit-string has the character %q: write 0 and 1", s[i])
		}
	}
	return nil
}
