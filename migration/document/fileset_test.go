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

func FuzzOpen(f *testing.F) {
	w := newWorld(f)
	for _, a := range w.everyFile(f) {
		f.Add(a.Data)
	}
	o := w.opener()
	f.Fuzz(func(t *testing.T, b []byte) {
		a := NewArtefact("MCF_CGI_70-B3-D5-1F-30-00-A0-01_000000000042_20190714_180000.xml", b)
		file, ps := Open[CommonBody](o, a, w.now)
		require.Equal(t, file == nil, len(ps) > 0)
		if file != nil {
			require.Equal(t, w.mcf, file.Body, "only what was signed is read")
		}
		if scanXML(b, XMLLimits{}) == nil {
			g := new(File[GroupBody])
			if decodeStrict(b, g) == nil {
				plain, err := marshalFile(g)
				require.NoError(t, err)
				again := new(File[GroupBody])
				require.NoError(t, decodeStrict(plain, again))
				require.Equal(t, g, again)
			}
		}
	})
}

func TestXMLLimits(t *testing.T) {
	w := newWorld(t)
	a := w.issueMCF(t)
	o := w.opener()
	o.Limits.MaxInstallations = 1
	_, ps := Open[CommonBody](o, a, w.now)
	require.Equal(t, []string{"XCV01"}, ps.Codes())
	require.Contains(t, ps[0].What, "ore than 1 installations")
	o.Limits = XMLLimits{MaxBytes: 1000}
	_, ps = Open[CommonBody](o, a, w.now)
	require.Equal(t, []string{"XCV01"}, ps.Codes())
}

func TestIssueRefuses(t *testing.T) {
	w := newWorld(t)
	_, err := Issue(w.header(w.cp), w.mcf, w.cp)
	require.ErrorContains(t, err, "sent by the role RP")
	_, err = Issue(w.header(), w.mcf, w.rp)
	require.ErrorContains(t, err, "Recipient", "a file without a recipient is not ours to write")
	w.mcf.Installation[0].Device[0].Model = "a\x00b"
	_, err = Issue(w.header(w.cp), w.mcf, w.rp)
	require.Error(t, err, "what XML cannot carry is not written")
	w.mcf.Installation = nil
	_, err = Issue(w.header(w.cp), w.mcf, w.rp)
	require.ErrorContains(t, err, "Body/Installation")
}

func TestOpenWrongType(t *testing.T) {
	w := newWorld(t)
	_, ps := Open[GroupBody](w.opener(), w.issueMCF(t), w.now)
	require.Equal(t, []string{"XCV01"}, ps.Codes())
}
