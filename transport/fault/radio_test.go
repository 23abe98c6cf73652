package fault

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/internal/clock"
	"smets1/transport/radio"
	"smets1/transport/radio/air"
)

// ear notes what a station hears and how its transmissions end.
type ear struct {
	heard [][]byte
	ends  []error
}

func (e *ear) Received(_ time.Time, psdu []byte, _ int8, _ uint8) {
	e.heard = append(e.heard, append([]byte(nil), psdu...))
}

func (e *ear) Sent(_ time.Time, _ bool, err error) { e.ends = append(e.ends, err) }

// Frames of a radio are lost, changed, repeated and delayed, both ways.
func TestRadio(t *testing.T) {
	frame := withFCS([]byte{0x41, 0x88, 7, 0x34, 0x12, 0xFF, 0xFF, 1, 0, 0xAA, 0xBB})
	flipped := append([]byte(nil), frame...)
	flipped[9] ^= 0x80
	flipped = withFCS(flipped[:11])
	for name, tt := range map[string]struct {
		faults []Fault
		want   [][]byte
		took   time.Duration // more than without
		end    error
	}{
		"none":        {nil, [][]byte{frame}, 0, nil},
		"lost going":  {[]Fault{{Kind: Lose, Direction: Out, At: []int64{0}}}, nil, 0, radio.ErrNoAck},
		"flipped":     {[]Fault{{Kind: Flip, Direction: Out, At: []int64{0}, Xor: 0x80, Count: 10}}, [][]byte{flipped}, 0, nil},
		"sent twice":  {[]Fault{{Kind: Repeat, Direction: Out, At: []int64{0}}}, [][]byte{frame, frame}, 0, nil},
		"lost coming": {[]Fault{{Kind: Lose, Direction: In, At: []int64{0}}}, nil, 0, nil},
		"heard twice": {[]Fault{{Kind: Repeat, Direction: In, At: []int64{0}}}, [][]byte{frame, frame}, 0, nil},
		"late":        {[]Fault{{Kind: Delay, Direction: In, At: []int64{0}, For: 3 * time.Second}}, [][]byte{frame}, 3 * time.Second, nil},
		"half-open":   {[]Fault{{Kind: HalfOpen, Direction: In, At: []int64{0}}}, nil, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Unix(1000, 0)
			a := air.New(air.Config{Seed: 1})
			clk := clock.NewStepped(now)
			station := func(d Direction) (*ear, *Radio) {
				var mine []Fault
				for _, f := range tt.faults {
					if f.Direction == d {
						mine = append(mine, f)
					}
				}
				f, err := NewFrames(Plan{Faults: mine}, clk)
				require.NoError(t, err)
				e := new(ear)
				r := NewRadio(f, e)
				r.Attach(a.Open(r))
				r.Tune(now, 15, true)
				r.Address(0x1234, 1, [8]byte{byte(len(d))})
				return e, r
			}
			sender, out := station(Out)
			receiver, in := station(In)
			require.NoError(t, out.Transmit(now, frame, 0))
			last := now
			for range 100 {
				next := a.Deadline()
				for _, d := range []time.Time{in.Deadline(), out.Deadline()} {
					if next.IsZero() || !d.IsZero() && d.Before(next) {
						next = d
					}
				}
				if next.IsZero() {
					break
				}
				last = next
				a.Advance(next)
				in.Advance(next)
				out.Advance(next)
			}
			require.Equal(t, tt.want, receiver.heard)
			require.Equal(t, []error{tt.end}, sender.ends)
			require.Equal(t, tt.took, last.Sub(now).Truncate(time.Second))
		})
	}
}
