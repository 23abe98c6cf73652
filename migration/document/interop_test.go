//go:build interop

package document

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

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

// TestInteropWorkbooks has LibreOffice open the workbooks, recalculate and save them: the total is worked out, and what it saves
// reads back as what was filled in.
func TestInteropWorkbooks(t *testing.T) {
	office := tool(t, "soffice")
	specs, err := DefaultSpecs()
	require.NoError(t, err)
	dir := t.TempDir()
	convert := func(path, to string) string {
		out := filepath.Join(dir, "out")
		b, err := exec.Command(office, "-env:UserInstallation=file://"+filepath.Join(dir, "profile"), "--headless", "--convert-to", to, "--outdir", out, path).CombinedOutput()
		require.NoError(t, err, string(b))
		ext, _, _ := strings.Cut(to, ":")
		return filepath.Join(out, strings.TrimSuffix(filepath.Base(path), ".xlsx")+"."+ext)
	}
	want := someDemand()
	path := filepath.Join(dir, want.Name.With(KindDC, "xlsx").String())
	var b bytes.Buffer
	require.NoError(t, WriteDemandTemplate(&b, specs, want))
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o600))

	csv, err := os.ReadFile(convert(path, "csv"))
	require.NoError(t, err)
	require.Contains(t, string(csv), "Total,,,,,3178,378", "the totals row is worked out")

	back, err := os.ReadFile(convert(path, "xlsx"))
	require.NoError(t, err)
	got, ps := ReadDemand(specs, Period{}, filepath.Base(path), bytes.NewReader(back))
	require.Empty(t, ps)
	require.Equal(t, want.Rows, got.Rows)
	x, err := excelize.OpenReader(bytes.NewReader(back))
	require.NoError(t, err)
	dvs, err := x.GetDataValidations("Demand")
	require.NoError(t, err)
	require.NotEmpty(t, dvs, "the rules of the cells survive")
	require.NoError(t, x.Close())

	w := newWorld(t)
	name, err := ParseName(maName)
	require.NoError(t, err)
	ar := &AuthorisationReader{Specs: w.specs}
	plain, ps := ar.ReadPlain(name, goodTables(t, w)["MA"].bytes(t))
	require.Empty(t, ps)
	path = filepath.Join(dir, name.With(KindMA, "xlsx").String())
	b.Reset()
	require.NoError(t, WriteAuthorisationForm(&b, w.specs, name, plain.Rows, 3))
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o600))
	back, err = os.ReadFile(convert(path, "xlsx"))
	require.NoError(t, err)
	form, ps := ar.ReadPlain(name.With(KindMA, "xlsx"), back)
	require.Empty(t, ps)
	require.Equal(t, plain.Rows, form.Rows)
}
