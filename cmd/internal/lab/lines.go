package lab

import (
	"io"
	"net"
	"sync"
	"sync/atomic"

	"smets1/internal/wire"
	"smets1/transport/serial"
)

// lines counts the lines to hubs.
type lines struct {
	open  atomic.Int64
	total atomic.Uint64
}

// tap counts a line while it is open, around what else taps it.
func (l *lines) tap(next func(wire.EUI64, string, io.ReadWriteCloser) io.ReadWriteCloser) func(wire.EUI64, string, io.ReadWriteCloser) io.ReadWriteCloser {
	return func(hub wire.EUI64, address string, line io.ReadWriteCloser) io.ReadWriteCloser {
		if next != nil {
			line = next(hub, address, line)
		}
		l.open.Add(1)
		l.total.Add(1)
		closed := sync.OnceFunc(func() { l.open.Add(-1) })
		// What a line can do besides is asked of it by type: it must stay what it was.
		switch x := line.(type) {
		case net.Conn:
			return countedConn{x, closed}
		case serial.Port:
			return countedPort{x, closed}
		default:
			return countedLine{line, closed}
		}
	}
}

type countedConn struct {
	net.Conn
	closed func()
}

// Close implements net.Conn.
func (c countedConn) Close() error {
	c.closed()
	return c.Conn.Close()
}

type countedPort struct {
	serial.Port
	closed func()
}

// Close implements serial.Port.
func (c countedPort) Close() error {
	c.closed()
	return c.Port.Close()
}

type countedLine struct {
	io.ReadWriteCloser
	closed func()
}

// Close implements io.Closer.
func (c countedLine) Close() error {
	c.closed()
	return c.ReadWriteCloser.Close()
}
