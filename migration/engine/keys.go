package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"smets1/gateway/topic"
	"smets1/internal/wire"
	"smets1/migration/document"
	"smets1/migration/lifecycle"
)

// rotationCodes is which of the steps stage, prove, commit, refuse, read back
// (XKR01 to XKR05) a failed take-over stopped at.
var rotationCodes = map[topic.Code]string{
	topic.CodeKeyLapsed: "XKR03", topic.CodeAborted: "XKR03", topic.CodeKeyRefused: "XKR02", topic.CodeVerify: "XKR05", topic.CodeKeyUnknown: "XKR01",
	topic.CodeNoWAN: "XKR03", topic.CodeHubSilent: "XKR03", topic.CodeLinkLost: "XKR03", topic.CodeHANSilent: "XKR03", topic.CodeTimeout: "XKR03",
}

// takeKeys rotates every device of the home to the S1SP's keys, the hub last:
// while it still has the operator's, the way back is open.
func (e *Engine) takeKeys(ctx context.Context, h *home) (*failure, error) {
	devices := h.devices()
	slices.Reverse(devices)
	for _, d := range devices {
		if slices.Contains(h.Taken, d.ID) {
			continue
		}
		step := "keys/takeover/" + string(role(d.Type))
		var r topic.KeysResult
		err := e.ask(ctx, h, step, topic.KeysTakeover, "", topic.KeysTakeoverArgs{Owner: e.owner(h), Devices: []topic.Device{role(d.Type)}}, &r)
		k, found := keysOf(r, d.ID)
		if err == nil && found {
			err = k.Err()
		}
		if f, err := e.verdict(h, step, err, "XKR01", rotationCodes); f != nil || err != nil {
			return f, err
		}
		switch {
		case !found:
			return failed("XKR05", "the gateway says nothing of %s", role(d.Type)), nil
		case !k.OldRefused:
			return failed("XKR04", "%s: the old keys were not seen refused", role(d.Type)), nil
		}
		ev := h.evidence(d.ID, d.Type)
		ev.KeyVersion, ev.Fingerprint = k.Version, k.Fingerprint
		h.Taken = append(h.Taken, d.ID)
		if err := e.journal.save(ctx, h.Record); err != nil {
			return nil, err
		}
	}
	h.Evidence.TakenAt = e.cfg.Clock.Now()
	return nil, e.journal.save(ctx, h.Record)
}

// owner is whose keys a home gets: the service provider of its group.
func (e *Engine) owner(h *home) string { return "S1SP-" + h.doc.S1SP }

// repoint gives the hub the service provider's head end and reads it back.
func (e *Engine) repoint(ctx context.Context, h *home) (*failure, error) {
	if h.Repointed {
		return nil, nil
	}
	var r topic.HubRepointResult
	err := e.ask(ctx, h, "keys/repoint", topic.HubRepoint, "", topic.HubRepointArgs{Endpoint: e.cfg.Endpoint}, &r)
	if f, err := e.verdict(h, "keys/repoint", err, "XKR06", map[topic.Code]string{topic.CodeNoWAN: "XKR06", topic.CodeHubSilent: "XKR06", topic.CodeLinkLost: "XKR06"}); f != nil || err != nil {
		return f, err
	}
	if r.To != e.cfg.Endpoint {
		return failed("XKR06", "the hub reports %q after it was pointed to %q", r.To, e.cfg.Endpoint), nil
	}
	h.Repointed, h.Evidence.Endpoint = true, r.From
	return nil, e.journal.save(ctx, h.Record)
}

// rollBack undoes in the reverse order and proves that the operator reads the
// home again (step 28). Every part may be asked for twice.
func (e *Engine) rollBack(ctx context.Context, h *home) (*failure, error) {
	for _, d := range h.commissioned() {
		if err := e.inventory.forget(ctx, d.ID, h.ID); err != nil {
			return nil, err
		}
	}
	if h.Repointed {
		err := e.insist(ctx, "rollback/repoint", func(step string) error {
			return e.ask(ctx, h, step, topic.HubRepoint, "", topic.HubRepointArgs{Endpoint: h.Evidence.Endpoint}, nil)
		})
		if f, err := e.verdict(h, "rollback/repoint", err, "XRB01", everything("XRB01")); f != nil || err != nil {
			return f, err
		}
		h.Repointed = false
		if err := e.journal.save(ctx, h.Record); err != nil {
			return nil, err
		}
	}
	if !h.keysTouched() {
		return nil, nil // nothing on the devices was changed
	}
	devices := h.devices() // hub first: it was taken last
	for _, d := range devices {
		step := "rollback/keys/" + string(role(d.Type))
		err := e.insist(ctx, step, func(step string) error {
			var r topic.KeysResult
			err := e.ask(ctx, h, step, topic.KeysRollback, "", topic.KeysRollbackArgs{Devices: []topic.Device{role(d.Type)}}, &r)
			if k, found := keysOf(r, d.ID); err == nil && found {
				err = k.Err()
			}
			return err
		})
		if f, err := e.verdict(h, step, err, "XRB01", everything("XRB01")); f != nil || err != nil {
			return f, err
		}
		h.Taken = slices.DeleteFunc(h.Taken, func(id wire.EUI64) bool { return id == d.ID })
		if err := e.journal.save(ctx, h.Record); err != nil {
			return nil, err
		}
	}
	for _, d := range devices {
		if f, err := e.prove(ctx, h, "rollback/prove/"+string(role(d.Type)), d, "XRB01"); f != nil || err != nil {
			return f, err
		}
	}
	return nil, nil
}

// insist asks again, a few times and some minutes apart, for what must not be
// left undone because of one bad moment. Each time is a step of its own.
func (e *Engine) insist(ctx context.Context, step string, ask func(step string) error) error {
	const times, apart = 4, 10 * time.Minute
	for n := 1; ; n++ {
		err := ask(fmt.Sprintf("%s/%d", step, n))
		var te *topic.Error
		if n == times || !errors.As(err, &te) || !te.Code.Retryable() {
			return err
		}
		if err := e.cfg.Clock.Sleep(ctx, apart); err != nil {
			return err
		}
	}
}

// keysTouched reports whether the present attempt got as far as the keys.
func (h *home) keysTouched() bool {
	for _, m := range h.Moves {
		if m.Attempt == h.Attempt && m.To == lifecycle.Viable {
			return true
		}
	}
	return false
}

// everything gives one code to whatever goes wrong.
func everything(code string) map[topic.Code]string {
	m := map[topic.Code]string{}
	for _, c := range topic.Codes() {
		m[c.Code] = code
	}
	return m
}

// post is the read that follows commissioning (step 27): a register of each
// meter, asked for as any user would.
func (e *Engine) post(ctx context.Context, h *home) (*failure, error) {
	for _, d := range h.devices() {
		var item topic.Attribute
		switch d.Type {
		case document.ESME:
			item = topic.Attribute{Class: 3, OBIS: "1-0:1.8.0.255", Attribute: 2}
		case document.GSME:
			item = topic.Attribute{Class: 3, OBIS: "7-0:3.0.0.255", Attribute: 2}
		default:
			continue
		}
		step := "commission/read/" + string(role(d.Type))
		var r topic.ReadResult
		err := e.ask(ctx, h, step, topic.Read, role(d.Type), topic.ReadArgs{Items: []topic.ReadItem{{Attribute: item}}}, &r)
		if err == nil && len(r.Items) == 1 {
			err = r.Items[0].Err()
		}
		if f, err := e.verdict(h, step, err, "XCM03", everything("XCM03")); f != nil || err != nil {
			return f, err
		}
		if len(r.Items) != 1 || r.Items[0].Value == nil {
			return failed("XCM03", "%s: no value came back", role(d.Type)), nil
		}
	}
	return nil, nil
}
