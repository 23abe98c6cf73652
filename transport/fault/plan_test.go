package fault

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/transport/serial"
)

const planFile = `seed: 7
faults:
  - {kind: flip, rate: 0.01}
  - {kind: lose, direction: in, rate: 0.001, from: 500, until: 900}
  - {kind: delay, rate: 0.0005, for: 800ms}
  - {kind: insert, at: [3, 4], value: 0}
  - {kind: baud, at: [9], mode: "300 7E1"}
  - {kind: unplug, direction: out, at: [4096], for: 3s}
`

func TestPlanFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "plan.yaml")
	require.NoError(t, os.WriteFile(file, []byte(planFile), 0o600))
	p, err := Load(file)
	require.NoError(t, err)
	require.EqualValues(t, 7, p.Seed)
	require.Len(t, p.Faults, 6)
	require.Equal(t, Fault{Kind: Delay, Rate: 0.0005, For: 800 * time.Millisecond}, p.Faults[2])
	require.Equal(t, Fault{Kind: Unplug, Direction: Out, At: []int64{4096}, For: 3 * time.Second}, p.Faults[5])
	b, err := p.YAML()
	require.NoError(t, err)
	again, err := Parse(b)
	require.NoError(t, err, string(b))
	require.Equal(t, p, again)
	require.Contains(t, p.Faults[5].String(), "kind: unplug")

	for text, wrong := range map[string]string{
		"faults: [{kind: melt, at: [1]}]":                        "no such kind",
		"faults: [{kind: lose}]":                                 "never strikes",
		"faults: [{kind: lose, rate: 2}]":                        "rate 2",
		"faults: [{kind: lose, at: [-1]}]":                       "negative",
		"faults: [{kind: lose, rate: 1, direction: up}]":         `direction "up"`,
		"faults: [{kind: lose, rate: 1, from: 5, until: 5}]":     "until 5",
		"faults: [{kind: baud, at: [1]}]":                        "give mode",
		"faults: [{kind: baud, at: [1], mode: x}]":               "baud rate",
		"faults: [{kind: lose, at: [1], colour: red}]":           "colour",
		"faults: [{kind: lose, at: [1]}, {kind: flip, for: 1s}]": "fault 2 (flip)",
	} {
		_, err := Parse([]byte(text))
		require.ErrorContains(t, err, wrong, text)
	}
	_, err = Load(file + "x")
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = New(Plan{Faults: []Fault{{Kind: Lose}}}, nil)
	require.Error(t, err)
}

// run puts bytes through a plan in pieces of a size.
func run(p Plan, d Direction, b []byte, size int) (out []byte, fired []Fault) {
	m := mangler{plan: &p, dir: d, sent: serial.Mode{}, fired: &fired}
	for len(b) > 0 {
		n := min(size, len(b))
		for _, s := range m.pass(b[:n]) {
			out = append(out, s.b...)
		}
		b = b[n:]
	}
	return out, fired
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7)
	}
	return b
}

// What strikes does not depend on how bytes are put together.
func TestReproduces(t *testing.T) {
	p := Plan{Seed: 42, Faults: []Fault{
		{Kind: Lose, Rate: 0.01}, {Kind: Flip, Rate: 0.01}, {Kind: Insert, Rate: 0.01}, {Kind: Repeat, Rate: 0.01}, {Kind: Break, Rate: 0.0005}, {Kind: Split, Rate: 0.01},
	}}
	in := pattern(10_000)
	want, fired := run(p, In, in, len(in))
	require.NotEqual(t, in, want)
	counts := map[Kind]int{}
	for _, f := range fired {
		counts[f.Kind]++
	}
	for k, n := range counts {
		if k != Break {
			require.InDelta(t, 100, n, 40, k)
		}
	}
	t.Log(counts)
	for _, size := range []int{1, 7, 256} {
		got, again := run(p, In, in, size)
		require.Equal(t, want, got)
		require.Equal(t, fired, again)
	}
	// What struck is a plan of its own, with nothing left to chance.
	got, again := run(Plan{Seed: 1, Faults: fired}, In, in, 100)
	require.Equal(t, want, got)
	require.Equal(t, fired, again)
	// The other direction and another seed are other runs.
	other, _ := run(p, Out, in, 100)
	require.NotEqual(t, want, other)
	p.Seed++
	other, _ = run(p, In, in, 100)
	require.NotEqual(t, want, other)
}

func TestKinds(t *testing.T) {
	value := uint8('x')
	for _, tt := range []struct {
		f    Fault
		want string
	}{
		{Fault{Kind: Lose, At: []int64{2, 3}}, "ab" + "efghijklmnop"},
		{Fault{Kind: Flip, At: []int64{0}, Xor: 0x20}, "Abcdefghijklmnop"},
		{Fault{Kind: Insert, At: []int64{1}, Value: &value}, "axbcdefghijklmnop"},
		{Fault{Kind: Repeat, At: []int64{15}}, "abcdefghijklmnopp"},
		{Fault{Kind: Break, At: []int64{4}, Count: 10}, "abcd\x00op"},
		{Fault{Kind: Baud, At: []int64{4}, Count: 4, Mode: "9600 8N1"}, "abcdefghijklmnop"}, // which is what the line has
		{Fault{Kind: Lose, Rate: 1, From: 3, Until: 14}, "abcop"},
		{Fault{Kind: Lose, Direction: Out, Rate: 1}, "abcdefghijklmnop"},
	} {
		got, _ := run(Plan{Faults: []Fault{tt.f}}, In, []byte("abcdefghijklmnop"), 100)
		require.Equal(t, tt.want, string(got), tt.f)
	}
	got, _ := run(Plan{Faults: []Fault{{Kind: Baud, At: []int64{4}, Count: 4, Mode: "4800"}}}, In, []byte("abcdefghijklmnop"), 100)
	require.Regexp(t, `(?s)^abcd.*ijklmnop$`, string(got))
	require.NotContains(t, string(got), "e")
}
