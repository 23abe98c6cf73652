package point

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

var name = cosem.MustOBIS("1-0:1.8.0.255")

// Every type comes back as it went, and a number that does not fit becomes the nearest that does.
func TestCOSEM(t *testing.T) {
	at := Time(time.Date(2019, 7, 15, 7, 0, 0, 0, time.UTC))
	for _, c := range []struct {
		tag      axdr.Tag
		in, want Value
	}{
		{axdr.TagBool, Int(1), Int(1)}, {axdr.TagEnum, Int(300), Int(255)}, {axdr.TagInt8, Int(-200), Int(-128)}, {axdr.TagInt16, Int(-7), Int(-7)},
		{axdr.TagInt32, Int(math.MaxInt64), Int(math.MaxInt32)}, {axdr.TagInt64, Int(math.MinInt64), Int(math.MinInt64)}, {axdr.TagUint8, Int(-1), Int(0)},
		{axdr.TagUint16, Int(70_000), Int(65_535)}, {axdr.TagUint32, Int(1 << 40), Int(math.MaxUint32)}, {axdr.TagUint64, Int(1 << 40), Int(1 << 40)},
		{axdr.TagOctetString, Text("abc"), Text("abc")}, {axdr.TagDateTime, at, at}, {axdr.TagDateTime, Time(time.Time{}), Value{}},
	} {
		d := Data(name, c.tag)
		b, err := d.Append(nil, c.in)
		require.NoError(t, err)
		got, err := d.Parse(b)
		require.NoError(t, err)
		require.Equal(t, c.want, got, "tag %d", c.tag)
		for i := range b {
			_, err = d.Parse(b[:i])
			require.Error(t, err)
		}
		_, err = d.Parse(append(b, 0))
		require.Error(t, err)
	}
	_, err := Data(name, axdr.TagUint8).Parse(axdr.AppendUint16(nil, 1))
	require.Error(t, err, "another type")
	_, err = Data(name, axdr.TagFloat32).Append(nil, Int(1))
	require.Error(t, err)
}

func TestZigBee(t *testing.T) {
	require.EqualValues(t, 1234, On(se.Metering, "CurrentSummationDelivered").Encode(Int(1234)).Num)
	z := On(se.Metering, "InstantaneousDemand")
	v := z.Encode(Int(-5))
	require.EqualValues(t, -5, v.Int())
	v = z.Encode(Int(1 << 40))
	require.EqualValues(t, 1<<23-1, v.Int())
	require.EqualValues(t, 50, On(se.Metering, "PowerFactor").Scaled(1, 10).Encode(Int(500)).Num)
	require.Equal(t, []byte("1012"), On(se.Metering, "SiteID").Encode(Text("1012")).Octets)
	require.EqualValues(t, 0xFFFF_FFFF, On(se.Metering, "CurrentMaxDemandDeliveredTime").Encode(Value{}).Num, "no time")
	require.EqualValues(t, 255, ZigBee{Type: zcl.Enum8}.Encode(Int(999)).Num)
	require.EqualValues(t, 65535, ZigBee{Type: zcl.Enum16}.Encode(Int(99999)).Num)
	require.Panics(t, func() { On(se.Metering, "Mood") })
}
