package edge

import (
	"net"
	"time"

	"smets1/dlms/server"
)

// Remote addresses are forgotten, and their associations dropped, when nothing came from them for idleRemote or when
// maxRemotes newer ones are known.
const (
	idleRemote = 10 * time.Minute
	maxRemotes = 1024
)

// UDP serves wrapper units, one a datagram, until the socket is closed, and returns its error. Each remote address is a
// link of its own.
func (e *Edge) UDP(c net.PacketConn, s *Site) error {
	if !e.enter(c) {
		return ErrClosed
	}
	defer e.leave(c)
	u := &remotes{edge: e, byAddr: map[string]*remote{}, byLink: map[uint64]*remote{}}
	g := server.NewDatagrams(server.StreamConfig{Host: s.host, Forward: s.forward}, func(link uint64, b []byte) {
		if r := u.byLink[link]; r != nil {
			_, _ = c.WriteTo(b, r.addr) // a datagram may be lost
		}
	})
	buf := make([]byte, 0x10000)
	for {
		n, addr, err := c.ReadFrom(buf)
		if err != nil {
			s.Do(func(time.Time) {
				for link := range u.byLink {
					g.Disconnect(link)
				}
			})
			return err
		}
		s.Do(func(now time.Time) {
			r := u.from(addr, now, g.Disconnect)
			g.Input(now, r.link, buf[:n])
		})
	}
}

type remote struct {
	addr net.Addr
	link uint64
	last time.Time
}

type remotes struct {
	edge   *Edge
	byAddr map[string]*remote
	byLink map[uint64]*remote
	swept  time.Time
}

// from finds the remote of an address, and forgets others.
func (u *remotes) from(addr net.Addr, now time.Time, gone func(link uint64)) *remote {
	r := u.byAddr[addr.String()]
	if r == nil {
		if len(u.byAddr) >= maxRemotes {
			u.forget(u.oldest(), gone)
		}
		r = &remote{addr: addr, link: u.edge.link()}
		u.byAddr[addr.String()], u.byLink[r.link] = r, r
	}
	r.last = now
	if now.Sub(u.swept) >= idleRemote/4 {
		u.swept = now
		for _, o := range u.byLink {
			if now.Sub(o.last) >= idleRemote {
				u.forget(o, gone)
			}
		}
	}
	return r
}

func (u *remotes) oldest() (first *remote) {
	for _, r := range u.byLink {
		if first == nil || r.last.Before(first.last) {
			first = r
		}
	}
	return first
}

func (u *remotes) forget(r *remote, gone func(link uint64)) {
	gone(r.link)
	delete(u.byAddr, r.addr.String())
	delete(u.byLink, r.link)
}
