// Package bench measures the DLMS server and client over loopback TCP, beside
// what they are compared with in the same run: a bare TCP echo of messages of
// the same size, and where SMETS1_INTEROP_PYTHON names a Python that has it,
// the server of gurux-dlms. It has benchmarks only; make bench runs them.
//
// Figures of one machine mean little. The ratios are what to read:
//
//	x-echo        GETs in the time of one echo: 1 is as fast as the echo
//	µs-over-echo  processor time of both ends for a GET, less that for an echo
//	B/meter       live heap of an idle meter, its keys and counters included
//	B/assoc       live heap that an open association adds
//
// The load comes from a client that does no more than it must: it seals a
// ready request, and reads a whole reply.
package bench
