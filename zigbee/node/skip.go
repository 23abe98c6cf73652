package node

import "time"

// Skip moves the node ahead in time as if the network had stood still for d: what it waits for comes that much later, and
// nothing has grown old. It is for laboratories that leave out days in which nothing happens.
func (n *Node) Skip(d time.Duration) {
	n.now = n.now.Add(d)
	for _, t := range n.timers { // all by the same, so the order stays
		t.at = t.at.Add(d)
	}
	for i := range n.neighbours {
		n.neighbours[i].heard = n.neighbours[i].heard.Add(d)
	}
	for i := range n.broadcasts {
		n.broadcasts[i].until = n.broadcasts[i].until.Add(d)
	}
	for i := range n.requests {
		n.requests[i].until = n.requests[i].until.Add(d)
	}
	for i := range n.seen {
		n.seen[i].at = n.seen[i].at.Add(d)
	}
	for _, p := range n.indirect {
		p.until = p.until.Add(d)
	}
	n.fastUntil = n.fastUntil.Add(d)
}
