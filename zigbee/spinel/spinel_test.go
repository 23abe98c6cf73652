package spinel

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/internal/wire"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

var frames = []struct {
	name string
	f    Frame
	wire string
}{
	{"reset", Frame{Command: CommandReset}, "8001"},
	{"reset done", LastStatus(0, StatusResetSoftware), "80060072"},
	{"get protocol version", Frame{Transaction: 1, Command: CommandGet, Property: PropProtocolVersion}, "810201"},
	{"protocol version", Is(1, PropProtocolVersion, []byte{4, 3}), "8106010403"},
	{"get RCP API version", Frame{Transaction: 2, Command: CommandGet, Property: PropRCPAPIVersion}, "8202b001"},
	{"set channel", Frame{Transaction: 3, Command: CommandSet, Property: PropPhyChannel, Value: []byte{15}}, "8303210f"},
	{"set address", Frame{Transaction: 4, Command: CommandSet, Property: PropMACAddress, Value: AppendEUI64(nil, wire.EUI64{0, 1, 2, 3, 4, 5, 6, 7})}, "8403340001020304050607"},
	{"set PAN", Frame{Transaction: 5, Command: CommandSet, Property: PropMACPANID, Value: AppendUint16(nil, 0x1AAA)}, "850336aa1a"},
	{"source match", Frame{Interface: 1, Transaction: 15, Command: CommandInsert, Property: PropSrcMatchShort, Value: AppendUint16(nil, 0x5A31)}, "9f048426315a"},
}

func TestFrames(t *testing.T) {
	for _, c := range frames {
		t.Run(c.name, func(t *testing.T) {
			want := unhex(t, c.wire)
			b, err := c.f.AppendBinary(nil)
			require.NoError(t, err)
			require.Equal(t, want, b)
			f, n, err := ParseFrame(want)
			require.NoError(t, err)
			require.Equal(t, len(want), n)
			if c.f.Value == nil {
				f.Value = nil
			}
			require.Equal(t, c.f, f)
			head := len(want) - len(c.f.Value)
			for i := range head {
				_, _, err := ParseFrame(want[:i])
				require.ErrorIs(t, err, wire.ErrTruncated, "cut at %d", i)
			}
		})
	}
	_, _, err := ParseFrame([]byte{0x40, 1})
	require.ErrorIs(t, err, ErrFormat)
	_, err = Frame{Transaction: 16}.AppendBinary(nil)
	require.ErrorIs(t, err, ErrFormat)
}

func TestPacked(t *testing.T) {
	for v, s := range map[uint32]string{0: "00", 127: "7f", 128: "8001", 1337: "b90a", 16383: "ff7f", 16384: "808001", maxPacked: "ffff7f"} {
		require.Equal(t, unhex(t, s), AppendPacked(nil, v))
		got, n, err := ParsePacked(unhex(t, s))
		require.NoError(t, err)
		require.Equal(t, v, got)
		require.Equal(t, len(s)/2, n)
		_, _, err = ParsePacked(unhex(t, s)[:n-1])
		require.ErrorIs(t, err, wire.ErrTruncated)
	}
	for _, s := range []string{"80808001", "8000"} {
		_, _, err := ParsePacked(unhex(t, s))
		require.ErrorIs(t, err, ErrFormat)
	}
}

func TestText(t *testing.T) {
	b, err := AppendText(nil, "OPENTHREAD/1")
	require.NoError(t, err)
	s, n, err := ParseText(append(b, 7))
	require.NoError(t, err)
	require.Equal(t, "OPENTHREAD/1", s)
	require.Equal(t, len(b), n)
	_, _, err = ParseText(b[:4])
	require.ErrorIs(t, err, wire.ErrTruncated)
	_, err = AppendText(nil, "a\x00b")
	require.ErrorIs(t, err, ErrFormat)
}

const beaconRequest = "030811ffffffff070000"

func TestTransmitRequest(t *testing.T) {
	full := TransmitRequest{Frame: unhex(t, beaconRequest), Channel: 15, Optional: AllTransmitFields, MaxBackoffs: 4, MaxRetries: 15, CSMA: true, Delay: 1, DelayBase: 2, RxChannelAfterSend: 15, More: []byte{}}
	want := unhex(t, "0a00"+beaconRequest+"0f"+"040f01000000"+"01000000"+"02000000"+"0f")
	b, err := full.AppendBinary(nil)
	require.NoError(t, err)
	require.Equal(t, want, b)
	m, n, err := ParseTransmitRequest(want)
	require.NoError(t, err)
	require.Equal(t, len(want), n)
	require.Equal(t, full, m)
	ends := map[int]int{13: 0, 14: 1, 15: 2, 16: 3, 17: 4, 18: 5, 19: 6, 23: 7, 27: 8}
	for i := range want {
		m, _, err := ParseTransmitRequest(want[:i])
		if fields, ok := ends[i]; ok {
			require.NoError(t, err)
			require.Equal(t, fields, m.Optional)
			again, err := m.AppendBinary(nil)
			require.NoError(t, err)
			require.Equal(t, want[:i], again)
			continue
		}
		require.ErrorIs(t, err, wire.ErrTruncated, "cut at %d", i)
	}
}

func TestReceiveIndication(t *testing.T) {
	m := ReceiveIndication{Frame: unhex(t, "020013a297"), RSSI: -40, Noise: NoNoiseFloor, Flags: FlagAckedPending, Channel: 15, LQI: 255, Timestamp: 0x0102030405}
	want := unhex(t, "0500020013a297"+"d880"+"1000"+"0a00"+"0fff"+"0504030201000000"+"0100"+"00")
	b, err := m.AppendBinary(nil)
	require.NoError(t, err)
	require.Equal(t, want, b)
	got, n, err := ParseReceiveIndication(want)
	require.NoError(t, err)
	require.Equal(t, len(want), n)
	require.Equal(t, m, got)
	for i := range want {
		_, _, err := ParseReceiveIndication(want[:i])
		if i == 11 || i == 23 {
			require.NoError(t, err, "radios may end here")
			continue
		}
		require.ErrorIs(t, err, wire.ErrTruncated, "cut at %d", i)
	}
}

func TestTransmitResult(t *testing.T) {
	for s, m := range map[string]TransmitResult{
		"00":           {},
		"11":           {Status: StatusNoAck},
		"000100":       {HasDetail: true, FramePending: true, Ack: []byte{}},
		"000001020013": {HasDetail: true, HeaderUpdated: true, Ack: []byte{2, 0, 0x13}},
	} {
		b, err := m.AppendBinary(nil)
		require.NoError(t, err)
		require.Equal(t, unhex(t, s), b)
		got, _, err := ParseTransmitResult(b)
		require.NoError(t, err)
		require.Equal(t, m, got)
	}
	_, _, err := ParseTransmitResult(nil)
	require.ErrorIs(t, err, wire.ErrTruncated)
	_, _, err = ParseTransmitResult([]byte{0, 1})
	require.ErrorIs(t, err, wire.ErrTruncated)
}

func feed(d *Decoder, b []byte) (frames [][]byte, errs []error) {
	for len(b) > 0 {
		f, n, err := d.Feed(b)
		b = b[n:]
		if f != nil {
			frames = append(frames, bytes.Clone(f))
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	return frames, errs
}

func TestHDLC(t *testing.T) {
	// The reset-done frame (FCS computed apart from this code), and one with every octet that is escaped.
	require.Equal(t, unhex(t, "7e80060072fc577e"), AppendHDLC(nil, unhex(t, "80060072")))
	all := []byte{0x80, 0x7E, 0x7D, 0x11, 0x13, 0xF8}
	line := AppendHDLC(nil, all)
	require.Equal(t, unhex(t, "807d5e7d5d7d317d337dd8"), line[1:12])
	var whole []byte
	var want [][]byte
	for _, f := range frames {
		whole = AppendHDLC(whole, unhex(t, f.wire))
		want = append(want, unhex(t, f.wire))
	}
	whole, want = append(whole, line...), append(want, all)
	var d Decoder
	got, errs := feed(&d, whole)
	require.Empty(t, errs)
	require.Equal(t, want, got)
	got = nil
	for _, x := range whole { // octet by octet
		f, errs := feed(&d, []byte{x})
		require.Empty(t, errs)
		got = append(got, f...)
	}
	require.Equal(t, want, got)
	require.Zero(t, d.Errors)
}

func TestHDLCDamage(t *testing.T) {
	good := AppendHDLC(nil, unhex(t, "80060072"))
	for i := 1; i < len(good)-1; i++ {
		bad := bytes.Clone(good)
		bad[i] ^= 0x01
		var d Decoder
		f, errs := feed(&d, append(bad, good...))
		require.NotEmpty(t, errs, "octet %d", i)
		require.Equal(t, [][]byte{unhex(t, "80060072")}, f, "the next frame gets through")
		require.Equal(t, len(errs), d.Errors)
	}
	var d Decoder
	f, errs := feed(&d, append([]byte{0x7E, 1, 2, 3, 0x7D}, good...))
	require.ErrorIs(t, errs[0], ErrAborted)
	require.Len(t, f, 1)
	f, errs = feed(&d, append(bytes.Repeat([]byte{1}, MaxFrame+10), good...))
	require.Len(t, errs, 1)
	require.ErrorIs(t, errs[0], ErrTooLong)
	require.Len(t, f, 1)
}

func TestAllocations(t *testing.T) {
	frame := unhex(t, "80060072")
	line := make([]byte, 0, 64)
	var d Decoder
	feed(&d, AppendHDLC(nil, bytes.Repeat([]byte{0x55}, 200)))
	require.Zero(t, testing.AllocsPerRun(100, func() {
		line = AppendHDLC(line[:0], frame)
		_, n, err := d.Feed(line)
		if err != nil || n != len(line) {
			panic("frame lost")
		}
	}))
}

func FuzzDecoder(f *testing.F) {
	for _, c := range frames {
		f.Add(AppendHDLC(nil, unhex(f, c.wire)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var d, byOctet Decoder
		frames, errs := feed(&d, b)
		require.Equal(t, len(errs), d.Errors)
		var single [][]byte
		for _, x := range b {
			f, _ := feed(&byOctet, []byte{x})
			single = append(single, f...)
		}
		require.Equal(t, frames, single, "the cut into reads does not matter")
		for _, f := range frames {
			var again Decoder
			got, errs := feed(&again, AppendHDLC(nil, f))
			require.Empty(t, errs)
			require.Equal(t, [][]byte{f}, got)
		}
	})
}

func FuzzFrame(f *testing.F) {
	for _, c := range frames {
		f.Add(unhex(f, c.wire))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, n, err := ParseFrame(b)
		if err != nil {
			return
		}
		require.Equal(t, len(b), n)
		again, err := m.AppendBinary(nil)
		require.NoError(t, err)
		require.Equal(t, b, again)
		if q, _, err := ParseTransmitRequest(m.Value); err == nil {
			again, err := q.AppendBinary(nil)
			require.NoError(t, err)
			require.Equal(t, m.Value, again)
		}
		if q, _, err := ParseReceiveIndication(m.Value); err == nil {
			again, err := q.AppendBinary(nil)
			require.NoError(t, err)
			r, _, err := ParseReceiveIndication(again)
			require.NoError(t, err)
			require.Equal(t, q, r)
		}
		if q, _, err := ParseTransmitResult(m.Value); err == nil {
			again, err := q.AppendBinary(nil)
			require.NoError(t, err)
			require.Equal(t, m.Value, again)
		}
	})
}
