package rekey

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"smets1/gateway/keystore"
	"smets1/internal/clock"
	"smets1/internal/wire"
)

// Errors that callers decide by. They are wrapped with the device and the cause.
var (
	// ErrNoKeyOpens: the device answers and refuses every set in the store.
	ErrNoKeyOpens = errors.New("no key set in the store opens the device")
	// ErrAborted: the change ended with the device and the store back at the
	// old set; it may be tried again.
	ErrAborted = errors.New("the change of keys was rolled back")
	// ErrInDoubt: a commit may have been sent, and the device cannot be asked.
	// Both sets are kept; the same operation again asks first and settles it.
	ErrInDoubt = errors.New("the keys may or may not have been committed")
	// ErrOldAccepted: the device committed and still opens under the old set.
	ErrOldAccepted = errors.New("the device still accepts the old keys")
)

// Config is what a Rekeyer works with.
type Config struct {
	Keys    *keystore.Store
	Journal Journal
	// Clock stamps and waits. Nil means the machine's.
	Clock clock.Clock
	// Random makes keys. Nil means the machine's.
	Random io.Reader
	// Patience is how long to ask a device that does not answer before giving
	// up. Zero means 10 minutes.
	Patience time.Duration
	// Wait is the time between two such questions. Zero means 15 s.
	Wait time.Duration
	// Progress, if not nil, is told each step as it is written down.
	Progress func(Entry)
}

// Rekeyer changes keys. It is safe for concurrent use on different devices; on
// one device the caller lets one operation run at a time, and a second process
// is noticed by the journal.
type Rekeyer struct{ c Config }

// New gives a Rekeyer.
func New(c Config) *Rekeyer {
	if c.Clock == nil {
		c.Clock = clock.Real()
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.Patience <= 0 {
		c.Patience = 10 * time.Minute
	}
	if c.Wait <= 0 {
		c.Wait = 15 * time.Second
	}
	if c.Progress == nil {
		c.Progress = func(Entry) {}
	}
	return &Rekeyer{c}
}

// Result says which set opens a device now, and how it came to it.
type Result struct {
	Set         keystore.Generation
	Fingerprint string
	Owner       string
	Version     uint32
	FromVersion uint32 // of the set before; equal to Version if nothing changed
	Step        Step   // last step reached
	OldRefused  bool   // the old set was tried and refused
	Already     bool   // nothing had to be done
}

func (r *Result) fill(g keystore.Generation, s *keystore.Set) {
	r.Set, r.Fingerprint, r.Owner, r.Version = g, s.Fingerprint(), s.Owner, s.Version
	if r.FromVersion == 0 {
		r.FromVersion = s.Version
	}
}

// run is one operation on one device.
type run struct {
	Config
	eui    wire.EUI64
	target Target
	entry  Entry
	rev    uint64
	result Result
}

func (k *Rekeyer) begin(ctx context.Context, eui wire.EUI64, t Target) (*run, error) {
	r := &run{Config: k.c, eui: eui, target: t}
	var err error
	r.entry, r.rev, err = r.Journal.get(ctx, eui)
	return r, err
}

// Takeover gives the device fresh keys of an owner. If the owner's keys are in
// force already, it proves that and changes nothing. It first settles a change
// that was begun before.
//
// Errors: ErrNoKeyOpens, ErrAborted, ErrInDoubt, ErrOldAccepted, and the
// target's own when the device could not be reached. The result says how far it
// got, with an error too.
func (k *Rekeyer) Takeover(ctx context.Context, eui wire.EUI64, t Target, owner string) (Result, error) {
	r, err := k.begin(ctx, eui, t)
	if err != nil {
		return Result{}, err
	}
	err = r.takeover(ctx, owner)
	return r.result, r.explain(err)
}

func (r *run) takeover(ctx context.Context, owner string) error {
	settled, err := r.settle(ctx)
	if err != nil {
		return err
	}
	d, err := r.Keys.Get(ctx, r.eui)
	if err != nil {
		return err
	}
	if d.Current == nil {
		return fmt.Errorf("there is no current key set: %w", keystore.ErrUnknownDevice)
	}
	if d.Current.Owner == owner {
		return r.confirm(ctx, !settled)
	}
	set, err := keystore.Generate(r.Random, owner, d.Current.Version+1, r.Clock.Now())
	if err != nil {
		return err
	}
	return r.change(ctx, Takeover, set)
}

// Rollback brings the device back under the set that the last Takeover replaced.
// If a takeover is under way and not committed, it makes the device drop the new
// set instead. If the last change was a rollback, or there was none, it proves the
// current set and changes nothing. Errors as for Takeover.
func (k *Rekeyer) Rollback(ctx context.Context, eui wire.EUI64, t Target) (Result, error) {
	r, err := k.begin(ctx, eui, t)
	if err != nil {
		return Result{}, err
	}
	err = r.rollback(ctx)
	return r.result, r.explain(err)
}

func (r *run) rollback(ctx context.Context) error {
	if r.entry.open() && r.entry.Op == Takeover {
		undone, err := r.undo(ctx)
		if err != nil || undone {
			return err
		}
	}
	if _, err := r.settle(ctx); err != nil {
		return err
	}
	d, err := r.Keys.Get(ctx, r.eui)
	if err != nil {
		return err
	}
	// What is to be undone is a takeover that was completed, or is still
	// because undoing it was rolled back itself.
	var replaced string
	switch e := &r.entry; {
	case e.Op == Takeover && e.Step == StepDone:
		replaced = e.To
	case e.Op == Rollback && e.Step == StepAborted:
		replaced = e.From
	}
	if d.Previous == nil || d.Current == nil || replaced == "" || d.Current.Fingerprint() != replaced {
		return r.confirm(ctx, true)
	}
	set := *d.Previous
	set.Version = d.Current.Version + 1
	return r.change(ctx, Rollback, set)
}

// Repair ends a change that was begun before, one way or the other, and has the
// store follow a device that went back to its previous set; it never begins a
// change. The result's Already says that nothing was to be done. Errors as for
// Takeover, but for ErrAborted.
func (k *Rekeyer) Repair(ctx context.Context, eui wire.EUI64, t Target) (Result, error) {
	r, err := k.begin(ctx, eui, t)
	if err != nil {
		return Result{}, err
	}
	acted, err := r.settle(ctx)
	if err == nil {
		err = r.confirm(ctx, !acted)
	}
	if errors.Is(err, ErrAborted) { // the store followed the device
		r.result.Already, err = false, nil
	}
	return r.result, r.explain(err)
}

// explain adds the device.
func (r *run) explain(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("rekey: device %s: %w", r.eui, err)
}

// note writes a step down and returns when it is on disk.
func (r *run) note(ctx context.Context, s Step) error {
	e := r.entry
	e.Step, e.Changed = s, r.Clock.Now()
	rev, err := r.Journal.put(ctx, e, r.rev)
	if err != nil {
		return err
	}
	r.entry, r.rev, r.result.Step = e, rev, s
	r.Progress(e)
	return nil
}

// change runs the whole sequence for a new set. The store has no pending set.
func (r *run) change(ctx context.Context, op Op, set keystore.Set) error {
	d, err := r.Keys.Get(ctx, r.eui)
	if err != nil {
		return err
	}
	old := d.Current
	r.result.FromVersion = old.Version

	// The device must open under the set that the store holds for current
	// before anything is begun: this is the last moment to find a drift.
	a, err := r.open(ctx, *old)
	if err != nil {
		if errors.Is(err, ErrKeyRefused) {
			return r.drift(ctx)
		}
		return err
	}
	r.result.fill(keystore.Current, old)
	lost, err := r.transfer(ctx, a, op, *old, set)
	// Closed before the next is opened: a device may take one at a time.
	a.Close(ctx)
	if err != nil {
		return err
	}
	return r.resolve(ctx, lost)
}

// transfer goes as far as the device's answer to the new set. lost is why that
// answer did not come.
func (r *run) transfer(ctx context.Context, a Association, op Op, old, set keystore.Set) (lost, err error) {

	now := r.Clock.Now()
	r.entry = Entry{
		Device: r.eui, Op: op, Owner: set.Owner, From: old.Fingerprint(), To: set.Fingerprint(), Started: now, Attempts: 1,
	}
	if err := r.note(ctx, StepSeal); err != nil {
		return nil, err
	}
	if err := r.Keys.Stage(ctx, r.eui, set); err != nil {
		return nil, err
	}
	if err := r.note(ctx, StepTransfer); err != nil {
		return nil, err
	}
	if err := a.Transfer(ctx, set); err != nil {
		var refused *RefusedError
		if errors.As(err, &refused) {
			return nil, r.abort(ctx, a, old, err)
		}
		return err, nil
	}
	return nil, r.note(ctx, StepProve)
}

// settle ends a change that was begun before, one way or the other; acted
// reports whether there was one. A set that the device dropped is no error here: the
// caller may begin anew.
func (r *run) settle(ctx context.Context) (acted bool, err error) {
	d, err := r.Keys.Get(ctx, r.eui)
	if err != nil {
		return false, err
	}
	switch {
	case d.Pending != nil:
		if fp := d.Pending.Fingerprint(); r.entry.To != fp || !r.entry.open() {
			// Sealed without a journal, as after a restore of the journal from
			// a backup. What was intended is not known, so assume the most.
			r.entry = Entry{
				Device: r.eui, Op: Takeover, Owner: d.Pending.Owner, To: fp, Step: StepCommit, Started: r.Clock.Now(),
			}
			if d.Current != nil {
				r.entry.From = d.Current.Fingerprint()
			}
		}
	case r.entry.open() && d.Current != nil && d.Current.Fingerprint() == r.entry.To:
		// Promoted; only the last proof and the note are missing.
		r.entry.Attempts++
		return true, r.finish(ctx)
	case r.entry.open():
		// The set was never sealed, or was dropped: nothing is under way.
		return false, r.note(ctx, StepAborted)
	default:
		return false, nil
	}
	r.entry.Attempts++
	if d.Current != nil {
		r.result.FromVersion = d.Current.Version
	}
	if err := r.resolve(ctx, nil); err != nil && !errors.Is(err, ErrAborted) {
		return true, err
	}
	return true, nil
}

// resolve asks the device where a change stands and brings it to its end.
// cause is why there is a doubt, nil if there is none.
func (r *run) resolve(ctx context.Context, cause error) error {
	for tries := 1; ; tries++ {
		d, err := r.Keys.Get(ctx, r.eui)
		if err != nil {
			return err
		}
		if d.Pending == nil {
			return fmt.Errorf("the pending set is gone from the store")
		}
		a, err := r.open(ctx, *d.Pending)
		if errors.Is(err, ErrKeyRefused) {
			if cause == nil {
				cause = errors.New("the device dropped the new keys: its window lapsed or its power failed")
			}
			err := r.fallBack(ctx, d, cause)
			if errors.Is(err, ErrNoKeyOpens) && tries == 1 {
				// A transfer that was late may have arrived between the two
				// questions: the first set again.
				continue
			}
			return err
		}
		if err != nil {
			return r.doubt(err)
		}
		if err := r.Keys.Proved(ctx, r.eui, r.entry.To, r.Clock.Now()); err != nil {
			a.Close(ctx)
			return err
		}
		state, err := a.Change(ctx)
		if err != nil {
			a.Close(ctx)
			if tries >= maxTries || ctx.Err() != nil {
				return r.doubt(err)
			}
			cause = err
			continue // ask again under a fresh association
		}
		if !state.Supervised || state.State == Idle {
			a.Close(ctx)
			return r.promote(ctx)
		}
		if tries >= maxTries {
			a.Close(ctx)
			return r.doubt(fmt.Errorf("the commit has no effect: %w", cause))
		}
		if err := r.note(ctx, StepCommit); err != nil {
			a.Close(ctx)
			return err
		}
		err = a.Commit(ctx)
		a.Close(ctx)
		if err == nil {
			return r.promote(ctx)
		}
		cause = err // refused because it happened already, or lost: ask
	}
}

// maxTries is how often the device is asked, and given another commit if it
// says that none has arrived.
const maxTries = 6

// doubt gives the honest error for a device that cannot be asked.
func (r *run) doubt(err error) error {
	if r.entry.Step == StepCommit {
		return fmt.Errorf("%w: %w", ErrInDoubt, err)
	}
	return err
}

// fallBack is for a device that refuses the pending set.
func (r *run) fallBack(ctx context.Context, d keystore.Device, cause error) error {
	for _, g := range []keystore.Generation{keystore.Current, keystore.Previous} {
		set := d.Set(g)
		if set == nil || set.Fingerprint() == r.entry.To {
			continue
		}
		a, err := r.open(ctx, *set)
		if errors.Is(err, ErrKeyRefused) {
			continue
		}
		if err != nil {
			return r.doubt(err)
		}
		err = r.abort(ctx, a, *set, cause)
		a.Close(ctx)
		return err
	}
	err := fmt.Errorf("%w (%w)", ErrNoKeyOpens, cause)
	if r.entry.Step == StepCommit {
		return fmt.Errorf("%w: %w", ErrInDoubt, err)
	}
	return err
}

// abort drops the pending set, once the device has said under opens, the set
// of association a, that it does not hold it any more. Until then a commit that
// is late on its way could still make it the only one.
func (r *run) abort(ctx context.Context, a Association, opens keystore.Set, cause error) error {
	for reverted := false; ; reverted = true {
		state, err := a.Change(ctx)
		if err != nil {
			return r.doubt(errors.Join(err, cause))
		}
		if !state.Supervised || state.State == Idle {
			break
		}
		if reverted {
			return r.doubt(fmt.Errorf("the device does not drop the new keys: %w", cause))
		}
		if err := a.Revert(ctx); err != nil {
			return r.doubt(errors.Join(err, cause))
		}
	}
	if err := r.Keys.Proved(ctx, r.eui, opens.Fingerprint(), r.Clock.Now()); err != nil {
		return err
	}
	if err := r.Keys.Drop(ctx, r.eui, r.entry.To); err != nil {
		return err
	}
	if err := r.Keys.Revert(ctx, r.eui, opens.Fingerprint()); err != nil {
		return err
	}
	if err := r.note(ctx, StepAborted); err != nil {
		return err
	}
	r.result.fill(keystore.Current, &opens)
	return fmt.Errorf("%w: %w", ErrAborted, cause)
}

func (r *run) promote(ctx context.Context) error {
	if err := r.note(ctx, StepPromote); err != nil {
		return err
	}
	if err := r.Keys.Promote(ctx, r.eui, r.entry.To); err != nil {
		return err
	}
	return r.finish(ctx)
}

// finish proves that the old set is refused and ends the journal's entry. The
// new set is current.
func (r *run) finish(ctx context.Context) error {
	d, err := r.Keys.Get(ctx, r.eui)
	if err != nil {
		return err
	}
	r.result.fill(keystore.Current, d.Current)
	proof := r.proveOldRefused(ctx, d)
	if proof != nil && !errors.Is(proof, ErrOldAccepted) {
		return proof // the change stands; the same operation again ends it
	}
	if err := r.note(ctx, StepDone); err != nil {
		return err
	}
	return proof
}

// proveOldRefused tries the set that the last change replaced.
func (r *run) proveOldRefused(ctx context.Context, d keystore.Device) error {
	if d.Previous == nil || d.Previous.Fingerprint() != r.entry.From || d.Current.Fingerprint() != r.entry.To {
		return nil
	}
	a, err := r.open(ctx, *d.Previous)
	if err == nil {
		a.Close(ctx)
		return ErrOldAccepted
	}
	if !errors.Is(err, ErrKeyRefused) {
		return err
	}
	r.result.OldRefused = true
	r.result.FromVersion = d.Previous.Version
	return nil
}

// confirm proves that the current set opens the device.
func (r *run) confirm(ctx context.Context, already bool) error {
	d, err := r.Keys.Get(ctx, r.eui)
	if err != nil {
		return err
	}
	if d.Current == nil {
		return fmt.Errorf("there is no current key set: %w", keystore.ErrUnknownDevice)
	}
	a, err := r.open(ctx, *d.Current)
	if errors.Is(err, ErrKeyRefused) {
		return r.drift(ctx)
	}
	if err != nil {
		return err
	}
	a.Close(ctx)
	r.result.fill(keystore.Current, d.Current)
	r.result.Already = already
	if r.result.Step == "" {
		r.result.Step = StepDone
	}
	if err := r.Keys.Proved(ctx, r.eui, d.Current.Fingerprint(), r.Clock.Now()); err != nil {
		return err
	}
	if r.result.OldRefused {
		return nil // seen a moment ago
	}
	return r.proveOldRefused(ctx, d)
}

// drift is for a device that refuses the current set while no change is under
// way: if the previous set opens it, the store follows the device.
func (r *run) drift(ctx context.Context) error {
	d, err := r.Keys.Get(ctx, r.eui)
	if err != nil {
		return err
	}
	if d.Previous == nil {
		return ErrNoKeyOpens
	}
	a, err := r.open(ctx, *d.Previous)
	if errors.Is(err, ErrKeyRefused) {
		return ErrNoKeyOpens
	}
	if err != nil {
		return err
	}
	a.Close(ctx)
	fp := d.Previous.Fingerprint()
	if err := r.Keys.Proved(ctx, r.eui, fp, r.Clock.Now()); err != nil {
		return err
	}
	if err := r.Keys.Revert(ctx, r.eui, fp); err != nil {
		return err
	}
	r.result.fill(keystore.Current, d.Previous)
	return fmt.Errorf("%w: the device had gone back to its previous keys, and the store now has them as current", ErrAborted)
}

// undo makes the device drop the set of a takeover that is not committed.
// undone is false if it turned out to be committed.
func (r *run) undo(ctx context.Context) (undone bool, err error) {
	d, err := r.Keys.Get(ctx, r.eui)
	if err != nil {
		return false, err
	}
	if d.Pending == nil || d.Pending.Fingerprint() != r.entry.To || d.Current == nil {
		return false, nil
	}
	a, err := r.open(ctx, *d.Current)
	if errors.Is(err, ErrKeyRefused) {
		return false, nil // committed, or drifted: settle finds out
	}
	if err != nil {
		return false, r.doubt(err)
	}
	defer a.Close(ctx)
	r.result.FromVersion = d.Current.Version
	err = r.abort(ctx, a, *d.Current, errors.New("a takeover under way was undone"))
	if errors.Is(err, ErrAborted) {
		err = nil
	}
	return err == nil, err
}

// open opens an association, and asks again while the device does not answer.
func (r *run) open(ctx context.Context, set keystore.Set) (Association, error) {
	deadline := r.Clock.Now().Add(r.Patience)
	for {
		a, err := r.target.Open(ctx, set)
		if err == nil || errors.Is(err, ErrKeyRefused) {
			return a, err
		}
		if errors.Is(err, ErrUnreachable) || ctx.Err() != nil || !r.Clock.Now().Before(deadline) {
			return nil, err
		}
		if serr := r.Clock.Sleep(ctx, r.Wait); serr != nil {
			return nil, errors.Join(err, serr)
		}
	}
}

// ErrUnreachable is what Target.Open reports (wrapped) when it has tried long
// enough by itself, so that asking again at once is of no use.
var ErrUnreachable = errors.New("the device could not be reached")

// Proof is what one stored set came to.
type Proof struct {
	Set         keystore.Generation
	Fingerprint string
	Owner       string
	Version     uint32
	Opens       bool
}

// Prove tries the stored sets on the device, current first, and says which open
// it. It notes the proofs in the store and changes nothing on the device. If none
// opens it, the error is ErrNoKeyOpens; an error of the target ends it at once.
func (k *Rekeyer) Prove(ctx context.Context, eui wire.EUI64, t Target) ([]Proof, error) {
	r, err := k.begin(ctx, eui, t)
	if err != nil {
		return nil, err
	}
	d, err := r.Keys.Get(ctx, eui)
	if err != nil {
		return nil, err
	}
	var all []Proof
	opens := false
	for _, g := range []keystore.Generation{keystore.Current, keystore.Pending, keystore.Previous} {
		set := d.Set(g)
		if set == nil {
			continue
		}
		p := Proof{Set: g, Fingerprint: set.Fingerprint(), Owner: set.Owner, Version: set.Version}
		a, err := r.open(ctx, *set)
		switch {
		case err == nil:
			a.Close(ctx)
			p.Opens, opens = true, true
			if err := r.Keys.Proved(ctx, eui, p.Fingerprint, r.Clock.Now()); err != nil {
				return all, r.explain(err)
			}
		case !errors.Is(err, ErrKeyRefused):
			return all, r.explain(err)
		}
		all = append(all, p)
	}
	if !opens {
		return all, r.explain(ErrNoKeyOpens)
	}
	return all, nil
}
