//go:build interop

package security

import (
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

var curveOID = map[Suite]asn1.ObjectIdentifier{Suite1: {1, 3, 132, 0, 1}, Suite2: {1, 3, 132, 0, 16}}

type algorithm struct{ Algorithm, Curve asn1.ObjectIdentifier }

func write(t *testing.T, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, b, 0o600))
	return path
}

func publicPEM(t *testing.T, k PublicKey) string {
	t.Helper()
	der, err := asn1.Marshal(struct {
		Algorithm algorithm
		Key       asn1.BitString
	}{algorithm{asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}, curveOID[k.Suite()]}, asn1.BitString{Bytes: k.Bytes(), BitLength: 8 * len(k.Bytes())}})
	require.NoError(t, err)
	return write(t, "public.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// openssl runs it; the machine must have version 3 with binary curves, as Debian's has.
func openssl(t *testing.T, args ...string) []byte {
	t.Helper()
	out, err := exec.Command("openssl", args...).CombinedOutput()
	require.NoError(t, err, "openssl %v: %s", args, out)
	return out
}

// OpenSSL computes the same public point of a private key.
func TestInteropPublicKey(t *testing.T) {
	for _, s := range suites {
		for seed := range byte(5) {
			k, err := GeneratePrivateKey(seeded(seed), s)
			require.NoError(t, err)
			der, err := asn1.Marshal(struct {
				Version int
				Key     []byte
				Curve   asn1.ObjectIdentifier `asn1:"explicit,tag:0"`
			}{1, k.Reveal(), curveOID[s]})
			require.NoError(t, err)
			private := write(t, "private.pem", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
			out := openssl(t, "ec", "-in", private, "-pubout", "-conv_form", "compressed", "-outform", "DER", "-out", private+".pub")
			pub, err := os.ReadFile(private + ".pub")
			require.NoError(t, err, "%s", out)
			require.Equal(t, k.Public().Bytes(), pub[len(pub)-s.PointSize():])
		}
	}
}

// OpenSSL verifies what is signed here, and refuses it for another digest.
func TestInteropSignature(t *testing.T) {
	for _, s := range suites {
		for seed := range byte(5) {
			k, err := GeneratePrivateKey(seeded(seed), s)
			require.NoError(t, err)
			digest := Hash([]byte(fmt.Sprint("image ", seed)))
			sig, err := k.Sign(seeded(seed+100), digest)
			require.NoError(t, err)
			size := s.ScalarSize()
			der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(sig[:size]), new(big.Int).SetBytes(sig[size:])})
			require.NoError(t, err)
			verify := func(digest []byte) error {
				return exec.Command("openssl", "pkeyutl", "-verify", "-pubin", "-inkey", publicPEM(t, k.Public()), "-in", write(t, "digest", digest), "-sigfile", write(t, "sig", der)).Run()
			}
			require.NoError(t, verify(digest[:]))
			digest[0] ^= 1
			require.Error(t, verify(digest[:]))
		}
	}
}
