// Package broker is the NATS server inside the daemon: the default MQTT broker, and the JetStream that keeps the
// state (package internal/store).
//
// Two servers run in the process. The first, "bus", has the MQTT listener and the buckets whose writes survive the
// death of the process; it listens on TCP for MQTT only. The second, "vault", listens nowhere and syncs each write; it has
// the buckets of irreversible steps. One server cannot do both, because its sync policy holds for all its streams, the
// broker's own included. Both are reached from here by connections inside the process.
//
// # What is known to be missing or odd
//
// MQTT 3.1.1 only, no MQTT 5. Shared subscriptions ($share/…) are confirmed and deliver nothing. A subscription with QoS 1 to
// more than about 100,000 retained topics at once fails. The first subscriber after a restart may miss retained messages,
// which are loaded lazily: so the bridge sends retained state again at its start. A subscriber that comes at the moment when a retained
// message is sent may get it neither as retained nor live: who must be sure asks for a rebirth or a snapshot. When a client takes over the
// name of another, the other's will is not sent. A space in a topic breaks the connection. Publishing to a forbidden topic is ignored without a
// word. QoS 1 messages may be redelivered out of order. For all these there is the reference in interop, mosquitto 2, with
// set_tcp_nodelay true, without which its round trips at QoS 1 take 87 ms.
package broker
