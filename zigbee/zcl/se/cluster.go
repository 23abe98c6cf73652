package se

import (
	"errors"
	"fmt"
	"time"

	"smets1/zigbee/zcl"
)

// Profile is the identifier of Smart Energy; ProfileHA that of home automation, which lab stacks use.
const (
	Profile   uint16 = 0x0109
	ProfileHA uint16 = 0x0104
)

// Device identifiers of simple descriptors (Smart Energy, table 5-13; published).
const (
	DeviceRangeExtender  uint16 = 0x0008
	DeviceESI            uint16 = 0x0500
	DeviceMetering       uint16 = 0x0501
	DeviceInHomeDisplay  uint16 = 0x0502
	DevicePCT            uint16 = 0x0503
	DeviceLoadControl    uint16 = 0x0504
	DeviceSmartAppliance uint16 = 0x0505
	DevicePrepayment     uint16 = 0x0506
	DevicePhysical       uint16 = 0x0507
	DeviceRemoteComms    uint16 = 0x0508
)

// Cluster is a cluster identifier.
type Cluster uint16

// The clusters.
const (
	Basic              Cluster = 0x0000
	PowerConfiguration Cluster = 0x0001
	Identify           Cluster = 0x0003
	Alarms             Cluster = 0x0009
	Time               Cluster = 0x000A
	OTA                Cluster = 0x0019
	KeepAlive          Cluster = 0x0025
	Price              Cluster = 0x0700
	DRLC               Cluster = 0x0701
	Metering           Cluster = 0x0702
	Messaging          Cluster = 0x0703
	Tunneling          Cluster = 0x0704
	Prepayment         Cluster = 0x0705
	Calendar           Cluster = 0x0707
	DeviceManagement   Cluster = 0x0708
	Events             Cluster = 0x0709
	MDUPairing         Cluster = 0x070A
	SubGHz             Cluster = 0x070B
	KeyEstablishment   Cluster = 0x0800
)

var clusterNames = map[Cluster]string{
	Basic: "Basic", PowerConfiguration: "Power Configuration", Identify: "Identify", Alarms: "Alarms", Time: "Time", OTA: "OTA Upgrade",
	KeepAlive: "Keep-Alive", Price: "Price", DRLC: "Demand Response and Load Control", Metering: "Metering", Messaging: "Messaging",
	Tunneling: "Tunneling", Prepayment: "Prepayment", Calendar: "Calendar", DeviceManagement: "Device Management", Events: "Events",
	MDUPairing: "MDU Pairing", SubGHz: "Sub-GHz", KeyEstablishment: "Key Establishment",
}

// String names the cluster.
func (c Cluster) String() string {
	if n, ok := clusterNames[c]; ok {
		return n
	}
	return fmt.Sprintf("cluster %04X", uint16(c))
}

// Key names a command of a cluster.
type Key struct {
	Cluster    Cluster
	FromServer bool
	ID         uint8
}

// Command is the payload of a cluster's command.
type Command interface {
	Key() Key
	// AppendBinary appends the payload behind the ZCL header.
	AppendBinary(b []byte) ([]byte, error)
}

// Spec is what is known of a command.
type Spec struct {
	Key
	Name  string // of the Go type
	parse func(server bool, b []byte) (Command, int, error)
}

func plain[T Command](f func([]byte) (T, int, error)) func(bool, []byte) (Command, int, error) {
	return func(_ bool, b []byte) (Command, int, error) {
		m, n, err := f(b)
		return m, n, err
	}
}

// symmetric is for commands that both sides send.
func symmetric[T Command](f func([]byte) (T, int, error), set func(*T, bool)) func(bool, []byte) (Command, int, error) {
	return func(server bool, b []byte) (Command, int, error) {
		m, n, err := f(b)
		set(&m, server)
		return m, n, err
	}
}

// allSpecs are those of the table and those of Key Establishment.
var allSpecs = append(append([]Spec(nil), specs...), keSpecs()...)

var byKey = func() map[Key]*Spec {
	m := map[Key]*Spec{}
	for i := range allSpecs {
		m[allSpecs[i].Key] = &allSpecs[i]
	}
	return m
}()

// Commands lists every command that this package knows, by cluster.
func Commands() []Spec { return append([]Spec(nil), allSpecs...) }

// Lookup finds a command.
func Lookup(k Key) (Spec, bool) {
	if s := byKey[k]; s != nil {
		return *s, true
	}
	return Spec{}, false
}

// ErrCommand: a command that this package does not know; answer UNSUP_CLUSTER_COMMAND.
var ErrCommand = errors.New("unknown command of the cluster")

// Parse reads the payload of a command. Trailing octets, which later revisions may add, are left: n tells. Slices in the
// result alias b.
func Parse(k Key, b []byte) (m Command, n int, err error) {
	s := byKey[k]
	if s == nil {
		return nil, 0, fmt.Errorf("se: %s, command %02X, from server %t: %w", k.Cluster, k.ID, k.FromServer, ErrCommand)
	}
	if m, n, err = s.parse(k.FromServer, b); err != nil {
		return nil, n, fmt.Errorf("se: %s: %w", s.Name, err)
	}
	return m, n, nil
}

// Append appends a whole ZCL frame with a command; type, direction and command of h are set from it.
func Append(b []byte, h zcl.Header, m Command) ([]byte, error) {
	k := m.Key()
	h.Type, h.FromServer, h.Command = zcl.TypeCluster, k.FromServer, k.ID
	b, err := h.AppendBinary(b)
	if err != nil {
		return b, err
	}
	return m.AppendBinary(b)
}

// UTC is a time as it travels: seconds since 2000-01-01 UTC. 0 often means now and FFFFFFFF never.
type UTC uint32

// UTCOf converts a time.
func UTCOf(t time.Time) UTC { return UTC(zcl.ToUTC(t)) }

// Time is the time meant; the zero Time for FFFFFFFF.
func (u UTC) Time() time.Time { return zcl.FromUTC(uint32(u)) }

// bit is 1<<n if set.
func bit(set bool, n int) uint8 {
	if set {
		return 1 << n
	}
	return 0
}
