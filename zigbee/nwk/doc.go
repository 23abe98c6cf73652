// Package nwk is the frame format of the ZigBee PRO network layer: header, secured payload and commands. All numbers
// travel low octet first.
//
//	FCF(2) dst(2) src(2) radius(1) sequence(1) [dstEUI(8)] [srcEUI(8)] [multicast(1)]
//	[relayCount(1) relayIndex(1) relays(2n)] [auxiliary header] payload [MIC(4)]
//
//	FCF  0-1 type (0 data, 1 command, 3 inter-PAN), 2-5 version (2), 6-7 discover route, 8 multicast, 9 security,
//	     10 source route, 11 dstEUI, 12 srcEUI, 13 end-device initiator
//
// A secured frame is built with [Seal], read with [ParseFrame] and opened with [Frame.Open], all without allocating.
// Commands are the payload of command frames: [ParseCommand] reads all that ZigBee PRO R23 defines for one network.
//
// Source: ZigBee specification 05-3474, clauses 3.3 and 3.4 (published).
package nwk
