package zdp

import (
	"fmt"

	"smets1/internal/wire"
	"smets1/zigbee/internal/field"
)

// Relationship is what a neighbour is to a device.
type Relationship uint8

// The relationships.
const (
	RelationParent        Relationship = 0
	RelationChild         Relationship = 1
	RelationSibling       Relationship = 2
	RelationNone          Relationship = 3
	RelationPreviousChild Relationship = 4
)

// Neighbour is an entry of a neighbour table (table 2-130; published): 22 octets.
//
//	extendedPAN(8) device(8) short(2) type and relation(1): 0-1 type, 2-3 rxOnWhenIdle, 4-6 relationship
//	permit(1): 0-1; depth(1) LQI(1)
type Neighbour struct {
	ExtendedPAN  wire.EUI64
	Device       wire.EUI64
	Short        uint16
	Type         LogicalType // 3: unknown
	RxOnWhenIdle uint8       // 0 off, 1 on, 2 unknown
	Relationship Relationship
	PermitJoin   uint8 // 0 no, 1 yes, 2 unknown
	Depth        uint8
	LQI          uint8
}

func (m *Neighbour) fields(c *field.Coder) {
	if c.Writing() && (m.Type > 3 || m.RxOnWhenIdle > 3 || m.Relationship > 7 || m.PermitJoin > 3) {
		c.Fail(fmt.Errorf("zdp: neighbour %s: a field does not fit its bits", m.Device))
	}
	field.EUI(c, &m.ExtendedPAN)
	field.EUI(c, &m.Device)
	field.U16(c, &m.Short)
	v := uint8(m.Type) | m.RxOnWhenIdle<<2 | uint8(m.Relationship)<<4
	field.U8(c, &v)
	m.Type, m.RxOnWhenIdle, m.Relationship = LogicalType(v&3), v>>2&3, Relationship(v>>4&7)
	field.U8(c, &m.PermitJoin)
	m.PermitJoin &= 3
	field.U8(c, &m.Depth)
	field.U8(c, &m.LQI)
}

// RouteStatus is the state of a route.
type RouteStatus uint8

// The states.
const (
	RouteActive            RouteStatus = 0
	RouteDiscoveryUnderway RouteStatus = 1
	RouteDiscoveryFailed   RouteStatus = 2
	RouteInactive          RouteStatus = 3
	RouteValidating        RouteStatus = 4
)

// Route is an entry of a routing table (table 2-132; published): 5 octets.
//
//	dst(2) flags(1): 0-2 status, 3 memory constrained, 4 many-to-one, 5 route record required; nextHop(2)
type Route struct {
	Dst                 uint16
	Status              RouteStatus
	MemoryConstrained   bool
	ManyToOne           bool
	RouteRecordRequired bool
	NextHop             uint16
}

func (m *Route) fields(c *field.Coder) {
	field.U16(c, &m.Dst)
	v := uint8(m.Status)&7 | bit(m.MemoryConstrained, 3) | bit(m.ManyToOne, 4) | bit(m.RouteRecordRequired, 5)
	field.U8(c, &v)
	m.Status, m.MemoryConstrained, m.ManyToOne, m.RouteRecordRequired = RouteStatus(v&7), v&8 != 0, v&16 != 0, v&32 != 0
	field.U16(c, &m.NextHop)
}

// ManagementLQIRequest asks for part of a device's table of neighbours (clause 2.4.3.3.2; published).
//
//	start(1)
type ManagementLQIRequest struct {
	Start uint8
}

// Cluster implements Command.
func (ManagementLQIRequest) Cluster() Cluster { return ClusterManagementLQI }

// AppendBinary implements Command.
func (m ManagementLQIRequest) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *ManagementLQIRequest) fields(c *field.Coder) {
	field.U8(c, &m.Start)
}

// ManagementLQIResponse answers (clause 2.4.4.4; published).
//
//	status(1) [total(1) start(1) n(1) entries]
type ManagementLQIResponse struct {
	Status       Status
	Total, Start uint8
	Entries      []Neighbour
}

// Cluster implements Command.
func (ManagementLQIResponse) Cluster() Cluster { return ResponseBit | ClusterManagementLQI }

// AppendBinary implements Command.
func (m ManagementLQIResponse) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *ManagementLQIResponse) fields(c *field.Coder) {
	field.U8(c, &m.Status)
	if statusOnly(c, m.Status) {
		return
	}
	field.U8(c, &m.Total)
	field.U8(c, &m.Start)
	field.List(c, &m.Entries, field.Count8(c, len(m.Entries)), func(c *field.Coder, e *Neighbour) { e.fields(c) })
}

// ManagementRoutingRequest asks for part of a device's table of routes (clause 2.4.3.3.3; published).
//
//	start(1)
type ManagementRoutingRequest struct {
	Start uint8
}

// Cluster implements Command.
func (ManagementRoutingRequest) Cluster() Cluster { return ClusterManagementRouting }

// AppendBinary implements Command.
func (m ManagementRoutingRequest) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *ManagementRoutingRequest) fields(c *field.Coder) {
	field.U8(c, &m.Start)
}

// ManagementRoutingResponse answers (clause 2.4.4.4; published).
//
//	status(1) [total(1) start(1) n(1) entries]
type ManagementRoutingResponse struct {
	Status       Status
	Total, Start uint8
	Entries      []Route
}

// Cluster implements Command.
func (ManagementRoutingResponse) Cluster() Cluster { return ResponseBit | ClusterManagementRouting }

// AppendBinary implements Command.
func (m ManagementRoutingResponse) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *ManagementRoutingResponse) fields(c *field.Coder) {
	field.U8(c, &m.Status)
	if statusOnly(c, m.Status) {
		return
	}
	field.U8(c, &m.Total)
	field.U8(c, &m.Start)
	field.List(c, &m.Entries, field.Count8(c, len(m.Entries)), func(c *field.Coder, e *Route) { e.fields(c) })
}

// ManagementBindRequest asks for part of a device's table of bindings (clause 2.4.3.3.4; published).
//
//	start(1)
type ManagementBindRequest struct {
	Start uint8
}

// Cluster implements Command.
func (ManagementBindRequest) Cluster() Cluster { return ClusterManagementBind }

// AppendBinary implements Command.
func (m ManagementBindRequest) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *ManagementBindRequest) fields(c *field.Coder) {
	field.U8(c, &m.Start)
}

// ManagementBindResponse answers (clause 2.4.4.4; published).
//
//	status(1) [total(1) start(1) n(1) entries]
type ManagementBindResponse struct {
	Status       Status
	Total, Start uint8
	Entries      []Binding
}

// Cluster implements Command.
func (ManagementBindResponse) Cluster() Cluster { return ResponseBit | ClusterManagementBind }

// AppendBinary implements Command.
func (m ManagementBindResponse) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *ManagementBindResponse) fields(c *field.Coder) {
	field.U8(c, &m.Status)
	if statusOnly(c, m.Status) {
		return
	}
	field.U8(c, &m.Total)
	field.U8(c, &m.Start)
	field.List(c, &m.Entries, field.Count8(c, len(m.Entries)), func(c *field.Coder, e *Binding) { e.fields(c) })
}

// ManagementLeaveRequest sends a device away (clause 2.4.3.3.5; published).
//
//	device(8) flags(1): 6 remove children, 7 rejoin
type ManagementLeaveRequest struct {
	Device                 wire.EUI64 // zero: the receiver itself
	RemoveChildren, Rejoin bool
}

// Cluster implements Command.
func (ManagementLeaveRequest) Cluster() Cluster { return ClusterManagementLeave }

// AppendBinary implements Command.
func (m ManagementLeaveRequest) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *ManagementLeaveRequest) fields(c *field.Coder) {
	field.EUI(c, &m.Device)
	v := bit(m.RemoveChildren, 6) | bit(m.Rejoin, 7)
	field.U8(c, &v)
	m.RemoveChildren, m.Rejoin = v&(1<<6) != 0, v&(1<<7) != 0
}

// ManagementLeaveResponse answers.
//
//	status(1)
type ManagementLeaveResponse struct {
	Status Status
}

// Cluster implements Command.
func (ManagementLeaveResponse) Cluster() Cluster { return ResponseBit | ClusterManagementLeave }

// AppendBinary implements Command.
func (m ManagementLeaveResponse) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *ManagementLeaveResponse) fields(c *field.Coder) {
	field.U8(c, &m.Status)
}

// ManagementPermitJoinRequest opens joining (clause 2.4.3.3.7; published). Smart Energy never uses 255.
//
//	duration(1, s) trustCentre(1)
type ManagementPermitJoinRequest struct {
	Duration                uint8 // seconds; 0 closes, 255 opens for good
	TrustCentreSignificance bool
}

// Cluster implements Command.
func (ManagementPermitJoinRequest) Cluster() Cluster { return ClusterManagementPermitJoin }

// AppendBinary implements Command.
func (m ManagementPermitJoinRequest) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *ManagementPermitJoinRequest) fields(c *field.Coder) {
	field.U8(c, &m.Duration)
	field.Bool(c, &m.TrustCentreSignificance)
}

// ManagementPermitJoinResponse answers.
//
//	status(1)
type ManagementPermitJoinResponse struct {
	Status Status
}

// Cluster implements Command.
func (ManagementPermitJoinResponse) Cluster() Cluster {
	return ResponseBit | ClusterManagementPermitJoin
}

// AppendBinary implements Command.
func (m ManagementPermitJoinResponse) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *ManagementPermitJoinResponse) fields(c *field.Coder) {
	field.U8(c, &m.Status)
}

// Values of ManagementUpdateRequest.Duration besides scan exponents 0 to 5.
const (
	UpdateChannel uint8 = 0xFE // change to the one channel in the mask
	UpdateManager uint8 = 0xFF // change channel mask and manager
)

// ManagementUpdateRequest asks for an energy scan, or tells of a new channel or manager (clause 2.4.3.3.9; published).
//
//	channels(4) duration(1) [scans(1)] [updateID(1)] [manager(2)]
type ManagementUpdateRequest struct {
	Channels uint32 // bit n: channel n
	Duration uint8  // scan exponent, or Update
	Scans    uint8  // with a scan exponent
	UpdateID uint8  // with UpdateChannel and UpdateManager
	Manager  uint16 // with UpdateManager
}

// Cluster implements Command.
func (ManagementUpdateRequest) Cluster() Cluster { return ClusterManagementUpdate }

// AppendBinary implements Command.
func (m ManagementUpdateRequest) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *ManagementUpdateRequest) fields(c *field.Coder) {
	field.U32(c, &m.Channels)
	field.U8(c, &m.Duration)
	if m.Duration < UpdateChannel {
		field.U8(c, &m.Scans)
		return
	}
	field.U8(c, &m.UpdateID)
	if m.Duration == UpdateManager {
		field.U16(c, &m.Manager)
	}
}

// ManagementUpdateNotify tells the result of an energy scan (clause 2.4.4.4.9; published).
//
//	status(1) channels(4) transmissions(2) failures(2) n(1) energy(n)
type ManagementUpdateNotify struct {
	Status                  Status
	Channels                uint32
	Transmissions, Failures uint16
	Energy                  []uint8 // per channel of Channels, lowest first
}

// Cluster implements Command.
func (ManagementUpdateNotify) Cluster() Cluster { return ResponseBit | ClusterManagementUpdate }

// AppendBinary implements Command.
func (m ManagementUpdateNotify) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *ManagementUpdateNotify) fields(c *field.Coder) {
	field.U8(c, &m.Status)
	if statusOnly(c, m.Status) {
		return
	}
	field.U32(c, &m.Channels)
	field.U16(c, &m.Transmissions)
	field.U16(c, &m.Failures)
	field.Raw(c, &m.Energy, field.Count8(c, len(m.Energy)))
}
