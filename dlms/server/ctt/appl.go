package ctt

import (
	"bytes"
	"errors"

	"smets1/dlms/acse"
	"smets1/dlms/apdu"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/security"
)

func applCases() []Case {
	return []Case{
		{Name: "APPL_IDLE_N1", Purpose: "service request without association", run: applIdle},
		{Name: "APPL_OPEN_1", Purpose: "open with declared parameters", run: applOpen1},
		{Name: "APPL_OPEN_2", Purpose: "client user identification", run: applAccepted(func(q *acse.AARQ, _ *apdu.InitiateRequest) { q.CallingAEInvocationID = acse.UserID(5) })},
		{Name: "APPL_OPEN_3", Purpose: "HLS pass 3 and 4", run: applOpen3},
		{Name: "APPL_OPEN_4", Purpose: "protocol version", run: applOpen4},
		{Name: "APPL_OPEN_5", Purpose: "application context", run: applOpen5},
		{Name: "APPL_OPEN_6", Purpose: "titles, qualifiers, invocation ids", run: applOpen6},
		{Name: "APPL_OPEN_7", Purpose: "authentication functional unit", run: applOpen7},
		{Name: "APPL_OPEN_9", Purpose: "initiate: dedicated key", run: applOpen9},
		{Name: "APPL_OPEN_11", Purpose: "initiate: quality of service", run: applAccepted(func(_ *acse.AARQ, i *apdu.InitiateRequest) { i.HasQoS = true })},
		{Name: "APPL_OPEN_12", Purpose: "initiate: DLMS version", run: applInitiate(apdu.InitiateDLMSVersionTooLow, func(i *apdu.InitiateRequest) { i.Version = 5 })},
		{Name: "APPL_OPEN_13", Purpose: "initiate: conformance", run: applInitiate(apdu.InitiateIncompatibleConformance, func(i *apdu.InitiateRequest) { i.Conformance = 0 })},
		{Name: "APPL_OPEN_14", Purpose: "initiate: client max receive PDU size", run: applOpen14},
		{Name: "APPL_DATA_LN_N1", Purpose: "GET errors", run: applGetErrors},
		{Name: "APPL_DATA_LN_N3", Purpose: "SET errors", run: applSetErrors},
		{Name: "APPL_DATA_LN_N4", Purpose: "unsupported service (LN)", run: applUnsupported},
		{Name: "APPL_DATA_SN_N1", Purpose: "read errors (SN)", run: shortNames(apdu.TagReadRequest)},
		{Name: "APPL_DATA_SN_N2", Purpose: "write errors (SN)", run: shortNames(apdu.TagWriteRequest)},
		{Name: "APPL_DATA_SN_N3", Purpose: "unsupported service (SN)", run: shortNames(apdu.TagReadRequest)},
		{Name: "APPL_REL_P1", Purpose: "release", run: applRelease},
	}
}

var logicalDeviceName = cosem.Attribute{Class: cosem.ClassData, Instance: cosem.OBIS{0, 0, 42, 0, 0, 255}, ID: 2}

func applIdle(t *Target) error {
	s, err := t.dial(&t.Public)
	if err != nil {
		return err
	}
	defer s.close()
	b, err := apdu.GetRequestNormal{InvokeID: s.invoke(), Attribute: logicalDeviceName}.AppendBinary(nil)
	if err != nil {
		return err
	}
	if err := s.expectException(b, apdu.StateServiceNotAllowed, apdu.ServiceOperationNotPossible); err != nil {
		return err
	}
	if err := s.associate(nil); err != nil {
		return err
	}
	return s.works()
}

// known are the associations of a target that are there.
func (t *Target) known() []*Credentials {
	var out []*Credentials
	for _, c := range []*Credentials{&t.Public, t.Low, t.Open, t.Strict} {
		if c != nil {
			out = append(out, c)
		}
	}
	return out
}

func applOpen1(t *Target) error {
	for _, c := range t.known() {
		s, err := t.open(c)
		if err != nil {
			return err
		}
		defer s.close()
		if s.initiate.Version != apdu.DLMSVersion || s.initiate.VAAName != apdu.VAANameLN || s.initiate.Conformance&^allConformance != 0 {
			return failf("client %d: InitiateResponse is %+v", c.Client, s.initiate)
		}
		if err := s.works(); err != nil {
			return err
		}
	}
	return nil
}

// applAccepted opens an association with an option, which must not disturb.
func applAccepted(change func(*acse.AARQ, *apdu.InitiateRequest)) func(*Target) error {
	return func(t *Target) error {
		s, err := t.dial(&t.Public)
		if err != nil {
			return err
		}
		defer s.close()
		if err := s.associate(change); err != nil {
			return err
		}
		return s.works()
	}
}

func applOpen3(t *Target) error {
	c := t.Open
	if c == nil {
		c = t.Strict
	}
	s, err := t.dial(c)
	if err != nil {
		return err
	}
	defer s.close()
	// Nothing but pass 3 works before pass 3.
	if err := s.call(nil); err != nil {
		return err
	}
	var e apdu.Exception
	if _, err := s.get(logicalDeviceName, apdu.Selection{}); !errors.As(err, &e) {
		return failf("a pending association answered a GET with %v, want an exception", err)
	}
	// A wrong answer fails, and leaves no association.
	if err := s.prove(func(f []byte) { f[len(f)-1] ^= 1 }); err == nil {
		return failf("a wrong answer to the challenge was accepted")
	}
	first := append([]byte(nil), s.aare.Authentication.Bytes()...)
	if err := s.associate(nil); err != nil {
		return err
	}
	if bytes.Equal(first, s.aare.Authentication.Bytes()) {
		return failf("two associations got the same challenge")
	}
	return s.works()
}

func applOpen4(t *Target) error {
	good := applAccepted(func(q *acse.AARQ, _ *apdu.InitiateRequest) { q.ProtocolVersion = acse.Version1 })
	if err := good(t); err != nil {
		return err
	}
	return t.refused(&t.Public, acse.DiagnosticProviderNoCommonACSEVersion, func(q *acse.AARQ, _ *apdu.InitiateRequest) {
		q.ProtocolVersion = acse.Version{Unused: 6, Bits: 0x40}
	})
}

// refused wants an AARQ refused with a diagnostic, and a good one to work after it.
func (t *Target) refused(c *Credentials, d acse.Diagnostic, change func(*acse.AARQ, *apdu.InitiateRequest)) error {
	s, err := t.dial(c)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.call(change); err != nil {
		return err
	}
	if s.aare.Result == acse.ResultAccepted || s.aare.Diagnostic != d {
		return failf("AARE is %v with diagnostic %v, want a refusal with %v", s.aare.Result, s.aare.Diagnostic, d)
	}
	if err := s.associate(nil); err != nil {
		return failf("a good AARQ after the refused one: %w", err)
	}
	return s.works()
}

func applOpen5(t *Target) error {
	for _, context := range []acse.Context{acse.ContextSN, acse.ContextSNCiphered, 9} {
		if err := t.refused(&t.Public, acse.DiagnosticContextNotSupported, func(q *acse.AARQ, _ *apdu.InitiateRequest) { q.Context = context }); err != nil {
			return err
		}
	}
	return nil
}

func applOpen6(t *Target) error {
	err := applAccepted(func(q *acse.AARQ, _ *apdu.InitiateRequest) {
		q.CalledAPInvocationID, q.CalledAEInvocationID = acse.UserID(1), acse.UserID(2)
		q.CallingAPInvocationID = acse.UserID(3)
	})(t)
	if err != nil || t.Open == nil {
		return err
	}
	// Ciphering needs the client's title.
	s, err := t.dial(t.Open)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.call(func(q *acse.AARQ, _ *apdu.InitiateRequest) { q.CallingAPTitle = nil }); err != nil {
		return err
	}
	if s.aare.Result == acse.ResultAccepted || s.aare.Diagnostic != acse.DiagnosticCallingAPTitle {
		return failf("AARQ without a title: %v, %v", s.aare.Result, s.aare.Diagnostic)
	}
	return nil
}

func applOpen7(t *Target) error {
	if t.Low == nil {
		return ErrNotApplicable
	}
	for _, x := range []struct {
		want   acse.Diagnostic
		change func(*acse.AARQ, *apdu.InitiateRequest)
	}{
		{acse.DiagnosticAuthenticationFailure, func(q *acse.AARQ, _ *apdu.InitiateRequest) { q.Authentication = acse.Characters([]byte("wrong")) }},
		{acse.DiagnosticAuthenticationFailure, func(q *acse.AARQ, _ *apdu.InitiateRequest) { q.Authentication = acse.Authentication{} }},
		{acse.DiagnosticMechanismNotRecognised, func(q *acse.AARQ, _ *apdu.InitiateRequest) { q.Mechanism = acse.Named(9) }},
		{acse.DiagnosticMechanismRequired, func(q *acse.AARQ, _ *apdu.InitiateRequest) {
			q.Mechanism, q.Requirements, q.Authentication = acse.MechanismName{}, false, acse.Authentication{}
		}},
	} {
		if err := t.refused(t.Low, x.want, x.change); err != nil {
			return err
		}
	}
	return nil
}

func applOpen9(t *Target) error {
	if t.Open == nil {
		return ErrNotApplicable
	}
	s, err := t.dedicated(t.Open)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.works(); err != nil {
		return err
	}
	// A dedicated key in clear is refused.
	return t.initiateRefused(&t.Public, apdu.InitiateRefusedByVDE, func(i *apdu.InitiateRequest) { i.DedicatedKey = apdu.NewSecret(make([]byte, 16)) })
}

// dedicated opens an association with a dedicated key and uses it.
func (t *Target) dedicated(c *Credentials) (*session, error) {
	s, err := t.dial(c)
	if err != nil {
		return nil, err
	}
	raw := []byte("dedicated key 16")
	key, err := security.NewKey(raw)
	if err != nil {
		return nil, err
	}
	if s.dedicated, err = security.NewCipher(security.Suite0, key, c.Keys.GAK); err != nil {
		return nil, err
	}
	if err := s.associate(func(_ *acse.AARQ, i *apdu.InitiateRequest) { i.DedicatedKey = apdu.NewSecret(raw) }); err != nil {
		s.close()
		return nil, err
	}
	s.wrap = apdu.TagDedGetRequest
	return s, nil
}

func applInitiate(value uint8, change func(*apdu.InitiateRequest)) func(*Target) error {
	return func(t *Target) error { return t.initiateRefused(&t.Public, value, change) }
}

func (t *Target) initiateRefused(c *Credentials, value uint8, change func(*apdu.InitiateRequest)) error {
	s, err := t.dial(c)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.call(func(_ *acse.AARQ, i *apdu.InitiateRequest) { change(i) }); err != nil {
		return err
	}
	e, _, err := apdu.ParseConfirmedServiceError(s.aare.UserInformation)
	if s.aare.Result == acse.ResultAccepted || err != nil || e.Class != apdu.ErrorInitiate || e.Value != value {
		return failf("AARE is %v with user information % X, want initiate error %d", s.aare.Result, s.aare.UserInformation, value)
	}
	if err := s.associate(nil); err != nil {
		return err
	}
	return s.works()
}

func applOpen14(t *Target) error {
	if err := t.initiateRefused(&t.Public, apdu.InitiatePDUSizeTooShort, func(i *apdu.InitiateRequest) { i.MaxPDU = 11 }); err != nil {
		return err
	}
	full, err := t.readWith(0)
	if err != nil {
		return err
	}
	for _, size := range []uint16{12, 13, 40, 128, 0xFFFF} {
		got, err := t.readWith(size)
		if err != nil {
			return failf("PDU size %d: %w", size, err)
		}
		if !bytes.Equal(got, full) {
			return failf("PDU size %d: the object list differs", size)
		}
	}
	return nil
}

// readWith reads the object list with a PDU size, which no reply may exceed.
func (t *Target) readWith(size uint16) ([]byte, error) {
	s, err := t.dial(&t.Public)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if err := s.associate(func(_ *acse.AARQ, i *apdu.InitiateRequest) { i.MaxPDU = size }); err != nil {
		return nil, err
	}
	if size != 0 && size != 0xFFFF {
		s.conn = bounded{s.conn, int(size)}
	}
	return s.get(objectListAttribute, apdu.Selection{})
}

// bounded fails on replies longer than negotiated.
type bounded struct {
	Conn
	max int
}

func (b bounded) Exchange(q []byte) ([]byte, error) {
	r, err := b.Conn.Exchange(q)
	if err == nil && len(r) > b.max {
		return nil, failf("a reply of %d bytes came, %d were negotiated", len(r), b.max)
	}
	return r, err
}

// results runs a list of requests that must end in given results.
type expectation struct {
	what string
	err  error
	want []cosem.Result
}

func (x expectation) check() error {
	var r cosem.Result
	if !errors.As(x.err, &r) {
		return failf("%s: %v, want one of %v", x.what, x.err, x.want)
	}
	for _, w := range x.want {
		if r == w {
			return nil
		}
	}
	return failf("%s: %v, want one of %v", x.what, r, x.want)
}

func applGetErrors(t *Target) error {
	s, err := t.open(&t.Public)
	if err != nil {
		return err
	}
	defer s.close()
	for _, x := range []struct {
		what string
		a    cosem.Attribute
		want []cosem.Result
	}{
		{"unknown object", cosem.Attribute{Class: 1, Instance: cosem.OBIS{9, 9, 9, 9, 9, 9}, ID: 2}, []cosem.Result{cosem.ObjectUndefined}},
		{"wrong class", cosem.Attribute{Class: 3, Instance: logicalDeviceName.Instance, ID: 2}, []cosem.Result{cosem.ObjectClassInconsistent, cosem.ObjectUndefined}},
		{"attribute 99", cosem.Attribute{Class: 1, Instance: logicalDeviceName.Instance, ID: 99}, []cosem.Result{cosem.ReadWriteDenied, cosem.ObjectUndefined}},
	} {
		_, err := s.get(x.a, apdu.Selection{})
		if err := (expectation{x.what, err, x.want}).check(); err != nil {
			return err
		}
	}
	// A block nobody asked for, in both forms peers are known to answer.
	b, err := apdu.GetRequestNext{InvokeID: s.invoke(), Number: 1}.AppendBinary(nil)
	if err != nil {
		return err
	}
	reply, err := s.send(b)
	if err != nil {
		return err
	}
	if r, _, err := apdu.ParseGetResponseBlock(reply); err != nil || r.Result != cosem.NoLongGetInProgress && r.Result != cosem.DataBlockNumberInvalid {
		return failf("get-request-next without transfer answered % X", reply)
	}
	return t.malformed(s)
}

// malformed sends broken requests: the answer matters less than that the association goes on.
func (t *Target) malformed(s *session) error {
	good, err := apdu.GetRequestNormal{InvokeID: s.invoke(), Attribute: logicalDeviceName}.AppendBinary(nil)
	if err != nil {
		return err
	}
	for n := 1; n < len(good); n++ {
		if _, err := s.conn.Exchange(good[:n]); err != nil {
			return err
		}
		if err := s.works(); err != nil {
			return failf("after %d of %d bytes of a GET: %w", n, len(good), err)
		}
	}
	for _, junk := range [][]byte{{0xFF}, {0xC0, 9, 0xC1}, {0xC1, 1, 0xC1, 0, 1}, bytes.Repeat([]byte{0xC3}, 40), append(good, 0)} {
		if _, err := s.conn.Exchange(junk); err != nil {
			return err
		}
		if err := s.works(); err != nil {
			return failf("after % X: %w", junk, err)
		}
	}
	return nil
}

func applSetErrors(t *Target) error {
	s, err := t.open(&t.Public)
	if err != nil {
		return err
	}
	defer s.close()
	if s.initiate.Conformance.Has(cosem.ConfSet) {
		if err := (expectation{"read-only attribute", s.set(t.ReadOnly, axdr.AppendUint8(nil, 0)), []cosem.Result{cosem.ReadWriteDenied}}).check(); err != nil {
			return err
		}
	}
	c := t.writer()
	if c == nil {
		return nil
	}
	w, err := t.open(c)
	if err != nil {
		return err
	}
	defer w.close()
	wrong := axdr.AppendVisibleString(nil, "wrong type")
	if err := (expectation{"wrong type", w.set(t.Writable.Attribute, wrong), []cosem.Result{cosem.TypeUnmatched}}).check(); err != nil {
		return err
	}
	unknown := cosem.Attribute{Class: 1, Instance: cosem.OBIS{9, 9, 9, 9, 9, 9}, ID: 2}
	if err := (expectation{"unknown object", w.set(unknown, t.Writable.Data), []cosem.Result{cosem.ObjectUndefined}}).check(); err != nil {
		return err
	}
	return w.works()
}

// writer is who may write Target.Writable.
func (t *Target) writer() *Credentials {
	if t.Writable.Data == nil {
		return nil
	}
	if t.Open != nil {
		return t.Open
	}
	return t.Low
}

func applUnsupported(t *Target) error {
	s, err := t.open(&t.Public)
	if err != nil {
		return err
	}
	defer s.close()
	for _, raw := range [][]byte{{0xC6, 1, 0xC1, 0}, {0xC0, 4, 0xC1, 0}, {0xFE}, {5, 1, 2, 0xFA, 0}} {
		if err := s.expectException(raw, apdu.StateServiceUnknown, apdu.ServiceNotSupported); err != nil {
			return err
		}
		if err := s.works(); err != nil {
			return err
		}
	}
	return nil
}

// shortNames: a meter without short names refuses their services.
func shortNames(tag apdu.Tag) func(*Target) error {
	return func(t *Target) error {
		s, err := t.open(&t.Public)
		if err != nil {
			return err
		}
		defer s.close()
		raw := []byte{byte(tag), 1, 2, 0xFA, 0}
		if tag == apdu.TagWriteRequest {
			raw = append(raw, 1, 0x11, 0)
		}
		if err := s.expectException(raw, apdu.StateServiceUnknown, apdu.ServiceNotSupported); err != nil {
			return err
		}
		return s.works()
	}
}

func applRelease(t *Target) error {
	for _, c := range t.known() {
		s, err := t.open(c)
		if err != nil {
			return err
		}
		defer s.close()
		if err := s.release(true); err != nil {
			return failf("client %d: %w", c.Client, err)
		}
		b, err := apdu.GetRequestNormal{InvokeID: s.invoke(), Attribute: logicalDeviceName}.AppendBinary(nil)
		if err != nil {
			return err
		}
		if err := s.expectException(b, apdu.StateServiceNotAllowed, apdu.ServiceOperationNotPossible); err != nil {
			return err
		}
	}
	return nil
}

// release sends an RLRQ with an InitiateRequest, ciphered in a ciphered association if protected, and wants an RLRE.
func (s *session) release(protected bool) error {
	q := acse.RLRQ{HasReason: true}
	plain, err := initiateRequest().AppendBinary(nil)
	if err != nil {
		return err
	}
	if q.UserInformation = plain; s.c.Ciphered && s.protection != security.ProtectNone && protected {
		if q.UserInformation, err = s.seal(apdu.TagGloInitiateRequest, plain); err != nil {
			return err
		}
	}
	b, err := q.AppendBinary(nil)
	if err != nil {
		return err
	}
	reply, err := s.conn.Exchange(b)
	if err != nil {
		return err
	}
	if e := exceptionOf(reply); e != nil {
		return e
	}
	r, n, err := acse.ParseRLRE(reply)
	if err != nil || n != len(reply) {
		return failf("% X is no RLRE", reply)
	}
	_, err = s.openReply(r.UserInformation)
	return err
}
