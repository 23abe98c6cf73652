package fault

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/internal/clock"
	"smets1/transport/serial"
)

func plan(faults ...Fault) Plan { return Plan{Faults: faults} }

// reads gives what a reader sees, piece by piece with its time, until nothing comes for a minute.
func reads(t *testing.T, r io.Reader) (pieces []string, times []time.Duration) {
	t.Helper()
	start := time.Now()
	buf := make([]byte, 100)
	for {
		require.NoError(t, r.(interface{ SetReadDeadline(time.Time) error }).SetReadDeadline(time.Now().Add(time.Minute)))
		n, err := r.Read(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return pieces, times
		}
		require.NoError(t, err)
		pieces, times = append(pieces, string(buf[:n])), append(times, time.Since(start))
	}
}

func TestLineTimes(t *testing.T) {
	for name, tt := range map[string]struct {
		fault Fault
		want  []string
		times []time.Duration
	}{
		"delay": {Fault{Kind: Delay, At: []int64{2}, For: time.Second}, []string{"ab", "cdef", "ghi"}, []time.Duration{0, time.Second, time.Second}},
		"split": {Fault{Kind: Split, At: []int64{1, 3}}, []string{"a", "bc", "def", "ghi"}, []time.Duration{0, 20 * time.Millisecond, 40 * time.Millisecond, 40 * time.Millisecond}},
		"merge": {Fault{Kind: Merge, At: []int64{4}, For: 2 * time.Second}, []string{"abcd", "efghi"}, []time.Duration{0, 2 * time.Second}},
	} {
		for _, d := range []Direction{In, Out} {
			t.Run(name+" "+string(d), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l, err := New(plan(tt.fault), nil)
					require.NoError(t, err)
					near, far := net.Pipe()
					s := l.Stream(near)
					from, to := io.ReadWriteCloser(far), io.ReadWriteCloser(s)
					if d == Out {
						from, to = s, far
					}
					go func() {
						_, _ = from.Write([]byte("abcdef"))
						_, _ = from.Write([]byte("ghi"))
					}()
					pieces, times := reads(t, to)
					require.Equal(t, tt.want, pieces)
					require.Equal(t, tt.times, times)
					require.Len(t, l.Fired(), len(tt.fault.At))
					require.NoError(t, s.Close())
					require.NoError(t, far.Close())
				})
			})
		}
	}
}

func TestHalfOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := New(plan(Fault{Kind: HalfOpen, Direction: Out, At: []int64{3}, For: 10 * time.Second}), nil)
		require.NoError(t, err)
		near, far := net.Pipe()
		defer far.Close()
		s := l.Stream(near)
		defer s.Close()
		got := make(chan string, 10)
		go func() {
			buf := make([]byte, 10)
			for {
				n, err := far.Read(buf)
				if err != nil {
					return
				}
				got <- string(buf[:n])
			}
		}()
		_, err = s.Write([]byte("abcdef"))
		require.NoError(t, err)
		require.Equal(t, "abcd", <-got)
		_, err = far.Write([]byte("lost"))
		require.NoError(t, err)
		time.Sleep(10 * time.Second)
		_, err = s.Write([]byte("g"))
		require.NoError(t, err)
		require.Equal(t, "g", <-got)
		in, out := l.Passed()
		require.EqualValues(t, 4, in)
		require.EqualValues(t, 7, out)
		_, err = far.Write([]byte("back"))
		require.NoError(t, err)
		buf := make([]byte, 10)
		n, err := s.Read(buf)
		require.NoError(t, err)
		require.Equal(t, "back", string(buf[:n]))
	})
}

func TestUnplugAndReplug(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := New(plan(Fault{Kind: Unplug, Direction: In, At: []int64{5}, For: 3 * time.Second}), nil)
		require.NoError(t, err)
		var far serial.Port
		open := func() (serial.Port, error) {
			var near serial.Port
			near, far = Cable{Near: "/dev/serial/by-id/hub"}.Ends(serial.Mode{})
			return near, nil
		}
		p, err := l.Open(open)
		require.NoError(t, err)
		require.Equal(t, "/dev/serial/by-id/hub", p.String())
		_, err = far.Write([]byte("abcdefgh"))
		require.NoError(t, err)
		_, err = io.ReadAll(p)
		require.ErrorIs(t, err, serial.ErrUnplugged)
		require.ErrorContains(t, err, "read /dev/serial/by-id/hub")
		_, err = p.Write([]byte("x"))
		require.ErrorIs(t, err, serial.ErrUnplugged)
		_, err = far.Read(make([]byte, 1))
		require.ErrorIs(t, err, serial.ErrUnplugged)
		require.True(t, l.IsUnplugged())
		_, err = l.Open(open)
		require.ErrorIs(t, err, ErrGone)
		require.NoError(t, p.Close())
		time.Sleep(3 * time.Second)
		p, err = l.Open(open)
		require.NoError(t, err)
		_, err = far.Write([]byte("abcdefgh"))
		require.NoError(t, err)
		buf := make([]byte, 10)
		n, err := p.Read(buf)
		require.NoError(t, err)
		require.Equal(t, "abcdefgh", string(buf[:n]))
		require.NoError(t, p.Close())
		require.ErrorIs(t, p.Close(), os.ErrClosed)
		_, err = p.Read(buf)
		require.ErrorIs(t, err, os.ErrClosed)
	})
}

// The end of the line below is the end of the decorated one, after all that came before.
func TestEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := New(plan(Fault{Kind: Delay, At: []int64{0}, For: time.Hour}), nil)
		require.NoError(t, err)
		near, far := net.Pipe()
		s := l.Stream(near)
		go func() {
			_, _ = far.Write([]byte("late"))
			_ = far.Close()
		}()
		b, err := io.ReadAll(s)
		require.NoError(t, err)
		require.Equal(t, "late", string(b))
		require.NoError(t, s.Close())
	})
}

func TestCable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := Cable{Paced: true}.Ends(mode(t, "300 7E1"))
		defer far.Close()
		start := time.Now()
		_, err := near.Write([]byte("/?!\r\n"))
		require.NoError(t, err)
		buf := make([]byte, 5)
		_, err = io.ReadFull(far, buf)
		require.NoError(t, err)
		require.Equal(t, "/?!\r\n", string(buf))
		require.InDelta(t, 5*10*time.Second/300, time.Since(start), float64(time.Microsecond))
		// The mode changes once all is out.
		start = time.Now()
		_, err = far.Write([]byte("\x06252\r\n"))
		require.NoError(t, err)
		require.NoError(t, far.SetMode(mode(t, "9600 8N1")))
		require.InDelta(t, 6*10*time.Second/300, time.Since(start), float64(time.Microsecond))
		_, err = io.ReadFull(near, buf)
		require.NoError(t, err)
		// Until both agree there is garbage.
		_, err = far.Write([]byte("\x7E\xA0\x7E"))
		require.NoError(t, err)
		require.NoError(t, near.SetReadDeadline(time.Now().Add(time.Second)))
		b, err := io.ReadAll(near)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NotContains(t, string(b), "\x7E\xA0\x7E")
		require.NoError(t, near.SetMode(mode(t, "9600 8N1")))
		_, err = far.Write([]byte("\x7E\xA0\x7E"))
		require.NoError(t, err)
		require.NoError(t, near.SetReadDeadline(time.Time{}))
		_, err = io.ReadFull(near, buf[:3])
		require.NoError(t, err)
		require.Equal(t, "\x7E\xA0\x7E", string(buf[:3]))
		require.NoError(t, near.Close())
		require.ErrorIs(t, near.Close(), os.ErrClosed)
		_, err = far.Write([]byte{1})
		require.ErrorIs(t, err, serial.ErrUnplugged)
		_, err = near.Write([]byte{1})
		require.ErrorIs(t, err, os.ErrClosed)
		require.ErrorIs(t, near.SetMode(serial.Mode{}), os.ErrClosed)
	})
}

// A decorated port knows the mode that it is changed to, and changes it once all is out.
func TestPortMode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := New(plan(Fault{Kind: Baud, Direction: Out, At: []int64{10}, Count: 4, Mode: "9600 8N1"}, Fault{Kind: Delay, Direction: Out, At: []int64{0}, For: time.Second}), nil)
		require.NoError(t, err)
		near, far := Cable{}.Ends(mode(t, "300 8N1"))
		p := l.Port(near)
		start := time.Now()
		_, err = p.Write([]byte("0123456789"))
		require.NoError(t, err)
		require.NoError(t, p.SetMode(mode(t, "19200 8N1")))
		require.Equal(t, time.Second, time.Since(start))
		require.NoError(t, far.SetMode(mode(t, "19200 8N1")))
		_, err = p.Write([]byte("abcdefgh"))
		require.NoError(t, err)
		synctest.Wait()
		require.NoError(t, far.SetReadDeadline(time.Now()))
		require.NoError(t, far.SetReadDeadline(time.Now().Add(time.Second)))
		b, err := io.ReadAll(far)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Regexp(t, `(?s)^0123456789.*efgh$`, string(b))
		require.NotContains(t, string(b), "a")
		require.NoError(t, p.Close())
	})
}

func TestFrames(t *testing.T) {
	c := clock.NewStepped(time.Unix(0, 0))
	value := uint8(9)
	f, err := NewFrames(plan(
		Fault{Kind: Lose, At: []int64{0}}, Fault{Kind: Repeat, At: []int64{1}}, Fault{Kind: Flip, At: []int64{2}, Xor: 0x80, Count: 2},
		Fault{Kind: Delay, At: []int64{3}, For: time.Second}, Fault{Kind: Insert, At: []int64{4}, Value: &value}, Fault{Kind: HalfOpen, At: []int64{5}, For: time.Minute},
	), c)
	require.NoError(t, err)
	frame := []byte{1, 2, 3}
	require.Empty(t, f.Pass(In, frame))
	require.Equal(t, []Delivery{{0, frame}, {0, frame}}, f.Pass(In, frame))
	require.Equal(t, []Delivery{{0, []byte{1, 0x82, 3}}}, f.Pass(In, frame))
	require.Equal(t, []Delivery{{time.Second, frame}}, f.Pass(In, frame))
	require.Equal(t, []Delivery{{0, []byte{1, 2, 3, 9}}}, f.Pass(In, frame))
	require.Empty(t, f.Pass(In, frame))
	c.Advance(59 * time.Second)
	require.Empty(t, f.Pass(In, frame))
	c.Advance(time.Second)
	require.Len(t, f.Pass(In, frame), 1)
	require.Empty(t, f.Pass(Out, frame), "each way counts for itself")
	require.Equal(t, []byte{1, 2, 3}, frame)
	require.Len(t, f.Fired(), 7)
	_, err = NewFrames(plan(Fault{Kind: Break, At: []int64{0}}), nil)
	require.ErrorContains(t, err, "for lines of bytes")
	// Which byte a chance flip hits is in what fired.
	f, err = NewFrames(Plan{Seed: 3, Faults: []Fault{{Kind: Flip, Rate: 1}}}, c)
	require.NoError(t, err)
	hit := f.Pass(In, frame)
	again, err := NewFrames(Plan{Faults: f.Fired()}, c)
	require.NoError(t, err)
	require.Equal(t, hit, again.Pass(In, frame))
}

func TestShrink(t *testing.T) {
	_, fired := run(Plan{Seed: 5, Faults: []Fault{{Kind: Flip, Rate: 0.05}}}, In, pattern(2000), 2000)
	require.Greater(t, len(fired), 60)
	// The run fails when two certain faults are both there.
	a, b := fired[17].At[0], fired[61].At[0]
	runs := 0
	fails := func(_ context.Context, p Plan) (bool, error) {
		runs++
		seen := map[int64]bool{}
		for _, f := range p.Faults {
			seen[f.At[0]] = true
		}
		return seen[a] && seen[b], nil
	}
	p, err := Shrink(t.Context(), fired, fails)
	require.NoError(t, err)
	require.Equal(t, []Fault{fired[17], fired[61]}, p.Faults)
	t.Logf("%d faults shrunk to %d in %d runs", len(fired), len(p.Faults), runs)
	text, err := p.YAML()
	require.NoError(t, err)
	back, err := Parse(text)
	require.NoError(t, err)
	require.Equal(t, *p, back)

	p, err = Shrink(t.Context(), fired, func(context.Context, Plan) (bool, error) { return false, nil })
	require.NoError(t, err)
	require.Nil(t, p)
	p, err = Shrink(t.Context(), fired, func(context.Context, Plan) (bool, error) { return true, nil })
	require.NoError(t, err)
	require.Empty(t, p.Faults)
	_, err = Shrink(t.Context(), fired, func(context.Context, Plan) (bool, error) { return false, os.ErrInvalid })
	require.ErrorIs(t, err, os.ErrInvalid)
}
