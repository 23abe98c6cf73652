package server

import (
	"time"

	"smets1/dlms/acse"
	"smets1/dlms/apdu"
	"smets1/dlms/cosem"
	"smets1/dlms/security"
)

// Serve answers one APDU from a peer: the reply is appended to dst, and nothing is where the protocol wants silence.
// The request is not kept. After a reply, the caller asks [Device.More] for further APDUs until there are none.
func (d *Device) Serve(now time.Time, p Peer, request, dst []byte) []byte {
	if len(request) == 0 {
		return dst
	}
	tag := apdu.Tag(request[0])
	a := d.association(p)
	switch {
	case request[0] == acse.TagAARQ:
		return d.open(now, p, request, dst)
	case request[0] == acse.TagRLRQ:
		return d.release(now, a, request, dst)
	case silent(tag):
		return dst
	case a == nil:
		if i, ok := d.Model.specFor(p.Client, func(a *Association) bool { return a.Quirks.SilentUnassociated }); ok && i >= 0 {
			return dst
		}
		return exception(dst, apdu.StateServiceNotAllowed, apdu.ServiceOperationNotPossible)
	}
	a.lastUsed = now
	if tag == apdu.TagGeneralBlockTransfer {
		return a.serveBlock(now, request, dst)
	}
	a.out.stop()
	start := len(dst)
	dst = a.process(now, request, dst)
	if len(dst)-start > a.maxReply && a.conformance.Has(cosem.ConfGeneralBlockTransfer) {
		a.out.start(a, dst[start:], 0)
		return a.out.next(a, dst[:start])
	}
	return dst
}

// More appends a further APDU that follows a reply without a request of its own: the blocks of a streamed general block
// transfer.
func (d *Device) More(_ time.Time, p Peer, dst []byte) []byte {
	if a := d.association(p); a != nil && a.out.streaming() {
		return a.out.next(a, dst)
	}
	return dst
}

// silent are APDUs of a client that have no answer: notifications, and what only a server sends.
func silent(t apdu.Tag) bool {
	switch t {
	case apdu.TagDataNotification, apdu.TagEventNotification, apdu.TagGloEventNotification, apdu.TagDedEventNotification,
		apdu.TagException, apdu.TagConfirmedServiceError, apdu.TagGloConfirmedServiceError, apdu.TagDedConfirmedServiceError,
		apdu.TagInformationReport, apdu.TagUnconfirmedWrite,
		apdu.TagInitiateResponse, apdu.TagReadResponse, apdu.TagWriteResponse,
		apdu.TagGetResponse, apdu.TagSetResponse, apdu.TagActionResponse, apdu.TagAccessResponse,
		apdu.TagGloGetResponse, apdu.TagGloSetResponse, apdu.TagGloActionResponse,
		apdu.TagDedGetResponse, apdu.TagDedSetResponse, apdu.TagDedActionResponse,
		apdu.TagGatewayResponse:
		return true
	default:
		return t == apdu.Tag(acse.TagAARE) || t == apdu.Tag(acse.TagRLRE)
	}
}

// exception appends an exception response.
func exception(dst []byte, state apdu.StateError, service apdu.ServiceError) []byte {
	dst, _ = apdu.Exception{State: state, Service: service}.AppendBinary(dst)
	return dst
}

// process serves one whole APDU, ciphered or not, and runs what was put off until after the reply.
func (a *association) process(now time.Time, request, dst []byte) []byte {
	plain, refusal := a.unprotect(now, request, security.ProtectNone)
	if refusal != nil {
		dst, _ = refusal.AppendBinary(dst)
		return dst
	}
	if a.request.wrap == wrapNone && a.request.protection == 0 {
		dst = a.service(now, plain, dst)
	} else {
		a.reply = a.service(now, plain, a.reply[:0])
		dst = a.protect(now, a.reply, dst)
		a.reply = shrink(a.reply)
		a.plain = shrink(a.plain)
	}
	a.call.runAfter()
	return dst
}

// keepBytes is how large a buffer may be to be kept between requests.
const keepBytes = 4096

// shrink lets go of a buffer that one long transfer made large.
func shrink(b []byte) []byte {
	if cap(b) > keepBytes {
		return nil
	}
	return b
}

// service serves one plain APDU.
func (a *association) service(now time.Time, b, dst []byte) []byte {
	kind, ok := apdu.KindOf(b)
	if !ok {
		return exception(dst, apdu.StateServiceUnknown, apdu.ServiceNotSupported)
	}
	tag := kind.Tag()
	if a.pending && !a.passThree(b) {
		return exception(dst, apdu.StateServiceNotAllowed, apdu.ServiceOperationNotPossible)
	}
	var need cosem.Conformance
	switch tag {
	case apdu.TagGetRequest:
		need = cosem.ConfGet
	case apdu.TagSetRequest:
		need = cosem.ConfSet
	case apdu.TagActionRequest:
		need = cosem.ConfAction
	case apdu.TagAccessRequest:
		need = cosem.ConfAccess
	default:
		return exception(dst, apdu.StateServiceUnknown, apdu.ServiceNotSupported)
	}
	// Pass 3 works whatever was negotiated: an association that offers HLS without action could not be opened.
	if !a.conformance.Has(need) && !a.pending {
		return exception(dst, apdu.StateServiceNotAllowed, apdu.ServiceNotSupported)
	}
	a.call.Now, a.call.Device, a.call.assoc = now, a.device, a
	a.call.Selector, a.call.Selection = 0, nil
	start := len(dst)
	dst, err := a.dispatch(kind, b, dst)
	if err != nil {
		// The bytes are not the APDU they claim to be. Nothing was done.
		return exception(dst[:start], apdu.StateServiceNotAllowed, apdu.ServiceOperationNotPossible)
	}
	return dst
}

// passThree tells whether b is reply_to_HLS_authentication of the current association, the one thing a pending
// association may do.
func (a *association) passThree(b []byte) bool {
	p, _, err := apdu.ParseActionRequestNormal(b)
	return err == nil && p.Method.ID == methodReplyToHLS && p.Method.Class == cosem.ClassAssociationLN &&
		(p.Method.Instance == currentAssociation || p.Method.Instance == a.spec.Instance)
}

// dispatch serves a request of a known form. An error means that b is malformed.
func (a *association) dispatch(kind apdu.Kind, b, dst []byte) ([]byte, error) {
	if kind != apdu.KindGetRequestNext && kind != apdu.KindActionRequestNextBlock {
		a.long.stop()
	}
	if kind != apdu.KindSetRequestBlock && kind != apdu.KindActionRequestBlock {
		a.gather.stop()
	}
	switch kind {
	case apdu.KindGetRequestNormal:
		p, n, err := apdu.ParseGetRequestNormal(b)
		if err = whole(b, n, err); err != nil {
			return dst, err
		}
		return a.getNormal(p, dst), nil
	case apdu.KindGetRequestNext:
		p, n, err := apdu.ParseGetRequestNext(b)
		if err = whole(b, n, err); err != nil {
			return dst, err
		}
		return a.getNext(p, dst), nil
	case apdu.KindGetRequestList:
		p, n, err := apdu.ParseGetRequestList(b)
		if err = whole(b, n, err); err != nil {
			return dst, err
		}
		return a.getList(p, dst), nil
	case apdu.KindSetRequestNormal:
		p, n, err := apdu.ParseSetRequestNormal(b)
		if err = whole(b, n, err); err != nil {
			return dst, err
		}
		return a.setNormal(p, dst), nil
	case apdu.KindSetRequestFirstBlock:
		p, n, err := apdu.ParseSetRequestFirstBlock(b)
		if err = whole(b, n, err); err != nil {
			return dst, err
		}
		return a.setFirst(p, dst), nil
	case apdu.KindSetRequestBlock:
		p, n, err := apdu.ParseSetRequestBlock(b)
		if err = whole(b, n, err); err != nil {
			return dst, err
		}
		return a.setBlock(p.InvokeID, p.Block, dst), nil
	case apdu.KindSetRequestList:
		p, n, err := apdu.ParseSetRequestList(b)
		if err = whole(b, n, err); err != nil {
			return dst, err
		}
		return a.setList(p, dst), nil
	case apdu.KindSetRequestListFirstBlock:
		p, n, err := apdu.ParseSetRequestListFirstBlock(b)
		if err = whole(b, n, err); err != nil {
			return dst, err
		}
		return a.setListFirst(p, b, dst), nil
	case apdu.TagAccessRequest.Kind():
		p, n, err := apdu.ParseAccessRequest(b)
		if err = whole(b, n, err); err != nil {
			return dst, err
		}
		return a.access(p, dst), nil
	default:
		return a.dispatchAction(kind, b, dst)
	}
}

func (a *association) dispatchAction(kind apdu.Kind, b, dst []byte) ([]byte, error) {
	switch kind {
	case apdu.KindActionRequestNormal:
		p, n, err := apdu.ParseActionRequestNormal(b)
		if err = whole(b, n, err); err != nil {
			return dst, err
		}
		return a.actionNormal(p, dst), nil
	case apdu.KindActionRequestNextBlock:
		p, n, err := apdu.ParseActionRequestNextBlock(b)
		if err = whole(b, n, err); err != nil {
			return dst, err
		}
		return a.actionNext(p, dst), nil
	case apdu.KindActionRequestList:
		p, n, err := apdu.ParseActionRequestList(b)
		if err = whole(b, n, err); err != nil {
			return dst, err
		}
		return a.actionList(p, dst), nil
	case apdu.KindActionRequestFirstBlock:
		p, n, err := apdu.ParseActionRequestFirstBlock(b)
		if err = whole(b, n, err); err != nil {
			return dst, err
		}
		return a.actionFirst(p, dst), nil
	case apdu.KindActionRequestListFirstBlock:
		p, n, err := apdu.ParseActionRequestListFirstBlock(b)
		if err = whole(b, n, err); err != nil {
			return dst, err
		}
		return a.actionListFirst(p, b, dst), nil
	default:
		p, n, err := apdu.ParseActionRequestBlock(b)
		if err = whole(b, n, err); err != nil {
			return dst, err
		}
		return a.actionBlock(p.InvokeID, p.Block, dst), nil
	}
}

// whole checks that a parser took all of b: bytes after the APDU mean that it is not what it claims to be.
func whole(b []byte, n int, err error) error {
	if err == nil && n != len(b) {
		return apdu.ErrKind
	}
	return err
}

// aim points the association's Call at an object. The result is why that cannot be.
func (a *association) aim(class cosem.ClassID, instance cosem.OBIS, id int8) cosem.Result {
	c := &a.call
	c.ID, c.Selector, c.Selection = id, 0, nil
	var r cosem.Result
	c.Object, r = a.device.Model.find(a.index, class, instance)
	return r
}
