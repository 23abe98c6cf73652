package server

import (
	"bytes"
	"time"

	"smets1/dlms/apdu"
	"smets1/dlms/security"
)

// general is what is remembered of a general-ciphering or general-signing request for its reply.
type general struct {
	use         security.KeyUse
	transaction []byte
}

// party is this side of general-ciphering and general-signing in the association.
func (a *association) party(now time.Time, v KeyVersion) *security.General {
	s := a.device.Security
	g := &security.General{Suite: a.spec.Suite, Own: s.SystemTitle(), Peer: a.title, Rand: a.device.Rand}
	g.Keys, _ = s.Keys(now, v)
	if k, ok := s.(SigningKeys); ok {
		g.SigningKey, g.AgreementKey = k.SigningKey(), k.AgreementKey()
		g.PeerSigning, g.PeerAgreement = k.ClientKey(a.title), k.ClientAgreement(a.title)
	}
	return g
}

// openSigned verifies a general-signing APDU and gives its content.
func (a *association) openSigned(now time.Time, b []byte) ([]byte, *apdu.Exception) {
	p, n, err := apdu.ParseGeneralSigning(b)
	if whole(b, n, err) != nil || len(p.Content) == 0 || apdu.Tag(p.Content[0]) == apdu.TagGeneralSigning {
		return nil, &refuseProtection
	}
	if !a.ciphered || a.party(now, a.version).Verify(p) != nil {
		return nil, &refuseDecipher
	}
	// The content may hold no counter of its own: the transaction id keeps a signed request from being repeated.
	if !a.newTransaction(p.TransactionID) {
		return nil, &refuseProtection
	}
	return p.Content, nil
}

// openGeneral opens a general-ciphering APDU.
func (a *association) openGeneral(now time.Time, b []byte, base security.Protection) ([]byte, security.Protection, *apdu.Exception) {
	p, n, err := apdu.ParseGeneralCiphering(b)
	if whole(b, n, err) != nil {
		return nil, 0, &refuseProtection
	}
	h, err := security.ParseContent(p.Content)
	if err != nil || !a.ciphered {
		return nil, 0, &refuseDecipher
	}
	protection := h.Control.Protection() | base
	if a.policy().CheckRequest(protection) != nil {
		return nil, 0, &refuseProtection
	}
	plain, refusal := a.openCiphering(now, p, h, base&security.ProtectSign != 0)
	if refusal != nil {
		return nil, 0, refusal
	}
	a.general = general{use: useOf(p.KeyInfo), transaction: append([]byte(nil), p.TransactionID...)}
	return plain, protection, nil
}

// openCiphering deciphers content under the key that its key information leads to, and refuses what was sent before.
// signed tells that the transaction was found to be new already.
func (a *association) openCiphering(now time.Time, p apdu.GeneralCiphering, h security.Content, signed bool) ([]byte, *apdu.Exception) {
	s := a.device.Security
	var buf [4]KeyVersion
	versions := append(buf[:0], a.version)
	if _, ok := s.Keys(now, a.version); !ok {
		versions = s.Versions(now, buf[:0])
	}
	for _, v := range versions {
		_, plain, err := a.party(now, v).Open(p)
		if err != nil {
			continue
		}
		use := useOf(p.KeyInfo)
		id := RxID{Version: v, Broadcast: use == security.UseGBEK, Client: a.title}
		switch {
		case use != security.UseGUEK && use != security.UseGBEK:
			// A fresh key has no counter to look at: its transaction must be new.
			if !signed && !a.newTransaction(p.TransactionID) {
				return nil, &refuseProtection
			}
		case h.Counter < s.RxExpected(id) || h.Counter == security.CounterMax:
			return nil, refuseCounter(s.RxExpected(id))
		default:
			s.RxAccept(id, h.Counter)
		}
		if v != a.version {
			a.version, a.cipher = v, nil
		}
		return plain, nil
	}
	return nil, &refuseDecipher
}

func useOf(k apdu.KeyInfo) security.KeyUse {
	switch {
	case k.Kind == apdu.KeyInfoIdentified && k.KeyID == 1:
		return security.UseGBEK
	case k.Kind == apdu.KeyInfoWrapped:
		return security.UseWrapped
	case k.Kind == apdu.KeyInfoAgreed && len(k.Parameters) == 1 && security.Scheme(k.Parameters[0]) == security.SchemeOnePass:
		return security.UseOnePass
	case k.Kind == apdu.KeyInfoAgreed:
		return security.UseStaticUnified
	}
	return security.UseGUEK
}

// newTransaction takes a transaction id that, read as a big-endian number, exceeds the last one of the client (ours: the
// standard only asks that they differ, and remembering the last is what a meter can afford). A Security that is no
// [Transactions] remembers it for the association only.
func (a *association) newTransaction(id []byte) bool {
	id = bytes.TrimLeft(id, "\x00")
	if t, ok := a.device.Security.(Transactions); ok {
		if !laterTransaction(id, t.LastTransaction(a.title)) {
			return false
		}
		t.SetLastTransaction(a.title, id)
	}
	if !laterTransaction(id, a.lastTransaction) {
		return false
	}
	a.lastTransaction = append(a.lastTransaction[:0], id...)
	return true
}

// laterTransaction compares numbers without leading zeros.
func laterTransaction(id, last []byte) bool {
	return len(id) > len(last) || len(id) == len(last) && bytes.Compare(id, last) > 0
}

// sealGeneral appends the reply in general-ciphering, under the same kind of key as the request.
func (a *association) sealGeneral(now time.Time, protection security.Protection, reply, dst []byte) ([]byte, error) {
	p, err := a.sealUnder(now, a.general.use, a.general.transaction, nil, protection, reply)
	if err != nil {
		return dst, err
	}
	return p.AppendBinary(dst)
}

// sealUnder protects content for the client under a kind of key.
func (a *association) sealUnder(now time.Time, use security.KeyUse, transaction, other []byte, protection security.Protection, plain []byte) (apdu.GeneralCiphering, error) {
	g := a.party(now, a.version)
	var ic uint32
	if use == security.UseGBEK {
		use = security.UseGUEK // a reply goes to one client
	}
	if use == security.UseGUEK {
		var err error
		if ic, err = a.device.Security.NextTx(a.version); err != nil {
			return apdu.GeneralCiphering{}, err
		}
	}
	h := g.Header(transaction)
	h.OtherInfo = other
	return g.Seal(h, use, protection, ic, plain)
}

// sign appends content in general-signing.
func (a *association) sign(now time.Time, content, dst []byte) ([]byte, error) {
	g := a.party(now, a.version)
	p, err := g.Sign(g.Header(a.lastTransaction), content)
	if err != nil {
		return dst, err
	}
	return p.AppendBinary(dst)
}

// generalOverhead is what general-ciphering and general-signing add to a reply, at most.
func (a *association) generalOverhead() int {
	n := 0
	point := a.spec.Suite.PointSize()
	if a.request.wrap == wrapGeneralCiphering {
		n += 40 + len(a.general.transaction) + max(2*point, security.SealedLen(security.Authenticated, 0)+a.spec.Suite.KeySize()) + security.TagSize
	}
	if a.replyProtection()&security.ProtectSign != 0 {
		n += 40 + len(a.lastTransaction) + point
	}
	return n
}
