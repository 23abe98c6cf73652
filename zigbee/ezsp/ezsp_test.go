package ezsp

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/internal/wire"
	"smets1/zigbee/security"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

// Frames of a conversation with zigbee-herdsman.
func TestFrames(t *testing.T) {
	for line, f := range map[string]Frame{
		"00 00 00 13":             {Old: true, Command: CmdVersion, Parameters: []byte{0x13}},
		"00 80 00 0D 02 00 74":    {Old: true, Response: true, Command: CmdVersion, Parameters: []byte{13, 2, 0, 0x74}},
		"01 00 01 00 00 0D":       {Sequence: 1, Command: CmdVersion, Parameters: []byte{13}},
		"03 80 01 53 00 00":       {Sequence: 3, Response: true, Command: CmdSetConfigurationValue, Parameters: []byte{0}},
		"19 90 01 19 00 90":       {Sequence: 0x19, Response: true, Callback: Asynchronous, Command: CmdStackStatusHandler, Parameters: []byte{0x90}},
		"20 00 01 11 01 FF FF FF": {Sequence: 0x20, Command: CmdImportTransientKey, Parameters: []byte{0xFF, 0xFF, 0xFF}},
	} {
		b := unhex(t, line)
		got, n, err := ParseFrame(b)
		require.NoError(t, err)
		require.Equal(t, len(b), n)
		require.Equal(t, f, got)
		again, err := f.AppendBinary(nil)
		require.NoError(t, err)
		require.Equal(t, b, again)
		for i := range 3 {
			_, _, err := ParseFrame(b[:i])
			require.ErrorIs(t, err, wire.ErrTruncated)
		}
	}
	_, _, err := ParseFrame([]byte{1, 0, 1, 0x26})
	require.ErrorIs(t, err, wire.ErrTruncated)
	_, _, err = ParseFrame([]byte{1, 0, 2, 0x26, 0})
	require.ErrorIs(t, err, ErrFormat)
	_, err = Frame{Old: true, Command: CmdExportKey}.AppendBinary(nil)
	require.Error(t, err)
}

// both checks the octets of a message, both ways and cut anywhere.
func both[T any, P message[T]](t *testing.T, line string, m T) {
	t.Helper()
	want := unhex(t, line)
	b, err := Append(nil, P(&m))
	require.NoError(t, err)
	require.Equal(t, hex.EncodeToString(want), hex.EncodeToString(b))
	got, n, err := Parse[T, P](b)
	require.NoError(t, err)
	require.Equal(t, len(b), n)
	again, err := Append(nil, P(&got))
	require.NoError(t, err)
	require.Equal(t, b, again)
	for i := range b {
		_, _, err := Parse[T, P](b[:i])
		require.ErrorIs(t, err, wire.ErrTruncated, "cut at %d", i)
	}
}

func TestMessages(t *testing.T) {
	key, err := security.ParseKey("00112233445566778899AABBCCDDEEFF")
	require.NoError(t, err)
	const k = "00112233445566778899AABBCCDDEEFF"
	e := wire.MustEUI64("00-DB-12-34-56-78-90-A1")
	const air = "A1 90 78 56 34 12 DB 00"
	a := APSFrame{Profile: 0x0109, Cluster: 0x0702, SrcEndpoint: 1, DstEndpoint: 2, Options: OptionEncrypt | OptionRetry | OptionRouteDiscover, Group: 0x0385, Sequence: 9}
	const aps = "09 01 02 07 01 02 60 01 85 03 09"

	both(t, "0D", VersionRequest{13})
	both(t, "0D 02 00 74", VersionResponse{13, 2, 0x7400})
	both(t, "05 00 07 04 03 00 AA", VersionInfo{5, 7, 4, 3, 0, 0xAA})
	both(t, "01 09 01 00 05 00 02 01 00 00 00 08 02 07", AddEndpoint{1, 0x0109, 0x0500, 0, []uint16{0, 0x0800}, []uint16{0x0702}})
	// As zigbee-herdsman forms: extended PAN [0,0,0,0,0,0x0a,0x11,0xce], PAN 1aaa, channel 15.
	both(t, "00 00 00 00 00 0A 11 CE AA 1A 05 0F 00 00 00 00 00 F8 FF 07", NetworkParameters{
		ExtendedPAN: wire.MustEUI64("CE-11-0A-00-00-00-00-00"), PAN: 0x1AAA, Power: 5, Channel: 15, Channels: 0x07FFF800,
	})
	both(t, "84 0B"+k+k+"03"+air, InitialSecurityState{0x0B84, key, key, 3, e})
	both(t, "00 34 12"+aps+"07 03 10 09 00", SendUnicast{OutgoingDirect, 0x1234, a, 7, []byte{0x10, 9, 0}})
	both(t, "FC FF"+aps+"1E 07 02 01 3C", SendBroadcast{0xFFFC, a, 30, 7, []byte{1, 60}})
	both(t, aps+"0C 0F 07 01 AA", SendMulticast{a, 12, 15, 7, []byte{0xAA}})
	both(t, "00 56", SendResponse{Success, 0x56})
	both(t, "00 34 12"+aps+"07 66 00", MessageSent{OutgoingDirect, 0x1234, a, 7, DeliveryFailed, nil})
	both(t, "00"+aps+"FF C8 34 12 FF FF 03 18 09 01", IncomingMessage{IncomingUnicast, a, 255, -56, 0x1234, NoBinding, NoBinding, []byte{0x18, 9, 1}})
	both(t, "34 12"+air+"01 00 00 00", TrustCentreJoin{0x1234, e, UnsecuredJoin, UsePreconfiguredKey, 0})
	both(t, "FF FF FF FF FF FF FF FF"+k+"00", ImportTransientKey{AnyDevice, key, 0})
	both(t, "03"+air+k, ImportLinkKey{3, e, key})
	both(t, "01 00 00 00"+air+"00 00 00 00 00 00", KeyContext{Type: KeyNetwork, Device: e})
	both(t, k+"2D 00 00 00", ExportedKey{key, KeyNotFound})
	both(t, air+k+"01 00 02 00 00 00 03 00 00 00 04 00 00 00 00 00", ExportedLinkKey{e, key, 1, 2, 3, 4, KeySuccess})
	both(t, "00 00 00 00 01 00 02 03 04 00 00 00", NetworkKeyInfo{KeySuccess, true, false, 2, 3, 4})
	both(t, "43 02 10 27", Value{0x43, []byte{0x10, 0x27}})
	both(t, "FF D8 03 01 02 03", SniffedPacket{255, -40, []byte{1, 2, 3}})

	_, err = Append(nil, &SendUnicast{Message: make([]byte, 255)})
	require.Error(t, err)
}

func TestWords(t *testing.T) {
	require.Equal(t, "sendUnicast", CmdSendUnicast.String())
	require.Equal(t, "command 01FF", Command(0x1FF).String())
	require.ErrorContains(t, NotJoined, "NOT_JOINED")
	require.ErrorContains(t, Status(0x77), "status 77")
	require.ErrorContains(t, KeyNotFound, "NOT_FOUND")
	require.ErrorContains(t, KeyStatus(0x99), "00000099")
}

func FuzzFrame(f *testing.F) {
	for _, x := range []Frame{{Old: true, Command: CmdVersion, Parameters: []byte{13}}, {Sequence: 3, Response: true, Callback: Asynchronous, Command: CmdIncomingMessageHandler, Parameters: []byte{1, 2, 3}}} {
		b, err := x.AppendBinary(nil)
		require.NoError(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		x, n, err := ParseFrame(b)
		if err != nil {
			return
		}
		require.Equal(t, len(b), n)
		again, err := x.AppendBinary(nil)
		require.NoError(t, err)
		back, _, err := ParseFrame(again)
		require.NoError(t, err)
		require.Equal(t, x, back)
		_, _, _ = Parse[IncomingMessage](x.Parameters)
		_, _, _ = Parse[AddEndpoint](x.Parameters)
	})
}
