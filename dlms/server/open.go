package server

import (
	"errors"
	"time"

	"smets1/dlms/acse"
	"smets1/dlms/apdu"
	"smets1/dlms/cosem"
	"smets1/dlms/security"
)

// refusal is an AARQ that is refused: with an AARE, which may carry a ConfirmedServiceError, or with an exception.
type refusal struct {
	result     acse.Result
	diagnostic acse.Diagnostic
	initiate   *uint8 // value of a ConfirmedServiceError of class initiate
	exception  *apdu.Exception
}

func (r *refusal) Error() string { return "server: association refused: " + r.diagnostic.String() }

func refuse(d acse.Diagnostic) *refusal {
	return &refusal{result: acse.ResultRejectedPermanent, diagnostic: d}
}

func refuseInitiate(value uint8) *refusal {
	return &refusal{result: acse.ResultRejectedPermanent, diagnostic: acse.DiagnosticNoReason, initiate: &value}
}

// open serves an AARQ. An association the peer has is ended first, whatever comes of the new one.
func (d *Device) open(now time.Time, p Peer, b, dst []byte) []byte {
	q, n, err := acse.ParseAARQ(b)
	if err = whole(b, n, err); err != nil {
		dst, _ = acse.AARE{Context: acse.ContextLN, Result: acse.ResultRejectedPermanent, Diagnostic: acse.DiagnosticNoReason}.AppendBinary(dst)
		return dst
	}
	d.DisconnectPeer(p)
	a, reply, err := d.accept(now, p, &q)
	var no *refusal
	if errors.As(err, &no) {
		if no.diagnostic == acse.DiagnosticAuthenticationFailure {
			d.unauthorised(now, p)
		}
		if no.exception != nil {
			dst, _ = no.exception.AppendBinary(dst)
			return dst
		}
		reply = acse.AARE{Context: d.contextFor(p.Client, q.Context), Result: no.result, Diagnostic: no.diagnostic}
		if no.initiate != nil {
			reply.UserInformation, _ = apdu.ConfirmedServiceError{
				Service: apdu.ConfirmedInitiate, Class: apdu.ErrorInitiate, Value: *no.initiate,
			}.AppendBinary(nil)
		}
		dst, _ = reply.AppendBinary(dst)
		return dst
	}
	d.assocs = append(d.assocs, a)
	if !a.pending {
		a.opened(now)
	}
	dst, _ = reply.AppendBinary(dst)
	return dst
}

// contextFor is the application context a refusal names: the client's, if the association it meant has it.
func (d *Device) contextFor(client uint16, asked acse.Context) acse.Context {
	if i, _ := d.Model.specFor(client, func(a *Association) bool { return a.takes(asked) }); i >= 0 {
		return asked
	}
	if i, _ := d.Model.specFor(client, func(*Association) bool { return true }); i >= 0 && !d.Model.assocs[i].Plain {
		return acse.ContextLNCiphered
	}
	return acse.ContextLN
}

// takes tells whether the association has that application context.
func (a *Association) takes(c acse.Context) bool {
	return a.Plain && c == acse.ContextLN || a.Ciphered && c == acse.ContextLNCiphered
}

// choose finds the declared association that an AARQ means.
func (d *Device) choose(p Peer, q *acse.AARQ) (int, *refusal) {
	mechanism := security.MechanismNone
	if q.Mechanism.Set {
		mechanism = security.Mechanism(q.Mechanism.Value)
	}
	speaks := func(a *Association) bool { return a.Mechanism == mechanism }
	i, known := d.Model.specFor(p.Client, func(a *Association) bool { return speaks(a) && a.takes(q.Context) })
	if i >= 0 {
		return i, nil
	}
	if !known {
		return 0, refuse(acse.DiagnosticNoReason)
	}
	if k, _ := d.Model.specFor(p.Client, func(a *Association) bool { return a.takes(q.Context) }); k < 0 {
		return 0, refuse(acse.DiagnosticContextNotSupported)
	}
	if k, _ := d.Model.specFor(p.Client, speaks); k >= 0 {
		return 0, refuse(acse.DiagnosticContextNotSupported)
	}
	if !q.Mechanism.Set {
		return 0, refuse(acse.DiagnosticMechanismRequired)
	}
	return 0, refuse(acse.DiagnosticMechanismNotRecognised)
}

// accept checks an AARQ and makes the association and the AARE.
func (d *Device) accept(now time.Time, p Peer, q *acse.AARQ) (*association, acse.AARE, error) {
	if !q.ProtocolVersion.Supported() {
		return nil, acse.AARE{}, refuse(acse.DiagnosticProviderNoCommonACSEVersion)
	}
	index, no := d.choose(p, q)
	if no != nil {
		return nil, acse.AARE{}, no
	}
	spec := &d.Model.assocs[index]
	a := &association{device: d, peer: p, index: index, spec: spec, ciphered: q.Context.Ciphered(), lastUsed: now}
	usesTitles := a.ciphered || spec.Mechanism >= security.MechanismGMAC
	if d.Security == nil && (usesTitles || spec.Mechanism != security.MechanismNone) {
		return nil, acse.AARE{}, refuse(acse.DiagnosticNoReason)
	}
	if q.CallingAPTitle != nil || usesTitles {
		title, err := security.TitleFrom(q.CallingAPTitle)
		// A client under our own title would have us read back what we sent.
		if usesTitles && (err != nil || title.IsZero() || title == d.Security.SystemTitle()) {
			return nil, acse.AARE{}, refuse(acse.DiagnosticCallingAPTitle)
		}
		a.title = title
	}
	if id := q.CallingAEInvocationID; id.Set {
		a.user = uint8(id.Value)
		if int64(a.user) != int64(id.Value) {
			return nil, acse.AARE{}, refuse(acse.DiagnosticCallingAEInvocationID)
		}
	}
	if users := spec.users(d); len(users) > 0 && (!q.CallingAEInvocationID.Set || userName(users, a.user) == nil) {
		return nil, acse.AARE{}, refuse(acse.DiagnosticCallingAEInvocationID)
	}
	initiate, ciphered, no := a.initiate(now, q.UserInformation)
	if no != nil {
		return nil, acse.AARE{}, no
	}
	if no := a.negotiate(&initiate, ciphered); no != nil {
		return nil, acse.AARE{}, no
	}
	if len(d.assocs) >= d.Model.maxOpen {
		return nil, acse.AARE{}, &refusal{result: acse.ResultRejectedTransient, diagnostic: acse.DiagnosticNoReason}
	}
	reply := acse.AARE{Context: q.Context, Result: acse.ResultAccepted, Diagnostic: acse.DiagnosticNull}
	if no := a.authenticate(q, &reply); no != nil {
		return nil, acse.AARE{}, no
	}
	if usesTitles {
		title := d.Security.SystemTitle()
		reply.RespondingAPTitle = title[:]
	}
	var err error
	if reply.UserInformation, err = a.initiateResponse(ciphered); err != nil {
		return nil, acse.AARE{}, refuse(acse.DiagnosticNoReason)
	}
	return a, reply, nil
}

// initiate opens the InitiateRequest.
func (a *association) initiate(now time.Time, b []byte) (q apdu.InitiateRequest, ciphered bool, no *refusal) {
	if len(b) == 0 {
		return q, false, refuseInitiate(apdu.InitiateOther)
	}
	base := security.ProtectNone
	if apdu.Tag(b[0]) == apdu.TagGloInitiateRequest {
		if !a.ciphered {
			return q, false, refuse(acse.DiagnosticContextNotSupported)
		}
		ciphered = true
		// There is no signed form of it: where a policy wants signatures, its ciphering stands for one.
		base = security.ProtectSign
	}
	plain, exception := a.unprotect(now, b, base)
	switch {
	case exception == nil:
	case exception.Service == apdu.ServiceInvocationCounterError:
		return q, ciphered, &refusal{exception: exception}
	default:
		return q, ciphered, refuse(acse.DiagnosticAuthenticationFailure)
	}
	q, n, err := apdu.ParseInitiateRequest(plain)
	if whole(plain, n, err) != nil {
		return q, ciphered, refuseInitiate(apdu.InitiateOther)
	}
	return q, ciphered, nil
}

// negotiate takes what client and association have in common.
func (a *association) negotiate(q *apdu.InitiateRequest, ciphered bool) *refusal {
	a.conformance = a.spec.Conformance & q.Conformance
	a.maxReply = int(a.spec.MaxPDU)
	if q.MaxPDU != 0 {
		a.maxReply = min(a.maxReply, int(q.MaxPDU))
	}
	switch {
	case q.Version != apdu.DLMSVersion:
		return refuseInitiate(apdu.InitiateDLMSVersionTooLow)
	case a.conformance == 0:
		return refuseInitiate(apdu.InitiateIncompatibleConformance)
	case q.MaxPDU != 0 && q.MaxPDU < minPDU, a.maxReply < a.leastReply():
		return refuseInitiate(apdu.InitiatePDUSizeTooShort)
	case q.DedicatedKey.Len() == 0:
		return nil
	case !ciphered || q.DedicatedKey.Len() != a.spec.Suite.KeySize():
		return refuseInitiate(apdu.InitiateRefusedByVDE) // a key in clear is no key
	}
	ek, err := security.NewKey(q.DedicatedKey.Bytes())
	if err != nil {
		return refuseInitiate(apdu.InitiateRefusedByVDE)
	}
	keys, _ := a.device.Security.Keys(a.lastUsed, a.version)
	if a.dedicated, err = security.NewCipher(a.spec.Suite, ek, keys.GAK); err != nil {
		return refuseInitiate(apdu.InitiateRefusedByVDE)
	}
	return nil
}

// leastReply is the smallest APDU size replies can be made to fit. General block transfer cuts ciphered APDUs
// themselves; the blocks of services have to leave room for their protection.
func (a *association) leastReply() int {
	if a.ciphered && !a.conformance.Has(cosem.ConfGeneralBlockTransfer) {
		return minPDU + cipheringOverhead
	}
	return minPDU
}

// authenticate checks a password, or makes the server's challenge.
func (a *association) authenticate(q *acse.AARQ, reply *acse.AARE) *refusal {
	m := a.spec.Mechanism
	switch {
	case m == security.MechanismNone:
		return nil
	case m == security.MechanismLLS:
		if !a.device.Security.Secret(a.index).Equal(q.Authentication.Bytes()) {
			return refuse(acse.DiagnosticAuthenticationFailure)
		}
		return nil
	case security.CheckChallenge(m, q.Authentication.Bytes()) != nil:
		return refuse(acse.DiagnosticAuthenticationFailure)
	case a.device.Rand == nil:
		return refuse(acse.DiagnosticNoReason)
	}
	var err error
	if a.ownChallenge, err = security.NewChallenge(a.device.Rand, m, a.spec.Challenge); err != nil {
		return refuse(acse.DiagnosticNoReason)
	}
	a.peerChallenge = append([]byte(nil), q.Authentication.Bytes()...)
	a.pending = true
	reply.Diagnostic = acse.DiagnosticAuthenticationRequired
	reply.Requirements = true
	reply.Mechanism = acse.Named(acse.Mechanism(m))
	reply.Authentication = acse.Characters(a.ownChallenge)
	return nil
}

// initiateResponse is the user-information of AARE and RLRE, ciphered if the request's was.
func (a *association) initiateResponse(ciphered bool) ([]byte, error) {
	plain, err := apdu.InitiateResponse{
		Version: apdu.DLMSVersion, Conformance: a.conformance, MaxPDU: a.spec.MaxPDU, VAAName: apdu.VAANameLN,
	}.AppendBinary(nil)
	if err != nil || !ciphered {
		return plain, err
	}
	return a.seal(apdu.TagInitiateResponse, plain, nil)
}

// release serves an RLRQ. Where the association requires protection the RLRQ must carry a ciphered InitiateRequest, for
// anybody could end it otherwise; one that does not is refused and changes nothing.
func (d *Device) release(now time.Time, a *association, b, dst []byte) []byte {
	q, n, err := acse.ParseRLRQ(b)
	if err = whole(b, n, err); err != nil {
		return exception(dst, apdu.StateServiceNotAllowed, apdu.ServiceOperationNotPossible)
	}
	reply := acse.RLRE{HasReason: true, Reason: acse.ReasonNormal}
	if a != nil {
		protected := a.ciphered && a.policy().Request() != 0 && !a.spec.Quirks.PlainRelease
		if len(q.UserInformation) == 0 && protected {
			return exception(dst, apdu.StateServiceNotAllowed, apdu.ServiceOperationNotPossible)
		}
		if len(q.UserInformation) > 0 {
			var no *refusal
			if reply.UserInformation, no = a.releaseInformation(now, q.UserInformation); no != nil {
				if no.exception == nil {
					no.exception = &refuseProtection
				}
				dst, _ = no.exception.AppendBinary(dst)
				return dst
			}
		}
		d.DisconnectPeer(a.peer)
	}
	dst, _ = reply.AppendBinary(dst)
	return dst
}

func (a *association) releaseInformation(now time.Time, b []byte) ([]byte, *refusal) {
	_, ciphered, no := a.initiate(now, b)
	if no != nil {
		return nil, no
	}
	out, err := a.initiateResponse(ciphered)
	if err != nil {
		return nil, refuse(acse.DiagnosticNoReason)
	}
	return out, nil
}
