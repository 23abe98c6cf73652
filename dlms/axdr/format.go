package axdr

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

var weekdayNames = [...]string{1: "Mon", 2: "Tue", 3: "Wed", 4: "Thu", 5: "Fri", 6: "Sat", 7: "Sun"}

// String gives the date as 2026-11-24, with * for a field that is not
// specified and a weekday where the date alone does not tell it.
func (d Date) String() string {
	var s strings.Builder
	writeField(&s, int(d.Year), int(YearUnspecified), 4)
	s.WriteByte('-')
	switch d.Month {
	case MonthDSTBegin:
		s.WriteString("DST-begin")
	case MonthDSTEnd:
		s.WriteString("DST-end")
	default:
		writeField(&s, int(d.Month), int(Unspecified), 2)
	}
	s.WriteByte('-')
	switch d.Day {
	case DayLast:
		s.WriteString("last")
	case DaySecondLast:
		s.WriteString("second-last")
	default:
		writeField(&s, int(d.Day), int(Unspecified), 2)
	}
	if !d.Specified() && d.Weekday >= 1 && d.Weekday <= 7 {
		s.WriteByte(' ')
		s.WriteString(weekdayNames[d.Weekday])
	}
	return s.String()
}

// String gives the time as 18:02:05 or 18:02:05.10, with * for a field that is not specified.
func (t Time) String() string {
	var s strings.Builder
	writeField(&s, int(t.Hour), int(Unspecified), 2)
	s.WriteByte(':')
	writeField(&s, int(t.Minute), int(Unspecified), 2)
	s.WriteByte(':')
	writeField(&s, int(t.Second), int(Unspecified), 2)
	if t.Hundredths != 0 && t.Hundredths != Unspecified {
		fmt.Fprintf(&s, ".%02d", t.Hundredths)
	}
	return s.String()
}

func writeField(s *strings.Builder, v, unspecified, width int) {
	if v == unspecified {
		s.WriteByte('*')
		return
	}
	fmt.Fprintf(s, "%0*d", width, v)
}

// String gives date, time, offset from UTC and clock status, such as
// "2026-07-01 18:02:05 UTC+01:00 DST". An offset or status that is not
// specified is left out.
func (d DateTime) String() string {
	if d == UnspecifiedDateTime {
		return "unspecified"
	}
	var s strings.Builder
	s.WriteString(d.Date.String())
	s.WriteByte(' ')
	s.WriteString(d.Time.String())
	if d.Deviation != DeviationUnspecified {
		sign, minutes := '+', -int(d.Deviation)
		if minutes < 0 {
			sign, minutes = '-', -minutes
		}
		if minutes == 0 {
			s.WriteString(" UTC")
		} else {
			fmt.Fprintf(&s, " UTC%c%02d:%02d", sign, minutes/60, minutes%60)
		}
	}
	if d.Status != ClockStatusUnspecified && d.Status != 0 {
		s.WriteByte(' ')
		s.WriteString(d.Status.String())
	}
	return s.String()
}

var clockBits = [...]struct {
	bit  ClockStatus
	name string
}{
	{ClockInvalid, "invalid"}, {ClockDoubtful, "doubtful"}, {ClockDifferentBase, "different-base"},
	{ClockInvalidStatus, "invalid-status"}, {ClockDST, "DST"},
}

// String names the bits that are set.
func (c ClockStatus) String() string {
	switch c {
	case 0:
		return "ok"
	case ClockStatusUnspecified:
		return "unspecified"
	default:
	}
	var names []string
	for _, bit := range clockBits {
		if c&bit.bit != 0 {
			names = append(names, bit.name)
			c &^= bit.bit
		}
	}
	if c != 0 {
		names = append(names, fmt.Sprintf("%02X", uint8(c)))
	}
	return strings.Join(names, ",")
}

// String gives the value on one line, with types:
//
//	structure{long-unsigned 3, octet-string 0100010800FF (1-0:1.8.0.255), integer 2}
func (v Value) String() string {
	var s strings.Builder
	v.write(&s, "", false)
	return s.String()
}

// Indent gives the value on several lines, one element each, two spaces of
// indent for each level after prefix. The last line has no line end.
func (v Value) Indent(prefix string) string {
	var s strings.Builder
	s.WriteString(prefix)
	v.write(&s, prefix, true)
	return s.String()
}

func (v Value) write(s *strings.Builder, prefix string, lines bool) {
	s.WriteString(v.Tag.String())
	switch v.Tag {
	case TagNull, TagDontCare:
	case TagArray, TagStructure, TagCompactArray:
		v.writeItems(s, prefix, lines)
	default:
		s.WriteByte(' ')
		s.WriteString(v.Text())
		if hint := v.Hint(); hint != "" {
			s.WriteString(" (" + hint + ")")
		}
	}
}

func (v Value) writeItems(s *strings.Builder, prefix string, lines bool) {
	if len(v.Items) == 0 {
		s.WriteString("{}")
		return
	}
	inner := prefix + "  "
	s.WriteByte('{')
	for i, item := range v.Items {
		switch {
		case lines:
			s.WriteString("\n" + inner)
		case i > 0:
			s.WriteString(", ")
		}
		item.write(s, inner, lines)
	}
	if lines {
		s.WriteString("\n" + prefix)
	}
	s.WriteByte('}')
}

// Text gives the content alone, without the type: a number, true or false,
// quoted text, hexadecimal bytes, a string of 0 and 1, a date. Containers give
// their elements in braces.
func (v Value) Text() string {
	switch v.Tag {
	case TagNull:
		return "null"
	case TagDontCare:
		return "don't-care"
	case TagBool:
		return strconv.FormatBool(v.Num != 0)
	case TagFloat32:
		return strconv.FormatFloat(float64(math.Float32frombits(uint32(v.Num))), 'g', -1, 32)
	case TagFloat64:
		return strconv.FormatFloat(math.Float64frombits(v.Num), 'g', -1, 64)
	case TagBCD:
		return fmt.Sprintf("%02X", v.Num)
	case TagOctetString:
		return strings.ToUpper(hex.EncodeToString(v.Bytes))
	case TagVisibleString, TagUTF8:
		return strconv.Quote(string(v.Bytes))
	case TagBitString:
		return v.bitText()
	case TagDateTime, TagDate, TagTime:
		return v.dateText()
	case TagArray, TagStructure, TagCompactArray:
		texts := make([]string, len(v.Items))
		for i, item := range v.Items {
			texts[i] = item.Text()
		}
		return "{" + strings.Join(texts, ", ") + "}"
	default:
	}
	if v.Tag.signed() {
		return strconv.FormatInt(int64(v.Num), 10)
	}
	return strconv.FormatUint(v.Num, 10)
}

func (v Value) bitText() string {
	var s strings.Builder
	for i := range min(int(v.Num), 8*len(v.Bytes)) {
		s.WriteByte('0' + v.Bytes[i/8]>>(7-i%8)&1)
	}
	return s.String()
}

func (v Value) dateText() string {
	if len(v.Bytes) != v.Tag.fixedSize() {
		return strings.ToUpper(hex.EncodeToString(v.Bytes))
	}
	switch v.Tag {
	case TagDate:
		return dateOf(v.Bytes).String()
	case TagTime:
		return timeOf(v.Bytes).String()
	default:
	}
	return dateTimeOf(v.Bytes).String()
}

// Hint reads an octet-string the ways people use it: quoted text, logical name,
// date-time. It is empty where none fits, and for other types.
func (v Value) Hint() string {
	if v.Tag != TagOctetString || len(v.Bytes) == 0 {
		return ""
	}
	b := v.Bytes
	if printable(b) {
		return strconv.Quote(string(b))
	}
	switch len(b) {
	case 6:
		if b[5] == 0xFF {
			return fmt.Sprintf("%d-%d:%d.%d.%d.%d", b[0], b[1], b[2], b[3], b[4], b[5])
		}
	case dateTimeSize:
		if d := dateTimeOf(b); d.Valid() {
			return d.String()
		}
	}
	return ""
}

func printable(b []byte) bool {
	if !utf8.Valid(b) {
		return false
	}
	for _, r := range string(b) {
		if !strconv.IsPrint(r) {
			return false
		}
	}
	return true
}
