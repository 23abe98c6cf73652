package fleet

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/device/internal/located"
)

// Each file says in its first line what must be said about it: the line (counted
// without that first one), the field and the reason.
func TestBadManifests(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 40)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			b, err := os.ReadFile(file)
			require.NoError(t, err)
			first, rest, _ := strings.Cut(string(b), "\n")
			want, ok := strings.CutPrefix(first, "# want: ")
			require.True(t, ok, "%s has no expectation", file)
			m, err := ParseManifest(file, []byte(rest))
			require.Nil(t, m)
			require.ErrorContains(t, err, file+":"+strings.TrimPrefix(want, ":"))
			var e *located.Error
			require.ErrorAs(t, err, &e)
			require.NotEmpty(t, e.Reason)
		})
	}
	_, err = LoadManifest("testdata/nowhere.yaml")
	require.ErrorIs(t, err, os.ErrNotExist)
}

// All mistakes are told at once.
func TestAllMistakesAreTold(t *testing.T) {
	_, err := ParseManifest("m.yaml", []byte("schema: 2\nname: X\nstart: never\ncohorts:\n  - {name: a, profile: b, count: 1}\n"))
	require.ErrorContains(t, err, "m.yaml:1: schema")
	require.ErrorContains(t, err, "m.yaml:2: name")
	require.ErrorContains(t, err, "m.yaml:3: start")
	require.ErrorContains(t, err, "m.yaml:5: cohorts[0].profile")
}

func TestShares(t *testing.T) {
	m, err := ParseManifest("m.yaml", []byte(`schema: 1
name: shares
seed: 1
start: 2019-07-15T07:00:00Z
total: 100
cohorts:
  - {name: ioc, profile: ioc-dlms, share: 22}
  - {name: moc, profile: moc-secure, share: 32}
  - {name: foc, profile: foc-mesh, share: 46}
  - {name: few, profile: foc-mesh, count: 3}
`))
	require.NoError(t, err)
	require.Equal(t, 103, m.Len())
	counts := map[string]int{}
	for i := range m.Len() {
		s := m.spec(i)
		counts[s.cohort]++
		got, ok := m.find(s.name)
		require.True(t, ok)
		require.Equal(t, i, got)
	}
	require.Equal(t, map[string]int{"ioc": 22, "moc": 32, "foc": 46, "few": 3}, counts)
	for _, name := range []string{"ioc-0000", "ioc-0023", "ioc-1", "ioc-", "moc-00001", "nobody"} {
		_, ok := m.find(name)
		require.False(t, ok, name)
	}
	require.NoError(t, m.Resize(1000))
	require.Equal(t, 1000, m.Len())
}

func FuzzManifest(f *testing.F) {
	b, err := os.ReadFile(demoFile)
	require.NoError(f, err)
	f.Add(b)
	files, err := filepath.Glob("testdata/bad/*.yaml")
	require.NoError(f, err)
	for _, file := range files {
		b, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseManifest("m", b)
		require.Equal(t, err == nil, m != nil)
		if m == nil || m.Profiles != "" {
			return
		}
		require.Positive(t, m.Len())
		for _, i := range []int{0, m.Len() / 2, m.Len() - 1} {
			s := m.spec(i)
			require.NotNil(t, s.profile)
			got, ok := m.find(s.name)
			require.True(t, ok, s.name)
			require.Equal(t, i, got, s.name)
			got, ok = m.findEUI(s.eui(roleESME))
			require.True(t, ok)
			require.Equal(t, i, got)
		}
	})
}
