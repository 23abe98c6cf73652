package core

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/device/profile"
	"smets1/dlms/cosem"
	"smets1/dlms/security"
	"smets1/dlms/server"
	"smets1/firmware"
	"smets1/internal/wire"
)

var start = time.Date(2019, 7, 15, 7, 0, 0, 0, time.UTC)

type holder struct{ u *Unit }

func (h holder) Core() *Unit { return h.u }

func birth(t testing.TB) Birth {
	t.Helper()
	p := secure()
	key := func(n byte) security.Key {
		k, err := security.NewKey([]byte{n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})
		require.NoError(t, err)
		return k
	}
	return Birth{
		Kind: firmware.ESME, EUI: wire.MustEUI64("00-DB-12-34-56-78-90-A1"), Serial: "E120000000001", MPxN: "1012345678909",
		Profile: p, Make: &p.ESME, Keys: security.KeySet{GUEK: key(1), GAK: key(2), KEK: key(3)},
		Firmware: "P4X2G04", Start: start, ClockError: 3 * time.Second,
	}
}

var secure = sync.OnceValue(func() *profile.Profile {
	p, _ := profile.Builtin().Get("moc-secure")
	return p
})

var model = sync.OnceValues(func() (*server.Model, error) {
	assoc, err := Associations(secure().ESME.DLMS)
	if err != nil {
		return nil, err
	}
	return server.NewModel(server.Config{Name: "test", Associations: assoc, Objects: Objects(MeterFirmware, &secure().ESME)})
})

func unit(t testing.TB, f Faults) *Unit {
	t.Helper()
	m, err := model()
	require.NoError(t, err)
	u := &Unit{}
	u.Init(birth(t), m, holder{u}, nil, f)
	return u
}

func TestIdentity(t *testing.T) {
	u := unit(t, Faults{})
	require.Equal(t, "SML21234567890A1", u.LogicalName())
	require.Equal(t, security.SystemTitle{'S', 'M', 'L', 0x34, 0x56, 0x78, 0x90, 0xA1}, u.Title())
}

func TestClockDrifts(t *testing.T) {
	c := Clock{setAt: start, err: 3 * time.Second, ppm: 5}
	require.Equal(t, 3*time.Second, c.Error(start))
	// 5 parts in a million of a day are 0.432 s.
	require.Equal(t, 3*time.Second+432*time.Millisecond, c.Error(start.Add(24*time.Hour)))
	c.Set(start.Add(time.Hour), start)
	require.Equal(t, -time.Hour, c.Error(start.Add(time.Hour)))
	require.Equal(t, start, c.Now(start.Add(time.Hour)))
	require.Equal(t, 5*time.Microsecond, c.Error(start.Add(time.Hour+time.Second))+time.Hour)
}

// A unit that was changed in every way comes back from its record as it was.
func TestRecordRoundTrip(t *testing.T) {
	u := unit(t, Faults{PowerCutAtKeyStage: true})
	u.SetClock(start, start.Add(time.Minute))
	_, err := u.keys.NextTx(1)
	require.NoError(t, err)
	u.keys.RxAccept(server.RxID{Version: 1, Client: security.SystemTitle{1}}, 41)
	u.keys.RxAccept(server.RxID{Version: 1, Client: security.SystemTitle{2}, Broadcast: true}, 7)
	require.NoError(t, u.image.Initiate(start, []byte("image"), 700))
	require.NoError(t, u.image.Block(start, 1, make([]byte, 256)))
	u.faults.spent = true
	nv := &Memory{}
	require.NoError(t, u.Flush(nv))
	require.False(t, u.dirty)
	require.NoError(t, u.Flush(nv), "nothing to do")

	v := unit(t, Faults{PowerCutAtKeyStage: true})
	require.NoError(t, v.Restore(start.Add(time.Hour), nv))
	require.Equal(t, u.clock, v.clock)
	require.EqualValues(t, 42, v.keys.RxExpected(server.RxID{Version: 1, Client: security.SystemTitle{1}}))
	require.EqualValues(t, 8, v.keys.RxExpected(server.RxID{Version: 1, Client: security.SystemTitle{2}, Broadcast: true}))
	n, err := v.keys.NextTx(1)
	require.NoError(t, err)
	require.EqualValues(t, 1001, n, "the rest of the block is skipped")
	require.True(t, v.faults.spent)
	bits, blocks := v.image.Blocks()
	require.Equal(t, 3, blocks)
	require.Equal(t, []byte{0x40}, bits)
	require.EqualValues(t, 0, v.image.FirstMissing())
	require.Equal(t, server.ImageInitiated, v.image.Status(start))
	require.Equal(t, EventPowerUp, v.log.Entries()[len(v.log.Entries())-1].Code)
	// A third one agrees with the second, octet for octet, but for the power-up.
	require.NoError(t, v.Flush(nv))
	w := unit(t, Faults{PowerCutAtKeyStage: true})
	require.NoError(t, w.Restore(start.Add(time.Hour), nv))
	w.log.entries = w.log.entries[:len(w.log.entries)-1]
	require.Equal(t, v.Record(), w.Record())
}

func TestRecordTruncatedAtEveryOctet(t *testing.T) {
	u := unit(t, Faults{})
	u.SetClock(start, start)
	require.NoError(t, u.image.Initiate(start, []byte("image"), 700))
	u.keys.RxAccept(server.RxID{Version: 1}, 41)
	rec := u.Record()
	boundaries := 0
	for i := 1; i < len(rec); i++ {
		nv := &Memory{}
		require.NoError(t, nv.Save(u.EUI.String(), rec[:i]))
		if err := unit(t, Faults{}).Restore(start, nv); err == nil {
			boundaries++ // between two sections, a shorter record is a record
		}
	}
	require.LessOrEqual(t, boundaries, 4)
	for _, bad := range []string{"S1NX\x01", "S1NV\x02", "S1NV\x01\xC8\x00\x00\x00\x00", "S1NV\x01\x01\x00\x00\x00\x01\x00", "S1NV\x01\x05\x00\x00\x00\x02\x01\x01"} {
		nv := &Memory{}
		require.NoError(t, nv.Save(u.EUI.String(), []byte(bad)))
		require.Error(t, unit(t, Faults{}).Restore(start, nv), "%q", bad)
	}
}

func FuzzRecord(f *testing.F) {
	u := unit(f, Faults{})
	u.SetClock(start, start)
	require.NoError(f, u.image.Initiate(start, []byte("image"), 700))
	u.keys.RxAccept(server.RxID{Version: 1}, 41)
	f.Add(u.Record())
	f.Add([]byte("S1NV\x01\x04\x00\x00\x00\x0a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		nv := &Memory{}
		require.NoError(t, nv.Save(u.EUI.String(), b))
		v := unit(t, Faults{})
		if v.Restore(start, nv) != nil {
			return
		}
		// What was read can be written, and reads the same.
		require.NoError(t, v.Flush(nv))
		w := unit(t, Faults{})
		require.NoError(t, w.Restore(start, nv))
		if n := len(w.log.entries); n > 0 {
			w.log.entries = w.log.entries[:n-1]
		}
		if len(v.log.entries) < LogSize {
			require.Equal(t, v.Record(), w.Record())
		}
	})
}

func TestLogIsARing(t *testing.T) {
	var l Log
	for i := range LogSize + 5 {
		l.Add(start.Add(time.Duration(i)*time.Second), Event(i), 0)
	}
	require.Len(t, l.Entries(), LogSize)
	require.Equal(t, Event(5), l.Entries()[0].Code)
	l.Clear()
	require.Empty(t, l.Entries())
}

func TestPowerCut(t *testing.T) {
	u := unit(t, Faults{})
	require.True(t, u.On(start))
	u.PowerCut(start, start.Add(time.Minute))
	require.False(t, u.On(start.Add(59*time.Second)))
	require.Equal(t, start.Add(time.Minute), u.Deadline())
	require.Empty(t, u.ServeFrame(start, []byte{0, 1, 0, 16, 0, 1, 0, 1, 0x60}, nil), "no power, no answer")
	require.True(t, u.On(start.Add(time.Minute)))
	require.Zero(t, u.Deadline())
}

func TestServeFrameOfNobody(t *testing.T) {
	u := unit(t, Faults{})
	get := "\xC0\x01\xC1\x00\x01\x00\x00\x2A\x00\x00\xFF\x02\x00"
	whole := "\x00\x01\x00\x10\x00\x01\x00\x0D" + get
	require.Equal(t, []byte("\x00\x01\x00\x01\x00\x10\x00\x03\xD8\x01\x01"), u.ServeFrame(start, []byte(whole), nil))
	for i := range whole {
		require.Empty(t, u.ServeFrame(start, []byte(whole[:i]), nil), i)
	}
	require.Empty(t, u.ServeFrame(start, []byte("\x00\x01\x00\x10\x00\x09\x00\x0D"+get), nil), "no such logical device")
	require.Empty(t, unit(t, Faults{Silent: true}).ServeFrame(start, []byte(whole), nil))
}

type brokenNV struct{ Memory }

func (*brokenNV) Save(string, []byte) error { return errors.New("disk full") }

func TestFlushFails(t *testing.T) {
	u := unit(t, Faults{})
	require.NoError(t, u.image.Initiate(start, []byte("image"), 300))
	require.NoError(t, u.image.Block(start, 0, make([]byte, 256)))
	require.ErrorContains(t, u.Flush(&brokenNV{}), "save an image block")
	// Another transfer begins before the block of the first could be saved.
	require.NoError(t, u.image.Initiate(start, []byte("image"), 100))
	nv := &Memory{}
	require.NoError(t, u.Flush(nv))
	require.Equal(t, 1, nv.Len(), "the record alone")
}

func TestImageRules(t *testing.T) {
	u := unit(t, Faults{})
	m := &u.image
	require.Equal(t, cosem.ActionReadWriteDenied, m.Block(start, 0, nil))
	require.Equal(t, cosem.ActionReadWriteDenied, m.Verify(start))
	require.Equal(t, cosem.ActionReadWriteDenied, m.Activate(start))
	require.Equal(t, cosem.ActionOtherReason, m.Initiate(start, nil, 0))
	require.NoError(t, m.Initiate(start, nil, 257))
	require.Equal(t, cosem.ActionOtherReason, m.Block(start, 0, make([]byte, 255)))
	require.Equal(t, cosem.ActionOtherReason, m.Block(start, 1, make([]byte, 2)))
	require.Equal(t, cosem.ActionOtherReason, m.Block(start, 2, make([]byte, 1)))
	require.NoError(t, m.Block(start, 1, make([]byte, 1)))
	require.NoError(t, m.Block(start, 1, make([]byte, 1)), "again")
	require.NoError(t, m.Block(start, 0, make([]byte, 256)))
	require.Equal(t, cosem.ActionTemporaryFailure, m.Verify(start))
	u.PowerCut(start, start.Add(time.Second))
	require.True(t, u.On(start.Add(time.Second)))
	require.Equal(t, server.ImageInitiated, m.Status(start.Add(time.Second)), "the verification did not end")
	require.EqualValues(t, 2, m.FirstMissing())
	require.Equal(t, cosem.ActionTemporaryFailure, m.Verify(start))
	require.Equal(t, cosem.ActionTemporaryFailure, m.Activate(start))
	require.Equal(t, server.ImageVerifyFailed, m.Status(start.Add(8*time.Second)))
	require.Contains(t, m.Reason(), "format")
}

// Every associated name of the repository's profiles is a conformance bit.
func TestAssociations(t *testing.T) {
	s := profile.Builtin()
	for _, n := range s.Names() {
		p, _ := s.Get(n)
		for _, d := range []*profile.Device{&p.Hub, &p.ESME, p.GSME} {
			a, err := Associations(d.DLMS)
			require.NoError(t, err)
			require.Len(t, a, 2)
			require.True(t, a[AssociationManagement].Ciphered)
		}
	}
	_, err := Associations(profile.DLMS{Conformance: []string{"magic"}})
	require.Error(t, err)
}

// A meter's clock follows the hub's within ten seconds, and is left alone, and called
// doubtful, beyond.
func TestClockFollowsTheHub(t *testing.T) {
	hub := Clock{setAt: start, err: 2 * time.Second, ppm: 10}
	c := Clock{setAt: start, err: -3 * time.Second, ppm: -20}
	c.Follows(&hub, 3*time.Hour)
	at := start.Add(time.Hour)
	require.Equal(t, -3*time.Second-72*time.Millisecond, c.Error(at), "not yet")
	for day := range 400 {
		at := time.Date(2019, 7, 16+day, 3, 0, 0, 0, time.UTC)
		require.Equal(t, hub.Error(at), c.Error(at), "it was synchronised at that time")
		require.LessOrEqual(t, (c.Error(at.Add(23*time.Hour)) - hub.Error(at.Add(23*time.Hour))).Abs(), 3*time.Second)
		require.True(t, c.Reliable(at))
	}
	at = start.AddDate(0, 0, 30)
	hub.Set(at, at.Add(8*time.Hour))
	require.False(t, c.Reliable(at.AddDate(0, 0, 2)))
	require.Less(t, c.Error(at.AddDate(0, 0, 2)).Abs(), 2*time.Minute, "the hub's mistake is not the meter's")
	c.Set(at.AddDate(0, 0, 3), at.AddDate(0, 0, 3).Add(8*time.Hour+time.Second))
	require.True(t, c.Reliable(at.AddDate(0, 0, 5)))
}

// What counters of old keys and transactions a keyring has survives.
func TestPastKeysSurvive(t *testing.T) {
	u := unit(t, Faults{})
	s := u.keys.Snapshot()
	s.Past = []server.PastKey{{Fingerprint: "abc", Broadcast: true, NextTx: 7, Rx: map[security.SystemTitle]uint32{{1}: 5, {2}: 6}}}
	s.Transactions = map[security.SystemTitle][]byte{{3}: {9, 9}}
	u.keys.Restore(s)
	u.touch()
	nv := &Memory{}
	require.NoError(t, u.Flush(nv))
	v := unit(t, Faults{})
	require.NoError(t, v.Restore(start, nv))
	got := v.keys.Snapshot()
	require.Equal(t, s.Past, got.Past)
	require.Equal(t, s.Transactions, got.Transactions)
}

// Who fails to prove himself is in the security log.
func TestUnauthorised(t *testing.T) {
	u := unit(t, Faults{})
	u.Unauthorised(start, server.Peer{})
	require.Equal(t, EventUnauthorised, u.SecurityLog().Entries()[0].Code)
	require.Equal(t, "unauthorised access", EventUnauthorised.String())
	require.Equal(t, "event 999", Event(999).String())
}
