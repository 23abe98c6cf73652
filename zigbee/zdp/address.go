package zdp

import (
	"smets1/internal/wire"
	"smets1/zigbee/internal/field"
	"smets1/zigbee/mac"
)

// RequestType says what an address request wants to know.
type RequestType uint8

// The request types.
const (
	SingleDevice RequestType = 0
	WithChildren RequestType = 1
)

// NetworkAddressRequest asks everyone for the short address of a device (clause 2.4.3.1.1; published).
//
//	device(8) type(1) start(1)
type NetworkAddressRequest struct {
	Device wire.EUI64
	Type   RequestType
	Start  uint8 // first child listed in an extended response
}

// Cluster implements Command.
func (NetworkAddressRequest) Cluster() Cluster { return ClusterNetworkAddress }

// AppendBinary implements Command.
func (m NetworkAddressRequest) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *NetworkAddressRequest) fields(c *field.Coder) {
	field.EUI(c, &m.Device)
	field.U8(c, &m.Type)
	field.U8(c, &m.Start)
}

// NetworkAddressResponse answers (clause 2.4.4.2.1; published).
//
//	status(1) device(8) short(2) [count(1) start(1) children(2n)]
type NetworkAddressResponse struct {
	Status   Status
	Device   wire.EUI64
	Short    uint16
	Extended bool // list of children follows
	Start    uint8
	Children []uint16
}

// Cluster implements Command.
func (NetworkAddressResponse) Cluster() Cluster { return ResponseBit | ClusterNetworkAddress }

// AppendBinary implements Command.
func (m NetworkAddressResponse) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *NetworkAddressResponse) fields(c *field.Coder) {
	field.U8(c, &m.Status)
	if statusOnly(c, m.Status) {
		return
	}
	field.EUI(c, &m.Device)
	field.U16(c, &m.Short)
	if c.Optional(&m.Extended) {
		n := field.Count8(c, len(m.Children))
		if n > 0 || c.Writing() || c.Left() > 0 {
			field.U8(c, &m.Start)
		}
		field.List(c, &m.Children, n, field.U16[uint16])
	}
}

// IEEEAddressRequest asks a device for its EUI-64 (clause 2.4.3.1.2; published).
//
//	short(2) type(1) start(1)
type IEEEAddressRequest struct {
	Address uint16
	Type    RequestType
	Start   uint8 // first child listed in an extended response
}

// Cluster implements Command.
func (IEEEAddressRequest) Cluster() Cluster { return ClusterIEEEAddress }

// AppendBinary implements Command.
func (m IEEEAddressRequest) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *IEEEAddressRequest) fields(c *field.Coder) {
	field.U16(c, &m.Address)
	field.U8(c, &m.Type)
	field.U8(c, &m.Start)
}

// IEEEAddressResponse answers (clause 2.4.4.2.2; published).
//
//	status(1) device(8) short(2) [count(1) start(1) children(2n)]
type IEEEAddressResponse struct {
	Status   Status
	Device   wire.EUI64
	Short    uint16
	Extended bool // list of children follows
	Start    uint8
	Children []uint16
}

// Cluster implements Command.
func (IEEEAddressResponse) Cluster() Cluster { return ResponseBit | ClusterIEEEAddress }

// AppendBinary implements Command.
func (m IEEEAddressResponse) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *IEEEAddressResponse) fields(c *field.Coder) {
	field.U8(c, &m.Status)
	if statusOnly(c, m.Status) {
		return
	}
	field.EUI(c, &m.Device)
	field.U16(c, &m.Short)
	if c.Optional(&m.Extended) {
		n := field.Count8(c, len(m.Children))
		if n > 0 || c.Writing() || c.Left() > 0 {
			field.U8(c, &m.Start)
		}
		field.List(c, &m.Children, n, field.U16[uint16])
	}
}

// DeviceAnnounce tells everyone that is awake of a new or changed address (clause 2.4.3.1.11; published).
//
//	short(2) device(8) capability(1)
type DeviceAnnounce struct {
	Short      uint16
	Device     wire.EUI64
	Capability mac.Capability
}

// Cluster implements Command.
func (DeviceAnnounce) Cluster() Cluster { return ClusterDeviceAnnounce }

// AppendBinary implements Command.
func (m DeviceAnnounce) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *DeviceAnnounce) fields(c *field.Coder) {
	field.U16(c, &m.Short)
	field.EUI(c, &m.Device)
	field.U8(c, &m.Capability)
}

// ParentAnnounce tells all routers whose parent the sender believes to be after a restart (clause 2.4.3.1.12; published).
//
//	count(1) children(8n)
type ParentAnnounce struct {
	Children []wire.EUI64
}

// Cluster implements Command.
func (ParentAnnounce) Cluster() Cluster { return ClusterParentAnnounce }

// AppendBinary implements Command.
func (m ParentAnnounce) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *ParentAnnounce) fields(c *field.Coder) {
	field.List(c, &m.Children, field.Count8(c, len(m.Children)), field.EUI)
}

// ParentAnnounceResponse names those children that have another parent now (clause 2.4.4.2.23; published).
//
//	status(1) count(1) children(8n)
type ParentAnnounceResponse struct {
	Status   Status
	Children []wire.EUI64
}

// Cluster implements Command.
func (ParentAnnounceResponse) Cluster() Cluster { return ResponseBit | ClusterParentAnnounce }

// AppendBinary implements Command.
func (m ParentAnnounceResponse) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *ParentAnnounceResponse) fields(c *field.Coder) {
	field.U8(c, &m.Status)
	if statusOnly(c, m.Status) {
		return
	}
	field.List(c, &m.Children, field.Count8(c, len(m.Children)), field.EUI)
}
