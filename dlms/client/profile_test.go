package client

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

var profileColumns = []cosem.CaptureObject{
	{Attribute: clockTime}, {Attribute: cosem.Attribute{Class: 3, Instance: cosem.MustOBIS("1-0:1.8.0.255"), ID: 2}},
}

const buffer = "0007 0100630100FF 02"

// A meter may leave out what follows from the row before: null-data is the same value again, or in the clock's column the
// time one capture period on.
func TestProfileFills(t *testing.T) {
	c, _ := open(t, Config{},
		scriptStep{"C001C1 " + buffer + " 00", []string{`C401C1 00 0104
			0202 090C 07E8 06 01 06 00 00 00 00 0000 00 0600000001
			0202 00 0600000002
			0202 00 00
			0202 090C 07E8 06 01 06 05 00 00 00 8000 FF 0600000003`}},
		scriptStep{"C001C2 0007 0100630100FF 04 00", []string{"C401C2 00 0600000708"}},
	)
	var times []time.Time
	var values []uint64
	for row, err := range c.Profile(t.Context(), profileName, Rows{Columns: profileColumns}) {
		require.NoError(t, err)
		v, err := row.Cells[1].AsUint()
		require.NoError(t, err)
		times, values = append(times, row.Time), append(values, v)
		_, err = row.Cells[0].AsDateTime()
		require.NoError(t, err)
	}
	at := time.Date(2024, 6, 1, 0, 0, 0, 0, time.UTC)
	require.Equal(t, []uint64{1, 2, 2, 3}, values)
	require.Equal(t, []time.Time{at, at.Add(30 * time.Minute), at.Add(time.Hour), at.Add(5 * time.Hour)}, times)
}

func TestProfileSelection(t *testing.T) {
	at := time.Date(2024, 6, 1, 0, 0, 0, 0, time.UTC)
	const clock = "0204 12 0008 0906 0000010000FF 0F02 12 0000"
	gbcs := cosem.CaptureObject{Attribute: cosem.Attribute{Class: 1, Instance: cosem.MustOBIS("0-0:94.44.100.255"), ID: 2}}
	for _, tt := range []struct {
		rows Rows
		want string
	}{
		{Rows{}, "00"},
		{ByTime(at, at.Add(time.Hour)), "01 01 0204" + clock + "090C 07E8060106000000000000 00 090C 07E8060106010000000000 00 0100"},
		{Rows{From: at}, "01 01 0204" + clock + "090C 07E8060106000000000000 00 090C FFFFFFFFFFFFFFFFFF8000FF 0100"},
		{Rows{From: epoch2000.Add(time.Minute), To: epoch2000.Add(time.Hour), Epoch: true, Restricting: gbcs},
			"01 01 0204 0204 12 0001 0906 00005E2C64FF 0F02 12 0000 06 0000003C 06 00000E10 0100"},
		{ByEntry(3, 0), "01 02 0204 06 00000003 06 00000000 12 0001 12 0000"},
		{Rows{First: 3, Last: 5, FirstColumn: 2, LastColumn: 2}, "01 02 0204 06 00000003 06 00000005 12 0002 12 0002"},
	} {
		c, _ := open(t, Config{}, scriptStep{"C001C1 " + buffer + tt.want, []string{"C401C1 00 0100"}})
		tt.rows.Columns = profileColumns
		for range c.Profile(t.Context(), profileName, tt.rows) {
			t.Fatal("a row of nothing")
		}
	}
}

func TestProfilePages(t *testing.T) {
	page := func(id, first, last string, answer string) scriptStep {
		return scriptStep{"C001" + id + buffer + "01 02 0204 06 0000000" + first + " 06 0000000" + last + " 12 0002 12 0000", []string{"C401" + id + answer}}
	}
	c, _ := open(t, Config{},
		page("C1", "1", "2", "00 0102 0201 0600000001 0201 0600000002"),
		page("C2", "3", "4", "00 0102 0201 0600000003 0201 0600000004"),
		page("C3", "5", "5", "00 0100"),
		page("C4", "1", "2", "00 0102 0201 0600000001 0201 0600000002"),
	)
	rows := Rows{First: 1, Last: 5, Page: 2, FirstColumn: 2, Columns: profileColumns}
	n := 0
	for row, err := range c.Profile(t.Context(), profileName, rows) {
		require.NoError(t, err)
		require.Len(t, row.Cells, 1)
		n++
	}
	require.Equal(t, 4, n)
	for range c.Profile(t.Context(), profileName, rows) {
		break // no further page is asked for
	}
}

func TestProfileErrors(t *testing.T) {
	for answer, target := range map[string]error{
		"C401C1 01 03":                       cosem.ReadWriteDenied,
		"C401C1 00 0101 0203 11 01 11 02 00": nil, // three cells for two columns
	} {
		c, _ := open(t, Config{}, scriptStep{"", []string{answer}})
		var got error
		for _, err := range c.Profile(t.Context(), profileName, Rows{Columns: profileColumns}) {
			got = err
		}
		require.Error(t, got)
		if target != nil {
			require.ErrorIs(t, got, target)
		}
	}
	c, _ := open(t, Config{}, scriptStep{"", []string{"C401C1 00 0101 0201 1101"}})
	_, err := c.ProfileColumns(t.Context(), profileName)
	require.ErrorIs(t, err, axdr.ErrLength)
}

func TestTyped(t *testing.T) {
	get := func(answer string) *Client {
		c, _ := open(t, Config{}, scriptStep{"", []string{"C401C1 00" + answer}})
		return c
	}
	ctx := t.Context()
	u, err := get("1603").GetUint(ctx, data2) // an enum
	require.NoError(t, err)
	require.EqualValues(t, 3, u)
	i, err := get("05FFFFFFFF").GetInt(ctx, data2)
	require.NoError(t, err)
	require.EqualValues(t, -1, i)
	_, err = get("0FFF").GetUint(ctx, data2)
	require.Error(t, err)
	b, err := get("0301").GetBool(ctx, data2)
	require.NoError(t, err)
	require.True(t, b)
	s, err := get("0A02 4142").GetString(ctx, data2)
	require.NoError(t, err)
	require.Equal(t, "AB", s)
	_, err = get("0301").GetBytes(ctx, data2)
	require.ErrorIs(t, err, axdr.ErrType)
	require.ErrorContains(t, err, "1/0-0:96.1.0.255/2")
	// British summer: local time is an hour ahead, deviation -60.
	at, status, err := get("090C 07E8 06 01 06 0D 00 00 00 FFC4 80").Clock(ctx)
	require.NoError(t, err)
	require.Equal(t, time.Date(2024, 6, 1, 12, 0, 0, 0, time.UTC), at)
	require.Equal(t, axdr.ClockDST, status)
	_, _, err = get("090C FFFF FF FF FF FF FF FF FF 8000 FF").Clock(ctx)
	require.Error(t, err)
	require.Equal(t, "12.34 V", Quantity{1234, cosem.ScalerUnit{Scaler: -2, Unit: cosem.UnitVolt}}.String())
	require.Equal(t, "12000 Wh", Quantity{12, cosem.ScalerUnit{Scaler: 3, Unit: cosem.UnitWattHour}}.String())

	for _, bad := range []string{"1100", "0101 1100", "0101 0203 110011001100", "0101 0204 1100 1100 0901AA 0202 0100 0100", "0101 0204 12 0001 1100 0906000001000000 1100"} {
		_, err = get(bad).Objects(ctx)
		require.Error(t, err, bad)
	}
}
