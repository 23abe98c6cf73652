package fleet

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/bits"
	"time"

	"smets1/device/core"
	"smets1/device/household"
	"smets1/device/profile"
	"smets1/dlms/security"
	"smets1/firmware"
	"smets1/internal/wire"
)

// spec is one home as the manifest and the seed make it, before any device
// exists. It is derived whenever it is wanted.
type spec struct {
	index    int // position in the fleet
	name     string
	cohort   string
	profile  *profile.Profile
	set      deviceSet
	id       uint32 // 30 bits, unique in the fleet
	firmware map[string]string

	gas, prepay, solar, display bool
	live                        bool
	status, gasStatus           string
	link                        profile.Link
	signOn                      bool // before HDLC
	clock                       time.Duration
	clockSet                    bool
	supplier, gasSupplier       string
	network                     string
	faults                      []string
}

// optical is the word for a hub whose line begins with a sign-on.
const optical = "optical"

// prefix of every EUI-64: that of the test devices of DCC Boxed (published).
var prefix = [4]byte{0x00, 0xDB, 0x12, 0x34}

// The two lowest bits of an EUI-64 say which device of the home it is.
const (
	roleHub  = 0
	roleESME = 1
	roleGSME = 2
	roleIHD  = 3
)

// spec derives a home. The homes listed by name come first, then the cohorts.
//
// The identity follows from the cohort's place in the manifest and the home's
// number within it, so that growing one cohort renames nobody.
func (m *Manifest) spec(i int) spec {
	s := spec{index: i}
	var t Traits
	pick := func(_ string, x Mix, absent string) string {
		if len(x) == 0 {
			return absent
		}
		return x[0].Word
	}
	if i < len(m.Homes) {
		h := &m.Homes[i]
		s.name, s.cohort, t = h.Name, h.Cohort, h.Traits
		s.id = uint32(i)
	} else {
		n, c := i-len(m.Homes), 0
		for n >= m.Cohorts[c].count {
			n -= m.Cohorts[c].count
			c++
		}
		h := &m.Cohorts[c]
		s.name, s.cohort, t = fmt.Sprintf("%s-%04d", h.Name, n+1), h.Name, h.Traits
		s.id = uint32(c+1)<<24 | uint32(n)
		pick = func(field string, x Mix, absent string) string {
			if len(x) == 0 {
				return absent
			}
			return x[m.deal(c, field, n, h.count, x)].Word
		}
	}
	// One mask for all keeps them different and hides the counting.
	s.id ^= uint32(m.word("identity")) & (1<<30 - 1)
	s.profile, _ = m.profiles.Get(t.Profile)
	s.set = m.deviceSet(nil, "", &t, s.profile)
	s.gas = pick("fuel", t.Fuel, "dual") == "dual"
	s.prepay = pick("payment", t.Payment, "credit") == "prepayment"
	s.status = pick("status", t.Status, "active")
	s.gasStatus = pick("gasStatus", t.GasState, s.status)
	s.solar = pick("solar", t.Solar, "no") == "yes"
	s.display = s.set.ihd != nil && pick("display", t.Display, "yes") == "yes"
	s.live = pick("live", t.Live, "no") == "yes"
	word := pick("link", t.Link, "wrapper")
	s.signOn = word == optical
	if s.link = profile.Link(word); s.signOn {
		s.link = profile.LinkHDLC
	}
	s.supplier, s.gasSupplier, s.network = t.Supplier, t.GasSupp, t.Network
	if s.gasSupplier == "" {
		s.gasSupplier = s.supplier
	}
	s.firmware, s.faults = t.Firmware, t.Faults
	if t.Clock != "" {
		s.clock, _ = time.ParseDuration(t.Clock) // the manifest was validated
		s.clockSet = true
	}
	return s
}

// live tells whether a home runs by itself from the start.
func (m *Manifest) live(i int) bool { return m.someLive && m.spec(i).live }

// deal gives home n of a cohort of size count its word of a mix. Each word goes to
// as many homes as its weight is worth, to within one, and the order is shuffled
// differently for each field.
func (m *Manifest) deal(cohort int, field string, n, count int, x Mix) int {
	total := 0
	for _, w := range x {
		total += w.Weight
	}
	r := m.word(fmt.Sprintf("deal %d %s", cohort, field))
	step := int(r>>33)%count | 1
	for gcd(step, count) != 1 {
		step += 2
	}
	at := (n%count*step + int(r&0xFFFF)) % count
	// at is where the home stands among count; the words take stretches of that.
	upTo := 0
	for i, w := range x {
		upTo += w.Weight
		if at*total < upTo*count {
			return i
		}
	}
	return len(x) - 1
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// word is 64 bits that follow from the seed and a name.
func (m *Manifest) word(name string) uint64 {
	h := sha256.New()
	_ = binary.Write(h, binary.BigEndian, m.Seed)
	h.Write([]byte(name))
	return binary.BigEndian.Uint64(h.Sum(nil))
}

func (s *spec) eui(role uint32) (e wire.EUI64) {
	copy(e[:], prefix[:])
	binary.BigEndian.PutUint32(e[4:], s.id<<2|role)
	return e
}

// secret derives secrets of a device from the seed.
func (m *Manifest) secret(e wire.EUI64, what string, n int) []byte {
	seed := binary.BigEndian.AppendUint64([]byte("smets1 simulated fleet: keys are not secret\x00"), m.Seed)
	b, err := hkdf.Key(sha256.New, seed, e[:], what, n)
	if err != nil {
		panic("fleet: " + err.Error()) // n is small and fixed
	}
	return b
}

func (m *Manifest) keys(e wire.EUI64) security.KeySet {
	key := func(name string) security.Key {
		k, err := security.NewKey(m.secret(e, name, 16))
		if err != nil {
			panic("fleet: " + err.Error()) // sixteen octets are a key
		}
		return k
	}
	return security.KeySet{GUEK: key("GUEK"), GAK: key("GAK"), KEK: key("KEK")}
}

// wrongKey is a key that does not open the device.
func (m *Manifest) wrongKey(e wire.EUI64) security.Key {
	k, err := security.NewKey(m.secret(e, "a wrong key", 16))
	if err != nil {
		panic("fleet: " + err.Error()) // sixteen octets are a key
	}
	return k
}

// birth is a device of the home as it left the depot.
func (m *Manifest) birth(s *spec, role uint32) core.Birth {
	e := s.eui(role)
	b := core.Birth{
		EUI: e, Profile: s.profile, Prepayment: s.prepay, Start: m.start,
		Keys: m.keys(e), Serial: s.serial(role),
	}
	copy(b.Secret[:], m.secret(e, "challenges", 32))
	switch role {
	case roleHub:
		b.Kind, b.Make = firmware.Hub, s.set.hub
	case roleESME:
		b.Kind, b.Make, b.Profile, b.MPxN = firmware.ESME, s.set.esme, s.set.esmeFrom, s.mpan()
	case roleGSME:
		b.Kind, b.Make, b.Profile, b.MPxN = firmware.GSME, s.set.gsme, s.set.gsmeFrom, s.mprn()
	}
	b.Firmware = s.version(role)
	b.ClockError = s.clock
	if !s.clockSet {
		b.ClockError = time.Duration(int64(b.Secret[31])-128) * 30 * time.Millisecond
	}
	return b
}

var roleNames = [...]string{roleHub: "hub", roleESME: "esme", roleGSME: "gsme", roleIHD: "ihd"}

func (s *spec) version(role uint32) string {
	d := s.set.role(roleNames[role])
	switch v := s.firmware[roleNames[role]]; v {
	case "", "newest":
		return d.Newest()
	case "first":
		return d.Firmware[0].Version
	default:
		return v
	}
}

// scatter maps the home's number one to one onto numbers under n, with a multiplier
// that has no divisor in common with n.
func (s *spec) scatter(multiplier, n uint64) uint64 { return uint64(s.id) * multiplier % n }

// gather undoes scatter: it gives the only id under n with that number.
func gather(number, multiplier, n uint64) uint64 {
	// The inverse of the multiplier, by the extended algorithm of Euclid.
	r0, r1 := int64(n), int64(multiplier%n)
	t0, t1 := int64(0), int64(1)
	for r1 != 0 {
		q := r0 / r1
		r0, r1 = r1, r0-q*r1
		t0, t1 = t1, t0-q*t1
	}
	if t0 < 0 {
		t0 += int64(n)
	}
	hi, lo := bits.Mul64(number%n, uint64(t0))
	_, rem := bits.Div64(hi%n, lo, n)
	return rem
}

// The numbers of subscribers.
const (
	msisdnMultiplier = 104_729
	subscribers      = 10_000_000_000
)

// serial is the number on the nameplate (ours): a letter for the kind of device,
// two digits of a year and eight more.
func (s *spec) serial(role uint32) string {
	return fmt.Sprintf("%c%02d%010d", "CEGD"[role], 12+s.id%7, s.scatter(7919, 10_000_000_000))
}

// mpan is a valid MPAN core: distributor, ten digits, check digit.
func (s *spec) mpan() string { return mpanOf(2*s.scatter(6_700_417, 5_000_000_000), s.id) }

// exportMPAN is a second one for what the panels send out.
func (s *spec) exportMPAN() string {
	return mpanOf(2*s.scatter(6_700_417, 5_000_000_000)+1, s.id)
}

func mpanOf(unique uint64, id uint32) string {
	core := fmt.Sprintf("%02d%010d", 10+id%14, unique)
	weights := [12]int{3, 5, 7, 13, 17, 19, 23, 29, 31, 37, 41, 43}
	sum := 0
	for i, w := range weights {
		sum += int(core[i]-'0') * w
	}
	return fmt.Sprintf("%s%d", core, sum%11%10)
}

// mprn has ten digits and begins with none of them zero.
func (s *spec) mprn() string { return fmt.Sprint(1_000_000_000 + s.scatter(7_654_321, 9_000_000_000)) }

// SIM of the hub. Country 999 and network 99999 belong to no operator (published,
// ITU), so that none of these numbers is anybody's.
func (s *spec) msisdn() string {
	return fmt.Sprintf("999%010d", s.scatter(msisdnMultiplier, subscribers))
}

func (s *spec) imsi() string { return fmt.Sprintf("99999%010d", s.scatter(15_485_863, 10_000_000_000)) }

// iccid has a Luhn check digit.
func (s *spec) iccid() string {
	b := fmt.Sprintf("8999999%011d", s.scatter(32_452_843, 100_000_000_000))
	sum := 0
	for i := range b {
		d := int(b[i] - '0')
		if (len(b)-i)%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return fmt.Sprintf("%s%d", b, (10-sum%10)%10)
}

// load is what the household uses.
type load struct {
	importing, exporting, gas household.Curve
	installed                 time.Time
	first                     [3]int64 // readings at installation: import, export, gas
	balance                   [2]int64 // electricity, gas, in millipence
	seed                      uint64
	dual                      bool // the meter has a second element
}

func (m *Manifest) load(s *spec) load {
	seed := m.word(fmt.Sprintf("load %d", s.id))
	// 1.6 to 5.2 MWh a year; gas from 5 to 20 MWh, in litres.
	l := load{
		importing: household.Electricity(seed, 4400+int64(seed%9800)),
		gas:       household.Gas(seed, 1220+int64(seed>>16%3660)),
		installed: m.start.Add(-time.Duration(400+seed>>32%1400) * 24 * time.Hour),
		seed:      seed, dual: s.set.esmeFrom.Has(profile.QuirkDualElement),
	}
	if s.solar {
		l.importing = household.SolarHome(seed, 3600+int64(seed%8400))
		l.exporting = household.Solar(seed, 3000+int64(seed>>8%5000))
	}
	l.first = [3]int64{int64(seed >> 20 % 900), 0, int64(seed >> 24 % 400)}
	if s.prepay {
		l.balance = [2]int64{500_000 + int64(seed>>12%40)*100_000, 500_000 + int64(seed>>18%40)*100_000}
	}
	return l
}

func (s *spec) has(f Fault) bool {
	for _, x := range s.faults {
		if g, _, _ := parseFault(x); g == f {
			return true
		}
	}
	return false
}

func (s *spec) hasFor(f Fault, device string) bool {
	for _, x := range s.faults {
		if g, d, _ := parseFault(x); g == f && d == device {
			return true
		}
	}
	return false
}
