package verbs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"smets1/dlms/axdr"
	"smets1/dlms/client"
	"smets1/dlms/cosem"
	"smets1/dlms/security"
	"smets1/firmware"
	"smets1/gateway/job"
	"smets1/gateway/keystore"
	"smets1/gateway/rekey"
	"smets1/gateway/session"
	"smets1/gateway/topic"
	"smets1/internal/wire"
)

// keyTarget makes a device of a session a rekey.Target.
type keyTarget struct {
	s      *session.Session
	device wire.EUI64
}

// Open implements rekey.Target.
func (k keyTarget) Open(ctx context.Context, set keystore.Set) (rekey.Association, error) {
	a, err := k.s.Open(ctx, k.device, set, true)
	switch {
	case err == nil:
		return keyAssociation{a}, nil
	case errors.Is(err, session.ErrKeyRefused):
		return nil, fmt.Errorf("%w: %w", rekey.ErrKeyRefused, err)
	case errors.Is(err, session.ErrNoWAN), errors.Is(err, session.ErrHubSilent):
		// The session has tried for its whole viability window.
		return nil, fmt.Errorf("%w: %w", rekey.ErrUnreachable, err)
	}
	return nil, err
}

type keyAssociation struct{ *session.Association }

// refusal makes a device's no a *rekey.RefusedError and leaves other errors.
func refusal(op string, err error) error {
	if e, ok := errors.AsType[*client.ActionError](err); ok {
		return &rekey.RefusedError{Op: op, Err: e}
	}
	return err
}

// Transfer is key_transfer, method 2 of class 64 (Blue Book, Security setup).
func (a keyAssociation) Transfer(ctx context.Context, set keystore.Set) error {
	var items []axdr.Value
	for _, k := range []struct {
		id  security.KeyID
		key security.Key
	}{{security.KeyGUEK, set.Keys.GUEK}, {security.KeyGBEK, set.Keys.GBEK}, {security.KeyGAK, set.Keys.GAK}, {security.KeyKEK, set.Keys.KEK}} {
		if k.key.IsZero() {
			continue
		}
		wrapped, err := security.WrapKey(a.Keys.Keys.KEK, k.key)
		if err != nil {
			return err
		}
		items = append(items, axdr.Structure(axdr.Enum(uint8(k.id)), axdr.Octets(wrapped)))
	}
	transfer := cosem.Method{Class: cosem.ClassSecuritySetup, Instance: cosem.SecuritySetup, ID: 2}
	_, err := a.ActionAxdr(ctx, transfer, axdr.Array(items...))
	return refusal("transfer", err)
}

func change(id int8) cosem.Attribute {
	return cosem.Attribute{Class: session.ClassKeyChange, Instance: session.NameKeyChange, ID: id}
}

// Change reads the supervised key change (class 8300, ours). A device that has
// no such object takes new keys at once.
func (a keyAssociation) Change(ctx context.Context) (rekey.Change, error) {
	state, err := a.GetUint(ctx, change(2))
	if e, ok := errors.AsType[*client.AccessError](err); ok &&
		(e.Result == cosem.ObjectUndefined || e.Result == cosem.ObjectUnavailable || e.Result == cosem.ObjectClassInconsistent) {
		return rekey.Change{}, nil
	}
	if err != nil {
		return rekey.Change{}, err
	}
	if state > uint64(rekey.Proven) {
		return rekey.Change{}, fmt.Errorf("verbs: device %s: key change is in state %d, 0 to 2 are known: %w", a.Device, state, client.ErrProtocol)
	}
	c := rekey.Change{State: rekey.ChangeState(state), Supervised: true}
	if c.State == rekey.Idle {
		return c, nil
	}
	left, err := a.GetUint(ctx, change(4))
	c.Left = time.Duration(left) * time.Second
	return c, err
}

func (a keyAssociation) method(ctx context.Context, op string, id int8) error {
	m := cosem.Method{Class: session.ClassKeyChange, Instance: session.NameKeyChange, ID: id}
	_, err := a.ActionAxdr(ctx, m, axdr.Int8(0))
	return refusal(op, err)
}

// Commit implements rekey.Association.
func (a keyAssociation) Commit(ctx context.Context) error { return a.method(ctx, "commit", 1) }

// Revert implements rekey.Association.
func (a keyAssociation) Revert(ctx context.Context) error { return a.method(ctx, "revert", 2) }

// rekeyerFor gives a rekeyer that tells the progress of a command's device.
func (v *Verbs) rekeyerFor(t *job.Task, d target) *rekey.Rekeyer {
	return rekey.New(rekey.Config{
		Keys: v.c.Keys, Journal: v.c.Journal, Clock: v.c.Clock, Random: v.c.Random, Patience: v.c.Patience,
		Progress: func(e rekey.Entry) {
			t.Progress(topic.Progress{Step: string(e.Step), Note: d.where()})
			if e.Step == rekey.StepDone || e.Step == rekey.StepAborted {
				v.event(t, topic.ClassKeys, d, string(e.Op)+"-"+string(e.Step), fmt.Sprintf("keys of %s, set %s", e.Owner, e.To))
			}
		},
	})
}

func (v *Verbs) keysProve(ctx context.Context, t *job.Task, s *session.Session) (any, error) {
	all, err := devices(t, s)
	if err != nil {
		return nil, err
	}
	return v.keysEach(ctx, t, all, func(d target) (topic.KeysDevice, error) {
		proofs, err := v.rekeyerFor(t, d).Prove(ctx, d.eui, keyTarget{s, d.eui})
		k := topic.KeysDevice{Device: d.role(), EUI: d.eui}
		for _, p := range proofs {
			// Current was tried first, and counts first.
			if p.Opens && k.Set == "" {
				k.Set, k.Version, k.Owner, k.Fingerprint = string(p.Set), p.Version, p.Owner, p.Fingerprint
			}
			if p.Set == keystore.Previous && !p.Opens {
				k.OldRefused = true
			}
		}
		return k, err
	})
}

// chosenDevices are those of the arguments, or else of the command.
func chosenDevices(t *job.Task, s *session.Session, names []topic.Device) ([]target, error) {
	if len(names) == 0 {
		return devices(t, s)
	}
	var all []target
	for _, n := range names {
		found, err := find(s, n)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// keysEach runs f on each device until one fails. What is done with a device is
// kept in the checkpoint, so that a resumed command does not do it again.
func (v *Verbs) keysEach(ctx context.Context, t *job.Task, all []target, f func(target) (topic.KeysDevice, error)) (any, error) {
	result := topic.KeysResult{Devices: []topic.KeysDevice{}}
	var failed error
	for _, d := range all {
		var k topic.KeysDevice
		name := "keys/" + d.eui.String()
		done, err := t.Checkpoint.Get(ctx, name, &k)
		if err != nil {
			return result, err
		}
		if !done {
			k, err = f(d)
			err = coded(err, d.where())
			k.Outcome = topic.OutcomeOf(err)
			if err == nil {
				if err := t.Checkpoint.Set(ctx, name, k); err != nil {
					return result, err
				}
			}
		}
		if d.kind == firmware.Hub && err == nil {
			v.learn(t.Hub, func(h *topic.HubState) { h.KeyVersion = k.Version })
		}
		result.Devices = append(result.Devices, k)
		if err != nil && failed == nil {
			failed = err
		}
		if info, _ := t.Verb.Info(); stops(ctx, err) || err != nil && info.Irreversible && t.Verb != topic.KeysRepair {
			break // what is not begun is not to be undone either
		}
	}
	return result, failed
}

func (v *Verbs) keysTakeover(ctx context.Context, t *job.Task, s *session.Session) (any, error) {
	var args topic.KeysTakeoverArgs
	if err := t.DecodeArgs(&args); err != nil {
		return nil, err
	}
	if args.Owner == "" || len(args.Owner) > 64 {
		return nil, topic.NewError(topic.CodeBadArgs, fmt.Sprintf("the owner has %d characters", len(args.Owner)), "member owner", "give 1 to 64")
	}
	all, err := chosenDevices(t, s, args.Devices)
	if err != nil {
		return nil, err
	}
	// The hub last: while it has the keys of before, its owner of before can
	// still reach the home.
	return v.keysEach(ctx, t, hubLast(all), func(d target) (topic.KeysDevice, error) {
		if err := v.changes.take(ctx); err != nil {
			return topic.KeysDevice{}, err
		}
		defer v.changes.release()
		r, err := v.rekeyerFor(t, d).Takeover(ctx, d.eui, keyTarget{s, d.eui}, args.Owner)
		return keysDevice(d, r), err
	})
}

func (v *Verbs) keysRollback(ctx context.Context, t *job.Task, s *session.Session) (any, error) {
	var args topic.KeysRollbackArgs
	if err := t.DecodeArgs(&args); err != nil {
		return nil, err
	}
	all, err := chosenDevices(t, s, args.Devices)
	if err != nil {
		return nil, err
	}
	return v.keysEach(ctx, t, all, func(d target) (topic.KeysDevice, error) {
		if err := v.changes.take(ctx); err != nil {
			return topic.KeysDevice{}, err
		}
		defer v.changes.release()
		r, err := v.rekeyerFor(t, d).Rollback(ctx, d.eui, keyTarget{s, d.eui})
		return keysDevice(d, r), err
	})
}

func (v *Verbs) keysRepair(ctx context.Context, t *job.Task, s *session.Session) (any, error) {
	var args topic.KeysRepairArgs
	if err := t.DecodeArgs(&args); err != nil {
		return nil, err
	}
	all, err := chosenDevices(t, s, args.Devices)
	if err != nil {
		return nil, err
	}
	return v.keysEach(ctx, t, all, func(d target) (topic.KeysDevice, error) {
		if err := v.changes.take(ctx); err != nil {
			return topic.KeysDevice{}, err
		}
		defer v.changes.release()
		r, err := v.rekeyerFor(t, d).Repair(ctx, d.eui, keyTarget{s, d.eui})
		k := keysDevice(d, r)
		k.Unchanged = r.Already
		return k, err
	})
}

func hubLast(all []target) []target {
	var last []target
	rest := make([]target, 0, len(all))
	for _, d := range all {
		if d.kind == firmware.Hub {
			last = append(last, d)
		} else {
			rest = append(rest, d)
		}
	}
	return append(rest, last...)
}

func keysDevice(d target, r rekey.Result) topic.KeysDevice {
	return topic.KeysDevice{
		Device: d.role(), EUI: d.eui, Set: string(r.Set), Version: r.Version, FromVersion: r.FromVersion,
		Owner: r.Owner, Fingerprint: r.Fingerprint, Step: string(r.Step), OldRefused: r.OldRefused,
	}
}
