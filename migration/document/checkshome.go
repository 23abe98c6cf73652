package document

import (
	"crypto/ecdh"
	"slices"

	"smets1/migration/document/pki"
)

// The checks of one installation, in the order of their steps. Each looks at its own matter only, so
// that one fault gives one code.

// checkInventory is step 6, XCV10. That each DeviceID is an EUI-64 the schema has seen to; here it
// must be a possible one, and not commissioned yet.
func checkInventory(f *filing, h *homeIn) {
	for _, d := range h.common.Device {
		switch {
		case d.DeviceID.IsZero() || d.DeviceID == EUI{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}:
			h.fail(d.DeviceID, "%s has the reserved identity %s", d.DeviceType, d.DeviceID)
		case f.r.Facts.Inventory[d.DeviceID] == DeviceCommissioned:
			h.fail(d.DeviceID, "%s %s is in the inventory as Commissioned already", d.DeviceType, d.DeviceID)
		}
	}
}

// checkDevices is step 7, XCV11.
func checkDevices(_ *filing, h *homeIn) {
	n := map[DeviceType]int{}
	for _, d := range h.common.Device {
		n[d.DeviceType]++
	}
	switch {
	case n[CHF] != 1:
		h.fail(EUI{}, "%d hubs listed; exactly one is wanted", n[CHF])
	case n[ESME]+n[GSME] == 0:
		h.fail(EUI{}, "no meter listed")
	case n[GSME] > 1 || n[GPF] > n[GSME]:
		h.fail(EUI{}, "%d gas meters and %d gas proxies listed; at most one gas meter with one proxy is allowed", n[GSME], n[GPF])
	}
}

// checkCombination is step 8, MA110.
func checkCombination(f *filing, h *homeIn) {
	if f.r.Facts.EPCL == nil {
		h.fail(EUI{}, "there is no eligible product combinations list")
		return
	}
	e, ok, why := f.r.Facts.EPCL.Match(h.common.Combination(), f.common.Header.MigrationDate)
	if !ok {
		h.fail(EUI{}, "not eligible: %s", why)
		return
	}
	for _, d := range h.common.Device {
		if d.DeviceType == CHF && d.EPCLEntryID != e.EntryID {
			h.fail(d.DeviceID, "the file claims entry %q; the combination is entry %s", d.EPCLEntryID, e.EntryID)
		}
	}
}

// checkMeterPoints is step 9, XCV12.
func checkMeterPoints(_ *filing, h *homeIn) {
	for _, d := range h.common.Device {
		fuel := fuelOf(d.DeviceType)
		if fuel == "" {
			continue
		}
		if _, err := ParseMPxN(fuel, string(d.MPxN)); err != nil {
			h.fail(d.DeviceID, "%s", err)
		}
		if d.ExportMPAN != "" {
			if _, err := ParseMPAN(string(d.ExportMPAN)); err != nil {
				h.fail(d.DeviceID, "export: %s", err)
			}
		}
	}
}

// checkRegistration is step 10, XCV13.
func checkRegistration(f *filing, h *homeIn) {
	day := f.common.Header.MigrationDate
	for _, d := range h.common.Device {
		fuel := fuelOf(d.DeviceType)
		if fuel == "" {
			continue
		}
		if _, err := ParseMPxN(fuel, string(d.MPxN)); err != nil {
			continue // step 9 has said so
		}
		reg, ok := f.r.Facts.Registrations.On(d.MPxN, day)
		switch {
		case d.ResponsibleSupplierID == nil:
			h.fail(d.DeviceID, "the %s has no ResponsibleSupplierID", d.DeviceType)
		case !ok:
			h.fail(d.DeviceID, "meter point %s is not registered to anybody on %s", d.MPxN, day)
		case reg.Supplier != *d.ResponsibleSupplierID:
			h.fail(d.DeviceID, "meter point %s is registered to %s on %s, not to %s", d.MPxN, reg.Supplier, day, *d.ResponsibleSupplierID)
		}
	}
}

// checkCertificates is step 11, XCV14.
func checkCertificates(f *filing, h *homeIn) {
	day := f.common.Header.MigrationDate
	for _, d := range h.common.Device {
		if fuelOf(d.DeviceType) == "" {
			continue
		}
		for _, c := range []struct {
			serial Serial
			org    *EUI
			role   OrganisationRole
			what   string
		}{
			{d.NotifiedCriticalSupplierCertID, d.ResponsibleSupplierID, SupplierRole, "critical supplier"},
			{d.NotifiedNonCriticalSupplierCertID, d.ResponsibleSupplierID, SupplierRole, "non-critical supplier"},
			{d.NotifiedNetworkOperatorCertID, d.NetworkOperatorID, NetworkOperatorRole, "network operator"},
		} {
			if c.serial == "" || c.org == nil {
				continue
			}
			if why := f.r.Facts.Certificates.Holds(c.serial, *c.org, c.role, day); why != "" {
				h.fail(d.DeviceID, "notified %s certificate: %s", c.what, why)
			}
		}
	}
}

// checkPermission is step 12, XCV15. Each meter has what it needs: one that an authorisation covers passes;
// in an active installation at least one must be covered; every other meter needs a notice.
func checkPermission(f *filing, h *homeIn) {
	day := f.common.Header.MigrationDate
	notice := f.r.Facts.NoticeDays
	if notice == 0 {
		notice = 7
	}
	covered, meters := 0, 0
	var why []Finding
	for _, d := range h.common.Device {
		if fuelOf(d.DeviceType) == "" {
			continue
		}
		meters++
		if _, _, ok := f.r.Facts.Coverage.Covers(d.DeviceID, day); ok {
			covered++
			continue
		}
		n, sent := f.r.Facts.Notices[d.DeviceID]
		x := &homeIn{step: h.step, code: h.code}
		switch {
		case !sent:
			x.fail(d.DeviceID, "%s: no authorisation covers it on %s and no notice was sent", d.DeviceType, day)
		case n.Sent.AddDays(notice).After(day):
			x.fail(d.DeviceID, "%s: the notice was sent on %s, less than %d days before %s", d.DeviceType, n.Sent, notice, day)
		case n.Planned != day:
			x.fail(d.DeviceID, "%s: the notice is for %s, not for %s", d.DeviceType, n.Planned, day)
		case d.ResponsibleSupplierID != nil && n.Supplier != *d.ResponsibleSupplierID:
			x.fail(d.DeviceID, "%s: the notice went to %s; the supplier is now %s", d.DeviceType, n.Supplier, *d.ResponsibleSupplierID)
		}
		why = append(why, x.found...)
	}
	h.found = append(h.found, why...)
	if len(why) == 0 && h.common.Status == Active && covered == 0 && meters > 0 {
		h.fail(EUI{}, "the installation is active and no authorisation covers any of its meters on %s", day)
	}
	if len(why) == 0 && h.common.Status == Active && covered > 0 && h.common.AuthorisationRef == "" {
		h.fail(EUI{}, "the installation is active and the file gives no AuthorisationRef")
	}
}

// checkExclusion is step 13, XCV16.
func checkExclusion(f *filing, h *homeIn) {
	if x := f.r.Facts.Exclusions[h.id]; x != "" {
		h.fail(EUI{}, "the installation is excluded: %s", x)
	}
	if n, most := f.r.Facts.Attempts[h.id], f.r.Specs.Catalogue.GlobalMaxAttempts; n >= most {
		h.fail(EUI{}, "%d attempts have failed; %d is the limit", n, most)
	}
}

// checkBothFiles is step 14, XGV01.
func checkBothFiles(f *filing, h *homeIn) {
	switch {
	case h.common == nil:
		h.fail(EUI{}, "the installation is in the group file only")
	case h.group == nil:
		h.fail(EUI{}, "the installation is in the common file only")
	case f.encrypted != nil && h.keys == nil:
		h.fail(EUI{}, "the installation is not in the encrypted file")
	}
}

// checkKeys is step 15, XGV02. Each party opens its own blocks; whose key is not here is not judged.
func checkKeys(f *filing, h *homeIn) {
	if h.group == nil || h.keys == nil || h.common == nil {
		return // step 14 has said so, or the group has no encrypted payload
	}
	blocks := map[string]EncryptedKey{}
	for _, k := range h.keys.EncryptedKey {
		if _, twice := blocks[k.KeyRef]; twice {
			h.fail(EUI{}, "key %s appears twice", k.KeyRef)
		}
		blocks[k.KeyRef] = k
	}
	have := map[EUI][]KeyUsage{}
	for _, ref := range h.group.KeyRef {
		have[ref.DeviceID] = append(have[ref.DeviceID], ref.KeyUsage)
		eui, private := f.opener(ref.KeyUsage.Owner())
		if private == nil {
			continue
		}
		dco := ref.KeyUsage.Owner() == pki.DCO
		k, ok := blocks[ref.Ref]
		switch {
		case !ok:
			h.fail(ref.DeviceID, "there is no encrypted block for key %s", ref.Ref)
		case k.KeyUsage != ref.KeyUsage:
			h.fail(ref.DeviceID, "key %s is for %s in the group file and for %s in the encrypted file", ref.Ref, ref.KeyUsage, k.KeyUsage)
		case k.RecipientEUI != eui:
			h.fail(ref.DeviceID, "key %s for %s is sealed to %s, not to %s", ref.Ref, k.KeyUsage, k.RecipientEUI, eui)
		default:
			if _, err := k.Open(f.encrypted.Header.FileSetID, h.id, private); err != nil {
				h.fail(ref.DeviceID, "%s", err)
			} else {
				continue
			}
		}
		h.found[len(h.found)-1].ByDCO = dco
	}
	for _, d := range h.common.Device {
		needs := neededUsages(d)
		for _, u := range needs {
			if !slices.Contains(have[d.DeviceID], u) {
				h.fail(d.DeviceID, "the %s has no %s key", d.DeviceType, u)
				h.found[len(h.found)-1].ByDCO = u.Owner() == pki.DCO
			}
		}
	}
}

// neededUsages says which keys must come with a device (ours).
func neededUsages(d CommonDevice) []KeyUsage {
	switch d.DeviceType {
	case CHF, ESME, GSME:
		u := []KeyUsage{KeyTransport, KeyAuthentication, KeyCritical}
		if d.PaymentMode == Prepayment {
			u = append(u, KeyPrepay)
		}
		return u
	case GPF, PPMID, IHD, CAD:
	}
	return nil
}

func (f *filing) opener(role pki.Role) (EUI, *ecdh.PrivateKey) {
	for _, p := range f.r.Parties {
		if p.Role == role {
			return p.EUI, p.AgreementKey()
		}
	}
	return EUI{}, nil
}

// checkSIM is step 16, XGV03.
func checkSIM(f *filing, h *homeIn) {
	if h.group == nil {
		return
	}
	s := h.group.SIM
	known, ok := f.r.Facts.SIMs[s.ICCID]
	switch {
	case !ok:
		h.fail(EUI{}, "SIM %s is not known to any communications provider", s.ICCID)
	case h.common != nil && known.CommsProvider != h.common.CommsProvider:
		h.fail(EUI{}, "SIM %s is of %s, not of %s", s.ICCID, known.CommsProvider, h.common.CommsProvider)
	case s.MSISDN != "" && known.MSISDN != s.MSISDN:
		h.fail(EUI{}, "SIM %s has the number %s, not %s", s.ICCID, known.MSISDN, s.MSISDN)
	}
	if f.msisdns[s.MSISDN] > 1 {
		h.fail(EUI{}, "the number %s appears more than once in the file", s.MSISDN)
	}
}

// checkBaseline is step 17, XGV04.
func checkBaseline(f *filing, h *homeIn) {
	if h.group == nil {
		return
	}
	want, ok := f.r.Facts.Baselines[h.id]
	switch {
	case !ok:
		h.fail(EUI{}, "there is no configuration baseline for the installation")
	case want != h.group.ConfigDigest:
		h.fail(EUI{}, "ConfigDigest is %s and the baseline is %s", h.group.ConfigDigest, want)
	}
}

func fuelOf(t DeviceType) Fuel { return Device{Type: t}.Fuel() }
