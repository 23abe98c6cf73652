package lifecycle

import (
	"fmt"
	"strings"
)

// A Lane says whose installations take an edge: the two kinds go the same way but for how they are admitted and prepared.
type Lane uint8

// The lanes of the process flow.
const (
	Both Lane = iota
	ActiveLane
	DormantLane
)

// Lane is the lane of an edge: that of the one end that only one kind of installation stands in.
func (e Edge) Lane() Lane {
	switch {
	case e.e.from == Authorised || e.e.to == Authorised:
		return ActiveLane
	case e.e.from == Notified || e.e.to == Notified:
		return DormantLane
	default:
		return Both
	}
}

// takes reports whether installations of a lane can go along an edge.
func (l Lane) takes(e Edge) bool { return e.Lane() == Both || e.Lane() == l }

// phases lists the phases in their order.
func phases() []Phase {
	return []Phase{Planning, Preparation, DataValidation, DeviceTesting, Commission, CloseOut}
}

// Flowchart draws what installations of a lane go through, as a Mermaid flowchart with a box for each phase.
func Flowchart(l Lane) string {
	var b strings.Builder
	b.WriteString("flowchart TD\n")
	for _, p := range phases() {
		fmt.Fprintf(&b, "  subgraph %s[\"%s\"]\n", ident(p), strings.ToUpper(p.String()[:1])+p.String()[1:])
		for s := range states {
			if s.Phase() == p && reached(s, l) {
				fmt.Fprintf(&b, "    %s%s\n", s, box(s))
			}
		}
		b.WriteString("  end\n")
	}
	for _, e := range table {
		if !l.takes(e) {
			continue
		}
		arrow := "-->"
		if !e.onMainLine() {
			arrow = "-.->"
		}
		fmt.Fprintf(&b, "  %s %s %s\n", e.e.from, arrow, e.e.to)
	}
	b.WriteString("  classDef done fill:#cfe8dd,stroke:#00704e\n  classDef stop fill:#fbe3d3,stroke:#c85200\n  class Migrated done\n  class Blocked,Excluded,Withdrawn,ManualIntervention stop\n")
	return b.String()
}

// onMainLine reports whether an edge is one that a home without any fault takes.
func (e Edge) onMainLine() bool {
	return e.e.from < Migrated && e.e.to <= Migrated
}

func reached(s State, l Lane) bool {
	if s == Candidate {
		return true
	}
	for _, e := range table {
		if e.e.to == s && l.takes(e) {
			return true
		}
	}
	return false
}

func ident(p Phase) string {
	return "phase_" + strings.NewReplacer(" ", "", "-", "").Replace(p.String())
}

// box gives the shape of a state: rounded where nothing more happens unless a person acts.
func box(s State) string {
	if s.Settled() {
		return "([" + s.String() + "])"
	}
	return "[" + s.String() + "]"
}

// Page writes the process flow as a page of Markdown: the two lanes as diagrams, then the table itself.
func Page() string {
	var b strings.Builder
	b.WriteString(`# Process flow of one installation

Generated from the table in migration/lifecycle by ` + "`go generate ./migration/lifecycle`" + `; a test fails when this page is stale. Do not edit it.

The order of the phases (planning, scheduling and authorisation; data validation; device testing; commissioning) is published.
The states and edges are ours: see [provenance.md](provenance.md). Solid arrows are the way of a home without any fault; dotted ones are
what else can happen. Rounded states change only when a person acts.

## Active installations

A home of which any meter is operated in smart mode by its supplier. Its suppliers authorise it.

` + "```mermaid\n" + Flowchart(ActiveLane) + "```" + `

## Dormant installations

A home of which no meter is so operated. DCC starts the migration and tells the suppliers: 14 days before a firmware upgrade, 7 days before
the migration (both ours).

` + "```mermaid\n" + Flowchart(DormantLane) + "```" + `

## Every edge

| from | to | phase | lane | what has to have happened |
| --- | --- | --- | --- | --- |
`)
	for _, e := range table {
		lane := [...]string{"both", "active", "dormant"}[e.Lane()]
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", e.e.from, e.e.to, e.e.to.Phase(), lane, strings.TrimPrefix(strings.TrimPrefix(e.e.why, "active: "), "dormant: "))
	}
	b.WriteString("\n## Who holds the home\n\nIn the states ")
	var held []string
	for s := range states {
		if s.Held() {
			held = append(held, s.String())
		}
	}
	b.WriteString(strings.Join(held, ", ") + " its present operator has let go: nobody else may send it anything. In all others it is either\nstill or again with its operator, or migrated for good.\n")
	return b.String()
}
