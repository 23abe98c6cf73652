package ctt

import (
	"bytes"
	"errors"
	"fmt"

	"smets1/dlms/acse"
	"smets1/dlms/apdu"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/security"
)

// everything a client could propose.
const allConformance cosem.Conformance = 0x7EFFFF &^ cosem.ConfGeneralBlockTransfer

// session is a client that does as it is told, wrong things too.
type session struct {
	t         *Target
	conn      Conn
	c         Credentials
	cipher    *security.Cipher
	dedicated *security.Cipher
	dedTx     uint32
	server    security.SystemTitle
	aare      acse.AARE
	initiate  apdu.InitiateResponse
	challenge []byte

	protection security.Protection
	wrap       apdu.Tag // 0: service-specific glo-; TagGeneralGlo, TagGeneralDed; TagDedGetRequest: service-specific ded-
	id         uint8
	lastIC     uint32 // of the server
}

// dial opens a link without an association.
func (t *Target) dial(c *Credentials) (*session, error) {
	if c == nil {
		return nil, ErrNotApplicable
	}
	conn, err := t.Dial(c.Client)
	if err != nil {
		return nil, err
	}
	s := &session{t: t, conn: conn, c: *c, protection: c.Protection, challenge: []byte("K56iVagYsixteen!")}
	if c.Mechanism == security.MechanismECDSA {
		return nil, ErrNotApplicable
	}
	if !c.Keys.GUEK.IsZero() {
		if s.cipher, err = c.Keys.Cipher(security.Suite0); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// open opens an association.
func (t *Target) open(c *Credentials) (*session, error) {
	s, err := t.dial(c)
	if err != nil {
		return nil, err
	}
	if err := s.associate(nil); err != nil {
		_ = s.conn.Close()
		return nil, err
	}
	return s, nil
}

func (s *session) close() { _ = s.conn.Close() }

// nextIC gives a counter never used before under the session's keys.
func (s *session) nextIC() uint32 {
	if s.t.counters == nil {
		s.t.counters = map[string]uint32{}
	}
	key := s.c.Title.String() + s.c.Keys.GUEK.Fingerprint()
	n := max(s.t.counters[key], s.t.Counter, 1)
	s.t.counters[key] = n + 1
	return n
}

// initiateRequest with everything proposed.
func initiateRequest() apdu.InitiateRequest {
	return apdu.InitiateRequest{Version: apdu.DLMSVersion, Conformance: allConformance, MaxPDU: 0xFFFF}
}

// aarq builds the request; change may spoil it.
func (s *session) aarq(change func(*acse.AARQ, *apdu.InitiateRequest)) ([]byte, error) {
	q := acse.AARQ{Context: acse.ContextLN}
	initiate := initiateRequest()
	if s.c.Ciphered {
		q.Context = acse.ContextLNCiphered
	}
	if s.c.Ciphered || s.c.Mechanism >= security.MechanismGMAC {
		q.CallingAPTitle = s.c.Title[:]
	}
	switch {
	case s.c.Mechanism == security.MechanismLLS:
		q.Authentication = acse.Characters(s.c.Secret.Reveal())
	case s.c.Mechanism.IsHLS():
		q.Authentication = acse.Characters(s.challenge)
	}
	if s.c.Mechanism != security.MechanismNone {
		q.Requirements = true
		q.Mechanism = acse.Named(acse.Mechanism(s.c.Mechanism))
	}
	if change != nil {
		change(&q, &initiate)
	}
	if q.UserInformation == nil {
		plain, err := initiate.AppendBinary(nil)
		if err != nil {
			return nil, err
		}
		q.UserInformation = plain
		if s.c.Ciphered && s.protection != security.ProtectNone {
			if q.UserInformation, err = s.seal(apdu.TagGloInitiateRequest, plain); err != nil {
				return nil, err
			}
		}
	}
	return q.AppendBinary(nil)
}

func (s *session) seal(tag apdu.Tag, plain []byte) ([]byte, error) {
	return s.cipher.AppendService(nil, byte(tag), s.c.Title, security.NewControl(security.Suite0, s.protection), s.nextIC(), plain)
}

// call sends an AARQ and reads the AARE, whatever its result.
func (s *session) call(change func(*acse.AARQ, *apdu.InitiateRequest)) error {
	b, err := s.aarq(change)
	if err != nil {
		return err
	}
	reply, err := s.conn.Exchange(b)
	if err != nil {
		return err
	}
	if s.aare, _, err = acse.ParseAARE(reply); err != nil {
		return fmt.Errorf("the answer to the AARQ is no AARE: % X: %w", reply, err)
	}
	if len(s.aare.RespondingAPTitle) > 0 {
		if s.server, err = security.TitleFrom(s.aare.RespondingAPTitle); err != nil {
			return err
		}
	}
	return nil
}

// associate opens the association, passes 3 and 4 included.
func (s *session) associate(change func(*acse.AARQ, *apdu.InitiateRequest)) error {
	if err := s.call(change); err != nil {
		return err
	}
	if err := s.aare.Err(); err != nil {
		return err
	}
	info := s.aare.UserInformation
	if len(info) > 0 && apdu.Tag(info[0]) == apdu.TagGloInitiateResponse {
		var err error
		if info, err = s.openReply(info); err != nil {
			return fmt.Errorf("ciphered InitiateResponse: %w", err)
		}
	}
	var err error
	if s.initiate, _, err = apdu.ParseInitiateResponse(info); err != nil {
		return err
	}
	if !s.c.Mechanism.IsHLS() {
		return nil
	}
	return s.prove(nil)
}

func (s *session) handshake() *security.Handshake {
	return &security.Handshake{
		Mechanism: s.c.Mechanism, Own: s.c.Title, Peer: s.server, Secret: s.c.Secret, Cipher: s.cipher,
		OwnChallenge: s.challenge, PeerChallenge: s.aare.Authentication.Bytes(),
	}
}

// prove runs passes 3 and 4; spoil may change the answer.
func (s *session) prove(spoil func([]byte)) error {
	if !s.aare.Pending() {
		return failf("AARE of an HLS association has diagnostic %d, want 14", s.aare.Diagnostic.Code())
	}
	h := s.handshake()
	if h.Mechanism == security.MechanismGMAC {
		h.Counter = s.nextIC()
	}
	f, err := h.Answer()
	if err != nil {
		return err
	}
	if spoil != nil {
		spoil(f)
	}
	raw, err := s.action(cosem.Method{Class: cosem.ClassAssociationLN, Instance: cosem.OBIS{0, 0, 40, 0, 0, 255}, ID: 1}, axdr.AppendOctetString(nil, f))
	if err != nil {
		return err
	}
	r := axdr.NewReader(raw)
	if _, err := h.Verify(r.OctetString()); err != nil {
		return err
	}
	return r.Err()
}

// send protects a plain request as the session is set, and opens the reply.
func (s *session) send(plain []byte) ([]byte, error) {
	request, err := s.protect(plain)
	if err != nil {
		return nil, err
	}
	reply, err := s.conn.Exchange(request)
	if err != nil {
		return nil, err
	}
	return s.openReply(reply)
}

func (s *session) protect(plain []byte) ([]byte, error) {
	if !s.c.Ciphered || s.protection == security.ProtectNone {
		return plain, nil
	}
	sc := security.NewControl(security.Suite0, s.protection)
	tag := apdu.Tag(plain[0])
	switch s.wrap {
	case apdu.TagGeneralGlo:
		return s.cipher.AppendGeneral(nil, byte(s.wrap), s.c.Title, sc, s.nextIC(), plain)
	case apdu.TagGeneralDed:
		s.dedTx++
		return s.dedicated.AppendGeneral(nil, byte(s.wrap), s.c.Title, sc, s.dedTx, plain)
	case apdu.TagDedGetRequest:
		s.dedTx++
		ded, _ := tag.Ded()
		return s.dedicated.AppendService(nil, byte(ded), s.c.Title, sc, s.dedTx, plain)
	default:
		if glo, ok := tag.Glo(); ok {
			return s.cipher.AppendService(nil, byte(glo), s.c.Title, sc, s.nextIC(), plain)
		}
		return s.cipher.AppendGeneral(nil, byte(apdu.TagGeneralGlo), s.c.Title, sc, s.nextIC(), plain)
	}
}

// openReply deciphers a reply if it is ciphered.
func (s *session) openReply(b []byte) ([]byte, error) {
	if len(b) == 0 {
		return nil, nil
	}
	tag := apdu.Tag(b[0])
	c := s.cipher
	var content []byte
	switch {
	case tag.IsGlo() || tag.IsDed():
		p, _, err := apdu.ParseCiphered(b)
		if err != nil {
			return nil, err
		}
		content = p.Content
		if tag.IsDed() {
			c = s.dedicated
		}
	case tag == apdu.TagGeneralGlo:
		p, _, err := apdu.ParseGeneralGlo(b)
		if err != nil {
			return nil, err
		}
		content = p.Content
	case tag == apdu.TagGeneralDed:
		p, _, err := apdu.ParseGeneralDed(b)
		if err != nil {
			return nil, err
		}
		content, c = p.Content, s.dedicated
	default:
		return b, nil
	}
	h, plain, err := c.Open(nil, s.server, content)
	if err == nil && c == s.cipher {
		if h.Counter <= s.lastIC {
			return nil, failf("the meter's invocation counter went from %d to %d", s.lastIC, h.Counter)
		}
		s.lastIC = h.Counter
	}
	return plain, err
}

func (s *session) invoke() apdu.InvokeID {
	s.id++
	return apdu.ConfirmedInvoke(s.id)
}

// exceptionOf gives the reply as an error if it is an exception.
func exceptionOf(reply []byte) error {
	if len(reply) == 0 {
		return errSilent
	}
	if e, _, err := apdu.ParseException(reply); err == nil {
		return e
	}
	return nil
}

var errSilent = errors.New("the meter keeps silent")

// get reads an attribute, in blocks if need be.
func (s *session) get(a cosem.Attribute, sel apdu.Selection) ([]byte, error) {
	id := s.invoke()
	b, err := apdu.GetRequestNormal{InvokeID: id, Attribute: a, Selection: sel}.AppendBinary(nil)
	if err != nil {
		return nil, err
	}
	var whole []byte
	for number := uint32(1); ; number++ {
		reply, err := s.send(b)
		if err != nil {
			return nil, err
		}
		if err := exceptionOf(reply); err != nil {
			return nil, err
		}
		if r, _, err := apdu.ParseGetResponseNormal(reply); err == nil && number == 1 {
			if r.InvokeID != id {
				return nil, failf("the reply has invoke id %02X, want %02X", uint8(r.InvokeID), uint8(id))
			}
			return r.Result.Data, r.Result.Err()
		}
		r, _, err := apdu.ParseGetResponseBlock(reply)
		switch {
		case err != nil:
			return nil, fmt.Errorf("% X is no get-response: %w", reply, err)
		case r.Result != cosem.Success:
			return nil, r.Result
		case r.Number != number:
			return nil, failf("block %d came, want %d", r.Number, number)
		}
		if whole = append(whole, r.Raw...); r.Last {
			return whole, nil
		}
		if b, err = (apdu.GetRequestNext{InvokeID: id, Number: number}).AppendBinary(nil); err != nil {
			return nil, err
		}
	}
}

// set writes an attribute.
func (s *session) set(a cosem.Attribute, data []byte) error {
	b, err := apdu.SetRequestNormal{InvokeID: s.invoke(), Attribute: a, Data: data}.AppendBinary(nil)
	if err != nil {
		return err
	}
	reply, err := s.send(b)
	if err != nil {
		return err
	}
	if err := exceptionOf(reply); err != nil {
		return err
	}
	r, _, err := apdu.ParseSetResponseNormal(reply)
	if err != nil {
		return err
	}
	return r.Result.Err()
}

// action runs a method.
func (s *session) action(m cosem.Method, arg []byte) ([]byte, error) {
	b, err := apdu.ActionRequestNormal{InvokeID: s.invoke(), Method: m, Data: arg}.AppendBinary(nil)
	if err != nil {
		return nil, err
	}
	reply, err := s.send(b)
	if err != nil {
		return nil, err
	}
	if err := exceptionOf(reply); err != nil {
		return nil, err
	}
	r, _, err := apdu.ParseActionResponseNormal(reply)
	if err != nil {
		return nil, err
	}
	return r.Response.Return.Data, r.Response.Result.Err()
}

// works checks that the association still serves.
func (s *session) works() error {
	a := cosem.Attribute{Class: cosem.ClassAssociationLN, Instance: cosem.OBIS{0, 0, 40, 0, 0, 255}, ID: 1}
	got, err := s.get(a, apdu.Selection{})
	if err != nil {
		return fmt.Errorf("the association does not serve a good request any more: %w", err)
	}
	if want := axdr.AppendOctetString(nil, a.Instance[:]); !bytes.Equal(got, want) {
		return failf("logical name of the current association reads % X", got)
	}
	return nil
}

// expectException sends bytes and wants an exception with that state and service.
func (s *session) expectException(raw []byte, state apdu.StateError, service apdu.ServiceError) error {
	reply, err := s.conn.Exchange(raw)
	if err != nil {
		return err
	}
	e, _, err := apdu.ParseException(reply)
	if err != nil {
		return failf("% X answered % X, want an exception", raw, reply)
	}
	if e.State != state || e.Service != service {
		return failf("% X answered %v, want %v, %v", raw, e, state, service)
	}
	return nil
}
