package server

import (
	"smets1/dlms/apdu"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

// read appends the value of an attribute.
func (a *association) read(at cosem.Attribute, s apdu.Selection, dst []byte) ([]byte, error) {
	if r := a.aim(at.Class, at.Instance, at.ID); r != cosem.Success {
		return dst, r
	}
	c := &a.call
	if !s.IsZero() {
		if !a.conformance.Has(cosem.ConfSelectiveAccess) || s.Selector > 127 {
			return dst, cosem.ScopeOfAccessViolated
		}
		c.Selector, c.Selection = int8(s.Selector), s.Data
	}
	if at.ID == 0 {
		if !a.conformance.Has(cosem.ConfAttribute0Get) || !s.IsZero() {
			return dst, cosem.ObjectUndefined
		}
		return c.getAll(dst)
	}
	return c.get(dst)
}

func (a *association) getNormal(p apdu.GetRequestNormal, dst []byte) []byte {
	start := len(dst)
	dst = append(dst, byte(apdu.TagGetResponse), 1, byte(p.InvokeID), 0)
	data := len(dst)
	dst, err := a.read(p.Attribute, p.Selection, dst)
	if err != nil {
		return append(dst[:data-1], 1, byte(resultOf(err)))
	}
	if len(dst)-start <= a.limit() {
		return dst
	}
	switch {
	case a.cutsServices(cosem.ConfBlockTransferGet):
		a.long.start(longGet, dst[data:])
		return a.getBlock(p.InvokeID, dst[:start])
	case a.conformance.Has(cosem.ConfGeneralBlockTransfer):
		return dst
	}
	return append(dst[:data-1], 1, byte(cosem.DataBlockUnavailable))
}

func (a *association) getList(p apdu.GetRequestList, dst []byte) []byte {
	if !a.conformance.Has(cosem.ConfMultipleReferences) {
		return exception(dst, apdu.StateServiceNotAllowed, apdu.ServiceNotSupported)
	}
	start := len(dst)
	dst = append(dst, byte(apdu.TagGetResponse), 3, byte(p.InvokeID))
	list := len(dst)
	dst = axdr.AppendLength(dst, p.Attributes.Len())
	for _, at := range p.Attributes.All() {
		dst = a.appendGetResult(at.Attribute, at.Selection, dst, list)
	}
	if len(dst)-start <= a.limit() {
		return dst
	}
	switch {
	case a.cutsServices(cosem.ConfBlockTransferGet):
		a.long.start(longGet, dst[list:])
		return a.getBlock(p.InvokeID, dst[:start])
	case a.conformance.Has(cosem.ConfGeneralBlockTransfer):
		return dst
	}
	dst = axdr.AppendLength(dst[:list], p.Attributes.Len())
	for range p.Attributes.Len() {
		dst = append(dst, 1, byte(cosem.DataBlockUnavailable))
	}
	return dst
}

// appendGetResult appends 00 data or 01 result. What begins at from may not grow beyond what a transfer may hold.
func (a *association) appendGetResult(at cosem.Attribute, s apdu.Selection, dst []byte, from int) []byte {
	mark := len(dst)
	if mark-from > a.device.Model.maxBytes {
		return append(dst, 1, byte(cosem.DataBlockUnavailable))
	}
	dst, err := a.read(at, s, append(dst, 0))
	if err != nil {
		return append(dst[:mark], 1, byte(resultOf(err)))
	}
	return dst
}

// getNext sends the next block, or the last one again to a client that did not get it.
func (a *association) getNext(p apdu.GetRequestNext, dst []byte) []byte {
	r := a.long.advance(longGet, p.Number)
	if r != cosem.Success {
		a.long.stop()
		dst, _ = apdu.GetResponseBlock{InvokeID: p.InvokeID, Last: true, Number: p.Number, Result: r}.AppendBinary(dst)
		return dst
	}
	return a.getBlock(p.InvokeID, dst)
}

// getBlock appends the block of the long reply that is due.
func (a *association) getBlock(id apdu.InvokeID, dst []byte) []byte {
	raw, last := a.long.chunk(a.limit() - 9)
	dst, _ = apdu.GetResponseBlock{InvokeID: id, Last: last, Number: a.long.number, Raw: raw}.AppendBinary(dst)
	return dst
}

// cutsServices tells whether long replies are cut with the blocks of the service itself.
func (a *association) cutsServices(bit cosem.Conformance) bool {
	q := &a.spec.Quirks
	if (q.PreferGBT || a.limit() < minPDU) && a.conformance.Has(cosem.ConfGeneralBlockTransfer) {
		return false
	}
	return a.conformance.Has(bit) || q.BlocksUnasked && bit == cosem.ConfBlockTransferGet
}
