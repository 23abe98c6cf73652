package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"smets1/dlms/client"
	"smets1/dlms/cosem"
	"smets1/dlms/security"
	"smets1/firmware"
	"smets1/gateway/keystore"
	"smets1/internal/wire"
	"smets1/transport/serial"
)

// Session is the conversation with one hub and the devices behind it. It is for
// one goroutine at a time, between Pool.Acquire and Pool.Release.
type Session struct {
	c   *Config
	hub Hub

	line    line
	clients map[wire.EUI64]*Association
	name    string // logical device name of the hub, as it told it

	proven bool   // on this line the hub has proved that it is the one that was addressed
	known  string // logical device name of the hub that did
}

func newSession(c *Config, h Hub) *Session {
	return &Session{c: c, hub: h, clients: map[wire.EUI64]*Association{}}
}

// Hub is what is known of the hub.
func (s *Session) Hub() Hub { return s.hub }

// LogicalName is the hub's logical device name, as it told when the line was
// opened.
func (s *Session) LogicalName() string { return s.name }

// DeviceType tells what a device of this home is. The error is ErrUnknownDevice.
func (s *Session) DeviceType(device wire.EUI64) (firmware.DeviceType, error) {
	if device == s.hub.EUI {
		return firmware.Hub, nil
	}
	for i := range s.hub.Devices {
		if s.hub.Devices[i].EUI == device {
			return s.hub.Devices[i].Type, nil
		}
	}
	return 0, fmt.Errorf("session: hub %s, device %s: %w", s.hub.EUI, device, ErrUnknownDevice)
}

func (c *Config) opener(address string) (Opener, error) {
	s := scheme(address)
	if o := c.Openers[s]; o != nil {
		return o, nil
	}
	switch s {
	case "tcp", "tcp+hdlc":
		return openTCP, nil
	case "serial":
		return openSerial, nil
	}
	return nil, fmt.Errorf("address %.80q: nobody opens %q: write tcp://host:port, tcp+hdlc://host:port or serial:///dev/…?baud=9600", address, s)
}

// Connect brings the hub to answer, if it does not already: it opens the line and
// reads the logical device name as the public client, sends text messages if the
// hub needs them, and tries again until Config.Viability or within is over,
// whichever is less; a within of zero is none. It gives how many attempts it took,
// zero if the line was open. Errors: ErrNoWAN, ErrHubSilent.
func (s *Session) Connect(ctx context.Context, within time.Duration) (attempts int, err error) {
	if s.line != nil {
		return 0, nil
	}
	window := s.c.Viability
	if within > 0 {
		window = min(window, within)
	}
	deadline := s.c.Clock.Now().Add(window)
	messages := s.hub.Wake.Messages()
	retry, resend := s.c.Retry, s.c.Resend
	var nextSMS time.Time
	for {
		attempts++
		err = s.open(ctx)
		if err == nil {
			return attempts, nil
		}
		if ctx.Err() != nil || errors.Is(err, ErrWrongDevice) {
			return attempts, err
		}
		now := s.c.Clock.Now()
		if !now.Before(deadline) {
			return attempts, fmt.Errorf("session: hub %s at %s, %d attempts in %v: %w", s.hub.EUI, s.hub.Address, attempts, window, err)
		}
		if messages > 0 && s.c.Waker != nil && !now.Before(nextSMS) {
			for range messages {
				if werr := s.c.Waker.Wake(ctx, s.hub.MSISDN); werr != nil {
					s.c.Log.Warn("no text message to wake the hub", slog.Any("hub", s.hub.EUI), slog.Any("err", werr))
				}
			}
			nextSMS = now.Add(resend)
			resend *= 2
		}
		wait := min(retry, max(deadline.Sub(now), time.Millisecond))
		retry = min(2*retry, time.Minute)
		if serr := s.c.Clock.Sleep(ctx, wait); serr != nil {
			return attempts, fmt.Errorf("session: hub %s: %w (%w)", s.hub.EUI, serr, err)
		}
	}
}

// open opens the line once and asks the hub for its name.
func (s *Session) open(ctx context.Context) error {
	stream, err := s.dial(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoWAN, err)
	}
	if s.c.Tap != nil {
		stream = s.c.Tap(s.hub.EUI, s.hub.Address, stream)
	}
	s.line = newLine(s.hub.Address, stream, s.c.Clock)
	if s.name, err = s.readName(ctx, s.hub.EUI); err != nil {
		s.Close()
		// Whoever accepts connections for a sleeping hub closes them at once.
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("%w: %w", ErrNoWAN, err)
		}
		return fmt.Errorf("%w: %w", ErrHubSilent, err)
	}
	return s.sameName()
}

func (s *Session) dial(ctx context.Context) (io.ReadWriteCloser, error) {
	open, err := s.c.opener(s.hub.Address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := s.c.Clock.NewTimer(s.c.Timeout)
	defer timer.Stop()
	go func() {
		select {
		case <-timer.C():
			cancel(os.ErrDeadlineExceeded)
		case <-ctx.Done():
		}
	}()
	stream, err := open(ctx, s.hub.Address)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return stream, err
}

// Ping asks the hub for its name over the line that is open. Without one, or
// without an answer, it is an error, and the line is closed.
func (s *Session) Ping(ctx context.Context) error {
	_, err := s.readName(ctx, s.hub.EUI)
	if err != nil {
		s.Close()
	}
	return err
}

// LogicalNameOf asks a device for its logical device name as the public client,
// a few times if there is no answer. It needs no keys.
func (s *Session) LogicalNameOf(ctx context.Context, device wire.EUI64) (string, error) {
	for try := 1; ; try++ {
		if _, err := s.Connect(ctx, 0); err != nil {
			return "", err
		}
		name, err := s.readName(ctx, device)
		if err == nil || try == attempts || ctx.Err() != nil || errors.Is(err, ErrNotOnHAN) {
			return name, err
		}
	}
}

func (s *Session) readName(ctx context.Context, device wire.EUI64) (string, error) {
	var name string
	err := s.Public(ctx, device, func(ctx context.Context, c *client.Client) (err error) {
		name, err = c.GetString(ctx, cosem.Attribute{Class: cosem.ClassData, Instance: cosem.LogicalDeviceName, ID: 2})
		return err
	})
	return name, err
}

// Close closes the line; associations end with it.
func (s *Session) Close() {
	if s.line == nil {
		return
	}
	if err := s.line.close(); err != nil {
		s.c.Log.Debug("close of a line", slog.Any("hub", s.hub.EUI), slog.Any("err", err))
	}
	s.line, s.proven = nil, false
	clear(s.clients)
}

// link gives the link to a device for a client address.
func (s *Session) link(device wire.EUI64, public bool) (client.Link, time.Duration, error) {
	if s.line == nil {
		return nil, 0, fmt.Errorf("session: hub %s: the line is not open: %w", s.hub.EUI, ErrNoWAN)
	}
	a, err := s.c.addressing(&s.hub, device)
	if err != nil {
		return nil, 0, err
	}
	sap := a.management
	if public {
		sap = a.public
	}
	l, err := s.line.link(sap, a.logical)
	if err != nil {
		return nil, 0, err
	}
	if device == s.hub.EUI {
		return l, s.c.Timeout, nil
	}
	return behind(l, device), s.c.Timeout + a.hanTimeout, nil
}

// Public opens an association without security, for the names, the clock and the
// invocation counters that anybody may read, and releases it after f. The line
// must be open.
func (s *Session) Public(ctx context.Context, device wire.EUI64, f func(context.Context, *client.Client) error) error {
	link, timeout, err := s.link(device, true)
	if err != nil {
		return err
	}
	c, err := client.Associate(ctx, link, client.Config{Timeout: timeout, Clock: s.c.Clock, Random: s.c.Random})
	if err != nil {
		return s.failed(err)
	}
	if err := f(ctx, c); err != nil {
		return s.failed(err)
	}
	return s.failed(c.Release(ctx))
}

// failed closes the line if it can have got out of step.
func (s *Session) failed(err error) error {
	if err == nil || errors.Is(err, ErrHANSilent) || errors.Is(err, ErrNotOnHAN) {
		return err
	}
	for _, broken := range []error{client.ErrLineBroken, client.ErrLineClosed, serial.ErrUnplugged, os.ErrClosed, io.EOF, os.ErrDeadlineExceeded, context.Canceled, client.ErrProtocol} {
		if errors.Is(err, broken) {
			s.Close()
			return err
		}
	}
	return err
}

// Association is an open association with a device.
type Association struct {
	*client.Client
	Device wire.EUI64
	Keys   keystore.Set // what it is under
	// Generation that the set was when the association was opened.
	Generation keystore.Generation

	session *Session
}

// Close releases the association. It is closed in any case.
func (a *Association) Close(ctx context.Context) {
	if a.session.clients[a.Device] == a {
		delete(a.session.clients, a.Device)
	}
	if err := a.Release(ctx); err != nil {
		a.session.c.Log.Debug("release of an association", slog.Any("device", a.Device), slog.Any("err", err))
		_ = a.session.failed(err)
	}
}

// Open opens a fresh management association with a device under a set, after
// connecting if need be. It takes the place of one that is open. rekey lets it use the
// invocation counters kept back for the change of keys. An answer that the
// keys are wrong is a *KeyRefusedError.
func (s *Session) Open(ctx context.Context, device wire.EUI64, set keystore.Set, rekey bool) (*Association, error) {
	if _, err := s.Connect(ctx, 0); err != nil {
		return nil, err
	}
	known, err := s.c.Keys.Get(ctx, device)
	if err != nil {
		return nil, err
	}
	link, timeout, err := s.link(device, false)
	if err != nil {
		return nil, err
	}
	delete(s.clients, device)
	counter := s.c.Keys.Counter(set)
	cfg := client.Config{
		Mechanism: security.MechanismGMAC, Suite: security.Suite0, Keys: set.Keys, SystemTitle: s.c.Title, ServerTitle: known.Title,
		Counter: counter, Timeout: timeout, Clock: s.c.Clock, Random: s.c.Random,
	}
	if rekey {
		cfg.Counter = counter.ForRekey()
	}
	for raised := false; ; raised = true {
		c, err := client.Associate(ctx, link, cfg)
		if err == nil {
			a := &Association{Client: c, Device: device, Keys: set, session: s}
			a.Generation, _ = known.Find(set.Fingerprint())
			if err := s.prove(ctx, a); err != nil {
				return nil, err
			}
			return a, nil
		}
		if e, ok := errors.AsType[*client.ExceptionError](err); ok && !raised {
			if expected, told := e.ExpectedCounter(); told {
				if err := counter.Raise(ctx, expected); err != nil {
					return nil, err
				}
				continue
			}
		}
		if errors.Is(err, client.ErrOtherServer) {
			s.Close()
			return nil, fmt.Errorf("session: device %s at %s: %w: %w", device, s.hub.Address, ErrWrongDevice, err)
		}
		if refusesKeys(err) {
			return nil, &KeyRefusedError{device, set.Fingerprint(), err}
		}
		return nil, s.failed(err)
	}
}

// Client gives the open management association with a device, or opens one under
// the first of its stored sets that the device accepts: current, pending,
// previous. The error is a *KeyRefusedError when it accepts none.
func (s *Session) Client(ctx context.Context, device wire.EUI64) (*Association, error) {
	if a := s.clients[device]; a != nil && a.Err() == nil {
		return a, nil
	}
	known, err := s.c.Keys.Get(ctx, device)
	if err != nil {
		return nil, err
	}
	refused := keystore.ErrUnknownDevice
	for _, g := range []keystore.Generation{keystore.Current, keystore.Pending, keystore.Previous} {
		set := known.Set(g)
		if set == nil {
			continue
		}
		a, err := s.Open(ctx, device, *set, false)
		if err == nil {
			s.clients[device] = a
			return a, nil
		}
		if !errors.Is(err, ErrKeyRefused) {
			return nil, err
		}
		refused = err
	}
	return nil, refused
}

// Forget drops what is known of an open association with a device that has
// restarted.
func (s *Session) Forget(device wire.EUI64) {
	delete(s.clients, device)
	if device == s.hub.EUI {
		s.Close()
	}
}

// attempts that Do makes.
const attempts = 3

// Do runs f with the management association of a device. If the association is
// lost on the way, it opens another and runs f again, a few times: f must be such
// that running it twice does no harm.
func (s *Session) Do(ctx context.Context, device wire.EUI64, f func(context.Context, *Association) error) error {
	for try := 1; ; try++ {
		a, err := s.Client(ctx, device)
		if err == nil {
			if err = f(ctx, a); err == nil {
				return nil
			}
			if a.Err() == nil && !dropped(err) {
				return err // the device's answer, not the line's failure
			}
			delete(s.clients, device)
			err = s.failed(err)
		}
		switch {
		case ctx.Err() != nil, try == attempts,
			errors.Is(err, ErrNoWAN), errors.Is(err, ErrHubSilent), errors.Is(err, ErrNotOnHAN),
			errors.Is(err, ErrKeyRefused), errors.Is(err, keystore.ErrUnknownDevice), errors.Is(err, ErrUnknownDevice), errors.Is(err, ErrWrongDevice):
			return err
		}
		s.c.Log.Debug("once more", slog.Any("hub", s.hub.EUI), slog.Any("device", device), slog.Int("try", try), slog.Any("err", err))
	}
}
