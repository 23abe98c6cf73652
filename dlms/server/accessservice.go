package server

import (
	"smets1/dlms/apdu"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

// access serves one ACCESS request: its parts in order. With break-on-error the parts after the first that fails are
// not tried and answer other-reason (recalled).
func (a *association) access(p apdu.AccessRequest, dst []byte) []byte {
	var (
		response = apdu.AccessResponse{InvokeID: p.InvokeID, HasTime: p.HasTime, Time: p.Time}
		data     = collect(p.Data)
		broken   bool
		total    int
		value    []byte
	)
	for i, s := range p.Specs.All() {
		result := apdu.AccessResult{Kind: s.Kind}
		value = value[:0]
		switch {
		case broken:
			result.Code = uint8(cosem.OtherReason)
		case total > a.device.Model.maxBytes:
			result.Code = uint8(cosem.DataBlockUnavailable)
		default:
			value, result.Code = a.accessPart(s, data[i], value)
		}
		if len(value) == 0 {
			value = axdr.AppendNull(value)
		}
		total += len(value)
		broken = broken || result.Code != 0 && p.InvokeID.Has(apdu.LongInvokeBreakOnError)
		response.Data.Add(value)
		response.Results.Add(result)
	}
	if !p.InvokeID.Has(apdu.LongInvokeConfirmed) {
		return dst
	}
	start := len(dst)
	dst, err := response.AppendBinary(dst)
	if err != nil || len(dst)-start > a.limit() && !a.conformance.Has(cosem.ConfGeneralBlockTransfer) {
		return exception(dst[:start], apdu.StateServiceNotAllowed, apdu.ServicePDUTooLong)
	}
	return dst
}

func (a *association) accessPart(s apdu.AccessSpec, data, value []byte) ([]byte, uint8) {
	switch s.Kind {
	case apdu.AccessGet, apdu.AccessGetWithSelected:
		value, err := a.read(s.Attribute, s.Selection, value)
		if err != nil {
			value = value[:0]
		}
		return value, uint8(resultOf(err))
	case apdu.AccessSet, apdu.AccessSetWithSelected:
		return value, uint8(a.write(s.Attribute, s.Selection, data))
	default:
		if r := a.aim(s.Method.Class, s.Method.Instance, s.Method.ID); r != cosem.Success {
			return value, uint8(r)
		}
		if len(data) == 1 && axdr.Tag(data[0]) == axdr.TagNull {
			data = nil // there is no other way to say "no parameter"
		}
		value, err := a.call.do(data, value)
		return value, uint8(actionResultOf(err))
	}
}
