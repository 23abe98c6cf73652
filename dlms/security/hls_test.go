package security

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"encoding/json"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func seeded(b byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{b}) }

func TestHLS5GreenBook(t *testing.T) {
	v := vectors(t)["gb_hls5_gmac"]
	c, err := NewCipher(Suite0, v.key(t, "ek"), v.key(t, "ak"))
	require.NoError(t, err)
	client := Handshake{
		Mechanism: MechanismGMAC, Cipher: c, Counter: 1,
		Own: v.title(t, "client_system_title"), Peer: v.title(t, "server_system_title"),
		OwnChallenge: v.bytes(t, "ctos"), PeerChallenge: v.bytes(t, "stoc"),
	}
	server := Handshake{
		Mechanism: MechanismGMAC, Cipher: c, Counter: 0x01234567,
		Own: client.Peer, Peer: client.Own, OwnChallenge: client.PeerChallenge, PeerChallenge: client.OwnChallenge,
	}
	a, err := client.Answer()
	require.NoError(t, err)
	require.Equal(t, v.bytes(t, "f_stoc"), a)
	ic, err := server.Verify(a)
	require.NoError(t, err)
	require.EqualValues(t, 1, ic)
	a, err = server.Answer()
	require.NoError(t, err)
	require.Equal(t, v.bytes(t, "f_ctos"), a)
	ic, err = client.Verify(a)
	require.NoError(t, err)
	require.EqualValues(t, 0x01234567, ic)
	for i := range a {
		_, err := client.Verify(a[:i])
		require.ErrorIs(t, err, ErrAuthentication)
		bad := bytes.Clone(a)
		bad[i] ^= 1
		_, err = client.Verify(bad)
		require.ErrorIs(t, err, ErrAuthentication)
	}
}

// Challenges and answers as they stand in the captured APDUs.
func TestHLS5GuruxCapture(t *testing.T) {
	v := vectors(t)["gurux_hls5_capture"]
	c, err := NewCipher(Suite0, v.key(t, "ek"), v.key(t, "ak"))
	require.NoError(t, err)
	aarq, aare := v.bytes(t, "aarq"), v.bytes(t, "aare")
	client := Handshake{
		Mechanism: MechanismGMAC, Cipher: c,
		Own: v.title(t, "client_system_title"), Peer: v.title(t, "server_system_title"),
		OwnChallenge:  aarq[bytes.Index(aarq, []byte{0xAC, 0x12, 0x80, 0x10})+4:][:16],
		PeerChallenge: aare[bytes.Index(aare, []byte{0xAA, 0x12, 0x80, 0x10})+4:][:16],
	}
	a, err := client.Answer()
	require.NoError(t, err)
	require.True(t, bytes.HasSuffix(v.bytes(t, "pass3"), a))
	pass4 := v.bytes(t, "pass4")
	_, err = client.Verify(pass4[len(pass4)-17:])
	require.NoError(t, err)
}

func TestHLS6GuruxCapture(t *testing.T) {
	v := vectors(t)["gurux_hls6_sha256_capture"]
	client := Handshake{
		Mechanism: MechanismSHA256, Secret: NewSecret(v.bytes(t, "secret")),
		Own: v.title(t, "client_system_title"), Peer: v.title(t, "server_system_title"),
		OwnChallenge: v.bytes(t, "ctos"), PeerChallenge: v.bytes(t, "stoc"),
	}
	a, err := client.Answer()
	require.NoError(t, err)
	require.Equal(t, v.bytes(t, "f_stoc"), a)
	_, err = client.Verify(v.bytes(t, "f_ctos"))
	require.NoError(t, err)
	_, err = client.Verify(a)
	require.ErrorIs(t, err, ErrAuthentication)
}

// A Gurux dialogue with mechanism 2 and the secret "Gurux".
func TestHLS2Transcript(t *testing.T) {
	raw, err := os.ReadFile("testdata/wrap_high.json")
	require.NoError(t, err)
	var tr struct{ Frames []struct{ Hex string } }
	require.NoError(t, json.Unmarshal(raw, &tr))
	aarq, aare := mustHex(t, tr.Frames[0].Hex), mustHex(t, tr.Frames[1].Hex)
	pass3, pass4 := mustHex(t, tr.Frames[2].Hex), mustHex(t, tr.Frames[3].Hex)
	client := Handshake{
		Mechanism: MechanismHLS, Secret: NewSecret([]byte("Gurux")),
		OwnChallenge:  aarq[bytes.Index(aarq, []byte{0xAC, 0x12, 0x80, 0x10})+4:][:16],
		PeerChallenge: aare[bytes.Index(aare, []byte{0xAA, 0x12, 0x80, 0x10})+4:][:16],
	}
	a, err := client.Answer()
	require.NoError(t, err)
	require.Equal(t, pass3[len(pass3)-16:], a)
	_, err = client.Verify(pass4[len(pass4)-16:])
	require.NoError(t, err)
}

func TestHLS3And4Formula(t *testing.T) {
	h := Handshake{
		Mechanism: MechanismMD5, Secret: NewSecret([]byte("secret")),
		OwnChallenge: []byte("challenge-of-mine"), PeerChallenge: []byte("challenge-of-peer"),
	}
	a, err := h.Answer()
	require.NoError(t, err)
	md := md5.Sum([]byte("challenge-of-peersecret"))
	require.Equal(t, md[:], a)
	h.Mechanism = MechanismSHA1
	a, err = h.Answer()
	require.NoError(t, err)
	sh := sha1.Sum([]byte("challenge-of-peersecret"))
	require.Equal(t, sh[:], a)
}

func TestHandshakeEveryMechanism(t *testing.T) {
	v := vectors(t)["gb_hls5_gmac"]
	ck, err := NewCipher(Suite0, v.key(t, "ek"), v.key(t, "ak"))
	require.NoError(t, err)
	for _, suite := range []Suite{Suite1, Suite2} {
		cs, err := GenerateSigningKey(seeded(1), suite)
		require.NoError(t, err)
		ss, err := GenerateSigningKey(seeded(2), suite)
		require.NoError(t, err)
		for m := MechanismHLS; m <= MechanismECDSA; m++ {
			ctos, err := NewChallenge(seeded(3), m, 0)
			require.NoError(t, err)
			stoc, err := NewChallenge(seeded(4), m, ChallengeMax)
			require.NoError(t, err)
			client := Handshake{
				Mechanism: m, Own: SystemTitle{1}, Peer: SystemTitle{2}, OwnChallenge: ctos, PeerChallenge: stoc,
				Secret: NewSecret([]byte("Gurux")), Cipher: ck, Counter: 7, SigningKey: cs, PeerKey: ss.Public(),
			}
			server := client
			server.Own, server.Peer, server.OwnChallenge, server.PeerChallenge = client.Peer, client.Own, stoc, ctos
			server.SigningKey, server.PeerKey = ss, cs.Public()
			pass3, err := client.Answer()
			require.NoError(t, err)
			_, err = server.Verify(pass3)
			require.NoError(t, err, m)
			pass4, err := server.Answer()
			require.NoError(t, err)
			_, err = client.Verify(pass4)
			require.NoError(t, err, m)
			require.NotEqual(t, pass3, pass4)
			_, err = client.Verify(pass3)
			require.ErrorIs(t, err, ErrAuthentication, m)

			reflected := client
			reflected.PeerChallenge = client.OwnChallenge
			_, err = reflected.Answer()
			require.ErrorIs(t, err, ErrReflection)
			_, err = reflected.Verify(pass4)
			require.ErrorIs(t, err, ErrReflection)
		}
	}
}

func TestHandshakeRefusals(t *testing.T) {
	h := Handshake{Mechanism: MechanismLLS}
	require.ErrorContains(t, h.Check(), "no passes")
	ok := bytes.Repeat([]byte{1}, 16)
	for _, m := range []Mechanism{MechanismHLS, MechanismMD5, MechanismSHA256, MechanismGMAC} {
		h = Handshake{Mechanism: m, OwnChallenge: ok, PeerChallenge: bytes.Repeat([]byte{2}, 16)}
		_, err := h.Answer()
		require.Error(t, err)
		_, err = h.Verify(make([]byte, 17))
		require.Error(t, err)
	}
	h = Handshake{Mechanism: MechanismECDSA, OwnChallenge: ok, PeerChallenge: ok}
	require.ErrorContains(t, h.Check(), "32 to 64")
	_, err := NewChallenge(seeded(0), MechanismGMAC, 7)
	require.Error(t, err)
	_, err = NewChallenge(bytes.NewReader(nil), MechanismGMAC, 16)
	require.Error(t, err)
	h = Handshake{Mechanism: MechanismHLS, Secret: NewSecret(make([]byte, 17)), OwnChallenge: ok, PeerChallenge: bytes.Repeat([]byte{2}, 16)}
	_, err = h.Answer()
	require.ErrorContains(t, err, "up to 16")
}
