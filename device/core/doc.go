// Package core is what every device of a home has in common: who it is, its
// keys, its clock, its firmware banks, its log, its power, and what of all this
// must outlive a loss of power. The hub, the meters and the display build on it.
//
// A [Unit] is driven from outside: it takes a time with each call and owns no
// goroutine, timer or clock. What falls due by itself (a verification that ends, a
// restart that is over) is settled when the unit is next looked at; [Unit.Deadline]
// says when that matters to somebody else.
//
// # What is durable
//
// A unit starts from its [Birth], which follows from the seed of the fleet, and
// writes down only what has become different. The record goes to an [NV] before the
// reply that acknowledges it leaves: see [Unit.Flush]. A record holds keys; store
// it as such. Its form is
//
//	0  4  magic "S1NV"
//	4  1  format 1
//	      sections until the end, each
//	   1  section number
//	   4  length of its body, big endian
//	      body
//
// A section that this program does not know is an error: it comes from a newer
// program, and dropping it would lose something that was acknowledged.
//
// The package may change.
package core
