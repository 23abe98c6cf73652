// Package optical is how a conversation with a meter's optical port begins (IEC 62056-21; recalled from the published
// standard, except where marked ours): the sign-on at 300 baud with characters of seven bits and even parity, the
// identification, the choice of speed, and then either HDLC (mode E) or a readout as text (modes A to D). It does no I/O
// and reads no clock: machines take bytes and a time, and give actions and the next deadline.
//
// # Messages
//
//	request         / ? [address] ! CR LF
//	identification  / X X X Z [\ W]… text CR LF    XXX maker's FLAG letters, the third in lower case: answers within 20 ms
//	                                               Z speed: 0 300, 1 600, 2 1200, 3 2400, 4 4800, 5 9600, 6 19200
//	                                               (modes C, D, E); A 600 … F 19200 (mode B); else mode A, which stays
//	                                               \2 says that the meter can go on with HDLC (mode E)
//	acknowledgement ACK V Z Y CR LF                V 0 normal, 2 HDLC; Z speed; Y 0 readout, 1 programming, 2 binary
//	readout         STX data ! CR LF ETX BCC       data are lines of address(value*unit)…; BCC is the exclusive or of what
//	                                               follows STX up to ETX. Mode D has neither STX nor ETX.
//
// # Mode E
//
//	client                               meter
//	/?! CR LF                    ──▶
//	                             ◀──     /XXX5\2id CR LF
//	ACK 2 5 2 CR LF              ──▶
//	                             ◀──     ACK 2 5 2 CR LF
//	              (both: 9600 baud, 8N1)
//	SNRM                         ──▶
//
// After DISC, or when nothing came for long, the meter is back at 300 baud and wants a sign-on again.
//
// Some optical heads give back what they are sent; [Client] notices. Some lines below carry characters of eight bits (ptys,
// converters to TCP): [ClientConfig].SoftParity then makes the parity bit here.
//
// [Client] and [Server] are the two ends. [ParseReadout] reads what a readout says. Package signon runs the ends on a line.
package optical
