package hdlc

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

type frameVector struct {
	Name, Hex, Dst, Src, Control, Kind, Info string
	Segmented                                bool
	Length                                   int
}

func frameVectors(t testing.TB) []frameVector {
	t.Helper()
	raw, err := os.ReadFile("testdata/hdlc_vectors.json")
	require.NoError(t, err)
	var v struct{ Frames []frameVector }
	require.NoError(t, json.Unmarshal(raw, &v))
	require.Len(t, v.Frames, 16)
	return v.Frames
}

func TestFrameVectors(t *testing.T) {
	for _, v := range frameVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			b := unhex(t, v.Hex)
			f, n, err := ParseFrame(append(bytes.Clone(b), 0xA0))
			require.NoError(t, err)
			require.Equal(t, len(b), n)
			require.Equal(t, v.Length, f.length())
			require.Equal(t, v.Segmented, f.Segmented)
			require.Equal(t, v.Kind, f.Control.String())
			require.Equal(t, v.Control, fmt.Sprintf("%02X", f.Control.Byte()))
			require.Equal(t, v.Info, fmt.Sprintf("%X", f.Info))
			dst, err := f.Destination.AppendBinary(nil)
			require.NoError(t, err)
			require.Equal(t, v.Dst, fmt.Sprintf("%X", dst))
			src, err := f.Source.AppendBinary(nil)
			require.NoError(t, err)
			require.Equal(t, v.Src, fmt.Sprintf("%X", src))
			again, err := f.AppendBinary(nil)
			require.NoError(t, err)
			require.Equal(t, b, again)

			for i := range b {
				_, _, err := ParseFrame(b[:i])
				require.ErrorIs(t, err, ErrTruncated, "cut to %d", i)
			}
			for i := range b {
				for bit := range 8 {
					bad := bytes.Clone(b)
					bad[i] ^= 1 << bit
					_, _, err := ParseFrame(bad)
					require.Error(t, err, "byte %d bit %d", i, bit)
				}
			}
		})
	}
}

func TestAddresses(t *testing.T) {
	for _, x := range []struct {
		a   Address
		hex string
		s   string
	}{
		{Client(16), "21", "16"},
		{Server1(1), "03", "1"},
		{Server2(1, 17), "0223", "1/17"},
		{Server4(1, 17), "00020023", "1/17 (4 bytes)"},
		{Server4(1, 145), "00020223", "1/145 (4 bytes)"},
		{Server4(0x3FFF, 0x3FFF), "FEFEFEFF", "16383/16383 (4 bytes)"},
	} {
		b, err := x.a.AppendBinary(nil)
		require.NoError(t, err)
		require.Equal(t, unhex(t, x.hex), b)
		require.Equal(t, x.s, x.a.String())
		a, n, err := ParseAddress(append(b, 0xFF))
		require.NoError(t, err)
		require.Equal(t, len(b), n)
		require.Equal(t, x.a, a)
		for i := range b {
			_, _, err := ParseAddress(b[:i])
			require.ErrorIs(t, err, ErrAddress)
		}
	}
	for _, bad := range []string{"000003", "0000000003", "00000000"} {
		_, _, err := ParseAddress(unhex(t, bad))
		require.ErrorIs(t, err, ErrAddress, bad)
	}
	for _, bad := range []Address{{}, {Size: 3}, Client(128), Server2(128, 1), Server4(0x4000, 1), {Upper: 1, Lower: 1, Size: 1}} {
		_, err := bad.AppendBinary(nil)
		require.Error(t, err, "%+v", bad)
	}
	require.True(t, Server1(AllStations).IsBroadcast())
	require.True(t, Server2(1, AllStations).IsBroadcast())
	require.True(t, Server4(AllStationsLong, 1).IsBroadcast())
	require.False(t, Server4(AllStations, 1).IsBroadcast())
}

func TestControl(t *testing.T) {
	for b := range 256 {
		c := ParseControl(byte(b))
		require.Equal(t, byte(b), c.Byte(), "%v", c)
		require.NotEmpty(t, c.String())
	}
	require.Equal(t, Unknown, ParseControl(0x0D).Kind) // SREJ
	require.Equal(t, UI, ParseControl(0x13).Kind)
	require.Equal(t, "unknown", Kind(99).String())
}

func TestFrameRefusals(t *testing.T) {
	f := Frame{Destination: Server1(1), Source: Client(16), Control: Control{Kind: I}, Info: make([]byte, 2047)}
	_, err := f.AppendBinary(nil)
	require.ErrorContains(t, err, "length field")
	f.Info = f.Info[:MaxInfo]
	b, err := f.AppendBinary(nil)
	require.NoError(t, err)
	back, _, err := ParseFrame(b)
	require.NoError(t, err)
	require.Equal(t, f.Info, back.Info)

	for name, x := range map[string]struct {
		hex string
		err error
	}{
		"no flag":            {"A0070321930F017E", ErrFlag},
		"format type 2":      {"7E90070321930F017E", ErrFormat},
		"too short":          {"7EA006032193017E", ErrLength},
		"length one more":    {"7EA0080321930F017E00", ErrLength},
		"three-byte address": {"7EA009020203219393647E7E", ErrAddress},
		"no closing flag":    {"7EA0070321930F0100", ErrFlag},
	} {
		_, _, err := ParseFrame(unhex(t, x.hex))
		require.ErrorIs(t, err, x.err, name)
	}
}

func TestParams(t *testing.T) {
	p, err := ParseParams(unhex(t, "8180140502020006020200070400000001080400000001"))
	require.NoError(t, err)
	require.Equal(t, Params{512, 512, 1, 1}, p)
	b, err := p.AppendBinary(nil)
	require.NoError(t, err)
	require.Equal(t, unhex(t, "8180140502020006020200070400000001080400000001"), b)
	b, err = Params{}.AppendBinary(nil)
	require.NoError(t, err)
	require.Equal(t, unhex(t, "818012050180060180070400000001080400000001"), b)
	for i := 1; i < len(b); i++ {
		_, err := ParseParams(b[:i])
		require.ErrorIs(t, err, ErrParameters, "cut to %d", i)
	}
	p, err = ParseParams(nil)
	require.NoError(t, err)
	require.Equal(t, Params{128, 128, 1, 1}, p)
	// One-byte windows, an unknown parameter, values above what can be.
	p, err = ParseParams(unhex(t, "818012"+"0504FFFFFFFF"+"070107"+"08020100"+"4203AABBCC"))
	require.NoError(t, err)
	require.Equal(t, Params{MaxInfo, 128, 7, 7}, p)
	for _, bad := range []string{"818003050100", "818003070100", "81800605050000000001", "8081030501FF", "81800305FF01"} {
		_, err := ParseParams(unhex(t, bad))
		require.ErrorIs(t, err, ErrParameters, bad)
	}
}

func FuzzParseFrame(f *testing.F) {
	for _, v := range frameVectors(f) {
		f.Add(unhex(f, v.Hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		fr, n, err := ParseFrame(b)
		if err != nil {
			require.Zero(t, n)
			return
		}
		again, err := fr.AppendBinary(nil)
		require.NoError(t, err)
		require.Equal(t, b[:n], again)
		_, _ = ParseParams(fr.Info)
	})
}
