package located

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

type doc struct {
	A int `yaml:"a"`
	B []struct {
		C string `yaml:"c"`
		D *int   `yaml:"d"`
	} `yaml:"b"`
}

func TestProblemsNameFileLineAndField(t *testing.T) {
	var v doc
	d, err := Parse("x.yaml", []byte("# a comment\na: 1\nb:\n  - c: one\n  - c: two\n    d: 3\n"), &v)
	require.NoError(t, err)
	require.Equal(t, 1, v.A)
	require.Equal(t, "two", v.B[1].C)
	require.NoError(t, d.Err())
	d.Problemf("a", "too small")
	d.Problemf("b[1].d", "not %d", 3)
	d.Problemf("b[0].d", "missing")
	d.Problemf("z", "missing")
	require.EqualError(t, d.Err(), "x.yaml:2: a: too small\nx.yaml:6: b[1].d: not 3\nx.yaml:4: b[0].d: missing\nx.yaml:1: z: missing")
	var e *Error
	require.ErrorAs(t, d.Err(), &e)
	require.Equal(t, "a", e.Field)
}

func TestBadYAML(t *testing.T) {
	for in, want := range map[string]string{
		"":                 "x.yaml: 0 YAML documents; write exactly one",
		"a: 1\n---\na: 2":  "x.yaml: 2 YAML documents; write exactly one",
		"a: 1\nq: 2":       "x.yaml:2: unknown field",
		"a: 1\na: 2":       "x.yaml:2: ",
		"a: [1":            "x.yaml:1: ",
		"a: one":           "x.yaml:1: ",
		"b:\n - c: 1\n  d": "x.yaml:",
		"b: !0\n0000000":   "x.yaml: malformed YAML",
	} {
		var v doc
		_, err := Parse("x.yaml", []byte(in), &v)
		require.ErrorContains(t, err, want, in)
		require.NotContains(t, err.Error(), "\n", in)
	}
	_, err := Parse("x.yaml", []byte(strings.Repeat(" ", MaxBytes+1)), new(doc))
	require.ErrorContains(t, err, "too long")
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("a: 1\nb:\n  - c: one\n    d: 3\n"))
	f.Add([]byte("b: &x\n  - c: one\na: 2\n"))
	f.Add([]byte("a: [1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var v doc
		d, err := Parse("x", b, &v)
		require.Equal(t, err == nil, d != nil)
		if d != nil {
			d.Problemf("b[0].c", "x")
			require.Error(t, d.Err())
		}
	})
}
