package document

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"smets1/migration/document/pki"
)

// Facts is everything outside the files that the data checks ask about. The zero value of a
// field means that nothing is known: a check that needs it then fails rather than passes, except
// where the comment says otherwise. Checks only read; the caller changes facts.
type Facts struct {
	Specs         *Specs
	Inventory     map[EUI]DeviceStatus // of devices that the inventory knows; others pass
	EPCL          *EPCL
	Registrations *Registrations
	Certificates  *Certificates
	Coverage      *Coverage
	Notices       map[EUI]Notice        // latest notice by meter
	NoticeDays    int                   // days from notice to migration; 0 means 7
	Exclusions    map[EUI]string        // category by installation; others pass
	Attempts      map[EUI]int           // failed attempts by installation
	SIMs          map[string]SIMFact    // by ICCID
	Baselines     map[EUI]Digest        // wanted ConfigDigest by installation
	LastCounters  map[CounterKey]uint64 // last accepted; an absent key means none yet
}

// Notice is a dormant meter migration notice that was sent.
type Notice struct {
	Meter    EUI
	Supplier EUI // to whom it was sent
	Sent     Date
	Planned  Date
}

// SIMFact is what the communications provider knows of a SIM.
type SIMFact struct {
	CommsProvider string
	MSISDN        string
}

// CounterKey is what a counter belongs to.
type CounterKey struct {
	Sender EUI
	Kind   Kind
}

// FileSet is a set of migration files as a receiver got them. Encrypted may be nil where the
// group has no encrypted payload.
type FileSet struct {
	Common, Group, Encrypted *Artefact
}

// Receiver checks file sets. It stands for CP when it validates common files and for S1SP and
// DCO when it validates group files.
type Receiver struct {
	Specs  *Specs
	Facts  *Facts
	Trust  *pki.Trust
	Limits XMLLimits
	// Parties hold the private keys to open what was sealed: S1SP, DCO or both. A use whose owner is
	// not here cannot be judged and passes.
	Parties []*pki.Party
}

// Check is one row of the check catalogue.
type Check struct {
	Step  int
	Code  string
	Scope Scope

	file func(*filing)          // steps 1 to 5
	home func(*filing, *homeIn) // steps 6 to 17
}

// Checks are the data checks in their order (ours; MA110 is published as a code). Steps 18 to 28
// need devices and belong to the engine; their codes are in the catalogue.
var Checks = []Check{
	{Step: 1, Code: "XCV01", Scope: ScopeFile, file: (*filing).read}, // reading also takes step 2
	{Step: 2, Code: "XCV02", Scope: ScopeFile, file: func(*filing) {}},
	{Step: 3, Code: "XCV03", Scope: ScopeFile, file: (*filing).counters},
	{Step: 4, Code: "XCV04", Scope: ScopeSet, file: (*filing).consistent},
	{Step: 5, Code: "XCV05", Scope: ScopeFile, file: (*filing).counts},
	{Step: 6, Code: "XCV10", Scope: ScopeInstallation, home: checkInventory},
	{Step: 7, Code: "XCV11", Scope: ScopeInstallation, home: checkDevices},
	{Step: 8, Code: "MA110", Scope: ScopeInstallation, home: checkCombination},
	{Step: 9, Code: "XCV12", Scope: ScopeInstallation, home: checkMeterPoints},
	{Step: 10, Code: "XCV13", Scope: ScopeInstallation, home: checkRegistration},
	{Step: 11, Code: "XCV14", Scope: ScopeInstallation, home: checkCertificates},
	{Step: 12, Code: "XCV15", Scope: ScopeInstallation, home: checkPermission},
	{Step: 13, Code: "XCV16", Scope: ScopeInstallation, home: checkExclusion},
	{Step: 14, Code: "XGV01", Scope: ScopeInstallation, home: checkBothFiles},
	{Step: 15, Code: "XGV02", Scope: ScopeInstallation, home: checkKeys},
	{Step: 16, Code: "XGV03", Scope: ScopeInstallation, home: checkSIM},
	{Step: 17, Code: "XGV04", Scope: ScopeInstallation, home: checkBaseline},
}

// firstGroupStep parts what CP checks (steps 6 to 13) from what S1SP and DCO check.
const firstGroupStep = 14

// Finding is one failed check of one installation.
type Finding struct {
	Step   int
	Code   string
	Device EUI // zero where the whole installation is meant
	Detail string
	ByDCO  bool // the DCO's part of step 15
}

// Verdict is what a validation found.
type Verdict struct {
	// Problems are those of files and of the set; with any, no installation is judged.
	Problems      Problems
	Installations []InstallationVerdict // in the order of the file
	// Accepted are the counters that the caller records when it takes the files; nil when refused.
	Accepted map[CounterKey]uint64
}

// InstallationVerdict is what was found of one installation; no finding means pass.
type InstallationVerdict struct {
	InstallationID EUI
	Findings       []Finding
}

// Outcome gives pass or fail.
func (v InstallationVerdict) Outcome() Outcome {
	if len(v.Findings) > 0 {
		return Fail
	}
	return Pass
}

// filing is one validation under way.
type filing struct {
	r         *Receiver
	set       FileSet
	now       time.Time
	common    *File[CommonBody]
	group     *File[GroupBody]
	encrypted *File[EncryptedBody]
	ps        Problems
	groupByID map[EUI]*GroupInstallation
	keysByID  map[EUI]*EncryptedInstallation
	msisdns   map[string]int
}

// homeIn is one installation under check; common or group is nil where only the other file has it.
type homeIn struct {
	f      *filing
	step   int
	code   string
	id     EUI
	common *CommonInstallation
	group  *GroupInstallation
	keys   *EncryptedInstallation
	found  []Finding
}

func (h *homeIn) fail(device EUI, format string, args ...any) {
	h.found = append(h.found, Finding{Step: h.step, Code: h.code, Device: device, Detail: sentence(fmt.Sprintf(format, args...))})
}

// ValidateCommon runs steps 1 to 13 on a common file, as CP does.
func (r *Receiver) ValidateCommon(common Artefact, now time.Time) (*File[CommonBody], Verdict) {
	f := &filing{r: r, set: FileSet{Common: &common}, now: now}
	v := f.run(func(step int) bool { return step < firstGroupStep })
	return f.common, v
}

// ValidateGroup runs steps 1 to 5 on all files of a set and steps 14 to 17 on its installations,
// as S1SP and DCO do. The common file is needed; where it does not come along this fails with XCV04.
func (r *Receiver) ValidateGroup(set FileSet, now time.Time) (*File[GroupBody], *File[EncryptedBody], Verdict) {
	f := &filing{r: r, set: set, now: now}
	if set.Common == nil || set.Group == nil {
		name := ""
		for _, a := range []*Artefact{set.Common, set.Group, set.Encrypted} {
			if a != nil {
				name = a.Name
			}
		}
		return nil, nil, Verdict{Problems: Problems{r.Specs.Problem(name, 0, "", "XCV04", "The set has no common file, or no group file.")}}
	}
	v := f.run(func(step int) bool { return step <= 5 || step >= firstGroupStep })
	return f.group, f.encrypted, v
}

func (f *filing) run(wanted func(step int) bool) Verdict {
	for _, c := range Checks {
		if c.file == nil || !wanted(c.Step) {
			continue
		}
		if c.file(f); len(f.ps) > 0 {
			return Verdict{Problems: f.ps}
		}
	}
	var v Verdict
	for _, h := range f.homes() {
		for _, c := range Checks {
			if c.home == nil || !wanted(c.Step) {
				continue
			}
			h.step, h.code = c.Step, c.Code
			c.home(f, h)
		}
		v.Installations = append(v.Installations, InstallationVerdict{h.id, h.found})
	}
	v.Accepted = map[CounterKey]uint64{}
	for _, h := range f.headers() {
		v.Accepted[CounterKey{h.header.Sender.EUI, h.kind}] = h.header.Counter
	}
	return v
}

func (f *filing) problem(file, column, code, format string, args ...any) {
	f.ps = append(f.ps, f.r.Specs.Problem(file, 0, column, code, sentence(fmt.Sprintf(format, args...))))
}

// read is step 1 and step 2: each file is read from what its signature covers.
func (f *filing) read() {
	o := &Opener{Specs: f.r.Specs, Trust: f.r.Trust, Limits: f.r.Limits}
	var ps Problems
	f.common, ps = Open[CommonBody](o, *f.set.Common, f.now)
	f.ps = append(f.ps, ps...)
	if f.set.Group != nil {
		f.group, ps = Open[GroupBody](o, *f.set.Group, f.now)
		f.ps = append(f.ps, ps...)
	}
	if f.set.Encrypted != nil {
		f.encrypted, ps = Open[EncryptedBody](o, *f.set.Encrypted, f.now)
		f.ps = append(f.ps, ps...)
	}
}

type headed struct {
	name   string
	kind   Kind
	header *Header
	ids    []EUI
}

func (f *filing) headers() []headed {
	var out []headed
	if f.common != nil {
		out = append(out, headed{f.set.Common.Name, KindMCF, &f.common.Header, f.common.Installations()})
	}
	if f.group != nil {
		out = append(out, headed{f.set.Group.Name, KindMGF, &f.group.Header, f.group.Installations()})
	}
	if f.encrypted != nil {
		out = append(out, headed{f.set.Encrypted.Name, KindMGEF, &f.encrypted.Header, f.encrypted.Installations()})
	}
	return out
}

// counters is step 3.
func (f *filing) counters() {
	for _, h := range f.headers() {
		if last, ok := f.r.Facts.LastCounters[CounterKey{h.header.Sender.EUI, h.kind}]; ok && h.header.Counter <= last {
			f.problem(h.name, "Counter", "XCV03", "counter %d; %d was accepted from %s already", h.header.Counter, last, h.header.Sender.EUI)
		}
	}
}

// consistent is step 4: within each file, with its name, and between the files.
func (f *filing) consistent() {
	all := f.headers()
	for _, h := range all {
		id := h.header.FileSetID
		n, err := ParseName(h.name)
		switch {
		case err != nil:
			f.problem(h.name, "", "XCV04", "the %s", err)
		case n.Kind != h.kind || n.EUI != h.header.Sender.EUI || n.Counter != h.header.Counter || !strings.EqualFold(n.S1SP, h.header.S1SP):
			f.problem(h.name, "Header", "XCV04", "type, S1SP, sender and counter of the file's name and of its header differ")
		case id.GroupID != h.header.GroupID:
			f.problem(h.name, "GroupID", "XCV04", "GroupID %s, but FileSetID %s", h.header.GroupID, id)
		case id.RP != h.header.Sender.EUI || id.Counter != h.header.Counter:
			f.problem(h.name, "FileSetID", "XCV04", "FileSetID %s does not name sender %s and counter %d", id, h.header.Sender.EUI, h.header.Counter)
		}
		first := all[0]
		for _, d := range []struct{ what, is, was string }{
			{"FileSetID", id.String(), first.header.FileSetID.String()},
			{"S1SP", strings.ToUpper(h.header.S1SP), strings.ToUpper(first.header.S1SP)},
			{"MigrationDate", h.header.MigrationDate.String(), first.header.MigrationDate.String()},
		} {
			if d.is != d.was {
				f.problem(h.name, d.what, "XCV04", "%s is %s here and %s in %s", d.what, d.is, d.was, first.name)
			}
		}
	}
}

// counts is step 5.
func (f *filing) counts() {
	for _, h := range f.headers() {
		if h.header.InstallationCount != len(h.ids) {
			f.problem(h.name, "InstallationCount", "XCV05", "InstallationCount is %d and there are %d installations", h.header.InstallationCount, len(h.ids))
		}
		seen := map[EUI]bool{}
		for _, id := range h.ids {
			if seen[id] {
				f.problem(h.name, "InstallationID", "XCV05", "installation %s appears twice", id)
			}
			seen[id] = true
		}
	}
	if f.common == nil {
		return
	}
	devices := map[EUI]bool{}
	for i := range f.common.Body.Installation {
		for _, d := range f.common.Body.Installation[i].Device {
			if devices[d.DeviceID] {
				f.problem(f.set.Common.Name, "DeviceID", "XCV05", "device %s appears twice", d.DeviceID)
			}
			devices[d.DeviceID] = true
		}
	}
}

// homes lines the files up: the common file's order first, then what only the group file has.
func (f *filing) homes() []*homeIn {
	f.groupByID, f.keysByID, f.msisdns = map[EUI]*GroupInstallation{}, map[EUI]*EncryptedInstallation{}, map[string]int{}
	if f.group != nil {
		for i := range f.group.Body.Installation {
			g := &f.group.Body.Installation[i]
			f.groupByID[g.InstallationID] = g
			if g.SIM.MSISDN != "" {
				f.msisdns[g.SIM.MSISDN]++
			}
		}
	}
	if f.encrypted != nil {
		for i := range f.encrypted.Body.Installation {
			e := &f.encrypted.Body.Installation[i]
			f.keysByID[e.InstallationID] = e
		}
	}
	var out []*homeIn
	seen := map[EUI]bool{}
	if f.common != nil {
		for i := range f.common.Body.Installation {
			c := &f.common.Body.Installation[i]
			seen[c.InstallationID] = true
			out = append(out, &homeIn{f: f, id: c.InstallationID, common: c, group: f.groupByID[c.InstallationID], keys: f.keysByID[c.InstallationID]})
		}
	}
	if f.group != nil {
		for _, id := range f.group.Installations() {
			if !seen[id] {
				out = append(out, &homeIn{f: f, id: id, group: f.groupByID[id], keys: f.keysByID[id]})
			}
		}
	}
	return out
}

// With adds to the verdict of an S1SP what the DCO found in its own part. A set that the DCO refuses is refused.
func (v Verdict) With(dco Verdict) Verdict {
	if len(v.Problems) > 0 || len(dco.Problems) > 0 {
		for _, p := range dco.Problems {
			if !slices.Contains(v.Problems, p) {
				v.Problems = append(v.Problems, p)
			}
		}
		return Verdict{Problems: v.Problems}
	}
	found := map[EUI][]Finding{}
	for _, in := range dco.Installations {
		for _, x := range in.Findings {
			if x.ByDCO {
				found[in.InstallationID] = append(found[in.InstallationID], x)
			}
		}
	}
	out := Verdict{Accepted: v.Accepted}
	for _, in := range v.Installations {
		for _, x := range found[in.InstallationID] {
			if !slices.Contains(in.Findings, x) {
				in.Findings = append(slices.Clone(in.Findings), x)
			}
		}
		out.Installations = append(out.Installations, in)
	}
	return out
}

// MCVF makes the body of the answer to a common file.
func (v Verdict) MCVF() CommonValidationBody {
	b := CommonValidationBody{FileError: fileErrors(v.Problems)}
	for _, in := range v.Installations {
		b.Installation = append(b.Installation, CommonValidation{InstallationID: in.InstallationID, Outcome: in.Outcome(), Error: in.errors()})
	}
	return b
}

// MGVF makes the body of the answer to a group file. DCOOutcome is left out when no DCO took part.
func (v Verdict) MGVF(withDCO bool) GroupValidationBody {
	b := GroupValidationBody{FileError: fileErrors(v.Problems)}
	for _, in := range v.Installations {
		g := GroupValidation{InstallationID: in.InstallationID, Outcome: in.Outcome(), Error: in.errors()}
		if withDCO {
			g.DCOOutcome = Pass
			for _, x := range in.Findings {
				if x.ByDCO {
					g.DCOOutcome = Fail
				}
			}
		}
		b.Installation = append(b.Installation, g)
	}
	return b
}

// maxDetail is the schema's limit on a detail.
const maxDetail = 500

func (v InstallationVerdict) errors() []InstallationError {
	var out []InstallationError
	for _, x := range v.Findings {
		if len(out) == 100 { // the schema's limit
			break
		}
		e := InstallationError{Code: x.Code, Detail: detail(x.Detail)}
		if !x.Device.IsZero() {
			id := x.Device
			e.DeviceID = &id
		}
		out = append(out, e)
	}
	return out
}

func fileErrors(ps Problems) []FileError {
	var out []FileError
	for _, p := range ps {
		if len(out) == 16 { // the schema's limit
			break
		}
		name := p.File
		if r := []rune(name); len(r) > 128 {
			name = string(r[:128])
		}
		what := p.What
		if p.Column != "" {
			what = p.Column + ": " + what
		}
		out = append(out, FileError{FileName: name, Code: p.Code, Detail: detail(what)})
	}
	return out
}

// detail makes a text fit the schema: no line breaks, no characters that XML forbids, not too long.
func detail(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0xFFFD || r == 0xFFFE || r == 0xFFFF {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if r := []rune(s); len(r) > maxDetail {
		s = string(r[:maxDetail-1]) + "…"
	}
	return s
}
