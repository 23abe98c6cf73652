package verbs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"smets1/firmware"
	"smets1/firmware/upgrade"
	"smets1/gateway/job"
	"smets1/gateway/keystore"
	"smets1/gateway/rekey"
	"smets1/gateway/session"
	"smets1/gateway/topic"
	"smets1/internal/clock"
	"smets1/internal/wire"
)

// Config is what the verbs work with. Pool, Keys, Journal and Library are needed.
type Config struct {
	Pool    *session.Pool
	Keys    *keystore.Store
	Journal rekey.Journal
	Library *firmware.Library
	// Clock stamps and waits. Nil means the machine's.
	Clock clock.Clock
	// Random makes keys. Nil means the machine's.
	Random io.Reader
	// Patience is how long to ask a device that does not answer in the middle
	// of a change of keys or firmware. Zero means 10 minutes.
	Patience time.Duration
	// Upgrades is how many firmware upgrades run at once. Zero means 64.
	Upgrades int
	// KeyChanges is how many changes of keys run at once: from stage to commit a
	// device waits for its window only, and on a busy machine fewer at once keep
	// each short. Zero means 64.
	KeyChanges int
	// HubState, DeviceState and Event, if not nil, are told what was learned.
	// They must not block. Revision, session and sequence are not filled in.
	HubState    func(topic.HubState)
	DeviceState func(topic.DeviceState)
	Event       func(topic.Event)
	// Log gets what an operator may want to know. Nil means nothing.
	Log *slog.Logger
}

// Verbs runs commands.
type Verbs struct {
	c        Config
	upgrades tokens
	changes  tokens

	mu    sync.Mutex
	known map[wire.EUI64]topic.HubState // what was learned of each hub
}

// tokens bounds how much of one kind of work runs at once.
type tokens chan struct{}

// take waits for a token; give it back with release.
func (t tokens) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (t tokens) release() { <-t }

// New gives the verbs.
func New(c Config) (*Verbs, error) {
	if c.Pool == nil || c.Keys == nil || c.Journal.Bucket == nil || c.Library == nil {
		return nil, errors.New("verbs: Config needs Pool, Keys, Journal and Library")
	}
	if c.Clock == nil {
		c.Clock = clock.Real()
	}
	if c.Patience <= 0 {
		c.Patience = 10 * time.Minute
	}
	if c.Upgrades <= 0 {
		c.Upgrades = 64
	}
	if c.KeyChanges <= 0 {
		c.KeyChanges = 64
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Verbs{c: c, upgrades: make(tokens, c.Upgrades), changes: make(tokens, c.KeyChanges), known: map[wire.EUI64]topic.HubState{}}, nil
}

// Handlers gives the handler of each verb for hubs, for job.Config.
func (v *Verbs) Handlers() map[topic.Verb]job.Handler {
	h := map[topic.Verb]job.Handler{}
	for verb, run := range map[topic.Verb]func(context.Context, *job.Task, *session.Session) (any, error){
		topic.Wake:            v.wake,
		topic.Identify:        v.identify,
		topic.Read:            v.read,
		topic.Write:           v.write,
		topic.ClockRead:       v.clockRead,
		topic.ClockSync:       v.clockSync,
		topic.SupplyRead:      v.supplyRead,
		topic.SupplySet:       v.supplySet,
		topic.HANList:         v.hanList,
		topic.HANCheck:        v.hanCheck,
		topic.ConfigDigest:    v.configDigest,
		topic.FirmwareUpgrade: v.firmwareUpgrade,
		topic.KeysProve:       v.keysProve,
		topic.KeysTakeover:    v.keysTakeover,
		topic.KeysRollback:    v.keysRollback,
		topic.KeysRepair:      v.keysRepair,
		topic.HubRepoint:      v.hubRepoint,
	} {
		h[verb] = job.HandlerFunc(func(ctx context.Context, t *job.Task) (any, error) { return v.run(ctx, t, run) })
	}
	return h
}

// run takes the session of the command's hub, runs the verb, and tells what was
// learned of the hub.
func (v *Verbs) run(ctx context.Context, t *job.Task, f func(context.Context, *job.Task, *session.Session) (any, error)) (any, error) {
	where := "hub " + t.Hub.String()
	s, err := v.c.Pool.Acquire(ctx, t.Hub)
	if err != nil {
		return nil, coded(err, where)
	}
	defer v.c.Pool.Release(s)
	result, err := f(ctx, t, s)
	err = coded(err, where)
	if ctx.Err() == nil {
		v.tell(t.Hub, s, err)
	}
	return result, err
}

// target is a device that a command is about.
type target struct {
	eui  wire.EUI64
	kind firmware.DeviceType
}

func (d target) role() topic.Device { return topic.Device(d.kind.String()) }
func (d target) where() string      { return d.kind.String() + " " + d.eui.String() }

// home gives the hub and the devices behind it, hub first.
func home(s *session.Session) []target {
	h := s.Hub()
	all := []target{{h.EUI, firmware.Hub}}
	for _, d := range h.Devices {
		all = append(all, target{d.EUI, d.Type})
	}
	return all
}

// speaking is home without the devices that do not speak DLMS.
func speaking(s *session.Session) []target {
	var all []target
	for _, d := range home(s) {
		if d.kind != firmware.IHD {
			all = append(all, d)
		}
	}
	return all
}

// find gives the devices of the home that a name means: one for an EUI-64, all of
// the type for a role.
func find(s *session.Session, name topic.Device) ([]target, error) {
	eui, byEUI := name.EUI()
	var found []target
	for _, d := range home(s) {
		if byEUI && d.eui == eui || !byEUI && d.role() == name {
			found = append(found, d)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("device %s: %w", name, session.ErrUnknownDevice)
	}
	return found, nil
}

// devices gives those that a command means: the one named, or the whole home.
func devices(t *job.Task, s *session.Session) ([]target, error) {
	if t.Device == "" {
		return speaking(s), nil
	}
	return find(s, t.Device)
}

// device gives the one that a command means: the one named, or the hub.
func device(t *job.Task, s *session.Session) (target, error) {
	if t.Device == "" {
		return target{s.Hub().EUI, firmware.Hub}, nil
	}
	found, err := find(s, t.Device)
	if err != nil {
		return target{}, err
	}
	if len(found) > 1 {
		return target{}, topic.NewError(topic.CodeBadArgs, fmt.Sprintf("the home has %d devices that are %s", len(found), t.Device),
			"member \"device\"", "name one by its EUI-64")
	}
	return found[0], nil
}

// stops tells whether an error of one device ends the command: the way to
// the hub is gone, or the command is over.
func stops(ctx context.Context, err error) bool {
	return err != nil && (ctx.Err() != nil || errors.Is(err, session.ErrNoWAN) || errors.Is(err, session.ErrHubSilent))
}

// each runs f on each device and gives the first error that ends the command.
func each(ctx context.Context, all []target, f func(target) error) error {
	for _, d := range all {
		if err := f(d); stops(ctx, err) {
			return err
		}
	}
	return nil
}

// tell gives out what is known of a hub after a command.
func (v *Verbs) tell(hub wire.EUI64, s *session.Session, err error) {
	now := v.c.Clock.Now()
	v.mu.Lock()
	state := v.known[hub]
	state.Schema, state.Hub, state.Time, state.Alert = topic.Schema, hub, now, ""
	state.Devices = nil
	for _, d := range s.Hub().Devices {
		state.Devices = append(state.Devices, topic.Device(d.Type.String()))
	}
	switch code, _ := topic.CodeOf(err); code {
	case topic.CodeNoWAN, topic.CodeHubSilent:
		state.State = topic.Lost
		if s.Hub().Wake.Messages() > 0 {
			state.State = topic.Sleeping
		}
	case topic.CodeKeyRefused, topic.CodeInDoubt, topic.CodeWrongDevice, topic.CodeVerify:
		state.State, state.Alert, state.LastSeen = topic.Alert, string(code), now
	default:
		state.State, state.LastSeen = topic.Ready, now
	}
	v.known[hub] = state
	v.mu.Unlock()
	if v.c.HubState != nil {
		v.c.HubState(state)
	}
}

// learn changes what is known of a hub.
func (v *Verbs) learn(hub wire.EUI64, change func(*topic.HubState)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	state := v.known[hub]
	change(&state)
	v.known[hub] = state
}

// event reports what happened at a device.
func (v *Verbs) event(t *job.Task, class string, d target, code, text string) {
	if v.c.Event != nil {
		v.c.Event(topic.Event{
			Schema: topic.Schema, Hub: t.Hub, Class: class, Device: topic.DeviceEUI(d.eui), Code: code, Text: text, Time: v.c.Clock.Now(),
		})
	}
}

// upgradeCheckpoint keeps the state of an upgrade in the command's checkpoint.
type upgradeCheckpoint struct{ c *job.Checkpoint }

func (u upgradeCheckpoint) Load(ctx context.Context) (s upgrade.State, err error) {
	_, err = u.c.Get(ctx, "upgrade", &s)
	return s, err
}

func (u upgradeCheckpoint) Save(ctx context.Context, s upgrade.State) error {
	return u.c.Set(ctx, "upgrade", s)
}
