package campaign

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"smets1/firmware"
	"smets1/gateway/topic"
	"smets1/internal/wire"
)

// Limits of a campaign.
const (
	MaxID       = 32
	MaxHomes    = 1_000_000
	MaxReleases = 1000
)

// Spec says what a campaign is to do.
type Spec struct {
	// ID names it: up to MaxID letters, digits, - and _.
	ID   string       `json:"id"`
	Hubs []wire.EUI64 `json:"hubs"`
	// To is the version to come to by type of device (chf, esme, gsme, ihd), Combination a row
	// of the eligible combinations; neither means the newest releases.
	To          map[string]string `json:"to,omitempty"`
	Combination string            `json:"combination,omitempty"`
	// Releases is what there is to get there with.
	Releases []firmware.Release `json:"releases"`
	// Waves are how many homes each wave has; the rest is the last. A wave
	// begins when the one before has ended. Empty means one wave.
	Waves []int `json:"waves,omitempty"`
	// Concurrency is how many homes are worked on at once. Zero means 64.
	Concurrency int `json:"concurrency,omitempty"`
	// Windows are when steps may begin. None means always.
	Windows []Window `json:"windows,omitempty"`
	// HaltRate stops the campaign when more than this part of the homes that
	// ended have failed, between 0 and 1. Zero means never.
	HaltRate float64 `json:"halt_rate,omitempty"`
	// HaltAfter is how many homes must have ended before the rate counts.
	// Zero means 20.
	HaltAfter int `json:"halt_after,omitempty"`
	// Retry is the policy per cause. A cause that is not named is retried as
	// DefaultRetry says if its code is retryable, else not.
	Retry map[topic.Code]Retry `json:"retry,omitempty"`
}

// Window is a part of each day, in UTC: from a time of day to another, which may
// lie after midnight.
type Window struct {
	From time.Duration `json:"from"` // since midnight
	To   time.Duration `json:"to"`
}

// Retry says how often a step is tried in all, and how long to wait between.
type Retry struct {
	Attempts int           `json:"attempts"`
	Wait     time.Duration `json:"wait"`
}

// DefaultRetry is for causes that may go away by themselves.
var DefaultRetry = Retry{Attempts: 5, Wait: 10 * time.Minute}

// Contains reports whether the window is open at a time.
func (w Window) Contains(t time.Time) bool {
	at := sinceMidnight(t)
	if w.From <= w.To {
		return w.From <= at && at < w.To
	}
	return at >= w.From || at < w.To
}

func sinceMidnight(t time.Time) time.Duration {
	t = t.UTC()
	return t.Sub(time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC))
}

// opens is when the window opens next, at or after t, if it is not open then.
func (w Window) opens(t time.Time) time.Time {
	wait := w.From - sinceMidnight(t)
	if wait < 0 {
		wait += 24 * time.Hour
	}
	return t.Add(wait)
}

// length of the window.
func (w Window) length() time.Duration {
	if w.From <= w.To {
		return w.To - w.From
	}
	return w.To - w.From + 24*time.Hour
}

// ParseWindow reads HH:MM-HH:MM.
func ParseWindow(s string) (Window, error) {
	from, to, ok := strings.Cut(s, "-")
	a, err1 := time.Parse("15:04", from)
	b, err2 := time.Parse("15:04", to)
	w := Window{sinceMidnight(a), sinceMidnight(b)}
	if !ok || err1 != nil || err2 != nil || w.From == w.To {
		return Window{}, fmt.Errorf("campaign: window %.20q: write HH:MM-HH:MM in UTC, two different times", s)
	}
	return w, nil
}

func (s *Spec) validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("campaign: "+format, args...)) }
	if s.ID == "" || len(s.ID) > MaxID || strings.Trim(s.ID, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
		bad("id %.40q: give up to %d letters, digits, - and _", s.ID, MaxID)
	}
	if len(s.Hubs) == 0 || len(s.Hubs) > MaxHomes {
		bad("%d homes: 1 to %d are allowed", len(s.Hubs), MaxHomes)
	}
	seen := make(map[wire.EUI64]bool, len(s.Hubs))
	for _, h := range s.Hubs {
		if seen[h] {
			bad("hub %s is there twice", h)
		}
		seen[h] = true
	}
	if len(s.Releases) == 0 || len(s.Releases) > MaxReleases {
		bad("%d releases: 1 to %d are allowed", len(s.Releases), MaxReleases)
	}
	for i := range s.Releases {
		if err := s.Releases[i].Validate(); err != nil {
			bad("release %d: %w", i+1, err)
		}
	}
	for word := range s.To {
		if _, ok := firmware.DeviceTypeOf(word); !ok {
			bad("to %.20q: want chf, esme, gsme or ihd", word)
		}
	}
	if len(s.To) > 0 && s.Combination != "" {
		bad("give versions or a combination, not both")
	}
	for _, n := range s.Waves {
		if n <= 0 {
			bad("a wave of %d homes: give numbers above zero", n)
		}
	}
	for _, w := range s.Windows {
		if w.From < 0 || w.To < 0 || w.From >= 24*time.Hour || w.To >= 24*time.Hour || w.From == w.To {
			bad("window %v to %v: give two times of one day", w.From, w.To)
		}
	}
	if s.Concurrency < 0 || s.HaltAfter < 0 || s.HaltRate < 0 || s.HaltRate >= 1 {
		bad("concurrency and halt_after must not be negative, halt_rate from 0 to below 1")
	}
	for code, r := range s.Retry {
		if !slices.ContainsFunc(topic.Codes(), func(i topic.CodeInfo) bool { return i.Code == code }) || r.Attempts < 1 || r.Wait < 0 {
			bad("retry %.30q: give a code of the contract, one attempt or more, and a wait", code)
		}
	}
	return errors.Join(errs...)
}

func (s *Spec) goal() firmware.Goal {
	g := firmware.Goal{Combination: s.Combination}
	for word, v := range s.To {
		if g.Versions == nil {
			g.Versions = map[firmware.DeviceType]string{}
		}
		t, _ := firmware.DeviceTypeOf(word) // validated
		g.Versions[t] = v
	}
	return g
}

func (s *Spec) concurrency() int {
	if s.Concurrency == 0 {
		return 64
	}
	return s.Concurrency
}

func (s *Spec) haltAfter() int {
	if s.HaltAfter == 0 {
		return 20
	}
	return s.HaltAfter
}

// retry is the policy for a cause; no attempts but the first where none is wise.
func (s *Spec) retry(code topic.Code) Retry {
	if r, ok := s.Retry[code]; ok {
		return r
	}
	if code.Retryable() {
		return DefaultRetry
	}
	return Retry{Attempts: 1}
}

// open reports whether steps may begin at a time.
func (s *Spec) open(t time.Time) bool {
	for _, w := range s.Windows {
		if w.Contains(t) {
			return true
		}
	}
	return len(s.Windows) == 0
}

// opens is when steps may begin next.
func (s *Spec) opens(t time.Time) time.Time {
	if s.open(t) {
		return t
	}
	var first time.Time
	for _, w := range s.Windows {
		if at := w.opens(t); first.IsZero() || at.Before(first) {
			first = at
		}
	}
	return first
}
