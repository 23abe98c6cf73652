package document

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPublishedSampleNames reads the four names that DCC published.
func TestPublishedSampleNames(t *testing.T) {
	sender := eui("70-B3-D5-1F-30-00-A0-08")
	at := time.Date(2019, 4, 7, 18, 25, 3, 0, time.UTC)
	for _, c := range []struct {
		name string
		want Name
	}{
		{"MA_cgI_70-B3-D5-1F-30-00-A0-08_20190407_182503", Name{Kind: KindMA, S1SP: "cgI", EUI: sender, Stamp: at}},
		{"MAPASSWORD_CGI_70-B3-D5-1F-30-00-A0-08_20190407_182503", Name{Kind: KindMAPassword, S1SP: "CGI", EUI: sender, Stamp: at}},
		{"DC-AAA123_70-B3-D5-1F-30-00-A0-08_CGI_20190121", Name{Kind: KindDC, S1SP: "CGI", EUI: sender, Reference: "AAA123", Stamp: time.Date(2019, 1, 21, 0, 0, 0, 0, time.UTC)}},
		{"DR_AAA123_70-B3-D5-1F-30-00-A0-08_CGI_20190121", Name{Kind: KindDR, S1SP: "CGI", EUI: sender, Reference: "AAA123", Stamp: time.Date(2019, 1, 21, 0, 0, 0, 0, time.UTC)}},
	} {
		n, err := ParseName(c.name)
		require.NoError(t, err)
		require.Equal(t, c.name, n.String(), "as it was written")
		c.want.raw = c.name
		require.Equal(t, c.want, n)
	}
	ma, err := ParseName("MA_cgI_70-B3-D5-1F-30-00-A0-08_20190407_182503")
	require.NoError(t, err)
	pw, err := ParseName("MAPASSWORD_CGI_70-B3-D5-1F-30-00-A0-08_20190407_182503")
	require.NoError(t, err)
	require.Equal(t, ma.PairKey(), pw.PairKey())
	require.Equal(t, "MAR_cgI_70-B3-D5-1F-30-00-A0-08_20190407_182503.csv", ma.With(KindMAR, "csv").String())
}

func TestNamesAreBuiltInTheSameStyle(t *testing.T) {
	at := time.Date(2019, 7, 14, 18, 0, 0, 0, time.UTC)
	for want, n := range map[string]Name{
		"DC_AAA123_70-B3-D5-1F-30-00-A0-08_CGI_20190121.csv":                   {Kind: KindDC, Reference: "AAA123", S1SP: "CGI", EUI: submitter, Stamp: time.Date(2019, 1, 21, 0, 0, 0, 0, time.UTC), Ext: "csv"},
		"DMFW_CGI_70-B3-D5-1F-30-00-A0-08_20190714_180000.csv":                 NoticeName(KindDMFW, "CGI", submitter, At(at)),
		"COF_CGI_70-B3-D5-1F-30-00-A0-08_000000000042_20190714_180000.xml":     {Kind: KindCOF, S1SP: "CGI", EUI: submitter, Counter: 42, Stamp: at, Ext: "xml"},
		"MAPASSWORD_CGI_70-B3-D5-1F-30-00-A0-08_20190714_180000.csv":           {Kind: KindMAPassword, S1SP: "CGI", EUI: submitter, Stamp: at, Ext: "csv"},
		"MA_CGI_70-B3-D5-1F-30-00-A0-08_20190714_180000.zip":                   {Kind: KindMA, S1SP: "CGI", EUI: submitter, Stamp: at, Ext: "zip"},
		"MGEF_SECURE_70-B3-D5-1F-30-00-A0-08_000000000001_20190714_180000.xml": {Kind: KindMGEF, S1SP: "SECURE", EUI: submitter, Counter: 1, Stamp: at, Ext: "xml"},
	} {
		require.Equal(t, want, n.String())
		back, err := ParseName(want)
		require.NoError(t, err)
		back.raw = ""
		require.Equal(t, n, back)
	}
}

func TestBadNames(t *testing.T) {
	for _, s := range []string{
		"", "MA", "MA_CGI_70-B3-D5-1F-30-00-A0-08_20190407", "ma_CGI_70-B3-D5-1F-30-00-A0-08_20190407_182503",
		"MA_C GI_70-B3-D5-1F-30-00-A0-08_20190407_182503", "MA_CGI_70B3D51F3000A008_20190407_182503",
		"MA_CGI_70-B3-D5-1F-30-00-A0-08_20191307_182503", "MA_CGI_70-B3-D5-1F-30-00-A0-08_20190230_182503",
		"../MA_CGI_70-B3-D5-1F-30-00-A0-08_20190407_182503", "MA_CGI_70-B3-D5-1F-30-00-A0-08_20190407_182503.zip\n",
		"DC_AAA123_70-B3-D5-1F-30-00-A0-08_CGI_20190132", "MCF_CGI_70-B3-D5-1F-30-00-A0-08_42_20190714_180000.xml",
	} {
		_, err := ParseName(s)
		require.Error(t, err, s)
	}
}

func TestPairNames(t *testing.T) {
	pairs, alone := PairNames([]string{
		"MAPASSWORD_CGI_70-B3-D5-1F-30-00-A0-08_20190407_182503.csv",
		"README.md",
		"MA_cgI_70-B3-D5-1F-30-00-A0-08_20190407_182503.zip",
		"MA_CGI_70-B3-D5-1F-30-00-A0-08_20190407_182504.zip", // no companion
		"MA_CGI_70-B3-D5-1F-30-00-A0-09_20190407_182503.zip", // two authorisations, one companion
		"MA_cgi_70-b3-d5-1f-30-00-a0-09_20190407_182503.zip",
		"MAPASSWORD_CGI_70-B3-D5-1F-30-00-A0-09_20190407_182503.csv",
		"DR_AAA123_70-B3-D5-1F-30-00-A0-08_CGI_20190121",
	})
	require.Len(t, pairs, 1)
	require.Equal(t, "cgI", pairs[0].Authorisation.S1SP)
	require.Equal(t, "CGI", pairs[0].Password.S1SP)
	require.Len(t, alone, 4)
}

func FuzzParseName(f *testing.F) {
	f.Add("MA_cgI_70-B3-D5-1F-30-00-A0-08_20190407_182503")
	f.Add("DC-AAA123_70-B3-D5-1F-30-00-A0-08_CGI_20190121.csv")
	f.Add("MCF_CGI_70-B3-D5-1F-30-00-A0-08_000000000042_20190714_180000.xml")
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseName(s)
		if err != nil {
			return
		}
		require.Equal(t, s, n.String())
		require.False(t, strings.ContainsAny(s, "/\\\x00"), "a name never leaves its folder")
		n.raw = ""
		again, err := ParseName(n.String())
		require.NoError(t, err)
		again.raw = ""
		require.Equal(t, n, again)
	})
}
