package document

import (
	"bytes"
	"crypto/ecdh"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"smets1/migration/document/seal"
)

// SealedPassword is the MAPASSWORD file encrypted to the key-agreement certificate of whoever opens the authorisation,
// by the scheme of the encrypted keys (package seal): a CSV of one record that names the authorisation and its digest in
// clear and carries the password sealed. Both are bound to the password, so no password file can be put beside another
// authorisation (ours).
//
// Who writes sets To, Recipient and Random; who reads sets Recipient and Key.
type SealedPassword struct {
	Recipient EUI
	To        *ecdh.PublicKey
	Random    io.Reader
	Key       *ecdh.PrivateKey
	// AllowPlain also takes the plain form, for rehearsals.
	AllowPlain bool
}

const passwordUse = "MAPASSWORD"

func (p PasswordFile) aad(recipient EUI) []byte {
	return seal.AAD(p.Filename, hexText(p.SHA256[:]), passwordUse, recipient.String())
}

func hexText(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }

// EncodePassword implements [PasswordCodec].
func (c SealedPassword) EncodePassword(specs *Specs, p PasswordFile) ([]byte, error) {
	if c.To == nil || c.Random == nil || c.Recipient.IsZero() {
		return nil, errors.New("encrypting a password file needs the recipient's identity and key-agreement certificate, and a random source")
	}
	l, err := specs.Layout("MAPASSWORD-SEALED")
	if err != nil {
		return nil, err
	}
	block, err := seal.Seal(c.Random, c.To, passwordUse, p.aad(c.Recipient), p.Password.Reveal())
	if err != nil {
		return nil, fmt.Errorf("encrypting a password file: %w", err)
	}
	var b bytes.Buffer
	err = WriteTable(&b, specs, "MAPASSWORD-SEALED", one(l.cells(map[string]string{
		"Filename": p.Filename, "SHA256": hexText(p.SHA256[:]), "RecipientEUI": c.Recipient.String(), "EphemeralPublicKey": hexText(block.Ephemeral),
		"Nonce": hexText(block.Nonce), "Ciphertext": hexText(block.Ciphertext), "Tag": hexText(block.Tag),
	})))
	return b.Bytes(), err
}

// DecodePassword implements [PasswordCodec].
func (c SealedPassword) DecodePassword(specs *Specs, name string, data []byte) (PasswordFile, Problems) {
	var p PasswordFile
	plain, err := specs.Layout("MAPASSWORD")
	if err == nil && plain.checkHeader(firstRecord(data)) == "" {
		if c.AllowPlain {
			return PlainPassword{}.DecodePassword(specs, name, data)
		}
		return p, Problems{specs.Problem(name, 0, "", "XMA03", "The password file is in plain text; it must be encrypted to "+c.Recipient.String()+".")}
	}
	t, err := NewTable(specs, "MAPASSWORD-SEALED", name)
	if err != nil {
		return p, Problems{specs.Problem(name, 0, "", "XMA03", err.Error()+".")}
	}
	read := 0
	for row := range t.Rows(bytes.NewReader(data)) {
		read++
		p.Filename = row.Get("Filename")
		if to := row.EUI("RecipientEUI"); to != c.Recipient {
			t.Report(row.Line, "RecipientEUI", "XMA03", fmt.Sprintf("The password is for %s; this is %s.", to, c.Recipient))
			continue
		}
		if c.Key == nil {
			t.Report(0, "", "XMA03", "There is no private key to open the password with.")
			continue
		}
		copy(p.SHA256[:], unhex(row.Get("SHA256")))
		secret, err := seal.Open(c.Key, passwordUse, p.aad(c.Recipient), seal.Block{Ephemeral: unhex(row.Get("EphemeralPublicKey")),
			Nonce: unhex(row.Get("Nonce")), Ciphertext: unhex(row.Get("Ciphertext")), Tag: unhex(row.Get("Tag"))})
		if err != nil {
			t.Report(row.Line, "Ciphertext", "XMA03", "The password does not open: it is for another certificate, or the file was changed.")
			continue
		}
		p.Password = NewSecret(secret)
	}
	if len(t.ps) == 0 && read == 0 {
		t.Report(0, "", "XMA03", "The password file has no record.")
	}
	if len(t.ps) > 0 {
		return PasswordFile{}, t.ps
	}
	return p, nil
}

// unhex gives the octets of a cell whose pattern has been checked.
func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		return nil
	}
	return b
}

// firstRecord splits the first line at its commas; headings need no quoting.
func firstRecord(data []byte) []string {
	line, _, _ := bytes.Cut(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), []byte("\n"))
	return strings.Split(strings.TrimSuffix(string(line), "\r"), ",")
}
