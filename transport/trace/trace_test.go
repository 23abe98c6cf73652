package trace

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/internal/clock"
	"smets1/transport/fault"
	"smets1/transport/serial"
)

const sample = `# hub: AS300P fw 1.2.3  seed 7
# recorded 2026-11-24T10:00:00Z
= 300 7E1
0.000 > 2f 3f 21 0d 0a | "/?!.."
0.412 < 2f 58 58 58 35 0d 0a | "/XXX5.."
0.430 = 9600 8N1 | mode E
1.002 > 7e a0 ?? ??
1.003 ! break
1.500 < 7e a0 7e
9.100 ! unplug
`

func parsed(t *testing.T, s string) *Trace {
	t.Helper()
	tr, err := Parse(strings.NewReader(s))
	require.NoError(t, err)
	return tr
}

func TestParse(t *testing.T) {
	tr := parsed(t, sample)
	require.Equal(t, []string{"hub: AS300P fw 1.2.3  seed 7", "recorded 2026-11-24T10:00:00Z"}, tr.Header)
	require.Equal(t, "300 7E1", tr.Mode)
	require.Len(t, tr.Events, 7)
	require.Equal(t, Event{At: 430 * time.Millisecond, Kind: Mode, Text: "9600 8N1", Note: "mode E", Line: 6}, tr.Events[2])
	require.Equal(t, Event{At: 1002 * time.Millisecond, Kind: Sent, Data: []byte{0x7E, 0xA0, 0, 0}, Any: []bool{false, false, true, true}, Line: 7}, tr.Events[3])
	var b strings.Builder
	_, err := tr.WriteTo(&b)
	require.NoError(t, err)
	require.Equal(t, sample, b.String())
	for text, wrong := range map[string]string{
		"0.1 > 7e\nx":        "line 2",
		"0.1 > 7":            `byte 1 is "7"`,
		"0.1 ? 7e":           `"?"`,
		"0.1 = 9600 8X1":     "line 1",
		"= 12":               "baud rate 12",
		"0.1 ! melt":         "want unplug or break",
		"1.0 > 7e\n0.9 > 7e": "line 2: it happened before",
		"-1 > 7e":            "time",
		"1.x > 7e":           "time",
		"0.1 >":              "want a time",
	} {
		_, err := Parse(strings.NewReader(text))
		require.ErrorContains(t, err, wrong, text)
	}
	file := filepath.Join(t.TempDir(), "a.trace")
	_, err = Load(file)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, os.WriteFile(file, []byte("1 > x"), 0o600))
	_, err = Load(file)
	require.ErrorContains(t, err, "a.trace: line 1")
}

func FuzzParse(f *testing.F) {
	f.Add(sample)
	f.Add("1 > ?? 7e | x\n")
	f.Fuzz(func(t *testing.T, s string) {
		tr, err := Parse(strings.NewReader(s))
		if err != nil {
			return
		}
		var b bytes.Buffer
		_, err = tr.WriteTo(&b)
		require.NoError(t, err)
		again, err := Parse(bytes.NewReader(b.Bytes()))
		require.NoError(t, err, b.String())
		require.Len(t, again.Events, len(tr.Events))
		for i, e := range tr.Events {
			require.Equal(t, e.Data, again.Events[i].Data)
			require.Equal(t, e.Any, again.Events[i].Any)
			require.Equal(t, e.Text, again.Events[i].Text)
		}
	})
}

func read(t *testing.T, r io.Reader, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	require.NoError(t, err)
	return b
}

// play has the conversation of sample. The other end may need to settle before it listens at the new speed.
func play(t *testing.T, p serial.Port, settle time.Duration) {
	t.Helper()
	_, err := p.Write([]byte("/?!"))
	require.NoError(t, err)
	_, err = p.Write([]byte("\r\n"))
	require.NoError(t, err)
	require.Equal(t, "/XXX5\r\n", string(read(t, p, 7)))
	time.Sleep(settle)
	require.NoError(t, p.SetMode(serial.Mode{Baud: 9600}))
	_, err = p.Write([]byte{0x7E, 0xA0, 0x12, 0x34})
	require.NoError(t, err)
	require.Equal(t, []byte{0x7E, 0xA0, 0x7E}, read(t, p, 3))
	_, err = p.Read(make([]byte, 1))
	require.ErrorIs(t, err, serial.ErrUnplugged)
}

func TestReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, timed := range []bool{false, true} {
			start := time.Now()
			r := NewReplay(parsed(t, sample), Config{Timed: timed})
			play(t, r, 0)
			require.NoError(t, r.Close())
			require.NoError(t, r.Done())
			want := time.Duration(0)
			if timed {
				// What comes before an answer counts, what the other end took does not. The end of the line has no time.
				want = 412*time.Millisecond + 498*time.Millisecond
			}
			require.Equal(t, want, time.Since(start))
			require.ErrorIs(t, r.Close(), os.ErrClosed)
			_, err := r.Write([]byte{1})
			require.Error(t, err)
		}
	})
}

func TestMismatch(t *testing.T) {
	for name, tt := range map[string]struct {
		do   func(r *Replay)
		want MismatchError
	}{
		"another byte":    {func(r *Replay) { _, _ = r.Write([]byte("/?#")) }, MismatchError{4, 3, "21", "23"}},
		"stopped early":   {func(r *Replay) { _, _ = r.Write([]byte("/?!")) }, MismatchError{4, 0, "> 0d 0a", "the end"}},
		"nothing at all":  {func(*Replay) {}, MismatchError{4, 0, "> 2f 3f 21 0d 0a", "the end"}},
		"mode too early":  {func(r *Replay) { _ = r.SetMode(serial.Mode{}) }, MismatchError{4, 0, `0.000 > 2f 3f 21 0d 0a | "/?!.."`, "a change to 9600 8N1"}},
		"another mode":    {func(r *Replay) { _, _ = r.Write([]byte("/?!\r\n")); _ = r.SetMode(serial.Mode{Baud: 4800}) }, MismatchError{6, 0, "0.430 = 9600 8N1 | mode E", "a change to 4800 8N1"}},
		"no mode":         {func(r *Replay) { _, _ = r.Write([]byte("/?!\r\n\x7E")) }, MismatchError{6, 0, "a change to 9600 8N1", "7e"}},
		"answer not read": {func(r *Replay) { _, _ = r.Write([]byte("/?!\r\n")); _, _ = r.Read(make([]byte, 5)) }, MismatchError{5, 0, "an answer that nobody read to its end (2 bytes left)", "the end"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := NewReplay(parsed(t, sample), Config{})
			tt.do(r)
			require.NoError(t, r.Close())
			var m *MismatchError
			require.ErrorAs(t, r.Done(), &m)
			require.Equal(t, tt.want, *m)
		})
	}
	r := NewReplay(parsed(t, "0 > 01\n"), Config{})
	_, err := r.Write([]byte{1, 2})
	require.EqualError(t, err, "serial: write replay: trace: line 1: the trace has nothing after this, and now came 02")
	// A reader that waits is told, too.
	r = NewReplay(parsed(t, "0 > 01\n"), Config{})
	result := make(chan error, 1)
	go func() { _, err := r.Read(make([]byte, 1)); result <- err }()
	_, _ = r.Write([]byte{2})
	require.ErrorContains(t, <-result, "line 1, byte 1: the trace has 01, and now came 02")
}

// Two replays of one trace, one of each end, satisfy each other.
func TestBothEnds(t *testing.T) {
	tr := parsed(t, "0 > 01 02\n0 < 03\n0 = 300 7E1\n0 > 04\n0 < 05 06\n")
	device, client := NewReplay(tr, Config{NoModes: true}), NewReplay(tr, Config{AsRecorder: true})
	buf := make([]byte, 10)
	for _, n := range []int{2, 1, 1, 2} {
		from, to := io.ReadWriter(client), io.ReadWriter(device)
		if n := len(buf); n > 0 && device.out.Len() > 0 {
			from, to = device, client
		}
		b := read(t, from, n)
		_, err := to.Write(b)
		require.NoError(t, err)
	}
	require.NoError(t, device.Done())
	require.NoError(t, client.Done())
}

// What is recorded replays.
func TestRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := fault.Cable{Paced: true}.Ends(serial.Mode{Baud: 300, DataBits: 7, Parity: serial.EvenParity})
		var b bytes.Buffer
		r := NewRecorder(&b, clock.Real(), "hub: AS300P fw 1.2.3  seed 7", "recorded 2026-11-24T10:00:00Z")
		r.StartMode(serial.Mode{Baud: 300, DataBits: 7, Parity: serial.EvenParity})
		p := r.Port(near)
		go func() {
			buf := make([]byte, 100)
			_, _ = io.ReadFull(far, buf[:5])
			_, _ = far.Write([]byte("/XXX5\r\n"))
			_ = far.SetMode(serial.Mode{Baud: 9600})
			_, _ = io.ReadFull(far, buf[:4])
			_, _ = far.Write([]byte{0x7E, 0xA0, 0x7E})
			time.Sleep(time.Second)
			_ = far.Close()
		}()
		play(t, p, 10*time.Millisecond)
		require.NoError(t, p.Close())
		require.NoError(t, r.Close())
		require.Equal(t, `# hub: AS300P fw 1.2.3  seed 7
# recorded 2026-11-24T10:00:00Z
= 300 7E1
0.000 > 2f 3f 21 0d 0a | "/?!.."
0.199 < 2f 58 58 58 35 0d 0a | "/XXX5.."
0.409 = 9600 8N1
0.409 > 7e a0 12 34
0.415 < 7e a0 7e
1.414 ! unplug
`, b.String())
		again := NewReplay(parsed(t, b.String()), Config{})
		play(t, again, 0)
		require.NoError(t, again.Done())
	})
}

func TestRecordStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		var b bytes.Buffer
		r := NewRecorder(&b, clock.Real())
		s := r.Stream(near)
		go func() {
			_, _ = far.Write([]byte{1})
			_, _ = far.Write([]byte{2})
			time.Sleep(time.Second)
			_, _ = far.Write([]byte{3})
			_ = far.Close()
		}()
		_, err := io.ReadAll(s)
		require.NoError(t, err)
		require.NoError(t, s.Close())
		r.Frame(Sent, []byte{4})
		r.Frame(Sent, []byte{5})
		require.NoError(t, r.Close())
		require.Equal(t, "0.000 < 01 02\n1.000 < 03\n1.000 ! unplug\n1.000 > 04\n1.000 > 05\n", b.String())

		var none *Recorder
		require.Equal(t, near, none.Stream(near))
		none.Bytes(Sent, []byte{1})
		none.Frame(Sent, []byte{1})
		none.StartMode(serial.Mode{})
		none.Event(Line, Unplug)
		require.Nil(t, none.Port(nil))
		require.NoError(t, none.Close())
	})
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestRecordTellsOfTheFile(t *testing.T) {
	r := NewRecorder(brokenWriter{}, clock.Real(), "x")
	r.Bytes(Sent, []byte{1})
	require.ErrorContains(t, r.Close(), "disk full")
}

func TestCapture(t *testing.T) {
	tr := parsed(t, "0 > 7e a0 07 03 21 93 0f 01 7e\n0.5 < 7e a0\n0.6 < 07 21 03 73 3a 6e 7e\n")
	var b bytes.Buffer
	require.NoError(t, tr.Capture(&b, "/dev/serial/by-id/hub", time.Unix(1_700_000_000, 0), Auto))
	require.Equal(t, 1, bytes.Count(b.Bytes(), []byte{0x7E, 0xA0, 0x07, 0x21, 0x03, 0x73, 0x3A, 0x6E, 0x7E}), "one packet of two events")
	require.Contains(t, b.String(), "/dev/serial/by-id/hub")
}

// What begins with a wrapper unit becomes a TCP connection to port 4059; frames of a radio become frames of a radio.
func TestCaptureAs(t *testing.T) {
	const unit = "00 01 00 10 00 01 00 03 c0 01 c1"
	tr := parsed(t, "0 > "+unit+"\n0.5 < 00 01 00 01 00 10 00 02 c4 01\n")
	port := []byte{0x0F, 0xDB} // 4059
	var auto, wrapped, hdlc bytes.Buffer
	require.NoError(t, tr.Capture(&auto, "hub", time.Unix(1_700_000_000, 0), Auto))
	require.NoError(t, tr.Capture(&wrapped, "hub", time.Unix(1_700_000_000, 0), Wrapper))
	require.NoError(t, tr.Capture(&hdlc, "hub", time.Unix(1_700_000_000, 0), HDLC))
	require.Equal(t, wrapped.Bytes(), auto.Bytes())
	require.Equal(t, 8, bytes.Count(auto.Bytes(), port), "three packets of the handshake, two units, three of the end")
	require.NotContains(t, hdlc.String(), string(port))
	tr = parsed(t, "= 9600 8N1\n0 > "+unit+"\n")
	require.NoError(t, tr.Capture(&hdlc, "hub", time.Unix(1_700_000_000, 0), Auto))
	require.NotContains(t, hdlc.String(), string(port), "a serial line")

	tr = parsed(t, "0 > 03 08 55 ff ff ff ff 07 cb 3b\n0.001 < 02 00 55 11 22\n")
	var air bytes.Buffer
	require.NoError(t, tr.Capture(&air, "air", time.Unix(1_700_000_000, 0), Radio))
	require.Contains(t, air.String(), "\x03\x08\x55\xff\xff\xff\xff\x07\xcb\x3b")
	require.Contains(t, air.String(), "\xc3\x00\x00\x00", "link type 195")
	require.Error(t, tr.Capture(&air, "air", time.Unix(1_700_000_000, 0), "x"))
}
