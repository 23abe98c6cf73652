package document

import (
	"bytes"
	"crypto/sha256"
	"encoding/xml"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"smets1/internal/wire"
	"smets1/migration/document/pki"
	"smets1/migration/document/xmlsig"
)

// FileSetID names a file set: group, requesting party, counter; the same in every file of the
// set and in every answer to it. `AA-70B3D51F3000A001-000000000042`.
type FileSetID struct {
	GroupID string
	RP      EUI
	Counter uint64
}

var fileSetID = regexp.MustCompile(`^([A-Z]{2})-([0-9A-F]{16})-([0-9]{12})$`)

// ParseFileSetID reads the text form.
func ParseFileSetID(s string) (FileSetID, error) {
	m := fileSetID.FindStringSubmatch(s)
	if m == nil {
		return FileSetID{}, fmt.Errorf("%q is not a FileSetID; it is written AA-70B3D51F3000A001-000000000042", clip(s))
	}
	f := FileSetID{GroupID: m[1]}
	var parts []string
	for i := 0; i < 16; i += 2 {
		parts = append(parts, m[2][i:i+2])
	}
	var err error
	if f.RP, err = wire.ParseEUI64(strings.Join(parts, "-")); err != nil {
		return FileSetID{}, err
	}
	f.Counter, err = strconv.ParseUint(m[3], 10, 64)
	return f, err
}

// String gives the text form.
func (f FileSetID) String() string {
	return fmt.Sprintf("%s-%s-%012d", f.GroupID, strings.ReplaceAll(f.RP.String(), "-", ""), f.Counter)
}

// MarshalText writes the text form.
func (f FileSetID) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads the text form.
func (f *FileSetID) UnmarshalText(b []byte) error {
	v, err := ParseFileSetID(string(b))
	if err == nil {
		*f = v
	}
	return err
}

// PartyRef names a sender or recipient: role and identity.
type PartyRef struct {
	Role pki.Role `xml:"role,attr" rule:"enum RP CP S1SP DCO"`
	EUI  EUI      `xml:",chardata"`
}

// Ref names a party.
func Ref(p *pki.Party) PartyRef { return PartyRef{p.Role, p.EUI} }

// Header is the head of every migration file.
type Header struct {
	FileSetID         FileSetID
	GroupID           string `rule:"pattern [A-Z]{2}"`
	Sender            PartyRef
	Recipient         []PartyRef     `rule:"occurs 1 4"`
	S1SP              string         `rule:"pattern [A-Za-z0-9]{1,16}"`
	MigrationDate     Date           // the planned day of every installation inside
	Created           Instant        // UTC, to the second
	Counter           uint64         // strictly increasing per sender and type of file
	InstallationCount int            // number of Installation elements
	InResponseTo      []InResponseTo `xml:",omitempty" rule:"occurs 0 4"`
}

// InResponseTo cites a file that is answered.
type InResponseTo struct {
	FileName string `rule:"text 1 128"`
	SHA256   Digest
}

// Body is what a file carries between header and signature.
type Body interface {
	kind() Kind
	ids() []EUI
}

// File is a migration file with a body of one type.
type File[B Body] struct {
	XMLName       xml.Name `xml:"urn:opensmets1:migration:1 MigrationFile"`
	SchemaVersion string   `xml:"schemaVersion,attr" rule:"enum 1.0"`
	Type          string   `xml:"type,attr" rule:"text 1 40"`
	Header        Header
	Body          B
}

// Installations gives the identities in the order of the file.
func (f *File[B]) Installations() []EUI { return f.Body.ids() }

// Kind gives the type of file.
func (f *File[B]) Kind() Kind { return f.Body.kind() }

// typeNames are the values of the attribute `type`.
var typeNames = map[Kind]string{
	KindMCF:  "MigrationCommonFile",
	KindMGF:  "MigrationGroupFile",
	KindMGEF: "MigrationGroupEncryptedFile",
	KindMCVF: "MigrationCommonValidationFile",
	KindMGVF: "MigrationGroupValidationFile",
	KindSVF:  "S1SPViabilityFile",
	KindSCF:  "S1SPCommissioningFile",
	KindCOF:  "CommissioningOutcomeFile",
}

// senders says which role writes each type of file.
var senders = map[Kind]pki.Role{
	KindMCF: pki.RP, KindMGF: pki.RP, KindMGEF: pki.RP,
	KindMCVF: pki.CP, KindMGVF: pki.S1SP, KindSVF: pki.S1SP, KindSCF: pki.S1SP, KindCOF: pki.CP,
}

// Artefact is a file as it is stored and sent.
type Artefact struct {
	Name   string
	Data   []byte
	SHA256 Digest
}

// Cite gives the reference by which an answer names the artefact.
func (a Artefact) Cite() InResponseTo { return InResponseTo{FileName: a.Name, SHA256: a.SHA256} }

// NewArtefact names and digests the octets of a file.
func NewArtefact(name string, data []byte) Artefact {
	return Artefact{Name: name, Data: data, SHA256: sha256.Sum256(data)}
}

// Issue completes the header, writes the file, signs it and names it. Header fields that follow from
// others are set here: GroupID, Sender, InstallationCount.
func Issue[B Body](h Header, body B, by *pki.Party) (Artefact, error) {
	k := body.kind()
	if senders[k] != by.Role {
		return Artefact{}, fmt.Errorf("%s files are sent by the role %s, not by %s", k, senders[k], by)
	}
	h.GroupID, h.Sender, h.InstallationCount = h.FileSetID.GroupID, Ref(by), len(body.ids())
	f := &File[B]{SchemaVersion: SchemaVersion, Type: typeNames[k], Header: h, Body: body}
	f.Header.Created = At(h.Created.Time)
	plain, err := marshalFile(f)
	if err != nil {
		return Artefact{}, fmt.Errorf("writing %s: %w", k, err)
	}
	signed, err := xmlsig.Sign(plain, by.Signing, by.Signer())
	if err != nil {
		return Artefact{}, fmt.Errorf("writing %s: %w", k, err)
	}
	name := Name{Kind: k, S1SP: h.S1SP, EUI: by.EUI, Counter: h.Counter, Stamp: h.Created.Time, Ext: "xml"}
	return NewArtefact(name.String(), signed), nil
}

// marshalFile writes a file without its signature, after holding it against the schema.
func marshalFile[B Body](f *File[B]) ([]byte, error) {
	if err := checkRules(reflect.ValueOf(f).Elem(), "/MigrationFile"); err != nil {
		return nil, err
	}
	b, err := xml.MarshalIndent(f, "", "  ")
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.WriteString(xml.Header)
	out.Write(b)
	out.WriteByte('\n')
	// What we write must read back as itself: a value that XML cannot carry shows here.
	if err := decodeStrict(out.Bytes(), new(File[B])); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Opener reads signed migration files. Specs and Trust must be set.
type Opener struct {
	Specs  *Specs
	Trust  *pki.Trust
	Limits XMLLimits
}

// errType means that a file is of another type than was asked for.
var errType = errors.New("another type of file was expected")

// Open reads a file: steps 1 and 2 of the checks (well-formed and within limits, signed by the
// party that the header names in the role that the type wants). What it gives back was read from
// the signed content only.
func Open[B Body](o *Opener, a Artefact, now time.Time) (*File[B], Problems) {
	f, code, err := open[B](o, a, now)
	if err == nil {
		return f, nil
	}
	column, what := "", err.Error()
	var se *schemaError
	if errors.As(err, &se) {
		column, what = se.path, se.what
	}
	return nil, Problems{o.Specs.Problem(a.Name, 0, column, code, sentence(what))}
}

func open[B Body](o *Opener, a Artefact, now time.Time) (f *File[B], code string, err error) {
	if err := scanXML(a.Data, o.Limits); err != nil {
		return nil, "XCV01", err
	}
	signed, by, err := xmlsig.Verify(a.Data, o.Trust.Lookup, now)
	if err != nil {
		if errors.Is(err, xmlsig.ErrSignature) {
			return nil, "XCV02", err
		}
		return nil, "XCV01", err
	}
	f = new(File[B])
	if err := decodeStrict(signed, f); err != nil {
		return nil, "XCV01", err
	}
	k := f.Body.kind()
	if f.Type != typeNames[k] {
		return nil, "XCV01", fmt.Errorf("%w: the file is a %s, not a %s", errType, clip(f.Type), typeNames[k])
	}
	role, eui, err := pki.Identity(by)
	switch {
	case err != nil:
		return nil, "XCV02", err
	case role != senders[k]:
		return nil, "XCV02", fmt.Errorf("the signer has the role %s; %s files are signed by %s", role, k, senders[k])
	case role != f.Header.Sender.Role || eui != f.Header.Sender.EUI:
		return nil, "XCV02", fmt.Errorf("the signer is %s %s and the header names %s %s", role, eui, f.Header.Sender.Role, f.Header.Sender.EUI)
	}
	return f, "", nil
}

// sentence gives a text a capital and a full stop.
func sentence(s string) string {
	if s == "" {
		return s
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}
