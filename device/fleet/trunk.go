package fleet

import (
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"smets1/device/hub"
	"smets1/dlms/apdu"
	"smets1/dlms/server"
	"smets1/internal/wire"
)

// trunk is a connection to all homes at once: a DLMS gateway in front of them. A request
// has the gateway prefix E6 with network 1 and the EUI-64 of a hub or of a meter, and its
// reply has the same with E7. A hub that cannot be reached over its WAN answers with the
// exception D8 01 03, an address that nobody has with D8 02 01, as a hub does for the
// devices behind it.
type trunk struct {
	writer
	id uint64

	mu     sync.Mutex // after that of a shard
	stream *server.Stream
	asked  []server.Forwarded // of the bytes that are being looked at
	homes  map[int]struct{}   // whose hubs were talked to
}

// listenTrunk opens the port of the gateway.
func (f *Fleet) listenTrunk() error {
	var lc net.ListenConfig
	l, err := lc.Listen(f.ctx, "tcp", f.opt.Gateway)
	if err != nil {
		return fmt.Errorf("fleet: gateway: %w: give it another address", err)
	}
	if a := l.Addr().(*net.TCPAddr); !a.IP.IsLoopback() {
		_ = l.Close()
		return fmt.Errorf("fleet: gateway: %v is not on this machine alone: the homes are for loopback", a)
	}
	f.mu.Lock()
	f.gateway = l
	f.mu.Unlock()
	f.spawn(func() { f.accept(l, f.trunk) })
	return nil
}

// GatewayAddr is where all homes are reached through one port; nil if nowhere.
func (f *Fleet) GatewayAddr() net.Addr {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gateway == nil {
		return nil
	}
	return f.gateway.Addr()
}

// DialGateway connects in memory to all homes at once, as over the port of Options.Gateway.
func (f *Fleet) DialGateway() (net.Conn, error) {
	near, far := net.Pipe()
	if !f.spawn(func() { f.trunk(far) }) {
		return nil, net.ErrClosed
	}
	return near, nil
}

// trunk serves a connection to all homes. It returns when the connection ends.
func (f *Fleet) trunk(rw io.ReadWriteCloser) {
	if !f.enter(rw) {
		return
	}
	defer f.leave(rw)
	t := &trunk{writer: writer{fleet: f, name: "gateway", rw: rw}, id: f.links.Add(1), homes: map[int]struct{}{}}
	t.stream = server.NewStream(server.StreamConfig{Host: server.Devices{}, Forward: t, Link: t.id, RefuseUnknown: true, Stall: stall, MaxPending: maxAsked})
	defer t.close()
	t.pump(func(b []byte) bool {
		t.input(f.clock.Now(), b)
		return true
	})
}

// maxAsked is how many requests of a trunk may be under way at once (ours).
const maxAsked = 4096

func (t *trunk) input(now time.Time, b []byte) {
	t.mu.Lock()
	t.stream.Input(now, b)
	asked := t.asked
	t.asked = nil
	t.output()
	t.mu.Unlock()
	for i := range asked {
		t.ask(&asked[i])
	}
}

// output hands out what the stream has to say. mu is held.
func (t *trunk) output() {
	if out := t.stream.Output(); len(out) > 0 {
		t.send(out)
	}
}

// Forward implements server.Forwarder: what is asked is kept until mu is given back, for
// homes are locked before trunks.
func (t *trunk) Forward(_ time.Time, r server.Forwarded) {
	r.Address = append([]byte(nil), r.Address...)
	r.APDU = append([]byte(nil), r.APDU...)
	r.From = t
	t.asked = append(t.asked, r)
}

// Reply implements server.Replier.
func (t *trunk) Reply(now time.Time, k server.Token, reply []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	err := t.stream.Reply(now, k, reply)
	t.output()
	return err
}

func (t *trunk) refuse(now time.Time, r *server.Forwarded, e apdu.Exception) {
	if b, err := e.AppendBinary(nil); err == nil {
		_ = t.Reply(now, r.Token, b) // a client that is gone does not mind
	}
}

var (
	errNobody      = apdu.Exception{State: apdu.StateServiceUnknown, Service: apdu.ServiceOperationNotPossible}
	errUnreachable = apdu.Exception{State: apdu.StateServiceNotAllowed, Service: apdu.ServiceOtherReason}
)

// ask takes a request to its home.
func (t *trunk) ask(r *server.Forwarded) {
	f := t.fleet
	var to wire.EUI64
	i, ok := 0, r.NetworkID == hub.Network && copy(to[:], r.Address) == len(r.Address)
	if ok {
		i, ok = f.manifest.findEUI(to)
	}
	if !ok {
		t.refuse(f.clock.Now(), r, errNobody)
		return
	}
	err := f.with(i, func(h *home, now time.Time) error {
		if !h.hub.Awake(now) {
			t.refuse(now, r, errUnreachable)
			return nil
		}
		h.hub.Heard(now)
		h.talk(now)
		if to != h.hub.EUI {
			h.hub.Forward(now, *r)
			h.hub.Advance(now)
			return nil
		}
		t.homes[i] = struct{}{} // of the goroutine that reads
		t.serve(now, h, r)
		return nil
	})
	if err != nil {
		f.log.Error("a home could not be made", "home", i, "error", err)
		t.refuse(f.clock.Now(), r, errUnreachable)
	}
}

// serve has a hub answer a request for itself.
func (t *trunk) serve(now time.Time, h *home, r *server.Forwarded) {
	d := h.hub.Host().Device(r.Server)
	if d == nil {
		t.refuse(now, r, apdu.Exception{State: apdu.StateServiceNotAllowed, Service: apdu.ServiceOperationNotPossible})
		return
	}
	p := server.Peer{Link: t.id, Client: r.Client}
	replies := [][]byte{d.Serve(now, p, r.APDU, nil)}
	for {
		more := d.More(now, p, nil)
		if len(more) == 0 {
			break
		}
		replies = append(replies, more)
	}
	h.hub.Served(now)
	if !h.flush(&h.hub.Unit) {
		replies = [][]byte{nil}
	}
	_ = t.Reply(now, r.Token, replies[0])
	for _, b := range replies[1:] {
		prefix, err := apdu.GatewayPrefix{Response: true, NetworkID: r.NetworkID, Address: r.Address}.AppendBinary(nil)
		if err != nil {
			return // the request had the same
		}
		t.mu.Lock()
		t.stream.Push(now, r.Server, r.Client, append(prefix, b...))
		t.output()
		t.mu.Unlock()
	}
}

// close ends the associations that were opened over the trunk.
func (t *trunk) close() {
	t.mu.Lock()
	t.stream.Close()
	t.mu.Unlock()
	for i := range t.homes {
		s := t.fleet.shard(i)
		s.mu.Lock()
		if h := s.homes[i]; h != nil {
			h.hub.Device.Disconnect(t.id)
		}
		s.mu.Unlock()
	}
}

var (
	_ server.Forwarder = (*trunk)(nil)
	_ server.Replier   = (*trunk)(nil)
)
