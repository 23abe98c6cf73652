// Package security is the cryptography of ZigBee and of Smart Energy: the AES-MMO hash and its HMAC, CCM*, key
// derivation, install codes, frame counters, and certificate-based key establishment (CBKE) on the binary curves
// sect163k1 and sect283k1 with their certificates and signatures. It does no I/O, owns no goroutine and reads no clock;
// what needs randomness takes an io.Reader.
//
// # Secured frames
//
// NWK and APS frames are secured alike (ZigBee specification, clauses 4.3 and 4.4; published):
//
//	header  aux: control(1) counter(4) [source(8)] [keySequence(1)]  ciphertext  MIC(4)
//
//	nonce(13)      source(8, air order) counter(4) control(1, level 5)
//	authenticated  header || aux (level 5)
//	on the air     the level bits of control are zero
//
// [SealFrame] and [OpenFrame] do this for both layers without allocating; [Aux] is the auxiliary header.
//
// # Keys
//
//	link key K        install code: AES-MMO(code || crc), later CBKE: AES-MMO(Z || 00000002)
//	key-transport key HMAC-MMO(K, 00)   key-load key HMAC-MMO(K, 02)   verify hash HMAC-MMO(K, 03)
//
// [Key], [InstallCode] and [PrivateKey] cannot be compared with == and print as "redacted" whatever the verb, also inside
// other structs. Reveal is the way to their octets; Append is for the frames that carry a key.
//
// # Timing
//
// What touches a secret runs in time that depends on lengths and curve only: field and scalar arithmetic, the ladder that
// multiplies points by private keys, ephemeral keys, signature nonces and the ECMQV scalar, and every comparison of keys
// and MACs. AES is crypto/aes, constant time where the processor has AES instructions. Not constant in time, because all
// they see is public: decompression, addition of points, reconstruction of certified keys, signature verification. A
// result at infinity takes another path; with a valid peer that happens once in 2^160 tries. Nothing here guards against
// power or electromagnetic analysis.
//
// # Sources
//
// Published: ZigBee specification 05-3474, Smart Energy profile 07-5356 with annex C, SEC 1, 2 and 4. The traces of annex
// C.5 and C.6, in testdata, are reproduced through the message exchange. Marked "ours": fingerprints, the way counters are
// reserved and the simulator's authority.
package security
