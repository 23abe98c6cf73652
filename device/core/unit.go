package core

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"smets1/dlms/server"
	"smets1/internal/wire"
)

// A Unit is what every device has. It is used by one goroutine at a time.
type Unit struct {
	Birth
	// Device is the management logical device.
	Device server.Device

	keys   Keys
	clock  Clock
	image  Image
	log    Log
	secure Log // security log
	faults Faults

	offUntil time.Time // powered down until then; zero when it is on
	dirty    bool

	// What the key change was at the last look, for the log.
	change  server.ChangeState
	version server.KeyVersion
	more    Sections
}

// Sections is what a kind of device keeps beside what all have.
type Sections interface {
	// AppendSections appends sections that differ from birth.
	AppendSections(b []byte) []byte
	// RestoreSection reads one; false for one that it does not know.
	RestoreSection(s Section, r *wire.Reader) bool
	// PowerUp is called when power comes back, after the unit's own part of it.
	PowerUp(now time.Time)
	// PowerDown is called when the power fails, with when it will be back.
	PowerDown(now, until time.Time)
	// Settle is called before anything is asked of the device: it does what came due by itself.
	Settle(now time.Time)
}

// Faults are what is wrong with a device on purpose.
type Faults struct {
	// Silent: its radio never answers.
	Silent bool
	// PowerCutAtKeyStage: it loses power once, right after it acknowledged new
	// keys and before they can be committed.
	PowerCutAtKeyStage bool
	spent              bool
}

// Init makes a unit from its birth. model is shared by all devices of a type; state
// is what the model's functions get.
func (u *Unit) Init(b Birth, model *server.Model, state any, more Sections, f Faults) {
	u.Birth, u.faults, u.more = b, f, more
	u.clock = Clock{setAt: b.Start, err: b.ClockError, ppm: int64(b.Make.DriftPPM)}
	if b.Source != nil {
		u.clock.Follows(b.Source, time.Duration(b.Secret[3])*5*time.Minute+time.Minute)
	}
	u.image = Image{unit: u, birth: &u.Birth}
	u.keys.init(&u.Birth, u.touch)
	u.change, _, u.version = u.keys.Change(b.Start)
	u.Device = server.Device{Model: model, State: state, Security: &u.keys, SAP: b.Make.DLMS.LogicalDevice}
	u.seedChallenges()
}

// seedChallenges makes the challenges of this run. They depend on the counters
// reserved, which a restart never sees again, so that no challenge comes twice.
func (u *Unit) seedChallenges() {
	u.Device.Rand = &challenges{unit: u}
}

// challenges are made when the first is wanted: most devices of a fleet never need one.
type challenges struct {
	unit *Unit
	r    *rand.ChaCha8
}

func (c *challenges) Read(b []byte) (int, error) {
	if c.r == nil {
		seed := binary.BigEndian.AppendUint32(append([]byte("challenges"), c.unit.Secret[:]...), c.unit.keys.reserved)
		c.r = rand.NewChaCha8(sha256.Sum256(seed))
	}
	return c.r.Read(b)
}

// Keys of the device.
func (u *Unit) Keys() *Keys { return &u.keys }

// Clock of the device.
func (u *Unit) Clock() *Clock { return &u.clock }

// Image is the second bank and the version in use.
func (u *Unit) Image() *Image { return &u.image }

// Log of the device.
func (u *Unit) Log() *Log { return &u.log }

// SecurityLog of the device.
func (u *Unit) SecurityLog() *Log { return &u.secure }

// Event enters an event at a true time: in the log, and in the security log if it is
// one of those.
func (u *Unit) Event(now time.Time, code Event) {
	at := u.clock.Now(now)
	u.log.Add(at, code, u.Make.Logs.Events)
	if code.Secure() {
		u.secure.Add(at, code, u.Make.Logs.Security)
	}
	u.touch()
}

// Unauthorised implements server.Watcher.
func (u *Unit) Unauthorised(now time.Time, _ server.Peer) { u.Event(now, EventUnauthorised) }

// Derive makes secrets of the device: what, and how many octets, up to 32.
func (u *Unit) Derive(what string, n int) []byte {
	h := hmac.New(sha256.New, u.Secret[:])
	h.Write([]byte(what))
	return h.Sum(nil)[:n]
}

// Silent tells whether the device's radio is broken.
func (u *Unit) Silent() bool { return u.faults.Silent }

func (u *Unit) touch() { u.dirty = true }

// Touch notes that something of the record changed.
func (u *Unit) Touch() { u.touch() }

// Restore puts a saved record in force, and is the power-up that follows: staged
// keys are gone, an activation that was under way is complete. A device without a
// record is as it was born.
func (u *Unit) Restore(now time.Time, nv NV) error {
	known, err := u.load(now, nv)
	if known && err == nil {
		u.powerUp(now)
	}
	return err
}

// Resume puts the record of a device in force that Suspend took out of memory. To the
// device nothing happened: it had power all the time.
func (u *Unit) Resume(now time.Time, nv NV) error {
	_, err := u.load(now, nv)
	return err
}

// Quiet tells whether the record is all that there is to the device but for
// associations: it has power, no keys are staged and no image is being verified.
func (u *Unit) Quiet(now time.Time) bool {
	s := u.image.Status(now)
	return u.On(now) && !u.keys.Staged(now) && s != server.ImageVerifying && s != server.ImageActivating
}

// Suspend writes down a quiet device to the last counter, so that it may be taken out
// of memory and resumed.
func (u *Unit) Suspend(nv NV) error {
	u.keys.exact()
	if u.keys.RxHighest() > 0 {
		u.touch()
	}
	return u.Flush(nv)
}

func (u *Unit) load(now time.Time, nv NV) (known bool, err error) {
	b, err := nv.Load(u.EUI.String())
	if err != nil {
		return false, fmt.Errorf("device %v: load its record: %w", u.EUI, err)
	}
	if len(b) == 0 {
		return false, nil
	}
	err = ParseRecord(b, func(s Section, r *wire.Reader) bool {
		switch s {
		case SectionKeys:
			u.keys.restore(r)
		case SectionClock:
			u.clock.restore(r)
		case SectionImage:
			u.image.restore(r)
		case SectionLog:
			u.log.restore(r)
		case SectionSecurity:
			u.secure.restore(r)
		case SectionPast:
			u.keys.restorePast(r)
		case SectionFaults:
			u.faults.spent = r.U8() != 0
		default:
			return u.more != nil && u.more.RestoreSection(s, r)
		}
		return true
	})
	if err != nil {
		return false, fmt.Errorf("device %v: %w", u.EUI, err)
	}
	u.change, _, u.version = u.keys.Change(now)
	if err := u.image.restoreBlocks(nv); err != nil {
		return false, fmt.Errorf("device %v: load its image: %w", u.EUI, err)
	}
	return true, nil
}

// Record is the device's record as it is now.
func (u *Unit) Record() []byte {
	b := beginRecord(nil)
	b = AppendSection(b, SectionKeys, u.keys.append)
	b = AppendSection(b, SectionClock, u.clock.append)
	b = AppendSection(b, SectionImage, u.image.append)
	b = AppendSection(b, SectionPast, u.keys.appendPast)
	b = AppendSection(b, SectionLog, u.log.append)
	b = AppendSection(b, SectionSecurity, u.secure.append)
	if u.faults.spent {
		b = AppendSection(b, SectionFaults, func(b []byte) []byte { return append(b, 1) })
	}
	if u.more != nil {
		b = u.more.AppendSections(b)
	}
	return b
}

// Flush makes durable what changed. It is called after each request and before its
// reply leaves; when it fails the reply must not leave.
func (u *Unit) Flush(nv NV) error {
	// Blocks first: a record must not speak of a block that is not there.
	if err := u.image.flush(nv); err != nil {
		return fmt.Errorf("device %v: save an image block: %w", u.EUI, err)
	}
	if !u.dirty {
		return nil
	}
	if err := nv.Save(u.EUI.String(), u.Record()); err != nil {
		return fmt.Errorf("device %v: save its record: %w", u.EUI, err)
	}
	u.dirty = false
	return nil
}

// On reports whether the device has power at a time, and does what comes with
// power coming back. Call it before anything is given to the device.
func (u *Unit) On(now time.Time) bool {
	if !u.offUntil.IsZero() {
		if now.Before(u.offUntil) {
			return false
		}
		u.powerUp(u.offUntil)
	}
	if u.image.settle(now); !u.offUntil.IsZero() {
		return u.On(now) // a new image did not work, and the device restarts
	}
	if u.more != nil {
		u.more.Settle(now)
	}
	return true
}

// Deadline is when a device without power comes back; zero when it is on.
func (u *Unit) Deadline() time.Time { return u.offUntil }

// PowerCut takes the power away until a time. Staged keys, associations and a
// verification under way are lost.
func (u *Unit) PowerCut(now, until time.Time) {
	if u.more != nil && u.offUntil.IsZero() {
		u.more.PowerDown(now, until)
	}
	u.restart(until)
	u.Device.DropAll()
	u.keys.PowerCut()
	u.image.powerLost()
}

// restart takes the device down until a time; the reply being made still leaves.
func (u *Unit) restart(until time.Time) {
	if until.After(u.offUntil) {
		u.offUntil = until
	}
}

func (u *Unit) powerUp(now time.Time) {
	u.offUntil = time.Time{}
	u.Device.DropAll()
	u.keys.PowerCut()
	u.logKeys(now)
	u.image.powerUp(now)
	u.Event(now, EventPowerUp)
	if u.more != nil {
		u.more.PowerUp(now)
	}
}

// Served is called after each request, with the reply made: it applies the
// faults that follow requests.
func (u *Unit) Served(now time.Time) {
	u.logKeys(now)
	if u.faults.PowerCutAtKeyStage && !u.faults.spent && u.keys.Staged(now) {
		u.faults.spent = true
		u.touch()
		u.PowerCut(now, now.Add(u.Make.Image.Reboot))
	}
}

// logKeys enters what happened to the keys since the last look.
func (u *Unit) logKeys(now time.Time) {
	state, _, version := u.keys.Change(now)
	was := u.change
	switch {
	case version != u.version:
		u.Event(now, EventKeysCommitted)
	case was == server.ChangeIdle && state != server.ChangeIdle:
		u.Event(now, EventKeysStaged)
	case was != server.ChangeIdle && state == server.ChangeIdle:
		u.Event(now, EventKeysDropped)
	}
	u.change, u.version = state, version
}
