// Package node is a ZigBee PRO node as one state machine: MAC, NWK, APS, device profile, cluster library, trust centre and
// Smart Energy's key establishment, for the roles of a home area network.
//
//	application   endpoints and clusters by declaration ([Endpoint], [Cluster], [Spec])
//	ZCL, ZDP      requests, reports, default responses; descriptors, bindings, announcements
//	APS           acknowledgements, duplicates, fragments of window 1, link keys
//	NWK           secured frames, neighbours, routes, rejoin and leave
//	MAC           association, beacons, data requests, the indirect queue
//	radio         any [Radio]: an in-memory air, a dongle
//
// A node takes frames and times and gives frames, calls of its application and the next deadline. It owns no goroutine, no
// timer and no clock: its owner calls [Node.Advance] at [Node.Deadline], and the radio calls [Node.Received] and
// [Node.Sent]. It is used by one goroutine at a time.
//
// # Security
//
// With the policy [SmartEnergy] a cluster that needs a link key is served and asked only under one that key establishment
// made; what arrives without is answered with a default response FAILURE and counted. The policy [Open] is a laboratory
// switch for stacks that know no Smart Energy: it lets a device answer under the network key alone, and on the profile of
// home automation.
//
// Frames are secured when they leave, not when they are made, so that counters grow in the order of the air. Counters are
// reserved in the store in blocks before they are used; after a restart a node goes on above the last block.
//
// # Sleep
//
// A sleepy device asks its parent for frames every [Config].Poll, and every [Config].FastPoll while it expects some. The
// parent keeps a frame for 7.68 s; with a poll interval below that no frame is lost for sleep, which is why the default is
// 6 s (ours).
//
// Source: ZigBee specification 05-3474 (published); Smart Energy 07-5356 (published); what is ours is marked.
package node
