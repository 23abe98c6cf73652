package report

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Table is a finished report.
type Table struct {
	ID          string     `json:"id"`
	Title       string     `json:"title"`
	Audience    string     `json:"audience"`
	Provenance  string     `json:"provenance"`
	AsAt        time.Time  `json:"asAt"`
	GeneratedBy string     `json:"generatedBy"`
	Checksum    string     `json:"checksum"` // SHA-256 of the CSV from the header row on, hexadecimal
	Columns     []string   `json:"columns"`
	Rows        [][]string `json:"-"`
}

// seal computes the checksum.
func (t *Table) seal() error {
	b, err := t.body()
	if err != nil {
		return err
	}
	sum := sha256.Sum256(b)
	t.Checksum = hex.EncodeToString(sum[:])
	return nil
}

func (t *Table) body() ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if err := w.Write(t.Columns); err != nil {
		return nil, err
	}
	for i, r := range t.Rows {
		if len(r) != len(t.Columns) {
			return nil, fmt.Errorf("report %s row %d: %d cells for %d columns", t.ID, i+1, len(r), len(t.Columns))
		}
		safe := make([]string, len(r))
		for j, c := range r {
			safe[j] = tame(c)
		}
		if err := w.Write(safe); err != nil {
			return nil, err
		}
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

// tame keeps a spreadsheet from taking a cell for a formula: a device may report any text as
// its name. Negative numbers stay as they are.
func tame(c string) string {
	if c == "" || !strings.ContainsRune("=+-@\t\r", rune(c[0])) {
		return c
	}
	if c[0] == '-' && strings.Trim(c[1:], "0123456789.") == "" {
		return c
	}
	return "'" + c
}

// WriteCSV writes the report as CSV, after comment lines that start with "# " and carry the
// identifier, AsAt, GeneratedBy and Checksum.
func (t *Table) WriteCSV(w io.Writer) error {
	b, err := t.body()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "# Report: %s %s (%s)\n# AsAt: %s\n# GeneratedBy: %s\n# Checksum: %s\n%s",
		t.ID, t.Title, t.Provenance, t.AsAt.UTC().Format(time.RFC3339), t.GeneratedBy, t.Checksum, b)
	return err
}

// WriteJSON writes the report as one JSON object whose rows are objects by column name.
func (t *Table) WriteJSON(w io.Writer) error {
	type row = map[string]string
	out := struct {
		*Table
		Rows []row `json:"rows"`
	}{Table: t, Rows: make([]row, 0, len(t.Rows))}
	for _, r := range t.Rows {
		m := row{}
		for i, c := range r {
			m[t.Columns[i]] = c
		}
		out.Rows = append(out.Rows, m)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(out)
}

// ErrChecksum means that a report's lines are not those that its checksum was made of.
var ErrChecksum = errors.New("the report was changed after it was written: its checksum does not match")

// VerifyCSV reads a CSV report and compares its checksum.
func VerifyCSV(r io.Reader) error {
	br := bufio.NewReader(r)
	want := ""
	for {
		c, err := br.Peek(1)
		if err != nil || c[0] != '#' {
			break
		}
		line, err := br.ReadString('\n')
		if err != nil {
			return fmt.Errorf("reading the report's head: %w", err)
		}
		if s, ok := strings.CutPrefix(line, "# Checksum: "); ok {
			want = strings.TrimSpace(s)
		}
	}
	if want == "" {
		return fmt.Errorf("%w (there is no checksum line)", ErrChecksum)
	}
	h := sha256.New()
	if _, err := io.Copy(h, br); err != nil {
		return err
	}
	if hex.EncodeToString(h.Sum(nil)) != want {
		return ErrChecksum
	}
	return nil
}
