// Package radio is the seam between a ZigBee node and whatever carries its frames: an in-memory air, an air offered to or
// borrowed from another program, or a dongle.
//
//	node ── Transmit, Tune, Address, Pending ─▶ Radio
//	node ◀─ Received, Sent ──────────────────── Radio
//
// The unit is a PSDU of IEEE 802.15.4: header, payload and FCS, 5 to 127 octets. A [Radio] does the part of the MAC that
// cannot wait for software, as the transceivers of real dongles do: carrier sense and back-off, acknowledgements, retries,
// and the address filter. Everything above is the node's. Neither side owns a goroutine; a radio calls its [Client] from
// inside its own Advance or Input, never from inside Transmit.
//
// The method sets use no type of this package, so that a protocol machine can name them without importing it.
//
// Source: IEEE 802.15.4-2006, clauses 6.5, 6.9, 7.5.1 and 7.5.6 (recalled).
package radio
