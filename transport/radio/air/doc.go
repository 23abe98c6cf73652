// Package air is the radio channel of one home, in memory: who hears whom and how well, 250 kbit/s airtime, carrier sense
// with back-off, collisions, acknowledgements and retries, and losses and interference that follow from a seed.
//
//	a := air.New(air.Config{Seed: 1})
//	hub, meter := a.Open(hubNode), a.Open(meterNode)
//	a.Link(hub, meter, -72)
//	for at := a.Deadline(); !at.IsZero(); at = a.Deadline() {
//		a.Advance(at)
//	}
//
// It is event driven: Transmit puts a frame on its way, Advance does what is due and calls the clients, Deadline says when
// something will be. It owns no goroutine and no timer, an air at rest costs nothing, and the same seed and calls give the
// same frames to the nanosecond. An air is used by one goroutine at a time; any number of airs advance in parallel.
//
// # Model
//
// A frame is received by every station on its channel whose receiver was on from its first bit, that did not send at the
// time, and that hears the sender at or above the sensitivity. Of two frames that overlap the stronger survives if it is
// stronger by the capture margin (ours). Propagation takes no time. A station that sends an acknowledgement waits with its
// own frames.
package air
