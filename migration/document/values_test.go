package document

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMPANCheckDigit(t *testing.T) {
	// Worked by hand: 2*3+0*5+1*7+2*13+3*17+4*19+5*23+6*29+7*31+8*37+9*41+0*43 = 1337; 1337 mod 11 = 6.
	d, err := MPANCheckDigit("201234567890")
	require.NoError(t, err)
	require.Equal(t, byte('6'), d)
	m, err := ParseMPAN("2012345678906")
	require.NoError(t, err)
	require.Equal(t, MPxN("2012345678906"), m)
	for _, s := range []string{"2012345678905", "201234567890", "20123456789066", "201234567890x", "", "２012345678906"} {
		_, err := ParseMPAN(s)
		require.Error(t, err, s)
	}
	_, err = MPANCheckDigit("20123456789")
	require.Error(t, err)
	// A remainder of ten gives the digit 0.
	found := false
	for i := range 10_000 {
		first := fmt.Sprintf("%012d", i)
		sum := 0
		for j, w := range mpanWeights {
			sum += int(first[j]-'0') * w
		}
		if sum%11 == 10 {
			d, err := MPANCheckDigit(first)
			require.NoError(t, err)
			require.Equal(t, byte('0'), d)
			found = true
		}
	}
	require.True(t, found)
}

func TestMPRN(t *testing.T) {
	for _, s := range []string{"123456", "7000000001"} {
		_, err := ParseMPxN(Gas, s)
		require.NoError(t, err)
	}
	for _, s := range []string{"", "12345", "12345678901", "12345a"} {
		_, err := ParseMPxN(Gas, s)
		require.Error(t, err)
	}
	_, err := ParseMPxN("W", "123456")
	require.Error(t, err)
}

func TestDate(t *testing.T) {
	d, err := ParseDate("2019-02-28")
	require.NoError(t, err)
	require.Equal(t, "2019-03-01", d.AddDays(1).String())
	require.True(t, d.Before(d.AddDays(1)) && d.AddDays(1).After(d) && d.Compare(d) == 0)
	require.Equal(t, "", Date{}.String())
	for _, s := range []string{"2019-02-29", "2019-2-28", "28/02/2019", "", "2019-02-28T00:00:00Z"} {
		_, err := ParseDate(s)
		require.Error(t, err, s)
	}
	b, err := json.Marshal(map[string]Date{"d": d, "none": {}})
	require.NoError(t, err)
	require.JSONEq(t, `{"d":"2019-02-28","none":""}`, string(b))
	var back map[string]Date
	require.NoError(t, json.Unmarshal(b, &back))
	require.Equal(t, map[string]Date{"d": d, "none": {}}, back)
	var e Date
	require.Error(t, e.UnmarshalText([]byte("x")))
}

func TestSerial(t *testing.T) {
	for _, s := range []string{"1", "1461501637330902918203684832716283019655932542975"} {
		_, err := ParseSerial(s)
		require.NoError(t, err)
	}
	for _, s := range []string{"", "0", "01", "-1", "0x1", strings.Repeat("9", 50)} {
		_, err := ParseSerial(s)
		require.ErrorIs(t, err, errSerial)
	}
}

func TestSecretNeverPrints(t *testing.T) {
	s := NewSecret([]byte("hunter2hunter2"))
	f := PasswordFile{Filename: "x", Password: s}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+verb+verb+"\n", s, &s, f)
	}
	b, err := json.Marshal(f)
	require.NoError(t, err)
	out.Write(b)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "secret", s, "file", f)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "secret", s, "file", f)
	require.NotContains(t, out.String(), "hunter2")
	require.NotContains(t, out.String(), "68756e74")
	require.NotContains(t, out.String(), "104 117")
	require.Equal(t, []byte("hunter2hunter2"), s.Reveal())
	require.False(t, s.IsZero())
}

func TestGeneratePassword(t *testing.T) {
	seen := map[string]bool{}
	r := newRand(5)
	for range 200 {
		p, err := GeneratePassword(r)
		require.NoError(t, err)
		require.Regexp(t, `^[A-Za-z0-9]{24}$`, string(p.Reveal()))
		require.False(t, seen[string(p.Reveal())])
		seen[string(p.Reveal())] = true
	}
	_, err := GeneratePassword(strings.NewReader("short"))
	require.Error(t, err)
}

func TestInstantIsUTCToTheSecond(t *testing.T) {
	i := At(time.Date(2019, 7, 14, 19, 0, 0, 999, time.FixedZone("BST", 3600)))
	b, err := i.MarshalText()
	require.NoError(t, err)
	require.Equal(t, "2019-07-14T18:00:00Z", string(b))
	for _, s := range []string{"2019-07-14T18:00:00+01:00", "2019-07-14T18:00:00.5Z", "2019-07-14"} {
		require.Error(t, i.UnmarshalText([]byte(s)), s)
	}
}

func TestFileSetID(t *testing.T) {
	f, err := ParseFileSetID("AA-70B3D51F3000A001-000000000042")
	require.NoError(t, err)
	require.Equal(t, FileSetID{"AA", eui("70-B3-D5-1F-30-00-A0-01"), 42}, f)
	require.Equal(t, "AA-70B3D51F3000A001-000000000042", f.String())
	for _, s := range []string{"", "aa-70B3D51F3000A001-000000000042", "AA-70b3d51f3000a001-000000000042", "AA-70B3D51F3000A001-42", "AA-70B3D51F3000A001-000000000042 "} {
		_, err := ParseFileSetID(s)
		require.Error(t, err, s)
	}
}
