package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
)

// Link carries APDUs between one client address and one server address.
//
// RoundTrip sends one APDU and returns the next one that the server sends; the slice is valid until the next call. It
// returns when ctx is done, with an error that wraps the cause of ctx; [os.ErrDeadlineExceeded] if that was a deadline.
type Link interface {
	RoundTrip(ctx context.Context, apdu []byte) ([]byte, error)
	// Close says goodbye where the link has a way to (HDLC: DISC). It leaves the line open.
	Close() error
}

// Receiver is a Link that can also wait for an APDU that was not asked for: what a notification, a late answer or a
// stream of blocks needs. The links of this package have it.
type Receiver interface {
	Receive(ctx context.Context) ([]byte, error)
}

// timedLink is a Link of this package: it also gives up when an alarm goes off, which costs less than a context does.
// A nil alarm never goes off.
type timedLink interface {
	roundTripBy(ctx context.Context, alarm <-chan time.Time, apdu []byte) ([]byte, error)
	receiveBy(ctx context.Context, alarm <-chan time.Time) ([]byte, error)
}

// sendBy is RoundTrip with an alarm, also for a Link from elsewhere.
func sendBy(ctx context.Context, alarm <-chan time.Time, link Link, apdu []byte) ([]byte, error) {
	if l, ok := link.(timedLink); ok {
		return l.roundTripBy(ctx, alarm, apdu)
	}
	ctx, cancel := withAlarm(ctx, alarm)
	defer cancel()
	return link.RoundTrip(ctx, apdu)
}

// listenBy is Receive with an alarm. A Link that cannot wait for the right answer is out of step.
func listenBy(ctx context.Context, alarm <-chan time.Time, link Link) ([]byte, error) {
	if l, ok := link.(timedLink); ok {
		return l.receiveBy(ctx, alarm)
	}
	r, ok := link.(Receiver)
	if !ok {
		return nil, fmt.Errorf("client: another request's answer came, and the link cannot wait for the right one: %w", ErrLineBroken)
	}
	ctx, cancel := withAlarm(ctx, alarm)
	defer cancel()
	return r.Receive(ctx)
}

// withAlarm is a context that a deadline ends when the alarm goes off.
func withAlarm(ctx context.Context, alarm <-chan time.Time) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-alarm:
			cancel(os.ErrDeadlineExceeded)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}

// Errors of links.
var (
	// ErrLineBroken: an exchange on the line went wrong, so what comes next could be its late answer. Open it anew.
	ErrLineBroken = errors.New("the line is out of step after an exchange that did not end: close it and open it anew")
	// ErrLineClosed: the line was closed on this side.
	ErrLineClosed = errors.New("the line is closed")
)

// line turns a blocking byte stream into one that can be waited for together with a context and a timer. Its one
// goroutine, which lives as long as the stream, reads; it holds at most one chunk that nobody has taken.
type line struct {
	stream io.ReadWriteCloser
	chunks chan []byte   // from the reader
	taken  chan struct{} // to the reader: the chunk's bytes may be overwritten
	ended  chan struct{} // closed by the reader
	stop   chan struct{} // closed by close
	turn   chan struct{} // holds a token while nobody has the line

	mu     sync.Mutex
	closed bool
	err    error // why the reader ended, or the line was given up
}

func newLine(stream io.ReadWriteCloser, size int) *line {
	l := &line{
		stream: stream,
		chunks: make(chan []byte),
		taken:  make(chan struct{}),
		ended:  make(chan struct{}),
		stop:   make(chan struct{}),
		turn:   make(chan struct{}, 1),
	}
	l.turn <- struct{}{}
	go l.read(make([]byte, size))
	return l
}

func (l *line) read(buf []byte) {
	defer close(l.ended)
	for {
		n, err := l.stream.Read(buf)
		if n > 0 {
			select {
			case l.chunks <- buf[:n]:
				<-l.taken
			case <-l.stop:
				return
			}
		}
		if err != nil {
			l.fail(err)
			return
		}
	}
}

// acquire takes the line for one exchange.
func (l *line) acquire(ctx context.Context, alarm <-chan time.Time) error {
	select {
	case <-l.turn:
	default:
		select {
		case <-l.turn:
		case <-ctx.Done():
			return cause(ctx)
		case <-alarm:
			return errAlarm
		}
	}
	if err := l.failure(); err != nil {
		l.release()
		return err
	}
	if ctx.Err() != nil {
		l.release()
		return cause(ctx)
	}
	return nil
}

func (l *line) release() { l.turn <- struct{}{} }

// write sends all of b. A write that is cut short leaves half a frame on the line, so it closes it.
func (l *line) write(ctx context.Context, alarm <-chan time.Time, b []byte) error {
	// The system takes an APDU for a socket or port without waiting, as there is one request at a time; a pipe does not.
	if _, buffered := l.stream.(syscall.Conn); !buffered {
		defer l.guard(ctx, alarm)()
	}
	if _, err := l.stream.Write(b); err != nil {
		l.breakUp(err)
		return fmt.Errorf("client: send: %w", l.failure())
	}
	return nil
}

// guard gives the line up when ctx or the alarm ends before the returned function is called.
func (l *line) guard(ctx context.Context, alarm <-chan time.Time) (done func()) {
	if ctx.Done() == nil && alarm == nil {
		return func() {}
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		select {
		case <-stop:
		case <-ctx.Done():
			l.breakUp(cause(ctx))
		case <-alarm:
			l.breakUp(os.ErrDeadlineExceeded)
		}
	}()
	return func() {
		close(stop)
		<-stopped
	}
}

// errAlarm is what next returns when the alarm went off first. It is a timeout.
var errAlarm = &timeoutError{os.ErrDeadlineExceeded}

// next waits for bytes and writes them to w, which must copy them. A nil alarm never goes off.
func (l *line) next(ctx context.Context, alarm <-chan time.Time, w io.Writer) error {
	select {
	case b := <-l.chunks:
		_, err := w.Write(b)
		l.taken <- struct{}{}
		return err
	case <-ctx.Done():
		return cause(ctx)
	case <-alarm:
		return errAlarm
	case <-l.ended:
		return l.failure()
	}
}

// fail remembers the first reason why the line ended.
func (l *line) fail(err error) {
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("the server closed the line: %w", io.EOF)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = err
	}
}

func (l *line) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		return nil
	}
	return fmt.Errorf("client: %w", l.err)
}

// breakUp gives the line up after an exchange that did not end.
func (l *line) breakUp(why error) {
	l.fail(fmt.Errorf("%w (%w)", ErrLineBroken, why))
	_ = l.close()
}

func (l *line) close() error {
	l.fail(ErrLineClosed)
	l.mu.Lock()
	again := l.closed
	l.closed = true
	l.mu.Unlock()
	if again {
		return nil
	}
	close(l.stop)
	return l.stream.Close()
}

// cause is why ctx is done, so that a deadline is os.ErrDeadlineExceeded whoever set it.
func cause(ctx context.Context) error {
	err := context.Cause(ctx)
	if errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, os.ErrDeadlineExceeded) {
		return &timeoutError{err}
	}
	return err
}

// timeoutError makes a context's deadline an os.ErrDeadlineExceeded, too.
type timeoutError struct{ err error }

func (e *timeoutError) Error() string   { return "no answer in time" }
func (e *timeoutError) Timeout() bool   { return true }
func (e *timeoutError) Unwrap() []error { return []error{os.ErrDeadlineExceeded, e.err} }
