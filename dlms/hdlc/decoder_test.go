package hdlc

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func decode(t testing.TB, d *Decoder, step int, stream []byte) [][]byte {
	t.Helper()
	var got [][]byte
	var f Frame
	for len(stream) > 0 {
		n := min(step, len(stream))
		_, _ = d.Write(stream[:n])
		stream = stream[n:]
		for d.Next(&f) {
			b, err := f.AppendBinary(nil)
			require.NoError(t, err)
			got = append(got, b)
		}
	}
	return got
}

func TestDecoder(t *testing.T) {
	var frames [][]byte
	for _, v := range frameVectors(t) {
		frames = append(frames, unhex(t, v.Hex))
	}
	var plain, shared, noisy []byte
	shared = append(shared, flag)
	for i, f := range frames {
		plain = append(plain, f...)
		shared = append(shared, f[1:]...)
		// Junk without a flag, a lone flag, a frame cut short, one with a bad FCS, one whose length promises too much.
		bad := bytes.Clone(f)
		bad[len(bad)-2] ^= 0xFF
		long := append([]byte{flag, 0xA7, 0xFF}, f[3:]...)
		noisy = append(noisy, [][]byte{{1, 2, 3}, {flag}, f[:len(f)/2], bad, long}[i%5]...)
		noisy = append(noisy, f...)
	}
	for _, step := range []int{1, 3, 17, 4096} {
		var d Decoder
		require.Equal(t, frames, decode(t, &d, step, plain))
		require.False(t, d.Partial())
		require.Equal(t, Stats{Frames: uint64(len(frames))}, d.Stats())
		require.Equal(t, frames, decode(t, &d, step, shared))
		require.Equal(t, frames, decode(t, &d, step, noisy), "step %d", step)
		st := d.Stats()
		require.NotZero(t, st.FCS)
		require.NotZero(t, st.HCS)
		require.NotZero(t, st.Garbage)
	}
}

func TestDecoderGiveUp(t *testing.T) {
	f := unhex(t, "7EA0070321930F017E")
	var d Decoder
	// A frame that was cut behind its header swallows the start of the next, until the line has been quiet for long enough.
	require.Empty(t, decode(t, &d, 100, append(unhex(t, "7EA0190321326FD8E6E6"), f...)))
	require.True(t, d.Partial())
	var fr Frame
	d.GiveUp()
	require.True(t, d.Next(&fr))
	require.Equal(t, SNRM, fr.Control.Kind)
	require.False(t, d.Partial())
	d.GiveUp()
	require.EqualValues(t, 1, d.Stats().Broken)
}

func TestDecoderDoesNotAllocate(t *testing.T) {
	f := Frame{Destination: Server1(1), Source: Client(16), Control: Control{Kind: I}, Info: bytes.Repeat([]byte{flag}, 500)}
	b, err := f.AppendBinary(nil)
	require.NoError(t, err)
	noisy := append([]byte{1, flag, 0xA7}, b...)
	var d Decoder
	var got Frame
	run := func() {
		_, _ = d.Write(noisy[:50])
		_ = d.Next(&got)
		_, _ = d.Write(noisy[50:])
		if !d.Next(&got) {
			t.Fatal("no frame")
		}
	}
	run()
	require.Zero(t, testing.AllocsPerRun(100, run))
}

func FuzzDecoder(f *testing.F) {
	for _, v := range frameVectors(f) {
		f.Add(unhex(f, v.Hex), uint64(1))
	}
	good := unhex(f, "7EA0190321326FD8E6E600C001C1000F0000280000FF020091537E")
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var d Decoder
		var fr Frame
		total := 0
		feed := func(b []byte) {
			for len(b) > 0 {
				n := 1 + rng.IntN(len(b))
				_, _ = d.Write(b[:n])
				b = b[n:]
				for d.Next(&fr) {
					total += fr.length()
				}
			}
		}
		feed(b)
		require.LessOrEqual(t, total+int(d.Stats().Garbage), len(b))
		// Whatever came before: once the line is quiet, the next good frame gets through.
		for d.Partial() {
			d.GiveUp()
			for d.Next(&fr) {
				continue
			}
		}
		_, _ = d.Write(good)
		require.True(t, d.Next(&fr))
		require.Equal(t, good[len(good)-19:len(good)-3], fr.Info)
	})
}
