package mac

import (
	"bytes"
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

var (
	gsme = wire.MustEUI64("00-15-5F-00-B0-02-00-02")
	chf  = wire.MustEUI64("00-15-5F-00-B0-01-00-01")
)

const pan = 0x1AAA

func must(t testing.TB, m interface {
	AppendBinary([]byte) ([]byte, error)
}) []byte {
	t.Helper()
	b, err := m.AppendBinary(nil)
	require.NoError(t, err)
	return b
}

// The frames of the golden capture, from fields.
func goldens(t testing.TB) map[string]Frame {
	return map[string]Frame{
		"030811ffffffff07a36f": {Type: TypeCommand, Sequence: 0x11, Dst: ShortAddress(BroadcastPAN, Broadcast), Payload: must(t, BeaconRequest{})},
		"008012aa1a0000ffcf0000002284ce110a0000000000ffffff00b8ef": {Type: TypeBeacon, Sequence: 0x12, Src: ShortAddress(pan, 0), Payload: must(t, Beacon{
			Superframe: NonBeacon.With(true, true),
			Payload: must(t, BeaconPayload{StackProfile: 2, ProtocolVersion: 2, RouterCapacity: true, EndDeviceCapacity: true,
				ExtendedPAN: wire.MustEUI64("00-00-00-00-00-0A-11-CE"), TxOffset: NoTxOffset}),
		})},
		"23c813aa1a0000ffff020002b0005f15000180ab37": {Type: TypeCommand, Sequence: 0x13, AckRequest: true, Dst: ShortAddress(pan, 0), Src: ExtendedAddress(BroadcastPAN, gsme), Payload: must(t, AssociationRequest{CapabilitySleepy})},
		"020013a297":                           Ack(0x13, false),
		"63c814aa1a0000020002b0005f150004962c": {Type: TypeCommand, Sequence: 0x14, AckRequest: true, PANCompression: true, Dst: ShortAddress(pan, 0), Src: ExtendedAddress(pan, gsme), Payload: must(t, DataRequest{})},
		"1200148866":                           Ack(0x14, true),
		"63cc15aa1a020002b0005f1500010001b0005f150002315a00c4ab": {Type: TypeCommand, Sequence: 0x15, AckRequest: true, PANCompression: true, Dst: ExtendedAddress(pan, gsme), Src: ExtendedAddress(pan, chf), Payload: must(t, AssociationResponse{0x5A31, AssociationSuccessful})},
	}
}

func TestGoldenFrames(t *testing.T) {
	for s, f := range goldens(t) {
		want := unhex(t, s)
		require.Equal(t, want, must(t, f))
		got, n, err := ParseFrame(want)
		require.NoError(t, err)
		require.Equal(t, len(want), n)
		if f.Payload == nil {
			require.Empty(t, got.Payload)
			got.Payload = nil
		}
		require.Equal(t, f, got)
		for i := range want {
			_, _, err := ParseFrame(want[:i])
			require.Error(t, err, "cut at %d", i)
			bad := bytes.Clone(want)
			bad[i] ^= 0x10
			_, _, err = ParseFrame(bad)
			require.ErrorIs(t, err, ErrFCS)
		}
		// The same cut where the FCS is right: the fields themselves are checked.
		for i := range len(want) - FCSSize - len(f.Payload) {
			cut, err := Finish(bytes.Clone(want[:i]), 0)
			require.NoError(t, err)
			_, _, err = ParseFrame(cut)
			require.ErrorIs(t, err, wire.ErrTruncated, "cut at %d", i)
		}
	}
}

func TestFrameRefused(t *testing.T) {
	for _, s := range []string{"0000", "0400", "0900", "0180", "0104", "0120", "4108", "0101"} {
		b, err := Finish(append(unhex(t, s), make([]byte, 20)...), 0)
		require.NoError(t, err)
		if s == "0000" {
			_, _, err = ParseFrame(b)
			require.NoError(t, err)
			continue
		}
		_, _, err = ParseFrame(b)
		if s == "0180" { // short source: fine
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, ErrFormat, s)
	}
	_, _, err := ParseFrame(make([]byte, MaxPSDU+1))
	require.ErrorIs(t, err, ErrTooLong)
	_, err = Frame{Type: TypeData, Payload: make([]byte, MaxPSDU-4)}.AppendBinary(nil)
	require.ErrorIs(t, err, ErrTooLong)
	_, err = Frame{Type: 5}.AppendBinary(nil)
	require.ErrorIs(t, err, ErrFormat)
	_, err = Frame{PANCompression: true, Dst: ShortAddress(1, 1), Src: ShortAddress(2, 2)}.AppendBinary(nil)
	require.ErrorIs(t, err, ErrFormat)
	f, err := ParseUnchecked(unhex(t, "020013"))
	require.NoError(t, err)
	require.Equal(t, TypeAck, f.Type)
}

var commands = map[string]Command{
	"018e":               AssociationRequest{CapabilityRouter},
	"02ffff01":           AssociationResponse{0xFFFF, AssociationAtCapacity},
	"0302":               Disassociation{2},
	"04":                 DataRequest{},
	"05":                 PANIDConflict{},
	"06":                 OrphanNotification{},
	"07":                 BeaconRequest{},
	"08aa1a00000f315a":   CoordinatorRealignment{PAN: pan, Channel: 15, Short: 0x5A31},
	"08aa1a00000f315a00": CoordinatorRealignment{PAN: pan, Channel: 15, Short: 0x5A31, HasPage: true},
}

func TestCommands(t *testing.T) {
	for s, c := range commands {
		want := unhex(t, s)
		require.Equal(t, want, must(t, c))
		require.Equal(t, CommandID(want[0]), c.ID())
		got, n, err := ParseCommand(want)
		require.NoError(t, err)
		require.Equal(t, len(want), n)
		require.Equal(t, c, got)
		for i := range want {
			if i == 8 { // the page may be missing
				continue
			}
			_, _, err := ParseCommand(want[:i])
			require.ErrorIs(t, err, wire.ErrTruncated)
		}
	}
	_, _, err := ParseCommand([]byte{9})
	require.ErrorIs(t, err, ErrFormat)
}

func TestBeacon(t *testing.T) {
	m := Beacon{Superframe: NonBeacon, PendingShort: []uint16{0x5A31, 2}, PendingExtended: []wire.EUI64{gsme}, Payload: []byte{1, 2}}
	want := unhex(t, "ff0f"+"00"+"12"+"315a0200"+"020002b0005f1500"+"0102")
	require.Equal(t, want, must(t, m))
	got, n, err := ParseBeacon(want)
	require.NoError(t, err)
	require.Equal(t, len(want), n)
	require.Equal(t, m, got)
	for i := range len(want) - 2 {
		_, _, err := ParseBeacon(want[:i])
		require.ErrorIs(t, err, wire.ErrTruncated)
	}
	require.False(t, m.Superframe.Coordinator() || m.Superframe.AssociationPermitted())
	_, err = Beacon{PendingShort: make([]uint16, 8)}.AppendBinary(nil)
	require.ErrorIs(t, err, ErrFormat)
	for _, bad := range []string{"ff0f8000", "ff0f0008", "ff0f0044"} {
		_, _, err := ParseBeacon(append(unhex(t, bad), make([]byte, 80)...))
		require.ErrorIs(t, err, ErrFormat)
	}
	p := unhex(t, "002284ce110a0000000000ffffff00")
	for i := range p {
		_, _, err := ParseBeaconPayload(p[:i])
		require.ErrorIs(t, err, wire.ErrTruncated)
	}
	p[0] = 1
	_, _, err = ParseBeaconPayload(p)
	require.ErrorIs(t, err, ErrFormat)
	_, err = BeaconPayload{Depth: 16}.AppendBinary(nil)
	require.ErrorIs(t, err, ErrFormat)
}

func TestStrings(t *testing.T) {
	require.Equal(t, "1AAA/5A31", ShortAddress(pan, 0x5A31).String())
	require.Equal(t, "1AAA/00-15-5F-00-B0-02-00-02", ExtendedAddress(pan, gsme).String())
	require.Equal(t, "none", Address{}.String())
	for i := range Type(5) {
		require.NotEmpty(t, i.String())
	}
	for i := range AssociationStatus(4) {
		require.NotEmpty(t, i.Error())
	}
}

func TestAirtime(t *testing.T) {
	require.Equal(t, 352*time.Microsecond, Airtime(5), "an acknowledgement")
	require.Equal(t, 4256*time.Microsecond, Airtime(MaxPSDU))
	require.Equal(t, 864*time.Microsecond, AckWait)
	require.Equal(t, 138240*time.Microsecond, BeaconScanDefault)
}

func TestAllocations(t *testing.T) {
	f := Frame{Type: TypeData, AckRequest: true, PANCompression: true, Dst: ShortAddress(pan, 0), Src: ShortAddress(pan, 0x5A31), Payload: make([]byte, 80)}
	b := make([]byte, 0, MaxPSDU)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		var err error
		if b, err = f.AppendBinary(b[:0]); err != nil {
			panic(err)
		}
		if _, _, err := ParseFrame(b); err != nil {
			panic(err)
		}
	}))
}

func FuzzParseFrame(f *testing.F) {
	for s := range goldens(f) {
		b := unhex(f, s)
		f.Add(b[:len(b)-FCSSize])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseUnchecked(b)
		if err != nil || len(b) > MaxPSDU-FCSSize {
			return
		}
		again, err := m.AppendBinary(nil)
		require.NoError(t, err)
		require.Equal(t, b, again[:len(b)])
		same, _, err := ParseFrame(again)
		require.NoError(t, err)
		require.Equal(t, m, same)
	})
}

func FuzzParsePayloads(f *testing.F) {
	for s := range commands {
		f.Add(unhex(f, s))
	}
	f.Add(unhex(f, "ff0f0012315a0200020002b0005f15000102"))
	f.Add(unhex(f, "002284ce110a0000000000ffffff00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, n, err := ParseCommand(b); err == nil {
			require.Equal(t, b[:n], must(t, m))
		}
		if m, n, err := ParseBeacon(b); err == nil {
			require.Equal(t, b[:n], must(t, m))
		}
		if m, n, err := ParseBeaconPayload(b); err == nil {
			require.Equal(t, b[:n], must(t, m))
		}
	})
}

func BenchmarkFrame(b *testing.B) {
	f := Frame{Type: TypeData, AckRequest: true, PANCompression: true, Dst: ShortAddress(pan, 0), Src: ShortAddress(pan, 0x5A31), Payload: make([]byte, 100)}
	buf := make([]byte, 0, MaxPSDU)
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = f.AppendBinary(buf[:0])
		_, _, _ = ParseFrame(buf)
	}
}
