// Package ncp is both sides of a Silicon Labs network co-processor that speaks EZSP version 13 over ASH.
//
// [Server] is a co-processor on any radio, for instance a station of an air in memory: an independent host program forms the
// network through it, admits our devices and reads them. Its stack is package node's. It knows the commands of package ezsp
// and answers INVALID_FRAME_ID to all others. As the stock firmware it has no key establishment: a host that speaks Smart
// Energy does that itself and hands over the key. Messages that are longer than a frame of ASH carries are dropped and
// counted; the firmware would leave their fragments to the host.
//
// [Host] drives a co-processor, a stick on a serial port for one: it asks who it is, forms a network, admits devices with
// their install codes, establishes keys with them (CBKE stays here), sends and receives, and sniffs.
//
// Both do no I/O: octets and times in, octets and the next deadline out. They are used by one goroutine at a time.
//
// Nothing of this was tried with a real stick.
package ncp
