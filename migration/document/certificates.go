package document

import (
	"fmt"
	"io"
)

// OrganisationRole says in which role an organisation holds a certificate.
type OrganisationRole string

// The roles that authorisations and file sets name certificates for.
const (
	SupplierRole        OrganisationRole = "Supplier"
	NetworkOperatorRole OrganisationRole = "NetworkOperator"
)

// CertificateFact is what is known of a certificate that a file names by its serial number
// (the file is ours; it stands for the certificate repository).
type CertificateFact struct {
	Serial       Serial
	Organisation EUI
	Role         OrganisationRole
	Type         string // Organisation or Device
	From, To     Date   // both included
}

// Certificates is the look-up by serial number.
type Certificates struct {
	bySerial map[Serial]CertificateFact
	byOrg    map[EUI][]Serial
}

// NewCertificates makes the look-up.
func NewCertificates(in []CertificateFact) *Certificates {
	c := &Certificates{bySerial: make(map[Serial]CertificateFact, len(in)), byOrg: map[EUI][]Serial{}}
	for _, x := range in {
		c.bySerial[x.Serial] = x
		c.byOrg[x.Organisation] = append(c.byOrg[x.Organisation], x.Serial)
	}
	return c
}

// Holds says why the certificate may not be named for an organisation in a role on a day, or
// nothing when it may.
func (c *Certificates) Holds(s Serial, org EUI, role OrganisationRole, day Date) string {
	if c == nil {
		return fmt.Sprintf("certificate %s is not in the repository", s)
	}
	f, ok := c.bySerial[s]
	switch {
	case !ok:
		return fmt.Sprintf("certificate %s is not in the repository", s)
	case f.Type != "Organisation":
		return fmt.Sprintf("certificate %s is a %s certificate, not one of an organisation", s, f.Type)
	case f.Organisation != org:
		return fmt.Sprintf("certificate %s belongs to %s, not to %s", s, f.Organisation, org)
	case f.Role != role:
		return fmt.Sprintf("certificate %s was issued for the role %s, not %s", s, f.Role, role)
	case day.Before(f.From) || day.After(f.To):
		return fmt.Sprintf("certificate %s is valid from %s to %s, not on %s", s, f.From, f.To, day)
	}
	return ""
}

// ReadCertificates reads the look-up from CSV.
func ReadCertificates(specs *Specs, file string, src io.Reader) (*Certificates, Problems) {
	t, err := NewTable(specs, "CERTIFICATES", file)
	if err != nil {
		return nil, Problems{specs.Problem(file, 0, "", "XDF02", err.Error()+".")}
	}
	var out []CertificateFact
	seen := map[Serial]int{}
	for row := range t.Rows(src) {
		f := CertificateFact{Serial: Serial(row.Get("Serial")), Organisation: row.EUI("OrganisationID"), Role: OrganisationRole(row.Get("Role")),
			Type: row.Get("Type"), From: row.Date("ValidFrom"), To: row.Date("ValidTo")}
		if line, twice := seen[f.Serial]; twice {
			t.Report(row.Line, "Serial", "XDF04", fmt.Sprintf("Certificate %s is on line %d already.", f.Serial, line))
			continue
		}
		if f.To.Before(f.From) {
			t.Report(row.Line, "ValidTo", "XDF05", fmt.Sprintf("The certificate ends on %s, before it starts on %s.", f.To, f.From))
			continue
		}
		seen[f.Serial] = row.Line
		out = append(out, f)
	}
	if t.ps.FileFailed() {
		return nil, t.ps
	}
	return NewCertificates(out), t.ps
}

// WriteCertificates writes certificates as [ReadCertificates] reads them.
func WriteCertificates(w io.Writer, specs *Specs, in []CertificateFact) error {
	l, err := specs.Layout("CERTIFICATES")
	if err != nil {
		return err
	}
	return WriteTable(w, specs, "CERTIFICATES", func(yield func([]string) bool) {
		for _, f := range in {
			if !yield(l.cells(map[string]string{
				"Serial": string(f.Serial), "OrganisationID": euiText(f.Organisation), "Role": string(f.Role),
				"Type": f.Type, "ValidFrom": f.From.String(), "ValidTo": f.To.String(),
			})) {
				return
			}
		}
	})
}

// For finds a certificate of an organisation in a role that is valid on a day: of several the
// one with the smallest serial number, so that the choice is always the same. Empty if none.
func (c *Certificates) For(org EUI, role OrganisationRole, day Date) Serial {
	if c == nil {
		return ""
	}
	best := Serial("")
	for _, s := range c.byOrg[org] {
		if c.Holds(s, org, role, day) == "" && (best == "" || len(s) < len(best) || (len(s) == len(best) && s < best)) {
			best = s
		}
	}
	return best
}
