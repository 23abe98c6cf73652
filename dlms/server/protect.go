package server

import (
	"time"

	"smets1/dlms/apdu"
	"smets1/dlms/axdr"
	"smets1/dlms/security"
)

// Refusals of requests whose protection is wrong. They are sent in clear: what cannot be opened gives no key to answer
// under.
var (
	refuseProtection = apdu.Exception{State: apdu.StateServiceNotAllowed, Service: apdu.ServiceOperationNotPossible}
	refuseDecipher   = apdu.Exception{State: apdu.StateServiceNotAllowed, Service: apdu.ServiceDecipheringError}
)

func refuseCounter(expected uint32) *apdu.Exception {
	return &apdu.Exception{
		State: apdu.StateServiceNotAllowed, Service: apdu.ServiceInvocationCounterError, HasCounter: true, InvocationCounter: expected,
	}
}

// policy of the association and the device together.
func (a *association) policy() Policy {
	if !a.ciphered {
		return 0
	}
	return a.spec.Policy | a.device.Security.Policy()
}

// unprotect opens a request. The plain APDU aliases b or the association's buffer. base is protection that counts as there
// whatever b is. A refusal means that nothing of the request may be used.
func (a *association) unprotect(now time.Time, b []byte, base security.Protection) ([]byte, *apdu.Exception) {
	a.request = request{}
	if apdu.Tag(b[0]) == apdu.TagGeneralSigning {
		content, refusal := a.openSigned(now, b)
		if refusal != nil {
			return nil, refusal
		}
		b, base = content, security.ProtectSign
	}
	tag := apdu.Tag(b[0])
	var content, title []byte
	var n int
	var err error
	wrap := wrapNone
	switch {
	case tag.IsGlo(), tag.IsDed():
		var p apdu.Ciphered
		p, n, err = apdu.ParseCiphered(b)
		content, wrap = p.Content, wrapGlo
		if tag.IsDed() {
			wrap = wrapDed
		}
	case tag == apdu.TagGeneralGlo:
		var p apdu.GeneralGlo
		p, n, err = apdu.ParseGeneralGlo(b)
		content, title, wrap = p.Content, p.SystemTitle, wrapGeneralGlo
	case tag == apdu.TagGeneralDed:
		var p apdu.GeneralDed
		p, n, err = apdu.ParseGeneralDed(b)
		content, title, wrap = p.Content, p.SystemTitle, wrapGeneralDed
	case tag == apdu.TagGeneralCiphering:
		plain, protection, refusal := a.openGeneral(now, b, base)
		if refusal != nil {
			return nil, refusal
		}
		if len(plain) == 0 {
			return nil, &refuseProtection
		}
		a.request = request{wrap: wrapGeneralCiphering, protection: protection}
		return plain, nil
	default:
		if a.policy().CheckRequest(base) != nil {
			return nil, &refuseProtection
		}
		a.request.protection = base
		return b, nil
	}
	switch {
	case whole(b, n, err) != nil:
		return nil, &refuseProtection
	case !a.ciphered, len(title) != 0 && string(title) != string(a.title[:]):
		return nil, &refuseDecipher
	}
	plain, protection, refusal := a.openContent(now, content, wrap == wrapDed || wrap == wrapGeneralDed, base)
	if refusal != nil {
		return nil, refusal
	}
	if inner, specific := tag.Plain(); len(plain) == 0 || specific && apdu.Tag(plain[0]) != inner {
		return nil, &refuseProtection
	}
	a.request = request{wrap: wrap, protection: protection}
	return plain, nil
}

// openContent opens ciphered content under the global or the dedicated key and checks policy and counter.
func (a *association) openContent(now time.Time, content []byte, dedicated bool, base security.Protection) ([]byte, security.Protection, *apdu.Exception) {
	h, err := security.ParseContent(content)
	if err != nil {
		return nil, 0, &refuseDecipher
	}
	// Before the counter is looked at: content without a tag could otherwise burn counters.
	protection := h.Control.Protection() | base
	if a.policy().CheckRequest(protection) != nil {
		return nil, 0, &refuseProtection
	}
	if dedicated {
		if a.dedicated == nil {
			return nil, 0, &refuseDecipher
		}
		if _, a.plain, err = a.dedicated.Open(a.plain[:0], a.title, content); err != nil {
			return nil, 0, &refuseDecipher
		}
		if a.dedRx.Accept(h.Counter) != nil {
			return nil, 0, refuseCounter(a.dedRx.Expected())
		}
		return a.plain, protection, nil
	}
	if !a.openGlobal(now, content) {
		return nil, 0, &refuseDecipher
	}
	s := a.device.Security
	id := RxID{Version: a.version, Broadcast: h.Control&security.Broadcast != 0, Client: a.title}
	if expected := s.RxExpected(id); h.Counter < expected || h.Counter == security.CounterMax {
		return nil, 0, refuseCounter(expected)
	}
	s.RxAccept(id, h.Counter)
	return a.plain, protection, nil
}

// openGlobal deciphers into a.plain under the association's key set or, once that opens the device no longer, under one
// that does.
func (a *association) openGlobal(now time.Time, content []byte) bool {
	s := a.device.Security
	if _, ok := s.Keys(now, a.version); ok && a.cipher != nil {
		var err error
		_, a.plain, err = a.cipher.Open(a.plain[:0], a.title, content)
		return err == nil
	}
	var buf [4]KeyVersion
	for _, v := range s.Versions(now, buf[:0]) {
		keys, ok := s.Keys(now, v)
		if !ok {
			continue
		}
		c, err := keys.Cipher(a.spec.Suite)
		if err != nil {
			continue
		}
		if _, a.plain, err = c.Open(a.plain[:0], a.title, content); err == nil {
			a.version, a.cipher = v, c
			return true
		}
	}
	return false
}

// protect appends the reply to dst as the request was protected, or more where the policy asks for it. Exceptions go in
// clear.
func (a *association) protect(now time.Time, reply, dst []byte) []byte {
	if len(reply) == 0 {
		return dst
	}
	tag := apdu.Tag(reply[0])
	if tag == apdu.TagException {
		return append(dst, reply...)
	}
	start := len(dst)
	dst, err := a.sealed(now, tag, reply, dst)
	if err != nil {
		dst = dst[:start]
		// No counter is left, or none could be reserved: nothing may be sent under these keys.
		return exception(dst, apdu.StateServiceNotAllowed, apdu.ServiceOperationNotPossible)
	}
	return dst
}

// replyProtection is that of the request, and what policy and access rights ask for.
func (a *association) replyProtection() security.Protection {
	return a.request.protection | a.request.reply | a.policy().Response()
}

// sealed ciphers the reply and signs it, as the request was or the policy asks.
func (a *association) sealed(now time.Time, tag apdu.Tag, reply, dst []byte) ([]byte, error) {
	if a.replyProtection()&security.ProtectSign == 0 {
		return a.cipherReply(now, tag, reply, dst)
	}
	inner, err := a.cipherReply(now, tag, reply, nil)
	if err != nil {
		return dst, err
	}
	return a.sign(now, inner, dst)
}

func (a *association) cipherReply(now time.Time, tag apdu.Tag, reply, dst []byte) ([]byte, error) {
	switch a.request.wrap {
	case wrapNone:
		return append(dst, reply...), nil
	case wrapGeneralCiphering:
		return a.sealGeneral(now, a.replyProtection()&security.ProtectBoth, reply, dst)
	default:
		return a.seal(tag, reply, dst)
	}
}

func (a *association) seal(tag apdu.Tag, reply, dst []byte) ([]byte, error) {
	s := a.device.Security
	protection := a.replyProtection() & security.ProtectBoth
	sc, title := security.NewControl(a.spec.Suite, protection), s.SystemTitle()
	wrap := a.request.wrap
	c := a.cipher
	var ic uint32
	var err error
	if wrap != wrapDed && wrap != wrapGeneralDed && c == nil {
		if c, err = a.prepare(); err != nil {
			return dst, err
		}
	}
	if wrap == wrapDed || wrap == wrapGeneralDed {
		c = a.dedicated
		ic, err = a.dedTx.Next()
	} else {
		ic, err = s.NextTx(a.version)
	}
	if err != nil {
		return dst, err
	}
	// Not every service has a tag of its own for its ciphered form.
	switch glo, ok := tag.Glo(); {
	case wrap == wrapGlo && ok:
		return c.AppendService(dst, byte(glo), title, sc, ic, reply)
	case wrap == wrapDed && ok:
		ded, _ := tag.Ded()
		return c.AppendService(dst, byte(ded), title, sc, ic, reply)
	case wrap == wrapDed || wrap == wrapGeneralDed:
		return c.AppendGeneral(dst, byte(apdu.TagGeneralDed), title, sc, ic, reply)
	}
	return c.AppendGeneral(dst, byte(apdu.TagGeneralGlo), title, sc, ic, reply)
}

// prepare makes the cipher of the association's key set ready, where a general-ciphering request brought the set in.
func (a *association) prepare() (*security.Cipher, error) {
	keys, _ := a.device.Security.Keys(a.lastUsed, a.version)
	var err error
	a.cipher, err = keys.Cipher(a.spec.Suite)
	return a.cipher, err
}

// limit is how long a plain reply may be such that its protected form fits the client's APDU size.
func (a *association) limit() int {
	n := a.maxReply - a.generalOverhead()
	if a.request.wrap == wrapNone || a.request.wrap == wrapGeneralCiphering {
		return n
	}
	n -= 1 + axdr.LengthSize(n) + security.SealedLen(security.Authenticated, 0)
	if a.request.wrap == wrapGeneralGlo || a.request.wrap == wrapGeneralDed {
		n -= 1 + len(security.SystemTitle{})
	}
	return n
}
