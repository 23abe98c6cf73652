package axdr_test

import (
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/dlms/axdr"
)

func TestParseText(t *testing.T) {
	for _, c := range []struct{ text, hex string }{
		{"double-long-unsigned:5", "0600000005"},
		{" double-long-unsigned 0x10 ", "0600000010"},
		{"double-long:-1", "05FFFFFFFF"},
		{"integer:-128", "0F80"},
		{"long64-unsigned:18446744073709551615", "15FFFFFFFFFFFFFFFF"},
		{"boolean:true", "0301"},
		{"boolean 0", "0300"},
		{"enum:3", "1603"},
		{"bcd:59", "0D59"},
		{"float32:1.5", "173FC00000"},
		{"float64:-2", "18C000000000000000"},
		{"null-data", "00"},
		{"null", "00"},
		{"don't-care", "FF"},
		{"octet-string:00ff", "090200FF"},
		{"octet-string:hex:00 ff", "090200FF"},
		{`octet-string:"a, b"`, "0904612C2062"},
		{"octet-string:text:ab", "09026162"},
		{"octet-string:", "0900"},
		{"octet-string 0100010800FF (1-0:1.8.0.255)", "09060100010800FF"},
		{`octet-string 612962 ("a)b")`, "0903612962"},
		{"octet-string:obis:1-0:1.8.0", "09060100010800FF"},
		{"octet-string:date-time:2026-07-01T18:02:05+01:00", "090C07EA070103120205" + "00FFC400"},
		{"octet-string:date:2026-07-01", "090507EA070103"},
		{"octet-string:time:18:02", "090412020000"},
		{`visible-string:abc`, "0A03616263"},
		{`utf8-string:"é}"`, "0C03C3A97D"},
		{"bit-string:1010000011", "040AA0C0"},
		{"bit-string:", "0400"},
		{"date-time:2026-07-01 18:02:05.10 UTC+01:00 DST", "1907EA0701031202050AFFC480"},
		{"date-time:2026-07-01 18:02:05", "1907EA070103120205008000FF"},
		{"date-time:*-DST-begin-last Sun 01:00:00", "19FFFFFEFE07010000008000FF"},
		{"date-time:never", "19FFFFFFFFFFFFFFFFFF8000FF"},
		{"date-time:07EA070103120205008000FF", "1907EA070103120205008000FF"},
		{"date:2026-*-last", "1A07EAFFFEFF"},
		{"time:*:30:*", "1BFF1EFF00"},
		{"structure{}", "0200"},
		{"structure{unsigned:1, array{long:2, long:3}, null-data}", "0203" + "1101" + "0102" + "100002" + "100003" + "00"},
		{"array {\n  unsigned 1\n  unsigned 2\n}", "01021101" + "1102"},
		{"compact-array{long:1, long:2}", "13100400010002"},
		{"delta-integer:-3", "1CFD"},
	} {
		v, err := axdr.ParseText(c.text)
		require.NoError(t, err, c.text)
		b, err := v.AppendBinary(nil)
		require.NoError(t, err, c.text)
		want, err := hex.DecodeString(c.hex)
		require.NoError(t, err)
		require.Equal(t, want, b, c.text)
	}
}

func TestParseTextAs(t *testing.T) {
	v, err := axdr.ParseTextAs(axdr.TagUint16, " 7 ")
	require.NoError(t, err)
	require.Equal(t, axdr.Uint16(7), v)
	v, err = axdr.ParseTextAs(axdr.TagStructure, "{integer:0, enum:30}")
	require.NoError(t, err)
	require.Equal(t, axdr.Structure(axdr.Int8(0), axdr.Enum(30)), v)
	_, err = axdr.ParseTextAs(axdr.TagUint8, "256")
	require.EqualError(t, err, `axdr: value text, at character 1: "256": want a number from 0 to 255 for unsigned`)
}

func TestParseTextErrors(t *testing.T) {
	for text, offset := range map[string]int{
		"":                             0,
		"unsined:5":                    0,
		"unsigned:256":                 9,
		"unsigned:-1":                  9,
		"boolean:yes":                  8,
		"octet-string:0g":              13,
		"octet-string:zip:00":          13,
		"octet-string:obis:1-0:1.8":    13,
		`visible-string:"abc`:          15,
		`unsigned:"5"`:                 9,
		"structure":                    9,
		"structure{unsigned:1":         20,
		"structure{unsigned:1 long:2}": 19,
		"unsigned:1 2":                 9,
		"unsigned:1, 2":                10,
		"null-data:5":                  10,
		"bit-string:102":               11,
		"date:2026-02-30":              5,
		"time:24:00:00":                5,
		"date-time:2026-07-01 18:02:05 yesterday": 10,
		"compact-array{}":                         13,
		"octet-string 00 (open":                   16,
	} {
		_, err := axdr.ParseText(text)
		var at *axdr.TextError
		require.ErrorAs(t, err, &at, text)
		require.Equal(t, offset, at.Offset, "%s: %v", text, err)
	}
	deep := ""
	for range 40 {
		deep += "structure{"
	}
	_, err := axdr.ParseText(deep)
	require.ErrorContains(t, err, "more than 16 containers")
}

func TestParseDateTimeText(t *testing.T) {
	d, err := axdr.ParseDateTimeText("2026-07-01T18:02:05Z")
	require.NoError(t, err)
	at, err := d.UTC()
	require.NoError(t, err)
	require.Equal(t, time.Date(2026, time.July, 1, 18, 2, 5, 0, time.UTC), at)
	d, err = axdr.ParseDateTimeText("2026-07-01")
	require.NoError(t, err)
	require.Equal(t, "2026-07-01 00:00:00", d.String())
	for _, text := range []string{"", "yesterday", "2026-13-01", "2026-07-01 18", "2026-07-01 18:00:00 UTC+1"} {
		_, err := axdr.ParseDateTimeText(text)
		require.Error(t, err, text)
	}
}

// FuzzParseText holds that what String writes of any value is read again as
// that value, dates apart: their text leaves out what does not matter.
func FuzzParseText(f *testing.F) {
	for _, s := range []string{
		"structure{unsigned:1, array{long:2}}", `octet-string 616263 ("abc")`, "date-time:never", `visible-string:"\xff"`, "float32:NaN",
		"compact-array{structure{long:1, bit-string:101}}", "octet-string:obis:1-0:1.8.0",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := axdr.ParseText(s)
		if err != nil {
			var at *axdr.TextError
			if !errors.As(err, &at) || at.Offset > len(s) {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		again, err := axdr.ParseText(v.String())
		if err != nil {
			t.Fatalf("%q gives %q: %v", s, v, err)
		}
		if again.String() != v.String() {
			t.Fatalf("%q gives %q, and that %q", s, v, again)
		}
		if again, err = axdr.ParseText(v.Indent("  ")); err != nil || again.String() != v.String() {
			t.Fatalf("%q gives %q: %v", s, v.Indent("  "), err)
		}
	})
}
