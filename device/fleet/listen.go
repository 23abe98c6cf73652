package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
)

// listen opens one listener for all homes. It takes connections to any address; those
// to another network than the homes' are closed without a byte.
func (f *Fleet) listen() error {
	lc := net.ListenConfig{Control: loopbackOnly}
	l, err := lc.Listen(f.ctx, "tcp4", fmt.Sprintf("0.0.0.0:%d", f.opt.Port))
	if err != nil {
		return fmt.Errorf("fleet: %w: another fleet may be running; give this one another port", err)
	}
	f.mu.Lock()
	f.listener = l
	f.mu.Unlock()
	f.spawn(func() { f.accept(l, f.called) })
	return nil
}

// accept hands each connection to a goroutine of its own.
func (f *Fleet) accept(l net.Listener, serve func(nc io.ReadWriteCloser)) {
	for {
		nc, err := l.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) && !errors.Is(err, context.Canceled) {
				f.log.Error("the listener of the homes stopped", "error", err)
			}
			return
		}
		if !f.spawn(func() { serve(nc) }) {
			_ = nc.Close()
		}
	}
}

// called serves a connection to the home whose address was called.
func (f *Fleet) called(rw io.ReadWriteCloser) {
	i, ok := f.atAddress(rw.(net.Conn).LocalAddr().(*net.TCPAddr).AddrPort().Addr())
	if !ok {
		_ = rw.Close()
		return
	}
	f.connect(i, rw, true)
}
