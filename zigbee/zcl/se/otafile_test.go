package se

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/internal/wire"
	"smets1/zigbee/security"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

const otaHeader = "1ef1ee0b" + "0001" + "4500" + "0700" + "3412" + "0100" + "02000001" + "0200" +
	"536d617274206d65746572206669726d77617265000000000000000000000000" + "00000000" + "02" + "020002b0005f1500" + "0100" + "0500"

func testImage() OTAImage {
	return OTAImage{
		Header: OTAHeader{Image: ImageID{0x1234, 0x0001, 0x01000002}, StackVersion: 2, Text: "Smart meter firmware", HasCredential: true, Credential: 2,
			HasDst: true, Dst: wire.MustEUI64("00-15-5F-00-B0-02-00-02"), HasHardware: true, MinHardware: 1, MaxHardware: 5},
		Elements: []Element{{TagImage, bytes.Repeat([]byte("firmware"), 100)}, {TagManufacturer, []byte{1, 2, 3}}},
	}
}

func TestOTAImage(t *testing.T) {
	m := testImage()
	want := unhex(t, otaHeader)
	want[52], want[53] = 0x7C, 0x03 // size, 892
	want = append(want, unhex(t, "000020030000")...)
	want = append(want, bytes.Repeat([]byte("firmware"), 100)...)
	want = append(want, unhex(t, "00f003000000010203")...)
	b, err := m.AppendBinary(nil)
	require.NoError(t, err)
	require.Len(t, b, 69+6+800+6+3)
	want[52], want[53] = byte(len(b)), byte(len(b)>>8)
	want[6] = 69
	require.Equal(t, want, b)
	m.Header.Size = uint32(len(b))
	got, n, err := ParseOTAImage(append(bytes.Clone(b), "padding of the last block"...))
	require.NoError(t, err)
	require.Equal(t, len(b), n)
	require.Equal(t, m, got)
	for i := range b {
		_, _, err := ParseOTAImage(b[:i])
		require.ErrorIs(t, err, wire.ErrTruncated, "cut at %d", i)
	}
	for _, at := range []int{0, 4, 6} { // magic, version, header length
		bad := bytes.Clone(b)
		bad[at] ^= 0x40
		if at == 6 {
			bad[at] = 10
		}
		_, _, err := ParseOTAImage(bad)
		require.ErrorIs(t, err, ErrImage)
	}
	_, err = OTAHeader{Text: string(make([]byte, 33))}.AppendBinary(nil)
	require.ErrorIs(t, err, ErrImage)
}

func signed(t testing.TB, s security.Suite) (file []byte, signer wire.EUI64, authorities map[wire.EUI64]security.PublicKey) {
	t.Helper()
	random := rand.NewChaCha8([32]byte{byte(s)})
	root, err := security.GeneratePrivateKey(random, s)
	require.NoError(t, err)
	ca, err := security.NewSimulatorCA(root)
	require.NoError(t, err)
	issuer := wire.EUI64([]byte("SIMSECA1"))
	signer = wire.MustEUI64("00-15-5F-00-00-00-00-99")
	var template security.Certificate = security.Certificate1{Subject: signer, Issuer: issuer, Attributes: [10]byte{1, 9}}
	if s == security.Suite2 {
		template = security.Certificate2{Subject: signer, Issuer: issuer, Curve: 0x0D, Hash: 0x08, KeyUsage: security.CertificateUseSignature}
	}
	c, k, err := ca.Mint(random, template)
	require.NoError(t, err)
	m := testImage()
	require.NoError(t, m.Sign(random, k, c))
	file, err = m.AppendBinary(nil)
	require.NoError(t, err)
	return file, signer, map[wire.EUI64]security.PublicKey{issuer: ca.Public()}
}

func TestVerifyOTAImage(t *testing.T) {
	for _, s := range []security.Suite{security.Suite1, security.Suite2} {
		file, signer, authorities := signed(t, s)
		got, err := VerifyOTAImage(file, authorities, []wire.EUI64{signer})
		require.NoError(t, err)
		require.Equal(t, signer, got)
		_, err = VerifyOTAImage(file, authorities, nil)
		require.NoError(t, err)
		_, err = VerifyOTAImage(file, nil, nil)
		require.ErrorIs(t, err, ErrSigner)
		_, err = VerifyOTAImage(file, authorities, []wire.EUI64{{1}})
		require.ErrorIs(t, err, ErrSigner)
		for _, at := range []int{20, 60, 100, 500, len(file) - 1, len(file) - 40, len(file) - 2*s.ScalarSize() - 3} {
			bad := bytes.Clone(file)
			bad[at] ^= 1
			_, err = VerifyOTAImage(bad, authorities, nil)
			require.Error(t, err, "octet %d", at)
		}
	}
	m := testImage()
	b, err := m.AppendBinary(nil)
	require.NoError(t, err)
	_, err = VerifyOTAImage(b, nil, nil)
	require.ErrorIs(t, err, ErrUnsigned)
	m.Elements = append(m.Elements, Element{TagSignature1, make([]byte, 50)})
	b, err = m.AppendBinary(nil)
	require.NoError(t, err)
	_, err = VerifyOTAImage(b, nil, nil)
	require.ErrorIs(t, err, ErrUnsigned, "no certificate")
	m.Elements = nil
	b, err = m.AppendBinary(nil)
	require.NoError(t, err)
	_, err = VerifyOTAImage(b, nil, nil)
	require.ErrorIs(t, err, ErrUnsigned)
}

func FuzzParseOTAImage(f *testing.F) {
	file, _, authorities := signed(f, security.Suite1)
	f.Add(file)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, n, err := ParseOTAImage(b)
		if err != nil {
			return
		}
		require.LessOrEqual(t, n, len(b))
		again, err := m.AppendBinary(nil)
		if err != nil {
			return
		}
		same, _, err := ParseOTAImage(again)
		require.NoError(t, err)
		require.Equal(t, m.Elements, same.Elements)
		if !bytes.Equal(b[:n], file) {
			_, err = VerifyOTAImage(b[:n], authorities, nil)
			require.Error(t, err)
		}
	})
}
