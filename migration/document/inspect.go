package document

import (
	"bytes"
	"encoding/xml"
	"errors"
	"time"
)

// Inspection is what a file of a file set says, read without judging who signed it: for people who look at files, and
// never a base for a decision. [Open] is what a recipient uses.
type Inspection struct {
	Name          Name
	Header        Header
	Signed        bool // there is a signature; whether it verifies is not known
	Installations []InspectedInstallation
}

// InspectedInstallation is one installation of a file, as far as files of all types have it in common.
type InspectedInstallation struct {
	InstallationID EUI
	Status         string
	Outcome        string
	DCOOutcome     string
	Error          []InstallationError
	Device         []struct {
		DeviceID EUI
		Check    []struct{ Name, Outcome string }
	}
}

// Inspect reads a file of a file set: its name, well-formedness and limits, and its schema (XDF06, XCV01).
func Inspect(specs *Specs, limits XMLLimits, a Artefact) (*Inspection, Problems) {
	fail := func(column, code string, err error) (*Inspection, Problems) {
		var se *schemaError
		what := err.Error()
		if errors.As(err, &se) {
			column, what = se.path, se.what
		}
		return nil, Problems{specs.Problem(a.Name, 0, column, code, sentence(what))}
	}
	n, err := ParseName(a.Name)
	if err != nil || !n.Kind.FileSet() {
		return fail("", "XDF06", errors.New(nameFault("file set", a.Name, err)))
	}
	if err := scanXML(a.Data, limits); err != nil {
		return fail("", "XCV01", err)
	}
	plain, signed := withoutSignature(a.Data)
	check := map[Kind]func([]byte) error{
		KindMCF: shape[CommonBody], KindMGF: shape[GroupBody], KindMGEF: shape[EncryptedBody], KindMCVF: shape[CommonValidationBody],
		KindMGVF: shape[GroupValidationBody], KindSVF: shape[ViabilityBody], KindSCF: shape[CommissioningBody], KindCOF: shape[OutcomeBody],
	}[n.Kind]
	if err := check(plain); err != nil {
		return fail("", "XCV01", err)
	}
	var f struct {
		Header Header
		Body   struct{ Installation []InspectedInstallation }
	}
	if err := xml.Unmarshal(plain, &f); err != nil {
		return fail("file", "XCV01", err)
	}
	return &Inspection{Name: n, Header: f.Header, Signed: signed, Installations: f.Body.Installation}, nil
}

func shape[B Body](plain []byte) error {
	f := new(File[B])
	if err := decodeStrict(plain, f); err != nil {
		return err
	}
	if want := typeNames[f.Body.kind()]; f.Type != want {
		return errType
	}
	return nil
}

// withoutSignature takes the first signature element out; what is inside of it is not part of the schema of the type.
func withoutSignature(b []byte) (plain []byte, signed bool) {
	const open, end = "<ds:Signature", "</ds:Signature>"
	i := bytes.Index(b, []byte(open))
	if i < 0 {
		return b, false
	}
	j := bytes.Index(b[i:], []byte(end))
	if j < 0 {
		return b, false
	}
	return append(append([]byte{}, b[:i]...), b[i+j+len(end):]...), true
}

// Check opens a file of any type as a recipient does (steps 1 and 2 of the checks) and gives only what is wrong.
func (o *Opener) Check(a Artefact, now time.Time) Problems {
	n, err := ParseName(a.Name)
	if err != nil || !n.Kind.FileSet() {
		return Problems{o.Specs.Problem(a.Name, 0, "", "XDF06", nameFault("file set", a.Name, err))}
	}
	var ps Problems
	switch n.Kind {
	case KindMCF:
		_, ps = Open[CommonBody](o, a, now)
	case KindMGF:
		_, ps = Open[GroupBody](o, a, now)
	case KindMGEF:
		_, ps = Open[EncryptedBody](o, a, now)
	case KindMCVF:
		_, ps = Open[CommonValidationBody](o, a, now)
	case KindMGVF:
		_, ps = Open[GroupValidationBody](o, a, now)
	case KindSVF:
		_, ps = Open[ViabilityBody](o, a, now)
	case KindSCF:
		_, ps = Open[CommissioningBody](o, a, now)
	default:
		_, ps = Open[OutcomeBody](o, a, now)
	}
	return ps
}
