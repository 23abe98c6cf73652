package verbs

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/device/profile"
	"smets1/dlms/security"
	"smets1/firmware"
	"smets1/gateway/job"
	"smets1/gateway/keystore"
	"smets1/gateway/keystore/keystoretest"
	"smets1/gateway/rekey"
	"smets1/gateway/session"
	"smets1/gateway/session/sessiontest"
	"smets1/gateway/topic"
	"smets1/internal/store"
	"smets1/internal/wire"
)

type bench struct {
	t     *testing.T
	home  *sessiontest.Home
	disk  store.Bucket
	verbs *Verbs
	keys  *keystore.Store
	pool  *session.Pool
	lib   *firmware.Library

	states []topic.HubState
	devs   []topic.DeviceState
	events []topic.Event
	id     int
	seed   byte
}

func newBench(t *testing.T) *bench {
	disk, err := store.Memory().Bucket(t.Context(), "sync", store.Options{Sync: true})
	require.NoError(t, err)
	b := &bench{t: t, home: sessiontest.New(sessiontest.NewClock()), disk: disk, lib: firmware.NewLibrary()}
	b.start(disk)
	_, err = b.keys.Import(t.Context(), b.home.Handover(), sessiontest.Start)
	require.NoError(t, err)
	t.Cleanup(b.home.HangUp)
	return b
}

// start is a process of the gateway beginning over a disk.
func (b *bench) start(disk store.Bucket) {
	root, err := security.NewKey(bytes.Repeat([]byte{1}, 32))
	require.NoError(b.t, err)
	b.keys, err = keystore.Open(b.t.Context(), keystore.Config{Bucket: disk, Root: root})
	require.NoError(b.t, err)
	b.pool, err = session.NewPool(session.Config{
		Keys: b.keys, Title: security.SystemTitle{'G', 'W', 'Y', 0, 0, 0, 0, 1}, Clock: b.home.Clock, Waker: b.home, Idle: -1,
		Openers: map[string]session.Opener{"tcp": b.home.Open},
	})
	require.NoError(b.t, err)
	h := session.Hub{EUI: b.home.Hub.EUI, Address: "tcp://127.83.0.1:4059", Wake: profile.WakeSMS, MSISDN: "+447700900123"}
	for _, m := range b.home.Meters {
		h.Devices = append(h.Devices, session.Device{EUI: m.EUI, Type: m.Type, Model: m.Model})
	}
	require.NoError(b.t, b.pool.Add(h))
	b.seed++
	b.verbs, err = New(Config{
		Pool: b.pool, Keys: b.keys, Journal: rekey.Journal{Bucket: disk}, Library: b.lib, Clock: b.home.Clock,
		Random:      rand.NewChaCha8([32]byte{b.seed, 77}),
		HubState:    func(s topic.HubState) { b.states = append(b.states, s) },
		DeviceState: func(s topic.DeviceState) { b.devs = append(b.devs, s) },
		Event:       func(e topic.Event) { b.events = append(b.events, e) },
	})
	require.NoError(b.t, err)
}

func (b *bench) task(v topic.Verb, device topic.Device, args any) *job.Task {
	b.id++
	c, err := topic.NewCommand(fmt.Sprintf("test/%d", b.id), b.home.Hub.EUI, v, args)
	require.NoError(b.t, err)
	c.Device = device
	return job.NewTask(c, false, b.disk, nil)
}

// call runs a verb as the queue does, and takes the result through JSON.
func call[R any](b *bench, v topic.Verb, device topic.Device, args any) (R, topic.Code) {
	return resume[R](b, b.task(v, device, args))
}

func resume[R any](b *bench, t *job.Task) (result R, code topic.Code) {
	got, err := b.verbs.Handlers()[t.Verb].Handle(b.t.Context(), t)
	code, msg := topic.CodeOf(err)
	if err != nil {
		require.NotEqual(b.t, topic.CodeInternal, code, "%v", err)
		require.NotEmpty(b.t, msg.What)
	}
	if got != nil {
		raw, err := json.Marshal(got)
		require.NoError(b.t, err)
		require.NoError(b.t, json.Unmarshal(raw, &result))
	}
	return result, code
}

func (b *bench) esme() *sessiontest.Unit { return b.home.Meters[0] }
func (b *bench) gsme() *sessiontest.Unit { return b.home.Meters[1] }

func TestEveryVerbHasAHandler(t *testing.T) {
	h := newBench(t).verbs.Handlers()
	for _, v := range topic.Verbs() {
		if !v.Fleet {
			require.Contains(t, h, v.Verb)
		}
	}
}

func TestIdentify(t *testing.T) {
	b := newBench(t)
	r, code := call[topic.IdentifyResult](b, topic.Identify, "", nil)
	require.Equal(t, topic.CodeOK, code)
	require.Len(t, r.Devices, 3)
	require.Equal(t, topic.Identity{
		EUI: b.esme().EUI, Role: topic.ESME, Manufacturer: "X-ACME", Model: "EM-1", Hardware: "3", Firmware: "1.0",
		Serial: "S7890A1", MPxN: "1200012345678", PaymentMode: "credit",
	}, r.Devices[1].Identity)
	require.Len(t, b.devs, 3)
	require.Equal(t, topic.Ready, b.states[0].State)
	require.Equal(t, "HUB-1", b.states[0].Model)
	require.Equal(t, []topic.Device{"esme", "gsme"}, b.states[0].Devices)

	b.home.Do(func() { b.gsme().Silent = true })
	r, code = call[topic.IdentifyResult](b, topic.Identify, "", nil)
	require.Equal(t, topic.CodeOK, code, "the hub answered")
	require.Equal(t, topic.CodeHANSilent, r.Devices[2].Code)
	require.Equal(t, topic.CodeOK, r.Devices[1].Code)
	r, code = call[topic.IdentifyResult](b, topic.Identify, topic.DeviceEUI(b.esme().EUI), nil)
	require.Equal(t, topic.CodeOK, code)
	require.Len(t, r.Devices, 1)
	_, code = call[topic.IdentifyResult](b, topic.Identify, topic.IHD, nil)
	require.Equal(t, topic.CodeUnknownDev, code)
}

func TestNoWAN(t *testing.T) {
	b := newBench(t)
	b.home.Sleep(-1)
	for _, v := range []topic.Verb{topic.Identify, topic.KeysProve, topic.HANCheck, topic.ClockRead, topic.ConfigDigest} {
		_, code := call[json.RawMessage](b, v, "", nil)
		require.Equal(t, topic.CodeNoWAN, code, v)
	}
	_, code := call[topic.WakeResult](b, topic.Wake, "", topic.WakeArgs{TimeoutSeconds: 30})
	require.Equal(t, topic.CodeNoWAN, code)
	_, code = call[topic.KeysResult](b, topic.KeysTakeover, "", topic.KeysTakeoverArgs{Owner: "S1SP"})
	require.Equal(t, topic.CodeNoWAN, code)
	require.Equal(t, topic.Sleeping, b.states[len(b.states)-1].State)

	b.home.Sleep(1)
	r, code := call[topic.WakeResult](b, topic.Wake, "", nil)
	require.Equal(t, topic.CodeOK, code)
	require.Equal(t, 2, r.Attempts)
}

func TestUnknownHubAndClosedGateway(t *testing.T) {
	b := newBench(t)
	task := b.task(topic.Identify, "", nil)
	task.Hub = wire.EUI64{1}
	_, code := resume[json.RawMessage](b, task)
	require.Equal(t, topic.CodeUnknownHub, code)
}

func TestRead(t *testing.T) {
	b := newBench(t)
	item := func(class uint16, obis string, attr int8) topic.ReadItem {
		return topic.ReadItem{Attribute: topic.Attribute{Class: class, OBIS: obis, Attribute: attr}}
	}
	rows := item(7, "1-0:99.1.0.255", 2)
	rows.From, rows.To = sessiontest.Start.Add(-2*time.Hour), sessiontest.Start
	r, code := call[topic.ReadResult](b, topic.Read, topic.ESME, topic.ReadArgs{Items: []topic.ReadItem{
		item(3, "1-0:1.8.0.255", 2), item(1, "0-0:96.1.2.255", 2), item(1, "0-0:1.2.3.255", 2), rows,
	}})
	require.Equal(t, topic.CodeOK, code)
	require.Equal(t, topic.Int(topic.DoubleLongUnsigned, 12345), *r.Items[0].Value)
	require.Equal(t, "1234.5", r.Items[0].Scaled)
	require.Equal(t, "Wh", r.Items[0].Unit)
	require.Equal(t, topic.Octets([]byte("EM-1")), *r.Items[1].Value)
	require.Equal(t, topic.CodeAccess, r.Items[2].Code)
	require.Nil(t, r.Items[2].Value)
	require.Equal(t, topic.Array, r.Items[3].Value.Type)
	require.Len(t, r.Items[3].Value.Items, 4, "from is in, to is not")

	for name, args := range map[string]topic.ReadArgs{
		"none": {}, "obis": {Items: []topic.ReadItem{item(3, "nonsense", 2)}},
		"from alone": {Items: []topic.ReadItem{{Attribute: rows.Attribute, From: rows.From}}},
		"no profile": {Items: []topic.ReadItem{{Attribute: topic.Attribute{Class: 3, OBIS: "1-0:1.8.0.255", Attribute: 2}, From: rows.From, To: rows.To}}},
	} {
		_, code := call[topic.ReadResult](b, topic.Read, topic.ESME, args)
		require.Equal(t, topic.CodeBadArgs, code, name)
	}
}

func TestWrite(t *testing.T) {
	b := newBench(t)
	mpxn := topic.Attribute{Class: 1, OBIS: "0-0:94.44.34.11", Attribute: 2}
	r, code := call[topic.WriteResult](b, topic.Write, topic.ESME, topic.WriteArgs{Items: []topic.WriteItem{
		{Attribute: mpxn, Value: topic.Octets([]byte("1300012345675"))},
		{Attribute: topic.Attribute{Class: 1, OBIS: "0-0:96.1.2.255", Attribute: 2}, Value: topic.Octets([]byte("x"))},
		{Attribute: mpxn, Value: topic.Octets([]byte("never"))},
	}})
	require.Equal(t, topic.CodeAccess, code)
	require.Len(t, r.Items, 2, "it stops at the first that is refused")
	require.Equal(t, topic.CodeOK, r.Items[0].Code)
	require.Equal(t, topic.CodeAccess, r.Items[1].Code)
	b.home.Do(func() { require.Equal(t, "1300012345675", b.esme().MPxN) })
	_, code = call[topic.WriteResult](b, topic.Write, topic.ESME, topic.WriteArgs{})
	require.Equal(t, topic.CodeBadArgs, code)
}

func TestClock(t *testing.T) {
	b := newBench(t)
	b.home.Do(func() { b.esme().Ahead = 40 * time.Second; b.gsme().Ahead = -5 * time.Second })
	r, code := call[topic.ClockResult](b, topic.ClockRead, "", nil)
	require.Equal(t, topic.CodeOK, code)
	require.InDelta(t, 40, r.Clocks[1].OffsetSeconds, 1)

	r, code = call[topic.ClockResult](b, topic.ClockSync, "", topic.ClockSyncArgs{MaxStepSeconds: 30})
	require.Equal(t, topic.CodeOK, code)
	require.Equal(t, topic.CodeClock, r.Clocks[1].Code)
	require.False(t, r.Clocks[1].Set)
	r, code = call[topic.ClockResult](b, topic.ClockSync, "", nil)
	require.Equal(t, topic.CodeOK, code)
	require.True(t, r.Clocks[1].Set)
	require.InDelta(t, 0, r.Clocks[1].OffsetSeconds, 1)
	require.InDelta(t, 40, r.Clocks[1].BeforeSeconds, 1)
	require.False(t, r.Clocks[2].Set, "within the tolerance")

	b.home.Do(func() { b.esme().Ahead, b.esme().StuckClock = time.Hour, true })
	r, code = call[topic.ClockResult](b, topic.ClockSync, topic.ESME, nil)
	require.Equal(t, topic.CodeOK, code)
	require.Equal(t, topic.CodeVerify, r.Clocks[0].Code)
	_, code = call[topic.ClockResult](b, topic.ClockSync, "", topic.ClockSyncArgs{ToleranceSeconds: -1})
	require.Equal(t, topic.CodeBadArgs, code)
}

func TestHANCheckNeedsNoKeys(t *testing.T) {
	b := newBench(t)
	b.home.Do(func() { b.gsme().Silent = true })
	r, code := call[topic.HANCheckResult](b, topic.HANCheck, "", nil)
	require.Equal(t, topic.CodeOK, code)
	require.Len(t, r.Devices, 2)
	require.Equal(t, topic.CodeOK, r.Devices[0].Code)
	require.Equal(t, "EM-1", r.Devices[0].Model)
	require.Equal(t, topic.CodeHANSilent, r.Devices[1].Code)
	require.Greater(t, r.Devices[1].ElapsedSeconds, 20.0)
}

func TestConfigDigest(t *testing.T) {
	b := newBench(t)
	digest := func() string {
		r, code := call[topic.ConfigDigestResult](b, topic.ConfigDigest, topic.ESME, nil)
		require.Equal(t, topic.CodeOK, code)
		require.Len(t, r.Devices, 1)
		require.Equal(t, topic.CodeOK, r.Devices[0].Code)
		require.Greater(t, r.Devices[0].Attributes, 5)
		return r.Devices[0].SHA256
	}
	first := digest()
	require.Len(t, first, 64)
	b.home.Do(func() { b.esme().Version = "1.1"; b.esme().Ahead = time.Hour })
	require.Equal(t, first, digest(), "neither version nor time count")
	b.home.Do(func() { b.esme().Prepayment = true })
	require.NotEqual(t, first, digest())
}

func TestRepoint(t *testing.T) {
	b := newBench(t)
	task := b.task(topic.HubRepoint, "", topic.HubRepointArgs{Endpoint: "s1sp.example:4059"})
	r, code := resume[topic.HubRepointResult](b, task)
	require.Equal(t, topic.CodeOK, code)
	require.Equal(t, topic.HubRepointResult{From: "smso.example:4059", To: "s1sp.example:4059"}, r)
	again, code := resume[topic.HubRepointResult](b, task)
	require.Equal(t, topic.CodeOK, code)
	require.Equal(t, r, again, "a resumed command gives the same result")
	require.Equal(t, "s1sp.example:4059", b.states[len(b.states)-1].Endpoint)

	b.home.Do(func() { b.home.Hub.IgnoresPoint = true })
	_, code = call[topic.HubRepointResult](b, topic.HubRepoint, "", topic.HubRepointArgs{Endpoint: "other.example:4059"})
	require.Equal(t, topic.CodeVerify, code)
	for _, bad := range []string{"", "host", "host:0", "host:99999", ":1", strings.Repeat("x", 200) + ":1"} {
		_, code = call[topic.HubRepointResult](b, topic.HubRepoint, "", topic.HubRepointArgs{Endpoint: bad})
		require.Equal(t, topic.CodeBadArgs, code, bad)
	}
}

func TestFirmwareUpgrade(t *testing.T) {
	for _, u := range []func(*bench) *sessiontest.Unit{(*bench).esme, (*bench).gsme, func(b *bench) *sessiontest.Unit { return b.home.Hub }} {
		b := newBench(t)
		unit := u(b)
		d, err := b.lib.Put(unit.Release("1.1", 500))
		require.NoError(t, err)
		args := topic.FirmwareUpgradeArgs{Image: d.String(), Version: "1.1"}
		r, code := call[topic.FirmwareUpgradeResult](b, topic.FirmwareUpgrade, topic.DeviceEUI(unit.EUI), args)
		require.Equal(t, topic.CodeOK, code)
		require.Equal(t, "1.0", r.From)
		require.Equal(t, "1.1", r.To)
		require.Equal(t, 1, r.Activations)
		require.Equal(t, 1, unit.Activations)
		require.Greater(t, r.Blocks, 8)
		require.Greater(t, r.ElapsedSeconds, 40.0)
		require.Equal(t, "upgraded", b.events[len(b.events)-1].Code)

		r, code = call[topic.FirmwareUpgradeResult](b, topic.FirmwareUpgrade, topic.DeviceEUI(unit.EUI), args)
		require.Equal(t, topic.CodeOK, code)
		require.True(t, r.Already)
		require.Equal(t, 1, unit.Activations)
	}
}

func TestFirmwareRefusals(t *testing.T) {
	b := newBench(t)
	corrupt := b.esme().Release("1.1", 500)
	corrupt[len(corrupt)-100] ^= 1
	d, err := b.lib.Put(corrupt)
	require.NoError(t, err)
	task := b.task(topic.FirmwareUpgrade, topic.ESME, topic.FirmwareUpgradeArgs{Image: d.String(), Version: "1.1"})
	_, err = b.verbs.Handlers()[task.Verb].Handle(t.Context(), task)
	code, msg := topic.CodeOf(err)
	require.Equal(t, topic.CodeFirmwareRefused, code)
	require.Contains(t, msg.What, "the image is corrupt", "the device's own reason")
	require.Zero(t, b.esme().Activations)

	_, code = call[topic.FirmwareUpgradeResult](b, topic.FirmwareUpgrade, topic.ESME, topic.FirmwareUpgradeArgs{Image: d.String(), Version: "2.0"})
	require.Equal(t, topic.CodeBadArgs, code)
	_, code = call[topic.FirmwareUpgradeResult](b, topic.FirmwareUpgrade, topic.ESME, topic.FirmwareUpgradeArgs{Image: strings.Repeat("00", 32), Version: "2.0"})
	require.Equal(t, topic.CodeFirmwareUnknown, code)
	_, code = call[topic.FirmwareUpgradeResult](b, topic.FirmwareUpgrade, topic.ESME, topic.FirmwareUpgradeArgs{Image: "x"})
	require.Equal(t, topic.CodeBadArgs, code)
}

func TestTakeoverAndRollbackOfAHome(t *testing.T) {
	b := newBench(t)
	r, code := call[topic.KeysResult](b, topic.KeysTakeover, "", topic.KeysTakeoverArgs{Owner: "S1SP-CGI"})
	require.Equal(t, topic.CodeOK, code)
	require.Len(t, r.Devices, 3)
	require.Equal(t, topic.CHF, r.Devices[2].Device, "the hub last")
	for _, k := range r.Devices {
		require.Equal(t, topic.KeysDevice{
			Device: k.Device, EUI: k.EUI, Outcome: topic.Outcome{Code: topic.CodeOK}, Set: "current", Version: 2, FromVersion: 1,
			Owner: "S1SP-CGI", Fingerprint: k.Fingerprint, Step: "done", OldRefused: true,
		}, k)
	}
	require.EqualValues(t, 2, b.states[len(b.states)-1].KeyVersion)
	for _, u := range b.home.All() {
		require.EqualValues(t, 2, u.Ring.Snapshot().Version)
		require.False(t, u.Born.Equal(u.Ring.Snapshot().Keys))
	}

	p, code := call[topic.KeysResult](b, topic.KeysProve, "", nil)
	require.Equal(t, topic.CodeOK, code)
	require.Equal(t, "current", p.Devices[0].Set)
	require.True(t, p.Devices[0].OldRefused)
	require.Equal(t, r.Devices[2].Fingerprint, p.Devices[0].Fingerprint)

	r, code = call[topic.KeysResult](b, topic.KeysRollback, "", nil)
	require.Equal(t, topic.CodeOK, code)
	for i, u := range b.home.All() {
		require.True(t, u.Born.Equal(u.Ring.Snapshot().Keys))
		require.Equal(t, "SMSO", r.Devices[i].Owner)
	}
	_, code = call[topic.KeysResult](b, topic.KeysTakeover, "", topic.KeysTakeoverArgs{})
	require.Equal(t, topic.CodeBadArgs, code)
}

func TestPowerCutAtKeyStage(t *testing.T) {
	b := newBench(t)
	b.home.Do(func() { b.esme().CutAtKeyStage = true })
	args := topic.KeysTakeoverArgs{Owner: "S1SP", Devices: []topic.Device{topic.ESME}}
	r, code := call[topic.KeysResult](b, topic.KeysTakeover, "", args)
	require.Equal(t, topic.CodeAborted, code)
	require.Equal(t, "SMSO", r.Devices[0].Owner)
	require.Equal(t, "aborted", r.Devices[0].Step)
	r, code = call[topic.KeysResult](b, topic.KeysTakeover, "", args)
	require.Equal(t, topic.CodeOK, code)
	require.Equal(t, "S1SP", r.Devices[0].Owner)

	// The hub itself: the line goes with its power.
	b.home.Do(func() { b.home.Hub.CutAtKeyStage = true })
	args.Devices = []topic.Device{topic.CHF}
	_, code = call[topic.KeysResult](b, topic.KeysTakeover, "", args)
	require.Equal(t, topic.CodeAborted, code)
	_, code = call[topic.KeysResult](b, topic.KeysTakeover, "", args)
	require.Equal(t, topic.CodeOK, code)
}

func TestWrongKey(t *testing.T) {
	b := newBench(t)
	b.home.Do(func() {
		s := b.esme().Ring.Snapshot()
		s.Keys = b.gsme().Born
		b.esme().Ring.Restore(s)
	})
	r, code := call[topic.KeysResult](b, topic.KeysProve, "", nil)
	require.Equal(t, topic.CodeKeyRefused, code)
	require.Equal(t, topic.CodeOK, r.Devices[0].Code)
	require.Equal(t, topic.CodeKeyRefused, r.Devices[1].Code)
	require.Empty(t, r.Devices[1].Set)
	require.Equal(t, topic.CodeOK, r.Devices[2].Code, "the others are proven all the same")
	require.Equal(t, topic.Alert, b.states[0].State)
	_, code = call[topic.KeysResult](b, topic.KeysTakeover, topic.ESME, topic.KeysTakeoverArgs{Owner: "S1SP"})
	require.Equal(t, topic.CodeKeyRefused, code)
}

func TestLostLinesDuringATakeover(t *testing.T) {
	for n := 1; n < 40; n++ {
		b := newBench(t)
		b.home.BreakAfter(n)
		args := topic.KeysTakeoverArgs{Owner: "S1SP", Devices: []topic.Device{topic.ESME}}
		r, code := call[topic.KeysResult](b, topic.KeysTakeover, "", args)
		for code == topic.CodeAborted || code == topic.CodeLinkLost {
			r, code = call[topic.KeysResult](b, topic.KeysTakeover, "", args)
		}
		require.Equal(t, topic.CodeOK, code, "line broken at request %d", n)
		require.Equal(t, "S1SP", r.Devices[0].Owner)
		d, err := b.keys.Get(t.Context(), b.esme().EUI)
		require.NoError(t, err)
		require.Nil(t, d.Pending)
		b.home.Do(func() {
			require.True(t, b.esme().Ring.Snapshot().Keys.Equal(d.Current.Keys), "line broken at request %d", n)
		})
	}
}

// TestKilledAtEveryWrite kills the gateway before and after each write of a
// take-over and of an upgrade, and resumes the command in a new process.
func TestKilledAtEveryWrite(t *testing.T) {
	image := newBench(t).esme().Release("1.1", 300)
	for _, work := range []struct {
		verb topic.Verb
		args any
	}{
		{topic.KeysTakeover, topic.KeysTakeoverArgs{Owner: "S1SP"}},
		{topic.FirmwareUpgrade, topic.FirmwareUpgradeArgs{Image: firmware.DigestOf(image).String(), Version: "1.1"}},
	} {
		for at := 0; ; at++ {
			died := false
			for _, after := range []bool{false, true} {
				b := newBench(t)
				_, err := b.lib.Put(image)
				require.NoError(t, err)
				f := keystoretest.New(b.disk, at, after)
				b.start(f)
				task := b.task(work.verb, topic.ESME, work.args)
				dying := job.NewTask(task.Command, false, f, nil)
				_, err = b.verbs.Handlers()[work.verb].Handle(t.Context(), dying)
				name := fmt.Sprintf("%s killed at write %d, after %v", work.verb, at, after)
				if f.Dead() {
					died = true
					require.Error(t, err, name)
					b.start(b.disk)
					_, err = b.verbs.Handlers()[work.verb].Handle(t.Context(), job.NewTask(task.Command, true, b.disk, nil))
				}
				require.NoError(t, err, name)
				b.home.Do(func() {
					if work.verb == topic.FirmwareUpgrade {
						require.Equal(t, 1, b.esme().Activations, name)
						return
					}
					d, err := b.keys.Get(t.Context(), b.esme().EUI)
					require.NoError(t, err)
					require.Equal(t, "S1SP", d.Current.Owner)
					require.True(t, b.esme().Ring.Snapshot().Keys.Equal(d.Current.Keys), name)
				})
			}
			if !died {
				require.Greater(t, at, 3)
				break
			}
		}
	}
}

// TestNoKeyLeaves looks for every key of the home in all that the gateway gives
// out.
func TestNoKeyLeaves(t *testing.T) {
	b := newBench(t)
	var out bytes.Buffer
	for _, c := range []struct {
		verb topic.Verb
		args any
	}{
		{topic.Identify, nil}, {topic.KeysProve, nil}, {topic.KeysTakeover, topic.KeysTakeoverArgs{Owner: "S1SP"}},
		{topic.KeysProve, nil}, {topic.KeysRollback, nil}, {topic.ConfigDigest, nil},
	} {
		r, code := call[json.RawMessage](b, c.verb, "", c.args)
		require.Equal(t, topic.CodeOK, code)
		out.Write(r)
	}
	require.NoError(t, json.NewEncoder(&out).Encode([]any{b.states, b.devs, b.events}))
	entries, err := b.disk.List(t.Context(), "")
	require.NoError(t, err)
	for _, e := range entries {
		out.Write(e.Value)
	}
	devices, err := b.keys.List(t.Context())
	require.NoError(t, err)
	fmt.Fprintf(&out, "%+v %#v", devices, devices)
	text := strings.ToLower(out.String())
	for _, d := range devices {
		for _, set := range []*keystore.Set{d.Current, d.Previous} {
			for _, k := range []security.Key{set.Keys.GUEK, set.Keys.GAK, set.Keys.KEK} {
				require.NotContains(t, text, hex.EncodeToString(k.Reveal()))
				require.NotContains(t, out.String(), string(k.Reveal()))
			}
		}
	}
}

func TestCodesOfErrors(t *testing.T) {
	for _, c := range []struct {
		err  error
		want topic.Code
	}{
		{nil, topic.CodeOK},
		{fmt.Errorf("x: %w: %w", rekey.ErrInDoubt, session.ErrNoWAN), topic.CodeInDoubt},
		{fmt.Errorf("x: %w: %w", rekey.ErrAborted, session.ErrHANSilent), topic.CodeAborted},
		{fmt.Errorf("x: %w", os.ErrDeadlineExceeded), topic.CodeTimeout},
		{fmt.Errorf("x: %w", io.EOF), topic.CodeLinkLost},
		{fmt.Errorf("x: %w", keystore.ErrUnknownDevice), topic.CodeKeyUnknown},
		{&session.KeyRefusedError{Err: io.EOF}, topic.CodeKeyRefused},
		{topic.NewError(topic.CodeBadArgs, "x", "", ""), topic.CodeBadArgs},
		{errors.New("x"), topic.CodeInternal},
		{context.Canceled, topic.CodeCancelled},
	} {
		code, _ := topic.CodeOf(coded(c.err, "here"))
		require.Equal(t, c.want, code, "%v", c.err)
	}
}

func TestDecimal(t *testing.T) {
	for _, c := range []struct {
		v      topic.Value
		scaler int
		want   string
	}{
		{topic.Int(topic.Long, 12345), -1, "1234.5"},
		{topic.Int(topic.Long, -5), -3, "-0.005"},
		{topic.Int(topic.Long, 0), 3, "0"},
		{topic.Int(topic.Long, 12), 3, "12000"},
		{topic.Int(topic.Long, 12), 0, "12"},
		{topic.Value{Type: topic.Long64Unsigned, Num: 1 << 63}, -2, "92233720368547758.08"},
	} {
		n, ok := integer(c.v)
		require.True(t, ok)
		require.Equal(t, c.want, decimal(n, c.scaler))
	}
	_, ok := integer(topic.Octets(nil))
	require.False(t, ok)
}

func TestConfigIsChecked(t *testing.T) {
	_, err := New(Config{})
	require.ErrorContains(t, err, "needs Pool")
}
