package firmware

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Installed is a device of a home and what runs on it.
type Installed struct {
	Device       string // names it in the plan: an EUI-64 or a short name
	Type         DeviceType
	Manufacturer string
	Model        string
	Hardware     uint16
	Version      string
}

// Goal is where a home is to come to. The zero Goal is the newest release of each device.
type Goal struct {
	// Versions by device type. A type that is not named stays as it is, unless
	// something else needs it newer.
	Versions map[DeviceType]string
	// Combination names a row of the eligible combinations: each device gets
	// the newest release that leads to it. Not with Versions.
	Combination string
}

// Step is one installation of a release.
type Step struct {
	Device  string
	Type    DeviceType
	From    string
	Release Release
	Why     string // one sentence
}

// String gives the step in one line.
func (s Step) String() string {
	return fmt.Sprintf("%s %s: %s to %s (%s)", s.Type, s.Device, s.From, s.Release.Version, s.Why)
}

// ErrNoPath is what Plan reports (wrapped) when no chain of releases leads to the goal.
var ErrNoPath = errors.New("no releases lead there")

// Plan orders the installations that bring a home to a goal: for each device the
// shortest chain of releases, newer ones first where two are as short, and
// between devices an order in which every release finds what it needs; without a
// need the hub comes first, then electricity, gas and display. An empty plan means
// that the home is there.
func Plan(home []Installed, goal Goal, releases []Release) ([]Step, error) {
	p := planner{releases: releases, now: slices.Clone(home), want: make([]string, len(home)), why: make([]string, len(home))}
	if err := p.aim(goal); err != nil {
		return nil, err
	}
	var steps []Step
	for len(steps) <= len(home)*(len(releases)+1) {
		s, done, err := p.next()
		if err != nil || done {
			return steps, err
		}
		steps = append(steps, s)
	}
	return nil, fmt.Errorf("firmware: plan: the releases lead in a circle: %w", ErrNoPath)
}

type planner struct {
	releases []Release
	now      []Installed // as the home is after the steps so far
	want     []string    // by device; empty for one that stays
	why      []string
}

// fit gives the releases that fit a device.
func (p *planner) fit(d Installed) []*Release {
	var all []*Release
	for i := range p.releases {
		r := &p.releases[i]
		if r.DeviceType() == d.Type && r.Manufacturer == d.Manufacturer && r.Model == d.Model && r.HardwareFrom <= d.Hardware && d.Hardware <= r.HardwareTo {
			all = append(all, r)
		}
	}
	slices.SortStableFunc(all, func(a, b *Release) int { return CompareVersions(b.Version, a.Version) })
	return all
}

func (p *planner) aim(goal Goal) error {
	if len(goal.Versions) > 0 && goal.Combination != "" {
		return errors.New("firmware: plan: give versions or a combination, not both")
	}
	leads := false
	for i, d := range p.now {
		switch {
		case goal.Combination != "":
			for _, r := range p.fit(d) {
				if slices.Contains(r.Combinations, goal.Combination) {
					p.want[i], p.why[i], leads = r.Version, "leads to combination "+goal.Combination, true
					break
				}
			}
		case len(goal.Versions) > 0:
			p.want[i], p.why[i] = goal.Versions[d.Type], "the goal"
		default:
			if all := p.fit(d); len(all) > 0 && CompareVersions(all[0].Version, d.Version) > 0 {
				p.want[i], p.why[i] = all[0].Version, "the newest release"
			}
		}
	}
	if goal.Combination != "" && !leads {
		return fmt.Errorf("firmware: plan: no release for this home names combination %q: %w", goal.Combination, ErrNoPath)
	}
	for t, v := range goal.Versions {
		if !slices.ContainsFunc(p.now, func(d Installed) bool { return d.Type == t }) {
			return fmt.Errorf("firmware: plan: version %s is wanted of %s, and the home has none: %w", v, t, ErrNoPath)
		}
	}
	return nil
}

// path is the shortest chain of releases from a device's version to another.
func (p *planner) path(d Installed, to string) []*Release {
	type node struct {
		version string
		via     []*Release
	}
	seen := map[string]bool{d.Version: true}
	for queue := []node{{version: d.Version}}; len(queue) > 0; queue = queue[1:] {
		n := queue[0]
		if n.version == to {
			return n.via
		}
		for _, r := range p.fit(d) {
			if !seen[r.Version] && r.Over(n.version) {
				seen[r.Version] = true
				queue = append(queue, node{r.Version, append(slices.Clone(n.via), r)})
			}
		}
	}
	return nil
}

// next takes the first step that can be taken now.
func (p *planner) next() (s Step, done bool, err error) {
	order := make([]int, len(p.now))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(p.now[a].Type) - int(p.now[b].Type) })
	var blocked []string
	for round := 0; round <= len(p.now); round++ {
		blocked = blocked[:0]
		widened := false
		for _, i := range order {
			d := &p.now[i]
			if p.want[i] == "" || d.Version == p.want[i] {
				continue
			}
			way := p.path(*d, p.want[i])
			if len(way) == 0 {
				return Step{}, false, fmt.Errorf("firmware: plan: %s %s (%s %s, hardware %d) runs %s and shall run %s: %w",
					d.Type, d.Device, d.Manufacturer, d.Model, d.Hardware, d.Version, p.want[i], ErrNoPath)
			}
			need, met := p.unmet(way[0])
			if met {
				s := Step{d.Device, d.Type, d.Version, *way[0], p.why[i]}
				if len(way) > 1 {
					s.Why = fmt.Sprintf("on the way to %s, %s", p.want[i], p.why[i])
				}
				d.Version = way[0].Version
				return s, false, nil
			}
			what := fmt.Sprintf("%s %s needs %s at %s or newer", d.Type, way[0].Version, need.Type, need.Version)
			blocked = append(blocked, what)
			widened = p.widen(need, what) || widened
		}
		if len(blocked) == 0 {
			return Step{}, true, nil
		}
		if !widened {
			break
		}
	}
	return Step{}, false, fmt.Errorf("firmware: plan: %s: %w", strings.Join(blocked, "; "), ErrNoPath)
}

// unmet gives the first need that the home does not fulfil.
func (p *planner) unmet(r *Release) (need Need, met bool) {
	for _, n := range r.Needs {
		ok := false
		for _, d := range p.now {
			if d.Type.String() == n.Type {
				if ok = CompareVersions(d.Version, n.Version) >= 0; !ok {
					break
				}
			}
		}
		if !ok {
			return n, false
		}
	}
	return Need{}, true
}

// widen makes the devices that a need is about part of the plan; false if that
// changes nothing.
func (p *planner) widen(n Need, why string) bool {
	changed := false
	for i, d := range p.now {
		if d.Type.String() != n.Type || CompareVersions(d.Version, n.Version) >= 0 || p.want[i] != "" && CompareVersions(p.want[i], n.Version) >= 0 {
			continue
		}
		// The oldest that will do: no more change than is needed.
		all := p.fit(d)
		for k := len(all) - 1; k >= 0; k-- {
			if CompareVersions(all[k].Version, n.Version) >= 0 && len(p.path(d, all[k].Version)) > 0 {
				p.want[i], p.why[i], changed = all[k].Version, why, true
				break
			}
		}
	}
	return changed
}
