package ash

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

// The examples that UG101 prints, as they go over the line.
func TestFrames(t *testing.T) {
	for line, f := range map[string]Frame{
		"C0 38 BC 7E":                      {Kind: Reset},
		"C1 02 02 9B 7B 7E":                {Kind: ResetAck, Version: 2, Reason: ReasonPowerOn},
		"C2 02 51 A8 BD 7E":                {Kind: Failure, Version: 2, Reason: ReasonTimeouts},
		"81 60 59 7E":                      {Kind: Ack, Expected: 1},
		"8E 91 B6 7E":                      {Kind: Ack, Expected: 6, NotReady: true},
		"A6 34 DC 7E":                      {Kind: Nak, Expected: 6},
		"AD 85 B7 7E":                      {Kind: Nak, Expected: 5, NotReady: true},
		"25 42 21 A8 56 A6 09 7E":          {Kind: Data, Number: 2, Expected: 5, Data: unhex(t, "00 00 00 02")},
		"53 42 A1 A8 56 28 04 82 03 2A 7E": {Kind: Data, Number: 5, Expected: 3, Data: unhex(t, "00 80 00 02 02 11 30")},
	} {
		var d Decoder
		got, whole, n, err := d.Feed(unhex(t, line))
		b, appendErr := f.AppendBinary(nil)
		require.NoError(t, appendErr)
		require.Equal(t, strings.ToLower(strings.ReplaceAll(line, " ", "")), hex.EncodeToString(AppendStuffed(nil, b)), "%+v", f)
		require.NoError(t, err)
		require.True(t, whole)
		require.Equal(t, len(unhex(t, line)), n)
		require.Equal(t, f, got)
		for i := range b {
			_, _, err := ParseFrame(b[:i])
			require.Error(t, err)
		}
	}
	for _, f := range []Frame{{}, {Kind: Data, Data: make([]byte, 2)}, {Kind: Data, Data: make([]byte, 129)}, {Kind: Ack, Expected: 8}, {Kind: Data, Number: 8, Data: make([]byte, 3)}} {
		_, err := f.AppendBinary(nil)
		require.Error(t, err)
	}
}

func TestDecoder(t *testing.T) {
	var d Decoder
	feed := func(s string) (f Frame, errs int) {
		was := d.Errors
		for b := unhex(t, s); len(b) > 0; {
			g, whole, n, _ := d.Feed(b)
			b = b[n:]
			if whole {
				f = g
			}
		}
		return f, d.Errors - was
	}
	for _, tt := range []struct {
		line string
		want Kind
		errs int
	}{
		{"7E 7E C0 38 BC 7E", Reset, 0},
		{"C1 02 1A C0 38 BC 7E", Reset, 0},       // a frame that was given up
		{"C0 18 38 BC 7E", 0, 1},                 // one that the UART spoiled
		{"C0 11 38 13 BC 7E", Reset, 0},          // flow control in between
		{"C0 38 BD 7E C0 38 BC 7E", Reset, 1},    // a wrong CRC
		{"C0 38 7D 7E", 0, 1},                    // cut in an escape
		{strings.Repeat("00", 200) + "7E", 0, 2}, // too long, and then cut
		{"C0 38 BC 7E", Reset, 0},
	} {
		f, errs := feed(tt.line)
		require.Equal(t, tt.want, f.Kind, tt.line)
		require.Equal(t, tt.errs, errs, tt.line)
	}
}

func FuzzDecoder(f *testing.F) {
	for _, x := range []Frame{{Kind: Reset}, {Kind: ResetAck, Version: 2, Reason: 11}, {Kind: Data, Number: 3, Data: []byte{0x7E, 0x7D, 0x11, 0x13}}, {Kind: Nak, Expected: 3}} {
		b, err := x.AppendBinary(nil)
		require.NoError(f, err)
		f.Add(AppendStuffed(nil, b))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var d Decoder
		for len(b) > 0 {
			x, whole, n, err := d.Feed(b)
			require.Positive(t, n)
			b = b[n:]
			if !whole {
				continue
			}
			require.NoError(t, err)
			again, err := x.AppendBinary(nil)
			require.NoError(t, err)
			back, n, err := ParseFrame(again)
			require.NoError(t, err)
			require.Equal(t, len(again), n)
			require.Equal(t, x, back)
		}
	})
}

// wire carries octets between two ends, in the test's own time.
type wire struct {
	t         *testing.T
	now       time.Time
	host, ncp *Link
	hurt      func([]byte) []byte
}

func newWire(t *testing.T) *wire {
	return &wire{t: t, now: time.Unix(0, 0), host: NewHost(), ncp: NewNCP(), hurt: func(b []byte) []byte { return b }}
}

func (w *wire) shuttle() {
	for {
		a, b := w.host.Output(), w.ncp.Output()
		if len(a)+len(b) == 0 {
			return
		}
		w.ncp.Input(w.now, w.hurt(a))
		w.host.Input(w.now, w.hurt(b))
	}
}

// until runs until done, or until nothing is due any more.
func (w *wire) until(done func() bool) bool {
	for range 100_000 {
		w.shuttle()
		if done() {
			return true
		}
		next := w.host.Deadline()
		if d := w.ncp.Deadline(); next.IsZero() || !d.IsZero() && d.Before(next) {
			next = d
		}
		if next.IsZero() {
			return false
		}
		w.now = next
		w.host.Advance(w.now)
		w.ncp.Advance(w.now)
	}
	return false
}

func (w *wire) reset() {
	require.NoError(w.t, w.host.Reset(w.now))
	require.True(w.t, w.until(w.host.IsUp))
	require.True(w.t, w.ncp.IsUp())
}

func TestLink(t *testing.T) {
	w := newWire(t)
	require.ErrorIs(t, w.host.Send(w.now, []byte{1, 2, 3}), ErrNotUp)
	require.Error(t, w.ncp.Reset(w.now))
	w.reset()
	require.Equal(t, ReasonSoftware, w.host.Reason())
	require.Equal(t, 1, w.ncp.Resets())
	require.Error(t, w.host.Send(w.now, []byte{1}))
	for i := range 20 {
		require.NoError(t, w.host.Send(w.now, []byte{byte(i), 0x7E, 0x1A}))
		require.NoError(t, w.ncp.Send(w.now, []byte{byte(i), 0x11, 0x7D, 0x18}))
	}
	require.False(t, w.until(func() bool { return false }), "and then nothing is due")
	for i := range 20 {
		require.Equal(t, []byte{byte(i), 0x7E, 0x1A}, w.ncp.Next())
		require.Equal(t, []byte{byte(i), 0x11, 0x7D, 0x18}, w.host.Next())
	}
	require.Nil(t, w.host.Next())
	require.Equal(t, time.Unix(0, 0), w.now, "nothing had to be waited for")
}

// Over a line that loses, changes and repeats octets now and then (of badly hurt frames one in 65,000 passes the CRC), every payload arrives once and in order, or the link says that it failed.
func TestLinkOverABadLine(t *testing.T) {
	for seed := range uint64(10) {
		rng := rand.New(rand.NewPCG(seed, 1))
		w := newWire(t)
		w.reset()
		w.hurt = func(b []byte) (out []byte) {
			for _, c := range b {
				switch x := rng.IntN(2000); x {
				case 0:
				case 1:
					out = append(out, c^1<<rng.IntN(8))
				case 2:
					out = append(out, c, c)
				default:
					out = append(out, c)
				}
			}
			return out
		}
		var got, back int
		const n = 200
		payload := func(i int) []byte {
			return append([]byte{byte(i), byte(i >> 8)}, bytes.Repeat([]byte{byte(i * 7)}, 1+i%40)...)
		}
		for i := range n {
			require.NoError(t, w.host.Send(w.now, payload(i)))
			require.NoError(t, w.ncp.Send(w.now, payload(i)))
		}
		done := w.until(func() bool {
			for b := w.ncp.Next(); b != nil; b = w.ncp.Next() {
				require.Equal(t, payload(got), b)
				got++
			}
			for b := w.host.Next(); b != nil; b = w.host.Next() {
				require.Equal(t, payload(back), b)
				back++
			}
			return got == n && back == n
		})
		if w.host.Err() == nil && w.ncp.Err() == nil {
			require.True(t, done, "seed %d: %d and %d of %d", seed, got, back, n)
			continue
		}
		w.hurt = func(b []byte) []byte { return b }
		w.reset()
	}
}

func TestLinkFails(t *testing.T) {
	w := newWire(t)
	w.hurt = func([]byte) []byte { return nil }
	require.NoError(t, w.host.Reset(w.now))
	require.False(t, w.until(w.host.IsUp))
	require.ErrorIs(t, w.host.Err(), os.ErrDeadlineExceeded)
	require.ErrorIs(t, w.host.Err(), ErrFailed)
	require.Equal(t, 9*time.Second, w.now.Sub(time.Unix(0, 0)), "three tries of 3 s")

	w = newWire(t)
	w.reset()
	keep := w.hurt
	w.hurt = func([]byte) []byte { return nil }
	require.NoError(t, w.ncp.Send(w.now, []byte{1, 2, 3}))
	w.until(func() bool { return w.ncp.Err() != nil })
	// 1.6 s, and then 3.2 s each.
	require.Equal(t, 1600*time.Millisecond+5*3200*time.Millisecond, w.now.Sub(time.Unix(0, 0)))
	require.ErrorIs(t, w.ncp.Err(), os.ErrDeadlineExceeded)
	require.ErrorIs(t, w.ncp.Send(w.now, []byte{1, 2, 3}), ErrFailed)
	w.hurt = keep
	b, err := Frame{Kind: Failure, Version: 2, Reason: ReasonTimeouts}.AppendBinary(nil)
	require.NoError(t, err)
	w.host.Input(w.now, AppendStuffed(nil, b))
	require.ErrorContains(t, w.host.Err(), "the other end has given up")
	w.reset()
	require.NoError(t, w.host.Err())
}

// A host that cannot take data for now gets it a second later at the latest.
func TestNotReady(t *testing.T) {
	w := newWire(t)
	w.reset()
	b, err := Frame{Kind: Ack, NotReady: true}.AppendBinary(nil)
	require.NoError(t, err)
	w.ncp.Input(w.now, AppendStuffed(nil, b))
	require.NoError(t, w.ncp.Send(w.now, []byte{1, 2, 3}))
	require.Empty(t, w.ncp.Output())
	require.True(t, w.until(func() bool { return w.host.Next() != nil }))
	require.Equal(t, time.Second, w.now.Sub(time.Unix(0, 0)))
}
