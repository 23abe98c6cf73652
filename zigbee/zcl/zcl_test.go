package zcl

import (
	"encoding/hex"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/internal/wire"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

var headers = map[string]Header{
	"000100":     {Sequence: 1},
	"18070a":     {FromServer: true, DisableDefaultResponse: true, Sequence: 7, Command: 0x0A},
	"0101ff":     {Type: TypeCluster, Sequence: 1, Command: 0xFF},
	"0534120100": {Type: TypeCluster, HasManufacturer: true, Manufacturer: 0x1234, Sequence: 1},
}

func TestHeader(t *testing.T) {
	for s, h := range headers {
		want := unhex(t, s)
		b, err := h.AppendBinary(nil)
		require.NoError(t, err)
		require.Equal(t, want, b)
		got, n, err := ParseHeader(want)
		require.NoError(t, err)
		require.Equal(t, len(want), n)
		require.Equal(t, h, got)
		for i := range want {
			_, _, err := ParseHeader(want[:i])
			require.ErrorIs(t, err, wire.ErrTruncated)
		}
		f, _, err := ParseFrame(append(want, 1, 2, 3))
		require.NoError(t, err)
		require.Equal(t, Frame{h, []byte{1, 2, 3}}, f)
	}
	for _, bad := range []string{"020000", "200000"} {
		_, _, err := ParseHeader(unhex(t, bad))
		require.ErrorIs(t, err, ErrFormat)
	}
	_, err := Header{Type: 2}.AppendBinary(nil)
	require.ErrorIs(t, err, ErrFormat)
	h := Header{Type: TypeCluster, Sequence: 9, Command: 1}
	require.Equal(t, Header{Type: TypeCluster, FromServer: true, DisableDefaultResponse: true, Sequence: 9, Command: 5}, h.Response(5))
}

var values = map[string]Value{
	"00":                                 {},
	"08ff":                               Unsigned(Data8, 0xFF),
	"0f0807060504030201":                 Unsigned(Data64, 0x0102030405060708),
	"1001":                               Bool(true),
	"1811":                               Unsigned(Map8, 0x11),
	"1f0000000000000080":                 Unsigned(Map64, 1<<63),
	"20fe":                               Unsigned(Uint8, 0xFE),
	"22563412":                           Unsigned(Uint24, 0x123456),
	"25bc9a78563412":                     Unsigned(Uint48, 0x123456789ABC),
	"27ffffffffffffffff":                 Unsigned(Uint64, math.MaxUint64),
	"28ff":                               Signed(Int8, -1),
	"2a000080":                           Signed(Int24, -1<<23),
	"2affff7f":                           Signed(Int24, 1<<23-1),
	"2b00000080":                         Signed(Int32, math.MinInt32),
	"2f0000000000000080":                 Signed(Int64, math.MinInt64),
	"3003":                               Unsigned(Enum8, 3),
	"310300":                             Unsigned(Enum16, 3),
	"38003c":                             Unsigned(Float16, 0x3C00),
	"390000803f":                         Single(1),
	"3a000000000000f03f":                 {Type: Float64, Num: math.Float64bits(1)},
	"4103010203":                         Octets([]byte{1, 2, 3}),
	"41ff":                               {Type: OctetString},
	"4100":                               Octets([]byte{}),
	"420a5a6967204d65746572 41":          String("Zig MeterA"),
	"43020001 02":                        {Type: LongOctets, Octets: []byte{1, 2}},
	"44ffff":                             {Type: LongChars},
	"48200200 0102":                      {Type: Array, Element: Uint8, Items: []Value{Unsigned(Uint8, 1), Unsigned(Uint8, 2)}},
	"4c0200 2001 4101aa":                 {Type: Structure, Items: []Value{Unsigned(Uint8, 1), Octets([]byte{0xAA})}},
	"50210100 0300":                      {Type: Set, Element: Uint16, Items: []Value{Unsigned(Uint16, 3)}},
	"51480100 200100 07":                 {Type: Bag, Element: Array, Items: []Value{{Type: Array, Element: Uint8, Items: []Value{Unsigned(Uint8, 7)}}}},
	"e00102 0304":                        Unsigned(TimeOfDay, 0x04030201),
	"e17e0b1802":                         Unsigned(Date, 0x02180B7E),
	"e2 80510100":                        UTC(time.Date(2000, 1, 2, 0, 0, 0, 0, time.UTC)),
	"e80207":                             Unsigned(ClusterID, 0x0702),
	"e90003":                             Unsigned(AttributeID, 0x0300),
	"ea01000000":                         Unsigned(BACnetOID, 1),
	"f0020002b0005f1500":                 EUI(wire.MustEUI64("00-15-5F-00-B0-02-00-02")),
	"f1000102030405060708090a0b0c0d0e0f": {Type: SecurityKey, Octets: []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}},
	"ff":                                 {Type: UnknownType},
}

func TestValues(t *testing.T) {
	for s, v := range values {
		want := unhex(t, s)
		b, err := v.AppendTyped(nil)
		require.NoError(t, err, s)
		require.Equal(t, want, b)
		got, n, err := ParseTyped(want)
		require.NoError(t, err, s)
		require.Equal(t, len(want), n)
		require.Equal(t, v, got)
		for i := range want {
			_, _, err := ParseTyped(want[:i])
			require.ErrorIs(t, err, wire.ErrTruncated, "%s cut at %d", s, i)
		}
		same, err := ParseDataType(v.Type.String())
		require.NoError(t, err)
		require.Equal(t, v.Type, same)
	}
	v := values["f0020002b0005f1500"]
	require.Equal(t, "00-15-5F-00-B0-02-00-02", v.EUI64().String())
	v = Signed(Int16, -5)
	require.EqualValues(t, -5, v.Int())
}

func TestValuesRefused(t *testing.T) {
	for _, v := range []Value{
		Unsigned(Uint8, 256), Signed(Int8, 128), Signed(Int8, -129), Unsigned(Boolean, 300), {Type: 0x77}, {Type: SecurityKey, Octets: []byte{1}},
		Octets(make([]byte, 255)), {Type: LongOctets, Octets: make([]byte, 0xFFFF)}, {Type: Array, Element: Uint8, Items: []Value{Unsigned(Uint16, 1)}},
		{Type: Structure, Items: []Value{{Type: 0x77}}}, {Type: Structure, Items: make([]Value, 0xFFFF)},
	} {
		_, err := v.AppendTyped(nil)
		require.ErrorIs(t, err, ErrDataType)
	}
	deep := strings.Repeat("4c0100", 12) + "2001"
	for _, bad := range []string{"77", "48000100", "48771000" + strings.Repeat("00", 16), deep} {
		_, _, err := ParseTyped(unhex(t, bad))
		require.ErrorIs(t, err, ErrDataType, bad)
	}
	_, err := ParseDataType("u8")
	require.ErrorIs(t, err, ErrDataType)
	require.Equal(t, "type77", DataType(0x77).String())
}

func TestValid(t *testing.T) {
	for _, v := range []Value{
		{}, {Type: UnknownType}, {Type: OctetString}, Unsigned(Uint24, 0xFFFFFF), Unsigned(Uint64, math.MaxUint64), Signed(Int16, math.MinInt16), Unsigned(Enum8, 0xFF),
		Unsigned(UTCTime, uint64(InvalidTime)), Unsigned(Boolean, 0xFF), Single(float32(math.NaN())), {Type: Float64, Num: math.Float64bits(math.NaN())},
	} {
		require.False(t, v.Valid(), v.Type)
	}
	for _, v := range []Value{Unsigned(Map8, 0xFF), Unsigned(Uint24, 0xFFFFFE), Signed(Int16, -1), Bool(false), Single(1), String(""), {Type: Structure}} {
		require.True(t, v.Valid(), v.Type)
	}
}

func TestTime(t *testing.T) {
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	require.Equal(t, at, FromUTC(ToUTC(at)))
	require.EqualValues(t, at.Unix()-946684800, ToUTC(at))
	require.True(t, FromUTC(InvalidTime).IsZero())
	require.Equal(t, InvalidTime, ToUTC(time.Time{}))
	v := UTC(at)
	require.Equal(t, at, v.Time())
}

var globalCases = []struct {
	wire string
	cmd  Global
}{
	{"0000 0503", ReadAttributes{[]Attr{0, 0x0305}}},
	{"0000 00 25 010000000000 0503 86", ReadAttributesResponse{[]ReadStatus{{0, Success, Unsigned(Uint48, 1)}, {0x0305, UnsupportedAttribute, Value{}}}}},
	{"0500 20 07", WriteAttributes{[]Attribute{{5, Unsigned(Uint8, 7)}}}},
	{"0500 20 07", WriteAttributesUndivided{[]Attribute{{5, Unsigned(Uint8, 7)}}}},
	{"0500 20 07", WriteAttributesNoResponse{[]Attribute{{5, Unsigned(Uint8, 7)}}}},
	{"0000 25 010000000000 0002 18 00", ReportAttributes{[]Attribute{{0, Unsigned(Uint48, 1)}, {0x0200, Unsigned(Map8, 0)}}}},
	{"00", WriteAttributesResponse{}},
	{"88 0500", WriteAttributesResponse{[]WriteStatus{{ReadOnly, 5}}}},
	{"00 0000 25 0a00 2c01 640000000000 00 0002 18 0a00 2c01 01 0100 3c00", ConfigureReporting{[]Reporting{
		{ID: 0, Type: Uint48, Min: 10, Max: 300, Change: Unsigned(Uint48, 100)}, {ID: 0x0200, Type: Map8, Min: 10, Max: 300}, {Direction: Received, ID: 1, Timeout: 60}}}},
	{"00", ConfigureReportingResponse{}},
	{"8c 00 0500", ConfigureReportingResponse{[]ReportingStatus{{UnreportableAttribute, Reported, 5}}}},
	{"00 0000 01 0100", ReadReportingConfiguration{[]ReportingKey{{Reported, 0}, {Received, 1}}}},
	{"00 00 0002 18 0a00 2c01 8b 00 0500", ReadReportingConfigurationResponse{[]ReportingResult{{Success, Reporting{ID: 0x0200, Type: Map8, Min: 10, Max: 300}}, {NotFound, Reporting{ID: 5}}}}},
	{"0081", DefaultResponse{0, UnsupportedClusterCommand}},
	{"0003 0a", DiscoverAttributes{0x0300, 10}},
	{"01 0003 30 0103 22", DiscoverAttributesResponse{true, []AttributeType{{0x0300, Enum8}, {0x0301, Uint24}}}},
	{"0003 0a", DiscoverAttributesExtended{0x0300, 10}},
	{"00 0003 30 05", DiscoverAttributesExtendedResponse{false, []AttributeAccess{{0x0300, Enum8, AccessRead | AccessReport}}}},
	{"000a", DiscoverCommandsReceived{0, 10}},
	{"01 0001", DiscoverCommandsReceivedResponse{true, []byte{0, 1}}},
	{"000a", DiscoverCommandsGenerated{0, 10}},
	{"01 0001", DiscoverCommandsGeneratedResponse{true, []byte{0, 1}}},
	{"0500 00 0600 02 0100 0200", ReadAttributesStructured{[]StructuredRead{{ID: 5}, {6, Selector{Indices: []uint16{1, 2}}}}}},
	{"0500 11 0300 2007", WriteAttributesStructured{[]StructuredWrite{{5, Selector{1, []uint16{3}}, Unsigned(Uint8, 7)}}}},
	{"00", WriteAttributesStructuredResponse{}},
	{"8e 0500 01 0300", WriteAttributesStructuredResponse{[]StructuredStatus{{InvalidSelector, 5, Selector{Indices: []uint16{3}}}}}},
}

// Cut between the entries of a list that ends with the frame, a command is another whole one.
func TestGlobals(t *testing.T) {
	seen := map[GlobalID]bool{}
	for _, c := range globalCases {
		id := c.cmd.GlobalID()
		seen[id] = true
		want := unhex(t, c.wire)
		b, err := c.cmd.AppendBinary(nil)
		require.NoError(t, err, "%T", c.cmd)
		require.Equal(t, want, b, "%T", c.cmd)
		got, n, err := ParseGlobal(id, want)
		require.NoError(t, err, "%T", c.cmd)
		require.Equal(t, len(want), n)
		require.Equal(t, c.cmd, got)
		for i := range want {
			m, _, err := ParseGlobal(id, want[:i])
			if err != nil {
				continue
			}
			again, err := m.AppendBinary(nil)
			require.NoError(t, err)
			if len(want[:i]) > 0 {
				require.Equal(t, want[:i], again, "%T cut at %d is another whole command", c.cmd, i)
			}
		}
		frame, err := AppendGlobal(nil, Header{Sequence: 3}, c.cmd)
		require.NoError(t, err)
		require.Equal(t, append([]byte{0, 3, byte(id)}, want...), frame)
	}
	require.Len(t, seen, len(globals), "every command has a case")
	_, _, err := ParseGlobal(0x77, nil)
	require.ErrorIs(t, err, ErrCommand)
	_, _, err = ParseGlobal(CmdWriteAttributesResponse, []byte{0x88})
	require.ErrorIs(t, err, ReadOnly)
	_, err = ConfigureReporting{[]Reporting{{Type: Uint8}}}.AppendBinary(nil)
	require.ErrorIs(t, err, ErrDataType)
	_, err = ConfigureReporting{[]Reporting{{Direction: 2}}}.AppendBinary(nil)
	require.ErrorIs(t, err, ErrFormat)
	_, err = ReadAttributesStructured{[]StructuredRead{{Selector: Selector{Action: 16}}}}.AppendBinary(nil)
	require.ErrorIs(t, err, ErrFormat)
}

func TestStatus(t *testing.T) {
	for i := range 256 {
		require.NotEmpty(t, Status(i).Error())
		require.NotEmpty(t, Status(i).Name())
	}
	require.Equal(t, "UNSUPPORTED_ATTRIBUTE", UnsupportedAttribute.Name())
}

func TestAllocations(t *testing.T) {
	report := unhex(t, "18070a 0000 25 010000000000 0002 18 00 0703 4103010203")
	b := make([]byte, 0, 64)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		f, _, err := ParseFrame(report)
		if err != nil {
			panic(err)
		}
		for p := f.Payload; len(p) > 0; {
			a, n, err := ParseAttribute(p)
			if err != nil {
				panic(err)
			}
			if b, err = a.Append(b[:0]); err != nil {
				panic(err)
			}
			p = p[n:]
		}
	}))
}

func FuzzParseTyped(f *testing.F) {
	for s := range values {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, n, err := ParseTyped(b)
		if err != nil {
			return
		}
		require.LessOrEqual(t, n, len(b))
		v.Valid()
		again, err := v.AppendTyped(nil)
		require.NoError(t, err)
		same, _, err := ParseTyped(again)
		require.NoError(t, err)
		require.Equal(t, v, same)
	})
}

func FuzzParseGlobal(f *testing.F) {
	for _, c := range globalCases {
		f.Add(uint8(c.cmd.GlobalID()), unhex(f, c.wire))
	}
	f.Fuzz(func(t *testing.T, id uint8, b []byte) {
		m, n, err := ParseGlobal(GlobalID(id), b)
		if err != nil {
			return
		}
		require.LessOrEqual(t, n, len(b))
		again, err := m.AppendBinary(nil)
		require.NoError(t, err)
		same, _, err := ParseGlobal(GlobalID(id), again)
		require.NoError(t, err)
		require.Equal(t, m, same)
	})
}

func FuzzParseFrame(f *testing.F) {
	for s := range headers {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, _, err := ParseFrame(b)
		if err != nil {
			return
		}
		again, err := m.AppendBinary(nil)
		require.NoError(t, err)
		require.Equal(t, b, again)
	})
}

func TestDiffers(t *testing.T) {
	half := func(n uint64) Value { return Unsigned(Float16, n) }
	for name, x := range map[string]struct {
		from, v, change Value
		want            bool
	}{
		"the same":                  {Unsigned(Uint48, 5), Unsigned(Uint48, 5), Unsigned(Uint48, 0), false},
		"less than the change":      {Unsigned(Uint48, 5), Unsigned(Uint48, 14), Unsigned(Uint48, 10), false},
		"the change":                {Unsigned(Uint48, 15), Unsigned(Uint48, 5), Unsigned(Uint48, 10), true},
		"below zero":                {Signed(Int24, -3), Signed(Int24, 3), Signed(Int24, 7), false},
		"across zero":               {Signed(Int24, -3), Signed(Int24, 4), Signed(Int24, 7), true},
		"the ends of 64 bits":       {Signed(Int64, math.MinInt64), Signed(Int64, math.MaxInt64), Signed(Int64, math.MaxInt64), true},
		"a bitmap":                  {Unsigned(Map8, 1), Unsigned(Map8, 2), Value{}, true},
		"a string":                  {String("a"), String("b"), Value{}, true},
		"single, less":              {Single(1), Single(1.4), Single(0.5), false},
		"single, more":              {Single(1), Single(0.4), Single(0.5), true},
		"not a number":              {Single(1), Single(float32(math.NaN())), Single(9), true},
		"double":                    {Unsigned(Float64, math.Float64bits(1)), Unsigned(Float64, math.Float64bits(3)), Unsigned(Float64, math.Float64bits(2)), true},
		"half: 1 and 1.5 by 0.5":    {half(0x3C00), half(0x3E00), half(0x3800), true},
		"half: 1 and 1.25 by 0.5":   {half(0x3C00), half(0x3D00), half(0x3800), false},
		"half: infinity and -2":     {half(0x7C00), half(0xC000), half(0x7BFF), true},
		"half: the smallest number": {half(0), half(1), half(2), false},
		"another type":              {Unsigned(Uint8, 1), Unsigned(Uint16, 1), Unsigned(Uint8, 9), true},
		"members":                   {Value{Type: Array, Element: Uint8, Items: []Value{Unsigned(Uint8, 1)}}, Value{Type: Array, Element: Uint8, Items: []Value{Unsigned(Uint8, 2)}}, Value{}, true},
		"the same members":          {Value{Type: Array, Element: Uint8, Items: []Value{Unsigned(Uint8, 1)}}, Value{Type: Array, Element: Uint8, Items: []Value{Unsigned(Uint8, 1)}}, Value{}, false},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, x.want, x.v.Differs(&x.from, &x.change)) })
	}
}
