// Package trace records what passes on a line as text that people can read, compare and change, and plays it back as if
// the other end were there.
//
//	# hub: AS300P fw 1.2.3  recorded 2026-11-24T10:00:00Z      a comment or note
//	= 300 7E1                                                  the mode that the line starts with
//	0.000 > 2f 3f 21 0d 0a                       | "/?!.."     sent by the end that recorded
//	0.412 < 2f 58 58 58 35 0d 0a                 | "/XXX5.."   received by it
//	0.430 = 9600 8N1                                           the mode was changed
//	1.002 < 7e a0 1e ?? ?? 93                                  ?? stands for any byte
//	9.100 ! unplug                                             or: ! break
//
// Times are seconds since the recording began. What follows | is for the reader. Bytes that go the same way with no pause
// between them are one event, however they came.
//
// [Recorder] writes a trace of ports and streams, and of frames of a radio. [Replay] is the other end, from a trace: it
// takes exactly what the trace says was sent, in its order, and answers what the trace says was received. The first
// difference ends it with a [MismatchError] that names the line and both values, and so does what is left over at the end.
// [Trace.Capture] makes a pcapng file of a trace.
//
// A session whose client draws its challenges from a fixed source and counts from a fixed number repeats byte for byte;
// where that cannot be had, ?? masks the challenge, the counters, what is computed from them, and the frame's check.
//
// The format is ours.
package trace
