package report

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/migration/document"
)

var at = time.Date(2019, 7, 15, 8, 0, 0, 0, time.UTC)

func id(n byte) document.EUI { return document.EUI{0, 0xDB, 0x12, 1, 0, 0, 0, n} }

func data() Data {
	supplier := document.EUI{9}
	meter := func(n byte, s document.Status) document.Device {
		return document.Device{Type: document.ESME, ID: document.EUI{2, n}, MPxN: "2012345678906", Supplier: supplier, NetworkOperator: document.EUI{7}, Status: s}
	}
	home := func(n byte, cohort string, s document.Status) document.Installation {
		return document.Installation{ID: id(n), GroupID: "AA", S1SP: "CGI", Cohort: cohort, Devices: []document.Device{{Type: document.CHF, ID: id(n)}, meter(n, s)}}
	}
	d := Data{AsAt: at, GeneratedBy: "smets1 test", Portfolio: document.NewPortfolio([]document.Installation{
		home(1, "IOC", document.Active), home(2, "IOC", document.Dormant), home(3, "MOC", document.Active), home(4, "MOC", document.Active),
	})}
	for i, s := range []Standing{Migrated, Remaining, Excluded, Withdrawn} {
		in := &d.Portfolio.Installations[i]
		h := Home{Installation: in.ID, GroupID: "AA", Cohort: in.Cohort, Status: in.Status(), Phase: "Commissioning", Outcome: "Commissioned", Attempts: 1,
			Start: at, End: at.Add(90 * time.Second), Standing: s, Attempted: true,
			Meters: []Meter{{Fuel: document.Electricity, MPxN: "2012345678906", DeviceID: in.Devices[1].ID, Supplier: supplier, Outcome: "Commissioned"}}}
		d.Homes = append([]Home{h}, d.Homes...) // in another order than the report's
	}
	d.Homes[0].Code, d.Homes[0].NextStep, d.Homes[0].End = "GT01", "=HYPERLINK(\"x\")", time.Time{}
	d.Moves = moves()
	d.Files = []string{"MCF_CGI_70-B3-D5-1F-30-00-A0-01_000000000001_20190715_080000.xml", "MCVF_CGI_70-B3-D5-1F-30-00-A0-02_000000000001_20190715_080600.xml",
		"COF_CGI_70-B3-D5-1F-30-00-A0-02_000000000001_20190715_083000.xml", "MCF_CGI_70-B3-D5-1F-30-00-A0-01_000000000002_20190715_080000.xml", "notes.txt"}
	d.Notices = []DormantNotice{{Supplier: supplier, Installation: id(2), Meter: document.EUI{2, 2}}, {Supplier: supplier, Meter: document.EUI{2, 2}, Firmware: true},
		{Supplier: document.EUI{8}, Meter: document.EUI{2, 2}, Cancelled: true}}
	d.Days = []CapacityDay{{S1SP: "cgi", Day: document.Date{Year: 2019, Month: 7, Day: 15}, Capacity: 8, Dormant: 2, Demand: 12, Allocated: 8}}
	d.Commitments = []Commitment{{Supplier: supplier, S1SP: "CGI", Week: document.Date{Year: 2019, Month: 7, Day: 15}, Demand: 12, Allocated: 8, Authorised: 7}}
	d.Forecast = []ForecastPoint{{Week: document.Date{Year: 2019, Month: 7, Day: 15}, Migrated: 2, Remaining: 2}, {Week: document.Date{Year: 2019, Month: 7, Day: 22}, Migrated: 4}}
	specs, err := document.DefaultSpecs()
	if err != nil {
		panic(err)
	}
	d.Catalogue = specs.Catalogue
	return d
}

// moves is the trail of the four homes: 1 is migrated at the second attempt, 2 is dormant and waits, 3 is excluded, 4 withdrawn.
func moves() []Record {
	const set = "AA-70B3D51F3000A001-000000000001"
	var out []Record
	n := time.Duration(0)
	move := func(home byte, from, to, artefact, code string) {
		n++
		out = append(out, Record{Seq: uint64(n), Time: at.Add(n * time.Minute), Who: "RP", Installation: id(home), From: from, To: to, Artefact: artefact, Code: code})
	}
	move(1, "Candidate", "Planned", "", "")
	move(1, "Planned", "Authorised", "MA_x.zip#2", "")
	move(1, "Authorised", "Ready", "", "")
	move(1, "Validated", "Quiesced", set, "")
	move(1, "Quiesced", "ViabilityFailed", "", "GT01")
	move(1, "ViabilityFailed", "RollingBack", "", "")
	move(1, "RollingBack", "RolledBack", "", "")
	move(1, "RetryWait", "Planned", "", "")
	move(1, "Planned", "Authorised", "MA_x.zip#2", "")
	move(1, "Validated", "Quiesced", set, "")
	move(1, "Commissioning", "Migrated", "", "")
	move(2, "Planned", "Notified", "DMMS_x.csv", "")
	move(2, "Notified", "Ready", "", "")
	move(2, "Notified", "RetryWait", "", "XPC04")
	move(3, "RetryWait", "Excluded", "", "XPC04")
	move(4, "Planned", "Withdrawn", "", "")
	return out
}

func rows(t *testing.T, report string, d Data) [][]string {
	t.Helper()
	tab, err := Build(report, d)
	require.NoError(t, err)
	return tab.Rows
}

func TestR02OfADay(t *testing.T) {
	d := data()
	want := [][]string{{document.EUI{7}.String(), "E", "2012345678906", document.EUI{2, 1}.String(), id(1).String(), "CGI", "2019-07-15T08:11:00Z"}}
	require.Equal(t, want, rows(t, "R02", d))
	d.Day = document.Date{Year: 2019, Month: 7, Day: 15}
	require.Equal(t, want, rows(t, "R02", d))
	d.Day = document.Date{Year: 2019, Month: 7, Day: 16}
	require.Empty(t, rows(t, "R02", d))
}

func TestR03ToR06(t *testing.T) {
	d := data()
	nine := document.EUI{9}.String()
	require.Equal(t, [][]string{{"2019-07-15", nine, "12", "8", "7", "2", "1", "3", "XPC04 2; GT01 1", "50.0"}}, rows(t, "R03", d))
	require.Equal(t, [][]string{{"2019-07-15", "CGI", "8", "2", "12", "8", "2", "20.0"}}, rows(t, "R04", d))
	require.Equal(t, [][]string{{document.EUI{8}.String(), "0", "0", "0", "0", "1", "0"}, {nine, "1", "1", "1", "0", "0", "1"}}, rows(t, "R05", d))
	r06 := rows(t, "R06", d)
	require.Equal(t, []string{"XPC04", "ours", "precondition", "SMSO", "2", "2", "1.0", "0"}, r06[0][:8])
	require.Equal(t, []string{"GT01", "published", "viability", "SMSO", "1", "1", "2.0", ""}, r06[1][:8], "a home that was migrated in the end has nothing open")
	require.NotEmpty(t, r06[0][9])

	d.Supplier = document.EUI{5}
	require.Empty(t, rows(t, "R03", d))
	require.Empty(t, rows(t, "R05", d))
	d = data()
	d.Commitments = nil
	require.Equal(t, "2", rows(t, "R03", d)[0][4], "without files, what was authorised is counted from the trail")
	d.Catalogue = nil
	require.Equal(t, "Not in the code catalogue.", rows(t, "R06", d)[0][8])
}

func TestR07(t *testing.T) {
	r := rows(t, "R07", data())
	require.Contains(t, r, []string{"Migrated", "IOC", "Active", "1", "installations"})
	require.Contains(t, r, []string{"Coverage", "All", "All", "33.3", "percent of installations not excluded"})
	require.Contains(t, r, []string{"Success rate", "All", "All", "25.0", "percent of installations attempted"})
	require.Contains(t, r, []string{"Excluded: no reason recorded", "All", "All", "1", "installations"})
	require.Contains(t, r, []string{"Forecast: last week", "All", "All", "2019-07-22", "first day of the week"})
}

func TestR08AndR10(t *testing.T) {
	d := data()
	rp := "70-B3-D5-1F-30-00-A0-01"
	require.Equal(t, [][]string{{"AA", rp, "1", "6.0", "30.0", "1", "1", "0", "0"}}, rows(t, "R08", d))
	require.Equal(t, [][]string{{"AA", rp, "4", "1", "2", "1", "0", "N", "1 installations remain, 0 incidents are open"}}, rows(t, "R10", d))
	for i := range d.Homes {
		d.Homes[i].Standing = Migrated
	}
	require.Equal(t, "Y", rows(t, "R10", d)[0][7])
	d.Portfolio = nil
	for _, id := range []string{"R02", "R03", "R04", "R05", "R07", "R08", "R10"} {
		_, err := Build(id, d)
		require.Error(t, err, id)
	}
}

func TestPage(t *testing.T) {
	d := data()
	d.Homes[0].Code = "<script>alert(1)</script>"
	d.GeneratedBy = "<b>smets1</b>"
	var b bytes.Buffer
	require.NoError(t, WritePage(&b, d))
	page := b.String()
	require.NotContains(t, page, "<script", "no script, ours or anybody's")
	require.NotContains(t, page, "<b>smets1</b>")
	require.NotRegexp(t, `(src|href)=|url\(|@import`, page, "nothing from elsewhere")
	for _, want := range []string{"IOC, active", "IOC, dormant", "MOC, active", "GT01", "XPC04", "2019-07-22", `class="expected"`, `class="room"`, "@media print", "width=device-width"} {
		require.Contains(t, page, want)
	}
	require.NotContains(t, page, "does not balance")
	require.NotContains(t, page, "ZgotmplZ")

	d.Homes = d.Homes[1:]
	b.Reset()
	require.NoError(t, WritePage(&b, d))
	require.Contains(t, b.String(), "does not balance")
	b.Reset()
	require.NoError(t, WritePage(&b, Data{AsAt: at, Portfolio: document.NewPortfolio(nil)}), "nothing yet is a state too")
	require.Error(t, WritePage(&b, Data{}))
}

// A run that was written to a folder gives the same reports when it is read back, and none when its trail was changed.
func TestLoadRun(t *testing.T) {
	specs, err := document.DefaultSpecs()
	require.NoError(t, err)
	d, dir := data(), t.TempDir()
	var audit bytes.Buffer
	trail := NewTrail(&audit, Head{})
	for _, m := range d.Moves {
		_, err := trail.Append(m)
		require.NoError(t, err)
	}
	write := func(name string, b []byte) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	write("audit.jsonl", audit.Bytes())
	out, err := Build("OUT", d)
	require.NoError(t, err)
	var j bytes.Buffer
	require.NoError(t, out.WriteJSON(&j))
	write("outcome.json", j.Bytes())
	for _, f := range d.Files {
		write("files/"+f, nil)
	}
	write("files/DMMS_CGI_90-00-00-00-00-00-00-00_20190701_080000.csv", []byte("not a notice"))

	run, err := LoadRun(specs, dir, d.Portfolio)
	require.NoError(t, err)
	require.Equal(t, trail.Head(), run.Head)
	require.Equal(t, []string{"XDF01"}, run.Problems.Codes())
	for _, id := range []string{"R02", "R06", "R08", "R10"} {
		want, got := rows(t, id, d), rows(t, id, run.Data)
		require.Equal(t, want, got, id)
	}
	names, err := WriteAll(filepath.Join(dir, "reports"), run.Data)
	require.NoError(t, err)
	require.Len(t, names, 2*len(Reports)+1)
	require.Contains(t, names, "R01-daily-outcome.csv")

	in, err := FindInstallation(d.Portfolio, id(1).String())
	require.NoError(t, err)
	story, err := run.Tell(specs, in)
	require.NoError(t, err)
	require.Equal(t, "Migrated", story.State)
	require.Len(t, story.Chapters, 11)
	var text strings.Builder
	require.NoError(t, story.Write(&text, 80))
	for _, want := range []string{
		"Home 00-DB-12-01-00-00-00-01, IOC, group AA with CGI, active\n",
		"Monday 15 July 2019\n",
		"  08:05:00  RP   Quiesced → ViabilityFailed: a device test failed\n                 GT01: The gas meter does not answer over the home area network.\n",
		"remedy (SMSO): Check the gas meter's battery and radio;",
		"by MA_x.zip#2\n",
		"Now: Migrated, outcome Commissioned",
	} {
		require.Contains(t, text.String(), want)
	}
	for _, line := range strings.Split(text.String(), "\n")[4:] {
		require.LessOrEqual(t, len([]rune(line)), 100, line)
	}
	for _, key := range []string{document.EUI{2, 1}.String(), strings.ToLower(id(1).String())} {
		same, err := FindInstallation(d.Portfolio, key)
		require.NoError(t, err)
		require.Equal(t, in.ID, same.ID)
	}
	same, err := FindInstallation(d.Portfolio, "2012345678906")
	require.NoError(t, err)
	require.NotNil(t, same)
	_, err = FindInstallation(d.Portfolio, "nowhere")
	require.ErrorContains(t, err, `"nowhere"`)

	write("audit.jsonl", bytes.Replace(audit.Bytes(), []byte("GT01"), []byte("GT02"), 1))
	_, err = LoadRun(specs, dir, d.Portfolio)
	require.ErrorIs(t, err, ErrTrail)
	_, err = LoadRun(specs, t.TempDir(), d.Portfolio)
	require.ErrorContains(t, err, "is not the folder of a run")
}

func TestReports(t *testing.T) {
	for _, def := range Reports {
		tab, err := Build(def.ID, data())
		require.NoError(t, err)
		var c bytes.Buffer
		require.NoError(t, tab.WriteCSV(&c))
		require.NoError(t, VerifyCSV(bytes.NewReader(c.Bytes())))
		require.Contains(t, c.String(), "# AsAt: 2019-07-15T08:00:00Z\n# GeneratedBy: smets1 test\n# Checksum: "+tab.Checksum+"\n"+strings.Join(def.Columns, ","))
		require.NotContains(t, c.String(), ",=", "no cell is a formula")
		changed := bytes.Replace(c.Bytes(), []byte("IOC"), []byte("FOC"), 1)
		if bytes.Contains(c.Bytes(), []byte("IOC")) {
			require.ErrorIs(t, VerifyCSV(bytes.NewReader(changed)), ErrChecksum)
		}
		var j bytes.Buffer
		require.NoError(t, tab.WriteJSON(&j))
		var back struct {
			ID, AsAt, GeneratedBy, Checksum string
			Columns                         []string
			Rows                            []map[string]string
		}
		require.NoError(t, json.Unmarshal(j.Bytes(), &back))
		require.Equal(t, []string{def.ID, "2019-07-15T08:00:00Z", "smets1 test", tab.Checksum}, []string{back.ID, back.AsAt, back.GeneratedBy, back.Checksum})
		require.Len(t, back.Rows, len(tab.Rows))
		require.Len(t, back.Rows[0], len(def.Columns))
	}
	_, err := Build("R99", data())
	require.Error(t, err)
	require.ErrorIs(t, VerifyCSV(strings.NewReader("a,b\n")), ErrChecksum)
	require.ErrorIs(t, VerifyCSV(strings.NewReader("")), ErrChecksum)
	require.Error(t, VerifyCSV(strings.NewReader("# cut")))
}

func TestOutcomeRows(t *testing.T) {
	tab, err := Build("OUT", data())
	require.NoError(t, err)
	require.Equal(t, [][]string{
		{id(1).String(), "AA", "IOC", "Active", "Commissioning", "Commissioned", "", "1", "2019-07-15T08:00:00Z", "2019-07-15T08:01:30Z", "90", ""},
	}, tab.Rows[:1])
	require.Equal(t, []string{"GT01", "1", "2019-07-15T08:00:00Z", "", "", "=HYPERLINK(\"x\")"}, tab.Rows[3][6:])
	require.Equal(t, "'=1", tame("=1"))
	require.Equal(t, "-1.5", tame("-1.5"))
	require.Equal(t, "'-1+2", tame("-1+2"))
	require.Equal(t, "", tame(""))
}

func TestR01BySupplier(t *testing.T) {
	d := data()
	d.Supplier = document.EUI{8}
	tab, err := Build("R01", d)
	require.NoError(t, err)
	require.Empty(t, tab.Rows)
	d.Supplier = document.EUI{9}
	tab, err = Build("R01", d)
	require.NoError(t, err)
	require.Len(t, tab.Rows, 4)
}

func TestR09BalancesOrSaysSo(t *testing.T) {
	tab, err := Build("R09", data())
	require.NoError(t, err)
	require.Equal(t, [][]string{
		{"IOC", "Active", "1", "1", "0", "0", "0", "0"},
		{"IOC", "Dormant", "1", "0", "1", "0", "0", "0"},
		{"MOC", "Active", "2", "0", "0", "1", "1", "0"},
		{"All", "All", "4", "1", "1", "1", "1", "0"},
	}, tab.Rows)

	d := data()
	d.Homes = d.Homes[1:]
	tab, err = Build("R09", d)
	require.ErrorIs(t, err, ErrImbalance)
	require.Equal(t, "1", tab.Rows[3][7], "the table shows where")

	d = data()
	d.Homes[0] = d.Homes[1] // one lost, one twice: the sum is right, the account is not
	_, err = Build("R09", d)
	require.ErrorIs(t, err, ErrImbalance)

	d = data()
	stranger := d.Homes[0]
	stranger.Installation = id(77)
	d.Homes = append(d.Homes, stranger)
	_, err = Build("R09", d)
	require.ErrorIs(t, err, ErrImbalance)

	d = data()
	d.Homes[0].Standing = "lost"
	_, err = Build("R09", d)
	require.ErrorIs(t, err, ErrImbalance)

	d.Portfolio = nil
	_, err = Build("R09", d)
	require.Error(t, err)
	require.NotErrorIs(t, err, ErrImbalance)
}
