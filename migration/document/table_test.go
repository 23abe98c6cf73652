package document

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestGoodTables reads every document as written, with CRLF, and with a byte order mark, and
// writes it again octet for octet.
func TestGoodTables(t *testing.T) {
	w := newWorld(t)
	for document, g := range goodTables(t, w) {
		b := g.bytes(t)
		for _, form := range [][]byte{b, bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n")), append([]byte("\xef\xbb\xbf"), b...), bytes.TrimRight(b, "\n")} {
			ps, n := readBad(t, w, document, map[string][]byte{tableNames[document]: form})
			require.Empty(t, ps, document)
			require.NotZero(t, n)
		}
	}
	g := goodTables(t, w)
	var out bytes.Buffer
	p, ps := ReadPortfolio(w.specs, "p.csv", bytes.NewReader(g["PORTFOLIO"].bytes(t)))
	require.Empty(t, ps)
	require.NoError(t, WritePortfolio(&out, w.specs, p))
	require.Equal(t, string(g["PORTFOLIO"].bytes(t)), out.String())
	for i := range p.Installations {
		p.Installations[i].Line = 0
	}
	require.Equal(t, w.portfolio.Installations, p.Installations)
	in, ok := p.ByDevice(w.portfolio.Installations[1].Devices[2].ID)
	require.True(t, ok)
	require.Equal(t, w.portfolio.Installations[1].ID, in.ID)
	require.Equal(t, Active, in.Status())
	in.Devices[1].Status = Dormant
	require.Equal(t, Dormant, in.Status())
	_, ok = p.Installation(EUI{1})
	require.False(t, ok)
	_, ok = p.ByDevice(EUI{1})
	require.False(t, ok)

	out.Reset()
	l, ps := ReadEPCL(w.specs, "e.csv", bytes.NewReader(g["EPCL"].bytes(t)))
	require.Empty(t, ps)
	require.NoError(t, WriteEPCL(&out, w.specs, l))
	require.Equal(t, string(g["EPCL"].bytes(t)), out.String())
}

func TestTruncatedTables(t *testing.T) {
	w := newWorld(t)
	name, err := ParseName(maName)
	require.NoError(t, err)
	for document, g := range goodTables(t, w) {
		b := g.bytes(t)
		for i := range b {
			var ps Problems
			n := 0
			if document == "MA" { // without its container, which has its own test
				var a *Authorisation
				if a, ps = (&AuthorisationReader{Specs: w.specs}).ReadPlain(name, b[:i]); a != nil {
					n = len(a.Rows)
				}
			} else {
				ps, n = readBad(t, w, document, map[string][]byte{tableNames[document]: b[:i]})
			}
			require.LessOrEqual(t, n, len(g)-1)
			if document == "DC" || document == "DR" { // whose number of rows is fixed: cut, they are refused as a whole
				require.True(t, ps.FileFailed() || n >= len(g)-2, "%s cut at %d", document, i)
				continue
			}
			if i < bytes.IndexByte(b, '\n') {
				require.True(t, ps.FileFailed(), "%s: half a header", document)
			} else {
				require.LessOrEqual(t, len(ps.Codes()), 1, "only the last row can be at fault")
				require.GreaterOrEqual(t, n+1, bytes.Count(b[:i], []byte("\n"))-1)
			}
		}
	}
}

func TestTableLimits(t *testing.T) {
	w := newWorld(t)
	head := strings.Join(goodTables(t, w)["MAR"][0], ",") + "\n"
	lay, err := w.specs.Layout("MAR")
	require.NoError(t, err)

	read := func(r io.Reader) Problems {
		_, ps := ReadResponse(w.specs, tableNames["MAR"], r)
		return ps
	}
	// A file without end is read to its limit and no further.
	endless := &counter{}
	ps := read(io.MultiReader(strings.NewReader(head), endless))
	require.Equal(t, []string{"XDF03", "XDF02"}, ps.Codes())
	require.LessOrEqual(t, endless.n, lay.MaxBytes)
	ps = read(io.MultiReader(strings.NewReader(head+`1,,Rejected,"`), &counter{fill: 'x'}))
	require.Equal(t, []string{"XDF02"}, ps.Codes(), "one endless cell")
	ps = read(strings.NewReader(head + strings.Repeat("1,,Accepted,,,\n", lay.MaxRows+1)))
	require.Equal(t, []string{"XDF02"}, ps.Codes())
	require.Contains(t, ps[0].What, "more than 50000 records")
	require.Equal(t, []string{"XDF02"}, read(errReader{io.ErrUnexpectedEOF}).Codes())
}

// counter yields an endless file: bad rows, or one octet for ever.
type counter struct {
	n    int64
	fill byte
}

func (c *counter) Read(p []byte) (int, error) {
	for i := range p {
		if p[i] = c.fill; c.fill == 0 {
			p[i] = "x,\n"[(c.n+int64(i))%3]
		}
	}
	c.n += int64(len(p))
	return len(p), nil
}

func TestWriteTableRefuses(t *testing.T) {
	w := newWorld(t)
	require.Error(t, WriteTable(io.Discard, w.specs, "NONE", slices.Values([][]string{{}})))
	require.Error(t, WriteTable(io.Discard, w.specs, "MAR", slices.Values([][]string{{"1"}})))
	require.Error(t, WriteTable(io.Discard, w.specs, "MAR", slices.Values([][]string{{"1", "", "Rejected", "XMA05", "=1+1", ""}})), "what we write we would read")
	two := testHome(1)
	two.Devices = append(two.Devices, Device{Type: IHD, ID: EUI{5}, Manufacturer: "m", Model: "m", Firmware: "1"})
	require.Error(t, WritePortfolio(io.Discard, w.specs, NewPortfolio([]Installation{two})))
	_, err := NewTable(w.specs, "NONE", "x")
	require.Error(t, err)
}

func TestProblemsTellAll(t *testing.T) {
	w := newWorld(t)
	p := w.specs.Problem("a.csv", 3, "MPxN", "XMA05", "Found 1.")
	require.Equal(t, "a.csv:3: MPxN: XMA05: Found 1. Remedy: Correct the cell and submit the row again in a new file; the other rows stand.", p.Error())
	ps := Problems{p, w.specs.Problem("a.csv", 0, "", "XMA04", "Bad.")}
	require.True(t, ps.FileFailed())
	require.False(t, ps[:1].FileFailed())
	require.Len(t, ps.Row(3), 1)
	require.Equal(t, []string{"XMA05", "XMA04"}, ps.Codes())
	require.ErrorContains(t, ps.Err(), "XMA04")
	require.NoError(t, Problems(nil).Err())
}

func TestEPCLMatch(t *testing.T) {
	w := newWorld(t)
	c := w.portfolio.Installations[0].Combination()
	day := Date{2019, 7, 15}
	e, ok, _ := w.facts.EPCL.Match(c, day)
	require.True(t, ok)
	require.Equal(t, "E1", e.EntryID)
	_, ok, why := w.facts.EPCL.Match(c, Date{2018, 12, 31})
	require.False(t, ok)
	require.Contains(t, why, "from 2019-01-01 only")
	upper := c
	upper.CommsProvider = "VODAFONE"
	_, ok, _ = w.facts.EPCL.Match(upper, day)
	require.True(t, ok)
	old := c
	old.ESME.Firmware = "01"
	_, ok, why = w.facts.EPCL.Match(old, day)
	require.False(t, ok)
	require.Contains(t, why, "AS300P 01")
	require.Len(t, w.facts.EPCL.Targets(old, day), 1)
	old.ESME.Model = "other"
	require.Empty(t, w.facts.EPCL.Targets(old, day))
	_, ok = w.facts.EPCL.Entry("E1")
	require.True(t, ok)
	_, ok = w.facts.EPCL.Entry("E2")
	require.False(t, ok)
	l := NewEPCL([]EPCLEntry{{EntryID: "P", Combination: c, Status: PendingEntry}})
	_, ok, why = l.Match(c, day)
	require.False(t, ok)
	require.Contains(t, why, "pending")
}

func FuzzTable(f *testing.F) {
	specs, err := DefaultSpecs()
	require.NoError(f, err)
	w := newWorld(f)
	for _, g := range goodTables(f, w) {
		f.Add(g.bytes(f))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, document := range specs.Documents() {
			tab, err := NewTable(specs, document, "f.csv")
			require.NoError(t, err)
			var rows [][]string
			for r := range tab.Rows(bytes.NewReader(b)) {
				require.Equal(t, len(rows)+1 <= r.Record, true)
				rows = append(rows, r.cells)
			}
			if tab.Problems().FileFailed() || len(tab.Problems()) > 0 {
				continue
			}
			// What is read without a problem is written, and reads as the same.
			var out bytes.Buffer
			require.NoError(t, WriteTable(&out, specs, document, slices.Values(rows)))
			again, err := NewTable(specs, document, "f.csv")
			require.NoError(t, err)
			var back [][]string
			for r := range again.Rows(&out) {
				back = append(back, r.cells)
			}
			require.Empty(t, again.Problems())
			require.Equal(t, rows, back)
		}
	})
}
