package fleet

import (
	"bytes"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/device/core"
	"smets1/dlms/axdr"
	"smets1/dlms/client"
	"smets1/dlms/cosem"
	"smets1/internal/clock"
)

func snapshot(t *testing.T, f *Fleet) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, f.Snapshot(&b))
	return b.Bytes()
}

// set changes something of a meter, as a client would.
func set(t *testing.T, w *world, name string, n client.Counter, mode uint8) {
	t.Helper()
	c := w.manage(name, "esme", n)
	require.NoError(t, c.SetAxdr(t.Context(), cosem.Attribute{Class: cosem.ClassData, Instance: core.PaymentModeName, ID: 2}, axdr.Enum(mode)))
}

// A fleet that is saved while clients are connected and loaded elsewhere is as it was, to
// the octet, goes on in the same way, and takes no more room than what was changed.
func TestSnapshot(t *testing.T) {
	const name = "foc-clock-off"
	w := open(t, demo(t), Options{HAN: HANMemory})
	n := client.CountFrom(1)
	empty := snapshot(t, w.Fleet)
	require.Less(t, len(empty), 400)
	set(t, w, name, n, 2)
	saved := snapshot(t, w.Fleet)
	require.Less(t, len(saved), 2048)
	require.Equal(t, saved, snapshot(t, w.Fleet), "saving changes nothing")
	set(t, w, name, n, 1) // it is taken while the connection is open, and the home goes on
	later := snapshot(t, w.Fleet)
	require.NotEqual(t, saved, later)

	s, err := ParseSnapshot(saved)
	require.NoError(t, err)
	require.Equal(t, "demo", s.Fleet)
	require.Positive(t, s.Records)
	for _, nv := range []core.NV{nil, &core.Memory{}} {
		if nv != nil { // what was there gives way
			i, _ := w.m.find("moc-prepayment")
			sp := w.m.spec(i)
			require.NoError(t, nv.Save(sp.eui(roleHub).String(), []byte("old")))
			require.NoError(t, nv.Save("somebody else's", []byte("kept")))
		}
		back, err := Open(t.Context(), demo(t), Options{Clock: clock.NewStepped(s.Time), ByHand: true, HAN: HANMemory, NV: nv, Snapshot: s})
		require.NoError(t, err)
		require.Equal(t, saved, snapshot(t, back))
		h, err := back.byName(name)
		require.NoError(t, err)
		require.EqualValues(t, 2, h.esme.Mode(s.Time))
		require.NoError(t, back.Run(t.Context(), s.Time.Add(time.Hour)))
		again, err := ParseSnapshot(snapshot(t, back))
		require.NoError(t, err)
		require.Equal(t, s.records, again.records, "an hour in which nothing happens changes nothing")
		require.NoError(t, back.Close())
		if nv != nil {
			v, err := nv.Load("somebody else's")
			require.NoError(t, err)
			require.NotEmpty(t, v)
		}
	}
	other := demo(t)
	other.Seed++
	_, err = Open(t.Context(), other, Options{Snapshot: s})
	require.ErrorContains(t, err, "another manifest")
	require.ErrorContains(t, s.Fits(other), "another manifest")
}

func TestBadSnapshots(t *testing.T) {
	w := open(t, demo(t), Options{})
	set(t, w, "foc-clock-off", client.CountFrom(1), 2)
	good := snapshot(t, w.Fleet)
	for n := range good {
		_, err := ParseSnapshot(good[:n])
		require.Error(t, err, n)
	}
	_, err := ReadSnapshot(bytes.NewReader(good))
	require.NoError(t, err)
	change := func(at int, to byte) []byte {
		b := bytes.Clone(good)
		b[at] = to
		sum := sha256.Sum256(b[:len(b)-32])
		return append(b[:len(b)-32], sum[:]...)
	}
	for want, b := range map[string][]byte{
		"this is none":          change(0, 'X'),
		"format 9":              change(4, 9),
		"header":                change(9, '!'),
		"checksum":              append(bytes.Clone(good), 0),
		"the header speaks of ": bytes.Replace(bytes.Clone(good), []byte(`"records":`), []byte(`"recordz":`), 1),
	} {
		if want == "the header speaks of " {
			sum := sha256.Sum256(b[:len(b)-32])
			b = append(b[:len(b)-32], sum[:]...)
		}
		_, err := ParseSnapshot(b)
		require.ErrorContains(t, err, want)
	}
}

func FuzzSnapshot(f *testing.F) {
	m, err := LoadManifest(demoFile)
	require.NoError(f, err)
	fl, err := Open(f.Context(), m, Options{Clock: clock.NewStepped(m.start), ByHand: true})
	require.NoError(f, err)
	var b bytes.Buffer
	require.NoError(f, fl.Snapshot(&b))
	require.NoError(f, fl.Close())
	f.Add(b.Bytes()[:b.Len()-32])
	f.Fuzz(func(t *testing.T, body []byte) {
		sum := sha256.Sum256(body)
		s, err := ParseSnapshot(append(bytes.Clone(body), sum[:]...))
		if err != nil {
			return
		}
		var out bytes.Buffer
		require.NoError(t, s.write(&out))
		again, err := ParseSnapshot(out.Bytes())
		require.NoError(t, err)
		require.Equal(t, s.records, again.records)
	})
}
