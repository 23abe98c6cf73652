package axdr

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// TextError says where in a text and why it is not a value.
type TextError struct {
	Offset int    // byte offset in the text
	What   string // what is wrong and what is wanted
}

func (e *TextError) Error() string {
	return fmt.Sprintf("axdr: value text, at character %d: %s", e.Offset+1, e.What)
}

// ParseText reads a value as people write it, the type first (the notation is ours):
//
//	double-long-unsigned:5        integers in decimal, or hexadecimal after 0x
//	boolean:true   enum:3   bcd:59   float32:1.5   null-data
//	visible-string:"a, b"         quotes where the text has , or }
//	octet-string:00FF             hexadecimal; also hex:00FF
//	octet-string:"text"           quoted: the bytes of the text
//	octet-string:obis:1-0:1.8.0   a logical name; also date-time:…, date:…, time:…
//	bit-string:1010
//	date-time:2026-07-01T18:02:05+01:00    also "2026-07-01 18:02:05 UTC+01:00 DST", * for a field that is not specified
//	structure{unsigned:1, array{long:2, long:3}}   compact-array{…}
//
// A space may stand for the colon after the type, and what is in parentheses
// after a value is passed over, so that Value.String is read too.
func ParseText(s string) (Value, error) {
	p := textParser{s: s}
	v, err := p.value(0)
	if err != nil {
		return Value{}, err
	}
	return v, p.end()
}

// ParseTextAs reads a value whose type is known: what ParseText takes after the
// colon, or in braces elements with their types.
func ParseTextAs(t Tag, s string) (Value, error) {
	p := textParser{s: s}
	p.spaces()
	v, err := p.content(t, 0)
	if err != nil {
		return Value{}, err
	}
	return v, p.end()
}

type textParser struct {
	s   string
	off int
}

func (p *textParser) failAt(off int, format string, args ...any) error {
	return &TextError{Offset: off, What: fmt.Sprintf(format, args...)}
}

func (p *textParser) spaces() {
	for p.off < len(p.s) && strings.IndexByte(" \t\r\n", p.s[p.off]) >= 0 {
		p.off++
	}
}

func (p *textParser) next() byte {
	if p.off < len(p.s) {
		return p.s[p.off]
	}
	return 0
}

func (p *textParser) end() error {
	p.spaces()
	if p.off < len(p.s) {
		return p.failAt(p.off, "%.20q is left over after the value", p.s[p.off:])
	}
	return nil
}

// value reads a type and its content.
func (p *textParser) value(depth int) (Value, error) {
	p.spaces()
	start := p.off
	for p.off < len(p.s) && (isWord(p.s[p.off]) || p.s[p.off] == '-' || p.s[p.off] == '\'') {
		p.off++
	}
	name := p.s[start:p.off]
	if name == "null" {
		name = TagNull.String()
	}
	t, ok := TagByName(name)
	if !ok {
		if name == "" {
			return Value{}, p.failAt(start, "a type is wanted here, as in double-long-unsigned:5")
		}
		return Value{}, p.failAt(start, "%.30q is not a type: want null-data, boolean, integer, long, unsigned, enum, octet-string, visible-string, structure …", name)
	}
	p.spaces()
	if p.next() == ':' {
		p.off++
		p.spaces()
	}
	return p.content(t, depth)
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// content reads what follows the type.
func (p *textParser) content(t Tag, depth int) (Value, error) {
	switch t {
	case TagNull, TagDontCare:
		if word, at := p.word(); word != "" && word != t.String() && word != "null" {
			return Value{}, p.failAt(at, "%s has no content", t)
		}
		return Value{Tag: t}, nil
	case TagArray, TagStructure, TagCompactArray:
		return p.items(t, depth)
	default:
	}
	v, err := p.simple(t)
	if err != nil {
		return Value{}, err
	}
	return v, p.remark()
}

// remark passes over what stands in parentheses, as Value.String explains octet-strings.
func (p *textParser) remark() error {
	p.spaces()
	if p.next() != '(' {
		return nil
	}
	start := p.off
	p.off++
	if p.next() == '"' {
		if _, err := p.quoted(); err != nil {
			return err
		}
	}
	for p.off < len(p.s) && p.s[p.off] != ')' {
		p.off++
	}
	if p.off == len(p.s) {
		return p.failAt(start, "the parenthesis is not closed")
	}
	p.off++
	return nil
}

func (p *textParser) items(t Tag, depth int) (Value, error) {
	start := p.off
	if depth >= defaultDepth {
		return Value{}, p.failAt(start, "more than %d containers inside one another", defaultDepth)
	}
	if p.next() != '{' {
		return Value{}, p.failAt(start, "%s wants its elements in braces, with their types: %s{unsigned:1, …}", t, t)
	}
	p.off++
	var items []Value
	for {
		p.spaces()
		before := strings.TrimRight(p.s[:p.off], " \t\r\n")
		newLine := strings.Contains(p.s[len(before):p.off], "\n")
		if p.next() == '}' {
			p.off++
			break
		}
		switch {
		case len(items) == 0:
		case p.next() == ',':
			p.off++
		case !newLine || p.next() == 0:
			return Value{}, p.failAt(p.off, "a comma, a new line or } is wanted after an element")
		}
		item, err := p.value(depth + 1)
		if err != nil {
			return Value{}, err
		}
		items = append(items, item)
	}
	if t != TagCompactArray {
		return Value{Tag: t, Items: items}, nil
	}
	v, err := CompactArray(items...)
	if err != nil {
		return Value{}, p.failAt(start, "%v", err)
	}
	return v, nil
}

// word takes what stands up to a comma, brace, parenthesis or the end.
func (p *textParser) word() (string, int) {
	start := p.off
	for p.off < len(p.s) && strings.IndexByte(",{}(\n", p.s[p.off]) < 0 {
		p.off++
	}
	word := strings.TrimSpace(p.s[start:p.off])
	return word, start
}

func (p *textParser) quoted() (string, error) {
	prefix, err := strconv.QuotedPrefix(p.s[p.off:])
	if err != nil {
		return "", p.failAt(p.off, "the quotes are not closed")
	}
	text, err := strconv.Unquote(prefix)
	if err != nil {
		return "", p.failAt(p.off, "the quoted text is not well formed")
	}
	p.off += len(prefix)
	return text, nil
}

// simple reads the content of a type that holds no others.
func (p *textParser) simple(t Tag) (Value, error) {
	start := p.off
	if p.next() == '"' {
		text, err := p.quoted()
		if err != nil {
			return Value{}, err
		}
		switch t {
		case TagOctetString, TagVisibleString, TagUTF8:
			return Value{Tag: t, Bytes: notEmpty([]byte(text))}, nil
		default:
		}
		return Value{}, p.failAt(start, "%s is not text: leave the quotes out", t)
	}
	word, _ := p.word()
	v, err := simpleText(t, word)
	if err != nil {
		return Value{}, p.failAt(start, "%v", err)
	}
	return v, nil
}

func notEmpty(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

func simpleText(t Tag, word string) (Value, error) {
	switch t {
	case TagBool:
		switch word {
		case "true", "1":
			return Bool(true), nil
		case "false", "0":
			return Bool(false), nil
		}
		return Value{}, fmt.Errorf("%.20q: want true or false", word)
	case TagVisibleString, TagUTF8:
		return Value{Tag: t, Bytes: notEmpty([]byte(word))}, nil
	case TagOctetString:
		return octetText(word)
	case TagBitString:
		return bitText(word)
	case TagBCD:
		n, err := strconv.ParseUint(word, 16, 8)
		if err != nil {
			return Value{}, fmt.Errorf("%.20q: want two digits", word)
		}
		return BCD(uint8(n)), nil
	case TagFloat32, TagFloat64:
		size := 8 * t.fixedSize()
		f, err := strconv.ParseFloat(word, size)
		if err != nil {
			return Value{}, fmt.Errorf("%.30q: want a number that fits %s", word, t)
		}
		if t == TagFloat32 {
			return Float32(float32(f)), nil
		}
		return Float64(f), nil
	case TagDateTime, TagDate, TagTime:
		b, err := dateBytes(t, word)
		return Value{Tag: t, Bytes: b}, err
	default:
	}
	return integerText(t, word)
}

func integerText(t Tag, word string) (Value, error) {
	size := 8 * t.fixedSize()
	if t.signed() {
		n, err := strconv.ParseInt(word, 0, size)
		if err != nil {
			return Value{}, fmt.Errorf("%.30q: want a number from %d to %d for %s", word, int64(-1)<<(size-1), int64(1)<<(size-1)-1, t)
		}
		return Value{Tag: t, Num: uint64(n)}, nil
	}
	n, err := strconv.ParseUint(word, 0, size)
	if err != nil {
		return Value{}, fmt.Errorf("%.30q: want a number from 0 to %d for %s", word, uint64(math.MaxUint64)>>(64-size), t)
	}
	return Value{Tag: t, Num: n}, nil
}

func octetText(word string) (Value, error) {
	form, rest, found := strings.Cut(word, ":")
	if !found {
		return hexText(word)
	}
	switch form = strings.TrimSpace(form); form {
	case "hex":
		return hexText(rest)
	case "text":
		return Octets([]byte(rest)), nil
	case "obis":
		b, err := logicalName(rest)
		return Octets(b), err
	case "date-time", "date", "time":
		t, _ := TagByName(form)
		b, err := dateBytes(t, rest)
		return Octets(b), err
	}
	return Value{}, fmt.Errorf("%.20q: want hexadecimal digits, or hex:, text:, obis:, date-time:, date: or time: before the content", form)
}

func hexText(s string) (Value, error) {
	b, err := hex.DecodeString(strings.NewReplacer(" ", "", "-", "").Replace(s))
	if err != nil {
		return Value{}, fmt.Errorf("%.30q: want pairs of hexadecimal digits, or text in quotes", s)
	}
	return Octets(notEmpty(b)), nil
}

func bitText(s string) (Value, error) {
	bits := make([]byte, (len(s)+7)/8)
	for i := range len(s) {
		switch s[i] {
		case '1':
			bits[i/8] |= 0x80 >> (i % 8)
		case '0':
		default:
			return Value{}, fmt.Errorf("%.20q: want the digits 0 and 1", s)
		}
	}
	return Value{Tag: TagBitString, Num: uint64(len(s)), Bytes: notEmpty(bits)}, nil
}

// logicalName reads A-B:C.D.E or A-B:C.D.E.F. (Package cosem has the type for
// logical names; it stands above this one.)
func logicalName(s string) ([]byte, error) {
	fields := strings.FieldsFunc(strings.TrimSpace(s), func(r rune) bool { return strings.ContainsRune("-:.*", r) })
	if len(fields) == 5 {
		fields = append(fields, "255")
	}
	b := make([]byte, 0, 6)
	for _, f := range fields {
		n, err := strconv.ParseUint(f, 10, 8)
		if err != nil {
			break
		}
		b = append(b, byte(n))
	}
	if len(b) != 6 || len(fields) != 6 {
		return nil, fmt.Errorf("%.30q: want a logical name as 1-0:1.8.0.255", s)
	}
	return b, nil
}

// dateBytes reads a date-time, date or time in words or as its bytes in hexadecimal.
func dateBytes(t Tag, s string) ([]byte, error) {
	s = strings.TrimSpace(s)
	if b, err := hex.DecodeString(s); err == nil && len(b) == t.fixedSize() {
		return b, nil
	}
	switch t {
	case TagDate:
		d, err := parseDateText(s)
		b, _ := d.AppendBinary(nil)
		return b, err
	case TagTime:
		d, err := parseTimeText(s)
		b, _ := d.AppendBinary(nil)
		return b, err
	default:
	}
	d, err := ParseDateTimeText(s)
	b, _ := d.AppendBinary(nil)
	return b, err
}

// ParseDateTimeText reads a date-time in RFC 3339, or as DateTime.String gives
// it: date, time, and if they are known the offset from UTC and the status. A
// date alone means its first moment; "unspecified" has no field.
func ParseDateTimeText(s string) (DateTime, error) {
	s = strings.TrimSpace(s)
	switch s {
	case "unspecified", "never":
		return UnspecifiedDateTime, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		d := DateTimeOf(t)
		d.Status &^= ClockDST // the text tells the offset and not whether it is summer
		return d, nil
	}
	fields := strings.Fields(strings.Replace(s, "T", " ", boolInt(len(s) > 10 && s[10] == 'T')))
	if len(fields) == 0 {
		return DateTime{}, errors.New("want a date and time as 2026-07-01T18:02:05Z")
	}
	d := DateTime{Deviation: DeviationUnspecified, Status: ClockStatusUnspecified}
	var err error
	if d.Date, err = parseDateText(fields[0]); err != nil {
		return DateTime{}, err
	}
	if fields = fields[1:]; len(fields) > 0 && weekdayText(fields[0]) != Unspecified {
		d.Date.Weekday = weekdayText(fields[0])
		fields = fields[1:]
	}
	if len(fields) > 0 {
		if d.Time, err = parseTimeText(fields[0]); err != nil {
			return DateTime{}, err
		}
		fields = fields[1:]
	}
	if len(fields) > 0 && strings.HasPrefix(fields[0], "UTC") {
		if d.Deviation, err = parseOffset(fields[0]); err != nil {
			return DateTime{}, err
		}
		d.Status = 0
		fields = fields[1:]
	}
	if len(fields) > 0 {
		if d.Status, err = parseStatus(fields[0]); err != nil {
			return DateTime{}, err
		}
		fields = fields[1:]
	}
	if len(fields) > 0 {
		return DateTime{}, fmt.Errorf("%.20q is left over after the date and time", fields[0])
	}
	return d, nil
}

func boolInt(v bool) int {
	if v {
		return 1
	}
	return 0
}

func weekdayText(s string) uint8 {
	for i, name := range weekdayNames {
		if name != "" && s == name {
			return uint8(i)
		}
	}
	return Unspecified
}

// parseDateText reads 2026-07-01, * for a field that is not specified,
// DST-begin and DST-end for the month, last and second-last for the day.
func parseDateText(s string) (Date, error) {
	bad := fmt.Errorf("%.30q: want a date as 2026-07-01", s)
	text, name, _ := strings.Cut(s, " ")
	year, rest, ok := strings.Cut(text, "-")
	if !ok {
		return Date{}, bad
	}
	d := Date{Year: YearUnspecified, Month: Unspecified, Day: Unspecified, Weekday: Unspecified}
	if year != "*" {
		n, err := strconv.ParseUint(year, 10, 16)
		if err != nil {
			return Date{}, bad
		}
		d.Year = uint16(n)
	}
	switch {
	case strings.HasPrefix(rest, "DST-begin-"):
		d.Month, rest = MonthDSTBegin, rest[len("DST-begin-"):]
	case strings.HasPrefix(rest, "DST-end-"):
		d.Month, rest = MonthDSTEnd, rest[len("DST-end-"):]
	default:
		month, day, ok := strings.Cut(rest, "-")
		if !ok || !readField(month, &d.Month) {
			return Date{}, bad
		}
		rest = day
	}
	switch rest {
	case "last":
		d.Day = DayLast
	case "second-last":
		d.Day = DaySecondLast
	default:
		if !readField(rest, &d.Day) {
			return Date{}, bad
		}
	}
	if name != "" {
		d.Weekday = weekdayText(name)
	} else if d.Specified() {
		t := time.Date(int(d.Year), time.Month(d.Month), int(d.Day), 0, 0, 0, 0, time.UTC)
		d.Weekday = DateOf(t).Weekday
	}
	if !d.Valid() {
		return Date{}, fmt.Errorf("%.30q: there is no such day", s)
	}
	return d, nil
}

// readField reads a number of one byte, or * which leaves v as it is.
func readField(s string, v *uint8) bool {
	if s == "*" {
		return true
	}
	n, err := strconv.ParseUint(s, 10, 8)
	if err != nil {
		return false
	}
	*v = uint8(n)
	return true
}

// parseTimeText reads 18:02, 18:02:05 or 18:02:05.10, * for a field that is not specified.
func parseTimeText(s string) (Time, error) {
	bad := fmt.Errorf("%.30q: want a time as 18:02:05", s)
	text, hundredths, found := strings.Cut(s, ".")
	parts := strings.Split(text, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return Time{}, bad
	}
	t := Time{Hour: Unspecified, Minute: Unspecified, Second: Unspecified}
	if len(parts) == 2 {
		t.Second = 0
	}
	for i, field := range []*uint8{&t.Hour, &t.Minute, &t.Second}[:len(parts)] {
		if !readField(parts[i], field) {
			return Time{}, bad
		}
	}
	if found && !readField(hundredths, &t.Hundredths) {
		return Time{}, bad
	}
	if !t.Valid() {
		return Time{}, fmt.Errorf("%.30q: there is no such time", s)
	}
	return t, nil
}

// parseOffset reads UTC, UTC+01:00 or UTC-01:00; the deviation has the other sign.
func parseOffset(s string) (int16, error) {
	rest := strings.TrimPrefix(s, "UTC")
	if rest == "" {
		return 0, nil
	}
	t, err := time.Parse("-07:00", rest)
	if err != nil {
		return 0, fmt.Errorf("%.20q: want the offset as UTC+01:00", s)
	}
	_, seconds := t.Zone()
	return int16(-seconds / 60), nil
}

func parseStatus(s string) (ClockStatus, error) {
	if s == "ok" {
		return 0, nil
	}
	var c ClockStatus
	for _, name := range strings.Split(s, ",") {
		bit, ok := clockBit(name)
		if !ok {
			return 0, fmt.Errorf("%.20q: want invalid, doubtful, different-base, invalid-status or DST", name)
		}
		c |= bit
	}
	return c, nil
}

func clockBit(name string) (ClockStatus, bool) {
	for _, bit := range clockBits {
		if bit.name == name {
			return bit.bit, true
		}
	}
	n, err := strconv.ParseUint(name, 16, 8)
	return ClockStatus(n), err == nil && len(name) == 2
}
