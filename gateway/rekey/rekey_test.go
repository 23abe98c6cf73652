package rekey

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/dlms/security"
	"smets1/firmware"
	"smets1/gateway/keystore"
	"smets1/gateway/keystore/keystoretest"
	"smets1/internal/clock"
	"smets1/internal/store"
	"smets1/internal/wire"
)

var (
	start = time.Date(2019, 4, 7, 10, 0, 0, 0, time.UTC)
	esme  = wire.MustEUI64("00-DB-12-34-56-78-90-A0")
)

// world is a meter, a line and the gateway's disk.
type world struct {
	t     testing.TB
	clock *instant
	line  *line
	disk  store.Bucket
	seed  byte

	states states // nil: nobody counts them
}

func born(t testing.TB) keystore.Set {
	s, err := keystore.Generate(rand.NewChaCha8([32]byte{1}), "SMSO", 1, start)
	require.NoError(t, err)
	return s
}

func newWorld(t testing.TB) *world {
	disk, err := store.Memory().Bucket(t.Context(), "sync", store.Options{Sync: true})
	require.NoError(t, err)
	w := &world{t: t, clock: &instant{clock.NewStepped(start)}, disk: disk, seed: 10}
	w.line = &line{t: t, clock: w.clock, sent: map[string]map[uint32]bool{}, faults: map[int]fault{}, dev: &device{
		clock: w.clock, window: 2 * time.Minute, current: born(t), rx: map[string]uint32{}, version: 1, supervised: true,
	}}
	keys := w.keys(disk)
	_, err = keys.Import(t.Context(), keystore.Handover{Owner: "SMSO", Devices: []keystore.HandoverDevice{
		{EUI: esme, Type: firmware.ESME, Version: 1, Keys: born(t).Keys, Counter: 100},
	}}, start)
	require.NoError(t, err)
	return w
}

func (w *world) keys(b store.Bucket) *keystore.Store {
	root, err := security.NewKey(bytes.Repeat([]byte{7}, 32))
	require.NoError(w.t, err)
	k, err := keystore.Open(w.t.Context(), keystore.Config{Bucket: b, Root: root, Block: 8})
	require.NoError(w.t, err)
	return k
}

// states are those that runs were seen in: what the journal says, which sets the
// store has, and where the device stands between them.
type states map[string]bool

func (w *world) note(d keystore.Device) {
	if w.states == nil {
		return
	}
	e, _, err := Journal{w.disk}.Get(w.t.Context(), esme)
	require.NoError(w.t, err)
	role := func(s *keystore.Set) string {
		if s == nil {
			return "none"
		}
		g, _ := d.Find(s.Fingerprint())
		return string(g)
	}
	w.states[fmt.Sprint(e.Op, e.Step, d.Pending != nil, d.Previous != nil, role(&w.line.dev.current), role(w.line.dev.staged), w.line.dev.proven, w.line.dead)] = true
}

// process starts the gateway anew over a disk.
func (w *world) process(b store.Bucket) (*Rekeyer, *target) {
	keys := w.keys(b)
	w.seed++
	k := New(Config{
		Keys: keys, Journal: Journal{b}, Clock: w.clock, Random: rand.NewChaCha8([32]byte{w.seed}), Patience: 3 * time.Minute,
	})
	w.line.dead = false
	return k, &target{w.line, keys}
}

type operation func(context.Context, *Rekeyer, *target) (Result, error)

func takeover(ctx context.Context, k *Rekeyer, t *target) (Result, error) {
	return k.Takeover(ctx, esme, t, "S1SP")
}

func rollback(ctx context.Context, k *Rekeyer, t *target) (Result, error) {
	return k.Rollback(ctx, esme, t)
}

func repair(ctx context.Context, k *Rekeyer, t *target) (Result, error) {
	return k.Repair(ctx, esme, t)
}

// check asserts the invariant: a set in the store opens the device.
func (w *world) check(name string) {
	w.t.Helper()
	d, err := w.keys(w.disk).Get(w.t.Context(), esme)
	require.NoError(w.t, err, name)
	w.note(d)
	w.line.dev.tick()
	_, ok := d.Find(w.line.dev.current.Fingerprint())
	require.True(w.t, ok, "%s: no set in the store opens the device", name)
}

func (w *world) device() keystore.Device {
	d, err := w.keys(w.disk).Get(w.t.Context(), esme)
	require.NoError(w.t, err)
	return d
}

func TestTakeoverAndBack(t *testing.T) {
	ctx := t.Context()
	w := newWorld(t)
	k, dev := w.process(w.disk)
	var steps []Step
	k.c.Progress = func(e Entry) { steps = append(steps, e.Step) }

	r, err := takeover(ctx, k, dev)
	require.NoError(t, err)
	require.Equal(t, []Step{StepSeal, StepTransfer, StepProve, StepCommit, StepPromote, StepDone}, steps)
	fp := r.Fingerprint
	require.Equal(t, Result{
		Set: keystore.Current, Fingerprint: fp, Owner: "S1SP", Version: 2, FromVersion: 1, Step: StepDone, OldRefused: true,
	}, r)
	require.Equal(t, fp, w.line.dev.current.Fingerprint())
	require.Equal(t, born(t).Fingerprint(), w.device().Previous.Fingerprint())

	r, err = takeover(ctx, k, dev)
	require.NoError(t, err)
	require.True(t, r.Already)
	require.True(t, r.OldRefused)
	require.Equal(t, 1, w.line.dev.commits)

	proofs, err := k.Prove(ctx, esme, dev)
	require.NoError(t, err)
	require.Equal(t, []Proof{
		{Set: keystore.Current, Fingerprint: fp, Owner: "S1SP", Version: 2, Opens: true},
		{Set: keystore.Previous, Fingerprint: born(t).Fingerprint(), Owner: "SMSO", Version: 1},
	}, proofs)

	r, err = rollback(ctx, k, dev)
	require.NoError(t, err)
	require.Equal(t, born(t).Fingerprint(), r.Fingerprint)
	require.Equal(t, "SMSO", r.Owner)
	require.EqualValues(t, 3, r.Version)
	require.True(t, r.OldRefused)
	require.Equal(t, born(t).Fingerprint(), w.line.dev.current.Fingerprint())

	r, err = rollback(ctx, k, dev)
	require.NoError(t, err, "a second rollback does not bring the taken over keys back")
	require.True(t, r.Already)
	require.Equal(t, "SMSO", r.Owner)
	require.Equal(t, 2, w.line.dev.commits)

	r, err = takeover(ctx, k, dev)
	require.NoError(t, err)
	require.NotEqual(t, fp, r.Fingerprint, "keys are fresh each time")

	open, err := k.c.Journal.Open(ctx)
	require.NoError(t, err)
	require.Empty(t, open)
	e, ok, err := k.c.Journal.Get(ctx, esme)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, StepDone, e.Step)
}

func TestRollbackOfNothing(t *testing.T) {
	w := newWorld(t)
	k, dev := w.process(w.disk)
	r, err := rollback(t.Context(), k, dev)
	require.NoError(t, err)
	require.True(t, r.Already)
	require.Equal(t, "SMSO", r.Owner)
}

func TestDeviceWithoutWindow(t *testing.T) {
	w := newWorld(t)
	w.line.dev.supervised = false
	k, dev := w.process(w.disk)
	r, err := takeover(t.Context(), k, dev)
	require.NoError(t, err)
	require.True(t, r.OldRefused)
	require.Equal(t, r.Fingerprint, w.line.dev.current.Fingerprint())
}

func TestPowerCutBetweenStageAndCommit(t *testing.T) {
	w := newWorld(t)
	w.line.faults[1] = powerAfter // the acknowledged transfer
	k, dev := w.process(w.disk)
	r, err := takeover(t.Context(), k, dev)
	require.ErrorIs(t, err, ErrAborted)
	require.Equal(t, StepAborted, r.Step)
	require.Equal(t, "SMSO", r.Owner)
	require.Nil(t, w.device().Pending, "rolled back")
	w.check("power cut")

	r, err = takeover(t.Context(), k, dev)
	require.NoError(t, err, "and may be tried again")
	require.Equal(t, "S1SP", r.Owner)
}

func TestRollbackOfATakeoverUnderWay(t *testing.T) {
	w := newWorld(t)
	w.line.faults[1] = killAfter
	k, dev := w.process(w.disk)
	_, err := takeover(t.Context(), k, dev)
	require.ErrorIs(t, err, errKilled)
	k, dev = w.process(w.disk)
	r, err := rollback(t.Context(), k, dev)
	require.NoError(t, err)
	require.Equal(t, "SMSO", r.Owner)
	require.Nil(t, w.line.dev.staged)
	require.Nil(t, w.device().Pending)
	require.Zero(t, w.line.dev.commits)
}

func TestWrongKeys(t *testing.T) {
	w := newWorld(t)
	other, err := keystore.Generate(rand.NewChaCha8([32]byte{99}), "?", 1, start)
	require.NoError(t, err)
	w.line.dev.current = other
	k, dev := w.process(w.disk)
	_, err = takeover(t.Context(), k, dev)
	require.ErrorIs(t, err, ErrNoKeyOpens)
	require.ErrorContains(t, err, esme.String())
	_, err = rollback(t.Context(), k, dev)
	require.ErrorIs(t, err, ErrNoKeyOpens)
	proofs, err := k.Prove(t.Context(), esme, dev)
	require.ErrorIs(t, err, ErrNoKeyOpens)
	require.False(t, proofs[0].Opens)
}

func TestRefusedTransfer(t *testing.T) {
	w := newWorld(t)
	w.line.dev.refuseTransfer = true
	k, dev := w.process(w.disk)
	_, err := takeover(t.Context(), k, dev)
	require.ErrorIs(t, err, ErrAborted)
	var refused *RefusedError
	require.ErrorAs(t, err, &refused)
	require.Nil(t, w.device().Pending)
}

func TestOldKeysStillAccepted(t *testing.T) {
	w := newWorld(t)
	w.line.dev.keepsOld = true
	k, dev := w.process(w.disk)
	r, err := takeover(t.Context(), k, dev)
	require.ErrorIs(t, err, ErrOldAccepted)
	require.Equal(t, "S1SP", r.Owner)
	_, err = takeover(t.Context(), k, dev)
	require.ErrorIs(t, err, ErrOldAccepted, "it is said again")
}

func TestSilenceAfterTheCommitIsInDoubt(t *testing.T) {
	w := newWorld(t)
	w.line.faults[4] = loseReply // open, transfer, open, change, commit
	k, dev := w.process(w.disk)
	k.c.Progress = func(e Entry) { w.line.silent = e.Step == StepCommit }
	_, err := takeover(t.Context(), k, dev)
	require.ErrorIs(t, err, ErrInDoubt)
	w.check("in doubt")
	w.line.silent = false
	k.c.Progress = func(Entry) {}
	r, err := takeover(t.Context(), k, dev)
	require.NoError(t, err)
	require.Equal(t, "S1SP", r.Owner)
	w.check("settled")
}

func TestStoreFollowsADeviceThatWentBack(t *testing.T) {
	w := newWorld(t)
	k, dev := w.process(w.disk)
	_, err := takeover(t.Context(), k, dev)
	require.NoError(t, err)
	w.line.dev.current = born(t)
	_, err = k.Takeover(t.Context(), esme, dev, "OTHER")
	require.ErrorIs(t, err, ErrAborted)
	require.Equal(t, "SMSO", w.device().Current.Owner)
	r, err := k.Takeover(t.Context(), esme, dev, "OTHER")
	require.NoError(t, err)
	require.Equal(t, "OTHER", r.Owner)
}

func TestUnknownDevice(t *testing.T) {
	w := newWorld(t)
	k, dev := w.process(w.disk)
	_, err := k.Takeover(t.Context(), wire.EUI64{1}, dev, "S1SP")
	require.ErrorIs(t, err, keystore.ErrUnknownDevice)
}

// scenario is a world in which an operation begins.
type scenario struct {
	name    string
	prepare func(*world)
	op      operation
	owner   string // at the end; empty: what the disturbances make of it
}

var scenarios = []scenario{
	{"takeover", func(*world) {}, takeover, "S1SP"},
	{"rollback", func(w *world) {
		k, dev := w.process(w.disk)
		_, err := takeover(w.t.Context(), k, dev)
		require.NoError(w.t, err)
	}, rollback, "SMSO"},
	{"rollback of a staged takeover", func(w *world) {
		w.line.faults[1] = killAfter
		k, dev := w.process(w.disk)
		_, err := takeover(w.t.Context(), k, dev)
		require.ErrorIs(w.t, err, errKilled)
	}, rollback, "SMSO"},
	{"takeover without a window", func(w *world) { w.line.dev.supervised = false }, takeover, "S1SP"},
	{"repair of a staged takeover", func(w *world) {
		w.line.faults[1] = killAfter
		k, dev := w.process(w.disk)
		_, err := takeover(w.t.Context(), k, dev)
		require.ErrorIs(w.t, err, errKilled)
	}, repair, ""},
	{"repair of a drift", func(w *world) {
		k, dev := w.process(w.disk)
		_, err := takeover(w.t.Context(), k, dev)
		require.NoError(w.t, err)
		w.line.dev.current = born(w.t)
	}, repair, "SMSO"},
}

// finishUp runs the operation until it succeeds, with new processes where the
// one before was killed, and asserts the invariant after each.
func finishUp(w *world, s scenario, b *keystoretest.Faulty, name string) {
	disk := store.Bucket(b)
	for try := 0; ; try++ {
		require.Less(w.t, try, 6, "%s: it does not come to an end", name)
		k, dev := func() (*Rekeyer, *target) {
			if try > 0 && (b.Dead() || w.line.dead) {
				disk = w.disk
			}
			return w.process(disk)
		}()
		r, err := s.op(w.t.Context(), k, dev)
		w.check(name)
		if err == nil {
			require.True(w.t, s.owner == "" || s.owner == r.Owner, name)
			break
		}
		for _, allowed := range []error{errKilled, keystoretest.ErrDied, ErrAborted, ErrInDoubt, errLost, errDropped} {
			if errors.Is(err, allowed) {
				err = nil
			}
		}
		require.NoError(w.t, err, name)
		if errors.Is(err, ErrInDoubt) {
			w.clock.Advance(time.Minute)
		}
	}
	d := w.device()
	require.Nil(w.t, d.Pending, name)
	require.Equal(w.t, d.Current.Fingerprint(), w.line.dev.current.Fingerprint(), name)
	require.True(w.t, s.owner == "" || s.owner == d.Current.Owner, name)
	open, err := Journal{w.disk}.Open(w.t.Context())
	require.NoError(w.t, err)
	require.Empty(w.t, open, name)
}

// size gives the messages and writes of an undisturbed run.
func (s scenario) size(t *testing.T) (first, messages, writes int) {
	w := newWorld(t)
	s.prepare(w)
	clear(w.line.faults)
	first = w.line.count
	b := keystoretest.New(w.disk, -1, false)
	finishUp(w, s, b, s.name)
	return first, w.line.count - first, b.Writes()
}

// TestEveryMessageDisturbed does each thing that can happen to a message to
// each message, and to each pair of messages.
func TestEveryMessageDisturbed(t *testing.T) {
	runs, pairs, seen := 0, 0, states{}
	for _, s := range scenarios {
		first, messages, _ := s.size(t)
		messages += 4 // what follows a disturbance
		for m1 := range messages {
			for f1 := range faults {
				for m2 := m1; m2 < messages; m2++ {
					for f2 := range faults {
						if m2 == m1 && f2 != f1 || testing.Short() && m2 != m1 {
							continue
						}
						if pairs++; m2 != m1 && pairs%thinned != 0 {
							continue
						}
						w := newWorld(t)
						s.prepare(w)
						w.states = seen
						clear(w.line.faults)
						w.line.faults[first+m2] = f2
						w.line.faults[first+m1] = f1
						finishUp(w, s, keystoretest.New(w.disk, -1, false),
							fmt.Sprintf("%s: %v at message %d, %v at %d", s.name, f1, m1, f2, m2))
						runs++
					}
				}
			}
		}
	}
	t.Logf("%d runs, %d distinct states between them", runs, len(seen))
}

// TestDeathAtEveryWrite kills the gateway before and after each write to its
// disk, and beside it does each thing to each message.
func TestDeathAtEveryWrite(t *testing.T) {
	runs, pairs, seen := 0, 0, states{}
	for _, s := range scenarios {
		first, messages, writes := s.size(t)
		for at := range writes + 2 {
			for _, after := range []bool{false, true} {
				for m := -1; m < messages+3; m++ {
					for f := range faults {
						if m < 0 && f > 0 || testing.Short() && m >= 0 {
							continue
						}
						if pairs++; m >= 0 && pairs%thinned != 0 {
							continue
						}
						w := newWorld(t)
						s.prepare(w)
						w.states = seen
						clear(w.line.faults)
						if m >= 0 {
							w.line.faults[first+m] = f
						}
						finishUp(w, s, keystoretest.New(w.disk, at, after),
							fmt.Sprintf("%s: killed at write %d (after %v), %v at message %d", s.name, at, after, f, m))
						runs++
					}
				}
			}
		}
	}
	t.Logf("%d runs, %d distinct states between them", runs, len(seen))
}
