// Package bridge connects a broker, by any MQTT 3.1.1 URL, with the queue of commands: the contract of gateway/topic comes
// in and goes out here. It uses one connection of paho.mqtt.golang.
//
// # In
//
//	paho ──▶ intake (never blocks) ──▶ parse, refuse ──▶ job.Submit, many at once ──▶ answer, then PUBACK
//
// A command is acknowledged to the broker only when its intent is on disk or its refusal stands in the outbox, so that what
// dies in between is delivered again. Whatever comes in is answered with a stable code: on its reply topic if that can be
// known, else as event "refused" of its hub if there is such a hub, else on bridge/<node>/refused.
//
// A broker does not tell a live subscriber that a command was retained. Such a command runs once when it is sent; when it comes
// again at the next connection it is marked, refused, and removed from the broker.
//
// # Out
//
// An outbox holds what is to be sent, in order. News of a command that the broker has not yet taken is replaced by
// later news of it, and word of acceptance waits 25 ms for a result that would make it needless. States are told by topic: only the latest is kept. A window of messages is in flight; what is not acknowledged
// when a connection breaks is sent again on the next. Results are counted as delivered when the broker acknowledged them, and
// those that were not are sent again after a restart.
//
// # Sessions
//
// Each connection is a session with a number of its own, one more than the last, kept in the store. Birth and
// will carry it, and each state and event its sequence in the session, so that a consumer can tell a late will and a gap.
//
// Locks: outbox.mu and Bridge.mu are never held together.
package bridge
