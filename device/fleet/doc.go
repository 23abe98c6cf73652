// Package fleet runs many homes. A [Manifest] and its seed say which; every home, its
// identities, keys, serials, load and faults follow from them, so the same manifest
// gives the same homes on every machine.
//
//	client ─ TCP 127.83.x.y:4059 ─┐                       ┌─ esme
//	client ─ pty (HDLC 8N1) ──────┼─▶ conn ─▶ home (lock) ─▶ hub ─ HAN ─┤
//	client ─ Dial (in memory) ────┘             ▲         └─ gsme
//	                                shard: heap of deadlines, one goroutine
//
// A home is a hub and its devices, moved together under one lock. It owns no
// goroutine and no timer: what comes over a connection moves it, and so does its
// shard when something falls due. A home that nobody has asked for does not exist yet;
// it is made from the seed, and from what the NV has of it, when it is first wanted.
// Only a connection in use has a goroutine, and one listener serves every address: on
// Linux each address of 127.0.0.0/8 is local, and the address that a client called
// says which home it wants.
//
// # Locks
//
// home.mu, then shard.mu or conn.mu, then Fleet.running. A home is made under shard.mu, before anybody has it.
//
// The package may change.
package fleet
