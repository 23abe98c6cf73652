package document

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/migration/document/pki"
)

func TestFileSetRoundTrip(t *testing.T) {
	w := newWorld(t)
	a := w.issueMCF(t)
	require.Equal(t, "MCF_CGI_70-B3-D5-1F-30-00-A0-01_000000000042_20190714_180000.xml", a.Name)
	f, ps := Open[CommonBody](w.opener(), a, w.now)
	require.Empty(t, ps)
	require.Equal(t, w.mcf, f.Body)
	require.Equal(t, "AA-70B3D51F3000A001-000000000042", f.Header.FileSetID.String())
	require.Equal(t, 2, f.Header.InstallationCount)

	g, ps := Open[GroupBody](w.opener(), w.issueMGF(t), w.now)
	require.Empty(t, ps)
	require.Equal(t, w.mgf, g.Body)
	e, ps := Open[EncryptedBody](w.opener(), w.issueMGEF(t), w.now)
	require.Empty(t, ps)
	require.Equal(t, w.mgef, e.Body)

	require.Equal(t, a.Data, w.issueMCF(t).Data, "one seed gives one file, octet for octet")
}

// TestIndependentVerifier lets xmlsec1 judge a signature where it is installed; under the build tag
// interop it must be.
func TestIndependentVerifier(t *testing.T) {
	tool, err := exec.LookPath("xmlsec1")
	if err != nil {
		t.Log("xmlsec1 is not installed; the interop test covers this")
		return
	}
	w := newWorld(t)
	verifyWithXMLSec(t, tool, w, w.issueMCF(t))
}

func verifyWithXMLSec(t *testing.T, tool string, w *world, a Artefact) {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		p := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(p, b, 0o600))
		return p
	}
	signers := map[Kind]*pki.Party{KindMCVF: w.cp, KindCOF: w.cp, KindMGVF: w.s1, KindSVF: w.s1, KindSCF: w.s1}
	n, err := ParseName(a.Name)
	require.NoError(t, err)
	by := signers[n.Kind]
	if by == nil {
		by = w.rp
	}
	ca, cert := write("ca.pem", pki.PEM(w.ca.Certificate)), write("signer.pem", pki.PEM(by.Signing))
	args := []string{"--verify", "--trusted-pem", ca, "--untrusted-pem", cert, "--verification-time", "2019-07-14 18:00:00"}
	out, err := exec.Command(tool, append(args, write(a.Name, a.Data))...).CombinedOutput()
	require.NoError(t, err, string(out))

	changed := append([]byte{}, a.Data...)
	for i := range changed {
		if string(changed[i:i+5]) == "<S1SP" {
			changed[i+6] ^= 1
			break
		}
	}
	out, err = exec.Command(tool, append(args, write("changed.xml", changed))...).CombinedOutput()
	require.Error(t, err, string(out))
}
