package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"smets1/internal/wire"
)

// Pool has the sessions of all hubs, one each. It is safe for concurrent use.
type Pool struct {
	c Config

	mu     sync.Mutex
	hubs   map[wire.EUI64]*slot
	closed chan struct{}
	idle   sync.WaitGroup
}

// slot is a hub and its session.
type slot struct {
	turn    chan struct{} // holds a token while nobody has the session
	session *Session
	used    chan struct{} // closed when the session is taken while its line is idle
}

// NewPool gives a pool without hubs.
func NewPool(c Config) (*Pool, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Pool{c: c, hubs: map[wire.EUI64]*slot{}, closed: make(chan struct{})}, nil
}

// Add makes a hub known. Two hubs with one EUI-64 are an error, as is an
// address or profile that nobody can open.
func (p *Pool) Add(h Hub) error {
	if _, err := p.c.addressing(&h, h.EUI); err != nil {
		return err
	}
	if _, err := p.c.opener(h.Address); err != nil {
		return fmt.Errorf("session: hub %s: %w", h.EUI, err)
	}
	if h.Wake.Messages() > 0 && h.MSISDN == "" {
		return fmt.Errorf("session: hub %s: wake %s needs a number (msisdn) to send to", h.EUI, h.Wake)
	}
	h.Devices = slices.Clone(h.Devices)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hubs[h.EUI] != nil {
		return fmt.Errorf("session: hub %s is there twice", h.EUI)
	}
	s := &slot{turn: make(chan struct{}, 1), session: newSession(&p.c, h)}
	s.turn <- struct{}{}
	p.hubs[h.EUI] = s
	return nil
}

// Hub gives what is known of a hub; ok is false if there is none. The slice of
// devices is shared: do not change it.
func (p *Pool) Hub(eui wire.EUI64) (h Hub, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.hubs[eui]
	if s == nil {
		return Hub{}, false
	}
	return s.session.hub, true
}

// Hubs gives the EUI-64 of all hubs, in order.
func (p *Pool) Hubs() []wire.EUI64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]wire.EUI64, 0, len(p.hubs))
	for e := range p.hubs {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b wire.EUI64) int { return slices.Compare(a[:], b[:]) })
	return all
}

// Acquire waits for the session of a hub and gives it to the caller alone,
// until Release. It opens nothing.
func (p *Pool) Acquire(ctx context.Context, hub wire.EUI64) (*Session, error) {
	p.mu.Lock()
	s := p.hubs[hub]
	p.mu.Unlock()
	if s == nil {
		return nil, fmt.Errorf("session: hub %s: %w", hub, ErrUnknownHub)
	}
	select {
	case <-p.closed:
		return nil, fmt.Errorf("session: hub %s: %w", hub, ErrClosed)
	default:
	}
	select {
	case <-s.turn:
	case <-ctx.Done():
		return nil, fmt.Errorf("session: hub %s: waiting for its session: %w", hub, context.Cause(ctx))
	case <-p.closed:
		return nil, fmt.Errorf("session: hub %s: %w", hub, ErrClosed)
	}
	if s.used != nil {
		close(s.used)
		s.used = nil
	}
	return s.session, nil
}

// Release gives the session back. Its line stays open for Config.Idle.
func (p *Pool) Release(session *Session) {
	p.mu.Lock()
	s := p.hubs[session.hub.EUI]
	p.mu.Unlock()
	defer func() { s.turn <- struct{}{} }()
	if session.line == nil {
		return
	}
	select {
	case <-p.closed:
		session.Close()
		return
	default:
	}
	if p.c.Idle < 0 {
		session.Close()
		return
	}
	s.used = make(chan struct{})
	used := s.used
	p.idle.Go(func() { p.closeIdle(s, used) })
}

// closeIdle closes a line that nobody has used for Config.Idle.
func (p *Pool) closeIdle(s *slot, used <-chan struct{}) {
	timer := p.c.Clock.NewTimer(p.c.Idle)
	defer timer.Stop()
	select {
	case <-used:
		return
	case <-timer.C():
	case <-p.closed:
	}
	select {
	case <-used:
	case <-s.turn:
		// Whoever takes the session closes used first, so that it was not
		// taken and given back meanwhile.
		select {
		case <-used:
		default:
			s.session.Close()
			s.used = nil
		}
		s.turn <- struct{}{}
	}
}

// Close closes the lines that are idle and makes Acquire fail. A session that
// is in use is closed when it is given back.
func (p *Pool) Close() error {
	p.mu.Lock()
	select {
	case <-p.closed:
		p.mu.Unlock()
		return errors.New("session: the pool is closed already")
	default:
	}
	close(p.closed)
	p.mu.Unlock()
	p.idle.Wait()
	return nil
}
