package campaign

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"smets1/firmware"
	"smets1/gateway/topic"
	"smets1/internal/wire"
)

// Status is where a campaign stands.
type Status string

// The states of a campaign.
const (
	Running Status = "running"
	Paused  Status = "paused"  // by a person
	Halted  Status = "halted"  // by itself: too many failed; a person resumes or aborts it
	Aborted Status = "aborted" // by a person; homes at work end their step
	Ended   Status = "ended"
)

// Phase is where a home stands.
type Phase string

// The phases of a home.
const (
	Waiting Phase = "waiting"
	Working Phase = "working" // a command is given, or may have been
	Done    Phase = "done"
	Failed  Phase = "failed"
	Skipped Phase = "skipped"
)

func (p Phase) over() bool { return p == Done || p == Failed || p == Skipped }

// Planned is a step of a home's plan.
type Planned struct {
	Device  topic.Device    `json:"device"` // an EUI-64
	Role    string          `json:"role"`
	From    string          `json:"from"`
	Version string          `json:"version"`
	Image   firmware.Digest `json:"image"`
	Why     string          `json:"why"`
}

// Evidence is what came of a step.
type Evidence struct {
	Step   int                          `json:"step"`
	Result *topic.FirmwareUpgradeResult `json:"result"`
	Image  firmware.Digest              `json:"image"`
	Ended  time.Time                    `json:"ended"`
}

// Home is where a home stands.
type Home struct {
	Hub      wire.EUI64 `json:"hub"`
	Wave     int        `json:"wave"`
	Phase    Phase      `json:"phase"`
	Planned  bool       `json:"planned"` // Plan is made; an empty one means that nothing is to do
	Plan     []Planned  `json:"plan,omitempty"`
	Step     int        `json:"step"`     // of the plan, the next or the one at work
	Attempts int        `json:"attempts"` // of this step so far
	Tries    int        `json:"tries"`    // commands in all; numbers them
	// NotBefore is when the next attempt may begin.
	NotBefore time.Time  `json:"not_before,omitzero"`
	Code      topic.Code `json:"code,omitempty"` // of the last failure
	Message   string     `json:"message,omitempty"`
	Evidence  []Evidence `json:"evidence,omitempty"`
	Started   time.Time  `json:"started,omitzero"`
	Ended     time.Time  `json:"ended,omitzero"`
}

// command is the id of the command that the home has at work.
func (h *Home) command(campaign string) string {
	step := "look"
	if h.Planned {
		step = fmt.Sprintf("step%d", h.Step+1)
	}
	return fmt.Sprintf("campaign/%s/%s/%s/%d", campaign, h.Hub, step, h.Tries)
}

// State is where a campaign stands, apart from its homes.
type State struct {
	Spec    Spec      `json:"spec"`
	Status  Status    `json:"status"`
	Reason  string    `json:"reason,omitempty"` // why it is not running
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended,omitzero"`
	// Forgiven are the homes that had ended when a halt was resumed: they do not count
	// towards the next.
	Forgiven struct{ Done, Failed int } `json:"forgiven"`
}

// machine decides. It is not safe for concurrent use.
type machine struct {
	State
	homes []Home
	index map[wire.EUI64]int

	working, done, failed, skipped int
	wave                           int // the one that runs
	left                           map[int]int
}

func newMachine(s State, homes []Home) *machine {
	m := &machine{State: s, homes: homes, index: make(map[wire.EUI64]int, len(homes)), left: map[int]int{}}
	for i := range homes {
		h := &homes[i]
		m.index[h.Hub] = i
		switch h.Phase {
		case Working:
			m.working++
		case Done:
			m.done++
		case Failed:
			m.failed++
		case Skipped:
			m.skipped++
		default:
		}
		if !h.Phase.over() {
			m.left[h.Wave]++
		}
	}
	m.advance()
	return m
}

// plant makes the homes of a new campaign.
func plant(s Spec) []Home {
	homes := make([]Home, len(s.Hubs))
	wave, room := 0, 0
	for i, hub := range s.Hubs {
		for wave < len(s.Waves) && room == s.Waves[wave] {
			wave, room = wave+1, 0
		}
		homes[i] = Home{Hub: hub, Wave: wave, Phase: Waiting}
		room++
	}
	return homes
}

func (m *machine) advance() {
	for m.wave <= len(m.Spec.Waves) && m.left[m.wave] == 0 {
		m.wave++
	}
}

// start gives the homes that begin a step now: those that have begun before
// those that have not, in the order of the specification. They count as working.
func (m *machine) start(now time.Time) []int {
	if m.Status != Running || !m.Spec.open(now) {
		return nil
	}
	room := m.Spec.concurrency() - m.working
	var list []int
	for _, begun := range []bool{true, false} {
		for i := range m.homes {
			h := &m.homes[i]
			if len(list) >= room {
				return list
			}
			if h.Phase != Waiting || h.Wave != m.wave || h.NotBefore.After(now) || h.Started.IsZero() == begun {
				continue
			}
			h.Phase = Working
			h.Attempts++
			h.Tries++
			if h.Started.IsZero() {
				h.Started = now
			}
			m.working++
			list = append(list, i)
		}
	}
	return list
}

// next is when start may give homes without anything ending before; zero for never.
func (m *machine) next(now time.Time) time.Time {
	if m.Status != Running {
		return time.Time{}
	}
	var first time.Time
	for i := range m.homes {
		h := &m.homes[i]
		if h.Phase == Waiting && h.Wave == m.wave {
			at := now
			if h.NotBefore.After(now) {
				at = h.NotBefore
			}
			if first.IsZero() || at.Before(first) {
				first = at
			}
		}
	}
	if first.IsZero() || m.working >= m.Spec.concurrency() {
		return time.Time{}
	}
	return m.Spec.opens(first)
}

// looked is a home's plan.
func (m *machine) looked(i int, plan []Planned, now time.Time) {
	h := &m.homes[i]
	h.Planned, h.Plan, h.Attempts = true, plan, 0
	m.onward(h, now)
}

// stepped is the success of a home's step.
func (m *machine) stepped(i int, e Evidence, now time.Time) {
	h := &m.homes[i]
	h.Evidence = append(h.Evidence, e)
	h.Step, h.Attempts = h.Step+1, 0
	m.onward(h, now)
}

func (m *machine) onward(h *Home, now time.Time) {
	h.Code, h.Message = "", ""
	if h.Step >= len(h.Plan) {
		m.end(h, Done, now)
		return
	}
	m.wait(h, now)
}

func (m *machine) wait(h *Home, now time.Time) {
	if m.Status == Aborted {
		m.end(h, Skipped, now)
		return
	}
	h.Phase = Waiting
	m.working--
}

// stumbled is the failure of what a home had at work.
func (m *machine) stumbled(i int, e *Evidence, code topic.Code, message string, now time.Time) {
	h := &m.homes[i]
	if e != nil {
		h.Evidence = append(h.Evidence, *e)
	}
	h.Code, h.Message = code, message
	if r := m.Spec.retry(code); h.Attempts < r.Attempts && m.Status != Aborted {
		h.NotBefore = now.Add(r.Wait)
		m.wait(h, now)
		return
	}
	m.end(h, Failed, now)
	done, failed := m.done-m.Forgiven.Done, m.failed-m.Forgiven.Failed
	if rate := m.Spec.HaltRate; rate > 0 && m.Status == Running && done+failed >= m.Spec.haltAfter() && float64(failed) > rate*float64(done+failed) {
		m.Status = Halted
		m.Reason = fmt.Sprintf("%d of %d homes failed, the last (%s) with %s", failed, done+failed, h.Hub, code)
	}
}

// end is the end of a home that was at work.
func (m *machine) end(h *Home, p Phase, now time.Time) {
	h.Phase, h.Ended, h.NotBefore = p, now, time.Time{}
	m.working--
	m.count(h, p)
	m.settle(now)
}

func (m *machine) count(h *Home, p Phase) {
	switch p {
	case Done:
		m.done++
	case Failed:
		m.failed++
	default:
		m.skipped++
	}
	m.left[h.Wave]--
	m.advance()
}

// settle ends the campaign when nothing is left.
func (m *machine) settle(now time.Time) {
	if m.working == 0 && m.done+m.failed+m.skipped == len(m.homes) && m.Ended.IsZero() {
		m.Ended = now
		if m.Status != Aborted {
			m.Status, m.Reason = Ended, ""
		}
	}
}

// pause stops the beginning of steps.
func (m *machine) pause(reason string) error {
	if m.Status != Running {
		return fmt.Errorf("campaign %s is %s: %w", m.Spec.ID, m.Status, ErrState)
	}
	m.Status, m.Reason = Paused, reason
	return nil
}

// resume goes on after a pause or a halt.
func (m *machine) resume() error {
	if m.Status != Paused && m.Status != Halted {
		return fmt.Errorf("campaign %s is %s: %w", m.Spec.ID, m.Status, ErrState)
	}
	m.Status, m.Reason = Running, ""
	m.Forgiven.Done, m.Forgiven.Failed = m.done, m.failed
	return nil
}

// abort skips what is not at work, and gives those homes.
func (m *machine) abort(reason string, now time.Time) ([]int, error) {
	if m.Status == Ended || m.Status == Aborted {
		return nil, fmt.Errorf("campaign %s is %s: %w", m.Spec.ID, m.Status, ErrState)
	}
	m.Status, m.Reason = Aborted, reason
	var list []int
	for i := range m.homes {
		if h := &m.homes[i]; h.Phase == Waiting {
			h.Phase, h.Ended, h.NotBefore = Skipped, now, time.Time{}
			m.count(h, Skipped)
			list = append(list, i)
		}
	}
	m.settle(now)
	return list, nil
}

// Report is what a campaign has come to.
type Report = topic.CampaignReport

func (m *machine) report(now time.Time) Report {
	r := Report{
		ID: m.Spec.ID, State: string(m.Status), Reason: m.Reason, Homes: len(m.homes), Working: m.working, Done: m.done, Failed: m.failed, Skipped: m.skipped,
		Wave: min(m.wave, len(m.Spec.Waves)) + 1, Waves: len(m.Spec.Waves) + 1, Started: m.Started, Ended: m.Ended, Forecast: m.forecast(now),
	}
	if last := m.homes[len(m.homes)-1].Wave + 1; r.Waves > last {
		r.Waves = last
	}
	r.Wave = min(r.Wave, r.Waves)
	r.Waiting = r.Homes - r.Working - r.Done - r.Failed - r.Skipped
	if at := m.next(now); at.After(now) && m.working == 0 {
		r.Next = at
	}
	causes := map[topic.Code]int{}
	for i := range m.homes {
		h := &m.homes[i]
		r.Steps += h.Step
		if h.Phase == Failed {
			causes[h.Code]++
		}
	}
	for _, c := range slices.Sorted(maps.Keys(causes)) {
		r.Causes = append(r.Causes, topic.CampaignCause{Code: c, Homes: causes[c]})
	}
	return r
}

// forecast takes the mean time that a home needed and what is left.
func (m *machine) forecast(now time.Time) time.Time {
	var sum time.Duration
	n := 0
	for i := range m.homes {
		if h := &m.homes[i]; (h.Phase == Done || h.Phase == Failed) && !h.Started.IsZero() {
			sum += h.Ended.Sub(h.Started)
			n++
		}
	}
	left := len(m.homes) - m.done - m.failed - m.skipped
	if m.Status != Running || n == 0 || left == 0 {
		return time.Time{}
	}
	mean := sum / time.Duration(n)
	need := mean * time.Duration((left+m.Spec.concurrency()-1)/m.Spec.concurrency())
	return m.Spec.after(now, need)
}

// after is when so much time inside the windows will have passed.
func (s *Spec) after(t time.Time, need time.Duration) time.Time {
	if len(s.Windows) == 0 {
		return t.Add(need)
	}
	for range 100_000 { // windows of so many days are no forecast any more
		t = s.opens(t)
		var end time.Time
		for _, w := range s.Windows {
			if w.Contains(t) {
				e := t.Add(w.length() - between(w, t))
				if e.After(end) {
					end = e
				}
			}
		}
		if left := end.Sub(t); need <= left {
			return t.Add(need)
		}
		need -= end.Sub(t)
		t = end
	}
	return time.Time{}
}

// between is how long the window has been open at t.
func between(w Window, t time.Time) time.Duration {
	d := sinceMidnight(t) - w.From
	if d < 0 {
		d += 24 * time.Hour
	}
	return d
}

// clone gives a copy that shares nothing that changes.
func (h *Home) clone() Home {
	c := *h
	c.Plan, c.Evidence = slices.Clone(h.Plan), slices.Clone(h.Evidence)
	return c
}
