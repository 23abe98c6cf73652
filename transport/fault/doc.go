// Package fault makes lines and radios misbehave on purpose, and the same way each time.
//
// A [Plan] says what goes wrong; it is a YAML file:
//
//	seed: 7
//	faults:
//	  - {kind: flip, rate: 0.01}                        # one bit in one of a hundred bytes, both ways
//	  - {kind: lose, direction: in, rate: 0.001, from: 500}
//	  - {kind: delay, rate: 0.0005, for: 800ms}
//	  - {kind: unplug, direction: out, at: [4096], for: 3s}
//
//	lose      the byte does not arrive
//	flip      the bits of xor change; one bit that the seed chooses if xor is not given
//	insert    another byte comes before it: value, or one that the seed chooses
//	repeat    it arrives twice
//	delay     it, and what follows it, comes later by for (default 500 ms)
//	split     what follows it comes as a piece of its own, later by for (default 20 ms)
//	merge     it and what comes in the next for (default 50 ms) arrive at once
//	baud      it and those after it, count (default 16) together, are sent at the speed of mode: see Garble
//	break     the line is held down for count bytes (default 8): they are lost, and one 00 arrives
//	half-open nothing passes either way any more, without an error; for ever, or for as long as for says
//	unplug    the device is gone: every call fails; it can be opened again after for (default never)
//
// Whether a fault strikes depends on the seed, the fault, the direction and how many bytes have passed that way, and on
// nothing else: not on the clock, nor on how bytes were put together into reads and writes. So a plan and a seed reproduce
// a run exactly as long as the ends say the same. out is what the decorated end sends, in what it receives.
//
// [Line] decorates ports and streams, [Radio] radios, [Frames] whatever else has frames (there a byte is a frame). What struck
// is in Fired: faults with their places, which make a plan without chance, and [Shrink] finds the smallest part of
// it that still makes a test fail.
//
// [Cable] is a serial cable in memory with what a pty does not model: both ends' speed and format, parity and the time that
// characters take. [PTYCable] does what of that can be done on a pty.
package fault
