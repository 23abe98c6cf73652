package bench

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"smets1/internal/wire"
	"smets1/transport/serial"
)

// Inventory is the hubs of a bench.
type Inventory struct {
	Bench      string       `yaml:"bench"`
	Hubs       []Hub        `yaml:"hubs"`
	Quarantine []Quarantine `yaml:"quarantine"`

	path string
}

// Hub is one entry.
type Hub struct {
	Name         string                `yaml:"name"`
	Address      string                `yaml:"address"`
	EUI          wire.EUI64            `yaml:"eui"`
	Profile      string                `yaml:"profile"`
	Devices      map[string]wire.EUI64 `yaml:"devices"`
	Has          []string              `yaml:"has"`
	Keys         string                `yaml:"keys"`
	Irreversible string                `yaml:"irreversible"`
	Power        Power                 `yaml:"power"`
	Offline      string                `yaml:"offline"`
	Note         string                `yaml:"note"`
}

// MayNotTurnBack tells whether steps that cannot be undone are allowed on the hub.
func (h *Hub) MayNotTurnBack() bool { return h.Irreversible == allowed }

const allowed = "allowed"

// Fixtures lists what scenarios may need of the hub: hub, its devices, and what it has beside.
func (h *Hub) Fixtures() []string {
	out := []string{"hub"}
	for _, d := range []string{"esme", "gsme", "ihd"} {
		if _, ok := h.Devices[d]; ok {
			out = append(out, d)
		}
	}
	return append(out, h.Has...)
}

// Quarantine is a scenario that may fail for a while, and who sees to it.
type Quarantine struct {
	Scenario string `yaml:"scenario"`
	Hub      string `yaml:"hub"` // absent: any, and simulated homes too
	Owner    string `yaml:"owner"`
	Until    Day    `yaml:"until"` // the last day
	Reason   string `yaml:"reason"`
}

// Day is a calendar day, as 2026-12-31.
type Day struct{ time.Time }

// UnmarshalYAML reads a day.
func (d *Day) UnmarshalYAML(f func(any) error) error {
	var s string
	if err := f(&s); err != nil {
		return err
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return fmt.Errorf("%q: want a day as 2026-12-31", s)
	}
	d.Time = t
	return nil
}

// Over tells whether the day is over.
func (d Day) Over(now time.Time) bool { return !now.Before(d.AddDate(0, 0, 1)) }

// Load reads an inventory. Errors have path, line and reason.
func Load(path string) (*Inventory, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, b)
}

// Parse reads an inventory; path is what errors call it, and its folder is where key files are.
func Parse(path string, b []byte) (*Inventory, error) {
	inv := &Inventory{path: path}
	if err := yaml.NewDecoder(bytes.NewReader(b), yaml.Strict()).Decode(inv); err != nil && !errors.Is(err, io.EOF) {
		var y yaml.Error
		if errors.As(err, &y) && y.GetToken() != nil && y.GetToken().Position != nil {
			return nil, fmt.Errorf("%s:%d: %s", path, y.GetToken().Position.Line, y.GetMessage())
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(inv.Hubs) == 0 {
		return nil, fmt.Errorf("%s: has no hubs: smets1 hwtest scan writes an inventory of what is plugged in", path)
	}
	for i := range inv.Hubs {
		h := &inv.Hubs[i]
		if err := inv.check(h, i); err != nil {
			return nil, fmt.Errorf("%s: hub %d (%s): %w", path, i+1, h.Name, err)
		}
	}
	for i, q := range inv.Quarantine {
		if q.Scenario == "" || q.Owner == "" || q.Until.IsZero() || q.Reason == "" {
			return nil, fmt.Errorf("%s: quarantine %d: want scenario, owner, until and reason: what nobody answers for stays broken", path, i+1)
		}
	}
	return inv, nil
}

var hubName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

func (inv *Inventory) check(h *Hub, i int) error {
	if !hubName.MatchString(h.Name) {
		return fmt.Errorf("name %q: want lower-case letters, digits and hyphens, up to 32", h.Name)
	}
	if slices.ContainsFunc(inv.Hubs[:i], func(o Hub) bool { return o.Name == h.Name }) {
		return fmt.Errorf("a second hub called %s", h.Name)
	}
	if err := checkAddress(h.Address); err != nil {
		return err
	}
	if k := slices.IndexFunc(inv.Hubs[:i], func(o Hub) bool { return o.Address == h.Address }); k >= 0 {
		return fmt.Errorf("has the address of %s", inv.Hubs[k].Name)
	}
	for d := range h.Devices {
		if !slices.Contains([]string{"esme", "gsme", "ihd"}, d) {
			return fmt.Errorf("device %q: want esme, gsme or ihd", d)
		}
	}
	if h.Irreversible != "" && h.Irreversible != allowed {
		return fmt.Errorf("irreversible: %q: want %s, or nothing", h.Irreversible, allowed)
	}
	if h.Irreversible == allowed && h.EUI == (wire.EUI64{}) {
		return errors.New("irreversible steps need an eui: the hub is asked who it is before them")
	}
	return h.Power.check()
}

func checkAddress(address string) error {
	u, err := url.Parse(address)
	if err != nil || address == "" {
		return fmt.Errorf("address %q: want one that begins with serial, tcp or tcp+hdlc", address)
	}
	switch u.Scheme {
	case "tcp", "tcp+hdlc":
		if u.Host == "" || u.Port() == "" {
			return fmt.Errorf("address %q: want a host and a port", address)
		}
		return nil
	case "serial":
		l, err := serial.ParseURL(address)
		if err != nil {
			return err
		}
		if base := filepath.Base(l.Name); l.Name != "" && unstable.MatchString(base) {
			return fmt.Errorf("address %q: %w: use serial://usb?serial=… or a link below /dev/serial (smets1 serial list shows both)", address, serial.ErrUnstable)
		}
		return nil
	}
	return fmt.Errorf("address %q: want one that begins with serial, tcp or tcp+hdlc", address)
}

var unstable = regexp.MustCompile(`^tty(USB|ACM)\d+$`)

// KeysPath is where the hub's handover file is; empty if it has none.
func (inv *Inventory) KeysPath(h *Hub) string {
	if h.Keys == "" || filepath.IsAbs(h.Keys) {
		return h.Keys
	}
	return filepath.Join(filepath.Dir(inv.path), h.Keys)
}

// FitError says that no hub has what is needed, and which come near.
type FitError struct {
	Needs []string
	Near  []string // "hub-a has no gsme", the nearest first
}

func (e *FitError) Error() string {
	text := fmt.Sprintf("no hub on this bench has %s", strings.Join(e.Needs, ", "))
	if len(e.Near) > 0 {
		text += ": " + strings.Join(e.Near, "; ")
	}
	return text
}

// Find gives the hubs that have what is needed and are not offline, in the order of the inventory. The error is a
// [*FitError]: nothing is waited for that cannot come.
func (inv *Inventory) Find(needs []string, irreversible bool) ([]*Hub, error) {
	type near struct {
		text    string
		missing int
	}
	var out []*Hub
	var misses []near
	for i := range inv.Hubs {
		h := &inv.Hubs[i]
		var missing []string
		for _, n := range needs {
			if !slices.Contains(h.Fixtures(), n) {
				missing = append(missing, "has no "+n)
			}
		}
		if irreversible && !h.MayNotTurnBack() {
			missing = append(missing, "does not allow irreversible steps")
		}
		if h.Offline != "" {
			missing = append(missing, "is offline ("+h.Offline+")")
		}
		if len(missing) == 0 {
			out = append(out, h)
			continue
		}
		misses = append(misses, near{h.Name + " " + strings.Join(missing, " and "), len(missing)})
	}
	if len(out) > 0 {
		return out, nil
	}
	slices.SortStableFunc(misses, func(a, b near) int { return a.missing - b.missing })
	e := &FitError{Needs: needs}
	for _, m := range misses {
		e.Near = append(e.Near, m.text)
	}
	return nil, e
}

// Hub gives the hub of a name.
func (inv *Inventory) Hub(name string) (*Hub, error) {
	var names []string
	for i := range inv.Hubs {
		if inv.Hubs[i].Name == name {
			return &inv.Hubs[i], nil
		}
		names = append(names, inv.Hubs[i].Name)
	}
	return nil, fmt.Errorf("%s: has no hub %q: there is %s", inv.path, name, strings.Join(names, ", "))
}

// Quarantined tells who answers for a scenario that fails on a hub, or on a simulated home if hub is empty; expired is
// one whose time is over, which no longer counts.
func (inv *Inventory) Quarantined(scenario, hub string, now time.Time) (q *Quarantine, expired *Quarantine) {
	for i := range inv.Quarantine {
		x := &inv.Quarantine[i]
		if x.Scenario != scenario || x.Hub != "" && x.Hub != hub {
			continue
		}
		if !x.Until.Over(now) {
			return x, nil
		}
		expired = x
	}
	return nil, expired
}
