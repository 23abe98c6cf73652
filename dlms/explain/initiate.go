package explain

import (
	"fmt"
	"strings"

	"smets1/dlms/apdu"
	"smets1/dlms/cosem"
	"smets1/dlms/security"
)

func (w *walker) initiateRequest() {
	if w.present("dedicated key") {
		start := w.off
		w.secret = true
		if key := w.octets("dedicated key"); key != nil {
			w.say("%s", hexBytes(key))
			if k, err := security.NewKey(key); err == nil {
				w.x.dedicated = k
			}
		} else if !w.failed {
			w.note(start, "a dedicated key of no bytes")
		}
		w.secret = false
	}
	if w.present("response-allowed") {
		if w.u8("response-allowed") != 0 {
			w.say("true")
		} else {
			w.say("false")
		}
	}
	w.quality()
	w.version()
	w.conformance()
	w.maxPDU("client-max-receive-pdu-size")
}

func (w *walker) initiateResponse() {
	w.quality()
	w.version()
	w.conformance()
	w.maxPDU("server-max-receive-pdu-size")
	switch v := w.u16("vaa-name"); v {
	case apdu.VAANameLN:
		w.say("0007, logical names")
	case apdu.VAANameSN:
		w.say("FA00, short names")
	default:
		w.say("%04X", v)
	}
}

func (w *walker) quality() {
	if w.present("quality-of-service") {
		q := int8(w.u8("quality-of-service"))
		w.say("%d", q)
	}
}

func (w *walker) version() {
	if v := w.u8("DLMS version"); v != apdu.DLMSVersion {
		w.say("%d, where everyone has %d", v, apdu.DLMSVersion)
	}
}

// conformance explains the conformance block, BER inside A-XDR. Old peers
// leave out the second byte of the tag.
func (w *walker) conformance() {
	rest := w.rest()
	switch {
	case len(rest) >= 2 && rest[0] == 0x5F && rest[1] == 0x1F:
		w.take(2, "conformance")
		w.say("[APPLICATION 31]")
	case len(rest) >= 1 && rest[0] == 0x5F:
		w.take(1, "conformance")
		w.say("[APPLICATION 31], the old way")
	case len(rest) >= 1:
		w.fail("%02X where the conformance begins with 5F 1F", rest[0])
		return
	}
	w.inside(func() {
		if n := w.u8("length"); n != 4 && !w.failed {
			w.choice(n, "the length of the conformance, 04,")
		}
		if n := w.u8("unused bits"); n != 0 && !w.failed {
			w.choice(n, "the number of unused bits, 00,")
		}
		if b := w.take(3, "conformance block"); b != nil {
			w.say("%s", strings.Join(cosem.ConformanceOf(b).Names(), ", "))
		}
	})
}

func (w *walker) maxPDU(name string) {
	switch n := w.u16(name); n {
	case 0, 0xFFFF:
		w.say("%04X, no limit", n)
	default:
		w.say("%s", fmt.Sprintf("%d bytes", n))
	}
}
