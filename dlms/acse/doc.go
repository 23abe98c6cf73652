// Package acse encodes and decodes the association control APDUs of DLMS in
// BER (IEC 62056-5-3 with the ACSE of ISO/IEC 15954, published; layouts
// compared with independent implementations).
//
//	60 AARQ  association request     61 AARE  its answer
//	62 RLRQ  release request         63 RLRE  its answer
//
// Elements of the AARQ, in this order, most of them optional:
//
//	80 02 07 80                   protocol-version (version 1, the default)
//	A1 09 06 07 60857405 0801 x   application-context-name: 1 LN, 2 SN, 3 LN ciphered, 4 SN ciphered
//	A2 A3 A4 A5                   called AP-title, AE-qualifier, AP- and AE-invocation-id
//	A6 0A 04 08 <8>               calling-AP-title: the system title of the client
//	A7 L 04 l <…>                 calling-AE-qualifier: the certificate of the client
//	A8 A9 03 02 01 n              calling AP- and AE-invocation-id; the latter is the user id
//	8A 02 07 80                   sender-acse-requirements: authentication
//	8B 07 60857405 0802 m         mechanism-name
//	AC L 80 l <…>                 calling-authentication-value: password or challenge
//	9D l <…>                      implementation-information
//	BE L 04 l <…>                 user-information: an InitiateRequest, plain or ciphered
//
// and of the AARE:
//
//	80 A1                         as above
//	A2 03 02 01 r                 result
//	A3 05 A1 03 02 01 d           result-source-diagnostic; A1 from the service user, A2 from the provider
//	A4 A5 A6 A7                   responding AP-title, AE-qualifier, AP- and AE-invocation-id
//	88 02 07 80 · 89 07 … · AA L 80 l <…> · 9D · BE L 04 l <…>
//
// RLRQ and RLRE have a reason, 80 01 r, and user-information.
//
// Readers are lenient where real peers are wrong: elements in any order,
// unknown ones ignored, lengths of an RLRE that are too short. Writers are not.
package acse
