package fleet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/device/esme"
	"smets1/device/gsme"
	"smets1/device/meter"
	"smets1/dlms/axdr"
	"smets1/dlms/client"
	"smets1/dlms/cosem"
)

// The rows of a profile agree with the register to the unit, also when the supply was
// off for a while, and 13 months can be read of a meter nobody looked at before.
func TestProfileAgreesWithTheRegister(t *testing.T) {
	w := open(t, demo(t), Options{})
	const name = "foc-clock-off"
	n := client.CountFrom(1)
	for device, x := range map[string]struct{ register, profile cosem.OBIS }{
		"esme": {esme.ImportName, esme.ProfileName}, "gsme": {gsme.VolumeName, gsme.ProfileName},
	} {
		c := w.manage(name, device, n)
		register := cosem.Attribute{Class: cosem.ClassRegister, Instance: x.register, ID: 2}
		read := func() int64 {
			v, err := c.GetUint(t.Context(), register)
			require.NoError(t, err)
			return int64(v)
		}
		row := func() (time.Time, int64) {
			entries, err := c.GetUint(t.Context(), cosem.Attribute{Class: cosem.ClassProfileGeneric, Instance: x.profile, ID: 7})
			require.NoError(t, err)
			require.EqualValues(t, 19056, entries)
			var at time.Time
			var v int64
			for r, err := range c.Profile(t.Context(), x.profile, client.ByEntry(uint32(entries), uint32(entries))) {
				require.NoError(t, err)
				at = r.Time
				n, err := r.Cells[1].AsUint()
				require.NoError(t, err)
				v = int64(n)
			}
			return at, v
		}
		sw := cosem.Method{Class: cosem.ClassDisconnectControl, Instance: meter.SupplyName}
		reading := func(at time.Time) int64 {
			h, err := w.byName(name)
			require.NoError(t, err)
			h.mu.Lock()
			defer h.mu.Unlock()
			if device == "gsme" {
				return h.gsme.Reading(at)
			}
			return h.esme.Reading(at)
		}
		// agree reads register and profile and holds them against the load.
		agree := func() {
			before := w.clock.Now()
			v := read()
			require.GreaterOrEqual(t, v, reading(before))
			require.LessOrEqual(t, v, reading(w.clock.Now()))
			at, v := row()
			require.Equal(t, w.clock.Now().Truncate(30*time.Minute), at)
			require.Equal(t, reading(at), v)
		}
		do := func(id int8) {
			sw.ID = id
			_, err := c.ActionAxdr(t.Context(), sw, axdr.Int8(0))
			require.NoError(t, err)
		}
		w.clock.Advance(w.clock.Now().Truncate(30 * time.Minute).Add(30 * time.Minute).Sub(w.clock.Now()))
		agree()

		w.clock.Advance(7 * time.Minute)
		do(1)
		off := read()
		w.clock.Advance(5*time.Hour + 23*time.Minute)
		agree()
		_, v := row()
		require.Equal(t, off, v, "nothing flows")
		require.Equal(t, off, read())
		do(2)
		h, err := w.byName(name)
		require.NoError(t, err)
		h.mu.Lock()
		if device == "gsme" {
			require.Equal(t, meter.Armed, h.gsme.Supply(w.clock.Now()), "a valve is opened by hand")
			require.True(t, h.gsme.SwitchOn(w.clock.Now()))
		} else {
			require.Equal(t, meter.Enabled, h.esme.Supply(w.clock.Now()))
		}
		h.mu.Unlock()
		w.clock.Advance(30 * time.Minute)
		agree()
		w.clock.Advance(72 * time.Hour)
		c = w.manage(name, device, n) // the meter let go of the other
		agree()
		require.Greater(t, read(), off)
		// A day of half hours adds up to what the register did in that day.
		to := w.clock.Now().Truncate(30 * time.Minute)
		var first, last, rows int64
		for r, err := range c.Profile(t.Context(), x.profile, client.ByTime(to.Add(-24*time.Hour), to)) {
			require.NoError(t, err)
			n, err := r.Cells[1].AsUint()
			require.NoError(t, err)
			if rows == 0 {
				first = int64(n)
			}
			last = int64(n)
			rows++
		}
		require.EqualValues(t, 49, rows)
		require.Equal(t, reading(to)-reading(to.Add(-24*time.Hour)), last-first)
	}
}

// What a command changed is there after a kill; what follows from the seed is the same.
func TestRestartKeepsWhatWasAcknowledged(t *testing.T) {
	w := open(t, demo(t), Options{})
	const name = "foc-clock-off"
	n := client.CountFrom(1)
	balance := cosem.Attribute{Class: cosem.ClassCredit, Instance: meter.CreditName, ID: 2}
	mode := cosem.Attribute{Class: cosem.ClassData, Instance: cosem.OBIS{0, 0, 94, 44, 35, 0}, ID: 2}
	endpoint := cosem.Attribute{Class: cosem.ClassAutoConnect, Instance: cosem.OBIS{0, 0, 2, 1, 0, 255}, ID: 6}

	c := w.manage(name, "hub", n)
	require.NoError(t, c.SetAxdr(t.Context(), endpoint, axdr.Array(axdr.Octets([]byte("s1sp.example:4059")))))
	require.Error(t, c.SetAxdr(t.Context(), endpoint, axdr.Array(axdr.Octets([]byte("nowhere")))))
	require.Error(t, c.SetAxdr(t.Context(), endpoint, axdr.Array()))
	c = w.manage(name, "esme", n)
	require.NoError(t, c.SetClock(t.Context(), w.clock.Now()))
	require.NoError(t, c.SetAxdr(t.Context(), mode, axdr.Enum(2)))
	require.Error(t, c.SetAxdr(t.Context(), mode, axdr.Enum(7)))
	_, err := c.ActionAxdr(t.Context(), cosem.Method{Class: cosem.ClassCredit, Instance: meter.CreditName, ID: 1}, axdr.Int32(1_000_000))
	require.NoError(t, err)
	_, err = c.ActionAxdr(t.Context(), cosem.Method{Class: cosem.ClassCredit, Instance: meter.CreditName, ID: 1}, axdr.Int32(2_147_400_000))
	require.Error(t, err, "over the limit of the balance")
	before, err := c.GetInt(t.Context(), balance)
	require.NoError(t, err)

	w = w.restart(Options{})
	c = w.manage(name, "esme", n)
	got, err := c.GetInt(t.Context(), balance)
	require.NoError(t, err)
	require.Equal(t, before, got)
	pay, err := c.GetUint(t.Context(), mode)
	require.NoError(t, err)
	require.EqualValues(t, 2, pay)
	at, _, err := c.Clock(t.Context())
	require.NoError(t, err)
	require.InDelta(t, 0, at.Sub(w.clock.Now()).Seconds(), 1)
	var events int
	for _, err := range c.Profile(t.Context(), cosem.OBIS{0, 0, 99, 98, 0, 255}, client.Rows{}) {
		require.NoError(t, err)
		events++
	}
	require.GreaterOrEqual(t, events, 4)
	s, err := w.Status(name)
	require.NoError(t, err)
	require.Equal(t, []string{"s1sp.example:4059"}, s.Endpoint)

	w.clock.Advance(24 * time.Hour)
	c = w.manage(name, "esme", n)
	later, err := c.GetInt(t.Context(), balance)
	require.NoError(t, err)
	require.Less(t, later, got-24_000, "a day of use and a standing charge")
}
