package zdp

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/internal/wire"
	"smets1/zigbee/mac"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

var (
	gsme = wire.MustEUI64("00-15-5F-00-B0-02-00-02")
	chf  = wire.MustEUI64("00-15-5F-00-B0-01-00-01")
	node = NodeDescriptor{Type: TypeCoordinator, Band: Frequency24GHz, Capability: mac.CapabilityRouter, Manufacturer: 0x1234, MaxBuffer: 82, MaxIncoming: 128, ServerMask: ServerPrimaryTrustCentre, Revision: 22, MaxOutgoing: 128}
)

const gsmeAir, chfAir = "020002b0005f1500", "010001b0005f1500"

var cases = []struct {
	wire string // behind the sequence number
	cmd  Command
}{
	{gsmeAir + "0000", NetworkAddressRequest{Device: gsme}},
	{"00" + gsmeAir + "315a", NetworkAddressResponse{Device: gsme, Short: 0x5A31}},
	{"00" + gsmeAir + "315a" + "02 00 0100 0200", NetworkAddressResponse{Device: gsme, Short: 0x5A31, Extended: true, Children: []uint16{1, 2}}},
	{"315a0105", IEEEAddressRequest{Address: 0x5A31, Type: WithChildren, Start: 5}},
	{"81" + gsmeAir + "315a", IEEEAddressResponse{Status: StatusDeviceNotFound, Device: gsme, Short: 0x5A31}},
	{"0000", NodeDescriptorRequest{}},
	{"00 0000 0040 8e 3412 52 8000 012c 8000 00", NodeDescriptorResponse{Descriptor: node}},
	{"80 0000", NodeDescriptorResponse{Status: StatusInvalidRequestType}},
	{"0000", PowerDescriptorRequest{}},
	{"00 0000 10c1", PowerDescriptorResponse{Descriptor: PowerDescriptor{Available: PowerMains, Source: PowerMains, Level: 12}}},
	{"315a01", SimpleDescriptorRequest{0x5A31, 1}},
	{"00 315a 0e 01 0901 0105 00 02 0207 0008 01 0a00", SimpleDescriptorResponse{Address: 0x5A31, Descriptor: SimpleDescriptor{Endpoint: 1, Profile: 0x0109, Device: 0x0501, In: []uint16{0x0702, 0x0800}, Out: []uint16{0x000A}}}},
	{"83 315a 00", SimpleDescriptorResponse{Status: StatusNotActive, Address: 0x5A31}},
	{"315a", ActiveEndpointsRequest{0x5A31}},
	{"00 315a 02 0111", ActiveEndpointsResponse{Address: 0x5A31, Endpoints: []byte{1, 0x11}}},
	{"0000 0901 01 0008 00", MatchDescriptorRequest{Profile: 0x0109, In: []uint16{0x0800}}},
	{"00 0000 01 01", MatchDescriptorResponse{Endpoints: []byte{1}}},
	{"315a" + gsmeAir + "80", DeviceAnnounce{0x5A31, gsme, mac.CapabilitySleepy}},
	{"02" + gsmeAir + chfAir, ParentAnnounce{[]wire.EUI64{gsme, chf}}},
	{"00 01" + gsmeAir, ParentAnnounceResponse{Children: []wire.EUI64{gsme}}},
	{gsmeAir + "01 0207 03" + chfAir + "02", BindRequest{Binding{Source: gsme, SourceEndpoint: 1, ClusterID: 0x0702, Mode: BindDevice, Destination: chf, Endpoint: 2}}},
	{"00", BindResponse{}},
	{gsmeAir + "01 0207 01 3412", UnbindRequest{Binding{Source: gsme, SourceEndpoint: 1, ClusterID: 0x0702, Mode: BindGroup, Group: 0x1234}}},
	{"88", UnbindResponse{StatusNoEntry}},
	{"05", ManagementLQIRequest{5}},
	{"00 01 00 01 ce110a0000000000" + gsmeAir + "315a 12 00 01 ff", ManagementLQIResponse{Total: 1, Entries: []Neighbour{{ExtendedPAN: wire.MustEUI64("00-00-00-00-00-0A-11-CE"), Device: gsme, Short: 0x5A31, Type: TypeEndDevice, Relationship: RelationChild, Depth: 1, LQI: 255}}}},
	{"84 000000", ManagementLQIResponse{Status: StatusNotSupported}},
	{"00", ManagementRoutingRequest{}},
	{"00 01 00 01 315a 13 0400", ManagementRoutingResponse{Total: 1, Entries: []Route{{Dst: 0x5A31, Status: RouteInactive, ManyToOne: true, NextHop: 4}}}},
	{"00", ManagementBindRequest{}},
	{"00 01 00 01" + gsmeAir + "01 0207 01 3412", ManagementBindResponse{Total: 1, Entries: []Binding{{Source: gsme, SourceEndpoint: 1, ClusterID: 0x0702, Mode: BindGroup, Group: 0x1234}}}},
	{gsmeAir + "80", ManagementLeaveRequest{Device: gsme, Rejoin: true}},
	{"8b", ManagementLeaveResponse{StatusNotPermitted}},
	{"fe01", ManagementPermitJoinRequest{254, true}},
	{"00", ManagementPermitJoinResponse{}},
	{"00f8ff07 03 01", ManagementUpdateRequest{Channels: 0x07FFF800, Duration: 3, Scans: 1}},
	{"00800000 fe 05", ManagementUpdateRequest{Channels: 1 << 15, Duration: UpdateChannel, UpdateID: 5}},
	{"00800000 ff 05 0000", ManagementUpdateRequest{Channels: 1 << 15, Duration: UpdateManager, UpdateID: 5}},
	{"00 00180000 0500 0100 02 a0b0", ManagementUpdateNotify{Channels: 0x1800, Transmissions: 5, Failures: 1, Energy: []byte{0xA0, 0xB0}}},
}

func TestCommands(t *testing.T) {
	seen := map[Cluster]bool{}
	for _, c := range cases {
		seen[c.cmd.Cluster()] = true
		want := append([]byte{0x42}, unhex(t, c.wire)...)
		b, err := Append(nil, 0x42, c.cmd)
		require.NoError(t, err)
		require.Equal(t, want, b, "%T", c.cmd)
		seq, got, n, err := Parse(c.cmd.Cluster(), want)
		require.NoError(t, err, "%T", c.cmd)
		require.EqualValues(t, 0x42, seq)
		require.Equal(t, len(want), n)
		require.Equal(t, c.cmd, got)
		for i := range want {
			_, _, _, err := Parse(c.cmd.Cluster(), want[:i])
			if shorter(c.cmd, i) {
				require.NoError(t, err)
				continue
			}
			require.ErrorIs(t, err, wire.ErrTruncated, "%T cut at %d", c.cmd, i)
		}
	}
	require.Len(t, seen, len(readers), "every command has a case")
}

// shorter tells where a cut leaves a whole command.
func shorter(c Command, i int) bool {
	switch m := c.(type) {
	case NetworkAddressResponse:
		return m.Extended && i == 12
	case IEEEAddressResponse:
		return m.Status != StatusSuccess && i == 2
	case NodeDescriptorResponse:
		return m.Status != StatusSuccess && i == 2
	case ManagementLQIResponse:
		return m.Status != StatusSuccess && i == 2
	case SimpleDescriptorResponse:
		return m.Status != StatusSuccess && i == 2
	}
	return false
}

func TestRefused(t *testing.T) {
	_, _, _, err := Parse(0x7777, []byte{1})
	require.ErrorIs(t, err, ErrCluster)
	for cluster, bad := range map[Cluster]string{
		ClusterBind:                           "01" + gsmeAir + "01 0207 02" + chfAir + "02",
		ResponseBit | ClusterSimpleDescriptor: "01 00 315a 00",
	} {
		_, _, _, err := Parse(cluster, unhex(t, bad))
		require.Error(t, err)
	}
	_, _, _, err = Parse(ResponseBit|ClusterSimpleDescriptor, unhex(t, "01 00 315a 09 01 0901 0105 00 01 0207 00"))
	require.ErrorContains(t, err, "of 10 octets says it has 9")
	_, _, _, err = Parse(ResponseBit|ClusterSimpleDescriptor, unhex(t, "01 83 315a 08 01 0901 0105 00 00 00"))
	require.ErrorContains(t, err, "with status 83")
	for _, c := range []Command{
		NodeDescriptorResponse{Descriptor: NodeDescriptor{Type: 8}}, PowerDescriptorResponse{Descriptor: PowerDescriptor{Mode: 16}},
		SimpleDescriptorResponse{Descriptor: SimpleDescriptor{In: make([]uint16, 200)}}, BindRequest{}, ManagementLQIResponse{Entries: []Neighbour{{Type: 4}}},
	} {
		_, err := c.AppendBinary(nil)
		require.Error(t, err, "%T", c)
	}
	for i := range 256 {
		require.NotEmpty(t, Status(i).Error())
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range cases {
		f.Add(uint16(c.cmd.Cluster()), append([]byte{1}, unhex(f, c.wire)...))
	}
	f.Fuzz(func(t *testing.T, cluster uint16, b []byte) {
		seq, m, n, err := Parse(Cluster(cluster), b)
		if err != nil {
			return
		}
		require.LessOrEqual(t, n, len(b))
		require.EqualValues(t, cluster, m.Cluster())
		again, err := Append(nil, seq, m)
		require.NoError(t, err)
		_, same, _, err := Parse(Cluster(cluster), again)
		require.NoError(t, err)
		// A failure that was cut after its status comes out whole, so the octets are compared.
		twice, err := Append(nil, seq, same)
		require.NoError(t, err)
		require.Equal(t, again, twice)
	})
}
