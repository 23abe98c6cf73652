package trace

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"smets1/internal/clock"
	"smets1/transport/capture"
	"smets1/transport/serial"
)

// Kind is what an event is, by its sign.
type Kind byte

// The kinds.
const (
	Sent     Kind = '>'
	Received Kind = '<'
	Mode     Kind = '='
	Line     Kind = '!'
)

// Words of a Line event.
const (
	Unplug = "unplug"
	Break  = "break"
)

// Event is something that happened on a line.
type Event struct {
	At   time.Duration // since the recording began
	Kind Kind
	Data []byte // of Sent and Received
	Any  []bool // which bytes may be anything; nil: none
	Text string // of Mode and Line
	Note string // for the reader
	Line int    // in the file, from 1; 0 if it was not read from one
}

// Trace is a recording.
type Trace struct {
	Header []string // comments at the top, without #
	Mode   string   // that the line starts with; empty if it has none
	Events []Event
}

// Load reads a trace file.
func Load(path string) (*Trace, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	t, err := Parse(f)
	if err != nil {
		return nil, fmt.Errorf("trace: %s: %w", path, err)
	}
	return t, nil
}

// Parse reads a trace. Errors name the line.
func Parse(r io.Reader) (*Trace, error) {
	t := new(Trace)
	s := bufio.NewScanner(r)
	s.Buffer(nil, 8<<20)
	for n := 1; s.Scan(); n++ {
		text := strings.TrimSpace(s.Text())
		switch {
		case text == "":
		case text[0] == '#':
			if len(t.Events) == 0 {
				t.Header = append(t.Header, strings.TrimSpace(text[1:]))
			}
		case text[0] == '=' && t.Mode == "" && len(t.Events) == 0:
			m, err := serial.ParseMode(withoutNote(text[1:]))
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", n, err)
			}
			t.Mode = m.String()
		default:
			e, err := parseEvent(text)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", n, err)
			}
			if k := len(t.Events); k > 0 && e.At < t.Events[k-1].At {
				return nil, fmt.Errorf("line %d: it happened before the line above", n)
			}
			e.Line = n
			t.Events = append(t.Events, e)
		}
	}
	if err := s.Err(); err != nil {
		return nil, err
	}
	return t, nil
}

func withoutNote(s string) string {
	s, _, _ = strings.Cut(s, "|")
	return strings.TrimSpace(s)
}

func parseEvent(text string) (e Event, err error) {
	rest, note, _ := strings.Cut(text, "|")
	f := strings.Fields(rest)
	if len(f) < 3 || len(f[1]) != 1 {
		return e, fmt.Errorf("%.40q: want a time, one of > < = ! and what happened", text)
	}
	if e.At, err = parseTime(f[0]); err != nil {
		return e, err
	}
	e.Kind, e.Note = Kind(f[1][0]), strings.TrimSpace(note)
	switch e.Kind {
	case Sent, Received:
		for i, h := range f[2:] {
			b, err := strconv.ParseUint(h, 16, 8)
			switch {
			case h == "??":
				if e.Any == nil {
					e.Any = make([]bool, len(f)-2)
				}
				e.Any[i] = true
			case err != nil || len(h) != 2:
				return e, fmt.Errorf("byte %d is %q: want two hexadecimal digits or ??", i+1, h)
			}
			e.Data = append(e.Data, byte(b))
		}
	case Mode:
		m, err := serial.ParseMode(strings.Join(f[2:], " "))
		if err != nil {
			return e, err
		}
		e.Text = m.String()
	case Line:
		if e.Text = strings.Join(f[2:], " "); e.Text != Unplug && e.Text != Break {
			return e, fmt.Errorf("! %s: want unplug or break", e.Text)
		}
	default:
		return e, fmt.Errorf("%q: the mark must be one of >, <, = and ! before the bytes", f[1])
	}
	return e, nil
}

func parseTime(s string) (time.Duration, error) {
	whole, frac, _ := strings.Cut(s, ".")
	seconds, err := strconv.ParseUint(whole, 10, 31)
	if err != nil || len(frac) > 9 {
		return 0, fmt.Errorf("time %q: want seconds, such as 1.002", s)
	}
	ns := uint64(0)
	if frac != "" {
		if ns, err = strconv.ParseUint((frac + "000000000")[:9], 10, 32); err != nil {
			return 0, fmt.Errorf("time %q: want seconds, such as 1.002", s)
		}
	}
	return time.Duration(seconds)*time.Second + time.Duration(ns), nil
}

// String is the event's line.
func (e Event) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d.%03d %c", e.At/time.Second, e.At%time.Second/time.Millisecond, e.Kind)
	if e.Kind == Mode || e.Kind == Line {
		b.WriteString(" " + e.Text)
	}
	for i, c := range e.Data {
		if e.Any != nil && e.Any[i] {
			b.WriteString(" ??")
		} else {
			fmt.Fprintf(&b, " %02x", c)
		}
	}
	if e.Note != "" {
		b.WriteString(" | " + e.Note)
	}
	return b.String()
}

// WriteTo writes the trace as text.
func (t *Trace) WriteTo(w io.Writer) (int64, error) {
	var b bytes.Buffer
	for _, h := range t.Header {
		fmt.Fprintln(&b, strings.TrimSpace("# "+h))
	}
	if t.Mode != "" {
		fmt.Fprintln(&b, "=", t.Mode)
	}
	for _, e := range t.Events {
		fmt.Fprintln(&b, e)
	}
	return b.WriteTo(w)
}

// As is what kind of traffic a trace is shown as.
type As string

// The kinds. Auto takes a trace without a mode whose first bytes are the head of a wrapper unit for Wrapper, else HDLC.
const (
	Auto    As = ""
	HDLC    As = "hdlc"    // a line of HDLC frames, link type USER0
	Wrapper As = "wrapper" // a TCP connection to port 4059
	Radio   As = "radio"   // IEEE 802.15.4 frames with FCS, an event each
)

// as decides for Auto.
func (t *Trace) as() As {
	for _, e := range t.Events {
		if e.Kind == Sent || e.Kind == Received {
			// Version 1, and a length that the event has room for: HDLC begins with 7E, a sign-on with a slash.
			if t.Mode == "" && len(e.Data) >= 8 && e.Data[0] == 0 && e.Data[1] == 1 && int(e.Data[6])<<8+int(e.Data[7]) <= len(e.Data)-8 {
				return Wrapper
			}
			return HDLC
		}
	}
	return HDLC
}

// Capture writes the trace to a pcapng file, as traffic that was recorded at a time.
func (t *Trace) Capture(w io.Writer, name string, recorded time.Time, as As) error {
	clk := clock.NewStepped(recorded)
	pcap, err := capture.NewWriter(w, clk)
	if err != nil {
		return err
	}
	if as == Auto {
		as = t.as()
	}
	var bytes func(capture.Direction, []byte)
	pause := func() {}
	end := func() {}
	switch as {
	case HDLC:
		line := pcap.NewLine(name)
		bytes, pause, end = line.Bytes, line.Flush, line.Flush
	case Wrapper:
		conn := pcap.NewConn(capture.ConnConfig{Name: name})
		bytes, end = conn.Bytes, conn.Close
	case Radio:
		air := pcap.NewRadio(name)
		bytes = func(_ capture.Direction, b []byte) { air.Frame(clk.Now(), b, "") }
	default:
		return fmt.Errorf("trace: %q: a trace is shown as hdlc, wrapper or radio", as)
	}
	at := time.Duration(0)
	for _, e := range t.Events {
		clk.Advance(e.At - at)
		at = e.At
		switch e.Kind {
		case Sent:
			bytes(capture.Outbound, e.Data)
		case Received:
			bytes(capture.Inbound, e.Data)
		case Mode, Line:
			pause()
		}
	}
	end()
	return pcap.Close()
}

// note is text for the reader: what is printable, if most of it is.
func note(b []byte) string {
	text := make([]byte, 0, len(b))
	n := 0
	for _, c := range b {
		switch {
		case c >= ' ' && c <= '~' && c != '|' && c != '"':
			n++
			text = append(text, c)
		case c == '\r' || c == '\n':
			n++
			text = append(text, '.')
		default:
			text = append(text, '.')
		}
	}
	if n*4 < len(b)*3 || len(b) < 3 {
		return ""
	}
	return `"` + string(text) + `"`
}
