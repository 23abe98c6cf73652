package document

import (
	"fmt"
	"slices"
)

// AuthorisationFacts is what checking an authorisation needs beyond [Facts].
type AuthorisationFacts struct {
	*Facts
	Portfolio *Portfolio
	// SameParty reports whether two user identities belong to one party; nil means that only
	// equal ones do.
	SameParty func(a, b EUI) bool
	// Allocation gives how many meters a supplier may authorise from a day on; nil means that there is
	// no limit.
	Allocation func(supplier EUI, day Date) (limit int)
}

// CheckAuthorisation holds the rows of an authorisation against what is known: registration
// (XMA07), allocation (XMA09), certificates (XMA10), eligibility (MA110), the other fuel (XMA11) and
// exclusions (XMA12). It gives the rows that pass; nothing is applied, see [Coverage.Apply].
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
	type quota struct {
		supplier EUI
		day      Date
	}
	used := map[quota]int{}
	out := &Authorisation{Name: a.Name, SHA256: a.SHA256}
	for _, r := range a.Rows {
		if bad[r.Line] {
			continue
		}
		if !r.Withdraw && af.Allocation != nil {
			q := quota{r.SupplierUserID, r.Earliest}
			limit := af.Allocation(r.SupplierUserID, r.Earliest)
			if used[q]++; used[q] > limit {
				report(r, "EarliestMigrationDate", "XMA09", "%d meters are allocated to %s for %s and this is one more", limit, r.SupplierUserID, r.Earliest)
				continue
			}
		}
		out.Rows = append(out.Rows, r)
	}
	slices.SortStableFunc(ps, func(a, b Problem) int { return a.Row - b.Row })
	return out, ps
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
