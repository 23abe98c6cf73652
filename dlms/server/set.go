package server

import (
	"smets1/dlms/apdu"
	"smets1/dlms/cosem"
)

// write gives an attribute a value.
func (a *association) write(at cosem.Attribute, s apdu.Selection, data []byte) cosem.Result {
	if r := a.aim(at.Class, at.Instance, at.ID); r != cosem.Success {
		return r
	}
	if at.ID == 0 {
		return cosem.ObjectUndefined // writing all attributes at once is never negotiated
	}
	if !s.IsZero() {
		return cosem.ScopeOfAccessViolated
	}
	return resultOf(a.call.set(data))
}

func (a *association) setNormal(p apdu.SetRequestNormal, dst []byte) []byte {
	r := a.write(p.Attribute, p.Selection, p.Data)
	if !p.InvokeID.Confirmed() {
		return dst
	}
	dst, _ = apdu.SetResponseNormal{InvokeID: p.InvokeID, Result: r}.AppendBinary(dst)
	return dst
}

func (a *association) setList(p apdu.SetRequestList, dst []byte) []byte {
	if !a.conformance.Has(cosem.ConfMultipleReferences) {
		return exception(dst, apdu.StateServiceNotAllowed, apdu.ServiceNotSupported)
	}
	results := a.writeList(p.Attributes, p.Data)
	if !p.InvokeID.Confirmed() {
		return dst
	}
	dst, _ = apdu.SetResponseList{InvokeID: p.InvokeID, Results: results}.AppendBinary(dst)
	return dst
}

func (a *association) writeList(attributes apdu.AttributeList, data apdu.DataList) (results apdu.ResultList) {
	values := collect(data)
	for i, at := range attributes.All() {
		results.Add(a.write(at.Attribute, at.Selection, values[i]))
	}
	return results
}

// collect gives the elements of a list of data.
func collect(l apdu.DataList) [][]byte {
	out := make([][]byte, 0, l.Len())
	for _, d := range l.All() {
		out = append(out, d)
	}
	return out
}

func (a *association) setFirst(p apdu.SetRequestFirstBlock, dst []byte) []byte {
	a.gather.kind, a.gather.attribute, a.gather.next = longSet, p.Attribute, 1
	a.gather.selection = apdu.Selection{Selector: p.Selection.Selector, Data: append([]byte(nil), p.Selection.Data...)}
	return a.setBlock(p.InvokeID, p.Block, dst)
}

// setListFirst takes the first block of a list of values. The whole request is kept for its descriptors.
func (a *association) setListFirst(p apdu.SetRequestListFirstBlock, request, dst []byte) []byte {
	if !a.conformance.Has(cosem.ConfMultipleReferences) {
		return exception(dst, apdu.StateServiceNotAllowed, apdu.ServiceNotSupported)
	}
	a.gather.kind, a.gather.first, a.gather.next = longSetList, append([]byte(nil), request...), 1
	return a.setBlock(p.InvokeID, p.Block, dst)
}

// setBlock takes a block of a value, acknowledges it and, after the last, writes.
func (a *association) setBlock(id apdu.InvokeID, b apdu.DataBlock, dst []byte) []byte {
	g := &a.gather
	refuse := func(r cosem.Result) []byte {
		g.stop()
		dst, _ = apdu.SetResponseLastBlock{InvokeID: id, Result: r, Number: b.Number}.AppendBinary(dst)
		return dst
	}
	if !a.conformance.Has(cosem.ConfBlockTransferSet) {
		g.stop()
		return exception(dst, apdu.StateServiceNotAllowed, apdu.ServiceNotSupported)
	}
	if g.kind != longSet && g.kind != longSetList {
		return refuse(cosem.NoLongSetInProgress)
	}
	due := b.Number == g.next
	if !g.add(b, a.device.Model.maxBytes) {
		if due {
			return refuse(cosem.LongSetAborted)
		}
		return refuse(cosem.DataBlockNumberInvalid)
	}
	if !b.Last {
		dst, _ = apdu.SetResponseBlock{InvokeID: id, Number: b.Number}.AppendBinary(dst)
		return dst
	}
	defer g.stop()
	if g.kind == longSet {
		return refuse(a.write(g.attribute, g.selection, g.buf))
	}
	first, _, err := apdu.ParseSetRequestListFirstBlock(g.first)
	if err != nil {
		return refuse(cosem.LongSetAborted)
	}
	data, n, err := apdu.ParseDataList(g.buf)
	if err != nil || n != len(g.buf) || data.Len() != first.Attributes.Len() {
		return refuse(cosem.TypeUnmatched)
	}
	dst, _ = apdu.SetResponseLastBlockList{InvokeID: id, Results: a.writeList(first.Attributes, data), Number: b.Number}.AppendBinary(dst)
	return dst
}
