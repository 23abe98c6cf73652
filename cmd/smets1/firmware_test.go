package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/firmware"
)

// keyFiles writes a signing key and its public part.
func keyFiles(t *testing.T) (private, public string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	dir := t.TempDir()
	private, public = filepath.Join(dir, "lab.pem"), filepath.Join(dir, "lab.pub")
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(private, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	der, err = x509.MarshalPKIXPublicKey(key.Public())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(public, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o644))
	return private, public
}

func TestFirmwareFromPayloadToSigned(t *testing.T) {
	dir := t.TempDir()
	payload, image := filepath.Join(dir, "payload.bin"), filepath.Join(dir, "e1.img")
	require.NoError(t, os.WriteFile(payload, bytes.Repeat([]byte("firmware"), 100), 0o600))
	private, public := keyFiles(t)
	pack := []string{"firmware", "pack", "--type", "esme", "--manufacturer", "ACME", "--model", "E1", "--version", "2.0", "--hardware-to", "4", payload}
	must(t, append(pack, image)...)
	require.Contains(t, mustNot(t, exitUsage, append(pack, image)...), "--force")
	require.Contains(t, must(t, "firmware", "inspect", image), "signature  none")

	verify := []string{"firmware", "verify", "--trust", "LAB=" + public}
	out, _, code := runRoot(t.Context(), append(verify, image)...)
	require.Equal(t, exitFailed, code)
	require.Contains(t, out, "unknown-signer")

	must(t, "firmware", "sign", "--key", private, "--signer", "LAB", image)
	require.Equal(t, image+": ok\n", must(t, append(verify, image)...))
	var r imageReport
	require.NoError(t, json.Unmarshal([]byte(must(t, "firmware", "inspect", "--json", image)), &r))
	require.True(t, r.Signed && r.PayloadOK)
	require.Equal(t, "LAB", r.Signer)
	b, err := os.ReadFile(image)
	require.NoError(t, err)
	require.Equal(t, firmware.DigestOf(b).String(), r.SHA256)
	require.Equal(t, uint16(4), r.HardwareTo)
	require.NoFileExists(t, image+".new")

	fits := append(verify, "--device", "esme/ACME/E1", "--hardware", "4", "--running", "1.9")
	must(t, append(fits, image)...)
	for want, args := range map[string][]string{
		"wrong-type":         {"--device", "gsme/ACME/E1"},
		"wrong-manufacturer": {"--device", "esme/OTHER/E1"},
		"wrong-model":        {"--device", "esme/ACME/E2"},
		"wrong-hardware":     {"--device", "esme/ACME/E1", "--hardware", "5"},
		"older-version":      {"--device", "esme/ACME/E1", "--running", "2.1"},
	} {
		out, _, code := runRoot(t.Context(), append(append(verify, args...), image)...)
		require.Equal(t, exitFailed, code, want)
		require.Contains(t, out, image+": "+want+": ")
	}

	// One octet of the payload, of the signature, and one too many.
	for want, change := range map[string]func([]byte) []byte{
		"bad-digest":    func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"bad-signature": func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"malformed":     func(b []byte) []byte { return append(b, 0) },
	} {
		bad := filepath.Join(dir, want+".img")
		require.NoError(t, os.WriteFile(bad, change(bytes.Clone(b)), 0o600))
		out, _, code := runRoot(t.Context(), append(verify, image, bad)...)
		require.Equal(t, exitFailed, code)
		require.Contains(t, out, image+": ok")
		require.Contains(t, out, bad+": "+want+": ")
	}
	must(t, "firmware", "pack", "--type", "gsme", "--manufacturer", "A", "--model", "G", "--version", "1", "--simulator", payload, filepath.Join(dir, "g.img"))
	must(t, "firmware", "verify", "--simulator", filepath.Join(dir, "g.img"))
}

func TestFirmwareMistakes(t *testing.T) {
	private, public := keyFiles(t)
	require.NoError(t, os.Chmod(private, 0o644))
	dir := t.TempDir()
	payload := filepath.Join(dir, "p")
	require.NoError(t, os.WriteFile(payload, []byte("x"), 0o600))
	base := []string{"firmware", "pack", "--type", "esme", "--manufacturer", "A", "--model", "M", "--version", "1"}
	out := filepath.Join(dir, "i.img")
	for want, args := range map[string][]string{
		"use chf, esme, gsme or ihd":        {"firmware", "pack", "--type", "meter", payload, out},
		"no such file":                      append(base, filepath.Join(dir, "nothing"), out),
		"go together":                       append(base, "--key", private, payload, out),
		"chmod 600":                         append(base, "--key", private, "--signer", "LAB", payload, out),
		"leave out":                         append(base, "--simulator", "--signer", "LAB", payload, out),
		"nobody is trusted":                 {"firmware", "verify", out},
		"write NAME=FILE":                   {"firmware", "verify", "--trust", public, out},
		"TYPE/MANUFACTURER/MODEL":           {"firmware", "verify", "--simulator", "--device", "esme", out},
		"are of a --device":                 {"firmware", "verify", "--simulator", "--running", "1", out},
		"name a key":                        {"firmware", "sign", out},
		"requires at least 1 arg":           {"firmware", "inspect"},
		"unknown flag: --no":                {"firmware", "inspect", "--no"},
		"1 to 8 are allowed":                {"firmware", "pack", "--type", "esme", "--manufacturer", "A", "--model", "M", "--version", "123456789", payload, out},
		"there is no PUBLIC KEY or CERTIFI": {"firmware", "verify", "--trust", "LAB=" + private, out},
	} {
		require.Contains(t, mustNot(t, exitUsage, args...), want)
	}
	require.NoFileExists(t, out)
}
