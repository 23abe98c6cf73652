package server

import (
	"bytes"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/security"
)

// SecuritySetup1 declares class 64 version 1: policies bit by bit, and the methods of suites 1 and 2: 3 agrees on global
// keys, 4 makes a key pair, 5 asks for its certificate, 6 to 8 import, export and remove certificates. Read in access
// shows the attributes, Write lets the methods run. The device's Security must be a [KeyChanger] and, for methods 4 to 8
// and the certificates, [Certificates]. Method 3 needs its [SigningKeys].
func SecuritySetup1(name cosem.OBIS, access Rights) Object {
	ro, run := only(access, ^Write), executeForWriters(access)
	o := SecuritySetup(name, access)
	o.Version = 1
	o.Attrs[0].Get = Enum(func(c *Call) uint8 { return uint8(c.policy()) })
	o.Attrs = append(o.Attrs, Attr{ID: 6, Access: ro, Get: listCertificates})
	o.Methods[0].Do = activatePolicyBits
	o.Methods = append(o.Methods,
		Method{ID: 3, Access: run, Do: agreeKeys},
		Method{ID: 4, Access: run, Do: withCertificates(func(_ *Call, s Certificates, r *axdr.Reader, dst []byte) ([]byte, error) {
			use := security.KeyPairUse(r.Enum())
			if err := argument(r); err != nil {
				return dst, err
			}
			return dst, s.GenerateKeyPair(use)
		})},
		Method{ID: 5, Access: run, Do: withCertificates(func(_ *Call, s Certificates, r *axdr.Reader, dst []byte) ([]byte, error) {
			use := security.KeyPairUse(r.Enum())
			if err := argument(r); err != nil {
				return dst, err
			}
			der, err := s.CertificateRequest(use)
			if err != nil {
				return dst, err
			}
			return axdr.AppendOctetString(dst, der), nil
		})},
		Method{ID: 6, Access: run, Do: withCertificates(func(c *Call, s Certificates, r *axdr.Reader, dst []byte) ([]byte, error) {
			der := r.OctetString()
			if err := argument(r); err != nil {
				return dst, err
			}
			return dst, certificateResult(s.ImportCertificate(c.Now, der))
		})},
		Method{ID: 7, Access: run, Do: withCertificates(func(_ *Call, s Certificates, r *axdr.Reader, dst []byte) ([]byte, error) {
			fits, err := readCertificateName(r)
			if err != nil {
				return dst, err
			}
			for _, x := range s.StoredCertificates() {
				if fits(x) {
					return axdr.AppendOctetString(dst, x.DER()), nil
				}
			}
			return dst, cosem.ActionObjectUndefined
		})},
		Method{ID: 8, Access: run, Do: withCertificates(func(_ *Call, s Certificates, r *axdr.Reader, dst []byte) ([]byte, error) {
			fits, err := readCertificateName(r)
			if err != nil {
				return dst, err
			}
			return dst, s.RemoveCertificate(fits)
		})})
	return o
}

func withCertificates(f func(*Call, Certificates, *axdr.Reader, []byte) ([]byte, error)) Do {
	return func(c *Call, arg, dst []byte) ([]byte, error) {
		s, ok := c.Device.Security.(Certificates)
		if !ok {
			return dst, cosem.ActionObjectUnavailable
		}
		r := axdr.NewReader(arg)
		return f(c, s, &r, dst)
	}
}

// listCertificates appends an array of structure {entity, use, serial number, issuer, subject, alternative name}.
func listCertificates(c *Call, dst []byte) ([]byte, error) {
	s, ok := c.Device.Security.(Certificates)
	if !ok {
		return axdr.AppendArrayHeader(dst, 0), nil
	}
	return appendArray(dst, s.StoredCertificates(), func(b []byte, x StoredCertificate) []byte {
		b = axdr.AppendStructureHeader(b, 6)
		b = axdr.AppendEnum(b, uint8(x.Entity))
		b = axdr.AppendEnum(b, uint8(x.Use))
		b = axdr.AppendOctetString(b, x.Serial())
		b = axdr.AppendOctetString(b, x.Issuer())
		b = axdr.AppendOctetString(b, x.Subject())
		return axdr.AppendOctetString(b, nil)
	}), nil
}

// Ways to name a certificate: structure {enum, structure} (recalled).
const (
	certificateByEntity = 0 // structure {entity, use, system title}
	certificateBySerial = 1 // structure {serial number, issuer}
)

func readCertificateName(r *axdr.Reader) (func(StoredCertificate) bool, error) {
	r.Structure(2)
	switch r.Enum() {
	case certificateByEntity:
		r.Structure(3)
		entity, use, title := CertificateEntity(r.Enum()), security.KeyPairUse(r.Enum()), r.OctetString()
		return func(x StoredCertificate) bool {
			t, _ := x.Title()
			return x.Entity == entity && x.Use == use && (len(title) == 0 || bytes.Equal(t[:], title))
		}, argument(r)
	case certificateBySerial:
		r.Structure(2)
		serial, issuer := r.OctetString(), r.OctetString()
		return func(x StoredCertificate) bool {
			return bytes.Equal(x.Serial(), serial) && bytes.Equal(x.Issuer(), issuer)
		}, argument(r)
	}
	return nil, cosem.ActionTypeUnmatched
}

// activatePolicyBits is method 1 of version 1.
func activatePolicyBits(c *Call, arg, dst []byte) ([]byte, error) {
	return activate(c, arg, dst, security.PolicyV1)
}

// agreeKeys is method 3: for each key an ephemeral public key of the client, signed, is answered with one of the device,
// signed; both derive the key. As with key_transfer it is all or nothing, and the reply is under the old keys.
func agreeKeys(c *Call, arg, dst []byte) ([]byte, error) {
	changer, ok := c.Device.Security.(KeyChanger)
	if !ok {
		return dst, cosem.ActionReadWriteDenied
	}
	keys, ok := c.Device.Security.(SigningKeys)
	if !ok || c.Association() == nil || keys.SigningKey().IsZero() {
		return dst, cosem.ActionObjectUnavailable
	}
	suite, client := c.Association().Suite, c.ClientTitle()
	verify := keys.ClientKey(client)
	r := axdr.NewReader(arg)
	n := r.Array()
	if n == 0 || n > maxKeyTransfer {
		return dst, cosem.ActionTypeUnmatched
	}
	var updates []KeyUpdate
	out := axdr.AppendArrayHeader(dst, n)
	for range n {
		r.Structure(2)
		id, data := security.KeyID(r.Enum()), r.OctetString()
		if r.Err() != nil {
			return dst, cosem.ActionTypeUnmatched
		}
		if id > security.KeyKEK || known(updates, id) {
			return dst, cosem.ActionOtherReason
		}
		offer, err := security.ParseKeyAgreementOffer(suite, id, data)
		if err != nil {
			return dst, cosem.ActionTypeUnmatched
		}
		if offer.Verify(verify) != nil {
			return dst, cosem.ActionOtherReason
		}
		own, ephemeral, err := security.NewKeyAgreementOffer(c.Device.Rand, id, keys.SigningKey())
		if err != nil {
			return dst, cosem.ActionTemporaryFailure
		}
		key, err := security.AgreeEphemeral(ephemeral, offer.Point, client, c.Device.Security.SystemTitle())
		if err != nil {
			return dst, cosem.ActionOtherReason
		}
		updates = append(updates, KeyUpdate{ID: id, Key: key})
		out = axdr.AppendStructureHeader(out, 2)
		out = axdr.AppendEnum(out, uint8(id))
		out = axdr.AppendOctetString(out, own.Data())
	}
	if err := argument(&r); err != nil {
		return dst, err
	}
	apply, err := changer.Transfer(c.Now, c.KeyVersion(), updates)
	if err != nil {
		return dst, err
	}
	c.After(apply)
	return out, nil
}
