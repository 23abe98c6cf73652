package report

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"smets1/migration/document"
	"smets1/migration/lifecycle"
)

// Story is all that a run knows of one home, in the order in which it happened.
type Story struct {
	Installation document.EUI      `json:"installation"`
	GroupID      string            `json:"groupID"`
	Cohort       string            `json:"cohort"`
	S1SP         string            `json:"s1sp"`
	Status       document.Status   `json:"status"`
	Devices      []document.Device `json:"devices"`
	State        string            `json:"state"` // where it stands
	Outcome      string            `json:"outcome,omitempty"`
	NextStep     string            `json:"nextStep,omitempty"`
	Chapters     []Chapter         `json:"chapters"`
}

// Chapter is one event: a move in the audit trail, or a word about the home in a document.
type Chapter struct {
	Time     time.Time `json:"time"`
	Who      string    `json:"who"`
	What     string    `json:"what"`
	Phase    string    `json:"phase,omitempty"`
	Artefact string    `json:"artefact,omitempty"`
	SHA256   string    `json:"sha256,omitempty"`
	Code     string    `json:"code,omitempty"`
	Meaning  string    `json:"meaning,omitempty"` // of the code
	Remedy   string    `json:"remedy,omitempty"`
	Owner    string    `json:"owner,omitempty"` // who has to act
	Detail   string    `json:"detail,omitempty"`
}

// FindInstallation finds a home by its own identity, that of one of its devices, or a meter point number.
func FindInstallation(p *document.Portfolio, key string) (*document.Installation, error) {
	var e document.EUI
	if err := e.UnmarshalText([]byte(strings.ToUpper(key))); err == nil {
		if in, ok := p.Installation(e); ok {
			return in, nil
		}
		if in, ok := p.ByDevice(e); ok {
			return in, nil
		}
	}
	for i := range p.Installations {
		for _, d := range p.Installations[i].Meters() {
			if string(d.MPxN) == key {
				return &p.Installations[i], nil
			}
		}
	}
	return nil, fmt.Errorf("no home of the portfolio has the identity, device or meter point number %q", key)
}

// Tell puts the story of a home together: the moves of the audit trail, and what the run's files say of the home.
func (r *Run) Tell(specs *document.Specs, in *document.Installation) (*Story, error) {
	s := &Story{Installation: in.ID, GroupID: in.GroupID, Cohort: in.Cohort, S1SP: in.S1SP, Status: in.Status(), Devices: in.Devices, State: lifecycle.Candidate.String()}
	for _, m := range r.Data.Moves {
		if m.Installation != in.ID {
			continue
		}
		s.State = m.To
		c := Chapter{Time: m.Time, Who: m.Who, What: m.From + " → " + m.To, Artefact: m.Artefact, SHA256: m.SHA256, Code: m.Code, Detail: m.Detail}
		from, err1 := lifecycle.ParseState(m.From)
		to, err2 := lifecycle.ParseState(m.To)
		if err1 == nil && err2 == nil {
			c.Phase = to.Phase().String()
			if e, ok := lifecycle.Between(from, to); ok && e.Why() != "" {
				c.What += ": " + e.Why()
			}
		}
		c.explain(r.Data.code(m.Code))
		s.Chapters = append(s.Chapters, c)
	}
	for _, h := range r.Data.Homes {
		if h.Installation == in.ID {
			s.Outcome, s.NextStep = h.Outcome, h.NextStep
		}
	}
	for _, f := range r.Data.Files {
		if err := r.tellFile(specs, in, f, s); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(s.Chapters, func(a, b Chapter) int { return a.Time.Compare(b.Time) })
	return s, nil
}

func (c *Chapter) explain(k document.Code) {
	if c.Code == "" {
		return
	}
	c.Meaning, c.Remedy, c.Owner = k.Sentence, k.Remedy, k.Owner
}

// tellFile adds what a document of the run says of the home.
func (r *Run) tellFile(specs *document.Specs, in *document.Installation, name string, s *Story) error {
	n, err := document.ParseName(name)
	if err != nil {
		return nil // not a document of the programme
	}
	add := func(who, what, code, detail string) {
		c := Chapter{Time: n.Stamp, Who: who, What: what, Artefact: name, Code: code, Detail: detail}
		c.explain(r.Data.code(code))
		s.Chapters = append(s.Chapters, c)
	}
	switch {
	case n.Kind.FileSet():
		if !strings.EqualFold(n.S1SP, in.S1SP) {
			return nil
		}
		b, err := os.ReadFile(r.Path(name))
		if err != nil {
			return err
		}
		file, ps := document.Inspect(specs, document.XMLLimits{}, document.NewArtefact(name, b))
		if ps != nil {
			r.Problems = append(r.Problems, ps...)
			return nil
		}
		for _, x := range file.Installations {
			if x.InstallationID != in.ID {
				continue
			}
			outcome := x.Outcome
			if x.DCOOutcome != "" {
				outcome += ", dual control " + x.DCOOutcome
			}
			if outcome == "" && len(x.Error) == 0 {
				continue // the move that cites the file says as much
			}
			add(string(file.Header.Sender.Role), fmt.Sprintf("%s says: %s", n.Kind, outcome), "", "")
			for _, e := range x.Error {
				device := ""
				if e.DeviceID != nil {
					device = "device " + e.DeviceID.String() + ": "
				}
				add(string(file.Header.Sender.Role), fmt.Sprintf("%s reports an error", n.Kind), e.Code, device+e.Detail)
			}
		}
	case n.Kind == document.KindDMMS, n.Kind == document.KindDMFW, n.Kind == document.KindMAR:
		f, err := os.Open(r.Path(name))
		if err != nil {
			return err
		}
		defer f.Close() //nolint:errcheck // only read
		mine := func(id document.EUI) bool { _, ok := device(in, id); return ok }
		switch n.Kind {
		case document.KindDMMS:
			rows, _ := document.ReadMigrationNotices(specs, name, f)
			for _, x := range rows {
				if mine(x.DeviceID) {
					add("DCC", fmt.Sprintf("notice to %s: meter %s, migration on %s (%s)", n.EUI, x.DeviceID, x.Planned, strings.ToLower(string(x.Status))), "", "")
				}
			}
		case document.KindDMFW:
			rows, _ := document.ReadFirmwareNotices(specs, name, f)
			for _, x := range rows {
				if mine(x.DeviceID) {
					add("DCC", fmt.Sprintf("notice to %s: meter %s, firmware %s to %s from %s to %s", n.EUI, x.DeviceID, x.CurrentFirmware, x.TargetFirmware, x.PlannedStart, x.PlannedEnd), "", "")
				}
			}
		default:
			rows, _ := document.ReadResponse(specs, name, f)
			for _, x := range rows {
				if mine(x.DeviceID) {
					add("DCC", fmt.Sprintf("response to record %d of the authorisation, meter %s: %s", x.RecordNo, x.DeviceID, x.Outcome), x.Code, x.Detail)
				}
			}
		}
	}
	return nil
}

// Write tells the story in plain text, at most width characters a line (0 means 110).
func (s *Story) Write(w io.Writer, width int) error {
	if width == 0 {
		width = 110
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Home %s, %s, group %s with %s, %s\n", s.Installation, s.Cohort, s.GroupID, s.S1SP, strings.ToLower(string(s.Status)))
	for _, d := range s.Devices {
		fmt.Fprintf(&b, "  %-5s %s  %s %s %s", d.Type, d.ID, d.Manufacturer, d.Model, d.Firmware)
		if d.Meter() {
			fmt.Fprintf(&b, ", %s %s, supplier %s, %s", map[bool]string{true: "MPAN", false: "MPRN"}[d.Type == document.ESME], d.MPxN, d.Supplier, strings.ToLower(string(d.Status)))
		}
		b.WriteString("\n")
	}
	day := ""
	for _, c := range s.Chapters {
		if d := c.Time.UTC().Format("Monday 2 January 2006"); d != day {
			day = d
			fmt.Fprintf(&b, "\n%s\n", day)
		}
		fmt.Fprintf(&b, "  %s  %-4s %s\n", c.Time.UTC().Format("15:04:05"), c.Who, wrap(c.What, width-17, "                   "))
		line := func(label, text string) {
			if text != "" {
				fmt.Fprintf(&b, "                 %s\n", wrap(label+text, width-17, "                   "))
			}
		}
		line("by ", c.Artefact)
		line("SHA-256 ", c.SHA256)
		if c.Code != "" {
			line("", c.Code+": "+c.Meaning)
		}
		line("detail: ", c.Detail)
		if c.Remedy != "" {
			line("remedy ("+c.Owner+"): ", c.Remedy)
		}
	}
	fmt.Fprintf(&b, "\nNow: %s", s.State)
	if s.Outcome != "" {
		fmt.Fprintf(&b, ", outcome %s", s.Outcome)
	}
	if s.NextStep != "" {
		fmt.Fprintf(&b, ". Next: %s", s.NextStep)
	}
	b.WriteString("\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// wrap breaks a text at spaces; a word that is longer than the width stays whole.
func wrap(text string, width int, indent string) string {
	var b strings.Builder
	used := 0
	for i, word := range strings.Fields(text) {
		n := len([]rune(word))
		switch {
		case i == 0:
		case used+1+n > width:
			b.WriteString("\n" + indent)
			used = 0
		default:
			b.WriteByte(' ')
			used++
		}
		b.WriteString(word)
		used += n
	}
	return b.String()
}
