package cluster

import (
	"math/rand/v2"
	"time"

	"smets1/internal/wire"
	"smets1/zigbee/node"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

// KeepAliveClient makes sure that the trust centre is there: it asks for a sign of life as often as the trust centre says,
// and looks for the network anew after three failures in a row (Smart Energy, clause A.3; recalled).
type KeepAliveClient struct {
	// Lost is told when the trust centre did not answer three times; the node then looks for its network again. It may be
	// nil.
	Lost func(now time.Time)
	// Rand spreads the requests of many devices over the jitter. Nil takes half of it.
	Rand *rand.Rand
	// Endpoint of this device and Far that of the trust centre. Zero means 1.
	Endpoint, Far uint8

	node   *node.Node
	base   time.Duration
	jitter time.Duration
	missed int
	seen   time.Time
	cancel func()
}

// keepAliveMisses is how many failures in a row make a trust centre lost.
const keepAliveMisses = 3

// Cluster declares the client side.
func (k *KeepAliveClient) Cluster() *node.Cluster { return Client(se.KeepAlive) }

// Seen is when the trust centre answered last; the zero time if it never did.
func (k *KeepAliveClient) Seen() time.Time { return k.seen }

// Start begins asking.
func (k *KeepAliveClient) Start(now time.Time, n *node.Node) {
	k.node, k.missed = n, 0
	k.base, k.jitter = time.Duration(se.KeepAliveBaseDefault)*time.Minute, time.Duration(se.KeepAliveJitterDefault)*time.Second
	k.later(now)
}

func (k *KeepAliveClient) later(now time.Time) {
	if k.cancel != nil {
		k.cancel()
	}
	d := k.base + k.jitter/2
	if k.Rand != nil && k.jitter > 0 {
		d = k.base + time.Duration(k.Rand.Int64N(int64(k.jitter)))
	}
	k.cancel = k.node.After(now, max(d, time.Second), k.ask)
}

func (k *KeepAliveClient) ask(now time.Time) {
	err := k.node.Request(now, &node.Request{
		To: k.node.TrustCentre(), Endpoint: max(k.Far, 1), From: max(k.Endpoint, 1), Cluster: se.KeepAlive,
		Global: zcl.ReadAttributes{IDs: []zcl.Attr{se.AttrKeepAliveBase, se.AttrKeepAliveJitter}},
		Done: func(r node.Response) {
			a, ok := r.Global.(zcl.ReadAttributesResponse)
			if r.Err != nil || !ok || len(a.Attributes) != 2 || a.Attributes[0].Status != zcl.Success || a.Attributes[1].Status != zcl.Success {
				k.miss(r.Now)
				return
			}
			k.missed, k.seen = 0, r.Now
			k.base, k.jitter = time.Duration(a.Attributes[0].Value.Num)*time.Minute, time.Duration(a.Attributes[1].Value.Num)*time.Second
			k.later(r.Now)
		},
	})
	if err != nil {
		k.miss(now)
	}
}

func (k *KeepAliveClient) miss(now time.Time) {
	k.later(now)
	if k.missed++; k.missed < keepAliveMisses {
		return
	}
	k.missed = 0
	if k.Lost != nil {
		k.Lost(now)
	}
	k.node.Rejoin(now)
}

// TimeClient keeps a device's clock: it reads the time of a server now and then.
type TimeClient struct {
	// Set is given what the server says. Only a server that is a master or synchronised to one is believed.
	Set func(now time.Time, server time.Time)
	// Every is how often. Zero means a day, within which a clock may drift by a minute (Smart Energy, clause 5.12; recalled).
	Every time.Duration
	// Endpoint of this device and Far that of the server. Zero means 1.
	Endpoint, Far uint8

	node   *node.Node
	server wire.EUI64
	cancel func()
}

// Cluster declares the client side.
func (k *TimeClient) Cluster() *node.Cluster { return Client(se.Time) }

// retryTime is when a server is asked again that did not answer (ours).
const retryTime = 10 * time.Minute

// Start reads the time of the trust centre, now and every so often.
func (k *TimeClient) Start(now time.Time, n *node.Node) {
	k.node, k.server = n, n.TrustCentre()
	k.ask(now)
}

func (k *TimeClient) ask(now time.Time) {
	every := k.Every
	if every == 0 {
		every = 24 * time.Hour
	}
	next := func(now time.Time, d time.Duration) {
		if k.cancel != nil {
			k.cancel()
		}
		k.cancel = k.node.After(now, d, k.ask)
	}
	next(now, min(every, retryTime))
	_ = k.node.Request(now, &node.Request{
		To: k.server, Endpoint: max(k.Far, 1), From: max(k.Endpoint, 1), Cluster: se.Time,
		Global: zcl.ReadAttributes{IDs: []zcl.Attr{se.AttrTime, se.AttrTimeStatus}},
		Done: func(r node.Response) {
			a, ok := r.Global.(zcl.ReadAttributesResponse)
			if r.Err != nil || !ok || len(a.Attributes) != 2 || a.Attributes[0].Status != zcl.Success {
				return
			}
			t := a.Attributes[0].Value.Time()
			if uint8(a.Attributes[1].Value.Num)&(se.TimeMaster|se.TimeSynchronised) == 0 || t.IsZero() {
				return
			}
			next(r.Now, every)
			k.Set(r.Now, t)
		},
	})
}
