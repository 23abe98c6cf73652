package cosem

import (
	"fmt"
	"strconv"
	"strings"
)

// OBIS is a logical name: the six value groups A to F of IEC 62056-6-1.
type OBIS [6]byte

// Logical names that the standard fixes (Blue Book, published).
var (
	CurrentAssociation = OBIS{0, 0, 40, 0, 0, 255}
	SAPAssignment      = OBIS{0, 0, 41, 0, 0, 255}
	LogicalDeviceName  = OBIS{0, 0, 42, 0, 0, 255}
	SecuritySetup      = OBIS{0, 0, 43, 0, 0, 255}
	InvocationCounter  = OBIS{0, 0, 43, 1, 0, 255}
	ImageTransfer      = OBIS{0, 0, 44, 0, 0, 255}
	Clock              = OBIS{0, 0, 1, 0, 0, 255}
)

// String gives the name as "1-0:1.8.0.255".
func (o OBIS) String() string {
	b := make([]byte, 0, 23)
	for i, v := range o {
		if i > 0 {
			b = append(b, "-:..."[i-1])
		}
		b = strconv.AppendUint(b, uint64(v), 10)
	}
	return string(b)
}

// ParseOBIS reads "1-0:1.8.0.255". The last group may be left out, which makes
// it 255; "1.0.1.8.0.255" and "1-0:1.8.0*255", as other tools print them, and
// twelve hexadecimal digits are read too.
func ParseOBIS(s string) (OBIS, error) {
	if len(s) == 12 && !strings.ContainsAny(s, "-:.*") {
		v, err := strconv.ParseUint(s, 16, 64)
		if err != nil {
			return OBIS{}, fmt.Errorf("cosem: OBIS %q: want six numbers such as 1-0:1.8.0.255, or 12 hexadecimal digits", s)
		}
		return OBIS{byte(v >> 40), byte(v >> 32), byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}, nil
	}
	parts := strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune("-:.*", r) })
	if len(parts) != 5 && len(parts) != 6 {
		return OBIS{}, fmt.Errorf("cosem: OBIS %q: want six numbers such as 1-0:1.8.0.255, have %d", s, len(parts))
	}
	o := OBIS{5: 255}
	for i, part := range parts {
		v, err := strconv.ParseUint(part, 10, 8)
		if err != nil {
			return OBIS{}, fmt.Errorf("cosem: OBIS %q: value group %c is %q, want a number from 0 to 255", s, 'A'+i, part)
		}
		o[i] = byte(v)
	}
	return o, nil
}

// MustOBIS is ParseOBIS for names written in the program; it panics on a bad one.
func MustOBIS(s string) OBIS {
	o, err := ParseOBIS(s)
	if err != nil {
		panic(err)
	}
	return o
}

// MarshalText gives the same text as String.
func (o OBIS) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads what ParseOBIS reads.
func (o *OBIS) UnmarshalText(text []byte) error {
	v, err := ParseOBIS(string(text))
	if err == nil {
		*o = v
	}
	return err
}

// Compare orders logical names by their bytes.
func (o OBIS) Compare(p OBIS) int {
	for i := range o {
		if o[i] != p[i] {
			if o[i] < p[i] {
				return -1
			}
			return 1
		}
	}
	return 0
}
