package explain

import (
	"fmt"

	"smets1/dlms/acse"
	"smets1/dlms/apdu"
	"smets1/dlms/security"
)

var acseNames = map[byte]string{acse.TagAARQ: "AARQ", acse.TagAARE: "AARE", acse.TagRLRQ: "RLRQ", acse.TagRLRE: "RLRE"}

// element describes one element of an ACSE APDU.
type element struct {
	name string
	how  func(*walker, int)
}

func octetElement(name string) element {
	return element{name, func(w *walker, n int) { w.inner(n, name, nil) }}
}

// elementsOf gives the elements of an APDU by their tags.
func elementsOf(tag byte) map[byte]element {
	switch tag {
	case acse.TagAARQ:
		return map[byte]element{
			0x80: {"protocol-version", (*walker).acseVersion},
			0xA1: {"application-context-name", (*walker).context},
			0xA2: octetElement("called-AP-title"),
			0xA3: octetElement("called-AE-qualifier"),
			0xA4: octetElement("called-AP-invocation-id"),
			0xA5: octetElement("called-AE-invocation-id"),
			0xA6: {"calling-AP-title", (*walker).clientTitle},
			0xA7: octetElement("calling-AE-qualifier"),
			0xA8: octetElement("calling-AP-invocation-id"),
			0xA9: {"calling-AE-invocation-id", func(w *walker, n int) { w.integer(n, "user id") }},
			0x8A: {"sender-acse-requirements", (*walker).requirements},
			0x8B: {"mechanism-name", (*walker).mechanism},
			0xAC: {"calling-authentication-value", (*walker).authentication},
			0x9D: {"implementation-information", (*walker).plainBytes},
			0xBE: {"user-information", (*walker).userInformation},
		}
	case acse.TagAARE:
		return map[byte]element{
			0x80: {"protocol-version", (*walker).acseVersion},
			0xA1: {"application-context-name", (*walker).context},
			0xA2: {"result", (*walker).acseResult},
			0xA3: {"result-source-diagnostic", (*walker).diagnostic},
			0xA4: {"responding-AP-title", (*walker).serverTitle},
			0xA5: octetElement("responding-AE-qualifier"),
			0xA6: octetElement("responding-AP-invocation-id"),
			0xA7: octetElement("responding-AE-invocation-id"),
			0x88: {"responder-acse-requirements", (*walker).requirements},
			0x89: {"mechanism-name", (*walker).mechanism},
			0xAA: {"responding-authentication-value", (*walker).authentication},
			0x9D: {"implementation-information", (*walker).plainBytes},
			0xBE: {"user-information", (*walker).userInformation},
		}
	}
	return map[byte]element{
		0x80: {"reason", func(w *walker, n int) {
			if n != 1 {
				w.fail("a reason of %d bytes: want 1", n)
				return
			}
			r := acse.Reason(w.u8("reason"))
			w.say("%d %s", uint8(r), r)
		}},
		0xBE: {"user-information", (*walker).userInformation},
	}
}

// acse explains AARQ, AARE, RLRQ and RLRE.
func (w *walker) acse() {
	w.clause = clauseACSE
	tag := w.u8("APDU")
	w.say("%s", acseNames[tag])
	start := w.off
	n := w.length("length", "bytes")
	if w.failed {
		return
	}
	elements := elementsOf(tag)
	if left := len(w.rest()); tag == acse.TagRLRE && n < left {
		// Widespread servers count wrong here.
		w.note(start, "the RLRE says it has %d bytes and has %d: a known fault of some servers, read as if it were right", n, left)
		n = left
	}
	switch {
	case tag == acse.TagAARQ:
		w.x.mechanism = acse.MechanismNone
	case tag == acse.TagRLRE && n == 1:
		w.u8("reason")
		w.say("without its tag: a known fault of some servers")
		return
	}
	w.part(n, acseNames[tag], func() {
		w.depth++
		for !w.failed && w.off < w.end {
			w.element(elements)
		}
		w.depth--
	})
}

func (w *walker) element(elements map[byte]element) {
	c, _ := w.peek()
	e, ok := elements[c]
	if !ok {
		e = element{fmt.Sprintf("element %02X", c), (*walker).plainBytes}
	}
	n, size, err := parseLength(w.rest()[1:])
	if err != "" {
		w.take(1, e.name)
		w.fail("length of %s: %s", e.name, err)
		return
	}
	if e.name == "user-information" {
		n = w.belied(size, n)
	}
	w.take(1+size, e.name)
	w.say("%d bytes", n)
	depth, clause := w.depth, w.clause
	w.depth++
	w.part(n, e.name, func() { e.how(w, n) })
	w.depth, w.clause = depth, clause
}

// belied is the length of the user-information: that of the octet-string in it
// where the element's own is short, the fault that goes with the one in acse.
func (w *walker) belied(size, n int) int {
	rest := w.rest()[1+size:]
	if len(rest) > 2 && rest[0] == 0x04 {
		if inner, innerSize, err := parseLength(rest[1:]); err == "" && 1+innerSize+inner == n+1 && n+1 == len(rest) {
			w.note(w.off+1, "the user-information says it has %d bytes and has %d: a known fault of some servers, read as if it were right", n, n+1)
			return n + 1
		}
	}
	return n
}

func (w *walker) plainBytes(n int) { w.take(n, "bytes") }

func (w *walker) acseVersion(n int) {
	b := w.take(n, "bits")
	if len(b) == 2 && b[1]&0x80 != 0 {
		w.say("version 1")
	}
}

// inner explains the one element inside another; f, if not nil, its content.
func (w *walker) inner(outer int, name string, f func(n int)) {
	rest := w.rest()
	if len(rest) == 0 {
		w.fail("%s is empty", name)
		return
	}
	n, size, err := parseLength(rest[1:])
	if err != "" {
		w.take(1, "type")
		w.fail("length inside %s: %s", name, err)
		return
	}
	w.take(1+size, "type and length")
	w.say("%s of %d", berName(rest[0]), n)
	w.part(n, name, func() {
		if f != nil {
			f(n)
			return
		}
		w.take(n, name)
	})
}

func berName(tag byte) string {
	switch tag {
	case 0x02:
		return "integer"
	case 0x04:
		return "octet-string"
	case 0x06:
		return "object identifier"
	case 0x80:
		return "charstring"
	case 0x81:
		return "bitstring"
	}
	return fmt.Sprintf("type %02X", tag)
}

func (w *walker) integer(n int, name string) uint32 {
	var v uint32
	w.inner(n, name, func(n int) {
		for _, c := range w.take(n, name) {
			v = v<<8 | uint32(c)
		}
		w.say("%d", v)
	})
	return v
}

func (w *walker) context(n int) {
	w.inner(n, "application-context-name", func(n int) {
		b := w.take(n, "object identifier")
		if oid := acse.ContextOID(0); len(b) == len(oid) && string(b[:len(b)-1]) == string(oid[:len(oid)-1]) {
			w.say("2.16.756.5.8.1.%d: %s", b[n-1], acse.Context(b[n-1]))
		}
	})
}

func (w *walker) mechanism(n int) {
	if rest := w.rest(); len(rest) == 9 && rest[0] == 0x06 && rest[1] == 7 {
		w.take(2, "type and length")
		w.say("object identifier, which some peers wrap once more")
		n -= 2
	}
	b := w.take(n, "object identifier")
	if oid := acse.MechanismOID(0); len(b) == len(oid) && string(b[:len(b)-1]) == string(oid[:len(oid)-1]) {
		w.x.mechanism = acse.Mechanism(b[n-1])
		w.say("2.16.756.5.8.2.%d: %s", b[n-1], w.x.mechanism)
	}
}

func (w *walker) requirements(n int) {
	b := w.take(n, "bits")
	if len(b) == 2 && b[1]&0x80 != 0 {
		w.say("authentication")
	}
}

func (w *walker) clientTitle(n int) { w.apTitle(n, &w.x.client) }
func (w *walker) serverTitle(n int) { w.apTitle(n, &w.x.server) }

func (w *walker) apTitle(n int, to *security.SystemTitle) {
	w.inner(n, "system title", func(n int) {
		if t, err := security.TitleFrom(w.take(n, "system title")); err == nil {
			*to = t
			w.say("%s", titleText(t))
		}
	})
}

// authentication explains a password, which is a secret, or a challenge.
func (w *walker) authentication(n int) {
	secret := w.x.mechanism == acse.MechanismLLS || w.x.mechanism == acse.MechanismNone
	w.inner(n, "authentication value", func(n int) {
		name := "challenge"
		if secret {
			name = "password"
		}
		w.secret = secret
		b := w.take(n, name)
		w.say("%s", hexBytes(b))
		w.secret = false
	})
}

func (w *walker) acseResult(n int) {
	r := acse.Result(w.integer(n, "result"))
	w.say("%d %s", uint8(r), r)
}

func (w *walker) diagnostic(n int) {
	rest := w.rest()
	if len(rest) < 2 || rest[0] != 0xA1 && rest[0] != 0xA2 {
		w.take(n, "diagnostic")
		return
	}
	provider := rest[0] == 0xA2
	w.take(2, "source")
	if provider {
		w.say("acse-service-provider")
	} else {
		w.say("acse-service-user")
	}
	d := acse.Diagnostic(w.integer(n-2, "diagnostic"))
	if provider {
		d |= acse.DiagnosticProviderNull
	}
	w.say("%d %s: %s", d.Code(), d, d.Sentence())
}

// userInformation explains the initiate request or response, plain or ciphered.
func (w *walker) userInformation(n int) {
	w.inner(n, "user-information", func(int) {
		c, ok := w.peek()
		if ok && apdu.Tag(c).Valid() {
			w.apdu()
			return
		}
		w.take(len(w.rest()), "bytes")
	})
}
