package optical

import (
	"bytes"
	"fmt"
	"strings"
)

// Data is a readout: what a meter of modes A to D tells of itself (6.3.5 and 6.5).
type Data []Line

// Line is one line of a readout. Data sets that share a line stay together.
type Line []Set

// Set is one address with its values; a line's further values may come without an address.
type Set struct {
	Address string
	Values  []Value
}

// Value is one value as the meter writes it, with its unit if it has one: 001234.5*kWh.
type Value struct{ Text, Unit string }

// String is the readout as the meter sends it, with plain line ends: what goes into a text file.
func (d Data) String() string {
	var b strings.Builder
	for _, l := range d {
		for _, s := range l {
			b.WriteString(s.Address)
			for _, v := range s.Values {
				b.WriteByte('(')
				b.WriteString(v.Text)
				if v.Unit != "" {
					b.WriteByte('*')
					b.WriteString(v.Unit)
				}
				b.WriteByte(')')
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// Get gives the values at an address, nil if it is not there.
func (d Data) Get(address string) []Value {
	for _, l := range d {
		for _, s := range l {
			if s.Address == address {
				return s.Values
			}
		}
	}
	return nil
}

// AppendBinary appends the readout as a block with its block check character.
func (d Data) AppendBinary(b []byte) ([]byte, error) {
	start := len(b) + 1
	b = append(b, stx)
	b = append(b, strings.ReplaceAll(d.String(), "\n", "\r\n")...)
	b = append(b, "!\r\n"...)
	b = append(b, etx)
	b = append(b, bcc(b[start:]))
	if back, _, err := ParseReadout(b[start-1:]); err != nil || back.String() != d.String() {
		return b[:start-1], fmt.Errorf("optical: %w: it has characters of the protocol in an address, value or unit", ErrReadout)
	}
	return b, nil
}

func bcc(b []byte) (x byte) {
	for _, c := range b {
		x ^= c
	}
	return x
}

// maxReadout is the longest readout that is waited for (ours).
const maxReadout = 256 << 10

// ParseReadout reads a block with its check, or the text of mode D without one, that starts at b[0].
func ParseReadout(b []byte) (d Data, n int, err error) {
	body, n, err := readoutBody(b)
	if err != nil {
		return nil, 0, err
	}
	for line := range bytes.SplitSeq(body, []byte("\n")) {
		line = bytes.TrimRight(line, "\r")
		if len(line) == 0 {
			continue
		}
		l, err := parseLine(string(line))
		if err != nil {
			return nil, 0, err
		}
		d = append(d, l)
	}
	return d, n, nil
}

// Push is what a meter of mode D sends unasked: its identification, an empty line, and the text of a readout without a check.
type Push struct {
	Identification Identification
	Data           Data
}

// AppendBinary appends the message.
func (p Push) AppendBinary(b []byte) ([]byte, error) {
	start := len(b)
	b, err := p.Identification.AppendBinary(b)
	if err != nil {
		return b, err
	}
	b = append(b, "\r\n"...)
	b = append(b, strings.ReplaceAll(p.Data.String(), "\n", "\r\n")...)
	b = append(b, "!\r\n"...)
	if back, _, err := ParsePush(b[start:]); err != nil || back.Data.String() != p.Data.String() {
		return b[:start], fmt.Errorf("optical: %w: it has characters of the protocol in an address, value or unit", ErrReadout)
	}
	return b, nil
}

// ParsePush reads a message that starts at b[0].
func ParsePush(b []byte) (p Push, n int, err error) {
	id, n, err := ParseIdentification(b)
	if err != nil {
		return p, 0, err
	}
	rest := b[n:]
	switch {
	case len(rest) < 2:
		return p, 0, fmt.Errorf("optical: %w", ErrTruncated)
	case string(rest[:2]) != "\r\n":
		return p, 0, fmt.Errorf("optical: %w: no empty line after the identification", ErrReadout)
	}
	d, m, err := ParseReadout(rest[2:])
	if err != nil {
		return p, 0, err
	}
	return Push{id, d}, n + 2 + m, nil
}

// readoutBody finds the text up to the end mark, which is a ! at the start of a line.
func readoutBody(b []byte) (body []byte, n int, err error) {
	if len(b) == 0 {
		return nil, 0, fmt.Errorf("optical: %w", ErrTruncated)
	}
	checked := b[0] == stx
	text := b
	if checked {
		text = b[1:]
	}
	end := endMark(text)
	tail := text[max(0, end):]
	switch {
	case end < 0 && len(b) > maxReadout:
		return nil, 0, fmt.Errorf("optical: %w: no end in %d bytes", ErrReadout, len(b))
	case end < 0, len(tail) < 3, checked && len(tail) < 5:
		return nil, 0, fmt.Errorf("optical: %w", ErrTruncated)
	case !checked:
		return text[:end], end + 3, nil
	case tail[3] != etx:
		return nil, 0, fmt.Errorf("optical: %w: % X where ETX should be", ErrReadout, tail[3])
	case bcc(text[:end+4]) != tail[4]:
		return nil, 0, fmt.Errorf("optical: %w: %02X, computed %02X", ErrBCC, tail[4], bcc(text[:end+4]))
	}
	return text[:end], 1 + end + 5, nil
}

// endMark is where the ! that ends a readout stands, or -1.
func endMark(text []byte) int {
	for i := 0; i < len(text); {
		if text[i] == '!' && (len(text) < i+2 || text[i+1] == '\r') && (len(text) < i+3 || text[i+2] == '\n') {
			return i
		}
		next := bytes.IndexByte(text[i:], '\n')
		if next < 0 {
			return -1
		}
		i += next + 1
	}
	return -1
}

// parseLine reads address(value*unit)(value)address(value)…
func parseLine(s string) (l Line, err error) {
	for whole := s; s != ""; {
		address, rest, ok := strings.Cut(s, "(")
		value, rest, closed := strings.Cut(rest, ")")
		if !ok || !closed || !printable(s, "") || strings.ContainsAny(address, ")*") || strings.Contains(value, "(") {
			return nil, fmt.Errorf("optical: %w: line %q: want address(value*unit)", ErrReadout, whole)
		}
		v := Value{Text: value}
		if text, unit, ok := strings.Cut(value, "*"); ok && unit != "" {
			v = Value{text, unit}
		}
		if address == "" && len(l) > 0 {
			l[len(l)-1].Values = append(l[len(l)-1].Values, v)
		} else {
			l = append(l, Set{address, []Value{v}})
		}
		s = rest
	}
	return l, nil
}
