// Package profile says how the makes of device differ, as data. A profile is
// one versioned YAML file for one device set of one cohort: who made the hub,
// the meters and the display, which firmware they are known to run, how they
// speak DLMS, how they are woken, how they take an image and how long their key
// window stays open. The built-in ones are embedded; a laboratory writes its
// own for its own meter and loads it by path, without a rebuild.
//
// A profile is validated on load. Each mistake is told by file, line and field.
// Every quirk carries the evidence for it, and each profile says which of its
// facts are published, which are recalled and which are ours.
//
// The package is pure data: it opens no connection and imports nothing of the
// rest of the far side, so that the gateway may read it too. It may change.
package profile

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"smets1/device/internal/located"
)

// SchemaVersion is the version of the file format that this package reads.
const SchemaVersion = 1

// A Cohort is one of the three groups in which the migration took device sets on.
type Cohort string

// The cohorts (published).
const (
	IOC Cohort = "IOC" // initial operating capability
	MOC Cohort = "MOC" // middle operating capability
	FOC Cohort = "FOC" // final operating capability
)

// Wake says what it takes to make a hub answer on the WAN.
type Wake string

// The ways of waking.
const (
	WakeNone  Wake = "none"  // always on line
	WakeSMS   Wake = "sms"   // one text message
	WakeSMSx2 Wake = "smsx2" // two text messages
)

// Messages is how many text messages wake the hub; 0 when it never sleeps.
func (w Wake) Messages() int {
	switch w {
	case WakeSMS:
		return 1
	case WakeSMSx2:
		return 2
	default:
		return 0
	}
}

// Evidence tells how well a fact is known.
type Evidence string

// The grades of evidence.
const (
	Published Evidence = "published" // read in a public document, which is named
	Recalled  Evidence = "recalled"  // known to practitioners, no document at hand
	Ours      Evidence = "ours"      // made up for this simulator
)

// A Profile is one device set. A loaded Profile is shared: do not change it.
type Profile struct {
	Schema     int    `yaml:"schema"`     // SchemaVersion
	Name       string `yaml:"name"`       // like ioc-dlms; lower case, digits and hyphens
	Version    string `yaml:"version"`    // of this file, raised at each change
	Title      string `yaml:"title"`      // for people
	Provenance string `yaml:"provenance"` // where the facts come from
	Cohort     Cohort `yaml:"cohort"`
	Group      string `yaml:"group"`    // two-letter migration group, like AA
	Platform   string `yaml:"platform"` // S1SP token in file names, like CGI
	Comms      string `yaml:"comms"`    // communications service provider, part of the eligibility key

	WAN  WAN  `yaml:"wan"`
	HAN  HAN  `yaml:"han"`
	Keys Keys `yaml:"keys"`

	Hub  Device  `yaml:"hub"`
	ESME Device  `yaml:"esme"`
	GSME *Device `yaml:"gsme"` // nil: the set knows no gas meter
	IHD  *Device `yaml:"ihd"`  // nil: the set knows no display

	Quirks []Quirk `yaml:"quirks"`
}

// WAN is how the head end reaches the hub.
type WAN struct {
	Wake         Wake          `yaml:"wake"`
	SMSDelay     time.Duration `yaml:"smsDelay"`     // from the message centre to the hub
	SMSQuota     int           `yaml:"smsQuota"`     // messages a month that cost nothing extra; 0: no quota
	OnlineWindow time.Duration `yaml:"onlineWindow"` // how long a woken hub stays, from the last traffic
	// CallEvery is how often the hub goes on line by itself, for CallWindow. Absent: it is only woken.
	CallEvery  time.Duration `yaml:"callEvery"`
	CallWindow time.Duration `yaml:"callWindow"`
	LastGasp   bool          `yaml:"lastGasp"` // the hub can say that its power fails
}

// HAN is how the hub reaches its meters.
type HAN struct {
	Timeout time.Duration `yaml:"timeout"` // after which the hub gives a meter up
	Latency time.Duration `yaml:"latency"` // one way, of the in-memory link
}

// Keys is how a device changes its keys.
type Keys struct {
	// Window is how long staged keys wait for their commit before the device
	// drops them.
	Window time.Duration `yaml:"window"`
	// CounterBlock is how many invocation counters a device sets aside on disk
	// at once; after a restart it goes on at the end of the block.
	CounterBlock uint32 `yaml:"counterBlock"`
}

// A Device is one kind of device of the set.
type Device struct {
	Manufacturer string     `yaml:"manufacturer"` // at most 30 characters
	Model        string     `yaml:"model"`        // at most 30 characters
	Flag         string     `yaml:"flag"`         // three-letter FLAG id
	Hardware     uint16     `yaml:"hardware"`     // hardware revision
	Firmware     []Firmware `yaml:"firmware"`     // known versions, oldest first
	SystemTitle  TitleForm  `yaml:"systemTitle"`
	DLMS         DLMS       `yaml:"dlms"`  // absent for a display, which does not speak it
	Image        Image      `yaml:"image"` // absent: takes no image
	DriftPPM     int        `yaml:"driftPPM"`
	Tariff       Tariff     `yaml:"tariff"` // of a meter; what is absent is as wide as SMETS1 has it
	Prepay       Prepay     `yaml:"prepay"` // of a meter; absent: takes no codes
	Logs         Logs       `yaml:"logs"`   // what is absent is as long as SMETS1 has it
	Without      []string   `yaml:"without"`
}

// Firmware is a version that a device is known to run.
type Firmware struct {
	Version  string   `yaml:"version"` // at most 8 characters, as in the data transfer catalogue
	Evidence Evidence `yaml:"evidence"`
	Source   string   `yaml:"source"` // document, for published ones
	Note     string   `yaml:"note"`
}

// TitleForm says how a device makes its DLMS system title.
type TitleForm string

// The forms of system title.
const (
	TitleFlag TitleForm = "flag" // three letters of the FLAG id, then the last five octets of the EUI-64
	TitleEUI  TitleForm = "eui"  // the EUI-64 itself
)

// Link is the framing that a device speaks on its own wire.
type Link string

// The framings.
const (
	LinkWrapper Link = "wrapper" // IEC 62056-47 over TCP 4059
	LinkHDLC    Link = "hdlc"    // IEC 62056-46, on a serial line
)

// DLMS is how a device speaks DLMS/COSEM.
type DLMS struct {
	LogicalDevice uint16     `yaml:"logicalDevice"` // wrapper port or HDLC upper address of the management logical device
	Clients       Clients    `yaml:"clients"`
	MaxPDU        uint16     `yaml:"maxPDU"`      // longest APDU that the device takes, octets
	Conformance   []string   `yaml:"conformance"` // names of the conformance bits
	Suite         uint8      `yaml:"suite"`       // security suite
	Policy        Protection `yaml:"policy"`      // what every ciphered APDU must carry
	Links         []Link     `yaml:"links"`       // framings that the device has; the first is the usual one
}

// Protection is the security policy of version 0 of class 64.
type Protection string

// The policies.
const (
	ProtectNone         Protection = "none"
	ProtectAuthenticate Protection = "authenticated"
	ProtectEncrypt      Protection = "encrypted"
	ProtectBoth         Protection = "both"
)

// Enum is the value on the wire.
func (p Protection) Enum() uint8 {
	switch p {
	case ProtectAuthenticate:
		return 1
	case ProtectEncrypt:
		return 2
	case ProtectBoth:
		return 3
	default:
		return 0
	}
}

// Clients are the client addresses that a device knows.
type Clients struct {
	Public     uint16 `yaml:"public"`     // no security; names, clock and counter
	Management uint16 `yaml:"management"` // HLS 5, everything
}

// Image is how a device takes a firmware image.
type Image struct {
	BlockSize uint32        `yaml:"blockSize"` // octets
	Verify    time.Duration `yaml:"verify"`    // how long verifying takes
	Reboot    time.Duration `yaml:"reboot"`    // how long the device is away when it activates
}

// Tariff is what a meter's switching table has room for.
type Tariff struct {
	Registers   int `yaml:"registers"` // time of use registers
	Blocks      int `yaml:"blocks"`    // of block pricing; 1 has none
	Seasons     int `yaml:"seasons"`
	Weeks       int `yaml:"weeks"`
	Days        int `yaml:"days"`
	Switches    int `yaml:"switches"` // points of a day
	SpecialDays int `yaml:"specialDays"`
}

// Prepay is how a meter takes top-up codes.
type Prepay struct {
	Blocks int `yaml:"blocks"` // of 20 digits that a code may have; 0: it takes no codes
	// Tries in a row within Within (0: at any time) lock the keypad for Lock. 0 never locks.
	Tries  int           `yaml:"tries"`
	Within time.Duration `yaml:"within"`
	Lock   time.Duration `yaml:"lock"`
	// CountDuplicates: a code that was used already is a wrong one too.
	CountDuplicates bool `yaml:"countDuplicates"`
	// Payments is how many top-ups the meter remembers.
	Payments int `yaml:"payments"`
}

// Logs are how many entries the logs of a device keep.
type Logs struct {
	HalfHours       int `yaml:"halfHours"`       // import, or gas
	ExportHalfHours int `yaml:"exportHalfHours"` // export and reactive
	Days            int `yaml:"days"`            // registers at midnight
	DailyUse        int `yaml:"dailyUse"`        // use of each day
	Billing         int `yaml:"billing"`
	Snapshots       int `yaml:"snapshots"`
	Voltage         int `yaml:"voltage"` // half hours
	Network         int `yaml:"network"` // six-minute values of gas
	Events          int `yaml:"events"`
	Security        int `yaml:"security"`
}

// Parts that a make may be without, for Device.Without.
const (
	PartReactive = "reactive" // no reactive registers
	PartExport   = "export"   // no export register
	PartDemand   = "demand"   // no maximum demand
	PartVoltage  = "voltage"  // no voltage log
	PartLimit    = "limit"    // no load limit
	PartBlocks   = "blocks"   // no block registers
	PartNetwork  = "network"  // no network data log
)

var parts = []string{PartReactive, PartExport, PartDemand, PartVoltage, PartLimit, PartBlocks, PartNetwork}

// Has reports whether the device has a part.
func (d *Device) Has(part string) bool {
	for _, p := range d.Without {
		if p == part {
			return false
		}
	}
	return true
}

// fill puts what SMETS1 has in the place of what a file leaves out (published: the
// ceilings of the DUIS response schema, which are what a device may hold).
func (d *Device) fill(gas bool) {
	t, l := Tariff{48, 4, 4, 4, 16, 12, 50}, Logs{19056, 4464, 31, 731, 12, 12, 4320, 41, 100, 100}
	if gas {
		t = Tariff{4, 4, 3, 2, 4, 12, 20}
	}
	for _, x := range []struct {
		v *int
		d int
	}{
		{&d.Tariff.Registers, t.Registers}, {&d.Tariff.Blocks, t.Blocks}, {&d.Tariff.Seasons, t.Seasons}, {&d.Tariff.Weeks, t.Weeks},
		{&d.Tariff.Days, t.Days}, {&d.Tariff.Switches, t.Switches}, {&d.Tariff.SpecialDays, t.SpecialDays},
		{&d.Logs.HalfHours, l.HalfHours}, {&d.Logs.ExportHalfHours, l.ExportHalfHours}, {&d.Logs.Days, l.Days}, {&d.Logs.DailyUse, l.DailyUse},
		{&d.Logs.Billing, l.Billing}, {&d.Logs.Snapshots, l.Snapshots}, {&d.Logs.Voltage, l.Voltage}, {&d.Logs.Network, l.Network},
		{&d.Logs.Events, l.Events}, {&d.Logs.Security, l.Security}, {&d.Prepay.Payments, 5},
	} {
		if *x.v == 0 {
			*x.v = x.d
		}
	}
}

// A Quirk is one way in which a make departs from the common behaviour.
type Quirk struct {
	ID       string   `yaml:"id"`   // from the list below
	Text     string   `yaml:"text"` // what it does
	Evidence Evidence `yaml:"evidence"`
	Source   string   `yaml:"source"` // document, for published ones
}

// The quirks that the device models know.
const (
	// QuirkSnapshotOnModeChange: the meter takes a billing snapshot when the
	// payment mode changes.
	QuirkSnapshotOnModeChange = "snapshot-on-mode-change"
	// QuirkGasMirror: the hub answers for the sleeping gas meter from its mirror.
	QuirkGasMirror = "gas-mirror"
	// QuirkTwoMessages: one text message alone does nothing.
	QuirkTwoMessages = "two-messages"
	// QuirkDualElement: the electricity meter has a second element.
	QuirkDualElement = "dual-element"
	// QuirkLockOut: five wrong top-up codes lock the keypad.
	QuirkLockOut = "lock-out"
	// QuirkMeshWAN: the hub's WAN is a mesh of hubs.
	QuirkMeshWAN = "mesh-wan"
)

var knownQuirks = []string{
	QuirkDualElement, QuirkGasMirror, QuirkLockOut, QuirkMeshWAN, QuirkSnapshotOnModeChange, QuirkTwoMessages,
}

// Has reports whether the profile has a quirk.
func (p *Profile) Has(quirk string) bool {
	for i := range p.Quirks {
		if p.Quirks[i].ID == quirk {
			return true
		}
	}
	return false
}

// Newest is the last of the known firmware versions.
func (d *Device) Newest() string {
	if len(d.Firmware) == 0 {
		return ""
	}
	return d.Firmware[len(d.Firmware)-1].Version
}

// Knows reports whether the device is known to run a firmware version.
func (d *Device) Knows(version string) bool {
	for i := range d.Firmware {
		if d.Firmware[i].Version == version {
			return true
		}
	}
	return false
}

// Title is the system title of the device with an EUI-64.
func (d *Device) Title(eui [8]byte) [8]byte {
	if d.SystemTitle == TitleFlag {
		copy(eui[:3], d.Flag)
	}
	return eui
}

// Speaks reports whether the device has a framing.
func (d *DLMS) Speaks(l Link) bool {
	for _, x := range d.Links {
		if x == l {
			return true
		}
	}
	return false
}

// A Set is a collection of profiles by name. The zero Set is empty.
type Set struct {
	byName map[string]*Profile
}

//go:embed data/*.yaml
var builtin embed.FS

// Builtin are the profiles embedded in the program.
func Builtin() Set {
	s, err := loadFS(builtin, "data", "profile:")
	if err != nil {
		panic(err) // an embedded profile is wrong: a test holds each of them valid
	}
	return s
}

// LoadDir reads every .yaml file of a folder.
func LoadDir(dir string) (Set, error) {
	return loadFS(os.DirFS(dir), ".", dir+string(filepath.Separator))
}

func loadFS(fsys fs.FS, dir, prefix string) (Set, error) {
	files, err := fs.Glob(fsys, path.Join(dir, "*.yaml"))
	if err != nil {
		return Set{}, fmt.Errorf("profile: %w", err)
	}
	if len(files) == 0 {
		return Set{}, fmt.Errorf("profile: no .yaml file in %s", strings.TrimSuffix(prefix, string(filepath.Separator)))
	}
	var s Set
	var errs []error
	for _, f := range files {
		b, err := fs.ReadFile(fsys, f)
		if err != nil {
			errs = append(errs, fmt.Errorf("profile: %w", err))
			continue
		}
		p, err := Parse(prefix+path.Base(f), b)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if err := s.Add(p); err != nil {
			errs = append(errs, &located.Error{File: prefix + path.Base(f), Field: "name", Reason: err.Error()})
		}
	}
	return s, errors.Join(errs...)
}

// LoadFile reads one profile.
func LoadFile(name string) (*Profile, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	return Parse(name, b)
}

// Add puts a profile into the set. Two of one name are refused.
func (s *Set) Add(p *Profile) error {
	if _, ok := s.byName[p.Name]; ok {
		return fmt.Errorf("a second profile named %q; names must differ", p.Name)
	}
	s.Replace(p)
	return nil
}

// Replace puts a profile into the set in the place of one of the same name.
func (s *Set) Replace(p *Profile) {
	m := make(map[string]*Profile, len(s.byName)+1)
	for k, v := range s.byName {
		m[k] = v
	}
	m[p.Name] = p
	s.byName = m
}

// Get gives a profile by name.
func (s Set) Get(name string) (*Profile, bool) {
	p, ok := s.byName[name]
	return p, ok
}

// Names lists the profiles, sorted.
func (s Set) Names() []string {
	names := make([]string, 0, len(s.byName))
	for n := range s.byName {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}
