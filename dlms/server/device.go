package server

import (
	"io"
	"slices"
	"time"
)

// Peer is who sent an APDU: the link it came over and the client's SAP on it. Link ids are the owner's to choose; two
// links that are up at the same time have different ones.
type Peer struct {
	Link   uint64
	Client uint16
	// Single is set for links that carry one reply to a request (HDLC): general block transfer does not stream on them.
	Single bool

	via uint32 // form of the server's HDLC address: each form has a connection, and an association, of its own
}

// Device is one logical device. Its exported fields are set before the first call to Serve. It is not safe for
// concurrent use.
type Device struct {
	// Model of the device. Required.
	Model *Model
	// State is what the model's getters, setters and methods work on; see [State].
	State any
	// Security holds keys and counters. Nil is enough for models without passwords and ciphering.
	Security Security
	// Rand gives HLS challenges. Nil refuses HLS associations.
	Rand io.Reader
	// SAP of the device in its host, for the association objects. Zero shows as 1, the management logical device.
	SAP uint16

	assocs []*association
}

// Watcher is a device's State that wants to know of clients who failed to prove who they are: a wrong password, a wrong
// answer to a challenge, an AARQ under a key that does not open the device.
type Watcher interface {
	Unauthorised(now time.Time, p Peer)
}

func (d *Device) unauthorised(now time.Time, p Peer) {
	if w, ok := d.State.(Watcher); ok {
		w.Unauthorised(now, p)
	}
}

// Open reports how many associations are open or pending.
func (d *Device) Open() int { return len(d.assocs) }

// Disconnect drops the associations of a link: the TCP connection closed, the HDLC link ended.
func (d *Device) Disconnect(link uint64) {
	d.drop(func(a *association) bool { return a.peer.Link == link })
}

// DisconnectPeer drops the association of one peer: an HDLC link ends with each client separately.
func (d *Device) DisconnectPeer(p Peer) { d.drop(func(a *association) bool { return a.peer == p }) }

// DropAll drops every association: the device lost its power.
func (d *Device) DropAll() { d.assocs = nil }

// Sweep drops the associations nothing was heard from since the given time: for links without a connection, such as
// UDP.
func (d *Device) Sweep(idleSince time.Time) {
	d.drop(func(a *association) bool { return a.lastUsed.Before(idleSince) })
}

func (d *Device) drop(gone func(*association) bool) {
	d.assocs = slices.DeleteFunc(d.assocs, gone)
	if len(d.assocs) == 0 {
		d.assocs = nil // an idle device keeps no memory for them
	}
}

func (d *Device) association(p Peer) *association {
	for _, a := range d.assocs {
		if a.peer == p {
			return a
		}
	}
	return nil
}

// peersOn lists who has an association over a link under a client SAP.
func (d *Device) peersOn(link uint64, client uint16) (list []Peer) {
	for _, a := range d.assocs {
		if a.peer.Link == link && a.peer.Client == client {
			list = append(list, a.peer)
		}
	}
	return list
}

func (d *Device) sap() uint16 {
	if d.SAP == 0 {
		return 1
	}
	return d.SAP
}

// opened finds an association open under the declaration with that index.
func (d *Device) opened(index int) *association {
	for _, a := range d.assocs {
		if a.index == index {
			return a
		}
	}
	return nil
}

// specFor chooses the declaration an AARQ means: by client SAP, then mechanism. known tells whether the client SAP is
// known at all.
func (m *Model) specFor(client uint16, fits func(*Association) bool) (index int, known bool) {
	index = -1
	for i := range m.assocs {
		a := &m.assocs[i]
		if a.Client != client && a.Client != AnyClient {
			continue
		}
		known = true
		if fits(a) && (index < 0 || m.assocs[index].Client == AnyClient && a.Client == client) {
			index = i
		}
	}
	return index, known
}
