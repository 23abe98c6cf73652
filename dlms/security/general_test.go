package security

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/dlms/apdu"
)

// parties are a client and a server that can do everything with each other.
func parties(t testing.TB, s Suite) (client, server *General) {
	t.Helper()
	keys := KeySet{}
	for i, k := range []*Key{&keys.GUEK, &keys.GBEK, &keys.GAK, &keys.KEK} {
		var err error
		*k, err = GenerateKey(seeded(byte(10+i)), s)
		require.NoError(t, err)
	}
	c := &General{Suite: s, Own: SystemTitle{'C', 1}, Peer: SystemTitle{'S', 2}, Keys: keys, Rand: seeded(20)}
	d := &General{Suite: s, Own: c.Peer, Peer: c.Own, Keys: keys, Rand: seeded(21)}
	if s == Suite0 {
		return c, d
	}
	for i, g := range []*General{c, d} {
		var err error
		g.AgreementKey, err = GenerateAgreementKey(seeded(byte(30+i)), s)
		require.NoError(t, err)
		g.SigningKey, err = GenerateSigningKey(seeded(byte(40+i)), s)
		require.NoError(t, err)
	}
	c.PeerAgreement, d.PeerAgreement = d.AgreementKey.Point(), c.AgreementKey.Point()
	c.PeerSigning, d.PeerSigning = d.SigningKey.Public(), c.SigningKey.Public()
	return c, d
}

func TestGeneralCiphering(t *testing.T) {
	plain := []byte("an APDU")
	for _, s := range []Suite{Suite0, Suite1, Suite2} {
		for use := UseGUEK; use <= UseStaticUnified; use++ {
			for _, p := range []Protection{ProtectAuth, ProtectEnc, ProtectBoth} {
				client, server := parties(t, s)
				msg, err := client.Seal(client.Header([]byte{1, 2, 3}), use, p, 0, plain)
				if s == Suite0 && use >= UseOnePass {
					require.Error(t, err)
					continue
				}
				require.NoError(t, err)
				wire, err := msg.AppendBinary(nil)
				require.NoError(t, err)
				back, n, err := apdu.ParseGeneralCiphering(wire)
				require.NoError(t, err)
				require.Equal(t, len(wire), n)
				h, got, err := server.Open(back)
				require.NoError(t, err, "%v use %d", s, use)
				require.Equal(t, plain, got)
				require.Equal(t, NewControl(s, p), h.Control)

				_, _, err = client.Open(back)
				require.ErrorContains(t, err, "not the peer", "our own message come back")
				if p&ProtectAuth == 0 {
					continue
				}
				bad := back
				bad.OtherInfo = []byte{1}
				_, _, err = server.Open(bad)
				require.ErrorIs(t, err, ErrDecipher, "the header is authenticated")
			}
		}
	}
}

func TestGeneralCipheringRefusals(t *testing.T) {
	client, server := parties(t, Suite1)
	msg, err := client.Seal(client.Header([]byte{1}), UseOnePass, ProtectBoth, 0, []byte("x"))
	require.NoError(t, err)
	for name, change := range map[string]func(*apdu.GeneralCiphering){
		"signature": func(m *apdu.GeneralCiphering) {
			m.KeyInfo.Ciphered = append(bytes.Clone(m.KeyInfo.Ciphered[:127]), 0xFF)
		},
		"length":     func(m *apdu.GeneralCiphering) { m.KeyInfo.Ciphered = nil },
		"parameters": func(m *apdu.GeneralCiphering) { m.KeyInfo.Parameters = nil },
		"scheme":     func(m *apdu.GeneralCiphering) { m.KeyInfo.Parameters = []byte{9} },
		"recipient":  func(m *apdu.GeneralCiphering) { m.Recipient = m.Originator },
		"identified": func(m *apdu.GeneralCiphering) { m.KeyInfo = apdu.KeyInfo{Kind: apdu.KeyInfoIdentified, KeyID: 7} },
		"wrapped":    func(m *apdu.GeneralCiphering) { m.KeyInfo = apdu.KeyInfo{Kind: apdu.KeyInfoWrapped, KeyID: 1} },
		"wrapped key": func(m *apdu.GeneralCiphering) {
			m.KeyInfo = apdu.KeyInfo{Kind: apdu.KeyInfoWrapped, Ciphered: make([]byte, 24)}
		},
		"none":         func(m *apdu.GeneralCiphering) { m.KeyInfo = apdu.KeyInfo{} },
		"unknown info": func(m *apdu.GeneralCiphering) { m.KeyInfo.Kind = 9 },
		"content":      func(m *apdu.GeneralCiphering) { m.Content = m.Content[:10] },
	} {
		m := msg
		change(&m)
		_, _, err := server.Open(m)
		require.Error(t, err, name)
	}
	h := client.Header(nil)
	_, err = client.Seal(h, UseStaticUnified, ProtectBoth, 0, nil)
	require.ErrorContains(t, err, "transaction id")
	_, err = client.Seal(h, 99, ProtectBoth, 0, nil)
	require.ErrorContains(t, err, "unknown key use")
	h.Originator = []byte{1}
	_, err = client.Seal(h, UseGUEK, ProtectBoth, 0, nil)
	require.ErrorContains(t, err, "not us")
	client.Rand = nil
	for _, use := range []KeyUse{UseWrapped, UseOnePass} {
		_, err = client.Seal(client.Header([]byte{1}), use, ProtectBoth, 0, nil)
		require.ErrorContains(t, err, "randomness")
	}
}

func TestGeneralSigning(t *testing.T) {
	for _, s := range []Suite{Suite1, Suite2} {
		client, server := parties(t, s)
		msg, err := client.Sign(client.Header([]byte{1}), []byte("content"))
		require.NoError(t, err)
		wire, err := msg.AppendBinary(nil)
		require.NoError(t, err)
		back, _, err := apdu.ParseGeneralSigning(wire)
		require.NoError(t, err)
		require.NoError(t, server.Verify(back))
		require.Error(t, client.Verify(back))
		back.Content = []byte("contents")
		require.ErrorIs(t, server.Verify(back), ErrSignature)
	}
}
