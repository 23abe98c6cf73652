package meter

import (
	"time"

	"smets1/device/core"
	"smets1/device/prepay"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/server"
)

// tokenObject is the token gateway (class 115): method 1 takes a code, and attribute 6
// tells what came of the last one. A code that is refused is an error of the action too.
func tokenObject() server.Object {
	get := func(id int8, g server.Getter) server.Attr { return server.Attr{ID: id, Access: core.Private, Get: g} }
	return server.Object{
		Class: cosem.ClassTokenGateway, Instance: TokenName,
		Attrs: []server.Attr{
			get(2, server.Octets(func(c *server.Call) []byte { return Of(c).lastCode(c.Now).text })),
			get(3, server.DateTime(func(c *server.Call) axdr.DateTime {
				a := Of(c).lastCode(c.Now)
				if a.kind == 0 {
					return axdr.UnspecifiedDateTime
				}
				return axdr.DateTimeOf(time.Unix(a.at, 0).UTC())
			})),
			get(4, server.Fixed(axdr.Array())),
			get(5, server.Enum(func(c *server.Call) uint8 { return deliveryOf(Of(c).lastCode(c.Now).source()) })),
			get(6, func(c *server.Call, b []byte) ([]byte, error) {
				status, why := Of(c).lastCode(c.Now).outcome()
				b = axdr.AppendEnum(axdr.AppendStructureHeader(b, 2), status)
				return axdr.AppendBitString(b, []byte{uint8(why)}, 8), nil
			}),
		},
		Methods: []server.Method{{ID: 1, Access: core.Run, Do: func(c *server.Call, arg, dst []byte) ([]byte, error) {
			r := axdr.NewReader(arg)
			code := r.OctetString()
			if r.End("code"); r.Err() != nil {
				return dst, cosem.ActionTypeUnmatched
			}
			if len(code) > maxCode {
				return dst, cosem.ActionScopeOfAccessViolated
			}
			switch _, why := Of(c).EnterCode(c.Now, string(code), Remote); why {
			case prepay.Accepted:
				return dst, nil
			case prepay.AccountHigh, prepay.AccountLow:
				return dst, cosem.ActionScopeOfAccessViolated
			case prepay.Locked:
				return dst, cosem.ActionTemporaryFailure
			default:
				return dst, cosem.ActionReadWriteDenied
			}
		}}},
	}
}

// maxCode is the longest code that is looked at: 60 digits with a blank after each five.
const maxCode = 80

// Delivery of a token (class 115 attribute 5, published): 0 remote, 1 local, 2 manual.
func deliveryOf(s Source) uint8 {
	return [...]uint8{Remote: 0, Keypad: 2, PPMID: 1}[min(s, PPMID)]
}

// lastCode is the act of the last code that was entered; the zero act if there was none.
func (m *Meter) lastCode(now time.Time) *act {
	s := m.At(now)
	for i := s.done - 1; i >= 0; i-- {
		if k := m.acts[i].kind; k == actVend || k == actReject || k == actUseCode {
			return &m.acts[i]
		}
	}
	return &act{}
}

func (a *act) source() Source {
	switch a.kind {
	case actVend:
		return Source(a.arg(2))
	case actReject:
		return Source(a.arg(1))
	default:
		return Remote
	}
}

// outcome is the status of class 115 and, in its data, the refusal.
func (a *act) outcome() (status uint8, why prepay.Refusal) {
	if a.kind != actReject {
		return server.TokenExecuted, prepay.Accepted
	}
	why = prepay.Refusal(a.arg(0))
	switch why {
	case prepay.Incomplete, prepay.Incorrect:
		return server.TokenFormatFailed, why
	case prepay.Invalid:
		return server.TokenNotAuthenticated, why
	case prepay.Duplicate, prepay.Unsupported:
		return server.TokenInvalid, why
	default:
		return server.TokenNotExecuted, why
	}
}
