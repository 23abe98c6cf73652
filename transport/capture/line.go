package capture

import (
	"bytes"
	"sync"
	"time"

	"smets1/transport/serial"
)

// Line is one serial line in the file. It cuts the bytes that pass into HDLC frames by their length field, without
// checking them: a capture shows bad frames too. What is not a frame becomes packets as it passed. The nil Line does
// nothing.
type Line struct {
	w     *Writer
	iface int

	mu   sync.Mutex
	half [3]half // by Direction
}

type half struct {
	buf   []byte
	since time.Time // arrival of the first byte of buf
}

// lineGap is how long the rest of a frame may be away before what is there is written as it is.
const lineGap = 2 * time.Second

// NewLine adds a line with a name. It is nil for a nil Writer.
func (w *Writer) NewLine(name string) *Line {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return &Line{w: w, iface: w.addInterface(name, linkUser0)}
}

// Bytes takes bytes that passed now.
func (l *Line) Bytes(d Direction, b []byte) {
	if l == nil || len(b) == 0 || d == 0 || int(d) >= len(l.half) {
		return
	}
	now := l.w.clock.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.half {
		// The other end has begun to talk, or a gap is in the frame: it will not be whole any more.
		if h := &l.half[i]; len(h.buf) > 0 && (Direction(i) != d || now.Sub(h.since) > lineGap) {
			l.emit(Direction(i), h.since, h.buf)
			h.buf = h.buf[:0]
		}
	}
	h := &l.half[d]
	if len(h.buf) == 0 {
		h.since = now
	}
	h.buf = append(h.buf, b...)
	rest := h.buf
	for len(rest) > 0 {
		n := packetLen(rest)
		if n == 0 {
			break
		}
		l.emit(d, h.since, rest[:n])
		rest = rest[n:]
		h.since = now
	}
	h.buf = h.buf[:copy(h.buf, rest)]
}

// Flush writes what is there of frames that have begun.
func (l *Line) Flush() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.half {
		h := &l.half[i]
		if len(h.buf) > 0 {
			l.emit(Direction(i), h.since, h.buf)
			h.buf = h.buf[:0]
		}
	}
}

func (l *Line) emit(d Direction, at time.Time, b []byte) {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	l.w.write(l.iface, at, d, b, "")
}

const flag = 0x7E

// packetLen is how many bytes make the next packet, 0 if a frame has begun and is not whole. A flag that two frames share
// goes to the first.
func packetLen(b []byte) int {
	start := 0
	if b[0] == flag {
		start = 1
	}
	switch {
	case start == len(b):
		return 0
	case b[start] == flag:
		return 1
	case b[start]&0xF0 != 0xA0:
		// Not a frame: everything up to the next flag.
		if i := bytes.IndexByte(b[start:], flag); i >= 0 {
			return start + i
		}
		return len(b)
	case len(b) < start+2:
		return 0
	}
	end := start + int(b[start]&7)<<8 + int(b[start+1])
	switch {
	case end < len(b) && b[end] == flag:
		return end + 1
	case end < len(b):
		// The length is wrong: up to the next flag.
		if i := bytes.IndexByte(b[start:], flag); i >= 0 {
			return start + i
		}
		return len(b)
	}
	return 0
}

// TapPort returns the port, with everything that passes also written to the line. Modem lines and break stay what they
// were. On a nil Line it is p itself.
func (l *Line) TapPort(p serial.Port) serial.Port {
	if l == nil {
		return p
	}
	t := tappedPort{Port: p, line: l}
	modem, isModem := p.(serial.ModemLines)
	breaker, isBreaker := p.(serial.Breaker)
	switch {
	case isModem && isBreaker:
		return struct {
			tappedPort
			serial.ModemLines
			serial.Breaker
		}{t, modem, breaker}
	case isBreaker:
		return struct {
			tappedPort
			serial.Breaker
		}{t, breaker}
	case isModem:
		return struct {
			tappedPort
			serial.ModemLines
		}{t, modem}
	}
	return t
}

type tappedPort struct {
	serial.Port
	line *Line
}

func (t tappedPort) Read(b []byte) (int, error) {
	n, err := t.Port.Read(b)
	t.line.Bytes(Inbound, b[:n])
	return n, err
}

// Write captures first: the answer may be read before the write returns.
func (t tappedPort) Write(b []byte) (int, error) {
	t.line.Bytes(Outbound, b)
	return t.Port.Write(b)
}

func (t tappedPort) Close() error {
	t.line.Flush()
	return t.Port.Close()
}
