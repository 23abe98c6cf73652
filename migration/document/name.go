package document

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"smets1/internal/wire"
)

// Kind is the first token of a file name.
type Kind string

// The kinds of file. MA, MAPASSWORD, DC and DR are known from published samples; the others
// are ours in the same style.
const (
	KindMA         Kind = "MA"         // Migration Authorisation
	KindMAPassword Kind = "MAPASSWORD" // its password companion
	KindMAR        Kind = "MAR"        // response to a Migration Authorisation
	KindDC         Kind = "DC"         // Demand Commitment
	KindDR         Kind = "DR"         // Demand Response
	KindDMFW       Kind = "DMFW"       // dormant meter firmware upgrade schedule notification
	KindDMMS       Kind = "DMMS"       // dormant meter migration schedule notification
	KindMCF        Kind = "MCF"        // Migration Common File
	KindMGF        Kind = "MGF"        // Migration Group File
	KindMGEF       Kind = "MGEF"       // Migration Group Encrypted File
	KindMCVF       Kind = "MCVF"       // Migration Common Validation File
	KindMGVF       Kind = "MGVF"       // Migration Group Validation File
	KindSVF        Kind = "SVF"        // S1SP Viability File
	KindSCF        Kind = "SCF"        // S1SP Commissioning File
	KindCOF        Kind = "COF"        // Commissioning Outcome File
)

// FileSet reports whether k is one of the signed XML files of a file set.
func (k Kind) FileSet() bool {
	switch k {
	case KindMCF, KindMGF, KindMGEF, KindMCVF, KindMGVF, KindSVF, KindSCF, KindCOF:
		return true
	}
	return false
}

// The grammars. The first two are drawn from DCC's samples
// (MA_cgI_70-B3-D5-1F-30-00-A0-08_20190407_182503, DC-AAA123_70-B3-D5-1F-30-00-A0-08_CGI_20190121),
// which is why the separator after DC may be a hyphen; the third is ours.
const euiPattern = `(?:[0-9A-Fa-f]{2}-){7}[0-9A-Fa-f]{2}`

var (
	stampedName = regexp.MustCompile(`^(MA|MAPASSWORD|MAR|DMFW|DMMS)_([A-Za-z0-9]{1,16})_(` + euiPattern + `)_(\d{8})_(\d{6})(?:\.([A-Za-z0-9]+))?$`)
	demandName  = regexp.MustCompile(`^(DC|DR)[-_]([A-Za-z0-9]{1,16})_(` + euiPattern + `)_([A-Za-z0-9]{1,16})_(\d{8})(?:\.([A-Za-z0-9]+))?$`)
	setName     = regexp.MustCompile(`^(MCF|MGF|MGEF|MCVF|MGVF|SVF|SCF|COF)_([A-Za-z0-9]{1,16})_(` + euiPattern + `)_(\d{12})_(\d{8})_(\d{6})\.xml$`)
)

// Name is a parsed file name. Fields that its kind does not carry are zero.
type Name struct {
	Kind      Kind
	S1SP      string    // as written; compared without regard to case
	EUI       EUI       // the submitting party
	Reference string    // DC and DR only: opaque, 1 to 16 letters and digits
	Counter   uint64    // file set only
	Stamp     time.Time // UTC; DC and DR carry a day only
	Ext       string    // without the dot, as written
	raw       string
}

// ParseName reads a file name of any kind. The name must not contain a folder.
func ParseName(s string) (Name, error) {
	if m := stampedName.FindStringSubmatch(s); m != nil {
		n := Name{Kind: Kind(m[1]), S1SP: m[2], Ext: m[6], raw: s}
		return n.finish(m[3], m[4]+"_"+m[5], "20060102_150405")
	}
	if m := demandName.FindStringSubmatch(s); m != nil {
		n := Name{Kind: Kind(m[1]), Reference: m[2], S1SP: m[4], Ext: m[6], raw: s}
		return n.finish(m[3], m[5], "20060102")
	}
	if m := setName.FindStringSubmatch(s); m != nil {
		c, err := strconv.ParseUint(m[4], 10, 64)
		if err != nil {
			return Name{}, fmt.Errorf("file name %q: counter: %w", s, err)
		}
		n := Name{Kind: Kind(m[1]), S1SP: m[2], Counter: c, Ext: "xml", raw: s}
		return n.finish(m[3], m[5]+"_"+m[6], "20060102_150405")
	}
	return Name{}, fmt.Errorf("file name %q follows none of the grammars; an authorisation is named MA_<S1SP>_<EUI-64>_<yyyymmdd>_<hhmmss>", s)
}

func (n Name) finish(eui, stamp, layout string) (Name, error) {
	var err error
	if n.EUI, err = wire.ParseEUI64(strings.ToUpper(eui)); err != nil {
		return Name{}, fmt.Errorf("file name %q: %w", n.raw, err)
	}
	if n.Stamp, err = time.Parse(layout, stamp); err != nil {
		return Name{}, fmt.Errorf("file name %q: %q is not a time of the calendar", n.raw, stamp)
	}
	return n, nil
}

// String gives the name as it was written, or builds it when the Name was not parsed.
func (n Name) String() string {
	if n.raw != "" {
		return n.raw
	}
	s := ""
	switch {
	case n.Kind == KindDC || n.Kind == KindDR:
		s = fmt.Sprintf("%s_%s_%s_%s_%s", n.Kind, n.Reference, n.EUI, n.S1SP, n.Stamp.UTC().Format("20060102"))
	case n.Kind.FileSet():
		s = fmt.Sprintf("%s_%s_%s_%012d_%s", n.Kind, n.S1SP, n.EUI, n.Counter, n.Stamp.UTC().Format("20060102_150405"))
	default:
		s = fmt.Sprintf("%s_%s_%s_%s", n.Kind, n.S1SP, n.EUI, n.Stamp.UTC().Format("20060102_150405"))
	}
	if n.Ext != "" {
		s += "." + n.Ext
	}
	return s
}

// With gives the name of the companion of another kind: same tokens, another first word.
func (n Name) With(k Kind, ext string) Name {
	n.Kind, n.Ext, n.raw = k, ext, ""
	return n
}

// PairKey is what an authorisation and its password file have in common: S1SP without regard
// to case (DCC's own pair is spelled cgI and CGI), EUI and time.
func (n Name) PairKey() string {
	return strings.ToUpper(n.S1SP) + "|" + n.EUI.String() + "|" + n.Stamp.UTC().Format("20060102_150405")
}

// Pair is a Migration Authorisation and the password file that opens it.
type Pair struct {
	Authorisation Name
	Password      Name
}

// PairNames sorts a folder's file names into pairs. Names of other kinds are left alone;
// authorisations and password files without a partner, or with more than one, come back
// in alone, in the order given.
func PairNames(names []string) (pairs []Pair, alone []Name) {
	passwords := map[string][]Name{}
	authorisations := map[string][]Name{}
	var order []Name
	for _, s := range names {
		n, err := ParseName(s)
		if err != nil {
			continue
		}
		switch n.Kind {
		case KindMA:
			authorisations[n.PairKey()] = append(authorisations[n.PairKey()], n)
		case KindMAPassword:
			passwords[n.PairKey()] = append(passwords[n.PairKey()], n)
		default:
			continue
		}
		order = append(order, n)
	}
	for _, n := range order {
		k := n.PairKey()
		if len(authorisations[k]) != 1 || len(passwords[k]) != 1 {
			alone = append(alone, n)
			continue
		}
		if n.Kind == KindMA {
			pairs = append(pairs, Pair{Authorisation: n, Password: passwords[k][0]})
		}
	}
	return pairs, alone
}
