// Package xmlsig signs and verifies XML with the one profile that migration files use. The
// profile is that of DCC's published signing tool:
//
//	<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#">   last child of the root
//	  <ds:SignedInfo>
//	    <ds:CanonicalizationMethod Algorithm="…/2001/10/xml-exc-c14n#"/>
//	    <ds:SignatureMethod Algorithm="…/2001/04/xmldsig-more#ecdsa-sha256"/>
//	    <ds:Reference URI="">                                       exactly one
//	      <ds:Transforms> enveloped-signature, xml-exc-c14n# </ds:Transforms>
//	      <ds:DigestMethod Algorithm="…/2001/04/xmlenc#sha256"/>
//	      <ds:DigestValue/>
//	  <ds:SignatureValue/>                                          r || s, 32 octets each (RFC 4050, 3.3)
//	  <ds:KeyInfo><ds:X509Data><ds:X509IssuerSerial/>
//
// The canonical form, and the signature element when signing, are goxmldsig's. Around it is what it does
// not do: its ECDSA signature values are ASN.1 where the standard wants r || s, its KeyInfo carries
// a certificate where the profile wants issuer and serial number, and its verifier stops at a
// thousand elements, which is a file of a dozen homes.
//
// Verifying takes this profile and nothing else, so a document cannot choose weaker
// algorithms, sign only a part, or carry a second signature. What it gives back is the content that was
// signed, canonical and without the signature; callers read that and never the input.
package xmlsig

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// ErrSignature means that a document is not signed as the profile wants, or does not verify.
var ErrSignature = errors.New("the XML signature does not verify")

const (
	excC14N   = "http://www.w3.org/2001/10/xml-exc-c14n#"
	ecdsa256  = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
	sha256URI = "http://www.w3.org/2001/04/xmlenc#sha256"
	enveloped = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
	half      = 32
)

// Sign appends the signature to the root of a document. The certificate must be that of the key.
func Sign(document []byte, certificate *x509.Certificate, key crypto.Signer) ([]byte, error) {
	public, ok := key.Public().(*ecdsa.PublicKey)
	if !ok || !public.Equal(certificate.PublicKey) {
		return nil, errors.New("signing: the certificate is not that of the key, or the key is not ECDSA")
	}
	doc, err := parse(document)
	if err != nil {
		return nil, err
	}
	ctx, err := dsig.NewSigningContext(rawSigner{key}, nil)
	if err != nil {
		return nil, err
	}
	ctx.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	// Canonicalising changes the tree it is given, so it gets a copy.
	sig, err := ctx.ConstructSignature(doc.Root().Copy(), true)
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	data := sig.FindElement("./KeyInfo/X509Data")
	if data == nil {
		return nil, errors.New("signing: the library made no KeyInfo")
	}
	is := data.CreateElement("ds:X509IssuerSerial")
	is.CreateElement("ds:X509IssuerName").SetText(certificate.Issuer.String())
	is.CreateElement("ds:X509SerialNumber").SetText(certificate.SerialNumber.String())
	doc.Root().AddChild(sig)
	// Written plainly, a carriage return in a text would come back as a line feed and break the digest.
	doc.WriteSettings = etree.WriteSettings{CanonicalText: true, CanonicalAttrVal: true}
	out, err := doc.WriteToBytes()
	return append(out, '\n'), err
}

// Lookup finds a certificate by issuer (RFC 2253 text) and serial number (decimal); nil if unknown.
type Lookup func(issuer, serial string) *x509.Certificate

// Verify checks the signature of a document and gives what was signed, and who signed it.
// Whether that party may sign this document is the caller's question.
func Verify(document []byte, lookup Lookup, now time.Time) (signed []byte, by *x509.Certificate, err error) {
	doc, err := parse(document)
	if err != nil {
		return nil, nil, err
	}
	root := doc.Root()
	sig, err := profile(root)
	if err != nil {
		return nil, nil, err
	}
	issuer := text(sig, "KeyInfo", "X509Data", "X509IssuerSerial", "X509IssuerName")
	serial := text(sig, "KeyInfo", "X509Data", "X509IssuerSerial", "X509SerialNumber")
	by = lookup(issuer, serial)
	switch {
	case by == nil:
		return nil, nil, fmt.Errorf("%w: no certificate is known for issuer %q, serial %q", ErrSignature, clip(issuer), clip(serial))
	case now.Before(by.NotBefore) || now.After(by.NotAfter):
		return nil, nil, fmt.Errorf("%w: certificate %s is not valid at %s", ErrSignature, serial, now.UTC().Format(time.RFC3339))
	case by.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return nil, nil, fmt.Errorf("%w: certificate %s is not for signing", ErrSignature, serial)
	}
	value, err := signatureValue(text(sig, "SignatureValue"))
	if err != nil {
		return nil, nil, err
	}
	key, ok := by.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return nil, nil, fmt.Errorf("%w: certificate %s has no ECDSA key", ErrSignature, serial)
	}
	// Cut out of its place, SignedInfo loses the declaration of its prefix, which stands further up.
	info := child(sig, "SignedInfo").Copy()
	info.CreateAttr(strings.TrimSuffix("xmlns:"+info.Space, ":"), dsig.Namespace)
	canonical, err := canonicalise(info)
	if err != nil {
		return nil, nil, err
	}
	sum := sha256.Sum256(canonical)
	if !ecdsa.Verify(key, sum[:], value.R, value.S) {
		return nil, nil, fmt.Errorf("%w: the signature value is not that of %s over SignedInfo", ErrSignature, by.Subject.CommonName)
	}
	want, err := base64.StdEncoding.DecodeString(text(sig, "SignedInfo", "Reference", "DigestValue"))
	if err != nil {
		return nil, nil, fmt.Errorf("%w: DigestValue is not base64", ErrSignature)
	}
	root.RemoveChild(sig)
	if signed, err = canonicalise(root); err != nil {
		return nil, nil, err
	}
	if sum := sha256.Sum256(signed); !bytes.Equal(sum[:], want) {
		return nil, nil, fmt.Errorf("%w: the content was changed after it was signed", ErrSignature)
	}
	return signed, by, nil
}

// canonicalise gives the exclusive canonical form; it changes the tree.
func canonicalise(e *etree.Element) ([]byte, error) {
	b, err := dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("").Canonicalize(e)
	if err != nil {
		return nil, fmt.Errorf("%w: canonical form: %w", ErrSignature, err)
	}
	return b, nil
}

// profile finds the signature and holds it against the profile.
func profile(root *etree.Element) (*etree.Element, error) {
	bad := func(format string, args ...any) (*etree.Element, error) {
		return nil, fmt.Errorf("%w: "+format, append([]any{ErrSignature}, args...)...)
	}
	children := root.ChildElements()
	count := 0
	walk(root, func(e *etree.Element) {
		if e.NamespaceURI() == dsig.Namespace && e.Tag == dsig.SignatureTag {
			count++
		}
	})
	if count != 1 || len(children) == 0 {
		return bad("%d signatures found, exactly one is wanted", count)
	}
	sig := children[len(children)-1]
	if sig.NamespaceURI() != dsig.Namespace || sig.Tag != dsig.SignatureTag {
		return bad("the signature must be the last element of the root")
	}
	var fault error
	walk(sig, func(e *etree.Element) {
		if (e.NamespaceURI() != dsig.Namespace || e.Space != sig.Space) && fault == nil {
			_, fault = bad("element %s in the signature is not of the XML signature namespace, or not of its prefix", clip(e.FullTag()))
		}
	})
	if fault != nil {
		return nil, fault
	}
	shape := []struct {
		path []string
		want string
	}{
		{nil, "SignedInfo SignatureValue KeyInfo"},
		{[]string{"SignedInfo"}, "CanonicalizationMethod SignatureMethod Reference"},
		{[]string{"SignedInfo", "CanonicalizationMethod"}, ""},
		{[]string{"SignedInfo", "SignatureMethod"}, ""},
		{[]string{"SignedInfo", "Reference"}, "Transforms DigestMethod DigestValue"},
		{[]string{"SignedInfo", "Reference", "Transforms"}, "Transform Transform"},
		{[]string{"SignedInfo", "Reference", "DigestMethod"}, ""},
		{[]string{"SignedInfo", "Reference", "DigestValue"}, ""},
		{[]string{"SignatureValue"}, ""},
		{[]string{"KeyInfo"}, "X509Data"},
		{[]string{"KeyInfo", "X509Data"}, "X509IssuerSerial"},
		{[]string{"KeyInfo", "X509Data", "X509IssuerSerial"}, "X509IssuerName X509SerialNumber"},
	}
	for _, s := range shape {
		e := sig
		for _, p := range s.path {
			e = child(e, p)
		}
		var tags []string
		for _, c := range e.ChildElements() {
			tags = append(tags, c.Tag)
		}
		if got := strings.Join(tags, " "); got != s.want {
			return bad("%s holds %q and must hold %q", e.Tag, clip(got), s.want)
		}
	}
	info := child(sig, "SignedInfo")
	ref := child(info, "Reference")
	transforms := child(ref, "Transforms").ChildElements()
	for _, a := range []struct {
		e    *etree.Element
		attr string
		want string
	}{
		{child(info, "CanonicalizationMethod"), "Algorithm", excC14N},
		{child(info, "SignatureMethod"), "Algorithm", ecdsa256},
		{ref, "URI", ""},
		{transforms[0], "Algorithm", enveloped},
		{transforms[1], "Algorithm", excC14N},
		{child(ref, "DigestMethod"), "Algorithm", sha256URI},
	} {
		if len(a.e.Attr) != 1 || a.e.Attr[0].FullKey() != a.attr || a.e.Attr[0].Value != a.want {
			return bad("%s must carry %s=%q and nothing else", a.e.Tag, a.attr, a.want)
		}
	}
	return sig, nil
}

func parse(document []byte) (*etree.Document, error) {
	doc := etree.NewDocument()
	doc.ReadSettings.ValidateInput = true
	// The library takes a line end after the root for a second document.
	if err := doc.ReadFromBytes(bytes.TrimSpace(document)); err != nil {
		return nil, fmt.Errorf("reading XML: %w", err)
	}
	if doc.Root() == nil {
		return nil, errors.New("reading XML: there is no root element")
	}
	return doc, nil
}

func walk(e *etree.Element, visit func(*etree.Element)) {
	visit(e)
	for _, c := range e.ChildElements() {
		walk(c, visit)
	}
}

// child gives the first child of a name; an element that is not in the tree stands for none.
func child(e *etree.Element, tag string) *etree.Element {
	for _, c := range e.ChildElements() {
		if c.Tag == tag {
			return c
		}
	}
	return etree.NewElement("missing-" + tag)
}

func text(e *etree.Element, path ...string) string {
	for _, p := range path {
		e = child(e, p)
	}
	return strings.TrimSpace(e.Text())
}

// rawSigner gives signatures as XML wants them.
type rawSigner struct{ crypto.Signer }

type pair struct{ R, S *big.Int }

// Sign implements crypto.Signer; the result is r || s.
func (s rawSigner) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	der, err := s.Signer.Sign(random, digest, opts)
	if err != nil {
		return nil, err
	}
	var p pair
	if rest, err := asn1.Unmarshal(der, &p); err != nil || len(rest) > 0 {
		return nil, errors.New("the signer gave no ASN.1 ECDSA signature")
	}
	out := make([]byte, 2*half)
	p.R.FillBytes(out[:half])
	p.S.FillBytes(out[half:])
	return out, nil
}

func signatureValue(value string) (pair, error) {
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(value), ""))
	if err != nil || len(raw) != 2*half {
		return pair{}, fmt.Errorf("%w: the signature value must be %d octets in base64", ErrSignature, 2*half)
	}
	return pair{new(big.Int).SetBytes(raw[:half]), new(big.Int).SetBytes(raw[half:])}, nil
}

func clip(s string) string {
	if len(s) > 80 {
		return strings.ToValidUTF8(s[:80], "�") + "…"
	}
	return s
}
