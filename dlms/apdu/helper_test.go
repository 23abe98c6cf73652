package apdu

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

var (
	register  = cosem.Attribute{Class: cosem.ClassRegister, Instance: cosem.MustOBIS("1-0:1.8.0.255"), ID: 2}
	data      = cosem.Attribute{Class: cosem.ClassData, Instance: cosem.MustOBIS("0-0:96.1.0.255"), ID: 2}
	data1     = cosem.Attribute{Class: cosem.ClassData, Instance: cosem.MustOBIS("0-0:96.1.1.255"), ID: 2}
	profile   = cosem.Attribute{Class: cosem.ClassProfileGeneric, Instance: cosem.MustOBIS("1-0:99.1.0.255"), ID: 2}
	connector = cosem.MustOBIS("0-0:96.3.10.255")
	off       = cosem.Method{Class: cosem.ClassDisconnectControl, Instance: connector, ID: 1}
	on        = cosem.Method{Class: cosem.ClassDisconnectControl, Instance: connector, ID: 2}
	evening   = axdr.DateTime{
		Date:      axdr.Date{Year: 2026, Month: 11, Day: 24, Weekday: 2},
		Time:      axdr.Time{Hundredths: axdr.Unspecified},
		Deviation: axdr.DeviationUnspecified,
	}
)

// un decodes hexadecimal with spaces.
func un(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

// row is an APDU and its encoding.
type row struct {
	name string
	apdu APDU
	hex  string
}

// check encodes and decodes each row, and decodes it cut at every byte.
func check(t *testing.T, rows []row) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			want := un(t, r.hex)
			got, err := r.apdu.AppendBinary([]byte{0xEE})
			require.NoError(t, err)
			require.Equal(t, append([]byte{0xEE}, want...), got)
			parsed, n, err := Parse(append(want[:len(want):len(want)], 0x55, 0x55))
			require.NoError(t, err)
			require.Equal(t, len(want), n)
			require.Equal(t, r.apdu, parsed)
			require.Equal(t, r.apdu.Kind(), parsed.Kind())
			truncate(t, want)
		})
	}
}

// truncate decodes b cut at every byte, which must be an error each time.
func truncate(t *testing.T, b []byte) {
	t.Helper()
	for i := range b {
		if i == 3 && Tag(b[0]) == TagException {
			continue // the counter of an exception is optional
		}
		_, n, err := Parse(b[:i:i])
		require.Error(t, err, "cut to %d of %d bytes: %X", i, len(b), b[:i])
		require.Zero(t, n)
	}
}

// refuse decodes what is wrong with it, and looks for the cause.
func refuse(t *testing.T, s string, cause error) {
	t.Helper()
	_, n, err := Parse(un(t, s))
	require.ErrorIs(t, err, cause, s)
	require.Zero(t, n)
}
