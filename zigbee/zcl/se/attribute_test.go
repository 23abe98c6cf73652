package se

import (
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/zigbee/zcl"
)

// The counts are those of the value tables the identifiers come from, without the entries that they call deprecated or reserved.
func TestAttributes(t *testing.T) {
	table := Attributes()
	require.Equal(t, 2541, table.Len())
	require.Len(t, table.Of(Metering, false), 860)
	require.Len(t, table.Of(Price, false), 1012)
	require.Len(t, table.Of(Prepayment, false), 132)
	require.Len(t, table.Of(OTA, true), 11)
	require.Empty(t, table.Of(OTA, false))
	for _, want := range []Attribute{
		{Metering, false, AttrCurrentSummationDelivered, zcl.Uint48, "CurrentSummationDelivered"},
		{Metering, false, 0x015F, zcl.Uint48, "CurrentTier48SummationReceived"},
		{Metering, false, AttrMeteringDeviceType, zcl.Map8, "MeteringDeviceType"},
		{Metering, false, AttrInstantaneousDemand, zcl.Int24, "InstantaneousDemand"},
		{Metering, false, 0x07FF, zcl.Uint48, "CurrentTier15Block16SummationDelivered"},
		{Metering, true, 0x0007, zcl.Map32, "NotificationFlags8"},
		{Price, false, AttrCalorificValue, zcl.Uint32, "CalorificValue"},
		{Price, false, 0x01EF, zcl.Uint8, "Tier14BlockThresholdCount"},
		{Prepayment, false, 0x0143, zcl.OctetString, "TopUpCode5"},
		{Time, false, AttrTime, zcl.UTCTime, "Time"},
		{Basic, false, AttrModelIdentifier, zcl.CharString, "ModelIdentifier"},
		{OTA, true, AttrUpgradeServerID, zcl.IEEEAddress, "UpgradeServerID"},
		{KeepAlive, false, AttrKeepAliveBase, zcl.Uint8, "TCKeepAliveBase"},
		{KeyEstablishment, true, AttrKeyEstablishmentSuite, zcl.Map16, "KeyEstablishmentSuite"},
	} {
		got, ok := table.Lookup(want.Cluster, want.Client, want.ID)
		require.True(t, ok)
		require.Equal(t, want, got)
		got, ok = table.Find(want.Cluster, want.Client, want.Name)
		require.True(t, ok)
		require.Equal(t, want, got)
	}
	_, ok := table.Lookup(Metering, false, 0x0010)
	require.False(t, ok)
	_, ok = table.Find(Metering, false, "Nothing")
	require.False(t, ok)
}

// Every attribute has a value that survives the wire.
func TestAttributeTypes(t *testing.T) {
	for _, a := range Attributes().all {
		v := zcl.Value{Type: a.Type, Octets: []byte{}}
		b, err := v.AppendTyped(nil)
		require.NoError(t, err, a.Name)
		_, n, err := zcl.ParseTyped(b)
		require.NoError(t, err)
		require.Equal(t, len(b), n)
	}
}

var badTables = []string{
	"0000 uint8 Early", "cluster", "cluster 0700", "cluster 17000 server", "cluster 0700 neither", "cluster 0700 server\n0000 uint9 X", "cluster 0700 server\nXX uint8 X",
	"cluster 0700 server\n0000+1*2 uint8 X", "cluster 0700 server\n0000 uint8 X{1}", "cluster 0700 server\n0000+0*2 uint8 X{1}", "cluster 0700 server\n0000+1*2+1*2+1*2 uint8 X{1}{1}{1}",
	"cluster 0700 server\n0000+1 uint8 X{1}", "cluster 0700 server\nFFFF+1*2 uint8 X{1}", "cluster 0700 server\n0000+1*2 uint8 X{a}", "cluster 0700 server\n0000+1*2 uint8 X{1", "cluster 0700 server\n0000 uint8 X}",
	"cluster 0700 server\n0000 uint8 A\n0000 uint8 B",
}

func TestParseTableRefuses(t *testing.T) {
	for _, s := range badTables {
		_, err := ParseTable(s)
		require.ErrorIs(t, err, ErrTable, s)
	}
}

func FuzzParseTable(f *testing.F) {
	for _, s := range badTables {
		f.Add(s)
	}
	f.Add("cluster 0702 server\n0710+10*15+1*16 uint48 Tier{1}Block{1}\n# comment\n\n0000 uint48 Sum\n")
	f.Fuzz(func(t *testing.T, s string) {
		table, err := ParseTable(s)
		if err != nil {
			require.ErrorIs(t, err, ErrTable)
			return
		}
		for _, a := range table.all {
			got, ok := table.Lookup(a.Cluster, a.Client, a.ID)
			require.True(t, ok)
			require.Equal(t, a, got)
		}
	})
}

func TestProtect(t *testing.T) {
	for _, c := range []Cluster{Basic, Identify, Time, KeyEstablishment, KeepAlive, PowerConfiguration} {
		require.Equal(t, NetworkKey, Protect(c), c)
	}
	for _, c := range []Cluster{OTA, Metering, Price, DRLC, Messaging, Tunneling, Prepayment, Calendar, DeviceManagement, Events, Alarms, 0xFC00} {
		require.Equal(t, LinkKey, Protect(c), c)
	}
}
