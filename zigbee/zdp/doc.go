// Package zdp is the ZigBee device profile: how devices of a network find, describe, bind and manage one another. It is
// profile 0000 on endpoint 0; the APS cluster is the command, a response's cluster is that of its request with bit 15 set.
//
//	sequence(1) fields
//	sequence(1) status(1) fields      responses; after a failure most fields are missing
//
// [Append] writes and [Parse] reads such a payload; each command is a struct that knows its cluster. All numbers travel low
// octet first.
//
// Source: ZigBee specification 05-3474, clause 2.4 (published).
package zdp
