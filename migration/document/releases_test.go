package document

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReleasesRoundTrip(t *testing.T) {
	specs, err := DefaultSpecs()
	require.NoError(t, err)
	in := []Release{
		{ESME, Model{"Aclara", "SGM1300", "2.10"}, [32]byte{1, 2}},
		{CHF, Model{"Aclara", "SGM1300", "2.10"}, [32]byte{3}},
	}
	var b bytes.Buffer
	require.NoError(t, WriteReleases(&b, specs, in))
	list, ps := ReadReleases(specs, "releases.csv", &b)
	require.NoError(t, ps.Err())
	got, ok := list.Image(ESME, Model{"ACLARA", "sgm1300", "2.10"})
	require.True(t, ok, "makers write their names in either case")
	require.Equal(t, in[0], got)
	_, ok = list.Image(GSME, in[0].Model)
	require.False(t, ok)
}

func TestReleasesProblems(t *testing.T) {
	specs, err := DefaultSpecs()
	require.NoError(t, err)
	digest := strings.Repeat("ab", 32)
	list, ps := ReadReleases(specs, "releases.csv", strings.NewReader(
		"DeviceType,Manufacturer,Model,Firmware,SHA256\nESME,A,B,1,"+digest+"\nESME,A,B,1,"+digest+"\nIHD,A,B,1,"+digest+"\nESME,A,B,2,xyz\n"))
	require.Equal(t, []string{"XDF04", "XDF03"}, ps.Codes())
	require.Len(t, ps, 3)
	_, ok := list.Image(ESME, Model{"A", "B", "1"})
	require.True(t, ok, "the good row goes on")
}
