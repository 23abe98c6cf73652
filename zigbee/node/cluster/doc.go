// Package cluster is the behaviour of the clusters of a home on top of package node: what a meter, a hub and a display do
// with them. Formats are in zigbee/zcl/se; here are tunnels with their queues and timeouts, mirrors of sleeping meters,
// meters that report, firmware that travels block by block.
//
//	hub                             meter
//	TunnelClient ── RequestTunnel ─▶ TunnelServer      DLMS inside
//	MirrorHost ◀── RequestMirror ── Mirrored           a sleeping gas meter
//	OTAServer ◀── QueryNextImage ── OTAClient          at the meter's own pace
//
//	Shelf         ── PublishPrice ──▶ Side             prices, calendars, messages, changes of supplier
//	Shelf         ── LoadControlEvent ▶ LoadController
//	Side          ── GetSnapshot ───▶ Snapshots        registers kept and sampled; Supply, Prepayment, EventLog, AlarmTable
//
// A [Side] is one side of a cluster with a [Doer] behind it, a small interface that takes commands and gives answers: the
// behaviours of this package are Doers, and a device may bring its own.
//
// Everything is driven by the node that it is attached to: no goroutine, no clock.
package cluster
