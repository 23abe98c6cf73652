package upgrade

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/firmware"
	"smets1/internal/clock"
)

// lost is a message that did not arrive, there or back.
var errLost = fmt.Errorf("no answer: %w", os.ErrDeadlineExceeded)

// errKilled stands for the death of the gateway: nothing more is done.
var errKilled = errors.New("killed")

type fault int

const (
	loseRequest fault = iota
	loseReply
	killBefore
	killAfter
	powerCut // the device forgets the transfer before the message arrives; a new image on trial goes
	faults
)

// fakeMeter follows the rules of a device with class 18.
type fakeMeter struct {
	version   string
	blockSize int
	device    firmware.Device
	silent    bool // says nothing of the image it holds
	slow      int  // questions during which it is busy

	status      Status
	identifier  []byte
	image       []byte
	have        []bool
	busy        int
	pending     Status // status when no longer busy
	reason      string
	activations int

	messages int
	at       int // message to disturb; negative for none
	fault    fault
	dead     bool
	rot      bool // flip a bit of each block 2 the first time
	trial    int  // questions until the new image confirms itself
	dud      bool // it never does
}

// fallBack is the boot loader starting the bank before.
func (m *fakeMeter) fallBack() {
	m.version, m.device.Version = "1.0", "1.0"
	m.status, m.trial, m.reason = ActivationFailed, 0, "not-confirmed"
}

func newMeter() *fakeMeter {
	return &fakeMeter{
		version: "1.0", blockSize: 16, at: -1,
		device: firmware.Device{
			Type: firmware.ESME, Manufacturer: "X-ACME", Model: "E1", Hardware: 1, Version: "1.0",
			Signers: firmware.SimulatorSigners(),
		},
	}
}

func (m *fakeMeter) message(f func() error) error {
	if m.dead {
		return errKilled
	}
	n := m.messages
	m.messages++
	if n != m.at {
		return f()
	}
	switch m.fault {
	case loseRequest:
		return errLost
	case loseReply:
		_ = f()
		return errLost
	case powerCut:
		if m.trial > 0 {
			m.fallBack()
		} else if m.status != ActivationInitiated {
			m.status, m.image, m.have, m.busy = NotInitiated, nil, nil, 0
		}
		return f()
	case killAfter:
		_ = f()
	default: // killed before
	}
	m.dead = true
	return errKilled
}

func (m *fakeMeter) tick() {
	if m.busy > 0 {
		if m.busy--; m.busy == 0 {
			m.status = m.pending
			if m.status == ActivationOK {
				m.version = m.device.Version
				m.trial = m.slow
				if m.trial > 0 {
					m.status = ActivationInitiated
				}
			}
		}
		return
	}
	if m.trial > 0 {
		if m.trial--; m.trial == 0 {
			if m.status = ActivationOK; m.dud {
				m.fallBack()
			}
		}
	}
}

func (m *fakeMeter) Version(context.Context) (v string, err error) {
	err = m.message(func() error { m.tick(); v = m.version; return nil })
	return v, err
}

func (m *fakeMeter) Enabled(context.Context) (ok bool, err error) {
	err = m.message(func() error { ok = m.blockSize != 0; return nil })
	return ok, err
}

func (m *fakeMeter) BlockSize(context.Context) (n int, err error) {
	err = m.message(func() error { n = m.blockSize; return nil })
	return n, err
}

func (m *fakeMeter) Status(context.Context) (s Status, err error) {
	err = m.message(func() error { m.tick(); s = m.status; return nil })
	return s, err
}

func (m *fakeMeter) Initiate(_ context.Context, id []byte, size int) error {
	return m.message(func() error {
		m.status, m.identifier = Initiated, append([]byte(nil), id...)
		m.image = make([]byte, size)
		m.have = make([]bool, (size+m.blockSize-1)/m.blockSize)
		return nil
	})
}

func (m *fakeMeter) FirstMissing(context.Context) (n int, err error) {
	err = m.message(func() error {
		for n = 0; n < len(m.have) && m.have[n]; n++ {
		}
		return nil
	})
	return n, err
}

func (m *fakeMeter) Send(_ context.Context, n int, b []byte) error {
	return m.message(func() error {
		if m.status != Initiated {
			return &RefusedError{Reason: "no transfer is going on"}
		}
		copy(m.image[n*m.blockSize:], b)
		if n == 2 && m.rot {
			m.rot = false
			m.image[n*m.blockSize] ^= 1
		}
		m.have[n] = true
		return nil
	})
}

func (m *fakeMeter) become(s Status, busy Status) {
	m.pending, m.busy = s, m.slow
	if m.status = busy; m.slow == 0 {
		m.busy = 1
		m.tick()
	}
}

func (m *fakeMeter) Verify(context.Context) error {
	return m.message(func() error {
		if m.status != Initiated {
			return &RefusedError{Reason: "nothing to verify"}
		}
		for _, ok := range m.have {
			if !ok {
				return &RefusedError{Reason: "blocks are missing"}
			}
		}
		next := VerifyOK
		if _, err := firmware.Check(m.image, m.device); err != nil {
			next = VerifyFailed
			m.reason = err.Error()
		}
		m.become(next, VerifyInitiated)
		return nil
	})
}

func (m *fakeMeter) Staged(context.Context) (s []Staged, err error) {
	err = m.message(func() error {
		if !m.silent && m.status >= VerifyOK {
			s = []Staged{{uint32(len(m.image)), m.identifier, nil}}
		}
		return nil
	})
	return s, err
}

func (m *fakeMeter) Activate(context.Context) error {
	return m.message(func() error {
		if m.status != VerifyOK && m.status != ActivationFailed {
			return &RefusedError{Reason: "the image is not verified"}
		}
		m.activations++
		i, err := firmware.Check(m.image, m.device)
		if err != nil {
			return &RefusedError{Reason: err.Error()}
		}
		m.device.Version = i.Version
		m.become(ActivationOK, ActivationInitiated)
		return nil
	})
}

func (m *fakeMeter) AwaitRestart(context.Context) error {
	return m.message(func() error { return nil })
}

func (m *fakeMeter) Reason(context.Context) (s string, err error) {
	err = m.message(func() error { s = m.reason; return nil })
	return s, err
}

var start = time.Date(2019, 4, 7, 10, 0, 0, 0, time.UTC)

// instant is a clock whose sleeps take no time of the test's.
type instant struct{ *clock.Stepped }

func (c instant) Sleep(ctx context.Context, d time.Duration) error {
	c.Advance(d)
	return ctx.Err()
}

func testImage(t testing.TB) []byte {
	b, err := firmware.SimulatedRelease(firmware.Header{
		Type: firmware.ESME, Manufacturer: "X-ACME", Model: "E1", HardwareTo: 9, Version: "1.1",
	}, 30)
	require.NoError(t, err)
	return b
}

func config(cp Checkpoint) Config {
	return Config{Clock: instant{clock.NewStepped(start)}, Checkpoint: cp}
}

func TestUpgrade(t *testing.T) {
	m, image := newMeter(), testImage(t)
	m.slow = 3
	blocks := (len(image) + 15) / 16
	var steps []Step
	c := config(nil)
	c.Progress = func(p Progress) {
		if len(steps) == 0 || steps[len(steps)-1] != p.Step {
			steps = append(steps, p.Step)
		}
	}
	e, err := Run(t.Context(), c, m, image)
	require.NoError(t, err)
	require.Equal(t, Evidence{
		Image: firmware.DigestOf(image), Signer: firmware.SimulatorSigner, FromVersion: "1.0", ToVersion: "1.1",
		Started: start, Activated: start.Add(4 * time.Second), Finished: start.Add(10 * time.Second),
		BlockSize: 16, Blocks: blocks, Sent: blocks,
	}, e)
	require.Equal(t, []Step{StepInitiate, StepVerify, StepActivate, StepDone}, steps)
	require.Equal(t, 1, m.activations)

	before := m.messages
	e, err = Run(t.Context(), config(nil), m, image)
	require.NoError(t, err)
	require.True(t, e.Already)
	require.Equal(t, 2, m.messages-before, "two questions are enough: which version, and whether on trial")
}

func TestRefusals(t *testing.T) {
	image := testImage(t)
	corrupt := append([]byte(nil), image...)
	corrupt[len(corrupt)-70] ^= 1

	m := newMeter()
	_, err := Run(t.Context(), config(nil), m, corrupt)
	var refused *RefusedError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, StepVerify, refused.Step)
	require.Contains(t, refused.Reason, "the image is corrupt")
	require.Zero(t, m.activations)
	require.Equal(t, "1.0", m.version)

	m.device.Model = "E2"
	_, err = Run(t.Context(), config(nil), m, image)
	require.ErrorAs(t, err, &refused)
	require.Contains(t, refused.Reason, "another model")

	m.blockSize = 0
	_, err = Run(t.Context(), config(nil), m, image)
	require.ErrorIs(t, err, ErrDisabled)

	_, err = Run(t.Context(), config(nil), m, image[:20])
	require.ErrorContains(t, err, "parse image header")
}

func TestTransientBlockDamageIsRepairedAfterAResume(t *testing.T) {
	m, image, cp := newMeter(), testImage(t), &Memory{}
	m.rot = true
	m.at, m.fault = 12, killBefore
	_, err := Run(t.Context(), config(cp), m, image)
	require.ErrorIs(t, err, errKilled)
	m.dead, m.at = false, -1
	e, err := Run(t.Context(), config(cp), m, image)
	require.NoError(t, err)
	require.Equal(t, 1, e.Resumed)
	require.Equal(t, "1.1", m.version)
}

func TestCheckpointOfAnotherImageIsNotUsed(t *testing.T) {
	m, image, cp := newMeter(), testImage(t), &Memory{}
	require.NoError(t, cp.Save(t.Context(), State{Step: StepVerify, Evidence: Evidence{Image: firmware.Digest{1}, Resumed: 7}}))
	m.status = VerifyOK
	m.silent = true
	e, err := Run(t.Context(), config(cp), m, image)
	require.NoError(t, err)
	require.Zero(t, e.Resumed)
	require.Equal(t, e.Blocks, e.Sent, "the image that was there is not trusted")
}

func TestResumeSendsOnlyTheMissing(t *testing.T) {
	m, image, cp := newMeter(), testImage(t), &Memory{}
	m.at, m.fault = 10, killAfter
	_, err := Run(t.Context(), config(cp), m, image)
	require.ErrorIs(t, err, errKilled)
	have := 0
	for _, ok := range m.have {
		if ok {
			have++
		}
	}
	require.Positive(t, have)
	sent := 0
	m.dead, m.at = false, -1
	c := config(cp)
	c.Progress = func(p Progress) {
		if p.Step == StepInitiate {
			sent++
		}
	}
	e, err := Run(t.Context(), c, m, image)
	require.NoError(t, err)
	require.Equal(t, e.Blocks-have, sent)
	require.Equal(t, 1, e.Resumed)
}

// TestEveryMessageDisturbed loses the request or reply of each message in turn,
// kills the gateway before and after it, and cuts the power of the device. Each
// time the device ends on the new version after one activation.
func TestEveryMessageDisturbed(t *testing.T) {
	image := testImage(t)
	for _, silent := range []bool{false, true} {
		for _, slow := range []int{0, 2} {
			clean := newMeter()
			clean.silent, clean.slow = silent, slow
			_, err := Run(t.Context(), config(nil), clean, image)
			require.NoError(t, err)
			for at := range clean.messages {
				for f := range faults {
					name := fmt.Sprintf("silent %v slow %d message %d fault %d", silent, slow, at, f)
					m, cp := newMeter(), &Memory{}
					m.silent, m.slow, m.at, m.fault = silent, slow, at, f
					_, err := Run(t.Context(), config(cp), m, image)
					if m.dead {
						require.ErrorIs(t, err, errKilled, name)
						m.dead, m.at = false, -1
						_, err = Run(t.Context(), config(cp), m, image)
					}
					if f == powerCut && err != nil {
						// A second run is what its caller does next.
						_, err = Run(t.Context(), config(cp), m, image)
					}
					require.NoError(t, err, name)
					require.Equal(t, "1.1", m.version, name)
					require.Zero(t, m.trial, name)
					want := 1
					if e, err := cp.Load(t.Context()); err == nil {
						want += e.Evidence.Fallbacks
					}
					require.Equal(t, want, m.activations, name)
				}
			}
		}
	}
}

func TestCancelledContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	m := newMeter()
	m.at, m.fault = 3, loseRequest
	c := config(nil)
	c.Progress = func(Progress) { cancel() }
	_, err := Run(ctx, c, m, testImage(t))
	require.ErrorIs(t, err, context.Canceled)
}

// A device whose new image does not confirm itself runs the old one, and is not
// made to try it a third time.
func TestImageThatDoesNotWork(t *testing.T) {
	m := newMeter()
	m.slow, m.dud = 2, true
	e, err := Run(t.Context(), config(nil), m, testImage(t))
	var refused *RefusedError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, StepActivate, refused.Step)
	require.Equal(t, "not-confirmed", refused.Reason)
	require.Equal(t, "1.0", m.version)
	require.Equal(t, 2, m.activations)
	require.Equal(t, 2, e.Fallbacks)
	require.Zero(t, e.Finished)
}
