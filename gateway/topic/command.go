package topic

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"smets1/internal/wire"
)

// Command asks a hub, or the fleet, for something. Hub and Verb come from the topic and are not in the payload.
type Command struct {
	Schema int `json:"schema"`
	// ID is the idempotency key; see CheckID for what may stand in it.
	ID string `json:"id"`
	// Reply is the topic that results go to: rsp/<client> of the same fleet. Empty means that only
	// the gateway's stored result tells the outcome.
	Reply string `json:"reply,omitzero"`
	// Device is the device meant; empty means what the verb says it means.
	Device Device `json:"device,omitzero"`
	// Args are the arguments of the verb; absent means an empty object.
	Args json.RawMessage `json:"args,omitzero"`
	// Deadline is when the command must have started; zero means that it never expires.
	Deadline time.Time `json:"deadline,omitzero"`
	// Expect is the revision that the hub must have when the command starts; nil means any.
	Expect *uint64 `json:"expect,omitzero"`

	// Priority is before which others of the same hub it runs: above 0 before, below 0 after those that wait, from -9 to 9. Among equals the
	// order of acceptance holds, and what runs is not interrupted.
	Priority int `json:"priority,omitzero"`

	// Select picks the hubs of a command for many homes; only commands on bridge/many/<verb> have one.
	Select *Selector `json:"select,omitzero"`

	Hub  wire.EUI64 `json:"-"` // zero for a command to the fleet
	Verb Verb       `json:"-"`
}

// MaxPriority is the highest priority, and with a minus the lowest.
const MaxPriority = 9

// NewCommand makes a command for a hub, or for the fleet when hub is zero. Args may be nil.
func NewCommand(id string, hub wire.EUI64, v Verb, args any) (Command, error) {
	c := Command{Schema: Schema, ID: id, Hub: hub, Verb: v}
	if args != nil {
		b, err := json.Marshal(args)
		if err != nil {
			return Command{}, fmt.Errorf("topic: arguments of %s: %w", v, err)
		}
		c.Args = b
	}
	return c, nil
}

// Topic is where the command is sent.
func (c Command) Topic(t Tree) string {
	if c.Select != nil {
		return t.ManyCommand(c.Verb)
	}
	if c.Hub == (wire.EUI64{}) {
		return t.FleetCommand(c.Verb)
	}
	return t.HubCommand(c.Hub, c.Verb)
}

// Marshal returns the payload.
func (c Command) Marshal() ([]byte, error) {
	c.Schema = Schema
	if !c.Deadline.IsZero() {
		c.Deadline = c.Deadline.UTC()
	}
	return json.Marshal(c)
}

// ParseCommand decodes the payload of a command that came in on address a. On an error (an *Error with a
// stable code) the returned command still holds the id, reply topic, hub and verb as far as they could be understood
// and are allowed, so that the refusal can be sent to whoever waits for it.
func (t Tree) ParseCommand(a Address, payload []byte, l Limits) (Command, error) {
	c := Command{Hub: a.Hub, Verb: a.Verb}
	if err := l.decode(payload, &c); err != nil {
		return t.salvage(a, payload), err
	}
	c.Hub, c.Verb = a.Hub, a.Verb
	if !c.Deadline.IsZero() {
		c.Deadline = c.Deadline.UTC()
	}
	if a.Kind != KindManyCommand {
		c.Select = nil
	}
	err := t.checkCommand(&c)
	if err == nil && a.Kind == KindManyCommand {
		err = c.checkSelect()
	}
	return c, err
}

// checkSelect checks what a command for many homes needs.
func (c *Command) checkSelect() error {
	where := "payload, member \"select\""
	switch {
	case c.Select == nil || c.Select.IsZero():
		return NewError(CodeBadArgs, "it picks no hub", where, "name hubs, states, model or firmware, or send {\"all\":true}")
	case c.Select.Parallel < 0 || c.Select.Parallel > MaxParallel || c.Select.StopAfter < 0:
		return NewError(CodeBadArgs, "parallel or stop_after is out of range", where, fmt.Sprintf("send 1 to %d for parallel, and zero or more for stop_after", MaxParallel))
	case c.Expect != nil:
		return NewError(CodeBadArgs, "one revision cannot be expected of many hubs", "payload, member \"expect\"", "leave it out")
	case len(c.ID)+1+len(wire.EUI64{}.String()) > MaxID:
		return NewError(CodeBadID, "the id leaves no room for those of the hubs", "payload, member \"id\"", fmt.Sprintf("send at most %d characters", MaxID-1-len(wire.EUI64{}.String())))
	}
	return nil
}

// IDFor is the id that the command of one of many homes has.
func (c Command) IDFor(hub wire.EUI64) string { return c.ID + "/" + hub.String() }

func (t Tree) checkCommand(c *Command) error {
	id, reply := c.ID, c.Reply
	c.ID, c.Reply = "", ""
	if reply != "" {
		if a, err := t.Parse(reply); err != nil || a.Kind != KindReply {
			c.ID = allowedID(id)
			return NewError(CodeBadReply, "the reply topic is not one", fmt.Sprintf("payload, member \"reply\" %q", clip(reply)), "use "+t.Root()+"/rsp/<client>")
		}
		c.Reply = reply
	}
	if err := CheckID(id); err != nil {
		return Wrap(CodeBadID, err, "payload, member \"id\"", "send an id that no other command has")
	}
	c.ID = id
	if err := checkSchema(&c.Schema); err != nil {
		return err
	}
	if c.Priority < -MaxPriority || c.Priority > MaxPriority {
		return NewError(CodeBadArgs, fmt.Sprintf("priority %d is none", c.Priority), "payload, member \"priority\"", fmt.Sprintf("send -%d to %d, or leave it out", MaxPriority, MaxPriority))
	}
	if a := strings.TrimSpace(string(c.Args)); a == "" || a == "null" {
		c.Args = nil
	} else if a[0] != '{' {
		return NewError(CodeBadArgs, "the arguments are not a JSON object", "payload, member \"args\"", "send an object")
	}
	return nil
}

// maxSalvage is the largest payload that is looked into for who sent it.
const maxSalvage = 4 << 20

// salvage finds out who sent a payload that could not be decoded as a command.
func (t Tree) salvage(a Address, payload []byte) Command {
	c := Command{Schema: Schema, Hub: a.Hub, Verb: a.Verb}
	if len(payload) > maxSalvage {
		return c
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(payload, &members) != nil {
		return c
	}
	var id, reply string
	if json.Unmarshal(members["id"], &id) == nil {
		c.ID = allowedID(id)
	}
	if json.Unmarshal(members["reply"], &reply) == nil {
		if r, err := t.Parse(reply); err == nil && r.Kind == KindReply {
			c.Reply = reply
		}
	}
	return c
}

func allowedID(id string) string {
	if CheckID(id) != nil {
		return ""
	}
	return id
}

// DecodeArgs decodes the arguments into v, which points to the argument type of the verb. Absent arguments leave v alone.
// Errors are *Error with code bad-args.
func (c Command) DecodeArgs(v any) error {
	if len(c.Args) == 0 {
		return nil
	}
	if err := json.Unmarshal(c.Args, v); err != nil {
		return Wrap(CodeBadArgs, err, "arguments of "+string(c.Verb), "see the page of the verb")
	}
	return nil
}
