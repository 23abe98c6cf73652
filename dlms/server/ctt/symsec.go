package ctt

import (
	"bytes"
	"errors"

	"smets1/dlms/apdu"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/security"
)

func symsecCases() []Case {
	return []Case{
		{Name: "SYMSEC_0_BasicCap_1", Purpose: "basic capability", run: symBasic},
		{Name: "SYMSEC_0_FraCount_1", Purpose: "replay is refused", run: symReplay},
		{Name: "SYMSEC_0_FraCount_3", Purpose: "server send counter increases", run: symServerCounter},
		{Name: "SYMSEC_0_Key_Tx_P1", Purpose: "transfer and restore GUEK", run: symTransfer(security.KeyGUEK)},
		{Name: "SYMSEC_0_Key_Tx_P2", Purpose: "transfer and restore GAK", run: symTransfer(security.KeyGAK)},
		{Name: "SYMSEC_0_Key_Tx_P3", Purpose: "transfer and restore GUEK and GAK", run: symTransfer(security.KeyGUEK, security.KeyGAK)},
		{Name: "SYMSEC_0_Key_Tx_N1", Purpose: "wrong key_id", run: symTransferWrong(func(b []byte) []byte { return element(b, 9, nil) })},
		{Name: "SYMSEC_0_Key_Tx_N2", Purpose: "wrong wrapping", run: symTransferWrong(func(b []byte) []byte {
			return element(b, uint8(security.KeyGAK), bytes.Repeat([]byte{0x55}, 24))
		})},
		{Name: "SYMSEC_0_DedKey_N1", Purpose: "dedicated key negatives", run: symDedicatedWrong},
		{Name: "SYMSEC_0_SecDataX_P1", Purpose: "read and write under global and dedicated ciphering", run: symExchange},
		{Name: "SYMSEC_0_SecDataX_N1", Purpose: "read and write with wrong ciphering", run: symExchangeWrong},
		{Name: "SYMSEC_REL_N1", Purpose: "RLRQ with too little protection", run: symRelease},
		{Name: "SYMSEC_0_SecPol_1", Purpose: "activate policy 1", run: symPolicy(1, security.ProtectAuth)},
		{Name: "SYMSEC_0_SecPol_2", Purpose: "activate policy 2", run: symPolicy(2, security.ProtectEnc)},
		{Name: "SYMSEC_0_SecPol_3", Purpose: "activate policy 3", run: symPolicy(3, security.ProtectBoth)},
	}
}

// ciphered are the ciphered associations of a target.
func (t *Target) ciphered() []*Credentials {
	var out []*Credentials
	for _, c := range []*Credentials{t.Open, t.Strict} {
		if c != nil {
			out = append(out, c)
		}
	}
	return out
}

// any is a ciphered association.
func (t *Target) any() *Credentials {
	if t.Open != nil {
		return t.Open
	}
	return t.Strict
}

func symBasic(t *Target) error {
	all := t.ciphered()
	if len(all) == 0 {
		return ErrNotApplicable
	}
	for _, c := range all {
		s, err := t.open(c)
		if err != nil {
			return err
		}
		defer s.close()
		if s.server.IsZero() {
			return failf("the AARE of a ciphered association has no responding AP title")
		}
		if _, err := s.get(logicalDeviceName, apdu.Selection{}); err != nil {
			return err
		}
		if err := s.release(true); err != nil {
			return err
		}
	}
	return nil
}

func symReplay(t *Target) error {
	s, err := t.open(t.any())
	if err != nil {
		return err
	}
	defer s.close()
	plain, err := apdu.GetRequestNormal{InvokeID: s.invoke(), Attribute: logicalDeviceName}.AppendBinary(nil)
	if err != nil {
		return err
	}
	request, err := s.protect(plain)
	if err != nil {
		return err
	}
	if reply, err := s.conn.Exchange(request); err != nil || exceptionOf(reply) != nil {
		return failf("the request was not served: % X, %v", reply, err)
	}
	if err := s.works(); err != nil {
		return err
	}
	reply, err := s.conn.Exchange(request)
	if err != nil {
		return err
	}
	e, _, err := apdu.ParseException(reply)
	if err != nil || e.Service != apdu.ServiceInvocationCounterError {
		return failf("a repeated request answered % X, want an invocation counter error", reply)
	}
	if next := s.nextIC(); e.HasCounter && e.InvocationCounter != next {
		return failf("the meter expects counter %d, want %d", e.InvocationCounter, next)
	}
	return s.works()
}

func symServerCounter(t *Target) error {
	var last uint32
	for range 3 {
		s, err := t.open(t.any())
		if err != nil {
			return err
		}
		defer s.close()
		s.lastIC = max(s.lastIC, last)
		for range 3 {
			if err := s.works(); err != nil {
				return err
			}
		}
		if s.lastIC <= last {
			return failf("the meter's counter went from %d to %d over two associations", last, s.lastIC)
		}
		last = s.lastIC
	}
	return nil
}

// element appends one element of key_transfer.
func element(b []byte, id uint8, wrapped []byte) []byte {
	b = axdr.AppendStructureHeader(b, 2)
	b = axdr.AppendEnum(b, id)
	if wrapped == nil {
		wrapped = make([]byte, 24)
	}
	return axdr.AppendOctetString(b, wrapped)
}

// setup is the method of the security setup object.
func (t *Target) setup(id int8) cosem.Method {
	return cosem.Method{Class: cosem.ClassSecuritySetup, Instance: t.SecuritySetup, ID: id}
}

// transfer sends new keys under an open session.
func (s *session) transfer(keys security.KeySet, ids ...security.KeyID) error {
	arg := axdr.AppendArrayHeader(nil, len(ids))
	for _, id := range ids {
		w, err := security.WrapKey(s.c.Keys.KEK, keys.Get(id))
		if err != nil {
			return err
		}
		arg = element(arg, uint8(id), w)
	}
	_, err := s.action(s.t.setup(2), arg)
	return err
}

func (t *Target) canTransfer() bool {
	return t.Open != nil && !t.Open.Keys.KEK.IsZero() && t.SecuritySetup != (cosem.OBIS{})
}

func symTransfer(ids ...security.KeyID) func(*Target) error {
	return func(t *Target) error {
		if !t.canTransfer() {
			return ErrNotApplicable
		}
		old := *t.Open
		next := old
		for i, id := range ids {
			key, err := security.NewKey(bytes.Repeat([]byte{byte(0xA0 + i)}, 16))
			if err != nil {
				return err
			}
			if next.Keys, err = next.Keys.With(id, key); err != nil {
				return err
			}
		}
		if err := t.move(&old, &next, ids); err != nil {
			return err
		}
		return t.move(&next, &old, ids)
	}
}

// move replaces keys: the reply still under the old ones, then the new ones work and the old ones do not.
func (t *Target) move(from, to *Credentials, ids []security.KeyID) error {
	s, err := t.open(from)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.transfer(to.Keys, ids...); err != nil {
		return failf("key_transfer: %w", err)
	}
	n, err := t.open(to)
	if err != nil {
		return failf("an association under the new keys: %w", err)
	}
	defer n.close()
	// A meter that changes its keys under supervision waits for a commit (ours).
	if _, err := n.action(cosem.Method{Class: 8300, Instance: cosem.OBIS{0, 128, 43, 0, 0, 255}, ID: 1}, axdr.AppendInt8(nil, 0)); err != nil {
		var r cosem.ActionResult
		if !errors.As(err, &r) || r != cosem.ActionObjectUndefined && r != cosem.ActionObjectClassInconsistent && r != cosem.ActionReadWriteDenied {
			return failf("commit: %w", err)
		}
	}
	if err := n.works(); err != nil {
		return err
	}
	if o, err := t.open(from); err == nil {
		o.close()
		return failf("the old keys still open an association")
	}
	return nil
}

// symTransferWrong sends a good key together with a bad element: nothing may change.
func symTransferWrong(bad func([]byte) []byte) func(*Target) error {
	return func(t *Target) error {
		if !t.canTransfer() {
			return ErrNotApplicable
		}
		s, err := t.open(t.Open)
		if err != nil {
			return err
		}
		defer s.close()
		key, err := security.NewKey(bytes.Repeat([]byte{0xA9}, 16))
		if err != nil {
			return err
		}
		w, err := security.WrapKey(t.Open.Keys.KEK, key)
		if err != nil {
			return err
		}
		arg := element(axdr.AppendArrayHeader(nil, 2), uint8(security.KeyGUEK), w)
		var r cosem.ActionResult
		if _, err := s.action(t.setup(2), bad(arg)); !errors.As(err, &r) {
			return failf("the transfer gave %v, want an action result", err)
		}
		if err := s.works(); err != nil {
			return err
		}
		again, err := t.open(t.Open)
		if err != nil {
			return failf("the keys changed though the transfer failed: %w", err)
		}
		again.close()
		return nil
	}
}

// refusedWith wants a request refused with an exception, and a good one served after it.
func (s *session) refusedWith(request []byte, services ...apdu.ServiceError) error {
	reply, err := s.conn.Exchange(request)
	if err != nil {
		return err
	}
	e, _, err := apdu.ParseException(reply)
	if err != nil {
		return failf("% X answered % X, want an exception", request, reply)
	}
	for _, v := range services {
		if e.Service == v {
			return s.works()
		}
	}
	return failf("% X answered %v", request, e)
}

func (s *session) nameRequest() []byte {
	b, _ := apdu.GetRequestNormal{InvokeID: s.invoke(), Attribute: logicalDeviceName}.AppendBinary(nil)
	return b
}

func symDedicatedWrong(t *Target) error {
	c := t.any()
	if c == nil {
		return ErrNotApplicable
	}
	s, err := t.dedicated(c)
	if err != nil {
		return err
	}
	defer s.close()
	plain := s.nameRequest()
	good, err := s.protect(plain)
	if err != nil {
		return err
	}
	if reply, err := s.conn.Exchange(good); err != nil || exceptionOf(reply) != nil {
		return failf("a request under the dedicated key was not served: % X, %v", reply, err)
	}
	if err := s.refusedWith(good, apdu.ServiceInvocationCounterError, apdu.ServiceDecipheringError); err != nil {
		return failf("repeated: %w", err)
	}
	spoiled, err := s.protect(plain)
	if err != nil {
		return err
	}
	spoiled[len(spoiled)-1] ^= 1
	if err := s.refusedWith(spoiled, apdu.ServiceDecipheringError); err != nil {
		return failf("wrong tag: %w", err)
	}
	// No dedicated key was agreed in this one.
	n, err := t.open(c)
	if err != nil {
		return err
	}
	defer n.close()
	n.dedicated = s.dedicated
	n.wrap = apdu.TagDedGetRequest
	stray, err := n.protect(plain)
	if err != nil {
		return err
	}
	n.wrap = 0
	return n.refusedWith(stray, apdu.ServiceDecipheringError, apdu.ServiceOperationNotPossible)
}

func symExchange(t *Target) error {
	c := t.any()
	if c == nil {
		return ErrNotApplicable
	}
	s, err := t.dedicated(c)
	if err != nil {
		return err
	}
	defer s.close()
	for _, wrap := range []apdu.Tag{0, apdu.TagDedGetRequest, apdu.TagGeneralGlo, apdu.TagGeneralDed} {
		s.wrap = wrap
		if _, err := s.get(logicalDeviceName, apdu.Selection{}); err != nil {
			return failf("read in %v: %w", wrap, err)
		}
		if t.Writable.Data == nil || c != t.writer() {
			continue
		}
		old, err := s.get(t.Writable.Attribute, apdu.Selection{})
		if err != nil {
			return err
		}
		if err := s.set(t.Writable.Attribute, t.Writable.Data); err != nil {
			return failf("write in %v: %w", wrap, err)
		}
		if now, err := s.get(t.Writable.Attribute, apdu.Selection{}); err != nil || !bytes.Equal(now, t.Writable.Data) {
			return failf("wrote % X, reads % X, %v", t.Writable.Data, now, err)
		}
		if err := s.set(t.Writable.Attribute, old); err != nil {
			return err
		}
	}
	return nil
}

func symExchangeWrong(t *Target) error {
	for _, c := range t.ciphered() {
		s, err := t.open(c)
		if err != nil {
			return err
		}
		defer s.close()
		plain := s.nameRequest()
		for name, spoil := range map[string]func([]byte){
			"tag":        func(b []byte) { b[len(b)-1] ^= 1 },
			"ciphertext": func(b []byte) { b[10] ^= 1 },
			"suite":      func(b []byte) { b[2] |= 5 },
		} {
			b, err := s.protect(plain)
			if err != nil {
				return err
			}
			spoil(b)
			if err := s.refusedWith(b, apdu.ServiceDecipheringError); err != nil {
				return failf("wrong %s: %w", name, err)
			}
		}
		other, err := security.NewKey(bytes.Repeat([]byte{7}, 16))
		if err != nil {
			return err
		}
		stranger, err := security.NewCipher(security.Suite0, other, c.Keys.GAK)
		if err != nil {
			return err
		}
		b, err := stranger.AppendService(nil, byte(apdu.TagGloGetRequest), c.Title, security.NewControl(security.Suite0, c.Protection), s.nextIC(), plain)
		if err != nil {
			return err
		}
		if err := s.refusedWith(b, apdu.ServiceDecipheringError); err != nil {
			return failf("wrong key: %w", err)
		}
	}
	s, err := t.open(t.Strict)
	if errors.Is(err, ErrNotApplicable) {
		return nil
	}
	if err != nil {
		return err
	}
	defer s.close()
	for _, p := range []security.Protection{security.ProtectNone, security.ProtectAuth, security.ProtectEnc} {
		if err := s.tooLittle(p); err != nil {
			return err
		}
	}
	return nil
}

// tooLittle wants a request with that protection refused.
func (s *session) tooLittle(p security.Protection) error {
	keep := s.protection
	s.protection = p
	b, err := s.protect(s.nameRequest())
	s.protection = keep
	if err != nil {
		return err
	}
	if err := s.refusedWith(b, apdu.ServiceOperationNotPossible, apdu.ServiceDecipheringError); err != nil {
		return failf("protection %v: %w", p, err)
	}
	return nil
}

func symRelease(t *Target) error {
	s, err := t.open(t.Strict)
	if err != nil {
		return err
	}
	defer s.close()
	var e apdu.Exception
	if err := s.release(false); !errors.As(err, &e) {
		return failf("a plain RLRQ gave %v, want an exception", err)
	}
	if err := s.refusedWith([]byte{0x62, 3, 0x80, 1, 0}, apdu.ServiceOperationNotPossible, apdu.ServiceDecipheringError); err != nil {
		return failf("an RLRQ without user information: %w", err)
	}
	return s.release(true)
}

func symPolicy(v uint8, enough security.Protection) func(*Target) error {
	return func(t *Target) error {
		if !t.MayRaisePolicy || t.Open == nil || t.SecuritySetup == (cosem.OBIS{}) {
			return ErrNotApplicable
		}
		s, err := t.open(t.Open)
		if err != nil {
			return err
		}
		defer s.close()
		s.protection = security.ProtectBoth
		if _, err := s.action(t.setup(1), axdr.AppendEnum(nil, v)); err != nil {
			return err
		}
		a := cosem.Attribute{Class: cosem.ClassSecuritySetup, Instance: t.SecuritySetup, ID: 2}
		if got, err := s.get(a, apdu.Selection{}); err != nil || !bytes.Equal(got, axdr.AppendEnum(nil, v)) {
			return failf("the policy reads % X, %v after activation of %d", got, err, v)
		}
		s.protection = enough
		if err := s.works(); err != nil {
			return failf("protection %v: %w", enough, err)
		}
		s.protection = security.ProtectBoth
		for _, p := range []security.Protection{security.ProtectNone, security.ProtectAuth, security.ProtectEnc} {
			if p&enough == enough {
				continue
			}
			if err := s.tooLittle(p); err != nil {
				return err
			}
		}
		// A policy may only be strengthened.
		var r cosem.ActionResult
		if _, err := s.action(t.setup(1), axdr.AppendEnum(nil, 0)); !errors.As(err, &r) {
			return failf("weakening the policy gave %v, want an action result", err)
		}
		return s.works()
	}
}
