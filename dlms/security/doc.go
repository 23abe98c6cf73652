// Package security is the cryptography of DLMS/COSEM: suites 0, 1 and 2, the ciphered content of protected APDUs,
// key wrapping, key agreement, signatures, high level authentication, invocation counters and security policies.
// It does no I/O, owns no goroutine and reads no clock; secrets that need randomness take an io.Reader.
//
// # Ciphered content
//
// Every glo-, ded-, general-glo-, general-ded- and general-ciphering APDU carries the same content after its own header
// (Green Book, clause 9.2.7; published):
//
//	SC(1) IC(4) payload tag(12)
//
//	SC   bits 0-3 security suite, 10 authenticated, 20 encrypted, 40 broadcast key, 80 compressed
//	IC   invocation counter of the sender, big endian
//	IV   sender's system title(8) || IC(4)
//
//	SC=10  payload is the plaintext, tag over SC || AK || plaintext
//	SC=20  payload is the ciphertext, no tag
//	SC=30  payload is the ciphertext, tag over SC || AK and the ciphertext
//
// where EK is the global unicast, the global broadcast or the dedicated encryption key and AK the authentication key.
// [Cipher] seals and opens such content without allocating; [General] does general-ciphering and general-signing on top.
// The tags and the parsing of the containers belong to package apdu.
//
// # Keys
//
// [Key] and [Secret] cannot be compared with == and print as "redacted" whatever the verb, also inside other structs.
// Reveal is the only way to their bytes.
//
// # Counters
//
// An invocation counter must never repeat under one key. [SendCounter] refuses to run out silently and
// [ReceiveCounter] accepts only strictly increasing values; its error tells the value it would have accepted.
package security
