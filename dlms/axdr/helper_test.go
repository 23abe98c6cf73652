package axdr

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// un decodes hexadecimal with spaces.
func un(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

var summer = DateTime{
	Date: Date{Year: 2026, Month: 7, Day: 1, Weekday: 3}, Time: Time{Hour: 18, Minute: 2, Second: 5, Hundredths: 10},
	Deviation: -60, Status: ClockDST,
}

// row is a value, its encoding and its text.
type row struct {
	name  string
	value Value
	hex   string
	text  string
}

func rows(t testing.TB) []row {
	compact, err := CompactArray(
		Structure(Uint32(1), Octets([]byte{0xAB})), Structure(Uint32(2), Octets([]byte{0xCD, 0xEF})))
	require.NoError(t, err)
	nested, err := CompactArray(Array(Structure(Uint8(1), Null()), Structure(Uint8(2), Null())))
	require.NoError(t, err)
	return []row{
		{"null", Null(), "00", "null-data"},
		{"array", Array(Uint8(1), Uint8(2)), "01 02 1101 1102", "array{unsigned 1, unsigned 2}"},
		{"empty array", Array(), "01 00", "array{}"},
		{"structure", Structure(Int8(-1), Enum(30)), "02 02 0FFF 161E", "structure{integer -1, enum 30}"},
		{"true", Bool(true), "03 01", "boolean true"},
		{"false", Bool(false), "03 00", "boolean false"},
		{"bits", Bits([]byte{0xA7}, 5), "04 05 A0", "bit-string 10100"},
		{"no bits", Bits(nil, 0), "04 00", "bit-string "},
		{"double-long", Int32(-2), "05 FFFFFFFE", "double-long -2"},
		{"double-long-unsigned", Uint32(0xFFFFFFFF), "06 FFFFFFFF", "double-long-unsigned 4294967295"},
		{"octets", Octets([]byte{1, 0, 1, 8, 0, 255}), "09 06 0100010800FF", "octet-string 0100010800FF (1-0:1.8.0.255)"},
		{"text in octets", Octets([]byte("Gurux")), "09 05 4775727578", `octet-string 4775727578 ("Gurux")`},
		{"date-time in octets", DateTimeOctets(summer), "09 0C 07EA070103120205 0A FFC4 80", "octet-string 07EA0701031202050AFFC480 (2026-07-01 18:02:05.10 UTC+01:00 DST)"},
		{"date in octets", DateOctets(summer.Date), "09 05 07EA070103", "octet-string 07EA070103"},
		{"time in octets", TimeOctets(summer.Time), "09 04 1202050A", "octet-string 1202050A"},
		{"visible", Visible("ab\n"), "0A 03 61620A", `visible-string "ab\n"`},
		{"utf8", UTF8("é"), "0C 02 C3A9", `utf8-string "é"`},
		{"bcd", BCD(0x42), "0D 42", "bcd 42"},
		{"integer", Int8(-128), "0F 80", "integer -128"},
		{"long", Int16(-300), "10 FED4", "long -300"},
		{"unsigned", Uint8(255), "11 FF", "unsigned 255"},
		{"long-unsigned", Uint16(65535), "12 FFFF", "long-unsigned 65535"},
		{"compact", compact, "13 02 02 06 09 0D 00000001 01 AB 00000002 02 CDEF", "compact-array{structure{double-long-unsigned 1, octet-string AB}, structure{double-long-unsigned 2, octet-string CDEF}}"},
		{"nested compact", nested, "13 01 0002 02 02 11 00 02 01 02", "compact-array{array{structure{unsigned 1, null-data}, structure{unsigned 2, null-data}}}"},
		{"empty compact", CompactArrayOf([]byte{byte(TagUint8)}), "13 11 00", "compact-array{}"},
		{"long64", Int64(-1), "14 FFFFFFFFFFFFFFFF", "long64 -1"},
		{"long64-unsigned", Uint64(1 << 63), "15 8000000000000000", "long64-unsigned 9223372036854775808"},
		{"enum", Enum(255), "16 FF", "enum 255"},
		{"float32", Float32(1.5), "17 3FC00000", "float32 1.5"},
		{"float64", Float64(-0.1), "18 BFB999999999999A", "float64 -0.1"},
		{"date-time", DateTimeTagged(summer), "19 07EA070103120205 0A FFC4 80", "date-time 2026-07-01 18:02:05.10 UTC+01:00 DST"},
		{"date", DateTagged(summer.Date), "1A 07EA070103", "date 2026-07-01"},
		{"time", TimeTagged(summer.Time), "1B 1202050A", "time 18:02:05.10"},
		{"delta-integer", DeltaInt8(-1), "1C FF", "delta-integer -1"},
		{"delta-long", DeltaInt16(-2), "1D FFFE", "delta-long -2"},
		{"delta-double-long", DeltaInt32(-3), "1E FFFFFFFD", "delta-double-long -3"},
		{"delta-unsigned", DeltaUint8(1), "1F 01", "delta-unsigned 1"},
		{"delta-long-unsigned", DeltaUint16(2), "20 0002", "delta-long-unsigned 2"},
		{"delta-double-long-unsigned", DeltaUint32(3), "21 00000003", "delta-double-long-unsigned 3"},
		{"don't-care", DontCare(), "FF", "don't-care"},
	}
}
