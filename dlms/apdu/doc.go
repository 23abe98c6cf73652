// Package apdu encodes and decodes the application PDUs of DLMS (xDLMS,
// IEC 62056-5-3, published; layouts compared with independent implementations).
//
// The first byte is the [Tag]; for GET, SET and ACTION the second one picks the
// form, and both together are the [Kind]. The layouts, where iip is the
// invoke-id-and-priority, desc a cosem.Attribute or cosem.Method, sel? the
// selective access (00, or 01 selector data) and DAR a cosem.Result:
//
//	C0 get-request       01 iip desc sel? · 02 iip block(4) · 03 iip n×(desc sel?)
//	C1 set-request       01 iip desc sel? data · 02 iip desc sel? last block(4) len raw · 03 iip last block(4) len raw
//	                     04 iip n×(desc sel?) n×data · 05 iip n×(desc sel?) last block(4) len raw
//	C2 event-notification  00 | 01 0C date-time(12), desc data
//	C3 action-request    01 iip desc (00 | 01 data) · 02 iip block(4) · 03 iip n×desc n×data
//	                     04 iip desc last block(4) len raw · 05 iip n×desc last block(4) len raw · 06 iip last block(4) len raw
//	C4 get-response      01 iip (00 data | 01 DAR) · 02 iip last block(4) (00 len raw | 01 DAR) · 03 iip n×(00 data | 01 DAR)
//	C5 set-response      01 iip DAR · 02 iip block(4) · 03 iip DAR block(4) · 04 iip n×DAR block(4) · 05 iip n×DAR
//	C7 action-response   01 iip result (00 | 01 (00 data | 01 DAR)) · 02 iip last block(4) len raw
//	                     03 iip n×(result (00 | 01 …)) · 04 iip block(4)
//	D8 exception         state service [counter(4)]
//	D9 access-request    long-iip(4) date-time n×spec n×data
//	DA access-response   long-iip(4) date-time (00 | 01 n×spec) n×data n×(kind result)
//	0F data-notification long-iip(4) date-time data
//	01 initiate-request · 08 initiate-response · 0E confirmed-service-error · E0 general-block-transfer
//	05 06 0C 0D 16 18    the services with short names
//	E6 E7                the gateway prefix, before any of these
//
// The ciphered forms (glo-, ded- and general-) are handled as containers: the
// header is read and written here, the content is the business of dlms/security.
//
// Each APDU is a struct with AppendBinary and a Parse function, which returns
// how many bytes it took and whose slices alias the input. Encoded Data stays
// raw, and lists are walked when someone asks. Parsing allocates nothing
// except for an error. [Parse] reads any of them, for tools.
package apdu
