// Package ash is the ASH protocol, by which a host and a Silicon Labs network co-processor exchange frames over a UART: it
// keeps them whole and in order (Silicon Labs UG101, "UART Gateway Protocol Reference", published).
//
//	frame     control · data · CRC (2, high octet first) · 7E
//	CRC       CCITT, polynomial 1021, begins with FFFF, over control and data
//	stuffing  7E 7D 11 13 18 1A become 7D and the octet with bit 5 turned; 1A alone drops what came of a frame, 18 the whole frame
//
//	DATA      0 frmNum(3) reTx(1) ackNum(3)      data: 3 to 128 octets, exclusive-ored with a fixed pseudo-random sequence
//	ACK       100 0 nRdy(1) ackNum(3)
//	NAK       101 0 nRdy(1) ackNum(3)            what ackNum asks for again
//	RST       C0                                 the host resets the co-processor
//	RSTACK    C1 version reason                  the co-processor has been reset
//	ERROR     C2 version code                    the co-processor has given up, and wants a reset
//
// [Frame] and [Decoder] are the format. [Link] is one end of the link, a machine that takes octets and a time and gives
// octets, payloads and the next deadline; it does no I/O. A host calls Reset first and has a link when the RSTACK has come.
package ash
