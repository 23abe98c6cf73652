package campaign

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/firmware"
	"smets1/gateway/keystore/keystoretest"
	"smets1/gateway/topic"
	"smets1/internal/store"
	"smets1/internal/wire"
)

func hub(n int) wire.EUI64 { return wire.EUI64{0, 0xDB, 0, 0, 0, 0, byte(n >> 8), byte(n)} }

func release(kind, version string, change func(*firmware.Release)) firmware.Release {
	r := firmware.Release{
		Format: firmware.ReleaseFormat, Type: kind, Manufacturer: "ACME", Model: "M", HardwareTo: 9, Version: version,
		Image: firmware.FileOf(kind+version+".img", []byte(kind+version)),
	}
	if change != nil {
		change(&r)
	}
	return r
}

func spec(homes int) Spec {
	s := Spec{ID: "spring", Releases: []firmware.Release{
		release("chf", "2.0", nil),
		release("esme", "1.1", func(r *firmware.Release) { r.From = []string{"1.0"} }),
		release("esme", "2.0", func(r *firmware.Release) {
			r.From, r.Needs = []string{"1.1"}, []firmware.Need{{Type: "chf", Version: "2.0"}}
		}),
	}}
	for n := range homes {
		s.Hubs = append(s.Hubs, hub(n+1))
	}
	return s
}

// homes are what a queue and the devices behind it come to: a command takes its time, its
// outcome is kept by id, and the same id is not done twice.
type homes struct {
	mu       sync.Mutex
	now      map[wire.EUI64]map[string]string
	begun    map[string]int
	outcome  map[string]error
	running  map[string]chan struct{}
	atOnce   int
	most     int
	fails    func(id string, hub wire.EUI64) error
	took     time.Duration
	log      []string
	upgrades map[string]int // by hub, device and version: activations
}

func newHomes() *homes {
	return &homes{now: map[wire.EUI64]map[string]string{}, begun: map[string]int{}, outcome: map[string]error{}, running: map[string]chan struct{}{}, took: time.Minute, upgrades: map[string]int{}}
}

func (h *homes) versions(hub wire.EUI64) map[string]string {
	if h.now[hub] == nil {
		h.now[hub] = map[string]string{"chf": "1.0", "esme": "1.0"}
	}
	return h.now[hub]
}

// do runs a command as a queue does: apart from its caller, who may go away.
func (h *homes) do(ctx context.Context, id string, hub wire.EUI64, f func() error) error {
	h.mu.Lock()
	done := h.running[id]
	if done == nil {
		done = make(chan struct{})
		h.running[id] = done
		h.begun[id]++
		h.atOnce++
		h.most = max(h.most, h.atOnce)
		go func() {
			time.Sleep(h.took)
			h.mu.Lock()
			defer h.mu.Unlock()
			var err error
			if h.fails != nil {
				err = h.fails(id, hub)
			}
			if err == nil {
				err = f()
			}
			h.outcome[id] = err
			h.atOnce--
			close(done)
		}()
	}
	h.mu.Unlock()
	select {
	case <-done:
	case <-ctx.Done():
		return ctx.Err()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.outcome[id]
}

func (h *homes) Look(ctx context.Context, id string, hub wire.EUI64) (list []firmware.Installed, err error) {
	err = h.do(ctx, id, hub, func() error { return nil })
	h.mu.Lock()
	defer h.mu.Unlock()
	v := h.versions(hub)
	return []firmware.Installed{
		{Device: "chf", Type: firmware.Hub, Manufacturer: "ACME", Model: "M", Hardware: 1, Version: v["chf"]},
		{Device: "esme", Type: firmware.ESME, Manufacturer: "ACME", Model: "M", Hardware: 1, Version: v["esme"]},
	}, err
}

func (h *homes) Upgrade(ctx context.Context, id string, hub wire.EUI64, device topic.Device, _ firmware.Digest, version string) (*topic.FirmwareUpgradeResult, error) {
	err := h.do(ctx, id, hub, func() error {
		h.versions(hub)[string(device)] = version
		h.upgrades[fmt.Sprintf("%s %s %s", hub, device, version)]++
		h.log = append(h.log, fmt.Sprintf("%s %s", device, version))
		return nil
	})
	return &topic.FirmwareUpgradeResult{Device: device, To: version, Activations: 1}, err
}

func memory(t testing.TB) store.Bucket {
	b, err := store.Memory().Bucket(context.Background(), "campaigns", store.Options{Sync: true})
	require.NoError(t, err)
	return b
}

func manager(t testing.TB, b store.Bucket, d Doer) *Manager {
	m, err := Open(t.Context(), Config{Bucket: b, Doer: d})
	require.NoError(t, err)
	return m
}

// Three waves of homes, each by its plan: intermediate version and the hub before the meter.
func TestWavesAndPlans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, begun := newHomes(), time.Now().UTC()
		m := manager(t, memory(t), h)
		s := spec(30)
		s.Waves, s.Concurrency = []int{1, 9}, 10
		r, err := m.Start(t.Context(), s)
		require.NoError(t, err)
		require.Equal(t, 3, r.Waves)
		_, err = m.Start(t.Context(), s)
		require.NoError(t, err, "the same again")
		other := s
		other.Concurrency = 11
		_, err = m.Start(t.Context(), other)
		require.ErrorIs(t, err, ErrExists)

		time.Sleep(4*time.Minute + time.Second)
		r, err = m.Report("spring")
		require.NoError(t, err)
		require.Equal(t, 1, r.Done)
		require.Equal(t, 2, r.Wave)
		require.Equal(t, 9, r.Working)
		require.Equal(t, 4, r.Steps+1, "the first home has three steps and a look")
		require.Equal(t, begun.Add(4*time.Minute+time.Second).Add(3*4*time.Minute), r.Forecast, "29 homes of four minutes, ten at once")
		r, err = m.Wait(t.Context(), "spring")
		require.NoError(t, err)
		require.Equal(t, Report{
			ID: "spring", State: string(Ended), Homes: 30, Done: 30, Steps: 90, Wave: 3, Waves: 3, Started: begun, Ended: begun.Add(16 * time.Minute),
		}, r, "1, 9, 10 and 10 homes of four minutes")
		require.Equal(t, 10, h.most)
		require.Equal(t, []string{"chf 2.0", "esme 1.1", "esme 2.0"}, h.log[:3])
		list, err := m.Homes("spring", 29, 10)
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.Len(t, list[0].Evidence, 3)
		require.Equal(t, "on the way to 2.0, the newest release", list[0].Plan[1].Why)
		require.NoError(t, m.Close())
	})
}

// Steps begin in windows only; those at work end after they close.
func TestWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it begins at midnight, UTC
		h, begun := newHomes(), time.Now().UTC()
		h.took = 40 * time.Minute
		s := spec(2)
		s.Concurrency = 1
		w, err := ParseWindow("22:00-00:30")
		require.NoError(t, err)
		s.Windows = []Window{w}
		m := manager(t, memory(t), h)
		_, err = m.Start(t.Context(), s)
		require.NoError(t, err)
		time.Sleep(35 * time.Minute)
		r, err := m.Report("spring")
		require.NoError(t, err)
		require.Equal(t, 1, r.Working, "it began before 00:30")
		_, err = m.Wait(t.Context(), "spring")
		require.NoError(t, err)
		// 8 commands of 40 minutes: one at 0:00; four each night from 22:00 on, of which the last
		// begins at 00:00.
		r, err = m.Report("spring")
		require.NoError(t, err)
		require.Equal(t, begun.Add(46*time.Hour+3*40*time.Minute), r.Ended)
		require.NoError(t, m.Close())
	})
	for _, bad := range []string{"", "22:00", "22:00-22:00", "25:00-01:00", "22-23"} {
		_, err := ParseWindow(bad)
		require.Error(t, err)
	}
}

func failure(code topic.Code) error { return topic.NewError(code, "it failed", "there", "look") }

// Each cause has its policy: how often, and how long between.
func TestRetryByCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, begun := newHomes(), time.Now().UTC()
		h.took = 0
		tries := map[wire.EUI64]int{}
		h.fails = func(_ string, home wire.EUI64) error {
			tries[home]++
			switch home {
			case hub(1):
				return failure(topic.CodeNoWAN)
			case hub(2):
				return failure(topic.CodeFirmwareRefused)
			case hub(3):
				if tries[home] < 3 {
					return failure(topic.CodeHANSilent)
				}
			}
			return nil
		}
		s := spec(4)
		s.Retry = map[topic.Code]Retry{topic.CodeNoWAN: {2, time.Hour}}
		m := manager(t, memory(t), h)
		_, err := m.Start(t.Context(), s)
		require.NoError(t, err)
		r, err := m.Wait(t.Context(), "spring")
		require.NoError(t, err)
		require.Equal(t, []topic.CampaignCause{{Code: topic.CodeFirmwareRefused, Homes: 1}, {Code: topic.CodeNoWAN, Homes: 1}}, r.Causes)
		require.Equal(t, 2, r.Done)
		require.Equal(t, 2, tries[hub(1)])
		require.Equal(t, 1, tries[hub(2)])
		require.Equal(t, begun.Add(time.Hour), r.Ended)
		list, err := m.Homes("spring", 0, 4)
		require.NoError(t, err)
		require.Contains(t, list[0].Message, "it failed")
		require.Equal(t, begun.Add(2*DefaultRetry.Wait), list[2].Ended)
		require.NoError(t, m.Close())
	})
}

func TestHaltResumePauseAbort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHomes()
		bad := true
		h.fails = func(string, wire.EUI64) error {
			if bad {
				return failure(topic.CodeFirmwareRefused)
			}
			return nil
		}
		s := spec(100)
		s.Concurrency, s.HaltRate, s.HaltAfter = 5, 0.2, 10
		b := memory(t)
		m := manager(t, b, h)
		_, err := m.Start(t.Context(), s)
		require.NoError(t, err)
		time.Sleep(time.Hour)
		r, err := m.Report("spring")
		require.NoError(t, err)
		require.Equal(t, string(Halted), r.State)
		require.Contains(t, r.Reason, "10 of 10 homes failed")
		failed := r.Failed
		require.LessOrEqual(t, failed, 14, "beside those at work none began after that")
		require.Equal(t, 100-failed, r.Waiting)
		require.NoError(t, m.Close())

		h.mu.Lock()
		bad = false
		h.mu.Unlock()
		m = manager(t, b, h)
		time.Sleep(time.Hour)
		r, err = m.Resume(t.Context(), "spring")
		require.NoError(t, err, "it was halted over the restart")
		require.Equal(t, string(Running), r.State)
		_, err = m.Resume(t.Context(), "spring")
		require.ErrorIs(t, err, ErrState)
		time.Sleep(30 * time.Second)
		_, err = m.Pause(t.Context(), "spring", "lunch")
		require.NoError(t, err)
		time.Sleep(time.Hour)
		r, err = m.Report("spring")
		require.NoError(t, err)
		require.Zero(t, r.Working)
		require.Equal(t, 100-failed, r.Waiting)
		require.True(t, r.Forecast.IsZero())
		_, err = m.Resume(t.Context(), "spring")
		require.NoError(t, err)
		time.Sleep(10*time.Minute + 30*time.Second)
		_, err = m.Abort(t.Context(), "spring", "enough")
		require.NoError(t, err)
		r, err = m.Wait(t.Context(), "spring")
		require.NoError(t, err)
		require.Equal(t, string(Aborted), r.State)
		require.Equal(t, 100, r.Done+r.Failed+r.Skipped)
		require.Positive(t, r.Done)
		require.Equal(t, failed, r.Failed)
		_, err = m.Abort(t.Context(), "spring", "again")
		require.ErrorIs(t, err, ErrState)
		_, err = m.Report("autumn")
		require.ErrorIs(t, err, ErrUnknown)
		require.NoError(t, m.Close())
	})
}

func TestSpecMistakes(t *testing.T) {
	for name, change := range map[string]func(*Spec){
		"id":          func(s *Spec) { s.ID = "a b" },
		"no homes":    func(s *Spec) { s.Hubs = nil },
		"twice":       func(s *Spec) { s.Hubs = append(s.Hubs, s.Hubs[0]) },
		"no releases": func(s *Spec) { s.Releases = nil },
		"release":     func(s *Spec) { s.Releases = []firmware.Release{{}} },
		"wave":        func(s *Spec) { s.Waves = []int{0} },
		"window":      func(s *Spec) { s.Windows = []Window{{From: -1}} },
		"rate":        func(s *Spec) { s.HaltRate = 1 },
		"retry":       func(s *Spec) { s.Retry = map[topic.Code]Retry{"no-such": {1, 0}} },
		"to":          func(s *Spec) { s.To = map[string]string{"meter": "1"} },
		"both":        func(s *Spec) { s.To, s.Combination = map[string]string{"chf": "2.0"}, "X" },
	} {
		s := spec(2)
		change(&s)
		require.Error(t, s.validate(), name)
	}
}

// The manager dies before and after each write of a campaign that loses
// commands here and there, and is started again: every home ends, no command
// is begun twice, and each version is activated once.
func TestDeathAtEveryWrite(t *testing.T) {
	scenario := func() *homes {
		h := newHomes()
		tries := map[wire.EUI64]int{}
		h.fails = func(_ string, home wire.EUI64) error {
			tries[home]++
			if home == hub(2) && tries[home] == 2 {
				return failure(topic.CodeHANSilent)
			}
			if home == hub(3) {
				return failure(topic.CodeFirmwareRefused)
			}
			return nil
		}
		return h
	}
	writes := 0
	synctest.Test(t, func(t *testing.T) {
		b := keystoretest.New(memory(t), -1, false)
		m := manager(t, b, scenario())
		_, err := m.Start(t.Context(), spec(4))
		require.NoError(t, err)
		_, err = m.Wait(t.Context(), "spring")
		require.NoError(t, err)
		writes = b.Writes()
		require.NoError(t, m.Close())
	})
	runs, states := 0, map[string]bool{}
	for at := range writes {
		for _, after := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				name := fmt.Sprintf("write %d, after %v", at, after)
				disk, h := memory(t), scenario()
				b := keystoretest.New(disk, at, after)
				m := manager(t, b, h)
				_, err := m.Start(t.Context(), spec(4))
				if err == nil {
					time.Sleep(20 * time.Minute)
				}
				require.NoError(t, m.Close())
				m = manager(t, disk, h)
				if r, err := m.Report("spring"); err == nil {
					states[fmt.Sprint(r.Waiting, r.Working, r.Done, r.Failed, r.Steps)] = true
				}
				_, err = m.Start(t.Context(), spec(4)) // as whoever got no answer does
				require.NoError(t, err, name)
				r, err := m.Wait(t.Context(), "spring")
				require.NoError(t, err, name)
				require.Equal(t, 3, r.Done, name)
				require.Equal(t, []topic.CampaignCause{{Code: topic.CodeFirmwareRefused, Homes: 1}}, r.Causes, name)
				for id, n := range h.begun {
					require.Equal(t, 1, n, "%s: %s", name, id)
				}
				for what, n := range h.upgrades {
					require.Equal(t, 1, n, "%s: %s", name, what)
				}
				require.Len(t, h.upgrades, 9, name)
				require.NoError(t, m.Close())
			})
			runs++
		}
	}
	t.Logf("%d runs, %d distinct states at the restart", runs, len(states))
}
