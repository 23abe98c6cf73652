package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"smets1/dlms/axdr"
	"smets1/dlms/client"
	"smets1/dlms/cosem"
)

func newDLMSCommand() *cobra.Command {
	o := &dlmsOptions{}
	c := &cobra.Command{
		Use:   "dlms",
		Short: "Read, write and call objects of a DLMS/COSEM device",
		Long: `dlms talks to a hub or meter as a DLMS/COSEM client: it opens an association,
does one thing and releases it.

A TARGET is how the device is reached:

  tcp://127.83.0.1:4059                 the wrapper over TCP; the port may be left out
  udp://192.0.2.7                       the wrapper over UDP
  tcp+hdlc://terminal-server:4001       HDLC frames over TCP
  serial:///dev/ttyUSB0?baud=9600       HDLC on a serial line

Without a client profile it is the public client (address 16), which may read
little: the clock, the name of the device, its objects. A profile says the rest:

  target: tcp://127.83.0.1:4059         # then TARGET is - on the command line
  client: 1
  mechanism: gmac                       # none, lls, hls, md5, sha1, gmac, sha256
  clientTitle: "4D4D4D0000000001"
  keys:
    handover: keys.json                 # a key handover file; or each key by itself:
    guek: env:METER_GUEK                # from the environment
    gak: file:gak.hex                   # or a file, from the profile's folder
  counter: device                       # asked of the device; file:PATH keeps it; or a number

Objects are CLASS/LOGICAL-NAME/MEMBER, as in 3/1-0:1.8.0.255/2 or
3/1-0:1.8.0/value. The class is looked up in the device where it is left out.

Exit status: 0 done, 1 the device refused, 2 usage, 3 the device refused the
association (key, counter, password, address), 4 no answer, 5 cannot connect.`,
		Example: `  smets1 dlms list tcp://127.83.0.1
  smets1 dlms read tcp://127.83.0.1 8/0-0:1.0.0/time
  smets1 dlms read --profile meter.yaml --behind 00-DB-12-34-56-78-90-A0 - 1-0:1.8.0
  smets1 dlms profile --profile meter.yaml - 1-0:99.1.0 --from 2026-11-01 --csv`,
	}
	o.register(c)
	c.AddCommand(newReadCommand(o), newWriteCommand(o), newListCommand(o), newProfileCommand(o), newCallCommand(o))
	return c
}

// targetOf is a TARGET argument: - means the one of the profile.
func targetOf(arg string) string {
	if arg == "-" {
		return ""
	}
	return arg
}

func minimum(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < n {
			return usageError{fmt.Errorf("%s wants %s (see %s --help)", c.CommandPath(), what, c.CommandPath())}
		}
		return nil
	}
}

// readRow is one attribute with what came of reading it.
type readRow struct {
	attribute cosem.Attribute
	raw       []byte
	value     axdr.Value
	err       error
}

func newReadCommand(o *dlmsOptions) *cobra.Command {
	return &cobra.Command{
		Use:   "read TARGET OBJECT...",
		Short: "Read attributes",
		Long: `read prints attributes with their types, registers with their units. An object
without an attribute means all that this association may read of it. Exit status
1 if the device refused any of them.`,
		Example: `  smets1 dlms read tcp://127.83.0.1 8/0-0:1.0.0.255/2 1/0-0:42.0.0.255/2
  smets1 dlms read --profile meter.yaml - 1-0:1.8.0
  smets1 dlms read --json --profile meter.yaml - 64/0-0:43.0.0/security_policy`,
		Args: minimum(2, "a target and objects"),
		RunE: func(c *cobra.Command, args []string) error {
			names := make([]memberName, len(args)-1)
			for i, arg := range args[1:] {
				var err error
				if names[i], err = parseMember(arg); err != nil {
					return err
				}
			}
			return o.with(c, targetOf(args[0]), func(s *dlmsSession) error {
				v := &view{s: s}
				var all []cosem.Attribute
				for _, n := range names {
					attributes, err := v.attributes(n)
					if err != nil {
						return err
					}
					all = append(all, attributes...)
				}
				rows, err := s.readAll(all)
				if err != nil {
					return err
				}
				if err := printRows(c.OutOrStdout(), rows, len(all), o.json); err != nil {
					return err
				}
				bad := 0
				for _, r := range rows[:len(all)] {
					if r.err != nil {
						bad++
					}
				}
				if bad > 0 {
					return dlmsError{fmt.Errorf("%d of %d attributes could not be read", bad, len(all)), exitRefused}
				}
				return nil
			})
		},
	}
}

// readAll reads attributes, and after them the units of registers that come without.
func (s *dlmsSession) readAll(all []cosem.Attribute) ([]readRow, error) {
	var rows []readRow
	read := func(a cosem.Attribute) error {
		if err := s.check(); err != nil {
			return err
		}
		r := readRow{attribute: a}
		if r.raw, r.err = s.Get(s.ctx, a); r.err == nil {
			r.value, r.err = axdr.ParseAll(r.raw)
		}
		rows = append(rows, r)
		return s.Err()
	}
	for _, a := range all {
		if err := read(a); err != nil {
			return rows, err
		}
	}
	for _, r := range rows {
		if _, has := unitOf(r.attribute, rows); has || r.err != nil {
			continue
		}
		unit := r.attribute
		switch {
		case (unit.Class == cosem.ClassRegister || unit.Class == cosem.ClassExtendedRegister) && unit.ID == 2:
			unit.ID = 3
		case unit.Class == cosem.ClassDemandRegister && (unit.ID == 2 || unit.ID == 3):
			unit.ID = 4
		default:
			continue
		}
		if err := read(unit); err != nil {
			return rows, err
		}
	}
	return rows, nil
}

// printRows prints the first n rows; those after them are only for their units.
func printRows(w io.Writer, rows []readRow, n int, asJSON bool) error {
	if asJSON {
		out := make([]map[string]any, 0, n)
		for _, r := range rows[:n] {
			out = append(out, r.json(rows))
		}
		return writeJSON(w, out)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "OBJECT\tATTRIBUTE\tVALUE")
	for _, r := range rows[:n] {
		name := attributeInfo(r.attribute).Name
		for i, line := range strings.Split(r.text(rows), "\n") {
			if i == 0 {
				fmt.Fprintf(t, "%s\t%s\t%s\n", r.attribute, name, line)
				continue
			}
			fmt.Fprintf(t, "\t\t%s\n", line)
		}
	}
	return t.Flush()
}

func (r *readRow) text(rows []readRow) string {
	if r.err != nil {
		return "! " + r.err.Error()
	}
	s := r.value.Indent("")
	if len(r.value.Items) > 0 && len(s) < 100 {
		s = r.value.String()
	}
	if note := r.note(rows); note != "" {
		s += " = " + note
	}
	return s
}

func (r *readRow) note(rows []readRow) string {
	if u, ok := unitOf(r.attribute, rows); ok {
		if n, err := r.value.AsInt(); err == nil {
			return quantity(n, u)
		}
	}
	return meaning(r.value, attributeInfo(r.attribute).Shape)
}

// quantity is a value in its unit, with as many decimals as its scaler says.
func quantity(n int64, u cosem.ScalerUnit) string {
	decimals := max(0, -int(u.Scaler))
	return strings.TrimSpace(strconv.FormatFloat(float64(n)*math.Pow10(int(u.Scaler)), 'f', min(decimals, 9), 64) + " " + u.Unit.String())
}

func (r *readRow) json(rows []readRow) map[string]any {
	m := map[string]any{
		"class": r.attribute.Class, "logicalName": r.attribute.Instance.String(), "attribute": r.attribute.ID,
		"name": attributeInfo(r.attribute).Name,
	}
	if r.err != nil {
		m["error"] = r.err.Error()
		return m
	}
	m["value"] = valueJSON(r.value)
	if note := r.note(rows); note != "" {
		m["meaning"] = note
	}
	return m
}

// valueJSON is a value as JSON: its type and content, numbers as numbers, bytes in hexadecimal.
func valueJSON(v axdr.Value) map[string]any {
	m := map[string]any{"type": v.Tag.String()}
	switch v.Tag {
	case axdr.TagNull, axdr.TagDontCare:
	case axdr.TagArray, axdr.TagStructure, axdr.TagCompactArray:
		items := make([]any, len(v.Items))
		for i, item := range v.Items {
			items[i] = valueJSON(item)
		}
		m["value"] = items
	case axdr.TagBool:
		m["value"] = v.Num != 0
	case axdr.TagVisibleString, axdr.TagUTF8:
		m["value"] = string(v.Bytes)
	case axdr.TagFloat32, axdr.TagFloat64:
		m["value"] = json.RawMessage("null")
		if f, err := v.AsFloat(); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
			m["value"] = f
		}
	default:
		if v.IsInteger() && v.Tag != axdr.TagBCD {
			m["value"] = json.RawMessage(v.Text())
			break
		}
		m["value"] = v.Text()
		if hint := v.Hint(); hint != "" {
			m["meaning"] = hint
		}
	}
	return m
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func newWriteCommand(o *dlmsOptions) *cobra.Command {
	return &cobra.Command{
		Use:   "write TARGET OBJECT/ATTRIBUTE VALUE",
		Short: "Write an attribute",
		Long: `write sets one attribute. A VALUE says its type, as in

  double-long-unsigned:5    boolean:true    enum:3    visible-string:"a text"
  octet-string:00FF         octet-string:"a text"     octet-string:obis:1-0:1.8.0
  octet-string:date-time:2026-07-01T18:02:05Z
  structure{integer:0, enum:30}             array{unsigned:1, unsigned:2}

or leaves it out where the class or the value that is there now tells it.`,
		Example: `  smets1 dlms write --profile meter.yaml - 8/0-0:1.0.0/time 2026-11-24T12:00:00Z
  smets1 dlms write --profile meter.yaml - 1/0-0:96.2.0/2 double-long-unsigned:7`,
		Args: exactly(3, "a target, an attribute and a value"),
		RunE: func(c *cobra.Command, args []string) error {
			m, err := parseMember(args[1])
			if err != nil {
				return err
			}
			if m.member == "" {
				return usageError{fmt.Errorf("%s: say which attribute is written, as in %s/2", args[1], args[1])}
			}
			return o.with(c, targetOf(args[0]), func(s *dlmsSession) error {
				attributes, err := (&view{s: s}).attributes(m)
				if err != nil {
					return err
				}
				a := attributes[0]
				info := attributeInfo(a)
				v, err := typedValue(args[2], info.Types, info.Shape, func() (axdr.Tag, error) {
					now, err := s.GetAxdr(s.ctx, a)
					return now.Tag, err
				})
				if err != nil {
					return err
				}
				if err := s.check(); err != nil {
					return err
				}
				if err := s.SetAxdr(s.ctx, a, v); err != nil {
					return err
				}
				if o.json {
					return writeJSON(c.OutOrStdout(), map[string]any{"attribute": a.String(), "written": valueJSON(v)})
				}
				fmt.Fprintf(c.OutOrStdout(), "%s %s: wrote %s\n", a, info.Name, v)
				return nil
			})
		},
	}
}

func exactly(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != n {
			return usageError{fmt.Errorf("%s wants %s (see %s --help)", c.CommandPath(), what, c.CommandPath())}
		}
		return nil
	}
}

func newCallCommand(o *dlmsOptions) *cobra.Command {
	return &cobra.Command{
		Use:   "call TARGET OBJECT/METHOD [VALUE]",
		Short: "Call a method",
		Long: `call runs one method of an object, by number or name, and prints what it
returns. The VALUE of its parameter is written as for write; where the class
wants an integer and none is given, it is 0. Methods act at once: this cuts off a
supply if the method is remote_disconnect.`,
		Example: `  smets1 dlms call --profile meter.yaml - 70/0-0:96.3.10/remote_reconnect
  smets1 dlms call --profile meter.yaml - 8/0-0:1.0.0/shift_time 30`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 3 {
				return nil
			}
			return exactly(2, "a target, a method and at most one value")(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			n, err := parseMember(args[1])
			if err != nil {
				return err
			}
			if n.member == "" {
				return usageError{fmt.Errorf("%s: say which method is called, as in %s/1", args[1], args[1])}
			}
			return o.with(c, targetOf(args[0]), func(s *dlmsSession) error {
				class, err := (&view{s: s}).class(n)
				if err != nil {
					return err
				}
				m := cosem.Method{Class: class, Instance: n.name}
				if m.ID, err = methodID(class, n.member); err != nil {
					return err
				}
				info, _ := cosem.LookupClass(class, 0xFF)
				method, _ := info.Method(m.ID)
				var parameter []byte
				if len(args) == 3 {
					v, err := typedValue(args[2], method.Types, method.Shape, nil)
					if err != nil {
						return err
					}
					if parameter, err = v.AppendBinary(nil); err != nil {
						return usageError{err}
					}
				} else if len(method.Types) == 1 && method.Types[0] == axdr.TagInt8 {
					parameter = axdr.AppendInt8(nil, 0)
				}
				if err := s.check(); err != nil {
					return err
				}
				answer, err := s.Action(s.ctx, m, parameter)
				if err != nil {
					return err
				}
				result := map[string]any{"method": m.String()}
				text := fmt.Sprintf("%s %s: done", m, method.Name)
				if len(answer) > 0 {
					v, err := axdr.ParseAll(answer)
					if err != nil {
						return err
					}
					result["returned"] = valueJSON(v)
					text += ", returned " + v.String()
				}
				if o.json {
					return writeJSON(c.OutOrStdout(), result)
				}
				fmt.Fprintln(c.OutOrStdout(), text)
				return nil
			})
		},
	}
}

func newListCommand(o *dlmsOptions) *cobra.Command {
	var class uint16
	c := &cobra.Command{
		Use:   "list TARGET",
		Short: "List the objects and what this association may do with them",
		Long: `list prints the association view. Rights are r (read), w (write) and x (call)
after the number of the attribute or method; a star says that requests must be
protected.`,
		Example: `  smets1 dlms list tcp://127.83.0.1
  smets1 dlms list --class 3 --profile meter.yaml -`,
		Args: exactly(1, "a target"),
		RunE: func(c *cobra.Command, args []string) error {
			return o.with(c, targetOf(args[0]), func(s *dlmsSession) error {
				v := &view{s: s}
				var err error
				if v.objects, err = s.Objects(s.ctx); err != nil {
					return err
				}
				return printObjects(c.OutOrStdout(), v, cosem.ClassID(class), o.json)
			})
		},
	}
	c.Flags().Uint16Var(&class, "class", 0, "only objects of this class")
	return c
}

func printObjects(w io.Writer, v *view, class cosem.ClassID, asJSON bool) error {
	version := v.associationVersion()
	out := []map[string]any{}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CLASS\tVERSION\tLOGICAL NAME\tATTRIBUTES\tMETHODS")
	for _, o := range v.objects {
		if class != 0 && o.Class != class {
			continue
		}
		attributes, methods := map[string]string{}, map[string]string{}
		var as, ms []string
		for _, a := range o.Attributes {
			r := rights(attributeAccess(version, a.Access), "rw")
			attributes[fmt.Sprint(a.ID)] = r
			as = append(as, fmt.Sprintf("%d%s", a.ID, r))
		}
		for _, m := range o.Methods {
			r := rights(methodAccess(version, m.Access), "x")
			methods[fmt.Sprint(m.ID)] = r
			ms = append(ms, fmt.Sprintf("%d%s", m.ID, r))
		}
		out = append(out, map[string]any{
			"class": o.Class, "className": o.Class.String(), "version": o.Version, "logicalName": o.Name.String(),
			"attributes": attributes, "methods": methods,
		})
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\n", o.Class, o.Version, o.Name, strings.Join(as, " "), strings.Join(ms, " "))
	}
	if asJSON {
		return writeJSON(w, out)
	}
	return t.Flush()
}

// rights is like "rw", "r*" with protection demanded, "-" for none.
func rights(m cosem.AccessMode, letters string) string {
	s := ""
	for i, letter := range letters {
		if m&(1<<i) != 0 {
			s += string(letter)
		}
	}
	switch {
	case s == "":
		return "-"
	case m&^cosem.AccessReadWrite != 0:
		s += "*"
	}
	return s
}

type profileOptions struct {
	from, to, entries string
	csv, epoch        bool
	page              uint32
}

func newProfileCommand(o *dlmsOptions) *cobra.Command {
	p := profileOptions{}
	c := &cobra.Command{
		Use:   "profile TARGET LOGICAL-NAME",
		Short: "Read the rows of a profile",
		Long: `profile prints the buffer of a profile (class 7) as a table, CSV or JSON, whole
or from --from to --to or only --entries. Times without an offset are UTC.`,
		Example: `  smets1 dlms profile --profile meter.yaml - 1-0:99.1.0 --from 2026-11-01 --to 2026-11-02
  smets1 dlms profile --profile meter.yaml - 1-0:99.1.0 --entries 1-48 --csv > november.csv`,
		Args: exactly(2, "a target and the logical name of a profile"),
		RunE: func(c *cobra.Command, args []string) error {
			m, err := parseMember(args[1])
			if err != nil {
				return err
			}
			if m.class != 0 && m.class != cosem.ClassProfileGeneric || m.member != "" {
				return usageError{fmt.Errorf("%s: want the logical name of a profile alone, as 1-0:99.1.0", args[1])}
			}
			rows, err := p.rows()
			if err != nil {
				return err
			}
			return o.with(c, targetOf(args[0]), func(s *dlmsSession) error {
				rows := rows
				var err error
				if rows.Columns, err = s.ProfileColumns(s.ctx, m.name); err != nil {
					return err
				}
				out := newRowWriter(c.OutOrStdout(), rows.Columns, p.csv, o.json)
				for row, err := range s.Profile(s.ctx, m.name, rows) {
					if err == nil {
						err = s.check()
					}
					if err == nil {
						err = out.row(row)
					}
					if err != nil {
						_ = out.close()
						return err
					}
				}
				return out.close()
			})
		},
	}
	f := c.Flags()
	f.StringVar(&p.from, "from", "", "first `TIME`: 2026-11-01 or 2026-11-01T00:30:00Z")
	f.StringVar(&p.to, "to", "", "last `TIME`, inclusive (default now)")
	f.StringVar(&p.entries, "entries", "", "rows by number from 1: `FIRST-LAST`, or FIRST- for all from there")
	f.BoolVar(&p.csv, "csv", false, "CSV instead of a table")
	f.BoolVar(&p.epoch, "epoch", false, "the meter counts time in seconds since 2000, as GBCS meters do")
	f.Uint32Var(&p.page, "page", 0, "rows to ask for at once with --entries (default all)")
	return c
}

func (p *profileOptions) rows() (client.Rows, error) {
	r := client.Rows{Epoch: p.epoch, Page: p.page}
	if p.entries != "" {
		if p.from != "" || p.to != "" {
			return r, usageError{fmt.Errorf("--entries does not go with --from and --to")}
		}
		first, last, ranged := strings.Cut(p.entries, "-")
		n, err := strconv.ParseUint(first, 10, 32)
		if err != nil || n == 0 {
			return r, usageError{fmt.Errorf("--entries %q: want FIRST-LAST, from 1", p.entries)}
		}
		r.First, r.Last = uint32(n), uint32(n)
		if ranged {
			r.Last = 0
		}
		if last != "" {
			n, err := strconv.ParseUint(last, 10, 32)
			if err != nil || uint32(n) < r.First {
				return r, usageError{fmt.Errorf("--entries %q: want FIRST-LAST, the last not before the first", p.entries)}
			}
			r.Last = uint32(n)
		}
		return r, nil
	}
	if p.from == "" && p.to == "" {
		return r, nil
	}
	r.From, r.To = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), time.Now().UTC()
	for _, t := range []struct {
		flag, text string
		to         *time.Time
	}{{"--from", p.from, &r.From}, {"--to", p.to, &r.To}} {
		if t.text == "" {
			continue
		}
		d, err := axdr.ParseDateTimeText(t.text)
		if err == nil {
			*t.to, err = d.In(time.UTC)
		}
		if err != nil {
			return r, usageError{fmt.Errorf("%s: %w", t.flag, err)}
		}
	}
	if r.To.Before(r.From) {
		return r, usageError{fmt.Errorf("--to is before --from")}
	}
	return r, nil
}

// rowWriter writes rows of a profile as they come.
type rowWriter struct {
	table   *tabwriter.Writer
	csv     *csv.Writer
	json    *json.Encoder
	columns []string
}

func newRowWriter(w io.Writer, columns []cosem.CaptureObject, asCSV, asJSON bool) *rowWriter {
	r := &rowWriter{}
	for _, c := range columns {
		name := c.Attribute.String()
		if c.DataIndex != 0 {
			name += "[" + fmt.Sprint(c.DataIndex) + "]"
		}
		r.columns = append(r.columns, name)
	}
	switch {
	case asJSON:
		r.json = json.NewEncoder(w)
	case asCSV:
		r.csv = csv.NewWriter(w)
		_ = r.csv.Write(r.columns)
	default:
		r.table = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(r.table, strings.Join(r.columns, "\t"))
	}
	return r
}

func (r *rowWriter) row(row client.Row) error {
	if r.json != nil {
		m := make(map[string]any, len(row.Cells))
		for i, v := range row.Cells {
			m[r.columns[i]] = valueJSON(v)
		}
		if !row.Time.IsZero() {
			m["time"] = row.Time.UTC().Format(time.RFC3339)
		}
		return r.json.Encode(m)
	}
	cells := make([]string, len(row.Cells))
	for i, v := range row.Cells {
		cells[i] = v.Text()
		if c := row.Columns[i]; c.Attribute.Class == cosem.ClassClock && c.Attribute.ID == 2 {
			if d, err := v.AsDateTime(); err == nil {
				cells[i] = d.String()
				if r.csv != nil && d.Specified() {
					if t, err := d.In(time.UTC); err == nil {
						cells[i] = t.UTC().Format(time.RFC3339)
					}
				}
			}
		}
	}
	if r.csv != nil {
		return r.csv.Write(cells)
	}
	_, err := fmt.Fprintln(r.table, strings.Join(cells, "\t"))
	return err
}

func (r *rowWriter) close() error {
	switch {
	case r.csv != nil:
		r.csv.Flush()
		return r.csv.Error()
	case r.table != nil:
		return r.table.Flush()
	}
	return nil
}
