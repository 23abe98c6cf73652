//go:build interop

package document

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/migration/document/aezip"
	"smets1/migration/document/pki"
)

func tool(t *testing.T, name string) string {
	t.Helper()
	p, err := exec.LookPath(name)
	require.NoError(t, err, "install %s: independent tools judge our files", name)
	return p
}

// TestXMLTools has every type of file verified by xmlsec1 and validated by xmllint against the
// shipped schemas; a changed file must fail with each.
func TestInteropXMLTools(t *testing.T) {
	xmlsec, xmllint := tool(t, "xmlsec1"), tool(t, "xmllint")
	w := newWorld(t)
	for kind, a := range w.everyFile(t) {
		t.Run(string(kind), func(t *testing.T) {
			verifyWithXMLSec(t, xmlsec, w, a)
			dir := t.TempDir()
			lint := func(name string, b []byte) ([]byte, error) {
				p := filepath.Join(dir, name)
				require.NoError(t, os.WriteFile(p, b, 0o600))
				return exec.Command(xmllint, "--noout", "--nonet", "--schema", filepath.Join("xsd", string(kind)+".xsd"), p).CombinedOutput()
			}
			out, err := lint(a.Name, a.Data)
			require.NoError(t, err, string(out))
			out, err = lint("extra.xml", bytes.Replace(a.Data, []byte("<S1SP>"), []byte("<Colour>red</Colour><S1SP>"), 1))
			require.Error(t, err, string(out))
			out, err = lint("lower.xml", bytes.Replace(a.Data, []byte(w.rp.EUI.String()), []byte("70-b3-d5-1f-30-00-a0-01"), 1))
			if bytes.Contains(a.Data, []byte(w.rp.EUI.String())) {
				require.Error(t, err, string(out))
			}
		})
	}
}

// TestZipTools exchanges containers with 7-Zip in both directions.
func TestInteropZipTools(t *testing.T) {
	sevenZip := ""
	for _, name := range []string{"7zz", "7z", "7za"} {
		if p, err := exec.LookPath(name); err == nil {
			sevenZip = p
			break
		}
	}
	require.NotEmpty(t, sevenZip, "install 7zip: an independent tool opens and makes the containers")
	w := newWorld(t)
	dir := t.TempDir()
	content := bytes.Repeat([]byte("RecordNo,Fuel\r\n"), 500)

	var z bytes.Buffer
	require.NoError(t, aezip.Write(&z, "MA_X.csv", content, []byte("Secret123"), w.now, newRand(9)))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ours.zip"), z.Bytes(), 0o600))
	out, err := exec.Command(sevenZip, "x", "-pSecret123", "-o"+dir, filepath.Join(dir, "ours.zip")).CombinedOutput()
	require.NoError(t, err, string(out))
	got, err := os.ReadFile(filepath.Join(dir, "MA_X.csv"))
	require.NoError(t, err)
	require.Equal(t, content, got)
	out, err = exec.Command(sevenZip, "t", "-pwrong", filepath.Join(dir, "ours.zip")).CombinedOutput()
	require.Error(t, err, string(out))

	require.NoError(t, os.WriteFile(filepath.Join(dir, "MA_Y.csv"), content, 0o600))
	for _, method := range []string{"Deflate", "Copy"} {
		theirs := filepath.Join(dir, method+".zip")
		out, err = exec.Command(sevenZip, "a", "-tzip", "-mem=AES256", "-mm="+method, "-pSecret123", theirs, filepath.Join(dir, "MA_Y.csv")).CombinedOutput()
		require.NoError(t, err, string(out))
		src, closer, err := OpenSource(theirs)
		require.NoError(t, err)
		name, got, err := aezip.Read(src.Data, src.Size, []byte("Secret123"), aezip.Limits{})
		require.NoError(t, closer.Close())
		require.NoError(t, err)
		require.Equal(t, "MA_Y.csv", name)
		require.Equal(t, content, got)
	}
}

// TestCertificateTools has openssl verify the simulator's certificates.
func TestInteropCertificateTools(t *testing.T) {
	openssl := tool(t, "openssl")
	w := newWorld(t)
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	require.NoError(t, os.WriteFile(ca, pki.PEM(w.ca.Certificate), 0o600))
	for _, p := range []*pki.Party{w.rp, w.cp, w.s1, w.dc} {
		c := filepath.Join(dir, string(p.Role)+".pem")
		require.NoError(t, os.WriteFile(c, append(pki.PEM(p.Signing), pki.PEM(p.Agreement)...), 0o600))
		out, err := exec.Command(openssl, "verify", "-attime", "1563127200", "-CAfile", ca, c).CombinedOutput()
		require.NoError(t, err, string(out))
	}
}
