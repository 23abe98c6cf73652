package verbs

import (
	"context"
	"fmt"
	"math"
	"net"
	"strconv"
	"time"

	"smets1/firmware"
	"smets1/gateway/job"
	"smets1/gateway/session"
	"smets1/gateway/topic"
)

func seconds(d time.Duration) float64 { return d.Seconds() }

// duration reads seconds of the contract; ok is false for what is none.
func duration(s float64) (d time.Duration, ok bool) {
	if math.IsNaN(s) || s < 0 || s > 1e9 {
		return 0, false
	}
	return time.Duration(s * float64(time.Second)), true
}

func badSeconds(member string, s float64) error {
	return topic.NewError(topic.CodeBadArgs, fmt.Sprintf("%v is not a number of seconds", s), "member "+member, "give zero or more")
}

func (v *Verbs) wake(ctx context.Context, t *job.Task, s *session.Session) (any, error) {
	var args topic.WakeArgs
	if err := t.DecodeArgs(&args); err != nil {
		return nil, err
	}
	within, ok := duration(args.TimeoutSeconds)
	if !ok {
		return nil, badSeconds("timeout_seconds", args.TimeoutSeconds)
	}
	start := v.c.Clock.Now()
	// A line that was open may lead nowhere by now: ask over it.
	var attempts int
	err := s.Ping(ctx)
	if err != nil {
		attempts, err = s.Connect(ctx, within)
	}
	now := v.c.Clock.Now()
	return topic.WakeResult{Attempts: attempts, ElapsedSeconds: seconds(now.Sub(start)), At: now}, err
}

func (v *Verbs) identify(ctx context.Context, t *job.Task, s *session.Session) (any, error) {
	all, err := devices(t, s)
	if err != nil {
		return nil, err
	}
	var result topic.IdentifyResult
	err = each(ctx, all, func(d target) error {
		id, err := s.Identify(ctx, d.eui)
		entry := topic.DeviceIdentity{Identity: topic.Identity{EUI: d.eui, Role: d.role()}, Outcome: outcome(err, d.where())}
		if err == nil {
			entry.Identity = topic.Identity{
				EUI: id.EUI, Role: d.role(), Manufacturer: id.Manufacturer, Model: id.Model, Hardware: id.Hardware,
				Firmware: id.Firmware, Serial: id.Serial, MPxN: id.MPxN, PaymentMode: id.PaymentMode,
			}
			v.identified(t, d, entry.Identity)
		}
		result.Devices = append(result.Devices, entry)
		return err
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

// identified gives out what a device said.
func (v *Verbs) identified(t *job.Task, d target, id topic.Identity) {
	now := v.c.Clock.Now()
	if d.kind == firmware.Hub {
		v.learn(t.Hub, func(s *topic.HubState) { s.Model, s.Firmware = id.Model, id.Firmware })
	}
	if v.c.DeviceState != nil {
		v.c.DeviceState(topic.DeviceState{
			Schema: topic.Schema, Hub: t.Hub, Device: topic.DeviceEUI(d.eui), Identity: id, LastSeen: now, Time: now,
		})
	}
}

func (v *Verbs) clockRead(ctx context.Context, t *job.Task, s *session.Session) (any, error) {
	all, err := devices(t, s)
	if err != nil {
		return nil, err
	}
	var result topic.ClockResult
	err = each(ctx, all, func(d target) error {
		r, err := s.Clock(ctx, d.eui)
		result.Clocks = append(result.Clocks, reading(d, r, err))
		return err
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

func reading(d target, r session.ClockReading, err error) topic.ClockReading {
	return topic.ClockReading{
		Device: d.role(), EUI: d.eui, Outcome: outcome(err, d.where()),
		Time: r.Time, OffsetSeconds: seconds(r.Offset), Status: uint8(r.Status),
	}
}

func (v *Verbs) clockSync(ctx context.Context, t *job.Task, s *session.Session) (any, error) {
	var args topic.ClockSyncArgs
	if err := t.DecodeArgs(&args); err != nil {
		return nil, err
	}
	tolerance, ok := duration(args.ToleranceSeconds)
	if !ok {
		return nil, badSeconds("tolerance_seconds", args.ToleranceSeconds)
	}
	if tolerance == 0 {
		tolerance = 10 * time.Second
	}
	step, ok := duration(args.MaxStepSeconds)
	if !ok {
		return nil, badSeconds("max_step_seconds", args.MaxStepSeconds)
	}
	all, err := devices(t, s)
	if err != nil {
		return nil, err
	}
	var result topic.ClockResult
	err = each(ctx, all, func(d target) error {
		entry, err := syncClock(ctx, s, d, tolerance, step)
		result.Clocks = append(result.Clocks, entry)
		return err
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

func syncClock(ctx context.Context, s *session.Session, d target, tolerance, step time.Duration) (topic.ClockReading, error) {
	before, err := s.Clock(ctx, d.eui)
	if err != nil || before.Offset.Abs() <= tolerance {
		return reading(d, before, err), err
	}
	if step > 0 && before.Offset.Abs() > step {
		err = topic.NewError(topic.CodeClock, fmt.Sprintf("the clock is %v off, the largest step allowed is %v", before.Offset.Round(time.Second), step),
			d.where(), "find out why, then allow a larger step")
		return reading(d, before, err), err
	}
	after := before
	if err = s.SetClock(ctx, d.eui); err == nil {
		after, err = s.Clock(ctx, d.eui)
	}
	if err == nil && after.Offset.Abs() > tolerance {
		err = topic.NewError(topic.CodeVerify, fmt.Sprintf("the clock is %v off after it was set", after.Offset.Round(time.Millisecond)),
			d.where(), "look at the device's log")
	}
	entry := reading(d, after, err)
	entry.Set, entry.BeforeSeconds = true, seconds(before.Offset)
	return entry, err
}

// hanCheck asks each device for its logical device name, as the public client:
// whether it answers is a question of the radio and not of keys.
func (v *Verbs) hanCheck(ctx context.Context, t *job.Task, s *session.Session) (any, error) {
	all, err := devices(t, s)
	if err != nil {
		return nil, err
	}
	models := map[string]string{}
	for _, d := range s.Hub().Devices {
		models[d.EUI.String()] = d.Model
	}
	var result topic.HANCheckResult
	err = each(ctx, all, func(d target) error {
		if d.kind == firmware.Hub && t.Device == "" {
			return nil
		}
		start := v.c.Clock.Now()
		_, err := s.LogicalNameOf(ctx, d.eui)
		result.Devices = append(result.Devices, topic.HANDevice{
			Device: d.role(), EUI: d.eui, Model: models[d.eui.String()], Outcome: outcome(err, d.where()),
			ElapsedSeconds: seconds(v.c.Clock.Now().Sub(start)),
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

// checkEndpoint checks a host:port.
func checkEndpoint(e string) error {
	host, port, err := net.SplitHostPort(e)
	n, perr := strconv.ParseUint(port, 10, 16)
	if err != nil || perr != nil || host == "" || n == 0 || len(e) > 128 {
		return topic.NewError(topic.CodeBadArgs, fmt.Sprintf("%.140q is not an endpoint", e), "member endpoint", "write host:port")
	}
	return nil
}

func (v *Verbs) hubRepoint(ctx context.Context, t *job.Task, s *session.Session) (any, error) {
	var args topic.HubRepointArgs
	if err := t.DecodeArgs(&args); err != nil {
		return nil, err
	}
	if err := checkEndpoint(args.Endpoint); err != nil {
		return nil, err
	}
	was, err := s.Endpoint(ctx)
	if err != nil {
		return nil, err
	}
	// After a restart the hub may have the new one already; what it had
	// before is in the checkpoint then.
	var from string
	if found, err := t.Checkpoint.Get(ctx, "from", &from); err != nil {
		return nil, err
	} else if !found {
		from = was
		if err := t.Checkpoint.Set(ctx, "from", from); err != nil {
			return nil, err
		}
	}
	result := topic.HubRepointResult{From: from, To: was}
	if was != args.Endpoint {
		if err := s.SetEndpoint(ctx, args.Endpoint); err != nil {
			return result, err
		}
		if result.To, err = s.Endpoint(ctx); err != nil {
			return result, err
		}
	}
	v.learn(t.Hub, func(h *topic.HubState) { h.Endpoint = result.To })
	if result.To != args.Endpoint {
		return result, topic.NewError(topic.CodeVerify, fmt.Sprintf("the hub reports %q after it was pointed to %q", result.To, args.Endpoint),
			"hub "+t.Hub.String(), "look at the hub's configuration")
	}
	return result, nil
}
