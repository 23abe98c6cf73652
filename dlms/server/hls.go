package server

import (
	"time"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/security"
)

// replyToHLS checks the client's answer to our challenge and appends ours to the client's. A wrong answer ends the
// association, so that each guess costs an AARQ with a new challenge.
func (a *association) replyToHLS(now time.Time, arg, dst []byte) ([]byte, error) {
	r := axdr.NewReader(arg)
	answer := r.OctetString()
	if err := typed(&r); err != nil {
		return dst, err
	}
	if !a.pending {
		return dst, cosem.ActionReadWriteDenied
	}
	h := security.Handshake{
		Mechanism: a.spec.Mechanism, Own: a.device.Security.SystemTitle(), Peer: a.title,
		OwnChallenge: a.ownChallenge, PeerChallenge: a.peerChallenge,
		Secret: a.device.Security.Secret(a.index), Cipher: a.cipher,
	}
	if a.spec.Mechanism == security.MechanismECDSA {
		keys, ok := a.device.Security.(SigningKeys)
		if !ok {
			return dst, a.fail()
		}
		h.SigningKey, h.PeerKey = keys.SigningKey(), keys.ClientKey(a.title)
	}
	if a.spec.Mechanism == security.MechanismGMAC {
		if !a.verifyGMAC(now, &h, answer) {
			a.device.unauthorised(now, a.peer)
			return dst, a.fail()
		}
		var err error
		if h.Counter, err = a.device.Security.NextTx(a.version); err != nil {
			return dst, a.fail()
		}
	} else if _, err := h.Verify(answer); err != nil {
		a.device.unauthorised(now, a.peer)
		return dst, a.fail()
	}
	f, err := h.Answer()
	if err != nil {
		return dst, a.fail()
	}
	a.pending = false
	a.ownChallenge, a.peerChallenge = nil, nil
	a.opened(now)
	return axdr.AppendOctetString(dst, f), nil
}

// verifyGMAC checks the answer under the set the AARQ was ciphered with or, after a plain AARQ, under each set that
// opens the device.
func (a *association) verifyGMAC(now time.Time, h *security.Handshake, answer []byte) bool {
	s := a.device.Security
	var buf [4]KeyVersion
	versions := append(buf[:0], a.version)
	if a.version == 0 {
		versions = s.Versions(now, buf[:0])
	}
	for _, v := range versions {
		cipher := a.cipher
		if a.version != v || cipher == nil {
			keys, ok := s.Keys(now, v)
			if !ok {
				continue
			}
			var err error
			if cipher, err = keys.Cipher(a.spec.Suite); err != nil {
				continue
			}
		}
		h.Cipher = cipher
		ic, err := h.Verify(answer)
		if err != nil {
			continue
		}
		id := RxID{Version: v, Client: a.title}
		switch expected := s.RxExpected(id); {
		case ic == security.CounterMax:
			return false
		case ic >= expected:
			s.RxAccept(id, ic)
		case a.request.protection == security.ProtectNone:
			return false
		default:
			// Clients take the answer's counter before the one of the ciphered APDU around it, or after. The APDU's was
			// checked, and the answer is to a challenge that is used once.
		}
		a.version, a.cipher = v, cipher
		return true
	}
	return false
}

// fail ends a pending association.
func (a *association) fail() error {
	a.device.DisconnectPeer(a.peer)
	return cosem.ActionReadWriteDenied
}

// opened tells the security state which set the association runs under.
func (a *association) opened(now time.Time) {
	if o, ok := a.device.Security.(Opener); ok && a.version != 0 {
		o.Opened(now, a.version)
	}
}
