package apdu

import "fmt"

// Tag is the first byte of an APDU (IEC 62056-5-3, published).
type Tag uint8

// The tags of the xDLMS APDUs and of the gateway prefixes.
const (
	TagInitiateRequest       Tag = 0x01
	TagReadRequest           Tag = 0x05
	TagWriteRequest          Tag = 0x06
	TagInitiateResponse      Tag = 0x08
	TagReadResponse          Tag = 0x0C
	TagWriteResponse         Tag = 0x0D
	TagConfirmedServiceError Tag = 0x0E
	TagDataNotification      Tag = 0x0F
	TagUnconfirmedWrite      Tag = 0x16
	TagInformationReport     Tag = 0x18

	TagGloInitiateRequest       Tag = 0x21
	TagGloReadRequest           Tag = 0x25
	TagGloWriteRequest          Tag = 0x26
	TagGloInitiateResponse      Tag = 0x28
	TagGloReadResponse          Tag = 0x2C
	TagGloWriteResponse         Tag = 0x2D
	TagGloConfirmedServiceError Tag = 0x2E
	TagGloUnconfirmedWrite      Tag = 0x36
	TagGloInformationReport     Tag = 0x38

	TagDedInitiateRequest       Tag = 0x41
	TagDedReadRequest           Tag = 0x45
	TagDedWriteRequest          Tag = 0x46
	TagDedInitiateResponse      Tag = 0x48
	TagDedReadResponse          Tag = 0x4C
	TagDedWriteResponse         Tag = 0x4D
	TagDedConfirmedServiceError Tag = 0x4E
	TagDedUnconfirmedWrite      Tag = 0x56
	TagDedInformationReport     Tag = 0x58

	TagGetRequest        Tag = 0xC0
	TagSetRequest        Tag = 0xC1
	TagEventNotification Tag = 0xC2
	TagActionRequest     Tag = 0xC3
	TagGetResponse       Tag = 0xC4
	TagSetResponse       Tag = 0xC5
	TagActionResponse    Tag = 0xC7

	TagGloGetRequest        Tag = 0xC8
	TagGloSetRequest        Tag = 0xC9
	TagGloEventNotification Tag = 0xCA
	TagGloActionRequest     Tag = 0xCB
	TagGloGetResponse       Tag = 0xCC
	TagGloSetResponse       Tag = 0xCD
	TagGloActionResponse    Tag = 0xCF

	TagDedGetRequest        Tag = 0xD0
	TagDedSetRequest        Tag = 0xD1
	TagDedEventNotification Tag = 0xD2
	TagDedActionRequest     Tag = 0xD3
	TagDedGetResponse       Tag = 0xD4
	TagDedSetResponse       Tag = 0xD5
	TagDedActionResponse    Tag = 0xD7

	TagException            Tag = 0xD8
	TagAccessRequest        Tag = 0xD9
	TagAccessResponse       Tag = 0xDA
	TagGeneralGlo           Tag = 0xDB
	TagGeneralDed           Tag = 0xDC
	TagGeneralCiphering     Tag = 0xDD
	TagGeneralSigning       Tag = 0xDF
	TagGeneralBlockTransfer Tag = 0xE0
	TagGatewayRequest       Tag = 0xE6
	TagGatewayResponse      Tag = 0xE7
)

// plainNames are the APDUs that also have a glo- and a ded- form of their own,
// with the tags of those.
var plainNames = map[Tag]struct {
	name     string
	glo, ded Tag
}{
	TagInitiateRequest:       {"initiate-request", TagGloInitiateRequest, TagDedInitiateRequest},
	TagReadRequest:           {"read-request", TagGloReadRequest, TagDedReadRequest},
	TagWriteRequest:          {"write-request", TagGloWriteRequest, TagDedWriteRequest},
	TagInitiateResponse:      {"initiate-response", TagGloInitiateResponse, TagDedInitiateResponse},
	TagReadResponse:          {"read-response", TagGloReadResponse, TagDedReadResponse},
	TagWriteResponse:         {"write-response", TagGloWriteResponse, TagDedWriteResponse},
	TagConfirmedServiceError: {"confirmed-service-error", TagGloConfirmedServiceError, TagDedConfirmedServiceError},
	TagUnconfirmedWrite:      {"unconfirmed-write-request", TagGloUnconfirmedWrite, TagDedUnconfirmedWrite},
	TagInformationReport:     {"information-report-request", TagGloInformationReport, TagDedInformationReport},
	TagGetRequest:            {"get-request", TagGloGetRequest, TagDedGetRequest},
	TagSetRequest:            {"set-request", TagGloSetRequest, TagDedSetRequest},
	TagEventNotification:     {"event-notification-request", TagGloEventNotification, TagDedEventNotification},
	TagActionRequest:         {"action-request", TagGloActionRequest, TagDedActionRequest},
	TagGetResponse:           {"get-response", TagGloGetResponse, TagDedGetResponse},
	TagSetResponse:           {"set-response", TagGloSetResponse, TagDedSetResponse},
	TagActionResponse:        {"action-response", TagGloActionResponse, TagDedActionResponse},
}

// tagInfo is what a tag byte means.
type tagInfo struct {
	name     string
	plain    Tag // of a glo- or ded- form
	glo, ded Tag // of a plain form
}

// tagTable answers for every tag byte without hashing, as it is asked for each APDU.
var tagTable = func() (table [256]tagInfo) {
	for t, p := range plainNames {
		table[t] = tagInfo{name: p.name, glo: p.glo, ded: p.ded}
		table[p.glo] = tagInfo{name: "glo-" + p.name, plain: t}
		table[p.ded] = tagInfo{name: "ded-" + p.name, plain: t}
	}
	for t, name := range map[Tag]string{
		TagDataNotification:     "data-notification",
		TagException:            "exception-response",
		TagAccessRequest:        "access-request",
		TagAccessResponse:       "access-response",
		TagGeneralGlo:           "general-glo-ciphering",
		TagGeneralDed:           "general-ded-ciphering",
		TagGeneralCiphering:     "general-ciphering",
		TagGeneralSigning:       "general-signing",
		TagGeneralBlockTransfer: "general-block-transfer",
		TagGatewayRequest:       "gateway-request",
		TagGatewayResponse:      "gateway-response",
	} {
		table[t] = tagInfo{name: name}
	}
	return table
}()

// String gives the name in the standard, such as "glo-get-request".
func (t Tag) String() string {
	if name := tagTable[t].name; name != "" {
		return name
	}
	return fmt.Sprintf("tag %02X", uint8(t))
}

// Valid reports whether t is one of the tags of this package.
func (t Tag) Valid() bool { return tagTable[t].name != "" }

// Glo gives the tag of the same APDU ciphered under the global key. Not every
// APDU has one: access and the notifications travel in general-glo.
func (t Tag) Glo() (Tag, bool) { g := tagTable[t].glo; return g, g != 0 }

// Ded gives the tag of the same APDU ciphered under the dedicated key.
func (t Tag) Ded() (Tag, bool) { d := tagTable[t].ded; return d, d != 0 }

// Plain gives the tag of the APDU inside a glo- or ded- APDU.
func (t Tag) Plain() (Tag, bool) { p := tagTable[t].plain; return p, p != 0 }

// IsGlo reports whether t is a service-specific glo- tag.
func (t Tag) IsGlo() bool { p := tagTable[t].plain; return p != 0 && tagTable[p].glo == t }

// IsDed reports whether t is a service-specific ded- tag.
func (t Tag) IsDed() bool { p := tagTable[t].plain; return p != 0 && tagTable[p].ded == t }

// IsCiphered reports whether t is any ciphered form: glo-, ded-, general-glo,
// general-ded, general-ciphering or general-signing.
func (t Tag) IsCiphered() bool {
	switch t {
	case TagGeneralGlo, TagGeneralDed, TagGeneralCiphering, TagGeneralSigning:
		return true
	}
	return tagTable[t].plain != 0
}

// Kind tells the forms of the APDUs apart: the tag in the high byte, and in
// the low one the form of a GET, SET or ACTION, 0 for all other APDUs.
type Kind uint16

// The kinds of GET, SET and ACTION. The kind of another APDU is its tag's Kind.
const (
	KindGetRequestNormal            Kind = 0xC001
	KindGetRequestNext              Kind = 0xC002
	KindGetRequestList              Kind = 0xC003
	KindSetRequestNormal            Kind = 0xC101
	KindSetRequestFirstBlock        Kind = 0xC102
	KindSetRequestBlock             Kind = 0xC103
	KindSetRequestList              Kind = 0xC104
	KindSetRequestListFirstBlock    Kind = 0xC105
	KindActionRequestNormal         Kind = 0xC301
	KindActionRequestNextBlock      Kind = 0xC302
	KindActionRequestList           Kind = 0xC303
	KindActionRequestFirstBlock     Kind = 0xC304
	KindActionRequestListFirstBlock Kind = 0xC305
	KindActionRequestBlock          Kind = 0xC306
	KindGetResponseNormal           Kind = 0xC401
	KindGetResponseBlock            Kind = 0xC402
	KindGetResponseList             Kind = 0xC403
	KindSetResponseNormal           Kind = 0xC501
	KindSetResponseBlock            Kind = 0xC502
	KindSetResponseLastBlock        Kind = 0xC503
	KindSetResponseLastBlockList    Kind = 0xC504
	KindSetResponseList             Kind = 0xC505
	KindActionResponseNormal        Kind = 0xC701
	KindActionResponseBlock         Kind = 0xC702
	KindActionResponseList          Kind = 0xC703
	KindActionResponseNextBlock     Kind = 0xC704
)

var kindForms = map[Kind]string{
	KindGetRequestNormal: "normal", KindGetRequestNext: "next", KindGetRequestList: "with-list",
	KindSetRequestNormal: "normal", KindSetRequestFirstBlock: "with-first-datablock",
	KindSetRequestBlock: "with-datablock", KindSetRequestList: "with-list",
	KindSetRequestListFirstBlock: "with-list-and-first-datablock",
	KindActionRequestNormal:      "normal", KindActionRequestNextBlock: "next-pblock",
	KindActionRequestList: "with-list", KindActionRequestFirstBlock: "with-first-pblock",
	KindActionRequestListFirstBlock: "with-list-and-first-pblock", KindActionRequestBlock: "with-pblock",
	KindGetResponseNormal: "normal", KindGetResponseBlock: "with-datablock", KindGetResponseList: "with-list",
	KindSetResponseNormal: "normal", KindSetResponseBlock: "datablock", KindSetResponseLastBlock: "last-datablock",
	KindSetResponseLastBlockList: "last-datablock-with-list", KindSetResponseList: "with-list",
	KindActionResponseNormal: "normal", KindActionResponseBlock: "with-pblock",
	KindActionResponseList: "with-list", KindActionResponseNextBlock: "next-pblock",
}

// Kind is the kind of an APDU that has one form.
func (t Tag) Kind() Kind { return Kind(t) << 8 }

// Tag is the tag of the APDU.
func (k Kind) Tag() Tag { return Tag(k >> 8) }

// String gives the name in the standard, such as "get-response-with-datablock".
func (k Kind) String() string {
	if form, ok := kindForms[k]; ok {
		return k.Tag().String() + "-" + form
	}
	if uint8(k) == 0 {
		return k.Tag().String()
	}
	return fmt.Sprintf("%s form %02X", k.Tag(), uint8(k))
}

// hasForms reports whether the byte after the tag picks a form.
func (t Tag) hasForms() bool {
	switch t {
	case TagGetRequest, TagSetRequest, TagActionRequest, TagGetResponse, TagSetResponse, TagActionResponse:
		return true
	}
	return false
}

// KindOf looks at the first bytes of b. ok is false where b is too short, the
// tag is unknown or the form is: the answer to that is an exception.
func KindOf(b []byte) (k Kind, ok bool) {
	if len(b) == 0 {
		return 0, false
	}
	t := Tag(b[0])
	if !t.hasForms() {
		return t.Kind(), t.Valid()
	}
	if len(b) < 2 {
		return t.Kind(), false
	}
	k = t.Kind() | Kind(b[1])
	return k, b[1] >= 1 && b[1] <= lastForm(t)
}

func lastForm(t Tag) byte {
	switch t {
	case TagGetRequest, TagGetResponse:
		return 3
	case TagSetRequest, TagSetResponse:
		return 5
	case TagActionRequest:
		return 6
	}
	return 4
}
