package apdu

import "fmt"

// APDU is any of the structs of this package.
type APDU interface {
	Kind() Kind
	AppendBinary(b []byte) ([]byte, error)
}

// Parse decodes whatever APDU stands at the start of b. It is for tools: code
// that serves or asks knows the kind and calls the parser of that kind, which
// does not allocate. The containers are not looked into, and of a gateway
// prefix the APDU after it is left to the caller.
func Parse(b []byte) (APDU, int, error) {
	k, ok := KindOf(b)
	if !ok {
		if len(b) == 0 {
			return nil, 0, fmt.Errorf("apdu: no bytes: %w", ErrKind)
		}
		return nil, 0, fmt.Errorf("apdu: %s: %w", k, ErrKind)
	}
	if k.Tag().hasForms() {
		return parseForms(k, b)
	}
	switch t := k.Tag(); t {
	case TagInitiateRequest:
		return result(ParseInitiateRequest(b))
	case TagInitiateResponse:
		return result(ParseInitiateResponse(b))
	case TagReadRequest:
		return result(ParseReadRequest(b))
	case TagReadResponse:
		return result(ParseReadResponse(b))
	case TagWriteRequest, TagUnconfirmedWrite:
		return result(ParseWriteRequest(b))
	case TagWriteResponse:
		return result(ParseWriteResponse(b))
	case TagInformationReport:
		return result(ParseInformationReport(b))
	case TagConfirmedServiceError:
		return result(ParseConfirmedServiceError(b))
	case TagDataNotification:
		return result(ParseDataNotification(b))
	case TagEventNotification:
		return result(ParseEventNotification(b))
	case TagException:
		return result(ParseException(b))
	case TagAccessRequest:
		return result(ParseAccessRequest(b))
	case TagAccessResponse:
		return result(ParseAccessResponse(b))
	case TagGeneralGlo:
		return result(ParseGeneralGlo(b))
	case TagGeneralDed:
		return result(ParseGeneralDed(b))
	case TagGeneralCiphering:
		return result(ParseGeneralCiphering(b))
	case TagGeneralSigning:
		return result(ParseGeneralSigning(b))
	case TagGeneralBlockTransfer:
		return result(ParseGeneralBlockTransfer(b))
	case TagGatewayRequest, TagGatewayResponse:
		return result(ParseGatewayPrefix(b))
	}
	return result(ParseCiphered(b))
}

func parseForms(k Kind, b []byte) (APDU, int, error) {
	switch k {
	case KindGetRequestNormal:
		return result(ParseGetRequestNormal(b))
	case KindGetRequestNext:
		return result(ParseGetRequestNext(b))
	case KindGetRequestList:
		return result(ParseGetRequestList(b))
	case KindGetResponseNormal:
		return result(ParseGetResponseNormal(b))
	case KindGetResponseBlock:
		return result(ParseGetResponseBlock(b))
	case KindGetResponseList:
		return result(ParseGetResponseList(b))
	case KindSetRequestNormal:
		return result(ParseSetRequestNormal(b))
	case KindSetRequestFirstBlock:
		return result(ParseSetRequestFirstBlock(b))
	case KindSetRequestBlock:
		return result(ParseSetRequestBlock(b))
	case KindSetRequestList:
		return result(ParseSetRequestList(b))
	case KindSetRequestListFirstBlock:
		return result(ParseSetRequestListFirstBlock(b))
	case KindSetResponseNormal:
		return result(ParseSetResponseNormal(b))
	case KindSetResponseBlock:
		return result(ParseSetResponseBlock(b))
	case KindSetResponseLastBlock:
		return result(ParseSetResponseLastBlock(b))
	case KindSetResponseLastBlockList:
		return result(ParseSetResponseLastBlockList(b))
	case KindSetResponseList:
		return result(ParseSetResponseList(b))
	case KindActionRequestNormal:
		return result(ParseActionRequestNormal(b))
	case KindActionRequestNextBlock:
		return result(ParseActionRequestNextBlock(b))
	case KindActionRequestList:
		return result(ParseActionRequestList(b))
	case KindActionRequestFirstBlock:
		return result(ParseActionRequestFirstBlock(b))
	case KindActionRequestListFirstBlock:
		return result(ParseActionRequestListFirstBlock(b))
	case KindActionRequestBlock:
		return result(ParseActionRequestBlock(b))
	case KindActionResponseNormal:
		return result(ParseActionResponseNormal(b))
	case KindActionResponseBlock:
		return result(ParseActionResponseBlock(b))
	case KindActionResponseList:
		return result(ParseActionResponseList(b))
	}
	return result(ParseActionResponseNextBlock(b))
}

// result turns the answer of a parser into that of Parse.
func result[T APDU](p T, n int, err error) (APDU, int, error) {
	if err != nil {
		return nil, 0, err
	}
	return p, n, nil
}
