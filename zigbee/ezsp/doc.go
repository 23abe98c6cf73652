// Package ezsp is the EmberZNet Serial Protocol, version 13, by which a host has a Silicon Labs network co-processor form a
// ZigBee network and send and receive on it (Silicon Labs UG100, published; fields of version 13 checked against
// zigbee-herdsman, see docs/provenance.md). Package ash carries its frames.
//
//	frame      sequence(1) · control(2) · command(2) · parameters      all numbers low octet first
//	control    bit 7 response · bits 3-4 callback (10: asynchronous) · bit 2 more callbacks · bit 1 truncated · bit 0 overflow
//	           bits 8-9 format of the frame, 1
//	version    a host begins with the old format: sequence(1) · control(1) · 00 · version wanted(1); answer: version · stack
//	           type · stack version(2). If the versions differ the host asks again, in the new format
//
// Answers begin with a [Status] of one octet, those of the key commands with four ([KeyStatus]). A frame with the command
// [InvalidCommand] answers what the co-processor does not do.
//
// [Frame] is the envelope. Parameters that are more than a number are types, written by [Append] and read by [Parse]. No
// I/O. What a co-processor does with them is in package zigbee/node/ncp.
package ezsp
