package zdp

import (
	"fmt"

	"smets1/zigbee/internal/field"
	"smets1/zigbee/mac"
)

// LogicalType is a device's place in the network.
type LogicalType uint8

// The logical types.
const (
	TypeCoordinator LogicalType = 0
	TypeRouter      LogicalType = 1
	TypeEndDevice   LogicalType = 2
)

// Bits of NodeDescriptor.ServerMask.
const (
	ServerPrimaryTrustCentre uint16 = 1 << 0
	ServerNetworkManager     uint16 = 1 << 6
	serverRevisionShift             = 9
)

// Frequency24GHz is the frequency band of all GB home area networks on 2.4 GHz.
const Frequency24GHz uint8 = 1 << 3

// NodeDescriptor says what a device can do (clause 2.3.2.3; published): 13 octets.
//
//	type and flags(1) fragmentation and band(1) MAC capability(1) manufacturer(2) maxBuffer(1) maxIncoming(2)
//	serverMask(2): 9-15 stack revision; maxOutgoing(2) descriptor capability(1)
type NodeDescriptor struct {
	Type LogicalType
	// ComplexAvailable and UserAvailable are flags of optional descriptors; Fragmentation that of R23 nodes.
	ComplexAvailable, UserAvailable bool
	Fragmentation                   bool
	Band                            uint8 // Frequency bits, 5 bits
	APSFlags                        uint8 // reserved, 3 bits
	Capability                      mac.Capability
	Manufacturer                    uint16
	MaxBuffer                       uint8
	MaxIncoming                     uint16
	ServerMask                      uint16 // Server bits, without the revision
	Revision                        uint8  // stack compliance: 22 for R22; 0 for before R21
	MaxOutgoing                     uint16
	DescriptorCapability            uint8
}

func (d *NodeDescriptor) fields(c *field.Coder) {
	if c.Writing() && (d.Type > 7 || d.Band > 31 || d.APSFlags > 7 || d.Revision > 127 || d.ServerMask>>serverRevisionShift != 0) {
		c.Fail(fmt.Errorf("zdp: node descriptor: type %d, band %02X, revision %d or server mask %04X does not fit its field", d.Type, d.Band, d.Revision, d.ServerMask))
	}
	flags := uint8(d.Type) | bit(d.ComplexAvailable, 3) | bit(d.UserAvailable, 4) | bit(d.Fragmentation, 5)
	field.U8(c, &flags)
	d.Type, d.ComplexAvailable, d.UserAvailable, d.Fragmentation = LogicalType(flags&7), flags&8 != 0, flags&16 != 0, flags&32 != 0
	band := d.APSFlags | d.Band<<3
	field.U8(c, &band)
	d.APSFlags, d.Band = band&7, band>>3
	field.U8(c, &d.Capability)
	field.U16(c, &d.Manufacturer)
	field.U8(c, &d.MaxBuffer)
	field.U16(c, &d.MaxIncoming)
	server := d.ServerMask | uint16(d.Revision)<<serverRevisionShift
	field.U16(c, &server)
	d.ServerMask, d.Revision = server&(1<<serverRevisionShift-1), uint8(server>>serverRevisionShift)
	field.U16(c, &d.MaxOutgoing)
	field.U8(c, &d.DescriptorCapability)
}

func bit(set bool, n int) uint8 {
	if set {
		return 1 << n
	}
	return 0
}

// PowerDescriptor says what a device lives on (clause 2.3.2.4; published): 2 octets.
//
//	0-3 mode, 4-7 available sources, 8-11 current source, 12-15 level
type PowerDescriptor struct {
	Mode              uint8 // 0 receiver on with the synchronised state, 1 periodically, 2 when stimulated
	Available, Source uint8 // Power bits
	Level             uint8 // 0 critical, 4 33 %, 8 66 %, 12 full
}

// Power sources.
const (
	PowerMains        uint8 = 1 << 0
	PowerRechargeable uint8 = 1 << 1
	PowerDisposable   uint8 = 1 << 2
)

func (d *PowerDescriptor) fields(c *field.Coder) {
	if c.Writing() && (d.Mode > 15 || d.Available > 15 || d.Source > 15 || d.Level > 15) {
		c.Fail(fmt.Errorf("zdp: power descriptor %+v: each field has four bits", *d))
	}
	v := uint16(d.Mode) | uint16(d.Available)<<4 | uint16(d.Source)<<8 | uint16(d.Level)<<12
	field.U16(c, &v)
	d.Mode, d.Available, d.Source, d.Level = uint8(v&15), uint8(v>>4&15), uint8(v>>8&15), uint8(v>>12)
}

// SimpleDescriptor says what an endpoint does (clause 2.3.2.5; published).
//
//	endpoint(1) profile(2) device(2) version(1) n(1) in(2n) m(1) out(2m)
type SimpleDescriptor struct {
	Endpoint        uint8
	Profile, Device uint16
	Version         uint8 // 4 bits
	In, Out         []uint16
}

func (d *SimpleDescriptor) size() int { return 8 + 2*len(d.In) + 2*len(d.Out) }

func (d *SimpleDescriptor) fields(c *field.Coder) {
	field.U8(c, &d.Endpoint)
	field.U16(c, &d.Profile)
	field.U16(c, &d.Device)
	field.U8(c, &d.Version)
	field.List(c, &d.In, field.Count8(c, len(d.In)), field.U16[uint16])
	field.List(c, &d.Out, field.Count8(c, len(d.Out)), field.U16[uint16])
}

// NodeDescriptorRequest asks a device, or its parent, for its node descriptor (clause 2.4.3.1; published).
//
//	short(2)
type NodeDescriptorRequest struct {
	Address uint16
}

// Cluster implements Command.
func (NodeDescriptorRequest) Cluster() Cluster { return ClusterNodeDescriptor }

// AppendBinary implements Command.
func (m NodeDescriptorRequest) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *NodeDescriptorRequest) fields(c *field.Coder) {
	field.U16(c, &m.Address)
}

// PowerDescriptorRequest asks a device, or its parent, for its power descriptor (clause 2.4.3.1; published).
//
//	short(2)
type PowerDescriptorRequest struct {
	Address uint16
}

// Cluster implements Command.
func (PowerDescriptorRequest) Cluster() Cluster { return ClusterPowerDescriptor }

// AppendBinary implements Command.
func (m PowerDescriptorRequest) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *PowerDescriptorRequest) fields(c *field.Coder) {
	field.U16(c, &m.Address)
}

// ActiveEndpointsRequest asks a device, or its parent, for its endpoints (clause 2.4.3.1; published).
//
//	short(2)
type ActiveEndpointsRequest struct {
	Address uint16
}

// Cluster implements Command.
func (ActiveEndpointsRequest) Cluster() Cluster { return ClusterActiveEndpoints }

// AppendBinary implements Command.
func (m ActiveEndpointsRequest) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *ActiveEndpointsRequest) fields(c *field.Coder) {
	field.U16(c, &m.Address)
}

// SimpleDescriptorRequest asks a device for the description of an endpoint (clause 2.4.3.1.5; published).
//
//	short(2) endpoint(1)
type SimpleDescriptorRequest struct {
	Address  uint16
	Endpoint uint8
}

// Cluster implements Command.
func (SimpleDescriptorRequest) Cluster() Cluster { return ClusterSimpleDescriptor }

// AppendBinary implements Command.
func (m SimpleDescriptorRequest) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *SimpleDescriptorRequest) fields(c *field.Coder) {
	field.U16(c, &m.Address)
	field.U8(c, &m.Endpoint)
}

// MatchDescriptorRequest asks which endpoints serve any of the In clusters or use any of the Out clusters (clause 2.4.3.1.7; published).
//
//	short(2) profile(2) n(1) in(2n) m(1) out(2m)
type MatchDescriptorRequest struct {
	Address uint16 // of one device, or a broadcast
	Profile uint16
	In, Out []uint16
}

// Cluster implements Command.
func (MatchDescriptorRequest) Cluster() Cluster { return ClusterMatchDescriptor }

// AppendBinary implements Command.
func (m MatchDescriptorRequest) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *MatchDescriptorRequest) fields(c *field.Coder) {
	field.U16(c, &m.Address)
	field.U16(c, &m.Profile)
	field.List(c, &m.In, field.Count8(c, len(m.In)), field.U16[uint16])
	field.List(c, &m.Out, field.Count8(c, len(m.Out)), field.U16[uint16])
}

// NodeDescriptorResponse answers (clause 2.4.4.2.3; published).
//
//	status(1) short(2) [descriptor(13)]
type NodeDescriptorResponse struct {
	Status     Status
	Address    uint16
	Descriptor NodeDescriptor // with StatusSuccess
}

// Cluster implements Command.
func (NodeDescriptorResponse) Cluster() Cluster { return ResponseBit | ClusterNodeDescriptor }

// AppendBinary implements Command.
func (m NodeDescriptorResponse) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *NodeDescriptorResponse) fields(c *field.Coder) {
	field.U8(c, &m.Status)
	if statusOnly(c, m.Status) {
		return
	}
	field.U16(c, &m.Address)
	if m.Status == StatusSuccess {
		m.Descriptor.fields(c)
	}
}

// PowerDescriptorResponse answers (clause 2.4.4.2.4; published).
//
//	status(1) short(2) [descriptor(2)]
type PowerDescriptorResponse struct {
	Status     Status
	Address    uint16
	Descriptor PowerDescriptor // with StatusSuccess
}

// Cluster implements Command.
func (PowerDescriptorResponse) Cluster() Cluster { return ResponseBit | ClusterPowerDescriptor }

// AppendBinary implements Command.
func (m PowerDescriptorResponse) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *PowerDescriptorResponse) fields(c *field.Coder) {
	field.U8(c, &m.Status)
	if statusOnly(c, m.Status) {
		return
	}
	field.U16(c, &m.Address)
	if m.Status == StatusSuccess {
		m.Descriptor.fields(c)
	}
}

// SimpleDescriptorResponse answers (clause 2.4.4.2.5; published). Length is 0 without a descriptor.
//
//	status(1) short(2) length(1) [descriptor]
type SimpleDescriptorResponse struct {
	Status     Status
	Address    uint16
	Descriptor SimpleDescriptor // with StatusSuccess
}

// Cluster implements Command.
func (SimpleDescriptorResponse) Cluster() Cluster { return ResponseBit | ClusterSimpleDescriptor }

// AppendBinary implements Command.
func (m SimpleDescriptorResponse) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *SimpleDescriptorResponse) fields(c *field.Coder) {
	field.U8(c, &m.Status)
	if statusOnly(c, m.Status) {
		return
	}
	field.U16(c, &m.Address)
	var n uint8
	if m.Status == StatusSuccess {
		if m.Descriptor.size() > 255 {
			c.Fail(fmt.Errorf("zdp: simple descriptor of %d octets, at most 255", m.Descriptor.size()))
		}
		n = uint8(m.Descriptor.size())
	}
	field.U8(c, &n)
	switch {
	case n > 0:
		if m.Status != StatusSuccess {
			c.Fail(fmt.Errorf("zdp: a simple descriptor with status %02X", uint8(m.Status)))
		}
		m.Descriptor.fields(c)
		if !c.Writing() && c.Err() == nil && m.Descriptor.size() != int(n) {
			c.Fail(fmt.Errorf("zdp: simple descriptor of %d octets says it has %d", m.Descriptor.size(), n))
		}
	case m.Status == StatusSuccess:
		c.Fail(fmt.Errorf("zdp: success without a simple descriptor"))
	}
}

// ActiveEndpointsResponse answers (clause 2.4.4.2.6; published).
//
//	status(1) short(2) n(1) endpoints(n)
type ActiveEndpointsResponse struct {
	Status    Status
	Address   uint16
	Endpoints []uint8
}

// Cluster implements Command.
func (ActiveEndpointsResponse) Cluster() Cluster { return ResponseBit | ClusterActiveEndpoints }

// AppendBinary implements Command.
func (m ActiveEndpointsResponse) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *ActiveEndpointsResponse) fields(c *field.Coder) {
	field.U8(c, &m.Status)
	if statusOnly(c, m.Status) {
		return
	}
	field.U16(c, &m.Address)
	field.Raw(c, &m.Endpoints, field.Count8(c, len(m.Endpoints)))
}

// MatchDescriptorResponse answers with the endpoints that match (clause 2.4.4.2.7; published).
//
//	status(1) short(2) n(1) endpoints(n)
type MatchDescriptorResponse struct {
	Status    Status
	Address   uint16
	Endpoints []uint8
}

// Cluster implements Command.
func (MatchDescriptorResponse) Cluster() Cluster { return ResponseBit | ClusterMatchDescriptor }

// AppendBinary implements Command.
func (m MatchDescriptorResponse) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *MatchDescriptorResponse) fields(c *field.Coder) {
	field.U8(c, &m.Status)
	if statusOnly(c, m.Status) {
		return
	}
	field.U16(c, &m.Address)
	field.Raw(c, &m.Endpoints, field.Count8(c, len(m.Endpoints)))
}
