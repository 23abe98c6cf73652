package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// JUnit XML has no standard; this is what Jenkins, GitLab and the converters for GitHub take: one testsuite for each
// scenario on a target, one testcase for each step, and one for each conformance test. Files are named as
// [[ATTACHMENT|path]] in system-out, where Jenkins' attachments plugin and others look.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Time     string       `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name       string           `xml:"name,attr"`
		Tests      int              `xml:"tests,attr"`
		Failures   int              `xml:"failures,attr"`
		Errors     int              `xml:"errors,attr"`
		Skipped    int              `xml:"skipped,attr"`
		Time       string           `xml:"time,attr"`
		Timestamp  string           `xml:"timestamp,attr"`
		Hostname   string           `xml:"hostname,attr"`
		Properties *junitProperties `xml:"properties,omitempty"`
		Cases      []junitCase      `xml:"testcase"`
		Out        *junitText       `xml:"system-out,omitempty"`
	}
	junitProperties struct {
		Property []junitProperty `xml:"property"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Name      string        `xml:"name,attr"`
		Classname string        `xml:"classname,attr"`
		Time      string        `xml:"time,attr"`
		Skipped   *junitSkipped `xml:"skipped,omitempty"`
		Failure   *junitFailure `xml:"failure,omitempty"`
		Error     *junitFailure `xml:"error,omitempty"`
		Out       *junitText    `xml:"system-out,omitempty"`
	}
	junitSkipped struct {
		Message string `xml:"message,attr,omitempty"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
	junitText struct {
		Text string `xml:",chardata"`
	}
)

// WriteJUnit writes the run as JUnit XML.
func (r *Run) WriteJUnit(w io.Writer) error {
	all := junitSuites{Name: "smets1 hwtest", Time: seconds(r.Ended.Sub(r.Started).Seconds())}
	for _, x := range r.Results {
		s := x.junit(r.Host)
		all.Tests += s.Tests
		all.Failures += s.Failures
		all.Errors += s.Errors
		all.Suites = append(all.Suites, s)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (x *Result) junit(host string) junitSuite {
	s := junitSuite{
		Name: x.label(), Time: seconds(x.Wall), Timestamp: x.Started.UTC().Format("2006-01-02T15:04:05"), Hostname: host,
		Properties: &junitProperties{},
	}
	add := func(name, value string) {
		s.Properties.Property = append(s.Properties.Property, junitProperty{name, clean(value)})
	}
	add("target", x.Target)
	add("attempt", strconv.Itoa(x.Attempt))
	add("outcome", string(x.Outcome))
	for _, k := range slices.Sorted(maps.Keys(x.Facts)) {
		add(k, x.Facts[k])
	}
	for _, f := range x.Faults {
		add("fault", f)
	}
	var out strings.Builder
	for _, f := range x.Files {
		fmt.Fprintf(&out, "[[ATTACHMENT|%s]]\n", f.Path)
	}
	if out.Len() > 0 {
		s.Out = &junitText{clean(out.String())}
	}
	class := "hwtest." + x.Scenario
	for i, st := range x.Steps {
		c := junitCase{Name: fmt.Sprintf("%02d %s", i+1, clean(st.Name)), Classname: class, Time: seconds(st.Seconds)}
		c.end(st.Outcome, strings.Join(st.Problems, "\n"), x)
		if text := st.text(); text != "" {
			c.Out = &junitText{clean(text)}
		}
		s.add(c)
		for _, k := range st.Cases {
			c := junitCase{Name: k.Name, Classname: class + "." + strconv.Itoa(i+1), Time: seconds(0)}
			c.end(k.Outcome, k.Reason, x)
			s.add(c)
		}
	}
	if len(x.Steps) == 0 {
		c := junitCase{Name: "scenario", Classname: class, Time: seconds(0)}
		c.end(x.Outcome, x.Reason, x)
		s.add(c)
	} else if x.Outcome == Failed && x.Steps[len(x.Steps)-1].Outcome == Passed {
		// The steps passed and the end did not: a trace that was not played out.
		c := junitCase{Name: "end", Classname: class, Time: seconds(0)}
		c.end(x.Outcome, x.Reason, x)
		s.add(c)
	}
	return s
}

func (s *junitSuite) add(c junitCase) {
	s.Tests++
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Error != nil:
		s.Errors++
	case c.Skipped != nil:
		s.Skipped++
	}
	s.Cases = append(s.Cases, c)
}

func (c *junitCase) end(o Outcome, why string, x *Result) {
	first, _, _ := strings.Cut(why, "\n")
	if x.Outcome == Quarantined && (o == Failed || o == Broken) {
		o, first = Skipped, "quarantined: "+x.Reason
	}
	switch o {
	case Failed:
		c.Failure = &junitFailure{Message: clean(first), Type: "failed", Text: clean(why)}
	case Broken:
		c.Error = &junitFailure{Message: clean(first), Type: "broken", Text: clean(why)}
	case Skipped, Quarantined:
		c.Skipped = &junitSkipped{Message: clean(first)}
	case Passed:
	}
}

// text is what a step measured and what was on its lines.
func (s *Step) text() string {
	var b strings.Builder
	for _, m := range s.Measured {
		fmt.Fprintf(&b, "%s\n", m)
	}
	b.WriteString(s.Console)
	return b.String()
}

// String is "import 123 Wh (0 to 500)".
func (m Measurement) String() string {
	text := fmt.Sprintf("%s %s", m.Name, number(m.Value))
	if m.Unit != "" {
		text += " " + m.Unit
	}
	switch {
	case m.Min != nil && m.Max != nil:
		text += fmt.Sprintf(" (%s to %s)", number(*m.Min), number(*m.Max))
	case m.Min != nil:
		text += fmt.Sprintf(" (at least %s)", number(*m.Min))
	case m.Max != nil:
		text += fmt.Sprintf(" (at most %s)", number(*m.Max))
	}
	return text
}

// label names a result among others.
func (x *Result) label() string {
	name := x.Scenario + " on " + x.Target
	if x.Restart > 0 {
		name += fmt.Sprintf(", restarted in step %d", x.Restart)
	}
	if x.Attempt > 1 {
		name += fmt.Sprintf(", attempt %d", x.Attempt)
	}
	return name
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func seconds(s float64) string {
	return strconv.FormatFloat(time.Duration(s*float64(time.Second)).Round(time.Millisecond).Seconds(), 'f', 3, 64)
}

// clean replaces what XML cannot hold.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' || r >= 0x20 && r != 0xFFFE && r != 0xFFFF {
			return r
		}
		return '\uFFFD'
	}, strings.ToValidUTF8(s, "\uFFFD"))
}
