package server

import (
	"smets1/dlms/apdu"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

// appendCall runs a method and appends its Action-Response-With-Optional-Data: result, then 00 or 01 00 data.
func (a *association) appendCall(m cosem.Method, arg, dst []byte) []byte {
	mark := len(dst)
	if r := a.aim(m.Class, m.Instance, m.ID); r != cosem.Success {
		return append(dst, byte(r), 0)
	}
	dst = append(dst, 0, 1, 0)
	data := len(dst)
	dst, err := a.call.do(arg, dst)
	switch {
	case err != nil:
		return append(dst[:mark], byte(actionResultOf(err)), 0)
	case len(dst) == data:
		return append(dst[:mark], 0, 0)
	}
	return dst
}

func (a *association) actionNormal(p apdu.ActionRequestNormal, dst []byte) []byte {
	start := len(dst)
	dst = append(dst, byte(apdu.TagActionResponse), 1, byte(p.InvokeID))
	dst = a.appendCall(p.Method, p.Data, dst)
	return a.endAction(p.InvokeID, dst, start, start+3+actionHead)
}

func (a *association) actionList(p apdu.ActionRequestList, dst []byte) []byte {
	if !a.conformance.Has(cosem.ConfMultipleReferences) {
		return exception(dst, apdu.StateServiceNotAllowed, apdu.ServiceNotSupported)
	}
	return a.callList(p.InvokeID, p.Methods, p.Data, dst)
}

func (a *association) callList(id apdu.InvokeID, methods apdu.MethodList, data apdu.DataList, dst []byte) []byte {
	start := len(dst)
	dst = append(dst, byte(apdu.TagActionResponse), 3, byte(id))
	dst = axdr.AppendLength(dst, methods.Len())
	args := collect(data)
	for i, m := range methods.All() {
		arg := args[i]
		if len(dst)-start > a.device.Model.maxBytes {
			dst = append(dst, byte(cosem.ActionScopeOfAccessViolated), 0)
			continue
		}
		if len(arg) == 1 && axdr.Tag(arg[0]) == axdr.TagNull {
			arg = nil // the list form has no other way to say "no parameter"
		}
		dst = a.appendCall(m, arg, dst)
	}
	return a.endAction(id, dst, start, start+3)
}

// actionHead is result, presence and choice before the data of a successful call.
const actionHead = 3

// endAction cuts a long reply, from raw on, into blocks: of one call the returned Data (only a success is long), of a
// list the responses with their count (recalled).
func (a *association) endAction(id apdu.InvokeID, dst []byte, start, raw int) []byte {
	if !id.Confirmed() {
		return dst[:start]
	}
	if len(dst)-start <= a.limit() {
		return dst
	}
	switch {
	case a.cutsServices(cosem.ConfBlockTransferAction):
		a.long.start(longAction, dst[raw:])
		return a.actionReplyBlock(id, dst[:start])
	case a.conformance.Has(cosem.ConfGeneralBlockTransfer):
		return dst
	}
	// The method has run: say so, and that what it returned cannot be had.
	dst, _ = apdu.ActionResponseNormal{InvokeID: id, Response: apdu.ActionResponse{
		Returns: true, Return: apdu.GetResult{Result: cosem.DataBlockUnavailable},
	}}.AppendBinary(dst[:start])
	return dst
}

func (a *association) actionNext(p apdu.ActionRequestNextBlock, dst []byte) []byte {
	if r := a.long.advance(longAction, p.Number); r != cosem.Success {
		a.long.stop()
		return a.actionRefused(p.InvokeID, cosem.ActionNoLongActionInProgress, dst)
	}
	return a.actionReplyBlock(p.InvokeID, dst)
}

func (a *association) actionReplyBlock(id apdu.InvokeID, dst []byte) []byte {
	raw, last := a.long.chunk(a.limit() - 8)
	dst, _ = apdu.ActionResponseBlock{InvokeID: id, Block: apdu.DataBlock{Last: last, Number: a.long.number, Raw: raw}}.AppendBinary(dst)
	return dst
}

func (a *association) actionRefused(id apdu.InvokeID, r cosem.ActionResult, dst []byte) []byte {
	a.gather.stop()
	dst, _ = apdu.ActionResponseNormal{InvokeID: id, Response: apdu.ActionResponse{Result: r}}.AppendBinary(dst)
	return dst
}

func (a *association) actionFirst(p apdu.ActionRequestFirstBlock, dst []byte) []byte {
	a.gather.kind, a.gather.method, a.gather.next = longAction, p.Method, 1
	return a.actionBlock(p.InvokeID, p.Block, dst)
}

// actionListFirst takes the first block of a list of parameters. The whole request is kept for its descriptors.
func (a *association) actionListFirst(p apdu.ActionRequestListFirstBlock, request, dst []byte) []byte {
	if !a.conformance.Has(cosem.ConfMultipleReferences) {
		return exception(dst, apdu.StateServiceNotAllowed, apdu.ServiceNotSupported)
	}
	a.gather.kind, a.gather.first, a.gather.next = longActionList, append([]byte(nil), request...), 1
	return a.actionBlock(p.InvokeID, p.Block, dst)
}

// actionBlock takes a block of parameters, acknowledges it and, after the last, runs the method.
func (a *association) actionBlock(id apdu.InvokeID, b apdu.DataBlock, dst []byte) []byte {
	g := &a.gather
	if !a.conformance.Has(cosem.ConfBlockTransferAction) {
		g.stop()
		return exception(dst, apdu.StateServiceNotAllowed, apdu.ServiceNotSupported)
	}
	if g.kind != longAction && g.kind != longActionList {
		return a.actionRefused(id, cosem.ActionNoLongActionInProgress, dst)
	}
	if !g.add(b, a.device.Model.maxBytes) {
		return a.actionRefused(id, cosem.ActionLongActionAborted, dst)
	}
	if !b.Last {
		dst, _ = apdu.ActionResponseNextBlock{InvokeID: id, Number: b.Number}.AppendBinary(dst)
		return dst
	}
	defer g.stop()
	if g.kind == longAction {
		return a.actionNormal(apdu.ActionRequestNormal{InvokeID: id, Method: g.method, Data: g.buf}, dst)
	}
	first, _, err := apdu.ParseActionRequestListFirstBlock(g.first)
	if err != nil {
		return a.actionRefused(id, cosem.ActionLongActionAborted, dst)
	}
	data, n, err := apdu.ParseDataList(g.buf)
	if err != nil || n != len(g.buf) || data.Len() != first.Methods.Len() {
		return a.actionRefused(id, cosem.ActionTypeUnmatched, dst)
	}
	return a.callList(id, first.Methods, data, dst)
}
