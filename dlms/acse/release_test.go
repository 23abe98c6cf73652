package acse

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRelease(t *testing.T) {
	check(t, RLRQ{HasReason: true}, "62 03 800100")
	check(t, RLRQ{}, "62 00")
	check(t, RLRQ{HasReason: true, Reason: ReasonUserDefined, UserInformation: un(t, initiate)}, "62 15 80011E BE10 040E"+initiate)
	check(t, RLRE{HasReason: true}, "63 03 800100")
	check(t, RLRE{}, "63 00")
	check(t, RLRE{HasReason: true, UserInformation: un(t, response)}, "63 15 800100 BE10 040E"+response)
	require.Equal(t, "normal", ReasonNormal.String())
	require.Equal(t, "user-defined", ReasonUserDefined.String())
	require.Equal(t, "reason 1", ReasonUrgent.String())
}

// TestReleaseAsOthersAnswer holds the reader to the answers of real servers.
func TestReleaseAsOthersAnswer(t *testing.T) {
	const ciphered = "281F30000000009836A06BC917C19FA907D14648734C2DB10B385498F20EA34627"
	for _, c := range []struct {
		in   string
		want RLRE
	}{
		{"63 11 800100 BE0F 040E" + response, RLRE{HasReason: true, UserInformation: un(t, response)}},
		{"63 24 800100 BE22 0421" + ciphered, RLRE{HasReason: true, UserInformation: un(t, ciphered)}},
		{"63 01 00", RLRE{HasReason: true}},
	} {
		in := un(t, c.in)
		got, n, err := ParseRLRE(append(in[:len(in):len(in)], 0xAA))
		require.NoError(t, err, c.in)
		require.Equal(t, len(in), n)
		require.Equal(t, c.want, got)
		truncate(t, in)
	}
}

func TestReleaseRefused(t *testing.T) {
	for in, cause := range map[string]error{
		"62 04 80020000":                 ErrLength,
		"63 04 80020000":                 ErrLength,
		"64 03 800100":                   ErrTag,
		"63 05 BE03 0501 00":             ErrTag,
		"63 0A BE030401 00 BE0304 01 00": ErrTwice,
		"62 06 800100 800100":            ErrTwice,
	} {
		_, n, err := parse(un(t, in))
		require.ErrorIs(t, err, cause, in)
		require.Zero(t, n)
	}
	_, _, err := ParseRLRE(un(t, "62 03 800100"))
	require.ErrorIs(t, err, ErrTag)
	_, _, err = ParseRLRQ(un(t, "63 03 800100"))
	require.ErrorIs(t, err, ErrTag)
}
