// Package hdlc is the data link layer of DLMS/COSEM on serial lines (IEC 62056-46, frame format type 3; published where
// not marked otherwise). It does no I/O and reads no clock: machines take bytes and a time, and give bytes, events and the
// next deadline.
//
// # Frame
//
//	7E format(2) destination source control HCS(2) information FCS(2) 7E
//
//	format   1010 S LLLLLLLLLLL   S: more frames of this APDU follow; L: bytes from format to FCS inclusive
//	address  seven bits a byte, bit 0 set in the last; client 1 byte, server 1, 2 or 4 bytes (see Address)
//	control  I RRRPSSS0  RR RRRP0001  RNR RRRP0101  REJ RRRP1001
//	         SNRM 93  UA 73  DISC 53  DM 1F  FRMR 97  UI 13      P/F is bit 10, set in these
//	HCS FCS  CRC-16/X-25, low byte first; HCS over format to control, FCS over format to information.
//	         Without information there is no HCS.
//
// There is no byte stuffing: the length field, not the next 7E, ends a frame. Two frames may share one flag.
// [Decoder] finds frames in a byte stream, whatever lies between them.
//
// # Link
//
// A client opens the link with SNRM and negotiates with UA; both then number their I-frames modulo 8, keep up to a window
// of them unacknowledged, and repeat what got lost. The first I-frame of an APDU starts with the LLC bytes E6 E6 00
// (client) or E6 E7 00 (server); APDUs longer than the negotiated information field are cut into frames with S set.
//
//	client                                 server
//	SNRM [05 06 07 08 parameters]   ──▶
//	                                ◀──    UA [05 06 07 08 parameters], or DM: refused
//	I S=1 N(S)=0 P ─ first segment  ──▶
//	                                ◀──    RR N(R)=1 F
//	I N(S)=1 N(R)=0 P ─ last        ──▶    (request complete)
//	                                ◀──    I S=1 N(S)=0 N(R)=2 F ─ first segment of the reply
//	RR N(R)=1 P                     ──▶
//	                                ◀──    I N(S)=1 F ─ last
//	DISC                            ──▶
//	                                ◀──    UA
//
// [ServerLink] is the server's end of one line: several clients and several logical devices at once, one connection for
// each pair of addresses. [ClientLink] is a client's end of one such connection. A request lost or repeated on the way is
// executed once: the server answers a repeated I-frame with its last answer again.
package hdlc
