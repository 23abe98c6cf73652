package document

import "time"

// Coverage is what the authorisations received so far permit: per meter the latest row. It is
// filled by [Coverage.Apply], which is the step that changes state; reading an authorisation changes nothing.
type Coverage struct {
	rows map[EUI]coveredRow
}

type coveredRow struct {
	row   AuthorisationRow
	ref   string
	stamp time.Time
}

// NewCoverage starts with nothing authorised.
func NewCoverage() *Coverage { return &Coverage{rows: map[EUI]coveredRow{}} }

// Apply takes over the rows of an authorisation. A later authorisation of the same meter, by
// the time in its file name, replaces an earlier one whatever the order of applying them; a
// withdrawal is a row like any other and then covers nothing.
func (c *Coverage) Apply(a *Authorisation) {
	for _, r := range a.Rows {
		if was, ok := c.rows[r.DeviceID]; ok && was.stamp.After(a.Name.Stamp) {
			continue
		}
		c.rows[r.DeviceID] = coveredRow{r, a.Ref(r), a.Name.Stamp}
	}
}

// Revoke takes back what a meter's latest row permits: its supplier is no longer the meter's.
func (c *Coverage) Revoke(meter EUI) { delete(c.rows, meter) }

// Covers finds the row that authorises a meter on a day, and how files cite it.
func (c *Coverage) Covers(meter EUI, day Date) (row AuthorisationRow, ref string, ok bool) {
	if c == nil {
		return AuthorisationRow{}, "", false
	}
	r, ok := c.rows[meter]
	if !ok || !r.row.Covers(day) {
		return AuthorisationRow{}, "", false
	}
	return r.row, r.ref, true
}

// Row finds the latest row of a meter, whether or not it covers any day.
func (c *Coverage) Row(meter EUI) (AuthorisationRow, bool) {
	if c == nil {
		return AuthorisationRow{}, false
	}
	r, ok := c.rows[meter]
	return r.row, ok
}

// ElectricityOnly reports whether the row of a home's electricity meter permits to migrate it without
// the gas meter.
func (c *Coverage) ElectricityOnly(meter EUI, day Date) bool {
	r, _, ok := c.Covers(meter, day)
	return ok && r.ElectricityOnlyPermitted
}
