// Package server is the far side of a DLMS/COSEM conversation: logical devices that hold COSEM objects and answer
// xDLMS services with logical name referencing, as IEC 62056-5-3 and IEC 62056-6-2 describe them.
//
// # Parts
//
//   - A [Model] is what a type of meter is: its objects, attributes, methods, access rights and associations, by
//     declaration. It is immutable and shared by every device of the type.
//   - A [Device] is one logical device: a Model, the state its getters and setters work on, and a [Security] that knows its
//     keys and counters. An idle device holds nothing else; associations are allocated when an AARQ is accepted and
//     dropped at release or disconnection.
//   - [Device.Serve] takes one APDU and a time and gives the reply. There is no socket, goroutine, timer or clock here.
//   - [Stream], [Datagrams] and [Line] carry APDUs for a [Host] (one physical device with its logical devices) over the
//     TCP/UDP wrapper (IEC 62056-47) and HDLC (IEC 62056-46): bytes in, bytes out. They take off the gateway
//     prefix (0xE6) and hand such requests to the host's [Forwarder], whose reply may come later.
//   - Objects of the common classes are declared by functions ([Register], [Clock], [Profile], [PushSetup], [Account]
//     and so on), those that only keep their attributes by [Plain]; any other class by an [Object] of its own.
//
// Package edge, below this one, has sockets and serial lines.
//
// # What a request meets
//
//	bytes → adaptor → gateway prefix? ─▶ Forwarder
//	                → general block transfer → deciphering, counters → policy of the association
//	                → service (get, set, action, access) → rights of the attribute → getter, setter, method
//	                → reply protected as the request was → blocks
//
// Errors never end the conversation: every malformed request has an answer of the protocol (or silence, where the
// protocol asks for it) and leaves the association as it was. The answers are those of the table "ours" in the
// project's reference; where a real meter differs, the difference is a [Quirks] of the association.
//
// # Concurrency
//
// A Device, and the adaptors of one Host, are used by one goroutine at a time. A fleet gives each home to one shard.
// A Model may be shared by any number of goroutines.
package server
