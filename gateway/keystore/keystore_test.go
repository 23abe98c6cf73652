package keystore

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/dlms/security"
	"smets1/firmware"
	"smets1/gateway/keystore/keystoretest"
	"smets1/internal/store"
	"smets1/internal/wire"
)

var (
	now  = time.Date(2019, 4, 7, 10, 0, 0, 0, time.UTC)
	esme = wire.MustEUI64("00-DB-12-34-56-78-90-A0")
)

func bucket(t testing.TB) store.Bucket {
	b, err := store.Memory().Bucket(t.Context(), "keys", store.Options{Sync: true})
	require.NoError(t, err)
	return b
}

func root(t testing.TB, fill byte) security.Key {
	k, err := security.NewKey(bytes.Repeat([]byte{fill}, 32))
	require.NoError(t, err)
	return k
}

func open(t testing.TB, b store.Bucket) *Store {
	s, err := Open(t.Context(), Config{Bucket: b, Root: root(t, 7), Block: 4})
	require.NoError(t, err)
	return s
}

func newSet(t testing.TB, seed byte, owner string) Set {
	s, err := Generate(rand.NewChaCha8([32]byte{seed}), owner, uint32(seed), now)
	require.NoError(t, err)
	return s
}

func handover(t testing.TB, n int) Handover {
	h := Handover{Owner: "SMSO"}
	r := rand.NewChaCha8([32]byte{99})
	for i := range n {
		s, err := Generate(r, "", 1, now)
		require.NoError(t, err)
		eui := esme
		eui[6], eui[7] = byte(i>>8), byte(i)
		h.Devices = append(h.Devices, HandoverDevice{EUI: eui, Type: firmware.ESME, Version: 1, Keys: s.Keys, Counter: 10})
	}
	return h
}

// seeded is a store with one device, esme, under newSet(1).
func seeded(t testing.TB, b store.Bucket) *Store {
	s := open(t, b)
	h := Handover{Owner: "SMSO", Devices: []HandoverDevice{{EUI: esme, Type: firmware.ESME, Version: 1, Keys: newSet(t, 1, "").Keys, Counter: 41}}}
	n, err := s.Import(t.Context(), h, now)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	return s
}

func TestGenerations(t *testing.T) {
	ctx := t.Context()
	s := seeded(t, bucket(t))
	old, next := newSet(t, 1, "SMSO").Fingerprint(), newSet(t, 2, "S1SP").Fingerprint()

	require.NoError(t, s.Stage(ctx, esme, newSet(t, 2, "S1SP")))
	require.NoError(t, s.Stage(ctx, esme, newSet(t, 2, "S1SP")), "the same again")
	require.ErrorIs(t, s.Stage(ctx, esme, newSet(t, 3, "S1SP")), ErrPending)
	require.ErrorContains(t, s.Stage(ctx, esme, newSet(t, 1, "S1SP")), "current already")

	require.ErrorIs(t, s.Promote(ctx, esme, next), ErrLastKey, "it has not opened the device")
	require.ErrorIs(t, s.Drop(ctx, esme, next), ErrLastKey, "nothing is known to open the device")

	require.NoError(t, s.Proved(ctx, esme, next, now))
	require.NoError(t, s.Promote(ctx, esme, next))
	require.NoError(t, s.Promote(ctx, esme, next), "twice is once")
	d, err := s.Get(ctx, esme)
	require.NoError(t, err)
	require.Nil(t, d.Pending)
	require.Equal(t, next, d.Current.Fingerprint())
	require.Equal(t, "S1SP", d.Current.Owner)
	require.Equal(t, old, d.Previous.Fingerprint())
	g, ok := d.Find(old)
	require.True(t, ok)
	require.Equal(t, Previous, g)

	// Back to the old set: pending and previous are the same then.
	require.NoError(t, s.Stage(ctx, esme, *d.Previous))
	require.NoError(t, s.Proved(ctx, esme, old, now.Add(time.Second)))
	require.NoError(t, s.Promote(ctx, esme, old))
	d, err = s.Get(ctx, esme)
	require.NoError(t, err)
	require.Equal(t, old, d.Current.Fingerprint())
	require.Equal(t, next, d.Previous.Fingerprint())

	require.ErrorIs(t, s.Revert(ctx, esme, next), ErrLastKey, "the current one was proven later")
	require.NoError(t, s.Proved(ctx, esme, next, now.Add(2*time.Second)))
	require.NoError(t, s.Revert(ctx, esme, next))
	require.NoError(t, s.Revert(ctx, esme, next))

	other := esme
	other[0]++
	_, err = s.Get(ctx, other)
	require.ErrorIs(t, err, ErrUnknownDevice)
	require.ErrorIs(t, s.Stage(ctx, other, newSet(t, 2, "x")), ErrUnknownDevice)
	require.ErrorContains(t, s.Stage(ctx, esme, Set{}), "needs GUEK")
	require.Error(t, s.Proved(ctx, esme, "nonsense", now))
}

func TestDropKeepsTheLastWorkingKey(t *testing.T) {
	ctx := t.Context()
	s := seeded(t, bucket(t))
	old, next := newSet(t, 1, "").Fingerprint(), newSet(t, 2, "").Fingerprint()
	require.NoError(t, s.Stage(ctx, esme, newSet(t, 2, "S1SP")))
	require.NoError(t, s.Proved(ctx, esme, old, now))
	require.NoError(t, s.Proved(ctx, esme, next, now.Add(time.Second)))
	require.ErrorIs(t, s.Drop(ctx, esme, next), ErrLastKey, "the pending one was the last to open the device")
	require.NoError(t, s.Proved(ctx, esme, old, now.Add(2*time.Second)))
	require.NoError(t, s.Drop(ctx, esme, next))
	require.NoError(t, s.Drop(ctx, esme, next))
	d, err := s.Get(ctx, esme)
	require.NoError(t, err)
	require.Nil(t, d.Pending)
}

func TestAtRest(t *testing.T) {
	ctx := t.Context()
	b := bucket(t)
	s := seeded(t, b)
	require.NoError(t, s.Stage(ctx, esme, newSet(t, 2, "S1SP")))
	_, err := s.Counter(newSet(t, 1, "")).Next(ctx)
	require.NoError(t, err)

	entries, err := b.List(ctx, "")
	require.NoError(t, err)
	require.Len(t, entries, 3)
	for _, e := range entries {
		for seed := byte(1); seed <= 2; seed++ {
			for _, k := range []security.Key{newSet(t, seed, "").Keys.GUEK, newSet(t, seed, "").Keys.GAK, newSet(t, seed, "").Keys.KEK} {
				require.NotContains(t, string(e.Value), hex.EncodeToString(k.Reveal()))
				require.NotContains(t, string(e.Value), string(k.Reveal()))
			}
		}
		if e.Key == rootKey {
			continue
		}
		for i := range e.Value { // any octet changed is found
			bad := bytes.Clone(e.Value)
			bad[i] ^= 1
			_, err := s.sealer.open(e.Key, bad)
			require.ErrorIs(t, err, ErrTampered)
			_, err = s.sealer.open(e.Key, e.Value[:i])
			require.ErrorIs(t, err, ErrTampered)
		}
		_, err := s.sealer.open(e.Key+"x", e.Value)
		require.ErrorIs(t, err, ErrTampered, "a record moved to another name")
	}

	_, err = Open(ctx, Config{Bucket: b, Root: root(t, 8)})
	require.ErrorContains(t, err, "give the right one")
	_, err = Open(ctx, Config{Bucket: b})
	require.ErrorContains(t, err, "must have 32")

	_, err = b.Put(ctx, deviceKey(esme), []byte("nonsense"))
	require.NoError(t, err)
	_, err = s.Get(ctx, esme)
	require.ErrorIs(t, err, ErrTampered)
	_, err = s.List(ctx)
	require.ErrorIs(t, err, ErrTampered)
}

func TestNothingPrintsKeys(t *testing.T) {
	s := seeded(t, bucket(t))
	d, err := s.Get(t.Context(), esme)
	require.NoError(t, err)
	j, err := json.Marshal(d)
	require.NoError(t, err)
	text := fmt.Sprintf("%v %+v %#v %s %v %+v", d, d, d, j, d.Current, handover(t, 1))
	for _, k := range []security.Key{d.Current.Keys.GUEK, d.Current.Keys.GAK, d.Current.Keys.KEK} {
		require.NotContains(t, strings.ToLower(text), hex.EncodeToString(k.Reveal()))
	}
}

func TestRootFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "root.key")
	k, err := RootFile(path)
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	again, err := RootFile(path)
	require.NoError(t, err)
	require.True(t, k.Equal(again))

	var wg sync.WaitGroup
	race := filepath.Join(t.TempDir(), "root.key")
	keys := make([]security.Key, 8)
	for i := range keys {
		wg.Go(func() {
			k, err := RootFile(race)
			if err == nil {
				keys[i] = k
			}
		})
	}
	wg.Wait()
	for _, k := range keys {
		require.False(t, k.IsZero())
		require.True(t, k.Equal(keys[0]))
	}
	files, err := os.ReadDir(filepath.Dir(race))
	require.NoError(t, err)
	require.Len(t, files, 1)

	require.NoError(t, os.Chmod(path, 0o644))
	_, err = RootFile(path)
	require.ErrorContains(t, err, "chmod 600")
	require.NoError(t, os.Chmod(path, 0o600))
	require.NoError(t, os.WriteFile(path, []byte("abc"), 0o600))
	_, err = RootFile(path)
	require.ErrorContains(t, err, "64 hexadecimal digits")

	t.Setenv("SMETS1_TEST_ROOT", strings.Repeat("ab", 32))
	_, err = RootEnv("SMETS1_TEST_ROOT")
	require.NoError(t, err)
	_, err = RootEnv("SMETS1_TEST_NONE")
	require.ErrorContains(t, err, "is not set")
}

func TestCounterIsReservedAheadOfUse(t *testing.T) {
	ctx := t.Context()
	b := bucket(t)
	set := newSet(t, 1, "")
	c := seeded(t, b).Counter(set)
	for want := uint32(42); want < 50; want++ {
		got, err := c.Next(ctx)
		require.NoError(t, err)
		require.Equal(t, want, got)
		stored, _, err := open(t, b).readCounter(ctx, counterKey(set.Keys.GUEK))
		require.NoError(t, err)
		require.Greater(t, stored, got)
	}
	// A restart skips what was reserved.
	got, err := open(t, b).Counter(set).Next(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 50, got)

	require.NoError(t, c.Raise(ctx, 10))
	require.NoError(t, c.Raise(ctx, 1000))
	got, err = c.Next(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 1000, got)
	require.NoError(t, c.Raise(ctx, 1002))
	got, err = c.Next(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 1002, got)
	require.ErrorIs(t, c.Raise(ctx, security.CounterLimit), security.ErrCounterExhausted)
}

func TestCounterEnds(t *testing.T) {
	ctx := t.Context()
	s := open(t, bucket(t))
	c := s.Counter(newSet(t, 1, ""))
	require.NoError(t, c.Raise(ctx, security.CounterLimit-1))
	_, err := c.Next(ctx)
	require.NoError(t, err)
	_, err = c.Next(ctx)
	require.ErrorIs(t, err, security.ErrCounterExhausted)
	last := uint32(0)
	for {
		n, err := c.ForRekey().Next(ctx)
		if err != nil {
			require.ErrorIs(t, err, security.ErrCounterExhausted)
			break
		}
		require.Greater(t, n, last)
		last = n
	}
	require.Equal(t, security.CounterMax-1, last)
}

func TestCounterIsNeverGivenTwice(t *testing.T) {
	ctx := t.Context()
	b := bucket(t)
	set := newSet(t, 1, "")
	var mu sync.Mutex
	seen := map[uint32]bool{}
	var wg sync.WaitGroup
	for range 4 { // processes over one bucket
		s := open(t, b)
		for range 4 {
			c := s.Counter(set)
			wg.Go(func() {
				for range 50 {
					n, err := c.Next(ctx)
					mu.Lock()
					if err != nil || seen[n] {
						t.Errorf("counter %d: %v", n, err)
					}
					seen[n] = true
					mu.Unlock()
				}
			})
		}
	}
	wg.Wait()
	require.Len(t, seen, 800)
}

// TestDeathAtEveryWrite runs a life of a device through, killed before and
// after each write, and looks at what a restart finds.
func TestDeathAtEveryWrite(t *testing.T) {
	life := func(ctx context.Context, s *Store, used map[uint32]bool) error {
		next := newSet(t, 2, "S1SP")
		c := s.Counter(newSet(t, 1, ""))
		for range 6 {
			n, err := c.Next(ctx)
			if err != nil {
				return err
			}
			if used[n] {
				return fmt.Errorf("counter %d used twice", n)
			}
			used[n] = true
		}
		d, err := s.Get(ctx, esme)
		if err != nil {
			return err
		}
		if d.Current.Fingerprint() == next.Fingerprint() {
			return nil
		}
		if err := s.Stage(ctx, esme, next); err != nil {
			return err
		}
		if err := s.Proved(ctx, esme, next.Fingerprint(), now); err != nil {
			return err
		}
		return s.Promote(ctx, esme, next.Fingerprint())
	}
	runs := 0
	for at := 0; ; at++ {
		died := false
		for _, after := range []bool{false, true} {
			b := bucket(t)
			seeded(t, b)
			f := keystoretest.New(b, at, after)
			used := map[uint32]bool{}
			s, err := Open(t.Context(), Config{Bucket: f, Root: root(t, 7), Block: 4})
			if err == nil {
				err = life(t.Context(), s, used)
			}
			if f.Dead() {
				died = true
				require.ErrorIs(t, err, keystoretest.ErrDied)
			}
			s = open(t, b)
			d, err := s.Get(t.Context(), esme)
			require.NoError(t, err)
			_, hasOld := d.Find(newSet(t, 1, "").Fingerprint())
			require.True(t, hasOld, "the key that opened the device is never gone")
			require.NoError(t, life(t.Context(), s, used))
			runs++
		}
		if !died {
			break
		}
	}
	require.Greater(t, runs, 10)
}

func TestHandoverRoundTrip(t *testing.T) {
	h := handover(t, 3)
	h.Devices[1].Title = security.SystemTitle{'A', 'B', 'C', 1, 2, 3, 4, 5}
	h.Devices[1].Keys.GBEK = h.Devices[0].Keys.GAK
	var b bytes.Buffer
	require.NoError(t, WriteHandover(&b, h))
	again, err := ParseHandover(b.Bytes())
	require.NoError(t, err)
	require.Equal(t, h.Devices[1].Title, again.Devices[1].Title)
	for i := range h.Devices {
		require.True(t, h.Devices[i].Keys.Equal(again.Devices[i].Keys))
		require.Equal(t, h.Devices[i].EUI, again.Devices[i].EUI)
		require.EqualValues(t, 10, again.Devices[i].Counter)
	}
}

func TestHandoverMistakes(t *testing.T) {
	key := strings.Repeat("a1", 16)
	file := func(device string) string {
		return `{"format":"smets1-key-handover/1","owner":"X","devices":[` + device + `]}`
	}
	good := fmt.Sprintf(`{"eui":"00-DB-12-34-56-78-90-A0","type":"esme","key_version":1,"guek":%q,"gak":%q,"kek":%q,"invocation_counter":0}`, key, key, key)
	_, err := ParseHandover([]byte(file(good)))
	require.NoError(t, err)
	for name, c := range map[string]struct{ file, want string }{
		"not JSON":      {"guek=00112233", "not the JSON"},
		"trailing":      {file(good) + "{}", "something follows"},
		"unknown field": {strings.Replace(file(good), "gak", "gakk", 1), "unknown field"},
		"wrong type":    {strings.Replace(file(good), `"`+key+`"`, "12345678901234567890", 1), `member "devices.guek" has the wrong type`},
		"format":        {strings.Replace(file(good), "over/1", "over/9", 1), "want \"smets1-key-handover/1\""},
		"owner":         {strings.Replace(file(good), `"X"`, `""`, 1), "owner is empty"},
		"no devices":    {file(""), "it has no devices"},
		"twice":         {file(good + "," + good), "the same as device 1"},
		"eui":           {strings.Replace(file(good), "00-DB", "00DB", 1), "not an EUI-64"},
		"type":          {strings.Replace(file(good), "esme", "meter", 1), "want chf, esme, gsme or ihd"},
		"short key":     {strings.Replace(file(good), key, key[:30], 1), "guek: want 32 hexadecimal digits, it has 30 characters"},
		"zero key":      {strings.Replace(file(good), key, strings.Repeat("0", 32), 1), "all zeros"},
		"counter":       {strings.Replace(file(good), `counter":0`, `counter":4294967040`, 1), "leaves none"},
		"title":         {strings.Replace(file(good), `"type"`, `"system_title":"xx","type"`, 1), "system title"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseHandover([]byte(c.file))
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), key[:30])
		})
	}
}

func TestImport(t *testing.T) {
	ctx := t.Context()
	s := seeded(t, bucket(t))
	same := Handover{Owner: "SMSO", Devices: []HandoverDevice{{EUI: esme, Type: firmware.ESME, Version: 1, Keys: newSet(t, 1, "").Keys}}}
	n, err := s.Import(ctx, same, now)
	require.NoError(t, err)
	require.Zero(t, n)

	h := handover(t, 5)
	h.Devices = append(h.Devices, HandoverDevice{EUI: esme, Type: firmware.ESME, Keys: newSet(t, 2, "").Keys})
	_, err = s.Import(ctx, h, now)
	require.ErrorContains(t, err, esme.String())
	all, err := s.List(ctx)
	require.NoError(t, err)
	require.Len(t, all, 1, "all or nothing")

	n, err = s.Import(ctx, handover(t, 5), now)
	require.NoError(t, err)
	require.Equal(t, 5, n)

	// A key in use whose holder used more counters than this gateway.
	c := s.Counter(newSet(t, 1, ""))
	_, err = c.Next(ctx)
	require.NoError(t, err)
	other := esme
	other[0] = 9
	_, err = s.Import(ctx, Handover{Owner: "SMSO", Devices: []HandoverDevice{{EUI: other, Type: firmware.ESME, Keys: newSet(t, 1, "").Keys, Counter: 500}}}, now)
	require.NoError(t, err)
	got, err := c.Next(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 501, got)
}

// TestImportIsAllOrNothing kills an import that needs several batches at each
// of its writes.
func TestImportIsAllOrNothing(t *testing.T) {
	const devices = 2*importChunk + 5
	h := handover(t, devices)
	var none, full int
	for at := 1; ; at++ { // write 0 is the root record
		died := false
		for _, after := range []bool{false, true} {
			b := bucket(t)
			f := keystoretest.New(b, at, after)
			s, err := Open(t.Context(), Config{Bucket: f, Root: root(t, 7)})
			require.NoError(t, err)
			_, err = s.Import(t.Context(), h, now)
			died = died || errors.Is(err, keystoretest.ErrDied)

			all, err := open(t, b).List(t.Context())
			require.NoError(t, err)
			switch len(all) {
			case 0:
				none++
			case devices:
				full++
			default:
				t.Fatalf("killed at write %d: %d of %d devices", at, len(all), devices)
			}
			left, err := b.List(t.Context(), "import/")
			require.NoError(t, err)
			require.Empty(t, left)
		}
		if !died {
			break
		}
	}
	require.Positive(t, none)
	require.Positive(t, full)
}

func FuzzParseHandover(f *testing.F) {
	var b bytes.Buffer
	require.NoError(f, WriteHandover(&b, handover(f, 2)))
	f.Add(b.Bytes())
	f.Add([]byte(`{"format":"smets1-key-handover/1"}`))
	f.Add([]byte(handoverCSV))
	f.Fuzz(func(t *testing.T, in []byte) {
		h, err := ParseHandover(in)
		if err != nil {
			return
		}
		var out bytes.Buffer
		require.NoError(t, WriteHandover(&out, h))
		again, err := ParseHandover(out.Bytes())
		require.NoError(t, err)
		require.Len(t, again.Devices, len(h.Devices))
	})
}
