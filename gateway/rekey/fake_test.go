package rekey

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/dlms/security"
	"smets1/gateway/keystore"
	"smets1/internal/clock"
)

var (
	errLost    = fmt.Errorf("no answer: %w", os.ErrDeadlineExceeded)
	errKilled  = errors.New("the gateway was killed")
	errDropped = errors.New("not under an association")
	errAnswer  = errors.New("read-write-denied")
)

// fault is what happens to one message.
type fault int

const (
	loseRequest fault = iota
	loseReply
	killBefore
	killAfter
	powerBefore // the device loses its power before the message arrives
	powerAfter  // after it answered
	repeat      // the network delivers it twice, the second time after the next message
	late        // it arrives after the next two messages; its answer is lost
	faults
)

func (f fault) String() string {
	return [...]string{"lose request", "lose reply", "kill before", "kill after", "power before", "power after", "repeat", "late"}[f]
}

// message is one request on its way: protected under a key, with a counter.
type message struct {
	key     string // fingerprint of the set
	counter uint32
	act     func(d *device) error
	opens   bool // an association request
}

// device follows the rules of a meter with a supervised key change.
type device struct {
	clock      clock.Clock
	window     time.Duration
	current    keystore.Set
	staged     *keystore.Set
	proven     bool
	lapses     time.Time
	assoc      string            // the set that the open association is under
	rx         map[string]uint32 // last counter accepted, by set
	version    uint32
	commits    int
	supervised bool

	refuseTransfer bool
	keepsOld       bool // a fault: goes on accepting the set before
	before         *keystore.Set
}

// line is what lies between gateway and device.
type line struct {
	t       testing.TB
	dev     *device
	clock   *instant
	sent    map[string]map[uint32]bool // counters ever sent, by encryption key
	late    []lateMessage
	count   int
	faults  map[int]fault // by number of message
	dead    bool
	silent  bool
	restart time.Time // device off until then
}

type lateMessage struct {
	at int
	m  message
}

// instant is a clock whose sleeps take no time of the test's.
type instant struct{ *clock.Stepped }

func (c instant) Sleep(ctx context.Context, d time.Duration) error {
	c.Advance(d)
	return ctx.Err()
}

func (d *device) tick() {
	if d.staged != nil && !d.clock.Now().Before(d.lapses) {
		d.drop()
	}
}

func (d *device) drop() {
	if d.staged != nil && d.assoc == d.staged.Fingerprint() {
		d.assoc = ""
	}
	d.staged, d.proven = nil, false
}

func (d *device) has(fp string) *keystore.Set {
	if d.current.Fingerprint() == fp {
		return &d.current
	}
	if d.staged != nil && d.staged.Fingerprint() == fp {
		return d.staged
	}
	if d.keepsOld && d.before != nil && d.before.Fingerprint() == fp {
		return d.before
	}
	return nil
}

// receive is a message arriving at the device.
func (d *device) receive(m message) error {
	d.tick()
	if d.has(m.key) == nil {
		return ErrKeyRefused
	}
	if m.counter <= d.rx[m.key] {
		return fmt.Errorf("replay of counter %d: %w", m.counter, errDropped)
	}
	d.rx[m.key] = m.counter
	if m.opens {
		d.assoc = m.key
	}
	if d.assoc != m.key {
		return errDropped
	}
	return m.act(d)
}

func (l *line) powerCut() {
	l.dev.drop()
	l.dev.assoc = ""
	l.restart = l.clock.Now().Add(40 * time.Second)
}

// deliver carries one message, and what is late on the way.
func (l *line) deliver(m message, guek security.Key) error {
	if l.dead {
		return errKilled
	}
	key := guek.Fingerprint()
	if l.sent[key] == nil {
		l.sent[key] = map[uint32]bool{}
	}
	require.False(l.t, l.sent[key][m.counter], "counter %d used twice under one key", m.counter)
	l.sent[key][m.counter] = true

	n := l.count
	l.count++
	defer func() {
		for i := 0; i < len(l.late); i++ {
			if q := l.late[i]; q.at == n {
				_ = l.dev.receive(q.m)
			}
		}
	}()
	f, disturbed := l.faults[n]
	if disturbed {
		switch f {
		case loseRequest:
			return errLost
		case killBefore:
			l.dead = true
			return errKilled
		case powerBefore:
			l.powerCut()
		case late:
			l.late = append(l.late, lateMessage{n + 2, m})
			return errLost
		case repeat:
			l.late = append(l.late, lateMessage{n + 1, m})
		default: // the rest happens after
		}
	}
	if l.silent || l.clock.Now().Before(l.restart) {
		l.clock.Advance(20 * time.Second)
		return errLost
	}
	l.clock.Advance(200 * time.Millisecond)
	err := l.dev.receive(m)
	if disturbed {
		switch f {
		case loseReply:
			return errLost
		case killAfter:
			l.dead = true
			return errKilled
		case powerAfter:
			l.powerCut()
		default: // it happened before
		}
	}
	return err
}

// target is the near side of the line for one process of the gateway.
type target struct {
	line *line
	keys *keystore.Store
}

func (t *target) send(ctx context.Context, set keystore.Set, opens bool, act func(*device) error) error {
	n, err := t.keys.Counter(set).ForRekey().Next(ctx)
	if err != nil {
		return err
	}
	return t.line.deliver(message{key: set.Fingerprint(), counter: n, act: act, opens: opens}, set.Keys.GUEK)
}

func (t *target) Open(ctx context.Context, set keystore.Set) (Association, error) {
	err := t.send(ctx, set, true, func(d *device) error {
		if d.staged != nil && d.staged.Fingerprint() == set.Fingerprint() {
			d.proven = true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &association{t, set}, nil
}

type association struct {
	t   *target
	set keystore.Set
}

func (a *association) Transfer(ctx context.Context, set keystore.Set) error {
	return a.t.send(ctx, a.set, false, func(d *device) error {
		if d.refuseTransfer {
			return &RefusedError{"transfer", errAnswer}
		}
		// As the device will see it: wrapped under the KEK that it has.
		for _, k := range []security.Key{set.Keys.GUEK, set.Keys.GAK, set.Keys.KEK} {
			w, err := security.WrapKey(a.set.Keys.KEK, k)
			if err != nil {
				return err
			}
			if _, err := security.UnwrapKey(d.has(a.set.Fingerprint()).Keys.KEK, w); err != nil {
				return &RefusedError{"transfer", err}
			}
		}
		if !d.supervised {
			d.take(set)
			return nil
		}
		d.staged, d.proven, d.lapses = &set, false, d.clock.Now().Add(d.window)
		return nil
	})
}

func (d *device) take(set keystore.Set) {
	old := d.current
	d.before, d.current, d.staged, d.proven = &old, set, nil, false
	if !d.keepsOld {
		delete(d.rx, old.Fingerprint())
	}
	d.version++
	d.commits++
}

func (a *association) Change(ctx context.Context) (c Change, err error) {
	err = a.t.send(ctx, a.set, false, func(d *device) error {
		c = Change{Supervised: d.supervised, Version: d.version}
		if d.staged != nil {
			c.State, c.Left = Staged, d.lapses.Sub(d.clock.Now())
			if d.proven {
				c.State = Proven
			}
		}
		return nil
	})
	return c, err
}

func (a *association) Commit(ctx context.Context) error {
	return a.t.send(ctx, a.set, false, func(d *device) error {
		if d.staged == nil || d.staged.Fingerprint() != a.set.Fingerprint() {
			return &RefusedError{"commit", errAnswer}
		}
		d.take(*d.staged)
		return nil
	})
}

func (a *association) Revert(ctx context.Context) error {
	return a.t.send(ctx, a.set, false, func(d *device) error {
		if d.staged == nil {
			return &RefusedError{"revert", errAnswer}
		}
		d.drop()
		return nil
	})
}

func (a *association) Close(context.Context) {}
