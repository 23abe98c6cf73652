// Package aps is the frame format of the ZigBee application support layer: data frames, acknowledgements, commands that
// carry keys, fragments, and the second, end-to-end layer of security. All numbers travel low octet first.
//
//	data, ack   FCF(1) [dstEndpoint(1) | group(2)] cluster(2) profile(2) srcEndpoint(1) counter(1) [extended] [aux] payload [MIC(4)]
//	ack of a command, command   FCF(1) counter(1) [aux] payload [MIC(4)]
//
//	FCF       0-1 type (0 data, 1 command, 2 ack, 3 inter-PAN), 2-3 delivery (0 unicast, 2 broadcast, 3 group), 4 ack of a command,
//	          5 security, 6 ack request, 7 extended header
//	extended  control(1): 0-1 fragmentation (1 first, 2 later); block(1): in the first fragment how many there are;
//	          in an ack also bitmap(1) of the window's received blocks
//
// A secured frame is built with [Seal], read with [ParseFrame] and opened with [Frame.Open], all without allocating; the
// header, extended header included, is authenticated. Each fragment is secured on its own. The nonce holds the sender's
// EUI-64; where the auxiliary header does not carry it, the receiver sets Aux.Source from the short address before Open.
//
// Source: ZigBee specification 05-3474, clauses 2.2.5 and 4.4.10 (published).
package aps
