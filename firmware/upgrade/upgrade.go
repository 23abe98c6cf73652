package upgrade

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"smets1/firmware"
	"smets1/internal/clock"
)

// Config says how to run the sequence.
type Config struct {
	// Clock stamps and waits. Nil means the machine's.
	Clock clock.Clock
	// Checkpoint keeps the state over a restart. Nil means it is not kept:
	// the next run asks the device and, if unsure, begins anew.
	Checkpoint Checkpoint
	// Progress, if not nil, is called after each step and each block.
	Progress func(Progress)
	// Attempts is how many failures in a row, without progress between them,
	// end the upgrade. Zero means 5.
	Attempts int
	// Poll is the time between two questions while the device is busy. Zero
	// means 2 s.
	Poll time.Duration
	// Busy is how long the device may take to verify or to activate. Zero
	// means 10 minutes.
	Busy time.Duration
}

// Progress is how far an upgrade is.
type Progress struct {
	Step   Step
	Done   int // blocks the device has
	Blocks int // blocks in all; zero until it is known
}

// RefusedError is the device's no.
type RefusedError struct {
	Step   Step
	Reason string // the device's, or what its answer means
}

// Error implements error.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("firmware upgrade: the device refused at step %s: %s", e.Step, e.Reason)
}

// ErrNotRunning is what Run reports (wrapped) when the device came back with
// another version than the image's.
var ErrNotRunning = errors.New("the device does not run the new version")

// ErrDisabled is what Run reports when the device takes no images.
var ErrDisabled = errors.New("firmware upgrade: image transfer is disabled on the device: enable it first (class 18, attribute 5)")

type run struct {
	Config
	target Target
	image  []byte
	header firmware.Header
	state  State
	sent   map[int]bool // blocks sent in this run
	done   int
}

// Run brings the device to the encoded image and returns the evidence, also
// with an error as far as it goes. It continues what the checkpoint says was
// begun with the same image; a checkpoint of another image is overwritten.
//
// Errors: *RefusedError, ErrNotRunning, ErrDisabled, the target's own, and
// ctx's.
func Run(ctx context.Context, c Config, t Target, image []byte) (Evidence, error) {
	h, _, err := firmware.ParseHeader(image)
	if err != nil {
		return Evidence{}, err
	}
	if c.Clock == nil {
		c.Clock = clock.Real()
	}
	if c.Checkpoint == nil {
		c.Checkpoint = &Memory{}
	}
	if c.Progress == nil {
		c.Progress = func(Progress) {}
	}
	if c.Attempts <= 0 {
		c.Attempts = 5
	}
	if c.Poll <= 0 {
		c.Poll = 2 * time.Second
	}
	if c.Busy <= 0 {
		c.Busy = 10 * time.Minute
	}
	r := &run{Config: c, target: t, image: image, header: h, sent: map[int]bool{}}
	err = r.run(ctx)
	if err != nil && r.state.Step != StepStart {
		// The counts are worth keeping; the failure is worth more than a
		// second failure to keep them.
		_ = r.Checkpoint.Save(context.WithoutCancel(ctx), r.state)
	}
	return r.state.Evidence, err
}

func (r *run) run(ctx context.Context) error {
	digest := firmware.DigestOf(r.image)
	kept, err := r.Checkpoint.Load(ctx)
	if err != nil {
		return fmt.Errorf("firmware upgrade: load checkpoint: %w", err)
	}
	if kept.Evidence.Image == digest && kept.Step != StepStart {
		r.state = kept
		r.state.Evidence.Resumed++
	} else {
		r.state.Evidence = Evidence{
			Image: digest, Signer: r.header.Signer, ToVersion: r.header.Version, Started: r.Clock.Now(),
		}
	}

	var version string
	if err := r.ask(ctx, func() (err error) { version, err = r.target.Version(ctx); return err }); err != nil {
		return err
	}
	if version == r.header.Version {
		// It may be on trial: then it is not there yet.
		status, err := r.status(ctx)
		if err != nil {
			return err
		}
		if status == ActivationInitiated {
			return r.await(ctx)
		}
		r.state.Evidence.Already = r.state.Step == StepStart
		return r.finish(ctx, version)
	}
	if r.state.Evidence.FromVersion == "" {
		r.state.Evidence.FromVersion = version
	}
	if err := r.prepare(ctx); err != nil {
		return err
	}
	return r.activate(ctx)
}

// ask repeats a question that changes nothing on the device.
func (r *run) ask(ctx context.Context, f func() error) error {
	var refused *RefusedError
	for attempt := 1; ; attempt++ {
		err := f()
		if err == nil || errors.As(err, &refused) || attempt >= r.Attempts {
			return err
		}
		if serr := r.Clock.Sleep(ctx, r.Poll); serr != nil {
			return errors.Join(err, serr)
		}
	}
}

func (r *run) save(ctx context.Context, s Step) error {
	r.state.Step = s
	if err := r.Checkpoint.Save(ctx, r.state); err != nil {
		return fmt.Errorf("firmware upgrade: save checkpoint at step %s: %w", s, err)
	}
	r.Progress(Progress{Step: s, Done: r.done, Blocks: r.state.Evidence.Blocks})
	return nil
}

func (r *run) status(ctx context.Context) (s Status, err error) {
	err = r.ask(ctx, func() (err error) { s, err = r.target.Status(ctx); return err })
	return s, err
}

// prepare ends with our image on the device, verified by it.
func (r *run) prepare(ctx context.Context) error {
	status, err := r.status(ctx)
	if err != nil {
		return err
	}
	// A partial image is taken for ours only if we began it: the device does
	// not say whose blocks it has. Its check at the end covers a mistake.
	ours := r.state.Step != StepStart
	resumed := false
	switch status {
	case ActivationOK:
		if r.state.Step == StepActivate {
			return nil // it happened since the version was read
		}
	case VerifyOK, ActivationInitiated, ActivationFailed:
		if held, err := r.holdsOurs(ctx); err != nil || held {
			return err
		}
	case Initiated, VerifyInitiated, VerifyFailed:
		// After a failed check it is not known which block was bad: a clean
		// transfer, unless the check was not ours.
		resumed = ours && status != VerifyFailed
	default: // nothing is there
	}
	if resumed {
		err := r.transferAndVerify(ctx, status)
		var refused *RefusedError
		if err == nil || !errors.As(err, &refused) {
			return err
		}
		// The blocks from before the stop may not have been what we sent, or
		// they are gone.
	}
	for attempt := 1; ; attempt++ {
		if err := r.initiate(ctx); err != nil {
			return err
		}
		err := r.transferAndVerify(ctx, Initiated)
		var refused *RefusedError
		if err == nil || !errors.As(err, &refused) || refused.Step == StepVerify || attempt >= r.Attempts {
			return err
		}
		// It refused a block. If it forgot the transfer, as some do when the
		// power goes, begin again; else it meant it.
		if status, serr := r.status(ctx); serr != nil || status == Initiated {
			return err
		}
	}
}

func (r *run) initiate(ctx context.Context) error {
	var enabled bool
	if err := r.ask(ctx, func() (err error) { enabled, err = r.target.Enabled(ctx); return err }); err != nil {
		return err
	}
	if !enabled {
		return ErrDisabled
	}
	if err := r.save(ctx, StepInitiate); err != nil {
		return err
	}
	// Repeating it only forgets blocks that are about to be sent anyway.
	return r.ask(ctx, func() error {
		return r.target.Initiate(ctx, r.state.Evidence.Image[:], len(r.image))
	})
}

func (r *run) transferAndVerify(ctx context.Context, status Status) error {
	if status == Initiated {
		if err := r.transfer(ctx); err != nil {
			return err
		}
	}
	if err := r.save(ctx, StepVerify); err != nil {
		return err
	}
	return r.verify(ctx, status)
}

// transfer sends what the device lacks: all from the first missing block on in
// one go, then what is still missing one by one.
func (r *run) transfer(ctx context.Context) error {
	var size int
	if err := r.ask(ctx, func() (err error) { size, err = r.target.BlockSize(ctx); return err }); err != nil {
		return err
	}
	if size <= 0 {
		return &RefusedError{StepInitiate, fmt.Sprintf("it says its block size is %d", size)}
	}
	blocks := firmware.Blocks(len(r.image), size)
	r.state.Evidence.BlockSize, r.state.Evidence.Blocks = size, blocks

	idle := 0 // questions in a row that found nothing new on the device
	for whole := true; ; whole = false {
		var first int
		if err := r.ask(ctx, func() (err error) { first, err = r.target.FirstMissing(ctx); return err }); err != nil {
			return err
		}
		if first >= blocks {
			r.done = blocks
			return nil
		}
		if first > r.done || whole {
			idle = 0
		} else if idle++; idle > r.Attempts {
			return fmt.Errorf("firmware upgrade: block %d of %d was sent %d times and the device still lacks it", first, blocks, idle)
		}
		r.done = max(first, 0)
		end := r.done + 1
		if whole {
			end = blocks
		}
		for n := r.done; n < end; n++ {
			if err := r.send(ctx, n, size); err != nil {
				return err
			}
			if whole {
				r.done = n + 1
			}
			r.Progress(Progress{Step: StepInitiate, Done: r.done, Blocks: blocks})
		}
		if whole {
			r.done = first // what the device says counts
		}
	}
}

func (r *run) send(ctx context.Context, n, size int) error {
	block := firmware.Block(r.image, size, n)
	return r.ask(ctx, func() error {
		r.state.Evidence.Sent++
		if r.sent[n] {
			r.state.Evidence.Resent++
		}
		r.sent[n] = true
		err := r.target.Send(ctx, n, block)
		if refused := r.refused(ctx, err); refused != nil {
			return refused
		}
		return err
	})
}

// verify starts the device's check unless it is running, and waits for it.
func (r *run) verify(ctx context.Context, status Status) error {
	if status != VerifyInitiated {
		if err := r.target.Verify(ctx); err != nil {
			if refused := r.refused(ctx, err); refused != nil {
				return refused
			}
			if ctx.Err() != nil {
				return err
			}
			// Else the answer may be lost; the status knows.
		}
	}
	deadline := r.Clock.Now().Add(r.Busy)
	restarted := false
	for {
		status, err := r.status(ctx)
		if err != nil {
			return err
		}
		switch status {
		case VerifyOK:
			if held, err := r.holdsOurs(ctx); err != nil || held {
				return err
			}
			return &RefusedError{StepVerify, "it holds another image ready for activation"}
		case VerifyFailed:
			return &RefusedError{StepVerify, r.reason(ctx)}
		case Initiated:
			// The request was lost on the way there.
			if restarted {
				return &RefusedError{StepVerify, "it does not begin the verification"}
			}
			restarted = true
			if err := r.target.Verify(ctx); err != nil {
				if refused := r.refused(ctx, err); refused != nil {
					return refused
				}
			}
			continue
		case VerifyInitiated:
		default:
			return &RefusedError{StepVerify, "its status became " + status.String()}
		}
		if !r.Clock.Now().Before(deadline) {
			return fmt.Errorf("firmware upgrade: verification took longer than %v", r.Busy)
		}
		if err := r.Clock.Sleep(ctx, r.Poll); err != nil {
			return err
		}
	}
}

// refused gives err with the device's reason if it is a refusal, else nil.
func (r *run) refused(ctx context.Context, err error) error {
	var refused *RefusedError
	if !errors.As(err, &refused) {
		return nil
	}
	refused.Step = r.state.Step
	if reason := r.reason(ctx); reason != noReason || refused.Reason == "" {
		refused.Reason = reason
	}
	return err
}

const noReason = "it gives no reason"

func (r *run) reason(ctx context.Context) string {
	if s, err := r.target.Reason(ctx); err == nil && s != "" {
		return s
	}
	return noReason
}

// holdsOurs reports whether the image the device holds ready is ours. A device
// that does not say is believed only if it was us who began.
func (r *run) holdsOurs(ctx context.Context) (bool, error) {
	var staged []Staged
	if err := r.ask(ctx, func() (err error) { staged, err = r.target.Staged(ctx); return err }); err != nil {
		return false, err
	}
	if len(staged) == 0 {
		return r.state.Step == StepVerify || r.state.Step == StepActivate, nil
	}
	for _, s := range staged {
		if int(s.Size) == len(r.image) && bytes.Equal(s.Identifier, r.state.Evidence.Image[:]) {
			return true, nil
		}
	}
	return false, nil
}

// activate switches the device and reads the version back. The device holds
// our image, verified; it does not run it.
func (r *run) activate(ctx context.Context) error {
	status, err := r.status(ctx)
	if err != nil {
		return err
	}
	switch status {
	case ActivationFailed, VerifyOK:
		if err := r.start(ctx, status); err != nil {
			return err
		}
	default: // it is under way, or was: the version knows
	}
	return r.await(ctx)
}

// maxFallbacks is after how many returns to the old image the device's word is
// taken: one whose power failed deserves another activation, one that goes back
// by itself does not deserve a third.
const maxFallbacks = 2

// start sends an activation; status is what the device says before it.
func (r *run) start(ctx context.Context, status Status) error {
	e := &r.state.Evidence
	if status == ActivationFailed {
		if e.Fallbacks++; e.Fallbacks >= maxFallbacks {
			return &RefusedError{StepActivate, r.reason(ctx)}
		}
	}
	e.Activated = r.Clock.Now()
	if err := r.save(ctx, StepActivate); err != nil {
		return err
	}
	return r.sendActivate(ctx)
}

func (r *run) sendActivate(ctx context.Context) error {
	err := r.target.Activate(ctx)
	if refused := r.refused(ctx, err); refused != nil {
		return refused
	}
	if err != nil && ctx.Err() != nil {
		return err
	}
	// Else the answer may be lost, or the device restarted before it gave one;
	// the version knows.
	return nil
}

// await waits for the restart, for the version, and for the device to say that
// the version stays.
func (r *run) await(ctx context.Context) error {
	deadline := r.Clock.Now().Add(r.Busy)
	for repeated := false; ; {
		if err := r.ask(ctx, func() error { return r.target.AwaitRestart(ctx) }); err != nil {
			return err
		}
		// The status before the version: the other way round, the switch may
		// happen between the two questions and look like a failure.
		status, err := r.status(ctx)
		if err != nil {
			return err
		}
		var version string
		if err := r.ask(ctx, func() (err error) { version, err = r.target.Version(ctx); return err }); err != nil {
			return err
		}
		if version == r.header.Version && status != ActivationInitiated && status != ActivationFailed {
			return r.finish(ctx, version)
		}
		switch status {
		case ActivationFailed:
			held, err := r.holdsOurs(ctx)
			if err != nil {
				return err
			}
			if !held {
				return &RefusedError{StepActivate, r.reason(ctx)}
			}
			if err := r.start(ctx, status); err != nil {
				return err
			}
			deadline = r.Clock.Now().Add(r.Busy)
			continue
		case VerifyOK:
			// The request was lost on the way there.
			if repeated {
				return &RefusedError{StepActivate, "it does not begin the activation"}
			}
			repeated = true
			if err := r.sendActivate(ctx); err != nil {
				return err
			}
			continue
		case ActivationInitiated:
		default:
			return fmt.Errorf("firmware upgrade: %w: want %s, it runs %s (transfer %s)", ErrNotRunning, r.header.Version, version, status)
		}
		if !r.Clock.Now().Before(deadline) {
			return fmt.Errorf("firmware upgrade: %w after %v: want %s, it runs %s (transfer %s)", ErrNotRunning, r.Busy, r.header.Version, version, status)
		}
		if err := r.Clock.Sleep(ctx, r.Poll); err != nil {
			return err
		}
	}
}

func (r *run) finish(ctx context.Context, version string) error {
	e := &r.state.Evidence
	if e.FromVersion == "" {
		e.FromVersion = version
	}
	e.Finished = r.Clock.Now()
	return r.save(ctx, StepDone)
}
