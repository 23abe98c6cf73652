package report

import (
	"bytes"
	"encoding/json"
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
		return document.Device{Type: document.ESME, ID: document.EUI{2, n}, MPxN: "2012345678906", Supplier: supplier, Status: s}
	}
	home := func(n byte, cohort string, s document.Status) document.Installation {
		return document.Installation{ID: id(n), Cohort: cohort, Devices: []document.Device{{Type: document.CHF, ID: id(n)}, meter(n, s)}}
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
	return d
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
