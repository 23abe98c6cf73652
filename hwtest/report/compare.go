package report

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// Compare says in words what differs between two runs: outcomes, what homes are, steps, and measurements that moved by
// more than a part of what they were (0.2 is a fifth).
func Compare(before, after *Run, part float64) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	old := map[string]*Result{}
	for i := range before.Results {
		old[before.Results[i].label()] = &before.Results[i]
	}
	seen := map[string]bool{}
	for i := range after.Results {
		now := &after.Results[i]
		label := now.label()
		seen[label] = true
		was, ok := old[label]
		if !ok {
			say("%s is new: %s", label, now.Outcome)
			continue
		}
		if was.Outcome != now.Outcome {
			say("%s %s, and %s before", label, now.Outcome, was.Outcome)
			if now.Reason != "" {
				say("  because %s", now.Reason)
			}
		}
		for _, k := range slices.Sorted(maps.Keys(now.Facts)) {
			if v, ok := was.Facts[k]; ok && v != now.Facts[k] {
				say("%s: %s is %s, was %s", label, k, now.Facts[k], v)
			}
		}
		out = append(out, compareSteps(label, was, now, part)...)
	}
	for i := range before.Results {
		if label := before.Results[i].label(); !seen[label] {
			say("%s did not run any more", label)
		}
	}
	return out
}

func compareSteps(label string, was, now *Result, part float64) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for i, s := range now.Steps {
		if i >= len(was.Steps) {
			say("%s: step %d, %s, is new", label, i+1, s.Name)
			continue
		}
		w := was.Steps[i]
		if w.Name != s.Name {
			say("%s: step %d is %s, was %s", label, i+1, s.Name, w.Name)
			continue
		}
		if moved(w.Seconds, s.Seconds, part) && math.Abs(w.Seconds-s.Seconds) > 0.05 {
			say("%s: %s now takes %s s, was %s s", label, s.Name, seconds(s.Seconds), seconds(w.Seconds))
		}
		for _, m := range s.Measured {
			k := slices.IndexFunc(w.Measured, func(o Measurement) bool { return o.Name == m.Name })
			if k >= 0 && moved(w.Measured[k].Value, m.Value, part) {
				say("%s: %s: %s is %s %s, was %s", label, s.Name, m.Name, number(m.Value), m.Unit, number(w.Measured[k].Value))
			}
		}
		for _, c := range s.Cases {
			k := slices.IndexFunc(w.Cases, func(o Case) bool { return o.Name == c.Name })
			switch {
			case k < 0:
				say("%s: %s is new: %s", label, c.Name, c.Outcome)
			case w.Cases[k].Outcome != c.Outcome:
				say("%s: %s %s, and %s before", label, c.Name, c.Outcome, w.Cases[k].Outcome)
			}
		}
	}
	return out
}

func moved(was, now, part float64) bool {
	return math.Abs(now-was) > part*math.Max(math.Abs(was), 1e-9)
}
