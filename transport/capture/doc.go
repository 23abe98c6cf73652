// Package capture writes what passes over lines and connections to a pcapng file that Wireshark opens.
//
// Serial lines are interfaces of link type USER0 (147), one for each line: a packet is one HDLC frame with its flags, or
// whatever else passed (sign-on text, noise), with its direction in the packet's flags. Byte streams that carry the
// wrapper become TCP connections over Ethernet and IPv4 to port 4059, with a handshake and growing sequence numbers, so
// that "follow stream" works; datagrams become UDP to port 4059. The addresses are those of the real connection where it
// has some, else of 192.0.2.0/24.
//
// Radios are interfaces of link type 195 (a packet is an IEEE 802.15.4 frame with its FCS) or 283 (the same behind a header
// with channel, level and quality).
//
// A [Writer] serves any number of taps at once. All of it does nothing on a nil Writer: code that is captured on request
// has no "if". A tap never disturbs the traffic; what goes wrong with the file is told by Close.
//
// The file holds the bytes of the wire as they are, ciphered where they are ciphered, and never a key.
package capture
