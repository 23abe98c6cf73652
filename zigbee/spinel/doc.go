// Package spinel is the protocol between a host and an OpenThread radio co-processor (RCP), as far as raw IEEE 802.15.4
// frames need it: the HDLC-lite framing of the serial line, the frames, the packed data types, the properties of the
// radio and its raw stream. With it our own stack runs on a radio dongle, and other stacks run on our air.
//
//	line     7E frame FCS(2) 7E      7E, 7D, 11, 13 and F8 within are sent as 7D, octet xor 20; FCS is CRC-16/X.25, low octet first
//	frame    header(1): 6-7 = 10, 4-5 interface, 0-3 transaction (0: none); command(packed) payload
//	property property(packed) value  payload of the get, set, is, insert and remove commands
//	packed   seven bits an octet, lowest first, bit 7: another octet follows
//
// Numbers travel low octet first, but EUI-64s in their written order. A property is answered with an "is" under the same
// transaction; what the RCP says by itself has transaction 0.
//
// [Decoder] takes the line's octets as they come and gives whole frames; [AppendHDLC] makes them. Nothing allocates once
// its buffers have grown.
//
// Source: the Spinel draft (draft-rquattle-spinel-unified) and OpenThread's radio co-processor (published); what the
// raw stream carries is recalled and compared with our own bytes only: neither a host stack nor a dongle has been tried.
package spinel
