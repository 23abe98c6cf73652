package air

import "time"

// Skip moves the air ahead in time as if nothing had happened for d: what is under way goes on that much later.
func (a *Air) Skip(d time.Duration) {
	ns := int64(d)
	a.now += ns
	for i := range a.events { // all by the same, so the order stays
		a.events[i].at += ns
		if f := a.events[i].flight; f != nil && a.events[i].kind == evAck {
			f.start, f.end = f.start+ns, f.end+ns
		}
	}
	for _, f := range a.active {
		f.start, f.end = f.start+ns, f.end+ns
	}
	for _, p := range a.ports {
		p.since, p.heard = p.since+ns, p.heard+ns
	}
}
