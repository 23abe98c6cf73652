package explain

import (
	"encoding/binary"
	"errors"
	"fmt"

	"smets1/dlms/acse"
	"smets1/dlms/apdu"
	"smets1/dlms/axdr"
	"smets1/dlms/security"
	"smets1/dlms/wrapper"
)

// ErrTitle: content was not deciphered because nothing told the system title of its sender.
var ErrTitle = errors.New("not deciphered: the system title of the sender is not known")

// NotExplained is the name of the field that holds what follows a wrong byte.
const NotExplained = "not explained"

// Form says what bytes are.
type Form uint8

// The forms.
const (
	Auto    Form = iota // found out from the bytes
	HDLC                // a stream of HDLC frames
	Wrapper             // a stream of wrapper units
	APDU                // one APDU, with LLC bytes or gateway prefix or without
	Data                // one A-XDR Data
)

// String names the form as ParseForm reads it.
func (f Form) String() string {
	if int(f) < len(formNames) {
		return formNames[f]
	}
	return fmt.Sprintf("form %d", uint8(f))
}

var formNames = [...]string{Auto: "auto", HDLC: "hdlc", Wrapper: "wrapper", APDU: "apdu", Data: "data"}

// ParseForm reads auto, hdlc, wrapper, apdu or data.
func ParseForm(s string) (Form, error) {
	for f, name := range formNames {
		if name == s {
			return Form(f), nil
		}
	}
	return Auto, fmt.Errorf("explain: form %q: want auto, hdlc, wrapper, apdu or data", s)
}

// Options say what an Explainer knows beforehand. The zero Options know nothing.
type Options struct {
	// Form of the messages. Zero: found out from the bytes.
	Form Form
	// Keys decipher. With a GUEK and no GAK, encrypted content is deciphered and not checked.
	Keys security.KeySet
	// Dedicated is the dedicated key, where the initiate request that brings it is not among the messages.
	Dedicated security.Key
	// ClientTitle and ServerTitle are system titles that the messages do not tell.
	ClientTitle, ServerTitle security.SystemTitle
}

// Explainer explains the messages of one conversation. It is not safe for concurrent use.
type Explainer struct {
	opt       Options
	dedicated security.Key
	client    security.SystemTitle
	server    security.SystemTitle
	mechanism acse.Mechanism
	list      bool // the last get request was with-list
	calls     bool // the last action request was with-list
	segments  map[string][]byte
	blocks    map[apdu.Tag]*blocks
}

// blocks are the parts of a block transfer so far.
type blocks struct {
	next uint32
	raw  []byte
}

// maxKept bounds what is kept of one message that comes in parts.
const maxKept = 1 << 20

// New makes an Explainer.
func New(o Options) *Explainer {
	return &Explainer{
		opt: o, dedicated: o.Dedicated, client: o.ClientTitle, server: o.ServerTitle,
		segments: map[string][]byte{}, blocks: map[apdu.Tag]*blocks{},
	}
}

// Field is some bytes with their meaning.
type Field struct {
	Layer  int    // index in Explanation.Layers
	Offset int    // in the layer
	Bytes  []byte // alias the layer
	Depth  int    // how far inside other fields
	Name   string // "invoke-id-and-priority"
	Value  string // "1, confirmed, high priority"; may be empty
	Clause string // "Green Book 9.3.6"
	Secret bool   // Bytes and Value give a password or key away
}

// Problem is a byte that is not as it should be.
type Problem struct {
	Layer  int
	Offset int
	Text   string
	Err    error // the cause, where there is one that a program can tell from others
}

// Layer is bytes that fields speak of: the message, or what was made of parts of it.
type Layer struct {
	Name  string // "message", "deciphered under the GUEK"
	Bytes []byte
}

// Explanation is one message explained.
type Explanation struct {
	Form     Form
	Layers   []Layer
	Fields   []Field
	Problems []Problem
	cells    int // elements of compact arrays so far
}

// Err is nil if there are no problems, and otherwise tells the first one.
func (e *Explanation) Err() error {
	if len(e.Problems) == 0 {
		return nil
	}
	p := e.Problems[0]
	where := fmt.Sprintf("byte %d (%04X)", p.Offset, p.Offset)
	if p.Layer > 0 {
		where += " of what was " + e.Layers[p.Layer].Name
	}
	if p.Err != nil {
		return fmt.Errorf("explain: %s: %w", where, p.Err)
	}
	return fmt.Errorf("explain: %s: %s", where, p.Text)
}

// Explain explains one message, or several of a stream one after the other. The
// result aliases b.
func (x *Explainer) Explain(b []byte) *Explanation {
	form := x.opt.Form
	if form == Auto {
		form = Guess(b)
	}
	e := &Explanation{Form: form, Layers: []Layer{{Name: "message", Bytes: b}}}
	w := &walker{x: x, out: e, b: b, end: len(b), last: -1}
	w.whole(func() {
		switch form {
		case HDLC:
			w.hdlcStream()
		case Wrapper:
			w.wrapperStream()
		case Data:
			w.clause = clauseData
			w.data("data")
		default:
			w.apdu()
		}
	})
	return e
}

// Guess says what bytes look like.
func Guess(b []byte) Form {
	if len(b) == 0 {
		return APDU
	}
	switch {
	case b[0] == hdlcFlag:
		return HDLC
	case len(b) >= 2 && b[0] == 0 && b[1] == wrapper.Version:
		return Wrapper
	case acse.Is(b) || apdu.IsGateway(b):
		return APDU
	}
	n, err := axdr.Skip(b)
	isData := err == nil && n == len(b)
	if !apdu.Tag(b[0]).Valid() {
		if axdr.Tag(b[0]).Valid() {
			return Data
		}
		return APDU
	}
	// Some bytes begin both an APDU and a Data. The one that fits wins.
	if isData {
		if _, n, err := apdu.Parse(b); err != nil || n != len(b) {
			return Data
		}
	}
	return APDU
}

func (w *walker) wrapperStream() {
	for !w.failed && w.off < w.end {
		w.clause = clauseWrapper
		start := w.off
		v := w.u16("version")
		if !w.failed && v != wrapper.Version {
			w.off = start
			w.drop(2)
			w.fail("version %04X of the wrapper: want 0001", v)
			return
		}
		w.say("1")
		src := w.u16("source wPort")
		w.say("%s", sap(src))
		dst := w.u16("destination wPort")
		w.say("%s", sap(dst))
		n := int(w.u16("length"))
		w.say("%d bytes of APDU", n)
		w.depth++
		w.part(n, "APDU", w.apdu)
		w.depth--
	}
}

// sap names the service access points that mean the same everywhere.
func sap(v uint16) string {
	switch v {
	case 0:
		return "0, no station"
	case 1:
		return "1, management"
	case 0x10:
		return "16, public client"
	}
	return fmt.Sprint(v)
}

func u32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }
