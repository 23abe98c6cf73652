package document

import (
	"fmt"
	"slices"
	"time"
)

// AuthorisationFacts is what checking an authorisation needs beyond [Facts].
type AuthorisationFacts struct {
	*Facts
	Portfolio *Portfolio
	// SameParty reports whether two user identities belong to one party; nil means that only
	// equal ones do.
	SameParty func(a, b EUI) bool
	// Allocation gives how many installations a supplier may authorise for windows that start on a day, and how many more
	// wait in reserve; nil means that there is no limit.
	Allocation func(supplier EUI, day Date) (limit, reserve int)
	// Calendar is the rule of lead times and of the day lock; nil means that there is none.
	Calendar Calendar
	// Scheduled gives the day that a meter's earlier authorisation was scheduled for; nil means that none is.
	Scheduled func(meter EUI) (Date, bool)
}

// Calendar is what the checks of an authorisation need of the programme's calendar.
type Calendar interface {
	// EarliestDay gives the first day that an authorisation submitted at an instant may name.
	EarliestDay(submitted time.Time) Date
	// Locked reports whether a migration day can no longer be changed at an instant.
	Locked(day Date, at time.Time) bool
}

// CheckAuthorisation holds the rows of an authorisation against what is known: registration
// (XMA07), lead time (XMA08), allocation (XMA09, and XMA13 for what waits in reserve), certificates (XMA10), eligibility
// (MA110), the other fuel (XMA11), exclusions (XMA12) and locked days (XMA14). It gives the rows that pass; nothing is
// applied, see [Coverage.Apply].
//
// A home passes MA110 when its combination is eligible, or becomes so by a firmware upgrade: the
// upgrade is part of the preparation.
func (af AuthorisationFacts) CheckAuthorisation(a *Authorisation) (*Authorisation, Problems) {
	var ps Problems
	file := a.Name.String()
	bad := map[int]bool{}
	report := func(r AuthorisationRow, field, code, format string, args ...any) {
		ps = append(ps, af.Specs.Problem(file, r.Line, af.heading(field), code, sentence(fmt.Sprintf(format, args...))))
		bad[r.Line] = true
	}
	for _, r := range a.Rows {
		af.checkRow(a, r, report)
	}
	// The other fuel counts only when its own row is good, so it is looked at last.
	good := map[EUI]bool{}
	for _, r := range a.Rows {
		if !bad[r.Line] && !r.Withdraw {
			good[r.DeviceID] = true
		}
	}
	var lone []AuthorisationRow
	for _, r := range a.Rows {
		if good[r.DeviceID] && af.lonely(r, good) {
			lone = append(lone, r)
		}
	}
	for _, r := range lone {
		report(r, "ElectricityOnlyPermitted", "XMA11", "the other meter behind hub %s is active, is not authorised for these days, and electricity alone is not permitted", r.CHFDeviceID)
	}
	quotas := af.quotas(a, bad)
	out := &Authorisation{Name: a.Name, SHA256: a.SHA256}
	for _, r := range a.Rows {
		if bad[r.Line] {
			continue
		}
		if code, limit := quotas.of(af, r); code == "XMA09" {
			report(r, "EarliestMigrationDate", code, "%d installations are allocated to %s for %s and this is one more", limit, r.SupplierUserID, r.Earliest)
			continue
		} else if code != "" {
			report(r, "EarliestMigrationDate", code, "%d installations are allocated to %s for %s; this one waits in reserve", limit, r.SupplierUserID, r.Earliest)
			continue
		}
		out.Rows = append(out.Rows, r)
	}
	slices.SortStableFunc(ps, func(a, b Problem) int { return a.Row - b.Row })
	return out, ps
}

// quotas counts the installations of an authorisation, by supplier and first day of the window: two meters of one home
// and one supplier are one installation.
type quotas map[quotaDay]map[EUI]int

type quotaDay struct {
	supplier EUI
	day      Date
}

func (af AuthorisationFacts) quotas(a *Authorisation, bad map[int]bool) quotas {
	if af.Allocation == nil {
		return nil
	}
	q := quotas{}
	for _, r := range a.Rows {
		if bad[r.Line] || r.Withdraw {
			continue
		}
		k := quotaDay{r.SupplierUserID, r.Earliest}
		if q[k] == nil {
			q[k] = map[EUI]int{}
		}
		if _, seen := q[k][af.home(r)]; !seen {
			q[k][af.home(r)] = len(q[k]) + 1
		}
	}
	return q
}

// home gives the installation of a row's meter.
func (af AuthorisationFacts) home(r AuthorisationRow) EUI {
	if in, ok := af.Portfolio.ByDevice(r.DeviceID); ok {
		return in.ID
	}
	return r.DeviceID
}

// of gives the code under which a row is above its allocation, or nothing.
func (q quotas) of(af AuthorisationFacts, r AuthorisationRow) (code string, limit int) {
	if q == nil || r.Withdraw {
		return "", 0
	}
	limit, reserve := af.Allocation(r.SupplierUserID, r.Earliest)
	switch n := q[quotaDay{r.SupplierUserID, r.Earliest}][af.home(r)]; {
	case n > limit+reserve:
		return "XMA09", limit
	case n > limit:
		return "XMA13", limit
	}
	return "", limit
}

func (af AuthorisationFacts) heading(field string) string {
	l, err := af.Specs.Layout("MA")
	if err != nil {
		return field
	}
	return (&Table{layout: l}).heading(field)
}

func (af AuthorisationFacts) checkRow(a *Authorisation, r AuthorisationRow, report func(AuthorisationRow, string, string, string, ...any)) {
	if r.SupplierUserID != a.Name.EUI && (af.SameParty == nil || !af.SameParty(r.SupplierUserID, a.Name.EUI)) {
		report(r, "SupplierUserID", "XMA05", "the supplier is %s and the file is from %s, which is another party", r.SupplierUserID, a.Name.EUI)
		return
	}
	if day, ok := af.scheduled(r.DeviceID); ok && af.Calendar != nil && af.Calendar.Locked(day, a.Name.Stamp) {
		report(r, "DeviceID", "XMA14", "meter %s is scheduled for %s", r.DeviceID, day)
		return
	}
	if af.Calendar != nil && !r.Withdraw {
		if first := af.Calendar.EarliestDay(a.Name.Stamp); r.Earliest.Before(first) {
			report(r, "EarliestMigrationDate", "XMA08", "the window starts on %s; for an authorisation of %s UTC the first day is %s", r.Earliest, a.Name.Stamp.UTC().Format("2006-01-02 15:04"), first)
			return
		}
	}
	reg, ok := af.Registrations.On(r.MPxN, r.Earliest)
	switch {
	case !ok:
		report(r, "MPxN", "XMA07", "meter point %s is not registered to anybody on %s", r.MPxN, r.Earliest)
		return
	case reg.Supplier != r.SupplierUserID:
		report(r, "MPxN", "XMA07", "meter point %s is registered to another supplier than %s on %s", r.MPxN, r.SupplierUserID, r.Earliest)
		return
	}
	if r.Withdraw {
		return
	}
	in, ok := af.Portfolio.ByDevice(r.DeviceID)
	if !ok {
		report(r, "DeviceID", "XMA07", "meter %s is not in the portfolio", r.DeviceID)
		return
	}
	for _, d := range in.Devices {
		switch {
		case d.ID != r.DeviceID:
		case d.Fuel() != r.Fuel || d.MPxN != r.MPxN:
			report(r, "MPxN", "XMA07", "meter %s serves meter point %s, not %s", d.ID, d.MPxN, r.MPxN)
		case !r.CHFDeviceID.IsZero() && r.CHFDeviceID != in.ID:
			report(r, "CHFDeviceID", "XMA05", "meter %s is behind hub %s, not %s", d.ID, in.ID, r.CHFDeviceID)
		case d.PaymentMode != r.PaymentMode:
			report(r, "PaymentMode", "XMA05", "meter %s is in %s mode", d.ID, d.PaymentMode)
		}
	}
	for _, c := range []struct {
		field  string
		serial Serial
	}{{"NotifiedCriticalSupplierCertID", r.CriticalCert}, {"NotifiedNonCriticalSupplierCertID", r.NonCriticalCert}} {
		if why := af.Certificates.Holds(c.serial, r.SupplierUserID, SupplierRole, r.Earliest); why != "" {
			report(r, c.field, "XMA10", "%s", why)
		}
	}
	if af.EPCL == nil {
		report(r, "DeviceID", "MA110", "there is no eligible product combinations list")
	} else if _, ok, why := af.EPCL.Match(in.Combination(), r.Earliest); !ok && len(af.EPCL.Targets(in.Combination(), r.Earliest)) == 0 {
		report(r, "DeviceID", "MA110", "%s", why)
	}
	if x := af.exclusion(in); x != "" {
		report(r, "DeviceID", "XMA12", "installation %s is excluded: %s", in.ID, x)
	}
}

func (af AuthorisationFacts) scheduled(meter EUI) (Date, bool) {
	if af.Scheduled == nil {
		return Date{}, false
	}
	return af.Scheduled(meter)
}

func (af AuthorisationFacts) exclusion(in *Installation) string {
	if x := af.Exclusions[in.ID]; x != "" {
		return x
	}
	return in.Exclusion
}

// lonely reports whether the home has another active meter that nobody authorised for these days, and
// that matters: gas never goes alone, electricity only where the row permits it.
func (af AuthorisationFacts) lonely(r AuthorisationRow, good map[EUI]bool) bool {
	if r.Fuel == Electricity && r.ElectricityOnlyPermitted {
		return false
	}
	in, ok := af.Portfolio.ByDevice(r.DeviceID)
	if !ok {
		return false
	}
	for _, d := range in.Meters() {
		if d.ID == r.DeviceID || d.Status != Active || good[d.ID] {
			continue
		}
		other, ok := af.Coverage.Row(d.ID)
		if !ok || other.Withdraw || other.Latest.Before(r.Earliest) || other.Earliest.After(r.Latest) {
			return true
		}
	}
	return false
}
