package bridge

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"smets1/gateway/audit"
	"smets1/gateway/topic"
	"smets1/internal/wire"
)

// maxIntake is how many messages may wait to be parsed. With QoS 1 the broker's own window is far below; beyond it a flood of
// QoS 0 is dropped, and counted.
const maxIntake = 20_000

// Most messages that are handed to the queue at once.
const maxTake = 256

// intake holds messages that came in.
type intake struct {
	limit int

	mu    sync.Mutex
	queue []mqtt.Message
	over  uint64
	more  chan struct{}
}

func newIntake(limit int) *intake { return &intake{limit: limit, more: make(chan struct{}, 1)} }

// push is what paho calls: it does not block.
func (in *intake) push(m mqtt.Message) {
	in.mu.Lock()
	if len(in.queue) >= in.limit {
		in.over++
		in.mu.Unlock()
		return
	}
	in.queue = append(in.queue, m)
	in.mu.Unlock()
	signal(in.more)
}

func (in *intake) take(n int) (got []mqtt.Message, dropped uint64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	n = min(n, len(in.queue))
	got = in.queue[:n:n]
	in.queue = in.queue[n:]
	if len(in.queue) == 0 {
		in.queue = nil
	}
	dropped, in.over = in.over, 0
	return got, dropped
}

func (b *Bridge) takeIn() {
	for {
		select {
		case <-b.in.more:
		case <-b.base.Done():
			return
		}
		for {
			got, dropped := b.in.take(maxTake)
			if dropped > 0 {
				b.log.Warn("messages were dropped: commands came faster than they can be parsed", slog.Any("messages", dropped))
				b.refuse(topic.Command{}, topic.NewError(topic.CodeBusy, fmt.Sprintf("%d messages were dropped unread", dropped), "gateway", "send with QoS 1, and fewer at once"))
			}
			if len(got) == 0 {
				break
			}
			b.handle(got)
		}
	}
}

// handle answers messages in the order they came. Commands that follow each other go to the queue together.
func (b *Bridge) handle(got []mqtt.Message) {
	var commands []topic.Command
	var receipts []*receipt
	var over []*receipt
	for _, m := range got {
		r := b.acks.expect(m)
		c, ok := b.understand(m)
		if ok {
			if info, _ := c.Verb.Info(); !info.Query || c.Select != nil {
				commands, receipts = append(commands, c), append(receipts, r)
				continue
			}
			b.answerQuery(c)
		}
		over = append(over, r)
	}
	b.acks.ready(over...)
	b.cfg.Queue.Offer(b.base, commands, func(i int, r topic.Result, told bool) {
		if r.Code == topic.CodeBusy && (b.base.Err() != nil || b.isClosing()) {
			return // it is not acknowledged, and will be delivered again
		}
		if !told {
			b.answerOrReport(commands[i], r)
		}
		b.acks.ready(receipts[i])
	})
}

// understand parses a message, and refuses it if it is not a command that may run here.
func (b *Bridge) understand(m mqtt.Message) (topic.Command, bool) {
	at, payload := m.Topic(), m.Payload()
	if len(payload) == 0 && b.ownClearing(at) {
		return topic.Command{}, false
	}
	a, err := b.tree.Parse(at)
	c, parseErr := b.tree.ParseCommand(a, payload, b.cfg.Limits)
	switch {
	case m.Retained():
		err = topic.NewError(topic.CodeRetained, "the command was sent with the retain flag", "topic "+at, "send it without; the gateway has removed it from the broker")
		b.clear(at)
	case err != nil:
	case a.Kind != topic.KindHubCommand && a.Kind != topic.KindFleetCommand && a.Kind != topic.KindManyCommand:
		err = topic.NewError(topic.CodeBadTopic, "it is not a topic for commands", "topic "+at, "see the topic table of the contract")
	case parseErr != nil:
		err = parseErr
	case a.Kind == topic.KindHubCommand && !b.cfg.Hubs.Known(a.Hub):
		err = topic.NewError(topic.CodeUnknownHub, "there is no such hub", "hub "+a.Hub.String(), "see list")
	}
	if err == nil {
		err = checkQuery(c)
	}
	if err == nil {
		err = b.checkRole(c)
	}
	if err != nil {
		b.refuse(c, err)
		return c, false
	}
	return c, true
}

// checkQuery refuses what only looks like a query; other verbs are checked by the queue.
func checkQuery(c topic.Command) error {
	if info, ok := c.Verb.Info(); ok && info.Query && c.Hub != (wire.EUI64{}) {
		return topic.NewError(topic.CodeUnknownVerb, "there is no verb "+string(c.Verb)+" for hubs", "topic", "see the verbs in the bridge's info")
	}
	return nil
}

// checkRole refuses what the client may not ask for.
func (b *Bridge) checkRole(c topic.Command) error {
	info, known := c.Verb.Info()
	if toFleet := c.Hub.IsZero() && c.Select == nil; b.cfg.Roles == nil || !known || info.Fleet != toFleet {
		return nil // if it is none at all, the queue says so
	}
	client := audit.Client(c.Reply)
	if slices.ContainsFunc(b.cfg.Roles(client), info.May) {
		return nil
	}
	err := topic.NewError(topic.CodeForbidden, fmt.Sprintf("the client %q has no role that may ask for %s", client, c.Verb), "roles of this gateway",
		fmt.Sprintf("use a client that is one of %v", info.Roles))
	e := audit.Of(audit.Forbidden, c, b.cfg.Clock.Now())
	e.Code = topic.CodeForbidden
	b.note(e)
	return err
}

// note adds to the audit what is over already, so that a failure can only be reported.
func (b *Bridge) note(e audit.Entry) {
	if err := b.cfg.Audit.Append(e, true); err != nil {
		b.log.Error("a line could not be added to the audit", slog.Any("action", e.Action), slog.Any("id", e.ID), slog.Any("error", err))
	}
}

// clear removes a retained command. The removal comes back as an empty message, which must not be answered.
func (b *Bridge) clear(at string) {
	b.mu.Lock()
	b.cleared[at]++
	b.mu.Unlock()
	b.out.push(&item{topic: at, qos: 1, retained: true})
}

func (b *Bridge) ownClearing(at string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cleared[at] == 0 {
		return false
	}
	if b.cleared[at]--; b.cleared[at] == 0 {
		delete(b.cleared, at)
	}
	return true
}

// answerQuery answers a verb that changes nothing.
func (b *Bridge) answerQuery(c topic.Command) {
	v, err := b.query(c)
	r := topic.EndedBy(c, err, b.cfg.Clock.Now())
	if err == nil {
		if r.Result, err = json.Marshal(v); err != nil {
			r = topic.EndedBy(c, err, b.cfg.Clock.Now())
		}
	}
	b.answerOrReport(c, r)
}

func (b *Bridge) query(c topic.Command) (any, error) {
	if !c.Deadline.IsZero() && !b.cfg.Clock.Now().Before(c.Deadline) {
		return nil, topic.NewError(topic.CodeExpired, "the deadline has passed", "bridge", "send it again with a later deadline")
	}
	var page topic.PageArgs
	switch c.Verb {
	case topic.FleetRebirth:
		return b.rebirth(c)
	case topic.FleetJobs:
		return b.jobs(c)
	case topic.FleetCancel:
		return b.cancel(c)
	case topic.FleetResolve:
		return b.resolve(c)
	default: // pages: list and snapshot
	}
	if err := c.DecodeArgs(&page); err != nil {
		return nil, err
	}
	var after wire.EUI64
	if page.After != "" {
		var err error
		if after, err = wire.ParseEUI64(page.After); err != nil {
			return nil, topic.Wrap(topic.CodeBadArgs, err, "argument \"after\"", "send the next of the page before")
		}
	}
	if page.Limit < 0 {
		return nil, topic.NewError(topic.CodeBadArgs, "the limit is negative", "argument \"limit\"", "send a number above zero, or none")
	}
	if page.Limit == 0 || page.Limit > b.cfg.PageLimit {
		page.Limit = b.cfg.PageLimit
	}
	got := b.cfg.Hubs.Page(after, page.Limit+1)
	next := ""
	if len(got) > page.Limit {
		got = got[:page.Limit]
		next = got[page.Limit-1].Hub.Hub.String()
	}
	if c.Verb == topic.FleetList {
		return b.list(got, next), nil
	}
	return b.snapshot(got, next), nil
}

func (b *Bridge) list(got []Snapshot, next string) topic.ListResult {
	r := topic.ListResult{Hubs: make([]topic.HubSummary, len(got)), Total: b.cfg.Hubs.Len(), Next: next}
	for i, s := range got {
		r.Hubs[i] = topic.HubSummary{Hub: s.Hub.Hub, State: s.Hub.State, Revision: b.cfg.Queue.Revision(s.Hub.Hub)}
	}
	return r
}

func (b *Bridge) snapshot(got []Snapshot, next string) topic.SnapshotResult {
	r := topic.SnapshotResult{Hubs: make([]topic.HubState, len(got)), Devices: []topic.DeviceState{}, Total: b.cfg.Hubs.Len(), Next: next}
	b.mu.Lock()
	r.Session = b.session
	if b.conn != nil {
		r.Sequence = b.conn.sequence.Load()
	}
	b.mu.Unlock()
	for i, s := range got {
		s.Hub.Schema, s.Hub.Session, s.Hub.Sequence = topic.Schema, r.Session, r.Sequence
		s.Hub.Revision = b.cfg.Queue.Revision(s.Hub.Hub)
		r.Hubs[i] = s.Hub
		for _, d := range s.Devices {
			d.Schema, d.Session, d.Sequence = topic.Schema, r.Session, r.Sequence
			r.Devices = append(r.Devices, d)
		}
	}
	return r
}

func (b *Bridge) rebirth(c topic.Command) (topic.RebirthResult, error) {
	if err := c.DecodeArgs(&topic.RebirthArgs{}); err != nil {
		return topic.RebirthResult{}, err
	}
	signal(b.reborn)
	b.mu.Lock()
	r := topic.RebirthResult{Session: b.session, Hubs: b.cfg.Hubs.Len()}
	b.mu.Unlock()
	if r.Hubs <= b.cfg.RetainedHubs {
		r.Retain = r.Hubs
	}
	return r, nil
}
