package scenario

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"smets1/gateway/topic"
)

// Step is one thing to do, and what must come of it. Exactly one of Do, Power, Wait and Conform is set.
type Step struct {
	Line int `yaml:"-"` // in the file

	Name   string   `yaml:"name"`   // for people; absent: made of what is done
	Clause string   `yaml:"clause"` // what it proves, beside those of the scenario
	Within duration `yaml:"within"` // by the clock of the home; absent: as long as it takes

	// Do sends a command.
	Do     topic.Verb     `yaml:"do"`
	Device string         `yaml:"device"` // hub, esme, gsme, ihd; absent: what the verb takes that for
	Args   map[string]any `yaml:"args"`
	// Fails is the code that the command must end with; absent: it must be done.
	Fails   topic.Code         `yaml:"fails"`
	Expect  map[string]Match   `yaml:"expect"`
	Measure map[string]Measure `yaml:"measure"`
	Save    map[string]string  `yaml:"save"`

	// Power takes the power of a device away for Off.
	Power string   `yaml:"power"`
	Off   duration `yaml:"off"`

	// Wait lets time pass.
	Wait duration `yaml:"wait"`

	// Conform runs the conformance tests of a suite (HDLC, APPL, COSEM, SYMSEC_0) on a device.
	Conform string            `yaml:"conform"`
	Suite   string            `yaml:"suite"`
	Only    []string          `yaml:"only"`   // these tests; absent: all of the suite
	Except  map[string]string `yaml:"except"` // not these, with the reason
}

// Measure is a number to keep, with limits.
type Measure struct {
	Of   string   `yaml:"of"` // path in the result; seconds: how long the step took
	Unit string   `yaml:"unit"`
	Min  *float64 `yaml:"min"`
	Max  *float64 `yaml:"max"`
}

// Devices that steps may name.
var devices = []string{"hub", "esme", "gsme", "ihd"}

// Suites of conformance tests.
var suites = []string{"HDLC", "APPL", "COSEM", "SYMSEC_0"}

func oneOf(what, got string, list []string) error {
	if slices.Contains(list, got) {
		return nil
	}
	return fmt.Errorf("%s %q: want %s", what, got, strings.Join(list, ", "))
}

// check refuses a step that could not run, before anything does.
func (s *Step) check() error {
	kinds := 0
	for _, set := range []bool{s.Do != "", s.Power != "", s.Wait != 0, s.Conform != ""} {
		if set {
			kinds++
		}
	}
	if kinds != 1 {
		return errors.New("want exactly one of do, power, wait and conform")
	}
	if s.Do == "" && (len(s.Args) > 0 || s.Fails != "" || len(s.Expect) > 0 || len(s.Save) > 0 || s.Device != "") {
		return errors.New("device, args, fails, expect and save belong to do")
	}
	if s.Conform == "" && (s.Suite != "" || len(s.Only) > 0 || len(s.Except) > 0) {
		return errors.New("suite, only and except belong to conform")
	}
	if s.Power == "" && s.Off != 0 {
		return errors.New("off belongs to power")
	}
	for name, m := range s.Measure {
		if m.Of == "" {
			return fmt.Errorf("measure %s: say of what: a member of the result, or seconds", name)
		}
		if m.Of != ofSeconds && s.Do == "" {
			return fmt.Errorf("measure %s: only do has a result; seconds is how long a step takes", name)
		}
	}
	for path, m := range s.Expect {
		if err := m.check(); err != nil {
			return fmt.Errorf("expect %s: %w", path, err)
		}
	}
	switch {
	case s.Do != "":
		return s.checkDo()
	case s.Power != "":
		if s.Off == 0 {
			return errors.New("power: say for how long, as off: 10s")
		}
		return oneOf("power", s.Power, devices)
	case s.Conform != "":
		return errors.Join(oneOf("conform", s.Conform, devices), oneOf("suite", s.Suite, suites))
	}
	return nil
}

func (s *Step) checkDo() error {
	info, ok := s.Do.Info()
	if !ok {
		return fmt.Errorf("do %q: no such verb: %s", s.Do, strings.Join(verbNames(), ", "))
	}
	if s.Device != "" {
		if err := oneOf("device", s.Device, devices); err != nil {
			return err
		}
		if info.Fleet {
			return fmt.Errorf("do %s: is asked of the fleet, not of a device", s.Do)
		}
	}
	return nil
}

func verbNames() []string {
	var out []string
	for _, v := range topic.Verbs() {
		out = append(out, string(v.Verb))
	}
	return out
}

// Title is the step's name, or what it does.
func (s *Step) Title() string {
	switch {
	case s.Name != "":
		return s.Name
	case s.Do != "" && s.Device != "":
		return fmt.Sprintf("%s %s", s.Do, s.Device)
	case s.Do != "":
		return string(s.Do)
	case s.Power != "":
		return fmt.Sprintf("power of %s off for %v", s.Power, time.Duration(s.Off))
	case s.Wait != 0:
		return fmt.Sprintf("wait %v", time.Duration(s.Wait))
	}
	return fmt.Sprintf("conformance of %s, %s", s.Conform, s.Suite)
}

// command is the command that the step sends, with ${names} put in.
func (s *Step) command(vars map[string]string) (topic.Command, error) {
	c := topic.Command{Verb: s.Do}
	switch s.Device {
	case "":
	case "hub":
		c.Device = topic.Device("chf")
	default:
		c.Device = topic.Device(s.Device)
	}
	if len(s.Args) == 0 {
		return c, nil
	}
	filled, err := fill(s.Args, vars)
	if err != nil {
		return c, err
	}
	c.Args, err = json.Marshal(filled)
	return c, err
}

// fill puts what was saved where ${name} stands. A string that is nothing but one name becomes its value.
func fill(v any, vars map[string]string) (any, error) {
	switch v := v.(type) {
	case string:
		return expand(v, vars)
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			var err error
			if out[i], err = fill(x, vars); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			var err error
			if out[k], err = fill(x, vars); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}

func expand(s string, vars map[string]string) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "${")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		name, after, closed := strings.Cut(rest, "}")
		value, ok := vars[name]
		if !closed || !ok {
			return "", fmt.Errorf("${%s}: nothing was saved under that name: there is %s", name, strings.Join(slices.Sorted(maps.Keys(vars)), ", "))
		}
		b.WriteString(value)
		s = after
	}
}
