// Package session holds the conversation with one hub and the devices behind it.
//
// A [Pool] knows the hubs. [Pool.Acquire] gives one caller at a time the
// [Session] of a hub; between callers its line and associations stay open for a
// while. A session wakes the hub if need be, opens the line, and opens
// associations with the hub and, through its DLMS gateway, with the devices behind:
//
//	Session ── client.Client (HLS 5 GMAC, suite 0) ── [prefix E6, EUI-64] ── wrapper over TCP │ HDLC over a serial line
//
// It does not know whether the hub is real: where the line leads is the address
// alone, and whoever wires the gateway may add ways of opening one.
//
// A line that broke is opened anew and an association that was lost is opened
// anew by [Session.Do], which repeats what it was given to do: give it only what may
// be done twice. Steps that may not are done on [Session.Open]'s fresh
// associations, whose errors leave the decision to the caller.
package session
