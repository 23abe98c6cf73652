package explain

import "smets1/dlms/apdu"

// Clauses, as recalled.
const (
	clauseHDLCFrame   = "IEC 62056-46 6.4.1"
	clauseHDLCAddress = "IEC 62056-46 6.4.2"
	clauseHDLCControl = "IEC 62056-46 6.4.3"
	clauseHDLCParams  = "IEC 62056-46 6.4.4.4.3"
	clauseLLC         = "IEC 62056-46 5.2"
	clauseWrapper     = "IEC 62056-47 6"
	clauseGateway     = "IEC 62056-5-3 Annex (gateway)"
	clauseACSE        = "Green Book 9.4.2"
	clauseInitiate    = "Green Book 9.4.5"
	clauseCipher      = "Green Book 9.2.7.2"
	clauseData        = "Green Book 9.5 (Data)"
	clauseDescriptor  = "Green Book 9.5 (COSEM descriptors)"
)

var clauses = map[apdu.Tag]string{
	apdu.TagInitiateRequest:       clauseInitiate,
	apdu.TagInitiateResponse:      clauseInitiate,
	apdu.TagConfirmedServiceError: "Green Book 9.5",
	apdu.TagGetRequest:            "Green Book 9.3.6",
	apdu.TagGetResponse:           "Green Book 9.3.6",
	apdu.TagSetRequest:            "Green Book 9.3.7",
	apdu.TagSetResponse:           "Green Book 9.3.7",
	apdu.TagActionRequest:         "Green Book 9.3.8",
	apdu.TagActionResponse:        "Green Book 9.3.8",
	apdu.TagAccessRequest:         "Green Book 9.3.9",
	apdu.TagAccessResponse:        "Green Book 9.3.9",
	apdu.TagDataNotification:      "Green Book 9.3.10",
	apdu.TagEventNotification:     "Green Book 9.3.11",
	apdu.TagReadRequest:           "Green Book 9.3.14",
	apdu.TagReadResponse:          "Green Book 9.3.14",
	apdu.TagWriteRequest:          "Green Book 9.3.15",
	apdu.TagWriteResponse:         "Green Book 9.3.15",
	apdu.TagUnconfirmedWrite:      "Green Book 9.3.16",
	apdu.TagInformationReport:     "Green Book 9.3.17",
	apdu.TagException:             "Green Book 9.4.1",
	apdu.TagGeneralBlockTransfer:  "Green Book 9.4.6.13",
	apdu.TagGatewayRequest:        clauseGateway,
	apdu.TagGatewayResponse:       clauseGateway,
}

func clauseOf(t apdu.Tag) string {
	if c, ok := clauses[t]; ok {
		return c
	}
	if t.IsCiphered() {
		return clauseCipher
	}
	return "Green Book 9.5"
}
