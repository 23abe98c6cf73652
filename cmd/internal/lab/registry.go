package lab

import (
	"bytes"
	"slices"
	"sync"

	"smets1/gateway/bridge"
	"smets1/gateway/session"
	"smets1/gateway/topic"
	"smets1/internal/wire"
)

// registry is what a gateway last learned of its hubs, for the bridge. What is
// true is on the devices; after a restart this begins empty and fills as homes
// are spoken to.
type registry struct {
	mu    sync.RWMutex
	order []wire.EUI64 // sorted
	hubs  map[wire.EUI64]*bridge.Snapshot
	// changed is told of each change, outside the lock; nil until there is a
	// bridge.
	changed func(hub wire.EUI64)
}

func newRegistry(hubs []session.Hub) *registry {
	r := &registry{hubs: make(map[wire.EUI64]*bridge.Snapshot, len(hubs))}
	for _, h := range hubs {
		s := &bridge.Snapshot{Hub: topic.HubState{Hub: h.EUI, State: topic.Init}}
		for _, d := range h.Devices {
			s.Hub.Devices = append(s.Hub.Devices, topic.DeviceEUI(d.EUI))
		}
		r.hubs[h.EUI] = s
		r.order = append(r.order, h.EUI)
	}
	slices.SortFunc(r.order, func(a, b wire.EUI64) int { return bytes.Compare(a[:], b[:]) })
	return r
}

// Known implements bridge.Hubs.
func (r *registry) Known(hub wire.EUI64) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.hubs[hub] != nil
}

// Hub implements bridge.Hubs.
func (r *registry) Hub(hub wire.EUI64) (bridge.Snapshot, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	s := r.hubs[hub]
	if s == nil {
		return bridge.Snapshot{}, false
	}
	return clone(s), true
}

// all gives the hubs in the order of their EUI-64.
func (r *registry) all() []wire.EUI64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Clone(r.order)
}

// Len implements bridge.Hubs.
func (r *registry) Len() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.order)
}

// count counts the hubs by their state.
func (r *registry) count() map[topic.Condition]int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	n := map[topic.Condition]int{}
	for _, h := range r.hubs {
		n[h.Hub.State]++
	}
	return n
}

// pick gives the hubs that a selector means, in order.
func (r *registry) pick(s topic.Selector) []wire.EUI64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	named := make(map[wire.EUI64]bool, len(s.Hubs))
	for _, h := range s.Hubs {
		named[h] = true
	}
	var out []wire.EUI64
	for _, e := range r.order {
		h := r.hubs[e].Hub
		if (len(named) == 0 || named[e]) && (len(s.States) == 0 || slices.Contains(s.States, h.State)) &&
			(s.Model == "" || s.Model == h.Model) && (s.Firmware == "" || s.Firmware == h.Firmware) {
			out = append(out, e)
		}
	}
	return out
}

// Page implements bridge.Hubs.
func (r *registry) Page(after wire.EUI64, n int) []bridge.Snapshot {
	r.mu.RLock()
	defer r.mu.RUnlock()
	i := 0
	if after != (wire.EUI64{}) {
		var found bool
		if i, found = slices.BinarySearchFunc(r.order, after, func(a, b wire.EUI64) int { return bytes.Compare(a[:], b[:]) }); found {
			i++
		}
	}
	var out []bridge.Snapshot
	for ; i < len(r.order) && len(out) < n; i++ {
		out = append(out, clone(r.hubs[r.order[i]]))
	}
	return out
}

func (r *registry) hubState(s topic.HubState) {
	r.update(s.Hub, func(was *bridge.Snapshot) {
		if len(s.Devices) == 0 {
			s.Devices = was.Hub.Devices
		}
		was.Hub = s
	})
}

func (r *registry) deviceState(d topic.DeviceState) {
	r.update(d.Hub, func(was *bridge.Snapshot) {
		if i := slices.IndexFunc(was.Devices, func(x topic.DeviceState) bool { return x.Device == d.Device }); i >= 0 {
			// Who has learned one thing of a device says nothing of the others.
			old := was.Devices[i]
			if d.Identity.Model == "" {
				d.Identity = old.Identity
			}
			if d.Supply == "" {
				d.Supply = old.Supply
			}
			if d.Readings == nil {
				d.Readings = old.Readings
			}
			was.Devices[i] = d
		} else {
			was.Devices = append(was.Devices, d)
		}
	})
}

func (r *registry) update(hub wire.EUI64, f func(*bridge.Snapshot)) {
	r.mu.Lock()
	s := r.hubs[hub]
	if s == nil {
		r.mu.Unlock()
		return
	}
	f(s)
	tell := r.changed
	r.mu.Unlock()
	if tell != nil {
		tell(hub)
	}
}

// tell has changes told from now on.
func (r *registry) tell(f func(hub wire.EUI64)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changed = f
}

// clone lets a snapshot be read while the registry goes on.
func clone(s *bridge.Snapshot) bridge.Snapshot {
	return bridge.Snapshot{Hub: s.Hub, Devices: slices.Clone(s.Devices)}
}
