package ezsp

import (
	"smets1/internal/wire"
	"smets1/zigbee/internal/field"
	"smets1/zigbee/security"
)

// message is what the types of this package have in common: their fields in the order of the wire.
type message[T any] interface {
	*T
	fields(c *field.Coder)
}

// Append appends a message.
func Append[T any, P message[T]](b []byte, m P) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// Parse reads a message at the start of b. Octets of it alias b.
func Parse[T any, P message[T]](b []byte) (m T, n int, err error) {
	c := field.Reader(b)
	P(&m).fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func key(c *field.Coder, k *security.Key) {
	field.Custom(c, func(b []byte) ([]byte, error) {
		if k.IsZero() {
			return append(b, make([]byte, security.KeySize)...), nil
		}
		return k.Append(b), nil
	}, func(b []byte) (n int, err error) {
		if len(b) < security.KeySize {
			return 0, wire.ErrTruncated
		}
		*k, err = security.NewKey(b[:security.KeySize])
		return security.KeySize, err
	})
}

// VersionRequest asks for a version of the protocol: version(1).
type VersionRequest struct{ Wanted uint8 }

func (m *VersionRequest) fields(c *field.Coder) { field.U8(c, &m.Wanted) }

// VersionResponse tells the co-processor's: version(1) stack type(1) stack version(2).
type VersionResponse struct {
	Protocol     uint8
	StackType    uint8 // 2: mesh
	StackVersion uint16
}

func (m *VersionResponse) fields(c *field.Coder) {
	field.U8(c, &m.Protocol)
	field.U8(c, &m.StackType)
	field.U16(c, &m.StackVersion)
}

// VersionInfo is the value ValueVersionInfo: build(2) major minor patch special type(1 each).
type VersionInfo struct {
	Build                        uint16
	Major, Minor, Patch, Special uint8
	Type                         uint8 // AA: general availability
}

func (m *VersionInfo) fields(c *field.Coder) {
	field.U16(c, &m.Build)
	for _, v := range []*uint8{&m.Major, &m.Minor, &m.Patch, &m.Special, &m.Type} {
		field.U8(c, v)
	}
}

// AddEndpoint declares an application: endpoint(1) profile(2) device(2) version(1) n(1) m(1) in(2n) out(2m).
type AddEndpoint struct {
	Endpoint        uint8
	Profile, Device uint16
	DeviceVersion   uint8
	In, Out         []uint16
}

func (m *AddEndpoint) fields(c *field.Coder) {
	field.U8(c, &m.Endpoint)
	field.U16(c, &m.Profile)
	field.U16(c, &m.Device)
	field.U8(c, &m.DeviceVersion)
	in := field.Count8(c, len(m.In))
	out := field.Count8(c, len(m.Out))
	field.List(c, &m.In, in, field.U16[uint16])
	field.List(c, &m.Out, out, field.U16[uint16])
}

// NetworkParameters are a network's: extended PAN(8) PAN(2) power(1) channel(1) join method(1) manager(2) update(1) channels(4).
type NetworkParameters struct {
	// ExtendedPAN in the order of an EUI-64; hosts that speak of an array of octets have it the other way round.
	ExtendedPAN wire.EUI64
	PAN         uint16
	Power       int8 // dBm
	Channel     uint8
	JoinMethod  uint8
	Manager     uint16
	UpdateID    uint8
	Channels    uint32
}

func (m *NetworkParameters) fields(c *field.Coder) {
	field.EUI(c, &m.ExtendedPAN)
	field.U16(c, &m.PAN)
	field.I8(c, &m.Power)
	field.U8(c, &m.Channel)
	field.U8(c, &m.JoinMethod)
	field.U16(c, &m.Manager)
	field.U8(c, &m.UpdateID)
	field.U32(c, &m.Channels)
}

// Bits of the initial security state.
const (
	SecurityGlobalLinkKey = 0x0004
	SecurityHashedLinkKey = 0x0084
	SecurityHaveLinkKey   = 0x0100
	SecurityHaveNetwork   = 0x0200
	SecurityRequireKey    = 0x0800
)

// InitialSecurityState is what a network is formed with: bits(2) link key(16) network key(16) sequence(1) trust centre(8).
type InitialSecurityState struct {
	Bits        uint16
	LinkKey     security.Key
	NetworkKey  security.Key
	Sequence    uint8
	TrustCentre wire.EUI64
}

func (m *InitialSecurityState) fields(c *field.Coder) {
	field.U16(c, &m.Bits)
	key(c, &m.LinkKey)
	key(c, &m.NetworkKey)
	field.U8(c, &m.Sequence)
	field.EUI(c, &m.TrustCentre)
}

// Options of an APS frame.
const (
	OptionEncrypt       = 0x0020 // under the link key
	OptionRetry         = 0x0040 // with an acknowledgement
	OptionRouteDiscover = 0x0100
)

// APSFrame is the addressing of a message: profile(2) cluster(2) source and destination endpoint(1 each) options(2) group(2)
// sequence(1).
type APSFrame struct {
	Profile, Cluster         uint16
	SrcEndpoint, DstEndpoint uint8
	Options                  uint16
	Group                    uint16
	Sequence                 uint8
}

func (m *APSFrame) fields(c *field.Coder) {
	field.U16(c, &m.Profile)
	field.U16(c, &m.Cluster)
	field.U8(c, &m.SrcEndpoint)
	field.U8(c, &m.DstEndpoint)
	field.U16(c, &m.Options)
	field.U16(c, &m.Group)
	field.U8(c, &m.Sequence)
}

// maxMessage is the longest message of a command.
const maxMessage = 254

// SendUnicast sends to one device: type(1) destination(2) APS frame(11) tag(1) length(1) message.
type SendUnicast struct {
	Type    uint8
	To      uint16
	APS     APSFrame
	Tag     uint8
	Message []byte
}

func (m *SendUnicast) fields(c *field.Coder) {
	field.U8(c, &m.Type)
	field.U16(c, &m.To)
	m.APS.fields(c)
	field.U8(c, &m.Tag)
	field.Octets(c, &m.Message, maxMessage)
}

// SendBroadcast sends to many: destination(2) APS frame(11) radius(1) tag(1) length(1) message.
type SendBroadcast struct {
	To      uint16
	APS     APSFrame
	Radius  uint8
	Tag     uint8
	Message []byte
}

func (m *SendBroadcast) fields(c *field.Coder) {
	field.U16(c, &m.To)
	m.APS.fields(c)
	field.U8(c, &m.Radius)
	field.U8(c, &m.Tag)
	field.Octets(c, &m.Message, maxMessage)
}

// SendMulticast sends to a group: APS frame(11) hops(1) radius of others(1) tag(1) length(1) message.
type SendMulticast struct {
	APS          APSFrame
	Hops, Others uint8
	Tag          uint8
	Message      []byte
}

func (m *SendMulticast) fields(c *field.Coder) {
	m.APS.fields(c)
	field.U8(c, &m.Hops)
	field.U8(c, &m.Others)
	field.U8(c, &m.Tag)
	field.Octets(c, &m.Message, maxMessage)
}

// SendResponse answers the three: status(1) APS sequence(1).
type SendResponse struct {
	Status   Status
	Sequence uint8
}

func (m *SendResponse) fields(c *field.Coder) {
	field.U8(c, &m.Status)
	field.U8(c, &m.Sequence)
}

// MessageSent is the callback when a message was acknowledged, or given up: type(1) destination(2) APS frame(11) tag(1)
// status(1) length(1) message.
type MessageSent struct {
	Type    uint8
	To      uint16
	APS     APSFrame
	Tag     uint8
	Status  Status
	Message []byte
}

func (m *MessageSent) fields(c *field.Coder) {
	field.U8(c, &m.Type)
	field.U16(c, &m.To)
	m.APS.fields(c)
	field.U8(c, &m.Tag)
	field.U8(c, &m.Status)
	field.Octets(c, &m.Message, maxMessage)
}

// IncomingMessage is the callback of a message: type(1) APS frame(11) LQI(1) RSSI(1) sender(2) binding(1) address(1)
// length(1) message.
type IncomingMessage struct {
	Type             uint8
	APS              APSFrame
	LQI              uint8
	RSSI             int8
	From             uint16
	Binding, Address uint8
	Message          []byte
}

func (m *IncomingMessage) fields(c *field.Coder) {
	field.U8(c, &m.Type)
	m.APS.fields(c)
	field.U8(c, &m.LQI)
	field.I8(c, &m.RSSI)
	field.U16(c, &m.From)
	field.U8(c, &m.Binding)
	field.U8(c, &m.Address)
	field.Octets(c, &m.Message, maxMessage)
}

// DeviceUpdate is what happened to a device.
type DeviceUpdate uint8

// The updates.
const (
	SecuredRejoin   DeviceUpdate = 0
	UnsecuredJoin   DeviceUpdate = 1
	DeviceLeft      DeviceUpdate = 2
	UnsecuredRejoin DeviceUpdate = 3
)

// Decisions of a trust centre.
const (
	UsePreconfiguredKey = 0
	DenyJoin            = 2
)

// TrustCentreJoin is the callback of a device that came or went: short(2) EUI-64(8) update(1) decision(1) parent(2).
type TrustCentreJoin struct {
	Short    uint16
	Device   wire.EUI64
	Update   DeviceUpdate
	Decision uint8
	Parent   uint16
}

func (m *TrustCentreJoin) fields(c *field.Coder) {
	field.U16(c, &m.Short)
	field.EUI(c, &m.Device)
	field.U8(c, &m.Update)
	field.U8(c, &m.Decision)
	field.U16(c, &m.Parent)
}

// AnyDevice stands for all devices in ImportTransientKey.
var AnyDevice = wire.EUI64{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}

// ImportTransientKey gives the key that a device will join with: EUI-64(8) key(16) flags(1).
type ImportTransientKey struct {
	Device wire.EUI64
	Key    security.Key
	Flags  uint8
}

func (m *ImportTransientKey) fields(c *field.Coder) {
	field.EUI(c, &m.Device)
	key(c, &m.Key)
	field.U8(c, &m.Flags)
}

// ImportLinkKey gives a device's link key, after key establishment: index(1) EUI-64(8) key(16).
type ImportLinkKey struct {
	Index  uint8
	Device wire.EUI64
	Key    security.Key
}

func (m *ImportLinkKey) fields(c *field.Coder) {
	field.U8(c, &m.Index)
	field.EUI(c, &m.Device)
	key(c, &m.Key)
}

// KeyType is which key exportKey is about.
type KeyType uint8

// The key types.
const (
	KeyNetwork     KeyType = 1
	KeyTrustCentre KeyType = 2
)

// KeyContext names a key: type(1) index(1) derived(2) EUI-64(8) network(1) flags(1) algorithm(4).
type KeyContext struct {
	Type      KeyType
	Index     uint8
	Derived   uint16
	Device    wire.EUI64
	Network   uint8
	Flags     uint8
	Algorithm uint32
}

func (m *KeyContext) fields(c *field.Coder) {
	field.U8(c, &m.Type)
	field.U8(c, &m.Index)
	field.U16(c, &m.Derived)
	field.EUI(c, &m.Device)
	field.U8(c, &m.Network)
	field.U8(c, &m.Flags)
	field.U32(c, &m.Algorithm)
}

// ExportedKey answers exportKey: key(16) status(4).
type ExportedKey struct {
	Key    security.Key
	Status KeyStatus
}

func (m *ExportedKey) fields(c *field.Coder) {
	key(c, &m.Key)
	field.U32(c, &m.Status)
}

// ExportedLinkKey answers exportLinkKeyByIndex: EUI-64(8) key(16) bits(2) counters out and in(4 each) seconds to live(2)
// status(4).
type ExportedLinkKey struct {
	Device            wire.EUI64
	Key               security.Key
	Bits              uint16
	Outgoing, Ingoing uint32
	Seconds           uint16
	Status            KeyStatus
}

func (m *ExportedLinkKey) fields(c *field.Coder) {
	field.EUI(c, &m.Device)
	key(c, &m.Key)
	field.U16(c, &m.Bits)
	field.U32(c, &m.Outgoing)
	field.U32(c, &m.Ingoing)
	field.U16(c, &m.Seconds)
	field.U32(c, &m.Status)
}

// NetworkKeyInfo answers getNetworkKeyInfo: status(4) set(1) alternate set(1) sequence(1) alternate's(1) counter(4).
type NetworkKeyInfo struct {
	Status            KeyStatus
	Set, AlternateSet bool
	Sequence, Next    uint8
	Counter           uint32
}

func (m *NetworkKeyInfo) fields(c *field.Coder) {
	field.U32(c, &m.Status)
	field.Bool(c, &m.Set)
	field.Bool(c, &m.AlternateSet)
	field.U8(c, &m.Sequence)
	field.U8(c, &m.Next)
	field.U32(c, &m.Counter)
}

// Value is a value with its identifier, of setValue: identifier(1) length(1) value; the answer to getValue has a Status in
// place of the identifier.
type Value struct {
	ID    uint8
	Value []byte
}

func (m *Value) fields(c *field.Coder) {
	field.U8(c, &m.ID)
	field.Octets(c, &m.Value, maxMessage)
}

// SniffedPacket is the callback of mfglib: LQI(1) RSSI(1) length(1) PSDU, whose two octets of FCS mean nothing.
type SniffedPacket struct {
	LQI  uint8
	RSSI int8
	PSDU []byte
}

func (m *SniffedPacket) fields(c *field.Coder) {
	field.U8(c, &m.LQI)
	field.I8(c, &m.RSSI)
	field.Octets(c, &m.PSDU, 127)
}
