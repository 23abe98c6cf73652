// Package firmware holds the release image that a simulated meter takes over
// DLMS image transfer (class 18): its format, its signature, the reasons for
// which a device refuses one, and a library of images by digest.
//
// The makers' own formats are not published. This one is ours; it carries what
// the refusals of a real meter need. All numbers are big endian, all texts are
// printable ASCII behind one octet of length:
//
//	0  4   magic            "S1FW"
//	4  1   format           1
//	5  1   device type      1 hub, 2 electricity, 3 gas, 4 display
//	6  2   header length    of all up to the payload
//	8  1+n manufacturer     1 to 30 characters
//	   1+n model            1 to 30 characters
//	   2   hardware from    lowest hardware revision it fits
//	   2   hardware to      highest
//	   1+n version          1 to 8 characters
//	   1+n signer           1 to 32 characters: which key signed
//	   4   payload length
//	   32  payload digest   SHA-256
//	       payload
//	   64  signature        ECDSA P-256 with SHA-256 over all before it, r‖s
//
// An image is named by the SHA-256 of its whole file, the [Digest]; this is
// also the identifier given to the device at image transfer initiate.
package firmware
