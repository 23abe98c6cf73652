// Package mac is the frame format of IEEE 802.15.4 as far as ZigBee uses it on 2.4 GHz: data, acknowledgement, beacon and
// command frames of version 0 and 1 with their FCS, never secured at this layer. All numbers travel low octet first.
//
//	FCF(2) sequence(1) [dstPAN(2) dst(2|8)] [srcPAN(2)] [src(2|8)] payload FCS(2)
//
//	FCF  0-2 type (0 beacon, 1 data, 2 ack, 3 command), 3 security, 4 frame pending, 5 ack request,
//	     6 PAN compression (srcPAN left out), 10-11 and 14-15 addressing of dst and src (0 none, 2 short, 3 EUI-64),
//	     12-13 version
//	FCS  CRC-16/KERMIT over all before it
//
// A PSDU has at most 127 octets. [ParseFrame] and [Frame.AppendBinary] take and give whole PSDUs with FCS and allocate
// nothing; payloads alias the input. Commands are read with [ParseCommand], beacons with [ParseBeacon].
//
// Source: IEEE 802.15.4-2006, clause 7.2 (published); ZigBee beacon payload: ZigBee specification 05-3474, clause 3.6.7
// (published).
package mac
