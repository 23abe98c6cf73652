package topic

import "slices"

// Publishes returns the topics that clients of these roles may publish to, for the access list of a broker. A verb is a part of its
// topic, so that a broker that knows users can hold each to its roles.
func (t Tree) Publishes(roles ...Role) []string {
	var out []string
	for _, v := range verbs {
		if !slices.ContainsFunc(roles, v.May) {
			continue
		}
		if v.Fleet {
			out = append(out, t.FleetCommand(v.Verb))
			continue
		}
		out = append(out, t.join("hub", "+", "cmd", string(v.Verb)), t.ManyCommand(v.Verb))
	}
	return out
}

// Subscribes returns the topics that a client may subscribe to: what everybody may know, and its own results. The commands and results of
// others are not among them.
func (t Tree) Subscribes(client string) []string {
	return []string{
		t.BridgeStates(), t.join("bridge", "+", "info"), t.Refusals(), t.HubStates(), t.DeviceStates(), t.Events(),
		t.join("hub", "+", "tlm", "+"), t.Reply(client),
	}
}
