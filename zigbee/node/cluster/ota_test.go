package cluster

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/internal/wire"
	"smets1/zigbee/node"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

type upgrade struct {
	*pair
	server  *OTAServer
	client  *OTAClient
	file    []byte
	stored  []byte
	applied []time.Time
	ended   []zcl.Status
	verify  error
}

func newUpgrade(t testing.TB, role node.Role, loss, size int, server *OTAServer, client *OTAClient) *upgrade {
	u := &upgrade{server: server, client: client, file: make([]byte, size)}
	for i := range u.file {
		u.file[i] = byte(i * 31 >> 3)
	}
	id := se.ImageID{Manufacturer: 0x1234, ImageType: 1, FileVersion: 2}
	image := &OTAImage{ID: id, Size: uint32(size), Data: bytes.NewReader(u.file)}
	server.Offer = func(device wire.EUI64, q se.ImageID) *OTAImage {
		if device != meterEUI || q.Manufacturer != id.Manufacturer || q.ImageType != id.ImageType {
			return nil
		}
		return image
	}
	server.Ended = func(_ time.Time, _ wire.EUI64, _ se.ImageID, s zcl.Status) { u.ended = append(u.ended, s) }
	client.Current = se.ImageID{Manufacturer: 0x1234, ImageType: 1, FileVersion: 1}
	client.Begin = func(se.ImageID, uint32) uint32 { return uint32(len(u.stored)) }
	client.Write = func(offset uint32, b []byte) error {
		if int(offset) != len(u.stored) {
			return errors.New("not in order")
		}
		u.stored = append(u.stored, b...)
		return nil
	}
	client.Verify = func(se.ImageID, uint32) error { return u.verify }
	client.Apply = func(now time.Time, _ se.ImageID) { u.applied = append(u.applied, now) }
	u.pair = newPair(t, role, loss, &node.Endpoint{ID: 1, Device: se.DeviceESI, Clusters: []*node.Cluster{server.Cluster()}},
		&node.Endpoint{ID: 1, Device: se.DeviceMetering, Clusters: []*node.Cluster{client.Cluster()}})
	server.Attach(u.hub)
	client.Attach(u.meter)
	return u
}

func TestUpgrade(t *testing.T) {
	for name, tc := range map[string]struct {
		role node.Role
		loss int
		page uint16
		pace time.Duration
	}{
		"router": {node.Router, 0, 0, 0}, "pages": {node.Router, 0, 512, 0}, "lossy pages": {node.Router, 50_000, 512, 0},
		"sleepy": {node.Sleepy, 0, 0, time.Second}, "lossy sleepy": {node.Sleepy, 50_000, 0, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUpgrade(t, tc.role, tc.loss, 5000, &OTAServer{}, &OTAClient{Page: tc.page, Pace: tc.pace})
			u.client.Query(u.now, hubEUI)
			require.True(t, u.until(24*time.Hour, func() bool { return len(u.applied) == 1 }))
			require.Equal(t, u.file, u.stored)
			require.EqualValues(t, 2, u.client.Current.FileVersion)
			require.Equal(t, zcl.Success, u.ended[len(u.ended)-1])
			// There is nothing newer now.
			u.client.Query(u.now, hubEUI)
			u.run(time.Minute)
			require.Equal(t, OTANormal, u.client.State())
		})
	}
}

func TestUpgradeIsNotified(t *testing.T) {
	u := newUpgrade(t, node.Sleepy, 0, 200, &OTAServer{}, &OTAClient{})
	require.NoError(t, u.server.Notify(u.now, meterEUI, se.ImageID{Manufacturer: 0x1234, ImageType: 1, FileVersion: 2}))
	require.True(t, u.until(time.Minute, func() bool { return len(u.applied) == 1 }))
}

func TestUpgradeRateLimit(t *testing.T) {
	u := newUpgrade(t, node.Router, 0, 480, &OTAServer{Period: 2 * time.Second}, &OTAClient{})
	at := u.now
	u.client.Query(u.now, hubEUI)
	require.True(t, u.until(time.Hour, func() bool { return len(u.applied) == 1 }))
	require.GreaterOrEqual(t, u.now.Sub(at), 18*time.Second)
	require.EqualValues(t, 10, u.server.Blocks())
}

// A device that has its image waits until it may run it.
func TestUpgradeDelayed(t *testing.T) {
	u := newUpgrade(t, node.Sleepy, 0, 200, &OTAServer{Activate: func(time.Time, wire.EUI64, se.ImageID) time.Time { return time.Time{} }}, &OTAClient{})
	u.client.Query(u.now, hubEUI)
	require.True(t, u.until(time.Hour, func() bool { return u.client.State() == OTAWaiting }))
	u.run(10 * time.Minute)
	require.Empty(t, u.applied)
	at := u.now.Add(5 * time.Minute).Truncate(time.Second)
	require.NoError(t, u.server.Release(u.now, meterEUI, at))
	require.True(t, u.until(time.Hour, func() bool { return len(u.applied) == 1 }))
	require.InDelta(t, 0, u.applied[0].Sub(at).Seconds(), 10)
	require.ErrorIs(t, u.server.Release(u.now, meterEUI, at), zcl.NotFound)
}

func TestUpgradeOfABadImage(t *testing.T) {
	u := newUpgrade(t, node.Router, 0, 200, &OTAServer{}, &OTAClient{})
	u.verify = errors.New("signature does not match")
	u.client.Query(u.now, hubEUI)
	require.True(t, u.until(time.Hour, func() bool { return len(u.ended) == 1 }))
	require.Equal(t, zcl.InvalidImage, u.ended[0])
	u.run(time.Minute)
	require.Empty(t, u.applied)
	require.EqualValues(t, 1, u.client.Current.FileVersion)
}

// 256 KiB over the air, with every frame of it; the file is not signed, which would add a few milliseconds.
func BenchmarkOTA256KiB(b *testing.B) {
	for b.Loop() {
		u := newUpgrade(b, node.Router, 0, 256<<10, &OTAServer{}, &OTAClient{})
		frames, at := u.air.Stats().Frames, u.now
		u.client.Query(u.now, hubEUI)
		require.True(b, u.until(24*time.Hour, func() bool { return len(u.applied) == 1 }))
		b.ReportMetric(float64(u.air.Stats().Frames-frames), "frames")
		b.ReportMetric(u.now.Sub(at).Seconds(), "virtual-s")
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "wall-ms")
}
