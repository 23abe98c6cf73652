package scenario

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// ofSeconds is the measure of a step's own duration.
const ofSeconds = "seconds"

// Match is what a member of a result must be. A plain value in YAML is Equal.
type Match struct {
	Equal   *string  // as text: numbers and booleans as JSON writes them
	Not     *string  // and not this
	OneOf   []string // one of these
	Min     *float64
	Max     *float64
	Matches string // regular expression
	Present *bool  // there, or not there
}

// UnmarshalYAML reads a value, or a mapping of conditions.
func (m *Match) UnmarshalYAML(f func(any) error) error {
	var v any
	if err := f(&v); err != nil {
		return err
	}
	if _, ok := v.(map[string]any); !ok {
		text, err := scalar(v)
		m.Equal = &text
		return err
	}
	var c struct {
		Not     any      `yaml:"not"`
		OneOf   []any    `yaml:"one_of"`
		Min     *float64 `yaml:"min"`
		Max     *float64 `yaml:"max"`
		Matches string   `yaml:"matches"`
		Present *bool    `yaml:"present"`
	}
	if err := f(&c); err != nil {
		return err
	}
	m.Min, m.Max, m.Matches, m.Present = c.Min, c.Max, c.Matches, c.Present
	if c.Not != nil {
		text, err := scalar(c.Not)
		if err != nil {
			return err
		}
		m.Not = &text
	}
	for _, x := range c.OneOf {
		text, err := scalar(x)
		if err != nil {
			return err
		}
		m.OneOf = append(m.OneOf, text)
	}
	return nil
}

func scalar(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case bool, int, int64, uint64, float64:
		return fmt.Sprint(v), nil
	case nil:
		return "null", nil
	}
	return "", fmt.Errorf("%v: want a value, or conditions: min, max, matches, not, one_of, present", v)
}

func (m *Match) check() error {
	if _, err := regexp.Compile(m.Matches); err != nil {
		return err
	}
	if m.Equal == nil && m.Not == nil && len(m.OneOf) == 0 && m.Min == nil && m.Max == nil && m.Matches == "" && m.Present == nil {
		return errors.New("no condition: want a value, or min, max, matches, not, one_of, present")
	}
	return nil
}

// holds tells what is wrong with a member; found tells whether it is there.
func (m *Match) holds(got string, found bool, vars map[string]string) error {
	if m.Present != nil && !*m.Present {
		if found {
			return fmt.Errorf("is %s, and should not be there", got)
		}
		return nil
	}
	if !found {
		return errors.New("is not there")
	}
	same := func(want string) (bool, string, error) {
		want, err := expand(want, vars)
		return got == want || equalNumbers(got, want), want, err
	}
	if m.Equal != nil {
		if ok, want, err := same(*m.Equal); err != nil {
			return err
		} else if !ok {
			return fmt.Errorf("is %s, want %s", got, want)
		}
	}
	if m.Not != nil {
		if ok, want, err := same(*m.Not); err != nil {
			return err
		} else if ok {
			return fmt.Errorf("is %s, and must not be %s", got, want)
		}
	}
	if len(m.OneOf) > 0 {
		fits := false
		for _, w := range m.OneOf {
			ok, _, err := same(w)
			if err != nil {
				return err
			}
			fits = fits || ok
		}
		if !fits {
			return fmt.Errorf("is %s, want one of %s", got, strings.Join(m.OneOf, ", "))
		}
	}
	if m.Matches != "" && !regexp.MustCompile(m.Matches).MatchString(got) {
		return fmt.Errorf("is %s, want what matches %s", got, m.Matches)
	}
	return within(got, m.Min, m.Max)
}

func equalNumbers(a, b string) bool {
	x, err := strconv.ParseFloat(a, 64)
	if err != nil {
		return false
	}
	y, err := strconv.ParseFloat(b, 64)
	return err == nil && x == y
}

func within(got string, low, high *float64) error {
	if low == nil && high == nil {
		return nil
	}
	v, err := strconv.ParseFloat(got, 64)
	switch {
	case err != nil:
		return fmt.Errorf("is %s, which is no number", got)
	case low != nil && v < *low:
		return fmt.Errorf("is %s, want at least %s", got, number(*low))
	case high != nil && v > *high:
		return fmt.Errorf("is %s, want at most %s", got, number(*high))
	}
	return nil
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// result is what a command answered, as JSON.
type result struct{ root any }

func parseResult(b json.RawMessage) (result, error) {
	if len(b) == 0 {
		return result{}, nil
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var r result
	err := dec.Decode(&r.root)
	return r, err
}

// at finds the member at a path as text; members of structures as JSON.
func (r result) at(path string) (text string, found bool) {
	v := r.root
	for part := range strings.SplitSeq(path, ".") {
		if part == "" {
			return "", false
		}
		name, rest, _ := strings.Cut(part, "[")
		if name != "" {
			m, ok := v.(map[string]any)
			if !ok {
				return "", false
			}
			if v, ok = m[name]; !ok {
				return "", false
			}
		}
		for rest != "" {
			index, after, ok := strings.Cut(rest, "]")
			if !ok {
				return "", false
			}
			rest = strings.TrimPrefix(after, "[")
			list, ok := v.([]any)
			if !ok {
				return "", false
			}
			if v, ok = element(list, index); !ok {
				return "", false
			}
		}
	}
	return textOf(v), true
}

// element is one by number, or that of a device.
func element(list []any, index string) (any, bool) {
	if n, err := strconv.Atoi(index); err == nil {
		if n < 0 || n >= len(list) {
			return nil, false
		}
		return list[n], true
	}
	if index == "hub" {
		index = "chf"
	}
	for _, v := range list {
		m, _ := v.(map[string]any)
		for _, key := range []string{"device", "role", "name"} {
			if s, ok := m[key].(string); ok && s == index {
				return v, true
			}
		}
	}
	return nil, false
}

func textOf(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}
