package server

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"smets1/dlms/apdu"
	"smets1/dlms/hdlc"
)

// Host is one physical device: its logical devices by SAP (wrapper port, upper HDLC address).
type Host interface {
	// Device with that SAP, or nil.
	Device(sap uint16) *Device
}

// Devices is a Host that is a list.
type Devices []*Device

// Device with that SAP; a zero Device.SAP is 1.
func (d Devices) Device(sap uint16) *Device {
	for _, x := range d {
		if x.sap() == sap {
			return x
		}
	}
	return nil
}

// Ports is a Host of many devices: one wrapper address, a port for each meter.
type Ports map[uint16]*Device

// Device with that SAP.
func (p Ports) Device(sap uint16) *Device { return p[sap] }

// Bus is a Host that is several physical devices on one HDLC line, by their lower addresses.
type Bus map[uint16]Host

// Device with that SAP, where no lower address tells which station is meant: there has to be only one.
func (b Bus) Device(sap uint16) *Device {
	if len(b) == 1 {
		for _, h := range b {
			return h.Device(sap)
		}
	}
	return nil
}

// at finds the device an HDLC address names.
func at(h Host, a hdlc.Address) *Device {
	b, ok := h.(Bus)
	if !ok || a.Size == 1 {
		return h.Device(a.Upper)
	}
	if station := b[a.Lower]; station != nil {
		return station.Device(a.Upper)
	}
	return nil
}

// everyone calls f with each device of a host that can list them.
func everyone(h Host, f func(*Device)) {
	switch h := h.(type) {
	case Devices:
		for _, d := range h {
			f(d)
		}
	case Ports:
		for _, d := range h {
			f(d)
		}
	case Bus:
		for _, s := range h {
			everyone(s, f)
		}
	}
}

// Token names a forwarded request, so that its reply can come later.
type Token struct {
	Link uint64
	Seq  uint64
}

// Forwarded is a request with a gateway prefix. Its slices are valid during the call of Forward only.
type Forwarded struct {
	Token          Token
	Client, Server uint16 // SAPs on the link it came over
	NetworkID      uint8
	Address        []byte // physical device address: on a HAN the EUI-64
	APDU           []byte // without the prefix
	// From takes the reply.
	From Replier
}

// Forwarder hands requests with a gateway prefix to the devices behind this one.
type Forwarder interface {
	// Forward takes a request. Each is answered once, with [Replier.Reply] on Forwarded.From: at once or any time
	// later. One that is never answered is forgotten when the link ends, or when too many wait.
	Forward(now time.Time, r Forwarded)
}

// Replier is an adaptor that waits for replies of forwarded requests.
type Replier interface {
	// Reply sends the reply, which gets the prefix. An empty APDU ends the request without a word. It fails with
	// ErrStale if the request is not waited for.
	Reply(now time.Time, t Token, apdu []byte) error
}

// ErrStale is a reply nobody waits for.
var ErrStale = errors.New("server: no such request waits for a reply: it was answered, its link ended, or newer ones took its place")

// defaultPending is how many forwarded requests may wait on one link.
const defaultPending = 16

// waiting is a forwarded request.
type waiting[R any] struct {
	seq     uint64
	network uint8
	address []byte
	route   R
}

// desk is what the adaptors share: routing to devices, and forwarded requests. R is how an adaptor finds its way back.
type desk[R any] struct {
	host    Host
	forward Forwarder
	max     int
	seq     uint64
	waits   []waiting[R]
	seen    []*Device
}

// device finds a device and remembers it for close.
func (d *desk[R]) device(sap uint16) *Device { return d.remember(d.host.Device(sap)) }

func (d *desk[R]) remember(dev *Device) *Device {
	if dev != nil && !slices.Contains(d.seen, dev) {
		d.seen = append(d.seen, dev)
	}
	return dev
}

// gateway deals with a request that has a gateway prefix. done tells that it was; the reply to give at once, if there
// is one, is in dst.
func (d *desk[R]) gateway(now time.Time, from Replier, link uint64, client, server uint16, request []byte, route R, dst []byte) (reply []byte, done bool) {
	if len(request) == 0 || apdu.Tag(request[0]) != apdu.TagGatewayRequest {
		return dst, false
	}
	if d.forward == nil {
		return exception(dst, apdu.StateServiceUnknown, apdu.ServiceNotSupported), true
	}
	p, n, err := apdu.ParseGatewayPrefix(request)
	if err != nil || n == len(request) {
		return exception(dst, apdu.StateServiceNotAllowed, apdu.ServiceOperationNotPossible), true
	}
	if len(d.waits) >= d.max {
		d.waits = slices.Delete(d.waits, 0, 1) // the oldest: its client has given up or never will
	}
	d.seq++
	d.waits = append(d.waits, waiting[R]{seq: d.seq, network: p.NetworkID, address: append([]byte(nil), p.Address...), route: route})
	d.forward.Forward(now, Forwarded{
		Token: Token{Link: link, Seq: d.seq}, Client: client, Server: server,
		NetworkID: p.NetworkID, Address: p.Address, APDU: request[n:], From: from,
	})
	return dst, true
}

// answer takes a forwarded request off the list.
func (d *desk[R]) answer(t Token) (waiting[R], error) {
	for i, w := range d.waits {
		if w.seq == t.Seq {
			d.waits = slices.Delete(d.waits, i, i+1)
			return w, nil
		}
	}
	return waiting[R]{}, fmt.Errorf("%w (link %d, request %d)", ErrStale, t.Link, t.Seq)
}

// prefixed appends the reply with its prefix.
func (w *waiting[R]) prefixed(reply, dst []byte) []byte {
	dst, _ = apdu.GatewayPrefix{Response: true, NetworkID: w.network, Address: w.address}.AppendBinary(dst)
	return append(dst, reply...)
}

// close drops the associations of a link in every device it touched.
func (d *desk[R]) close(link uint64) {
	for _, dev := range d.seen {
		dev.Disconnect(link)
	}
	d.seen, d.waits = nil, nil
}
