//go:build interop

package firmware

import (
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/zigbee/security"
	"smets1/zigbee/zcl/se"
)

// OpenSSL verifies the signatures of our OTA files, of both suites, over the digest of
// the cluster, with the key that follows from the signer's certificate; and does not
// where the file was changed.
func TestInteropOpenSSLVerifiesOTASignatures(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	require.NoError(t, err, "openssl is missing: run make interop")
	for suite, curve := range map[security.Suite]asn1.ObjectIdentifier{security.Suite1: {1, 3, 132, 0, 1}, security.Suite2: {1, 3, 132, 0, 16}} {
		file, err := PackOTA(otaFile(), true, SimulatorOTASigner(suite), rand.NewChaCha8([32]byte{3}))
		require.NoError(t, err)
		m, _, err := se.ParseOTAImage(file)
		require.NoError(t, err)
		raw := m.Elements[len(m.Elements)-1].Data[8:]
		half := suite.ScalarSize()
		der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(raw[:half]), new(big.Int).SetBytes(raw[half:])})
		require.NoError(t, err)
		key := SimulatorOTASigner(suite).Key.Public().Bytes()
		type algorithm struct{ Kind, Curve asn1.ObjectIdentifier }
		spki, err := asn1.Marshal(struct {
			Algorithm algorithm
			Key       asn1.BitString
		}{algorithm{asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}, curve}, asn1.BitString{Bytes: key, BitLength: 8 * len(key)}})
		require.NoError(t, err)
		dir := t.TempDir()
		write := func(name string, b []byte) string {
			path := filepath.Join(dir, name)
			require.NoError(t, os.WriteFile(path, b, 0o600))
			return path
		}
		verify := func(file []byte) error {
			digest := security.Hash(file[:len(file)-2*half])
			out, err := exec.Command(openssl, "pkeyutl", "-verify", "-pubin", "-inkey", write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})),
				"-in", write("digest", digest[:]), "-sigfile", write("signature", der)).CombinedOutput()
			t.Logf("%s: %s", suite, out)
			return err
		}
		require.NoError(t, verify(file))
		file[100] ^= 1
		require.Error(t, verify(file))
	}
}
