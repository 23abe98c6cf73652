package security

import (
	"fmt"
	"io"
)

// ECQV: implicit certificates (SEC 4; published). With e = AES-MMO(certificate), taken whole as a number:
//
//	requester  kU random, R = kU·G
//	authority  k random, P = R + k·G goes into the certificate, r = e·k + dCA mod n goes back
//	subject    d = e·kU + r mod n, Q = d·G
//	anyone     Q = e·P + QCA

// certificateHash is e.
func certificateHash(c Certificate) ([HashSize]byte, error) {
	b, err := c.AppendBinary(make([]byte, 0, Certificate2Size))
	if err != nil {
		return [HashSize]byte{}, err
	}
	return Hash(b), nil
}

// CertifiedKey computes the public key of a certificate's subject. That it comes out proves nothing by itself: only the
// holder of the private key can use it, which key confirmation or a signature shows.
func CertifiedKey(c Certificate, authority PublicKey) (PublicKey, error) {
	if authority.suite != c.Suite() {
		return PublicKey{}, fmt.Errorf("security: certificate of %s, authority of %s: %w", c.Suite(), authority.suite, ErrCertificate)
	}
	cv := c.Suite().curve()
	p, err := cv.decompress(c.Reconstruction())
	if err != nil {
		return PublicKey{}, fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	h, err := certificateHash(c)
	if err != nil {
		return PublicKey{}, err
	}
	e := cv.o.parse(h[:])
	q := cv.multiplyShort(&e, &p, 8*HashSize)
	q = cv.add(&q, &authority.p)
	if q.inf || q.x.isZero() {
		return PublicKey{}, fmt.Errorf("security: the certificate gives no public key: %w", ErrCertificate)
	}
	return PublicKey{c.Suite(), q}, nil
}

// CertificateKey computes the subject's private key of the key it made its request with and the authority's answer.
func CertificateKey(c Certificate, request PrivateKey, answer PrivateKey) (PrivateKey, error) {
	if request.suite != c.Suite() || answer.suite != c.Suite() {
		return PrivateKey{}, fmt.Errorf("security: keys of another suite than the certificate's: %w", ErrCertificate)
	}
	h, err := certificateHash(c)
	if err != nil {
		return PrivateKey{}, err
	}
	o := c.Suite().curve().o
	e, k, r := o.parse(h[:]), request.scalar(), answer.scalar()
	d := o.mul(&e, &k)
	d = o.add(&d, &r)
	return newPrivateKey(c.Suite(), &d)
}

// SimulatorCA issues certificates for simulated devices. It is no real certificate authority: the private keys of those
// are not public, and no device of the field accepts what this one signs. Name it so that nobody takes it for one; ours
// is "SIMSECA1".
type SimulatorCA struct {
	key    PrivateKey
	public PublicKey
}

// NewSimulatorCA makes an authority of an existing key.
func NewSimulatorCA(key PrivateKey) (SimulatorCA, error) {
	if err := key.suite.check(); err != nil {
		return SimulatorCA{}, err
	}
	return SimulatorCA{key, key.Public()}, nil
}

// Public is the key that devices need to know to trust certificates of this authority.
func (a SimulatorCA) Public() PublicKey { return a.public }

// Answer fills in the reconstruction point of template for a requester's public key and gives the number that goes back
// to the requester, who makes its private key of it with [CertificateKey].
func (a SimulatorCA) Answer(rand io.Reader, template Certificate, request PublicKey) (Certificate, PrivateKey, error) {
	s := a.key.suite
	if template.Suite() != s || request.suite != s {
		return nil, PrivateKey{}, fmt.Errorf("security: the authority is of %s, template %s, request %s: %w", s, template.Suite(), request.suite, ErrCertificate)
	}
	c := s.curve()
	own, err := GeneratePrivateKey(rand, s)
	if err != nil {
		return nil, PrivateKey{}, err
	}
	k := own.scalar()
	p := c.multiply(&k, &c.g)
	p = c.add(&p, &request.p)
	if p.inf || p.x.isZero() {
		return nil, PrivateKey{}, fmt.Errorf("security: request cancels the authority's nonce: ask again: %w", ErrCertificate)
	}
	compressed := c.appendCompressed(nil, &p)
	switch t := template.(type) {
	case Certificate1:
		copy(t.Point[:], compressed)
		template = t
	case Certificate2:
		copy(t.CompressedPoint[:], compressed)
		template = t
	}
	h, err := certificateHash(template)
	if err != nil {
		return nil, PrivateKey{}, err
	}
	e, d := c.o.parse(h[:]), a.key.scalar()
	r := c.o.mul(&e, &k)
	r = c.o.add(&r, &d)
	answer, err := newPrivateKey(s, &r)
	return template, answer, err
}

// Mint does both sides at once: a certificate after template and its private key.
func (a SimulatorCA) Mint(rand io.Reader, template Certificate) (Certificate, PrivateKey, error) {
	request, err := GeneratePrivateKey(rand, a.key.suite)
	if err != nil {
		return nil, PrivateKey{}, err
	}
	c, answer, err := a.Answer(rand, template, request.Public())
	if err != nil {
		return nil, PrivateKey{}, err
	}
	key, err := CertificateKey(c, request, answer)
	return c, key, err
}
