package cluster

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/zigbee/node"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

func gas(reading *uint64) func(time.Time) []zcl.Attribute {
	return func(time.Time) []zcl.Attribute {
		return []zcl.Attribute{
			{ID: se.AttrCurrentSummationDelivered, Value: zcl.Unsigned(zcl.Uint48, *reading)},
			{ID: se.AttrMeteringDeviceType, Value: zcl.Unsigned(zcl.Map8, 1)},
			{ID: se.AttrSiteID, Value: zcl.Octets([]byte("1234567890"))},
		}
	}
}

func TestMirror(t *testing.T) {
	for name, notify := range map[string]bool{"of SE 1.0": false, "with answers, SE 1.2": true} {
		t.Run(name, func(t *testing.T) {
			reading, flags := uint64(1000), []uint32(nil)
			host := &MirrorHost{}
			b := &Basic{Manufacturer: "Smets", Model: "Hub", MirrorRoom: host.Room}
			m := &Mirrored{Readings: gas(&reading), Notifications: notify, Notified: func(_ time.Time, f uint32) { flags = append(flags, f) }}
			p := newPair(t, node.Sleepy, 0,
				&node.Endpoint{ID: 1, Device: se.DeviceESI, Clusters: []*node.Cluster{host.Cluster(), b.Cluster()}},
				&node.Endpoint{ID: 1, Device: se.DeviceMetering, Clusters: []*node.Cluster{m.Cluster(nil)}})
			host.Attach(p.hub)
			m.Start(p.now, p.meter)
			require.True(t, p.until(time.Minute, func() bool { return m.Reports() == 1 }))
			ep, ok := host.Endpoint(meterEUI)
			require.True(t, ok)
			require.EqualValues(t, 10, ep)
			v, _, ok := host.Value(meterEUI, se.AttrCurrentSummationDelivered)
			require.True(t, ok)
			require.EqualValues(t, 1000, v.Num)
			v, _, _ = host.Value(meterEUI, se.AttrMeteringDeviceType)
			require.EqualValues(t, 128, v.Num, "a mirrored gas meter")
			p.run(5 * time.Second)

			reading = 2000
			host.Flag(meterEUI, 1<<21, 0)
			at := p.now
			require.True(t, p.until(time.Hour, func() bool { return m.Reports() == 2 }))
			require.InDelta(t, 30, p.now.Sub(at).Minutes(), 0.5)
			a := p.read(p.meter, hubEUI, ep, se.Metering, se.AttrCurrentSummationDelivered, se.AttrSiteID)
			require.EqualValues(t, 2000, a[0].Value.Num)
			require.Equal(t, "1234567890", string(a[1].Value.Octets))
			if notify {
				require.Equal(t, []uint32{0, 1 << 21}, flags)
			} else {
				require.Empty(t, flags)
			}

			// A hub that lost its mirrors gives the meter another.
			host.mirrors = nil
			p.hub.RemoveEndpoint(ep)
			require.True(t, p.until(time.Hour, func() bool { return m.Reports() == 3 }))
			_, ok = host.Endpoint(meterEUI)
			require.True(t, ok)
		})
	}
}

func TestMirrorsAreLimited(t *testing.T) {
	host := &MirrorHost{Most: 1}
	b := &Basic{MirrorRoom: host.Room}
	p := newPair(t, node.Router, 0, &node.Endpoint{ID: 1, Clusters: []*node.Cluster{host.Cluster(), b.Cluster()}}, &node.Endpoint{ID: 1})
	host.Attach(p.hub)
	require.EqualValues(t, 10, host.request(hubEUI)) // somebody else's
	r := p.command(p.meter, hubEUI, se.RequestMirror{}, 1)
	require.EqualValues(t, se.NoMirror, r.Command.(se.RequestMirrorResponse).Endpoint)
	require.EqualValues(t, 0, p.read(p.meter, hubEUI, 1, se.Basic, se.AttrPhysicalEnvironment)[0].Value.Num)
	var got *node.Response
	require.NoError(t, p.meter.Request(p.now, &node.Request{To: hubEUI, Endpoint: 10, From: 1, Cluster: se.Metering, FromServer: true,
		Global: zcl.ReportAttributes{Attributes: gas(new(uint64))(p.now)}, Done: func(r node.Response) { got = &r }}))
	require.True(t, p.until(time.Minute, func() bool { return got != nil }))
	require.ErrorIs(t, got.Err, zcl.NotAuthorized, "a mirror is its meter's")
}

func TestGeneralClusters(t *testing.T) {
	k, i := &Clock{}, &Identify{}
	b := &Basic{Manufacturer: "Smets", Model: "Electric", Mains: true, Software: func(time.Time) string { return "1.2.3" }}
	interval := func(end time.Time) (uint32, bool) {
		return uint32(end.Minute()), end.After(start.Add(-90 * time.Minute))
	}
	var fast time.Time
	mm := &Metering{Interval: interval, Fast: func(_ time.Time, _ time.Duration, until time.Time) { fast = until }}
	p := newPair(t, node.Router, 0, &node.Endpoint{ID: 1},
		&node.Endpoint{ID: 1, Clusters: []*node.Cluster{b.Cluster(), k.Cluster(), i.Cluster(), mm.Cluster(nil), KeepAlive}})
	a := p.read(p.hub, meterEUI, 1, se.Basic, se.AttrManufacturerName, se.AttrSWBuildID, se.AttrPowerSource, 0x7777)
	require.Equal(t, "Smets", string(a[0].Value.Octets))
	require.Equal(t, "1.2.3", string(a[1].Value.Octets))
	require.EqualValues(t, 1, a[2].Value.Num)
	require.Equal(t, zcl.UnsupportedAttribute, a[3].Status)
	a = p.read(p.hub, meterEUI, 1, se.Time, se.AttrTime)
	require.InDelta(t, 0, p.now.Sub(a[0].Value.Time()).Seconds(), 2)
	require.NoError(t, p.command(p.hub, meterEUI, se.IdentifyStart{Time: 60}).Err)
	r := p.command(p.hub, meterEUI, se.IdentifyQuery{}, 0)
	require.InDelta(t, 60, int(r.Command.(se.IdentifyQueryResponse).Timeout), 1)

	q := p.command(p.hub, meterEUI, se.GetProfile{Periods: 5}, 0).Command.(se.GetProfileResponse)
	require.Equal(t, se.ProfileSuccess, q.Status)
	require.Equal(t, []uint32{0, 30, 0}, q.Intervals, "newest first, as far as there are any")
	q = p.command(p.hub, meterEUI, se.GetProfile{Channel: 1, Periods: 5}, 0).Command.(se.GetProfileResponse)
	require.Equal(t, se.ProfileNotSupported, q.Status)
	f := p.command(p.hub, meterEUI, se.RequestFastPollMode{Period: 1, Duration: 60}, 3).Command.(se.RequestFastPollModeResponse)
	require.EqualValues(t, 2, f.Period)
	require.InDelta(t, 15, fast.Sub(p.now).Minutes(), 0.1)
}
