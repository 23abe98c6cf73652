// Package client is a DLMS/COSEM client: it associates with a server and reads, writes and calls what the server has.
//
// # Links
//
// A [Link] carries one APDU to a server and its answer back. Links are made on a line that this package drives:
//
//	[NewWrapper]  the wrapper over TCP or any other byte stream
//	[NewUDP]      the wrapper over a connected UDP socket
//	[NewHDLC]     HDLC over a serial port or any other byte stream
//	[Behind]      a link through a link: the DLMS gateway prefix, for a meter behind a hub
//
// One line can have links for several pairs of addresses; exchanges on it take turns. A line that missed an answer never
// gives it to a later request: a wrapper line closes, to be opened anew; an HDLC line connects anew, which restarts its
// sequence numbers.
//
// # Associations
//
// [Associate] opens an association as [Config] says (no security, password, HLS 2 to 7; ciphered or not) and returns a
// [Client]. Its methods do block transfer, lists and general block transfer by themselves, cipher and sign. Every request is answered by
// its own answer: the invoke-id is checked, late answers are dropped, and after a timeout the association is at an end,
// because nobody can say whether the server acted.
//
// Randomness (challenges, dedicated keys), invocation counters and time come from the caller.
//
// # Errors
//
//	*AccessError       the server answered with a data-access-result
//	*ActionError       the server answered with an action-result
//	*AssociationError  the association was refused, with the likely cause
//	*ExceptionError    an exception response, which may carry the counter that the server expects
//	*ServiceError      a confirmed service error
//	ErrLost            in what is returned by every call after the association came to an end
//
// Timeouts satisfy errors.Is(err, os.ErrDeadlineExceeded).
package client
