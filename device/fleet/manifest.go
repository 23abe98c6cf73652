package fleet

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"

	"smets1/device/internal/located"
	"smets1/device/profile"
	"smets1/internal/wire"
)

// ManifestSchema is the version of the manifest format that this package reads.
const ManifestSchema = 1

// Limits of a manifest.
const (
	MaxHomes   = 1 << 24 // of one cohort, by the room that EUI-64s have
	maxCohorts = 62
)

// A Manifest says which homes there are. It is a YAML file; the comments of its
// fields say what each means, and what it means to leave it out. Fields that a home
// and a cohort share are in Traits.
type Manifest struct {
	Schema   int      `yaml:"schema"`   // ManifestSchema
	Name     string   `yaml:"name"`     // of the fleet: lower case, digits and hyphens
	Seed     uint64   `yaml:"seed"`     // same manifest and seed, same homes
	Start    string   `yaml:"start"`    // RFC 3339, where the virtual clock begins
	Profiles string   `yaml:"profiles"` // folder of profiles, from the manifest's; empty: the built-in ones
	Total    int      `yaml:"total"`    // homes of the cohorts that have a share; 0 if none has
	HAN      string   `yaml:"han"`      // radio or memory: between hub and meters; absent: radio
	Homes    []Home   `yaml:"homes"`    // homes listed by name
	Cohorts  []Cohort `yaml:"cohorts"`

	start    time.Time
	profiles profile.Set
	someLive bool // a home may be live
}

// A Cohort is many homes of one kind. Its homes are named NAME-0001 and up.
type Cohort struct {
	Name   string `yaml:"name"`  // lower case, digits and hyphens
	Count  int    `yaml:"count"` // so many homes
	Share  int    `yaml:"share"` // or so many parts of Manifest.Total
	Traits `yaml:",inline"`

	count int
}

// A Home is one home, listed by name.
type Home struct {
	Name   string `yaml:"name"`   // lower case, digits and hyphens
	Cohort string `yaml:"cohort"` // takes over what it does not say from this cohort; empty: from none
	Traits `yaml:",inline"`
}

// Traits are what a home is like. Where a field takes a word, a cohort may write
// weights instead, as in fuel: {dual: 3, electricity: 1}, and its homes are divided by them.
type Traits struct {
	Profile  string            `yaml:"profile"`  // device set, like ioc-dlms
	Devices  map[string]string `yaml:"devices"`  // esme or gsme from another profile than the hub's
	Firmware map[string]string `yaml:"firmware"` // hub, esme, gsme, ihd: a known version, first or newest; absent: newest
	Fuel     Mix               `yaml:"fuel"`     // dual or electricity; absent: dual
	Payment  Mix               `yaml:"payment"`  // credit or prepayment; absent: credit
	Status   Mix               `yaml:"status"`   // active or dormant, both meters; absent: active
	GasState Mix               `yaml:"gasStatus"`
	Display  Mix               `yaml:"display"` // yes or no; absent: yes where the profile has one
	Solar    Mix               `yaml:"solar"`   // yes or no; absent: no
	Link     Mix               `yaml:"link"`    // wrapper, hdlc, or optical: hdlc after an IEC 62056-21 sign-on; absent: wrapper
	Live     Mix               `yaml:"live"`    // yes: its devices run by themselves from the start; no: it rests until somebody talks to it; absent: no
	Clock    string            `yaml:"clock"`   // error of all the home's clocks at the start, like -75s; absent: a few seconds
	Supplier string            `yaml:"supplier"`
	GasSupp  string            `yaml:"gasSupplier"` // absent: as supplier
	Network  string            `yaml:"networkOperator"`
	Faults   []string          `yaml:"faults"` // see Fault
}

// A Mix is a word, or words with weights.
type Mix []Weighted

// Weighted is one word of a Mix.
type Weighted struct {
	Word   string
	Weight int
}

// UnmarshalYAML reads a word or a mapping of words to weights.
func (m *Mix) UnmarshalYAML(f func(any) error) error {
	var word string
	if f(&word) == nil {
		*m = Mix{{word, 1}}
		return nil
	}
	var weights map[string]int
	if err := f(&weights); err != nil {
		return err
	}
	*m = nil
	for _, w := range slices.Sorted(maps.Keys(weights)) {
		*m = append(*m, Weighted{w, weights[w]})
	}
	return nil
}

// Fault is something that is wrong with a home on purpose.
type Fault string

// The faults. Those of a device take it after a colon, as in wrong-key:gsme; without
// they are the electricity meter's.
const (
	FaultGasSilent  Fault = "gas-silent"             // the gas meter never answers on the HAN
	FaultESMESilent Fault = "esme-silent"            // the electricity meter never answers on the HAN
	FaultNoWAN      Fault = "no-wan"                 // the hub cannot be reached and does not wake
	FaultWrongKey   Fault = "wrong-key"              // the handover file has a wrong key for the device
	FaultPowerCut   Fault = "power-cut-at-key-stage" // the device loses power once between key stage and commit
)

var (
	nameForm   = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	numberForm = regexp.MustCompile(`^[0-9]{4,}$`)
	roles      = []string{"hub", "esme", "gsme", "ihd"}
)

// LoadManifest reads a manifest and the profiles that it names.
func LoadManifest(path string) (*Manifest, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("fleet: %w", err)
	}
	return ParseManifest(path, b)
}

// ParseManifest reads a manifest. file is what errors call it, and its folder is
// where Profiles is looked for.
func ParseManifest(file string, data []byte) (*Manifest, error) {
	m := new(Manifest)
	d, err := located.Parse(file, data, m)
	if err != nil {
		return nil, err
	}
	m.profiles = profile.Builtin()
	if m.Profiles != "" {
		m.profiles, err = profile.LoadDir(filepath.Join(filepath.Dir(file), m.Profiles))
		if err != nil {
			d.Problemf("profiles", "%v", err)
			return nil, d.Err()
		}
	}
	m.validate(d)
	if err := d.Err(); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *Manifest) validate(d *located.Doc) {
	if m.Schema != ManifestSchema {
		d.Problemf("schema", "version %d is not known; this program reads %d", m.Schema, ManifestSchema)
	}
	checkName(d, "name", m.Name)
	var err error
	if m.start, err = time.Parse(time.RFC3339, m.Start); err != nil {
		d.Problemf("start", "%q is not a time; write it like 2019-07-15T07:00:00Z", m.Start)
	} else if y := m.start.Year(); y < 2012 || y > 2090 {
		d.Problemf("start", "the year %d is outside 2012…2090", y)
	}
	m.start = m.start.UTC()
	if !hanWord(m.HAN) {
		d.Problemf("han", "%q is not one of %s, %s", m.HAN, HANMemory, HANRadio)
	}
	if len(m.Homes) == 0 && len(m.Cohorts) == 0 {
		d.Problemf("cohorts", "no home at all; list homes, cohorts or both")
	}
	if len(m.Cohorts) > maxCohorts {
		d.Problemf("cohorts", "%d cohorts; at most %d", len(m.Cohorts), maxCohorts)
		return
	}
	names := map[string]string{}
	unique := func(at, name string) {
		if first, ok := names[name]; ok {
			d.Problemf(at, "%q is taken by %s", name, first)
		}
		names[name] = strings.TrimSuffix(at, ".name")
	}
	for i := range m.Cohorts {
		c, at := &m.Cohorts[i], fmt.Sprintf("cohorts[%d].", i)
		checkName(d, at+"name", c.Name)
		unique(at+"name", c.Name)
		switch {
		case c.Count < 0 || c.Share < 0:
			d.Problemf(at+"count", "a negative number of homes")
		case (c.Count == 0) == (c.Share == 0):
			d.Problemf(at+"count", "write either count or share, with 1 or more")
		case c.Share > 0 && m.Total <= 0:
			d.Problemf(at+"share", "a share of nothing: write total at the top")
		case c.Count > MaxHomes:
			d.Problemf(at+"count", "%d homes; at most %d", c.Count, MaxHomes)
		}
		m.checkTraits(d, at, &c.Traits)
		m.someLive = m.someLive || lives(&c.Traits)
	}
	if m.Total < 0 || m.Total > MaxHomes {
		d.Problemf("total", "%d is outside 1…%d", m.Total, MaxHomes)
	}
	if m.Total > 0 && !slices.ContainsFunc(m.Cohorts, func(c Cohort) bool { return c.Share > 0 }) {
		d.Problemf("total", "no cohort has a share of it")
	}
	for i := range m.Homes {
		h, at := &m.Homes[i], fmt.Sprintf("homes[%d].", i)
		checkName(d, at+"name", h.Name)
		unique(at+"name", h.Name)
		for _, c := range m.Cohorts {
			if rest, ok := strings.CutPrefix(h.Name, c.Name+"-"); ok && numberForm.MatchString(rest) {
				d.Problemf(at+"name", "%q is how the homes of cohort %s are named", h.Name, c.Name)
			}
		}
		if h.Cohort != "" {
			j := slices.IndexFunc(m.Cohorts, func(c Cohort) bool { return c.Name == h.Cohort })
			if j < 0 {
				d.Problemf(at+"cohort", "no cohort is named %q", h.Cohort)
				continue
			}
			h.inherit(m.Cohorts[j].Traits)
		}
		m.checkTraits(d, at, &h.Traits)
		m.someLive = m.someLive || lives(&h.Traits)
		for _, f := range h.mixes() {
			if len(*f.mix) > 1 {
				d.Problemf(at+f.name, "weights are for cohorts; a home has one of %s", strings.Join(f.words, ", "))
			}
		}
	}
	m.divide()
}

func lives(t *Traits) bool {
	return slices.ContainsFunc(t.Live, func(w Weighted) bool { return w.Word == "yes" })
}

// inherit takes over what is not set.
func (t *Traits) inherit(from Traits) {
	set := func(to *string, v string) {
		if *to == "" {
			*to = v
		}
	}
	set(&t.Profile, from.Profile)
	set(&t.Clock, from.Clock)
	set(&t.Supplier, from.Supplier)
	set(&t.GasSupp, from.GasSupp)
	set(&t.Network, from.Network)
	if t.Devices == nil {
		t.Devices = from.Devices
	}
	if t.Firmware == nil {
		t.Firmware = from.Firmware
	}
	if t.Faults == nil {
		t.Faults = from.Faults
	}
	src := from.mixes()
	for i, f := range t.mixes() {
		if len(*f.mix) == 0 && len(*src[i].mix) > 0 {
			*f.mix = heaviest(*src[i].mix)
		}
	}
}

// heaviest is the most frequent word of a mix: what a single home takes over.
func heaviest(m Mix) Mix {
	best := m[0]
	for _, w := range m[1:] {
		if w.Weight > best.Weight {
			best = w
		}
	}
	return Mix{best}
}

type mixField struct {
	name  string
	mix   *Mix
	words []string
}

func (t *Traits) mixes() []mixField {
	yesNo := []string{"yes", "no"}
	return []mixField{
		{"fuel", &t.Fuel, []string{"dual", "electricity"}},
		{"payment", &t.Payment, []string{"credit", "prepayment"}},
		{"status", &t.Status, []string{"active", "dormant"}},
		{"gasStatus", &t.GasState, []string{"active", "dormant"}},
		{"display", &t.Display, yesNo},
		{"solar", &t.Solar, yesNo},
		{"link", &t.Link, []string{"wrapper", "hdlc", optical}},
		{"live", &t.Live, yesNo},
	}
}

func (m *Manifest) checkTraits(d *located.Doc, at string, t *Traits) {
	p, ok := m.profiles.Get(t.Profile)
	if !ok {
		d.Problemf(at+"profile", "no profile is named %q; there are %s", t.Profile, strings.Join(m.profiles.Names(), ", "))
		return
	}
	for _, f := range t.mixes() {
		for _, w := range *f.mix {
			if !slices.Contains(f.words, w.Word) {
				d.Problemf(at+f.name, "%q is not one of %s", w.Word, strings.Join(f.words, ", "))
			}
			if w.Weight < 1 || w.Weight > 1000 {
				d.Problemf(at+f.name, "the weight %d of %q is outside 1…1000", w.Weight, w.Word)
			}
		}
	}
	set := m.deviceSet(d, at, t, p)
	gas := len(t.Fuel) == 0 || slices.ContainsFunc(t.Fuel, func(w Weighted) bool { return w.Word == "dual" })
	if gas && set.gsme == nil {
		d.Problemf(at+"fuel", "profile %s knows no gas meter; write fuel: electricity", p.Name)
	}
	if slices.ContainsFunc(t.Link, func(w Weighted) bool { return w.Word != "wrapper" }) && !p.Hub.DLMS.Speaks(profile.LinkHDLC) {
		d.Problemf(at+"link", "the hub of profile %s does not speak HDLC", p.Name)
	}
	for _, role := range slices.Sorted(maps.Keys(t.Firmware)) {
		dev := set.role(role)
		switch v := t.Firmware[role]; {
		case !slices.Contains(roles, role):
			d.Problemf(at+"firmware."+role, "a home has %s", strings.Join(roles, ", "))
		case dev == nil:
			d.Problemf(at+"firmware."+role, "profile %s has no such device", p.Name)
		case v != "first" && v != "newest" && !dev.Knows(v):
			d.Problemf(at+"firmware."+role, "%s %s is not known to run %q; write first, newest or one of %s", dev.Manufacturer, dev.Model, v, strings.Join(versions(dev), ", "))
		}
	}
	if t.Clock != "" {
		if e, err := time.ParseDuration(t.Clock); err != nil || e < -24*time.Hour || e > 24*time.Hour {
			d.Problemf(at+"clock", "%q is not an error of up to a day, like -75s", t.Clock)
		}
	}
	for _, f := range []struct{ name, id string }{{"supplier", t.Supplier}, {"gasSupplier", t.GasSupp}, {"networkOperator", t.Network}} {
		if _, err := wire.ParseEUI64(f.id); f.id != "" && err != nil {
			d.Problemf(at+f.name, "%v", err)
		}
	}
	seen := map[string]bool{}
	for i, f := range t.Faults {
		field := fmt.Sprintf("%sfaults[%d]", at, i)
		if _, _, err := parseFault(f); err != nil {
			d.Problemf(field, "%v", err)
		} else if seen[f] {
			d.Problemf(field, "%q is listed twice", f)
		}
		seen[f] = true
	}
}

// deviceSet is what a home is made of, which for most is one profile.
type deviceSet struct {
	hub, esme, gsme, ihd *profile.Device
	esmeFrom, gsmeFrom   *profile.Profile
}

func (s *deviceSet) role(name string) *profile.Device {
	switch name {
	case "hub":
		return s.hub
	case "esme":
		return s.esme
	case "gsme":
		return s.gsme
	case "ihd":
		return s.ihd
	default:
		return nil
	}
}

func (m *Manifest) deviceSet(d *located.Doc, at string, t *Traits, p *profile.Profile) deviceSet {
	s := deviceSet{hub: &p.Hub, esme: &p.ESME, gsme: p.GSME, ihd: p.IHD, esmeFrom: p, gsmeFrom: p}
	for _, role := range slices.Sorted(maps.Keys(t.Devices)) {
		other, ok := m.profiles.Get(t.Devices[role])
		switch {
		case !ok:
			d.Problemf(at+"devices."+role, "no profile is named %q", t.Devices[role])
		case role == "esme":
			s.esme, s.esmeFrom = &other.ESME, other
		case role == "gsme" && other.GSME != nil:
			s.gsme, s.gsmeFrom = other.GSME, other
		case role == "gsme":
			d.Problemf(at+"devices.gsme", "profile %s knows no gas meter", other.Name)
		default:
			d.Problemf(at+"devices."+role, "only esme and gsme may come from another profile")
		}
	}
	return s
}

func parseFault(s string) (f Fault, device string, err error) {
	word, device, has := strings.Cut(s, ":")
	f = Fault(word)
	switch f {
	case FaultWrongKey, FaultPowerCut:
		if !has {
			return f, "esme", nil
		}
		if device != "hub" && device != "esme" && device != "gsme" {
			return f, "", fmt.Errorf("%q: the device is hub, esme or gsme", s)
		}
		return f, device, nil
	case FaultGasSilent, FaultESMESilent, FaultNoWAN:
		if has {
			return f, "", fmt.Errorf("%q: %s takes no device", s, f)
		}
		return f, "", nil
	case "corrupt-image":
		return f, "", errors.New("corrupt-image is a fault of the image, not of a home: put a corrupt image into the release")
	default:
		return f, "", fmt.Errorf("%q is unknown; there are %s, %s, %s, %s and %s", s, FaultGasSilent, FaultESMESilent, FaultNoWAN, FaultWrongKey, FaultPowerCut)
	}
}

func versions(d *profile.Device) []string {
	var v []string
	for i := range d.Firmware {
		v = append(v, d.Firmware[i].Version)
	}
	return v
}

func checkName(d *located.Doc, at, name string) {
	if !nameForm.MatchString(name) || len(name) > 40 {
		d.Problemf(at, "%q is not a name: lower-case words joined by hyphens, at most 40 characters", name)
	}
}

// divide gives each cohort its number of homes: its count, or its share of the
// total by largest remainder.
func (m *Manifest) divide() {
	shares := 0
	for i := range m.Cohorts {
		m.Cohorts[i].count = m.Cohorts[i].Count
		shares += m.Cohorts[i].Share
	}
	if shares == 0 {
		return
	}
	left := m.Total
	var rest []int
	for i := range m.Cohorts {
		if c := &m.Cohorts[i]; c.Share > 0 {
			c.count = m.Total * c.Share / shares
			left -= c.count
			rest = append(rest, i)
		}
	}
	sort.SliceStable(rest, func(a, b int) bool {
		return m.Total*m.Cohorts[rest[a]].Share%shares > m.Total*m.Cohorts[rest[b]].Share%shares
	})
	for _, i := range rest[:left] {
		m.Cohorts[i].count++
	}
}

// Resize changes the number of homes to n: the homes listed by name stay, the
// cohorts shrink or grow in proportion. Homes that remain keep their identity. It
// fails when n leaves no room for the named homes, or nothing could grow.
func (m *Manifest) Resize(n int) error {
	left := n - len(m.Homes)
	before := m.Len() - len(m.Homes)
	switch {
	case left < 0:
		return fmt.Errorf("fleet: %d homes are too few: %d are listed by name", n, len(m.Homes))
	case left > MaxHomes:
		return fmt.Errorf("fleet: %d homes are too many: at most %d", n, MaxHomes)
	case left > 0 && before == 0:
		return fmt.Errorf("fleet: %d homes: the manifest lists %d by name and has no cohort to grow", n, len(m.Homes))
	}
	var given int
	for i := range m.Cohorts {
		c := &m.Cohorts[i]
		// The difference of rounded running sums: adds up, and each is within one.
		upTo := given + c.count
		c.Share = 0
		c.Count = upTo*left/max(before, 1) - given*left/max(before, 1)
		given = upTo
	}
	for i := range m.Cohorts {
		m.Cohorts[i].count = m.Cohorts[i].Count
	}
	m.Total = 0
	return nil
}

// Len is the number of homes.
func (m *Manifest) Len() int {
	n := len(m.Homes)
	for i := range m.Cohorts {
		n += m.Cohorts[i].count
	}
	return n
}

// StartTime is where the virtual clock begins.
func (m *Manifest) StartTime() time.Time { return m.start }
