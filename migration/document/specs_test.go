package document

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCatalogue(t *testing.T) {
	specs, err := DefaultSpecs()
	require.NoError(t, err)
	c := specs.Catalogue
	var published []string
	for _, k := range c.Codes {
		if k.Provenance == Published {
			published = append(published, k.Code)
		} else {
			require.True(t, strings.HasPrefix(k.Code, "X"), k.Code)
		}
	}
	require.ElementsMatch(t, []string{"MA110", "GT01"}, published, "only these two codes were found published")
	for _, want := range strings.Fields("XMA01 XMA02 XMA03 XMA04 XMA05 XMA06 XMA07 XMA08 XMA09 XMA10 XMA11 XMA12 MA110 " +
		"XCV01 XCV02 XCV03 XCV04 XCV05 XCV10 XCV11 XCV12 XCV13 XCV14 XCV15 XCV16 XGV01 XGV02 XGV03 XGV04 " +
		"XVB01 XVB02 XVB03 XVB04 XVB05 GT01 XKR01 XKR02 XKR03 XKR04 XKR05 XCM01 XCM02 XCM03 XRB01") {
		_, ok := c.Lookup(want)
		require.True(t, ok, want)
		require.Contains(t, c.Explain(want), want)
	}
	_, ok := c.Lookup("XYZ")
	require.False(t, ok)
	require.Contains(t, c.Explain("XYZ"), "not in code catalogue")
}

func TestRetry(t *testing.T) {
	specs, err := DefaultSpecs()
	require.NoError(t, err)
	c := specs.Catalogue
	wait, again := c.Retry("GT01", 1, 1)
	require.True(t, again)
	require.Equal(t, 24*time.Hour, wait)
	_, again = c.Retry("GT01", 3, 3)
	require.False(t, again, "three attempts in all")
	_, again = c.Retry("MA110", 1, 1)
	require.False(t, again, "a data fault is not retried")
	wait, again = c.Retry("XVB01", 4, 4)
	require.True(t, again)
	require.Equal(t, 168*time.Hour, wait, "after three daily retries it is weekly")
	_, again = c.Retry("XVB01", 5, 5)
	require.False(t, again, "five attempts is consistent failure")
	_, again = c.Retry("XYZ", 1, 1)
	require.False(t, again)
	_, again = Code{Retryable: true, MaxAttempts: 3}.Retry(0)
	require.False(t, again)
}

// TestOtherHeadings replaces a layout by one with other headings: no code changes.
func TestOtherHeadings(t *testing.T) {
	specs, err := DefaultSpecs()
	require.NoError(t, err)
	b, err := os.ReadFile("specs/ma/x1/columns.yaml")
	require.NoError(t, err)
	dir := t.TempDir()
	put := func(name, text string) {
		p := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(p), 0o755))
		require.NoError(t, os.WriteFile(p, []byte(text), 0o644))
	}
	official := strings.NewReplacer("version: x1", "version: v0.6", "{field: MPxN, type: mpxn}", "{field: MPxN, header: MPAN/MPRN, type: mpxn}").Replace(string(b))
	put("ma/v0.6/columns.yaml", official)
	other, err := OpenSpecs(dir)
	require.NoError(t, err)
	w := newWorld(t)
	csv := goodTables(t, w)["MA"].bytes(t)
	name, err := ParseName(maName)
	require.NoError(t, err)
	_, ps := (&AuthorisationReader{Specs: other}).ReadPlain(name, csv)
	require.Equal(t, []string{"XMA04"}, ps.Codes())
	require.Contains(t, ps[0].What, "MPAN/MPRN")
	a, ps := (&AuthorisationReader{Specs: other}).ReadPlain(name, bytes.Replace(csv, []byte("MPxN"), []byte("MPAN/MPRN"), 1))
	require.Empty(t, ps)
	require.Len(t, a.Rows, 4)
	a, ps = (&AuthorisationReader{Specs: specs}).ReadPlain(name, csv)
	require.Empty(t, ps, "the built-in layout is untouched")
	require.Len(t, a.Rows, 4)

	for what, text := range map[string]string{
		"a field is missing":   strings.Replace(string(b), "  - {field: MPxN, type: mpxn}\n", "", 1),
		"an unknown type":      strings.Replace(string(b), "type: mpxn", "type: anything", 1),
		"an unknown key":       string(b) + "colour: red\n",
		"a column twice":       string(b) + "  - {field: MPxN, type: mpxn}\n",
		"a broken pattern":     strings.Replace(string(b), "{field: MPxN, type: mpxn}", "{field: MPxN, type: text, pattern: \"(\"}", 1),
		"no provenance":        strings.Replace(string(b), "provenance: ours", "provenance: rumour", 1),
		"an unknown document":  strings.Replace(string(b), "document: MA", "document: MX", 1),
		"no codes":             strings.Replace(string(b), "header: XMA04", "header: \"\"", 1),
		"neither list nor map": "- 1\n",
	} {
		put("ma/v0.6/columns.yaml", text)
		_, err := OpenSpecs(dir)
		require.Error(t, err, what)
	}
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "ma")))
	_, err = OpenSpecs(dir)
	require.Error(t, err, "an empty folder is a mistake")
	codes, err := os.ReadFile("specs/codes/x1/codes.yaml")
	require.NoError(t, err)
	for what, text := range map[string]string{
		"a code of ours without X": strings.Replace(string(codes), "code: XMA01", "code: MA01", 1),
		"a code is missing":        strings.Replace(string(codes), "code: XEN04", "code: XEN99", 1),
		"a code twice":             strings.Replace(string(codes), "code: XMA02", "code: XMA01", 1),
		"an unknown scope":         strings.Replace(string(codes), "scope: row", "scope: cell", 1),
		"retry without attempts":   strings.Replace(string(codes), "maxAttempts: 3", "maxAttempts: 1", 1),
		"no cap":                   strings.Replace(string(codes), "globalMaxAttempts: 5", "globalMaxAttempts: 0", 1),
	} {
		put("codes/y/codes.yaml", text)
		_, err := OpenSpecs(dir)
		require.Error(t, err, what)
	}
	put("codes/y/codes.yaml", strings.Replace(string(codes), "globalMaxAttempts: 5", "globalMaxAttempts: 9", 1))
	other, err = OpenSpecs(dir)
	require.NoError(t, err)
	require.Equal(t, 9, other.Catalogue.GlobalMaxAttempts)
	require.Contains(t, other.Documents(), "PORTFOLIO")
	same, err := OpenSpecs("")
	require.NoError(t, err)
	require.Same(t, specs, same)
	_, err = OpenSpecs(filepath.Join(dir, "nowhere"))
	require.Error(t, err)
}
