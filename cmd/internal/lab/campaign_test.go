package lab

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/device/fleet"
	"smets1/device/profile"
	"smets1/dlms/security"
	"smets1/firmware"
	"smets1/gateway/campaign"
	"smets1/gateway/job"
	"smets1/gateway/keystore"
	"smets1/gateway/rekey"
	"smets1/gateway/session"
	"smets1/gateway/topic"
	"smets1/gateway/verbs"
	"smets1/internal/clock"
	"smets1/internal/store"
	"smets1/internal/wire"
	"smets1/transport/radio"
)

// campaignHomes is how many homes the campaign has: few in a test run, all of
// them with SMETS1_CAMPAIGN_HOMES=2000.
func campaignHomes(t *testing.T) int {
	n, err := strconv.Atoi(os.Getenv("SMETS1_CAMPAIGN_HOMES"))
	if os.Getenv("SMETS1_CAMPAIGN_HOMES") == "" {
		return 50
	}
	require.NoError(t, err)
	return n
}

// spoilt is a Doer that mixes up files: the first try of some homes gets a damaged image.
type spoilt struct {
	campaign.Doer
	bad map[wire.EUI64]firmware.Digest
}

func (s spoilt) Upgrade(ctx context.Context, id string, hub wire.EUI64, d topic.Device, image firmware.Digest, version string) (*topic.FirmwareUpgradeResult, error) {
	if bad, ok := s.bad[hub]; ok {
		image = bad
	}
	return s.Doer.Upgrade(ctx, id, hub, d, image, version)
}

// A campaign over homes of which 5 % of the frames on the HAN are lost, 1 % are
// sent a damaged image, and one in 50 loses its power in the middle: every home
// ends, and those that did not come to the goal say why.
func TestCampaignOverBadWeather(t *testing.T) {
	n, wall, frames := campaignHomes(t), time.Now(), int64(0)
	synctest.Test(t, func(t *testing.T) { frames = badWeather(t, n) })
	took := time.Since(wall)
	t.Logf("wall %v, %.0f frames a second", took.Round(time.Millisecond), float64(frames)/took.Seconds())
}

// badWeather runs the campaign and gives how many frames that took.
func badWeather(t *testing.T, n int) (frames int64) {
	time.Sleep(time.Until(time.Date(2019, 4, 7, 22, 0, 0, 0, time.UTC))) // a bubble begins in 2000, before there were such meters
	begun := time.Now()
	m, err := fleet.ParseManifest("fleet.yaml", []byte(fmt.Sprintf(`schema: 1
name: weather
seed: 7
start: %s
han: radio
cohorts: [{name: home, count: %d, profile: ioc-dlms, fuel: electricity, display: "no", firmware: {hub: first, esme: first}}]
`, begun.UTC().Format(time.RFC3339), n)))
	require.NoError(t, err)
	var wan, air atomic.Int64
	f, err := fleet.Open(t.Context(), m, fleet.Options{
		HANLoss: 50_000, Shards: 8,
		Tap:      func(string, bool, []byte) { wan.Add(1) },
		RadioTap: func(string, radio.Frame) { air.Add(1) },
	})
	require.NoError(t, err)

	// The near side, over lines in memory.
	st := store.Memory()
	bucket := func(name string) store.Bucket {
		b, err := st.Bucket(t.Context(), name, store.Options{Sync: true})
		require.NoError(t, err)
		return b
	}
	root, err := security.NewKey(bytes.Repeat([]byte{9}, 32))
	require.NoError(t, err)
	keys, err := keystore.Open(t.Context(), keystore.Config{Bucket: bucket("keys"), Root: root})
	require.NoError(t, err)
	require.NoError(t, Handover(t.Context(), f, keys, "SMSO", begun))
	pool, err := session.NewPool(session.Config{
		Keys: keys, Title: gatewayTitle, Profiles: profile.Builtin(), Waker: FleetWaker(f), Timeout: 30 * time.Second,
		Openers: map[string]session.Opener{"tcp": func(_ context.Context, a string) (io.ReadWriteCloser, error) {
			return f.Dial(strings.TrimPrefix(a, "tcp://"))
		}},
	})
	require.NoError(t, err)
	library, err := firmware.OpenLibrary(t.TempDir())
	require.NoError(t, err)
	s := campaign.Spec{ID: "weather", Concurrency: 256}
	releases := map[string]firmware.Release{}
	var damaged firmware.Digest
	names := map[wire.EUI64]string{}
	for e := range f.Inventory() {
		hub := session.Hub{EUI: e.Devices[0].EUI, Address: "tcp://" + e.Name, Profile: e.Profile, Wake: profile.Wake(e.WakeUp), MSISDN: e.MSISDN}
		for _, d := range e.Devices {
			kind, _ := firmware.DeviceTypeOf(d.Type)
			if kind == firmware.ESME {
				hub.Devices = append(hub.Devices, session.Device{EUI: d.EUI, Type: kind, Model: d.Model})
			}
		}
		require.NoError(t, pool.Add(hub))
		s.Hubs = append(s.Hubs, hub.EUI)
		names[hub.EUI] = e.Name
	}
	p, _ := profile.Builtin().Get("ioc-dlms")
	for kind, d := range map[firmware.DeviceType]*profile.Device{firmware.Hub: &p.Hub, firmware.ESME: &p.ESME} {
		h := firmware.Header{Type: kind, Manufacturer: d.Manufacturer, Model: d.Model, HardwareTo: 99, Version: d.Newest()}
		image, err := firmware.SimulatedRelease(h, 2000)
		require.NoError(t, err)
		_, err = library.Put(image)
		require.NoError(t, err)
		releases[kind.String()] = firmware.Release{
			Format: firmware.ReleaseFormat, Type: kind.String(), Manufacturer: d.Manufacturer, Model: d.Model, HardwareTo: 99, Version: d.Newest(),
			Image: firmware.FileOf(kind.String(), image),
		}
		s.Releases = append(s.Releases, releases[kind.String()])
		if kind == firmware.Hub {
			image = bytes.Clone(image)
			image[len(image)-200] ^= 1
			damaged, err = library.Put(image)
			require.NoError(t, err)
		}
	}
	v, err := verbs.New(verbs.Config{Pool: pool, Keys: keys, Journal: rekey.Journal{Bucket: bucket("rekey")}, Library: library, Upgrades: 256})
	require.NoError(t, err)
	q, err := job.Open(t.Context(), job.Config{Store: st, Handlers: v.Handlers(), Clock: clock.Real()})
	require.NoError(t, err)
	q.Start(nil)

	// 1 % are sent a damaged image; one home in 50 loses the power of its meter.
	random := rand.New(rand.NewPCG(7, 7))
	bad := map[wire.EUI64]firmware.Digest{}
	order := random.Perm(n)
	for _, i := range order[:max(1, n/100)] {
		bad[s.Hubs[i]] = damaged
	}
	cuts := order[len(order)-max(1, n/50):]
	c, err := campaign.Open(t.Context(), campaign.Config{Bucket: bucket("campaigns"), Doer: spoilt{campaign.ByQueue(q), bad}})
	require.NoError(t, err)
	_, err = c.Start(t.Context(), s)
	require.NoError(t, err)
	for _, i := range cuts {
		time.Sleep(time.Duration(random.Int64N(int64(time.Minute))))
		require.NoError(t, f.PowerCut(names[s.Hubs[i]], "esme", time.Minute))
	}
	r, err := c.Wait(t.Context(), "weather")
	require.NoError(t, err)

	require.Equal(t, "ended", r.State)
	require.Equal(t, n, r.Done+r.Failed)
	require.Equal(t, []topic.CampaignCause{{Code: topic.CodeFirmwareRefused, Homes: len(bad)}}, r.Causes)
	homes, err := c.Homes("weather", 0, n)
	require.NoError(t, err)
	resent, fallbacks := 0, 0
	for i := range homes {
		h := &homes[i]
		if _, spoilt := bad[h.Hub]; spoilt {
			require.Equal(t, campaign.Failed, h.Phase)
			require.Contains(t, h.Message, "the image is corrupt", "what the hub says of it")
			continue
		}
		require.Equal(t, campaign.Done, h.Phase, "%s %s", h.Code, h.Message)
		status, err := f.Status(names[h.Hub])
		require.NoError(t, err)
		for _, d := range status.Devices {
			if want, ok := releases[d.Type]; ok {
				require.Equal(t, want.Version, d.Firmware)
			}
		}
		for _, e := range h.Evidence {
			resent += e.Result.Resent
			fallbacks += max(0, e.Result.Activations-1)
		}
	}
	require.Len(t, library.List(), 3, "each image lies there once")
	t.Logf("%d homes, %d done, %d refused a damaged image, %d power cuts; %d steps, %d blocks sent again, %d returns to the old image", n, r.Done, r.Failed, len(cuts), r.Steps, resent, fallbacks)
	t.Logf("virtual %v, %d frames on the air and %d on the WAN", r.Ended.Sub(r.Started).Round(time.Second), air.Load(), wan.Load())
	require.NoError(t, c.Close())
	require.NoError(t, q.Close(t.Context()))
	require.NoError(t, pool.Close())
	require.NoError(t, f.Close())
	return air.Load() + wan.Load()
}
