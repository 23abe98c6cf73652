package fault

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"smets1/transport/serial"
)

// Kind is what goes wrong.
type Kind string

// The kinds; the package comment says what they do.
const (
	Lose     Kind = "lose"
	Flip     Kind = "flip"
	Insert   Kind = "insert"
	Repeat   Kind = "repeat"
	Delay    Kind = "delay"
	Split    Kind = "split"
	Merge    Kind = "merge"
	Baud     Kind = "baud"
	Break    Kind = "break"
	HalfOpen Kind = "half-open"
	Unplug   Kind = "unplug"
)

var kinds = []Kind{Lose, Flip, Insert, Repeat, Delay, Split, Merge, Baud, Break, HalfOpen, Unplug}

// Direction is which way bytes go, as the decorated end sees it.
type Direction string

// The directions; empty is both.
const (
	In  Direction = "in"
	Out Direction = "out"
)

// Plan is what goes wrong on a line.
type Plan struct {
	Seed   uint64  `yaml:"seed"`
	Faults []Fault `yaml:"faults"`
}

// Fault is one thing that goes wrong: with a chance for each byte (Rate), at given bytes (At), or both.
type Fault struct {
	Kind      Kind      `yaml:"kind"`
	Direction Direction `yaml:"direction,omitempty"` // empty: both
	Rate      float64   `yaml:"rate,omitempty"`      // chance for each byte, 0 to 1
	From      int64     `yaml:"from,omitempty"`      // first byte that Rate holds for
	Until     int64     `yaml:"until,omitempty"`     // first byte that it does not hold for any more; 0: never
	At        []int64   `yaml:"at,omitempty,flow"`   // bytes counted from 0, each way for itself
	// How it goes wrong; each kind has its default.
	Xor   uint8         `yaml:"xor,omitempty"`
	Value *uint8        `yaml:"value,omitempty"`
	Count int           `yaml:"count,omitempty"`
	For   time.Duration `yaml:"for,omitempty"`
	Mode  string        `yaml:"mode,omitempty"`
}

// Load reads a plan file.
func Load(path string) (Plan, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Plan{}, fmt.Errorf("fault: %w", err)
	}
	p, err := Parse(b)
	if err != nil {
		return p, fmt.Errorf("fault: %s: %w", path, err)
	}
	return p, nil
}

// Parse reads a plan from YAML. Unknown fields are errors.
func Parse(b []byte) (p Plan, err error) {
	if err := yaml.UnmarshalWithOptions(b, &p, yaml.Strict()); err != nil {
		return Plan{}, fmt.Errorf("plan: %w", err)
	}
	return p, p.check()
}

// YAML is the plan file.
func (p Plan) YAML() ([]byte, error) { return yaml.Marshal(p) }

func (p Plan) check() error {
	for i, f := range p.Faults {
		if err := f.check(); err != nil {
			return fmt.Errorf("plan: fault %d (%s): %w", i+1, f.Kind, err)
		}
	}
	return nil
}

func (f Fault) check() error {
	switch {
	case !slices.Contains(kinds, f.Kind):
		return fmt.Errorf("there is no such kind: use one of %v", kinds)
	case f.Direction != "" && f.Direction != In && f.Direction != Out:
		return fmt.Errorf("direction %q: use in, out or nothing", f.Direction)
	case f.Rate < 0 || f.Rate > 1:
		return fmt.Errorf("rate %v: use 0 to 1", f.Rate)
	case f.Rate == 0 && len(f.At) == 0:
		return errors.New("it never strikes: give rate or at")
	case f.From < 0, f.Until < 0, f.Count < 0, f.For < 0, slices.ContainsFunc(f.At, func(n int64) bool { return n < 0 }):
		return errors.New("a negative number")
	case f.Until != 0 && f.Until <= f.From:
		return fmt.Errorf("until %d is not after from %d", f.Until, f.From)
	case f.Kind == Baud && f.Mode == "":
		return errors.New("give mode, such as 4800 or \"300 7E1\"")
	}
	if f.Mode != "" {
		if _, err := serial.ParseMode(f.Mode); err != nil {
			return err
		}
	}
	return nil
}

// String is one line, for reports.
func (f Fault) String() string {
	b, err := yaml.MarshalWithOptions(f, yaml.Flow(true))
	if err != nil {
		return string(f.Kind)
	}
	return strings.TrimSpace(string(b))
}

// settled fills in the defaults, and what chance decides.
func (f Fault) settled(chance uint64) Fault {
	set := func(d time.Duration) {
		if f.For == 0 {
			f.For = d
		}
	}
	count := func(n int) {
		if f.Count == 0 {
			f.Count = n
		}
	}
	switch f.Kind {
	case Flip:
		if f.Xor == 0 {
			f.Xor = 1 << (chance % 8)
		}
	case Insert:
		if f.Value == nil {
			v := uint8(chance)
			f.Value = &v
		}
	case Delay:
		set(500 * time.Millisecond)
	case Split:
		set(20 * time.Millisecond)
	case Merge:
		set(50 * time.Millisecond)
	case Baud:
		count(16)
	case Break:
		count(8)
	default:
	}
	return f
}

// strikes tells whether a fault strikes at a byte, and gives what chance has decided about how.
func (p *Plan) strikes(i int, d Direction, at int64) (chance uint64, ok bool) {
	f := &p.Faults[i]
	if f.Direction != "" && f.Direction != d {
		return 0, false
	}
	ok = slices.Contains(f.At, at)
	if f.Rate == 0 && !ok {
		return 0, false
	}
	h := mix(p.Seed ^ mix(uint64(i)+1))
	if d == Out {
		h = mix(h ^ 0xD1)
	}
	h = mix(h ^ uint64(at))
	if f.Rate > 0 && at >= f.From && (f.Until == 0 || at < f.Until) && float64(h>>11)/(1<<53) < f.Rate {
		ok = true
	}
	return mix(h), ok
}

// mix is the finaliser of SplitMix64: numbers that are next to each other become unlike.
func mix(x uint64) uint64 {
	x += 0x9E3779B97F4A7C15
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}
