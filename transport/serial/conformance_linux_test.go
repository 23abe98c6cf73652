package serial

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Every driver passes the same tests, on ptys.
func eachDriver(t *testing.T, f func(t *testing.T, driver string)) {
	for _, d := range Drivers() {
		t.Run(d, func(t *testing.T) { f(t, d) })
	}
}

func open(t testing.TB, driver string) (*PTY, Port) {
	t.Helper()
	far, err := NewPTY()
	require.NoError(t, err)
	t.Cleanup(func() { _ = far.Close() })
	p, err := Open(driver, far.Path(), Mode{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close() })
	return far, p
}

func TestBinaryTransparency(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		far, p := open(t, driver)
		all := make([]byte, 256)
		for i := range all {
			all[i] = byte(i)
		}
		random := make([]byte, 100_000)
		_, _ = rand.NewChaCha8([32]byte{1}).Read(random)
		for _, msg := range [][]byte{all, bytes.Repeat([]byte{0}, 1000), bytes.Repeat([]byte{0xFF, 0x11, 0x13}, 1000), random} {
			for _, way := range []struct{ from, to io.ReadWriter }{{far, p}, {p, far}} {
				got := make([]byte, len(msg))
				var wg sync.WaitGroup
				wg.Go(func() {
					_, err := io.ReadFull(way.to, got)
					if err != nil {
						t.Error(err)
					}
				})
				n, err := way.from.Write(msg)
				require.NoError(t, err)
				require.Equal(t, len(msg), n)
				wg.Wait()
				require.Equal(t, msg, got)
			}
		}
	})
}

func took(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

func TestReadDeadline(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		far, p := open(t, driver)
		b := make([]byte, 10)
		for _, d := range []time.Duration{10 * time.Millisecond, 70 * time.Millisecond} {
			require.NoError(t, p.SetReadDeadline(time.Now().Add(d)))
			var err error
			got := took(func() { _, err = p.Read(b) })
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			require.ErrorContains(t, err, far.Path())
			require.GreaterOrEqual(t, got, d-time.Millisecond)
			require.Less(t, got, d+150*time.Millisecond)
			var timeout interface{ Timeout() bool }
			require.ErrorAs(t, err, &timeout)
			require.True(t, timeout.Timeout())
		}
		// A deadline in the past ends a pending read.
		require.NoError(t, p.SetReadDeadline(time.Time{}))
		result := make(chan error, 1)
		go func() { _, err := p.Read(b); result <- err }()
		require.NoError(t, p.SetReadDeadline(time.Now().Add(-time.Second)))
		require.ErrorIs(t, <-result, os.ErrDeadlineExceeded)
		// Nothing is lost by it.
		require.NoError(t, p.SetReadDeadline(time.Time{}))
		_, err := far.Write([]byte("abc"))
		require.NoError(t, err)
		n, err := io.ReadAtLeast(p, b, 3)
		require.NoError(t, err)
		require.Equal(t, "abc", string(b[:n]))
	})
}

// The end in our hands has deadlines, too.
func TestPTYDeadline(t *testing.T) {
	far, err := NewPTY()
	require.NoError(t, err)
	defer far.Close()
	require.NoError(t, far.SetReadDeadline(time.Now().Add(30*time.Millisecond)))
	got := took(func() { _, err = far.Read(make([]byte, 1)) })
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.Less(t, got, 150*time.Millisecond)
}

func TestWriteDeadline(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		far, p := open(t, driver)
		big := make([]byte, 1<<20)
		require.NoError(t, p.SetWriteDeadline(time.Now().Add(50*time.Millisecond)))
		var n int
		var err error
		got := took(func() { n, err = p.Write(big) })
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Less(t, n, len(big))
		require.GreaterOrEqual(t, got, 49*time.Millisecond)
		require.Less(t, got, 200*time.Millisecond)
		// Once somebody reads, writing goes on.
		require.NoError(t, p.SetWriteDeadline(time.Time{}))
		go func() { _, _ = io.Copy(io.Discard, far) }()
		n, err = p.Write(big)
		require.NoError(t, err)
		require.Equal(t, len(big), n)
	})
}

func TestCloseEndsCalls(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		for _, call := range []func(Port) error{
			func(p Port) error { _, err := p.Read(make([]byte, 1)); return err },
			func(p Port) error { _, err := p.Write(make([]byte, 1<<20)); return err },
		} {
			_, p := open(t, driver)
			result := make(chan error, 1)
			go func() { result <- call(p) }()
			time.Sleep(20 * time.Millisecond) // let it block; the test is right, if weaker, when it has not
			got := took(func() {
				require.NoError(t, p.Close())
				require.ErrorIs(t, <-result, os.ErrClosed)
			})
			require.Less(t, got, 150*time.Millisecond)
			require.ErrorIs(t, p.Close(), os.ErrClosed)
			_, err := p.Read(make([]byte, 1))
			require.ErrorIs(t, err, os.ErrClosed)
			_, err = p.Write([]byte{1})
			require.ErrorIs(t, err, os.ErrClosed)
			require.ErrorIs(t, p.SetReadDeadline(time.Now()), os.ErrClosed)
			require.ErrorIs(t, p.SetMode(Mode{}), os.ErrClosed)
		}
	})
}

func TestUnplug(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		far, p := open(t, driver)
		result := make(chan error, 1)
		go func() { _, err := p.Read(make([]byte, 1)); result <- err }()
		require.NoError(t, far.Close())
		err := <-result
		require.ErrorIs(t, err, ErrUnplugged)
		require.ErrorContains(t, err, "read "+far.Path())
		_, err = p.Read(make([]byte, 1))
		require.ErrorIs(t, err, ErrUnplugged)
		_, err = p.Write([]byte{1})
		require.ErrorIs(t, err, ErrUnplugged)
		require.ErrorContains(t, err, "write "+far.Path())
		require.NoError(t, p.Close())
	})
}

func TestExclusive(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		far, p := open(t, driver)
		for _, other := range Drivers() {
			_, err := Open(other, far.Path(), Mode{})
			require.ErrorIs(t, err, ErrBusy, other)
			require.ErrorContains(t, err, far.Path())
		}
		require.NoError(t, p.Close())
		for _, other := range Drivers() {
			q, err := Open(other, far.Path(), Mode{})
			require.NoError(t, err)
			require.NoError(t, q.Close())
		}
	})
}

func TestSetMode(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		far, err := NewPTY()
		require.NoError(t, err)
		defer far.Close()
		p, err := OpenURL("serial://" + far.Path() + "?baud=300&mode=7E1&driver=" + driver)
		require.NoError(t, err)
		defer p.Close()
		require.Equal(t, far.Path(), p.String())
		baud, err := far.Baud()
		require.NoError(t, err)
		require.Equal(t, 300, baud)
		for _, m := range []Mode{{Baud: 9600}, {Baud: 250000}, {Baud: 19200, DataBits: 7, Parity: OddParity, StopBits: 2}} {
			if driver == Tarm && m.Baud == 250000 {
				require.ErrorContains(t, p.SetMode(m), "usual baud rates")
				continue
			}
			require.NoError(t, p.SetMode(m))
			baud, err = far.Baud()
			require.NoError(t, err)
			require.Equal(t, m.Baud, baud)
		}
		require.ErrorContains(t, p.SetMode(Mode{DataBits: 9}), "data bits")
		// While a read is pending, and bytes still pass afterwards.
		got := make(chan byte, 1)
		go func() {
			b := make([]byte, 1)
			_, _ = p.Read(b)
			got <- b[0]
		}()
		require.NoError(t, p.SetMode(Mode{Baud: 4800}))
		_, err = far.Write([]byte{0x7E})
		require.NoError(t, err)
		require.EqualValues(t, 0x7E, <-got)
		if u, ok := p.(ModemLines); ok {
			t.Errorf("a pty has no modem lines: %v", u)
		}
		breaker, ok := p.(Breaker)
		require.Equal(t, driver != Tarm, ok)
		if ok {
			require.NoError(t, breaker.Break(time.Millisecond))
		}
	})
}

// Bytes that came before the port was opened are not read.
func TestOpenDropsOldBytes(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		far, err := NewPTY()
		require.NoError(t, err)
		defer far.Close()
		_, err = far.Write([]byte("stale"))
		require.NoError(t, err)
		p, err := Open(driver, far.Path(), Mode{})
		require.NoError(t, err)
		defer p.Close()
		_, err = far.Write([]byte("new"))
		require.NoError(t, err)
		b := make([]byte, 10)
		n, err := p.Read(b)
		require.NoError(t, err)
		require.Equal(t, "new", string(b[:n]))
	})
}

func TestConcurrentUse(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		far, p := open(t, driver)
		go func() { _, _ = io.Copy(far, far) }() // echo
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 50 {
					_, _ = p.Write([]byte("0123456789"))
				}
			})
		}
		wg.Go(func() {
			for range 50 {
				_ = p.SetReadDeadline(time.Now().Add(time.Second))
				_ = p.SetMode(Mode{Baud: 19200})
			}
		})
		got := 0
		for b := make([]byte, 100); got < 2000; {
			n, err := p.Read(b)
			require.NoError(t, err)
			got += n
		}
		wg.Wait()
	})
}

func TestOpenCloseLeavesNothing(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		far, err := NewPTY()
		require.NoError(t, err)
		defer far.Close()
		cycle := func() {
			p, err := Open(driver, far.Path(), Mode{})
			require.NoError(t, err)
			require.NoError(t, p.Close())
		}
		cycle()
		descriptors, goroutines := countFDs(t), runtime.NumGoroutine()
		for range 10 {
			cycle()
		}
		require.Equal(t, descriptors, countFDs(t))
		for end := time.Now().Add(time.Second); runtime.NumGoroutine() > goroutines && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		require.LessOrEqual(t, runtime.NumGoroutine(), goroutines)
	})
}

func countFDs(t *testing.T) int {
	t.Helper()
	e, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(e)
}

// Above descriptor 1000 bugst refuses, and native works.
func TestManyDescriptors(t *testing.T) {
	var lim unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &lim))
	if lim.Cur < 1200 {
		t.Logf("only %d descriptors allowed here: nothing to test", lim.Cur)
		return
	}
	far, err := NewPTY()
	require.NoError(t, err)
	defer far.Close()
	var held []*os.File
	defer func() {
		for _, f := range held {
			_ = f.Close()
		}
	}()
	for len(held) == 0 || held[len(held)-1].Fd() < 1010 {
		f, err := os.Open(os.DevNull)
		require.NoError(t, err)
		held = append(held, f)
	}
	_, err = Open(Bugst, far.Path(), Mode{})
	require.ErrorIs(t, err, ErrDescriptors)
	p, err := Open(Native, far.Path(), Mode{})
	require.NoError(t, err)
	defer p.Close()
	_, err = far.Write([]byte{1})
	require.NoError(t, err)
	_, err = p.Read(make([]byte, 1))
	require.NoError(t, err)
	// A hole below the limit is no help: the library needs three.
	require.NoError(t, held[5].Close())
	_, err = Open(Bugst, far.Path(), Mode{})
	require.Error(t, err)
}

func TestOpenErrors(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		_, err := Open(driver, "/dev/no-such-port", Mode{})
		require.ErrorIs(t, err, os.ErrNotExist)
		var e *Error
		require.True(t, errors.As(err, &e))
		require.Equal(t, "/dev/no-such-port", e.Port)
		_, err = Open(driver, os.DevNull, Mode{})
		require.Error(t, err)
		_, err = Open(driver, "", Mode{})
		require.ErrorContains(t, err, "no port named")
		_, err = Open(driver, "x", Mode{Baud: 1})
		require.ErrorContains(t, err, "baud rate 1")
	})
	_, err := Open("tarn", "x", Mode{})
	require.ErrorContains(t, err, "bugst, native, tarm")
}
