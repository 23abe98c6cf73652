package se

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/internal/wire"
	"smets1/zigbee/security"
	"smets1/zigbee/zcl"
)

// fill gives every field a value of its own, lists two entries.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(*n % 100))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(-int64(*n % 100))
	case reflect.String:
		v.SetString("text")
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	default:
		panic("no value for " + v.Type().String())
	}
}

var certificates = map[security.Suite]string{
	security.Suite1: "020615e07d30eca2dad58002e667d94bc1b4223983070000000000000002544553545345434101090006000000000000",
	security.Suite2: "0084a933b37f018dec0d081112131415161718005292a38affffffff0a0b0c0d0e0f10128803076277e2f7e2252b16a0e92b6e8771bb3f207946cbd4a45d9a9df6edab8c796a48e89dec",
}

// samples gives each command with all its fields, and some in their other forms.
func samples(t testing.TB) (all []Command) {
	t.Helper()
	for _, s := range allSpecs {
		if s.Cluster == KeyEstablishment {
			continue
		}
		zero, _, _ := s.parse(s.FromServer, make([]byte, 300)) // the type is what counts
		v := reflect.New(reflect.TypeOf(zero)).Elem()
		n := int(s.ID) + int(s.Cluster)
		fill(v, &n)
		set := func(name string, to any) {
			f := v.FieldByName(name)
			f.Set(reflect.ValueOf(to).Convert(f.Type()))
		}
		if f := v.FieldByName("Server"); f.IsValid() {
			f.SetBool(s.FromServer)
		}
		switch v.Interface().(type) {
		case GetAlarmResponse:
			set("Status", zcl.Success)
		case TransferData:
			set("Data", []byte{0xC0, 0x01})
		case CancelMessage:
			set("Control", 0)
		case QueryNextImageResponse, QueryDeviceSpecificFileResponse:
			set("Status", zcl.Success)
			all = append(all, must(t, v))
			v.SetZero()
			set("Status", zcl.NoImageAvailable)
		case ImageNotify:
			for content := range NotifyVersion {
				m := ImageNotify{Content: content, Jitter: 50}
				if content >= NotifyManufacturer {
					m.Manufacturer = 0x1234
				}
				if content >= NotifyImageType {
					m.ImageType = 7
				}
				all = append(all, m)
			}
			set("Content", NotifyVersion)
		case QueryNextImageRequest:
			all = append(all, QueryNextImageRequest{Image: ImageID{1, 2, 3}})
		case ImageBlockRequest:
			all = append(all, ImageBlockRequest{Image: ImageID{1, 2, 3}, Offset: 4, Most: 50})
		case ImagePageRequest:
			all = append(all, ImagePageRequest{Image: ImageID{1, 2, 3}, Offset: 4, Most: 50, PageSize: 512, Spacing: 100})
		case ImageBlockResponse:
			all = append(all, ImageBlockResponse{Image: ImageID{1, 2, 3}, Offset: 4, Data: []byte{5, 6}}, ImageBlockResponse{Status: zcl.WaitForData, Now: 5, Request: 60, Period: 100})
			v.SetZero()
			set("Status", zcl.Abort)
		case MirrorReportAttributeResponse:
			all = append(all, MirrorReportAttributeResponse{SchemeA, []uint32{1}})
			v.Set(reflect.ValueOf(MirrorReportAttributeResponse{SchemeB, []uint32{1, 2, 3, 4, 5}}))
		case PublishPrice:
			for k := range 13 {
				m := PublishPrice{Provider: 1, Label: []byte("Day"), EventID: 2, Price: 15, Optional: k}
				all = append(all, m)
			}
			set("Optional", 13)
		case PublishBlockPeriod:
			set("Optional", 3)
		case SetEventConfiguration:
			all = append(all, SetEventConfiguration{Control: SelectGroup, Group: 0x07FF}, SetEventConfiguration{Control: SelectLog, Log: 1}, SetEventConfiguration{Control: SelectMatch, Match: 3},
				SetEventConfiguration{Control: SelectEvents, Events: []uint16{1, 2}})
			continue
		case GetEventLog:
			set("Log", 3)
		case PublishEventLog:
			set("Control", 1)
		case PublishBlockThresholds:
			set("Tiers", []TierThresholds{{1, []uint64{5, 6}}, {2, []uint64{7}}})
		case PublishSnapshot:
			b, err := TOUSnapshot{HasBilling: true, Summation: 5, Tiers: []uint64{6, 7}}.AppendBinary(nil)
			require.NoError(t, err)
			set("Type", SnapshotTOUDelivered)
			set("Payload", b)
		case PublishPrepaySnapshot:
			b, err := DebtCreditSnapshot{AccumulatedDebt: -1, Credit: 500}.AppendBinary(nil)
			require.NoError(t, err)
			set("Type", 0)
			set("Payload", b)
		}
		all = append(all, must(t, v))
	}
	for _, server := range []bool{false, true} {
		for s, c := range certificates {
			cert, err := hex.DecodeString(c)
			require.NoError(t, err)
			b, err := security.Initiate{Suite: s, EphemeralTime: 3, ConfirmTime: 6, Certificate: cert}.AppendBinary(nil)
			require.NoError(t, err)
			all = append(all, KeyEstablishmentCommand{server, security.KEMessage{Command: security.KEInitiate, Payload: b}},
				KeyEstablishmentCommand{server, security.KEMessage{Command: security.KEEphemeral, Payload: append([]byte{2}, make([]byte, s.ScalarSize())...)}})
		}
		all = append(all, KeyEstablishmentCommand{server, security.KEMessage{Command: security.KEConfirm, Payload: make([]byte, 16)}},
			KeyEstablishmentCommand{server, security.KEMessage{Command: security.KETerminate, Payload: []byte{2, 30, 1, 0}}})
	}
	return all
}

func must(t testing.TB, v reflect.Value) Command {
	t.Helper()
	c, ok := v.Interface().(Command)
	require.True(t, ok)
	return c
}

func payload(t testing.TB, c Command) []byte {
	t.Helper()
	b, err := c.AppendBinary(nil)
	require.NoError(t, err, "%T", c)
	return b
}

// Every command survives the wire, and cut anywhere it is refused or is another whole command.
func TestCommands(t *testing.T) {
	seen := map[Key]bool{}
	for _, c := range samples(t) {
		seen[c.Key()] = true
		b := payload(t, c)
		got, n, err := Parse(c.Key(), b)
		require.NoError(t, err, "%T", c)
		require.Equal(t, len(b), n, "%T", c)
		require.Equal(t, c, got)
		require.Equal(t, c.Key(), got.Key())
		for i := range b {
			short, n, err := Parse(c.Key(), b[:i])
			if err != nil {
				require.Nil(t, short)
				continue
			}
			require.Equal(t, b[:n], payload(t, short), "%T cut at %d", c, i)
		}
		frame, err := Append(nil, zcl.Header{Sequence: 5}, c)
		require.NoError(t, err)
		f, _, err := zcl.ParseFrame(frame)
		require.NoError(t, err)
		require.Equal(t, c.Key(), Key{c.Key().Cluster, f.FromServer, f.Command})
	}
	require.Len(t, seen, len(byKey), "every command has a sample")
	require.Len(t, Commands(), len(byKey), "no key twice")
}

// Payloads worked out by hand.
func TestExact(t *testing.T) {
	for want, c := range map[string]Command{
		"00000000000c":                           GetProfile{Periods: 12},
		"78563412 00 02 02 0a0000 ffffff":        GetProfileResponse{EndTime: 0x12345678, Period: 2, Intervals: []uint32{10, NoInterval}},
		"1100":                                   RequestMirrorResponse{0x11},
		"020f":                                   RequestFastPollMode{2, 15},
		"00 ffff 01 dc05":                        RequestTunnel{TunnelDLMS, NoTunnelManufacturer, true, 1500},
		"0100 c001":                              TransferData{ID: 1, Data: []byte{0xC0, 1}},
		"0100 00 dc05":                           RequestTunnelResponse{1, TunnelSuccess, 1500},
		"02 04 31323334":                         ConsumerTopUp{FromIHD, []byte("1234")},
		"97 0a000000 46000000 c800":              ImageBlockResponse{Status: zcl.WaitForData, Now: 10, Request: 70, Period: 200},
		"00 3412 0100 02000001 00040000 02 aabb": ImageBlockResponse{Image: ImageID{0x1234, 1, 0x01000002}, Offset: 1024, Data: []byte{0xAA, 0xBB}},
		"03 32 3412 0100 02000001":               ImageNotify{NotifyVersion, 50, 0x1234, 1, 0x01000002},
		"01000000 80 00000000 ffff 02 4869":      DisplayMessage{ID: 1, Control: MessageConfirmRequired, Duration: MessageUntilChanged, Text: "Hi"},
	} {
		b, err := hex.DecodeString(string(bytes.ReplaceAll([]byte(want), []byte(" "), nil)))
		require.NoError(t, err)
		require.Equal(t, b, payload(t, c), "%T", c)
	}
}

func TestRefused(t *testing.T) {
	_, _, err := Parse(Key{Metering, false, 0x77}, nil)
	require.ErrorIs(t, err, ErrCommand)
	_, _, err = Parse(Key{Metering, false, 0x00}, []byte{1})
	require.ErrorIs(t, err, wire.ErrTruncated)
	require.ErrorContains(t, err, "GetProfile")
	_, ok := Lookup(Key{Metering, false, 0x77})
	require.False(t, ok)
	s, ok := Lookup(Key{Tunneling, true, 1})
	require.True(t, ok)
	require.Equal(t, "TransferData", s.Name)
	for _, c := range []Command{
		MirrorReportAttributeResponse{SchemeA, []uint32{1, 2}}, MirrorReportAttributeResponse{SchemeB, nil}, ConsumerTopUp{Code: make([]byte, 26)}, DisplayMessage{Text: string(make([]byte, 255))},
		PublishEventLog{Entries: make([]LogEntry, 16)}, SetEventConfiguration{Control: 4}, PublishBlockThresholds{Tiers: []TierThresholds{{Tier: 16}}}, GetProfileResponse{Intervals: make([]uint32, 256)},
		GetProfileResponse{Intervals: []uint32{1 << 24}},
	} {
		_, err := c.AppendBinary(nil)
		require.Error(t, err, "%T", c)
	}
	_, _, err = Parse(Key{Metering, false, 0x09}, []byte{1, 0, 0, 0, 0, 0, 0, 0, 0})
	require.ErrorContains(t, err, "2 words of notification flags in scheme 1, which has 1")
}

func TestSnapshots(t *testing.T) {
	for typ, m := range map[SnapshotType]TOUSnapshot{
		SnapshotTOUDelivered:          {HasBilling: true, Summation: 1, Billing: Billing{1, 2, 3, 4, 5}, Tiers: []uint64{6, 7}},
		SnapshotTOUReceivedNoBilling:  {Summation: 1 << 40, Tiers: []uint64{6}},
		SnapshotTOUDeliveredNoBilling: {},
	} {
		b, err := m.AppendBinary(nil)
		require.NoError(t, err)
		got, n, err := ParseTOUSnapshot(typ, b)
		require.NoError(t, err)
		require.Equal(t, len(b), n)
		require.Equal(t, m, got)
		for i := range b {
			_, _, err := ParseTOUSnapshot(typ, b[:i])
			require.ErrorIs(t, err, wire.ErrTruncated)
		}
	}
	_, _, err := ParseTOUSnapshot(SnapshotBlockDelivered, make([]byte, 100))
	require.Error(t, err)
	m := DebtCreditSnapshot{-1, 2, 3, 4, -5, 6}
	b, err := m.AppendBinary(nil)
	require.NoError(t, err)
	require.Len(t, b, 24)
	got, _, err := ParseDebtCreditSnapshot(b)
	require.NoError(t, err)
	require.Equal(t, m, got)
}

func TestTexts(t *testing.T) {
	for i := range 256 {
		for _, e := range []error{ProfileStatus(i), TunnelStatus(i), TransferError(i), TopUpResult(i)} {
			require.NotEmpty(t, e.Error())
		}
	}
	require.True(t, TopUpAcceptedArmed.Accepted() && !TopUpInvalid.Accepted())
	for c := range clusterNames {
		require.NotContains(t, c.String(), "cluster 0")
	}
	require.Equal(t, "cluster FC00", Cluster(0xFC00).String())
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	require.Equal(t, at, UTCOf(at).Time())
	require.True(t, UpgradeWait.Time().IsZero())
}

func TestAllocations(t *testing.T) {
	data := make([]byte, 60)
	b := make([]byte, 0, 128)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		var err error
		if b, err = (TransferData{ID: 1, Data: data}).AppendBinary(b[:0]); err != nil {
			panic(err)
		}
		if _, _, err := ParseTransferData(b); err != nil {
			panic(err)
		}
		if b, err = (ImageBlockResponse{Data: data}).AppendBinary(b[:0]); err != nil {
			panic(err)
		}
		if _, _, err := ParseImageBlockResponse(b); err != nil {
			panic(err)
		}
		if b, err = (GetProfile{Periods: 1}).AppendBinary(b[:0]); err != nil {
			panic(err)
		}
		if _, _, err := ParseGetProfile(b); err != nil {
			panic(err)
		}
	}))
}

func FuzzParse(f *testing.F) {
	for _, c := range samples(f) {
		k := c.Key()
		f.Add(uint16(k.Cluster), k.FromServer, k.ID, payload(f, c))
	}
	f.Fuzz(func(t *testing.T, cluster uint16, server bool, id uint8, b []byte) {
		k := Key{Cluster(cluster), server, id}
		m, n, err := Parse(k, b)
		if err != nil {
			return
		}
		require.LessOrEqual(t, n, len(b))
		require.Equal(t, k, m.Key())
		again, err := m.AppendBinary(nil)
		require.NoError(t, err)
		same, _, err := Parse(k, again)
		require.NoError(t, err)
		require.Equal(t, again, payload(t, same), fmt.Sprintf("%T", m))
	})
}
