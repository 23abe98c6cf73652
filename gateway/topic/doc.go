// Package topic is the MQTT contract of the gateway as pure data: topics, commands, results, states,
// events, verbs and codes. It does no I/O, so that the bridge, the migration engine and an
// integrator's own client share one definition. The whole contract is ours.
//
// # Topics
//
// Every topic lies under smets1/v1/<fleet>. An EUI-64 is written 00-DB-12-34-56-78-90-A0, in upper case,
// in topics and payloads alike. <device> is an EUI-64 or one of chf, esme, gsme, ihd.
//
//	bridge/<node>/state              out, will  QoS 1 retained   BridgeState
//	bridge/<node>/info               out        QoS 1 retained   BridgeInfo
//	bridge/<node>/refused            out        QoS 1            Result: a refusal that has no reply topic and no hub
//	bridge/req/<verb>                in         QoS 1            Command for the fleet
//	bridge/many/<verb>               in         QoS 1            Command for many hubs, with a selector; the result is a ManyResult
//	hub/<eui>/state                  out        QoS 1 retained¹  HubState
//	hub/<eui>/device/<device>/state  out        QoS 1 retained¹  DeviceState
//	hub/<eui>/cmd/<verb>             in         QoS 1            Command for one hub and the devices behind it
//	hub/<eui>/evt/<class>            out        QoS 1            Event
//	hub/<eui>/tlm/<device>           out        QoS 0            Telemetry
//	rsp/<client>                     out        QoS 1            Result: one subscription per client
//
// ¹ up to the count in BridgeInfo.RetainedHubs; above it the snapshot verb tells the state in pages.
//
// # Payloads
//
// JSON in UTF-8 with a schema number; times in RFC 3339, UTC. Members that are not known are
// ignored, so a newer sender may add some. A payload is refused, before it is decoded, when it is
// longer or nested deeper than Limits allow.
//
// # Commands
//
// The id is an idempotency key: a command whose id was seen before gets its stored result again,
// marked duplicate, and is never run twice. Statuses accepted and running tell progress and may be
// left out when the work is over sooner; exactly one of done, failed, rejected and indoubt ends a command.
// A command must not be retained: it would run again at each reconnection. After its deadline nothing starts.
// No key material travels here: key versions and fingerprints only.
package topic
