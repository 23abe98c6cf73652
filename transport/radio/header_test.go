package radio

import (
	"encoding/hex"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/internal/wire"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

// seal puts the FCS behind a frame.
func seal(b []byte) []byte {
	c := wire.CRC16Kermit(b)
	return append(b, byte(c), byte(c>>8))
}

func TestParseHeader(t *testing.T) {
	poll := seal(unhex(t, "63c80134120000887766554433221104"))
	h, ok := ParseHeader(poll)
	require.True(t, ok)
	require.Equal(t, Header{
		Type: TypeCommand, AckRequest: true, Sequence: 1, DstMode: 2, DstPAN: 0x1234,
		SrcMode: 3, SrcPAN: 0x1234, SrcEUI: wire.MustEUI64("11-22-33-44-55-66-77-88"), Command: commandDataRequest,
	}, h)
	for i := range poll {
		_, ok := ParseHeader(poll[:i])
		require.False(t, ok, i)
	}
	poll[4] ^= 1
	_, ok = ParseHeader(poll)
	require.False(t, ok, "damaged")
}

func TestAppendAck(t *testing.T) {
	require.Equal(t, seal([]byte{0x12, 0, 7}), AppendAck(nil, 7, true))
	require.Equal(t, seal([]byte{0x02, 0, 7}), AppendAck(nil, 7, false))
}

func TestFilter(t *testing.T) {
	var f Filter
	beacon := &Header{Type: TypeBeacon, SrcMode: 2, SrcPAN: 9}
	mine, _ := f.Accepts(beacon)
	require.False(t, mine, "not configured yet")
	f.Set(0x1234, 5, wire.EUI64{7: 5})
	for name, tc := range map[string]struct {
		h           Header
		mine, alone bool
	}{
		"beacon of anyone":       {*beacon, true, false},
		"short":                  {Header{Type: TypeData, DstMode: 2, DstPAN: 0x1234, DstShort: 5}, true, true},
		"another device":         {Header{Type: TypeData, DstMode: 2, DstPAN: 0x1234, DstShort: 6}, false, true},
		"another network":        {Header{Type: TypeData, DstMode: 2, DstPAN: 0x1235, DstShort: 5}, false, false},
		"broadcast":              {Header{Type: TypeData, DstMode: 2, DstPAN: 0x1234, DstShort: 0xFFFF}, true, false},
		"broadcast to all PANs":  {Header{Type: TypeCommand, DstMode: 2, DstPAN: 0xFFFF, DstShort: 0xFFFF}, true, false},
		"EUI-64":                 {Header{Type: TypeData, DstMode: 3, DstPAN: 0x1234, DstEUI: wire.EUI64{7: 5}}, true, true},
		"another EUI-64":         {Header{Type: TypeData, DstMode: 3, DstPAN: 0x1234, DstEUI: wire.EUI64{7: 6}}, false, true},
		"acknowledgement":        {Header{Type: TypeAck}, false, false},
		"without a destination":  {Header{Type: TypeData, SrcMode: 2, SrcPAN: 0x1234}, false, false},
		"short of a new station": {Header{Type: TypeData, DstMode: 2, DstPAN: 0x1234, DstShort: 0xFFFE}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			mine, alone := f.Accepts(&tc.h)
			require.Equal(t, tc.mine, mine)
			require.Equal(t, tc.alone, alone)
		})
	}
	f.Promiscuous = true
	mine, alone := f.Accepts(&Header{Type: TypeAck})
	require.True(t, mine)
	require.False(t, alone)
}

func TestAirtimeAndQuality(t *testing.T) {
	require.Equal(t, 4256*time.Microsecond, Airtime(MaxPSDU), "133 octets at 250 kbit/s")
	require.EqualValues(t, 255, Quality(-30))
	require.EqualValues(t, 0, Quality(-100))
	require.EqualValues(t, 127, Quality(-70))
}

func FuzzParseHeader(f *testing.F) {
	f.Add(seal([]byte{0x63, 0x88, 1, 0x34, 0x12, 0, 0, 1, 0, 4}))
	f.Add(seal([]byte{0x00, 0x80, 1, 0x34, 0x12, 0, 0, 0xFF, 0xCF, 0, 0}))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, ok := ParseHeader(b)
		if !ok {
			return
		}
		require.LessOrEqual(t, len(b), MaxPSDU)
		ack, ok := ParseHeader(AppendAck(nil, h.Sequence, h.Pending))
		require.True(t, ok)
		require.Equal(t, h.Sequence, ack.Sequence)
	})
}
