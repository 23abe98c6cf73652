package document

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
)

// passwordAlphabet holds 62 characters; 24 of them are 142 bits.
const (
	passwordAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	passwordLength   = 24
)

// GeneratePassword draws 24 characters of A-Z, a-z and 0-9 from random (spec: programme reference 5.3, ours).
func GeneratePassword(random io.Reader) (Secret, error) {
	out := make([]byte, 0, passwordLength)
	var b [1]byte
	for len(out) < passwordLength {
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return Secret{}, fmt.Errorf("drawing a password: %w", err)
		}
		// 248 is the greatest multiple of 62 below 256: what lies above would favour some letters.
		if b[0] < 248 {
			out = append(out, passwordAlphabet[int(b[0])%len(passwordAlphabet)])
		}
	}
	return Secret{bytes: out}, nil
}

// PasswordFile is the content of a MAPASSWORD file.
type PasswordFile struct {
	Filename string   // of the authorisation
	SHA256   [32]byte // of the authorisation's zip file
	Password Secret
}

// PasswordCodec turns a MAPASSWORD file into its content and back. The plain form is
// [PlainPassword]; a form encrypted to DCC's key-agreement certificate implements the same
// interface.
type PasswordCodec interface {
	// DecodePassword reads a file; name is what problems will show.
	DecodePassword(specs *Specs, name string, data []byte) (PasswordFile, Problems)
	// EncodePassword writes a file.
	EncodePassword(specs *Specs, p PasswordFile) ([]byte, error)
}

// PlainPassword is the MAPASSWORD file as a plain CSV of one record, for tests and rehearsals:
// whoever holds both files can open the authorisation.
type PlainPassword struct{}

// DecodePassword implements [PasswordCodec].
func (PlainPassword) DecodePassword(specs *Specs, name string, data []byte) (PasswordFile, Problems) {
	var p PasswordFile
	t, err := NewTable(specs, "MAPASSWORD", name)
	if err != nil {
		return p, Problems{specs.Problem(name, 0, "", "XMA03", err.Error()+".")}
	}
	found := false
	for row := range t.Rows(bytes.NewReader(data)) {
		p.Filename = row.Get("Filename")
		p.Password = NewSecret([]byte(row.Get("Password")))
		sum, err := hex.DecodeString(row.Get("SHA256"))
		if err != nil || len(sum) != len(p.SHA256) {
			continue // the column's type has checked it
		}
		copy(p.SHA256[:], sum)
		found = true
	}
	if len(t.ps) == 0 && !found {
		t.Report(0, "", "XMA03", "The password file has no record.")
	}
	return p, t.ps
}

// EncodePassword implements [PasswordCodec].
func (PlainPassword) EncodePassword(specs *Specs, p PasswordFile) ([]byte, error) {
	l, err := specs.Layout("MAPASSWORD")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = WriteTable(&b, specs, "MAPASSWORD", one(l.cells(map[string]string{
		"Filename": p.Filename,
		"SHA256":   strings.ToUpper(hex.EncodeToString(p.SHA256[:])),
		"Password": string(p.Password.Reveal()),
	})))
	return b.Bytes(), err
}

func one(cells []string) iter.Seq[[]string] { return slices.Values([][]string{cells}) }
