// Package fleet runs many homes. A [Manifest] and its seed say which; every home, its
// identities, keys, serials, load and faults follow from them, so the same manifest
// gives the same homes on every machine.
//
//	client ─ TCP 127.83.x.y:4059 ─┐                ┌─ esme
//	client ─ pty (HDLC 8N1) ──────┼─▶ conn ─▶ hub ─ HAN ─┤
//	client ─ Dial (in memory) ────┘     ▲          └─ gsme
//	                                  shard: heap of deadlines, one lock, one goroutine
//
// A home is a hub and its devices, moved together. It owns no goroutine and no timer:
// what comes over a connection moves it, and so does its shard when something falls due.
// A home that nobody has asked for does not exist yet; it is made from the seed, and
// from what was written down of it, when it is first wanted. When nobody has talked to it
// for a while it rests: what differs from the seed stays, the rest is forgotten. Homes
// that the manifest calls live exist from the start, do by themselves what such devices
// do, and never rest.
//
// Only a connection in use has a goroutine, and one listener serves every address: on
// Linux each address of 127.0.0.0/8 is local, and the address that a client called
// says which home it wants.
//
// Where each home is to be reached by one port there is a DLMS gateway before them all: a
// request has the gateway prefix E6, network 1 and the EUI-64 of a hub or of a meter
// behind one. A [Snapshot] is a fleet at a time, as far as it differs from its seed.
//
// # Time
//
// Whatever is due is done at the time at which it is due, by the clock of the fleet: the
// machine's, a scaled one, or one that stands still but for [Fleet.Run], which goes
// through a time as fast as the machine can. Homes depend on nothing but their seed, their
// clients and the time, so that each does the same, byte for byte, on any machine and any
// number of processors. A clock that is set ahead by more than an hour leaves out what
// would have happened in between.
//
// # Locks
//
// shard.mu, then trunk.mu, then writer.mu, then Fleet.running. A shard is locked once for what a connection
// brought, or for a batch of homes that are due; its homes share nothing with those of
// other shards. Fleet.turn comes before all. The package may change.
package fleet
