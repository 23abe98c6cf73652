// Package han is the home area network on the air: it carries what the hub sends to its meters through ZigBee tunnels, in
// secured IEEE 802.15.4 frames, and has the meters and the display do what they do there by themselves.
//
//	hub.Hub ─ wrapper units ─▶ Radio ─┬ hub    coordinator, trust centre, ESI ─┐
//	                                  │   tunnel per meter, mirror, time        │ air
//	                                  ├ ESME   router, metering, tunnel ────────┤
//	                                  ├ GSME   sleepy, mirrored on the hub ─────┤
//	                                  └ IHD    reads both ──────────────────────┘
//
// [Radio] stands where [hub.Memory] stands: the hub cannot tell them apart. Electricity reaches the display every 10 s,
// read from the meter under an application link key; gas every 30 min, when the gas meter wakes and reports to its mirror,
// which the display reads.
//
// A gas meter that slept for half an hour at a stretch could not be reached by the head end in the 20 s that a hub waits.
// Ours asks its parent for frames every 6 s instead, which costs it two short frames, and every 250 ms while a tunnel is in
// use: that it can be woken so is ours.
//
// Everything that would be on the air is on it, as long as time runs, however fast. What a clock leaves out that is set
// ahead by more than an hour the air leaves out too: the nodes go on from their saved state, as after a power cut.
//
// A home begins as if its devices had joined long ago ([New]), with keys from its seed; [Radio.Rejoin] has a device join
// anew, with install code, certificate and all. Everything follows from the seed and the calls, byte for byte. The package
// may change.
package han
