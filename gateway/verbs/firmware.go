package verbs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"smets1/dlms/axdr"
	"smets1/dlms/client"
	"smets1/dlms/cosem"
	"smets1/firmware"
	"smets1/firmware/upgrade"
	"smets1/gateway/job"
	"smets1/gateway/session"
	"smets1/gateway/topic"
	"smets1/internal/clock"
	"smets1/internal/wire"
)

func (v *Verbs) firmwareUpgrade(ctx context.Context, t *job.Task, s *session.Session) (any, error) {
	var args topic.FirmwareUpgradeArgs
	if err := t.DecodeArgs(&args); err != nil {
		return nil, err
	}
	digest, err := firmware.ParseDigest(args.Image)
	if err != nil {
		return nil, topic.Wrap(topic.CodeBadArgs, err, "member image", "give the SHA-256 of the image file")
	}
	d, err := device(t, s)
	if err != nil {
		return nil, err
	}
	image, err := v.c.Library.Get(digest)
	if err != nil {
		return nil, err
	}
	h, _, err := firmware.ParseHeader(image)
	if err != nil {
		return nil, err
	}
	if h.Version != args.Version {
		return nil, topic.NewError(topic.CodeBadArgs, fmt.Sprintf("image %.16s… has version %s, the command asks for %s", digest, h.Version, args.Version),
			"members image and version", "name the image that has this version")
	}
	if err := v.upgrades.take(ctx); err != nil {
		return nil, err
	}
	defer v.upgrades.release()

	start := v.c.Clock.Now()
	e, err := upgrade.Run(ctx, upgrade.Config{
		Clock: v.c.Clock, Checkpoint: upgradeCheckpoint{t.Checkpoint},
		Progress: func(p upgrade.Progress) {
			t.Progress(topic.Progress{Step: string(p.Step), Done: uint64(max(p.Done, 0)), Total: uint64(p.Blocks), Note: d.where()})
		},
	}, &imageTarget{s: s, device: d.eui, clock: v.c.Clock, patience: v.c.Patience}, image)
	result := topic.FirmwareUpgradeResult{
		Device: d.role(), EUI: d.eui, From: e.FromVersion, Already: e.Already, Blocks: e.Blocks, Resent: e.Resent, Signer: e.Signer,
		Activated: e.Activated, ElapsedSeconds: seconds(v.c.Clock.Now().Sub(start)),
	}
	if !e.Activated.IsZero() {
		result.Activations = 1 + e.Fallbacks
	}
	if err != nil {
		v.event(t, topic.ClassFirmware, d, "failed", err.Error())
		return result, err
	}
	result.To = e.ToVersion
	if d.kind == firmware.Hub {
		v.learn(t.Hub, func(h *topic.HubState) { h.Firmware = e.ToVersion })
	}
	v.event(t, topic.ClassFirmware, d, "upgraded", fmt.Sprintf("%s to %s, image %s", e.FromVersion, e.ToVersion, digest))
	return result, nil
}

// imageTarget makes a device of a session an upgrade.Target: class 18 at
// 0-0:44.0.0.255 (Blue Book, Image transfer). What may be asked twice goes through
// Session.Do, which opens line and association anew if need be.
type imageTarget struct {
	s        *session.Session
	device   wire.EUI64
	clock    clock.Clock
	patience time.Duration
}

func imageAttribute(id int8) cosem.Attribute {
	return cosem.Attribute{Class: cosem.ClassImageTransfer, Instance: cosem.ImageTransfer, ID: id}
}

func imageMethod(id int8) cosem.Method {
	return cosem.Method{Class: cosem.ClassImageTransfer, Instance: cosem.ImageTransfer, ID: id}
}

// no makes a device's refusal of a method an *upgrade.RefusedError. That it is
// busy is none.
func no(err error) error {
	e, ok := errors.AsType[*client.ActionError](err)
	if !ok {
		return err
	}
	if e.Result == cosem.ActionTemporaryFailure {
		return nil
	}
	return &upgrade.RefusedError{Reason: e.Result.Name() + ": " + e.Result.Sentence()}
}

// Version implements upgrade.Target.
func (m *imageTarget) Version(ctx context.Context) (string, error) {
	return m.s.Firmware(ctx, m.device)
}

// Enabled implements upgrade.Target.
func (m *imageTarget) Enabled(ctx context.Context) (on bool, err error) {
	err = m.s.Do(ctx, m.device, func(ctx context.Context, a *session.Association) error {
		on, err = a.GetBool(ctx, imageAttribute(5))
		return err
	})
	return on, err
}

func (m *imageTarget) number(ctx context.Context, id int8) (n uint64, err error) {
	err = m.s.Do(ctx, m.device, func(ctx context.Context, a *session.Association) error {
		n, err = a.GetUint(ctx, imageAttribute(id))
		return err
	})
	return n, err
}

// BlockSize implements upgrade.Target.
func (m *imageTarget) BlockSize(ctx context.Context) (int, error) {
	n, err := m.number(ctx, 2)
	return int(n), err
}

// Status implements upgrade.Target.
func (m *imageTarget) Status(ctx context.Context) (upgrade.Status, error) {
	n, err := m.number(ctx, 6)
	return upgrade.Status(n), err
}

// FirstMissing implements upgrade.Target.
func (m *imageTarget) FirstMissing(ctx context.Context) (int, error) {
	n, err := m.number(ctx, 4)
	return int(n), err
}

// Initiate implements upgrade.Target.
func (m *imageTarget) Initiate(ctx context.Context, identifier []byte, size int) error {
	return m.repeat(ctx, 1, axdr.Structure(axdr.Octets(identifier), axdr.Uint32(uint32(size))))
}

// Send implements upgrade.Target.
func (m *imageTarget) Send(ctx context.Context, number int, block []byte) error {
	return m.repeat(ctx, 2, axdr.Structure(axdr.Uint32(uint32(number)), axdr.Octets(block)))
}

// repeat calls a method that may be called twice.
func (m *imageTarget) repeat(ctx context.Context, id int8, v axdr.Value) error {
	return no(m.s.Do(ctx, m.device, func(ctx context.Context, a *session.Association) error {
		_, err := a.ActionAxdr(ctx, imageMethod(id), v)
		return err
	}))
}

// once calls a method that starts something.
func (m *imageTarget) once(ctx context.Context, id int8) error {
	a, err := m.s.Client(ctx, m.device)
	if err != nil {
		return err
	}
	_, err = a.ActionAxdr(ctx, imageMethod(id), axdr.Int8(0))
	return no(err)
}

// Verify implements upgrade.Target.
func (m *imageTarget) Verify(ctx context.Context) error { return m.once(ctx, 3) }

// Activate implements upgrade.Target.
func (m *imageTarget) Activate(ctx context.Context) error { return m.once(ctx, 4) }

// Staged implements upgrade.Target: image_to_activate_info, attribute 7.
func (m *imageTarget) Staged(ctx context.Context) (list []upgrade.Staged, err error) {
	err = m.s.Do(ctx, m.device, func(ctx context.Context, a *session.Association) error {
		v, err := a.GetAxdr(ctx, imageAttribute(7))
		if err != nil {
			return err
		}
		list, err = staged(v)
		return err
	})
	return list, err
}

func staged(v axdr.Value) ([]upgrade.Staged, error) {
	items, err := v.AsArray()
	if err != nil {
		return nil, err
	}
	list := make([]upgrade.Staged, 0, len(items))
	for _, item := range items {
		f, err := item.AsStructure(3)
		if err != nil {
			return nil, err
		}
		size, err := f[0].AsUint()
		if err != nil {
			return nil, err
		}
		id, err := f[1].AsBytes()
		if err != nil {
			return nil, err
		}
		signature, err := f[2].AsBytes()
		if err != nil {
			return nil, err
		}
		list = append(list, upgrade.Staged{Size: uint32(size), Identifier: id, Signature: signature})
	}
	return list, nil
}

// AwaitRestart implements upgrade.Target: it asks until the device answers. What
// it had open is gone.
func (m *imageTarget) AwaitRestart(ctx context.Context) error {
	m.s.Forget(m.device)
	deadline := m.clock.Now().Add(m.patience)
	for {
		_, err := m.s.LogicalNameOf(ctx, m.device)
		if err == nil || ctx.Err() != nil || !m.clock.Now().Before(deadline) {
			return err
		}
		if err := m.clock.Sleep(ctx, 10*time.Second); err != nil {
			return err
		}
	}
}

// Reason implements upgrade.Target: the words in which our devices say why they
// refused an image (0-0:128.44.0.255, ours). One without them gives none.
func (m *imageTarget) Reason(ctx context.Context) (reason string, err error) {
	err = m.s.Do(ctx, m.device, func(ctx context.Context, a *session.Association) error {
		reason, err = a.GetString(ctx, cosem.Attribute{Class: cosem.ClassData, Instance: session.NameImageReason, ID: 2})
		return err
	})
	return reason, err
}
