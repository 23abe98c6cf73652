package verbs

import (
	"context"
	"fmt"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/firmware"
	"smets1/gateway/job"
	"smets1/gateway/session"
	"smets1/gateway/topic"
)

// nameSupply is the disconnect control of a meter (IEC 62056-6-1: 0-b:96.3.10.255, published).
var nameSupply = cosem.MustOBIS("0-0:96.3.10.255")

// supplyStates are the words for the control states of class 70 (IEC 62056-6-2, published).
var supplyStates = []string{topic.SupplyOff, topic.SupplyOn, topic.SupplyArmed}

func (v *Verbs) supplyRead(ctx context.Context, t *job.Task, s *session.Session) (any, error) {
	d, err := meter(t, s)
	if err != nil {
		return nil, err
	}
	var r topic.SupplyResult
	err = s.Do(ctx, d.eui, func(ctx context.Context, a *session.Association) (err error) {
		r, err = v.supply(ctx, a, d)
		return err
	})
	if err != nil {
		return nil, err
	}
	v.supplied(t, d, r)
	return r, nil
}

// supplySet switches, and reads back. A meter that is as wanted is left alone, so that a command that comes again does no harm.
func (v *Verbs) supplySet(ctx context.Context, t *job.Task, s *session.Session) (any, error) {
	var args topic.SupplySetArgs
	if err := t.DecodeArgs(&args); err != nil {
		return nil, err
	}
	method := map[string]int8{topic.SupplyOff: 1, topic.SupplyOn: 2}[args.State]
	if method == 0 {
		return nil, topic.NewError(topic.CodeBadArgs, fmt.Sprintf("a supply cannot be set to %.40q", args.State), "member state", "send on or off")
	}
	d, err := meter(t, s)
	if err != nil {
		return nil, err
	}
	var r topic.SupplyResult
	err = s.Do(ctx, d.eui, func(ctx context.Context, a *session.Association) (err error) {
		if r, err = v.supply(ctx, a, d); err != nil || r.State == args.State {
			r.From = r.State
			return err
		}
		from := r.State
		if _, err = a.ActionAxdr(ctx, cosem.Method{Class: cosem.ClassDisconnectControl, Instance: nameSupply, ID: method}, axdr.Int8(0)); err != nil {
			return err
		}
		r, err = v.supply(ctx, a, d)
		r.From = from
		return err
	})
	if err != nil {
		return nil, err
	}
	v.supplied(t, d, r)
	// A meter may answer "on" by arming itself: its customer then presses the button.
	if r.State != args.State && !(args.State == topic.SupplyOn && r.State == topic.SupplyArmed) {
		return r, topic.NewError(topic.CodeVerify, fmt.Sprintf("the supply is %s after it was set to %s", r.State, args.State), d.where(), "look at the control mode of the meter")
	}
	return r, nil
}

// meter gives the meter that a command means.
func meter(t *job.Task, s *session.Session) (target, error) {
	d, err := device(t, s)
	if err == nil && d.kind != firmware.ESME && d.kind != firmware.GSME {
		err = topic.NewError(topic.CodeBadArgs, "it is not a meter", "member \"device\"", "name the meter: esme, gsme or its EUI-64")
	}
	return d, err
}

func (v *Verbs) supply(ctx context.Context, a *session.Association, d target) (topic.SupplyResult, error) {
	r := topic.SupplyResult{Device: d.role(), EUI: d.eui, Time: v.c.Clock.Now()}
	at := func(id int8) cosem.Attribute {
		return cosem.Attribute{Class: cosem.ClassDisconnectControl, Instance: nameSupply, ID: id}
	}
	raw, err := a.GetAxdr(ctx, at(2))
	if err == nil {
		r.Output, err = raw.AsBool()
	}
	if err != nil {
		return r, err
	}
	var state uint8
	if raw, err = a.GetAxdr(ctx, at(3)); err == nil {
		state, err = raw.AsEnum()
	}
	if err == nil && int(state) >= len(supplyStates) {
		err = fmt.Errorf("supply: control state %d: %w", state, axdr.ErrValue)
	}
	if err != nil {
		return r, err
	}
	r.State = supplyStates[state]
	if raw, err = a.GetAxdr(ctx, at(4)); err == nil {
		r.Mode, err = raw.AsEnum()
	}
	return r, err
}

// supplied gives out the state of a supply.
func (v *Verbs) supplied(t *job.Task, d target, r topic.SupplyResult) {
	if v.c.DeviceState != nil {
		v.c.DeviceState(topic.DeviceState{
			Schema: topic.Schema, Hub: t.Hub, Device: topic.DeviceEUI(d.eui), Identity: topic.Identity{EUI: d.eui, Role: d.role()},
			Supply: r.State, LastSeen: r.Time, Time: r.Time,
		})
	}
}

// hanList tells what the hub has on its HAN, and which of it the gateway has on file.
func (v *Verbs) hanList(ctx context.Context, t *job.Task, s *session.Session) (any, error) {
	if t.Device != "" && t.Device != topic.CHF {
		return nil, topic.NewError(topic.CodeBadArgs, "the list is the hub's", "member \"device\"", "leave it out")
	}
	list, err := s.HANDevices(ctx)
	if err != nil {
		return nil, err
	}
	r := topic.HANListResult{Devices: []topic.HANMember{}}
	for _, d := range list {
		_, err := s.DeviceType(d.EUI)
		r.Devices = append(r.Devices, topic.HANMember{Device: topic.Device(d.Type.String()), EUI: d.EUI, Known: err == nil})
	}
	return r, nil
}
