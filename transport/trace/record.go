package trace

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"smets1/internal/clock"
	"smets1/transport/serial"
)

// Gap is the pause after which bytes that go the same way are another event.
const Gap = 50 * time.Millisecond

// Recorder writes a trace while things happen. It is safe for concurrent use, and does nothing when it is nil. What it
// records does not depend on it: problems with the file are told by Close.
type Recorder struct {
	clk   clock.Clock
	w     io.Writer
	start time.Time

	mu   sync.Mutex
	open Event // not written yet
	last time.Time
	mode string
	err  error
}

// NewRecorder begins a trace with the given comments.
func NewRecorder(w io.Writer, clk clock.Clock, header ...string) *Recorder {
	r := &Recorder{clk: clk, w: w, start: clk.Now()}
	for _, h := range header {
		r.print("# " + h)
	}
	return r
}

func (r *Recorder) print(s string) {
	if r.err == nil {
		_, r.err = fmt.Fprintln(r.w, s)
	}
}

// StartMode says which mode the line starts with. It comes before anything else.
func (r *Recorder) StartMode(m serial.Mode) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mode = m.String()
	r.print("= " + r.mode)
}

// Bytes records bytes that passed now.
func (r *Recorder) Bytes(k Kind, b []byte) {
	if r == nil || len(b) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clk.Now()
	if r.open.Kind != k || now.Sub(r.last) > Gap {
		r.flush()
		r.open = Event{At: now.Sub(r.start), Kind: k}
	}
	r.open.Data = append(r.open.Data, b...)
	r.last = now
}

// Frame records a frame of a radio, which is an event of its own.
func (r *Recorder) Frame(k Kind, b []byte) {
	if r == nil || len(b) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flush()
	r.open = Event{At: r.clk.Now().Sub(r.start), Kind: k, Data: append([]byte(nil), b...)}
	r.flush()
}

// Event records a change of mode, a break or unplugging.
func (r *Recorder) Event(k Kind, text string) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flush()
	r.print(Event{At: r.clk.Now().Sub(r.start), Kind: k, Text: text}.String())
}

// flush writes the event that is open. The caller holds mu.
func (r *Recorder) flush() {
	if len(r.open.Data) == 0 {
		return
	}
	r.open.Note = note(r.open.Data)
	r.print(r.open.String())
	r.open = Event{}
}

// Close writes what is left and tells what went wrong. It does not close the writer.
func (r *Recorder) Close() error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flush()
	return r.err
}

// Port gives a port that is recorded. For a nil Recorder it is p itself.
func (r *Recorder) Port(p serial.Port) serial.Port {
	if r == nil {
		return p
	}
	return serial.WithLines(&recordedPort{Port: p, recorded: recorded{r: r, rw: p}}, p)
}

// Stream gives a stream that is recorded. For a nil Recorder it is s itself.
func (r *Recorder) Stream(s io.ReadWriteCloser) io.ReadWriteCloser {
	if r == nil {
		return s
	}
	return &recorded{r: r, rw: s}
}

type recorded struct {
	r    *Recorder
	rw   io.ReadWriteCloser
	once sync.Once
}

func (s *recorded) Read(b []byte) (int, error) {
	n, err := s.rw.Read(b)
	s.r.Bytes(Received, b[:n])
	s.lost(err)
	return n, err
}

// Write records first: the answer may be read before the write returns.
func (s *recorded) Write(b []byte) (int, error) {
	s.r.Bytes(Sent, b)
	n, err := s.rw.Write(b)
	s.lost(err)
	return n, err
}

func (s *recorded) lost(err error) {
	if errors.Is(err, serial.ErrUnplugged) || errors.Is(err, io.EOF) {
		s.once.Do(func() { s.r.Event(Line, Unplug) })
	}
}

func (s *recorded) Close() error { return s.rw.Close() }

type recordedPort struct {
	serial.Port
	recorded
}

func (p *recordedPort) Read(b []byte) (int, error)  { return p.recorded.Read(b) }
func (p *recordedPort) Write(b []byte) (int, error) { return p.recorded.Write(b) }
func (p *recordedPort) Close() error                { return p.Port.Close() }

func (p *recordedPort) SetMode(m serial.Mode) error {
	if err := p.Port.SetMode(m); err != nil {
		return err
	}
	p.r.Event(Mode, m.String())
	return nil
}
