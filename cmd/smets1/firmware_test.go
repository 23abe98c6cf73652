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

func TestFirmwareOTAFile(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.WriteFile(at("payload.bin"), bytes.Repeat([]byte("firmware"), 100), 0o600))
	pack := []string{"firmware", "pack", "--ota", "1209/0007/02000001", "--hardware-from", "1", "--hardware-to", "3", "--integrity", "--text", "G1 2.0.1"}
	must(t, append(pack, "--simulator", "--destination", "00-DB-12-34-56-78-90-A0", at("payload.bin"), at("g1.ota"))...)
	out := must(t, "firmware", "inspect", at("g1.ota"))
	for _, s := range []string{"manufacturer 1209, image type 0007", "02000001", "G1 2.0.1", "00-DB-12-34-56-78-90-A0", "0001 to 0003", "integrity code, 16 octets", "signature, suite 1, 50 octets"} {
		require.Contains(t, out, s)
	}
	verify := []string{"firmware", "verify", "--simulator", "--ota-device", "1209/0007", "--ota-eui", "00-DB-12-34-56-78-90-A0", "--running", "02000000", "--hardware"}
	require.Equal(t, at("g1.ota")+": ok\n", must(t, append(verify, "2", at("g1.ota"))...))
	out, _, code := runRoot(t.Context(), append(verify, "4", at("g1.ota"))...)
	require.Equal(t, exitFailed, code)
	require.Contains(t, out, "wrong-hardware")

	must(t, append(pack, at("payload.bin"), at("plain.ota"))...)
	out, _, code = runRoot(t.Context(), "firmware", "verify", "--simulator", at("plain.ota"))
	require.Equal(t, exitFailed, code)
	require.Contains(t, out, "unknown-signer")
	must(t, "firmware", "sign", "--simulator", "--suite", "2", at("plain.ota"))
	must(t, "firmware", "verify", "--simulator", at("plain.ota"))
	require.Contains(t, must(t, "firmware", "inspect", "--json", at("plain.ota")), `"integrity_ok":true`)

	out, _, code = runRoot(t.Context(), "firmware", "diff", at("g1.ota"), at("plain.ota"))
	require.Equal(t, exitFailed, code)
	require.Contains(t, out, "only for")
	require.Equal(t, "the same\n", must(t, "firmware", "diff", at("g1.ota"), at("g1.ota")))
	for _, bad := range [][]string{{"--ota", "1209/0007"}, {"--ota", "X/0/0"}, {"--ota", "1/2/3", "--model", "E1"}, {"--ota", "1/2/3", "--suite", "3"}} {
		mustNot(t, exitUsage, append(append([]string{"firmware", "pack"}, bad...), at("payload.bin"), at("bad.ota"))...)
	}
}

func TestFirmwareReleasesAndPlan(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.WriteFile(at("payload.bin"), bytes.Repeat([]byte("firmware"), 100), 0o600))
	for _, r := range [][]string{
		{"chf", "1.5"}, {"esme", "1.1", "--from", "1.0"}, {"esme", "2.0", "--from", "1.1", "--needs", "chf=1.4", "--combination", "EPCL-7", "--notes", "Mends the clock."},
	} {
		name := r[0] + r[1]
		must(t, append(append([]string{"firmware", "pack", "--simulator", "--type", r[0], "--manufacturer", "ACME", "--model", "M", "--version", r[1], "--release", at(name + ".json")},
			r[2:]...), at("payload.bin"), at(name+".img"))...)
	}
	require.Equal(t, at("esme2.0.json")+": ok\n", must(t, "firmware", "verify", "--simulator", at("esme2.0.json")))
	require.Contains(t, must(t, "firmware", "inspect", at("esme2.0.json")), "chf at 1.4 or newer")
	home := []string{"firmware", "plan", "--releases", dir, "--home", "chf/ACME/M/1/1.0", "--home", "esme/ACME/M/1/1.0"}
	require.Equal(t, `1. esme esme: 1.0 to 1.1 (on the way to 2.0, the goal)
2. chf chf: 1.0 to 1.5 (esme 2.0 needs chf at 1.4 or newer)
3. esme esme: 1.1 to 2.0 (the goal)
`, must(t, append(home, "--to", "esme=2.0")...))
	require.Contains(t, must(t, append(home, "--combination", "EPCL-7", "--json")...), `"version":"2.0"`)
	_, _, code := runRoot(t.Context(), append(home, "--to", "esme=3.0")...)
	require.Equal(t, exitFailed, code)
	mustNot(t, exitUsage, append(home, "--to", "esme")...)

	b, err := os.ReadFile(at("esme2.0.img"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(at("esme2.0.img"), b[:len(b)-1], 0o600))
	out, _, code := runRoot(t.Context(), "firmware", "verify", "--simulator", at("esme2.0.json"))
	require.Equal(t, exitFailed, code)
	require.Contains(t, out, "bad-digest")
}
