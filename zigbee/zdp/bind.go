package zdp

import (
	"fmt"

	"smets1/internal/wire"
	"smets1/zigbee/internal/field"
)

// BindMode says what a binding leads to.
type BindMode uint8

// The modes.
const (
	BindGroup  BindMode = 1
	BindDevice BindMode = 3
)

// Binding sends what leaves a source endpoint and cluster to a destination (clause 2.4.3.2.2; published).
//
//	source(8) endpoint(1) cluster(2) mode(1) group(2) | destination(8) endpoint(1)
type Binding struct {
	Source         wire.EUI64
	SourceEndpoint uint8
	ClusterID      uint16
	Mode           BindMode
	Group          uint16     // with BindGroup
	Destination    wire.EUI64 // with BindDevice
	Endpoint       uint8      // with BindDevice
}

func (m *Binding) fields(c *field.Coder) {
	field.EUI(c, &m.Source)
	field.U8(c, &m.SourceEndpoint)
	field.U16(c, &m.ClusterID)
	field.U8(c, &m.Mode)
	switch m.Mode {
	case BindGroup:
		field.U16(c, &m.Group)
	case BindDevice:
		field.EUI(c, &m.Destination)
		field.U8(c, &m.Endpoint)
	default:
		c.Fail(fmt.Errorf("zdp: binding mode %d, want 1 (group) or 3 (device)", m.Mode))
	}
}

// BindRequest asks for a binding (clause 2.4.3.2.2; published).
//
//	as Binding
type BindRequest struct {
	Binding Binding
}

// Cluster implements Command.
func (BindRequest) Cluster() Cluster { return ClusterBind }

// AppendBinary implements Command.
func (m BindRequest) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *BindRequest) fields(c *field.Coder) {
	m.Binding.fields(c)
}

// UnbindRequest asks to remove a binding (clause 2.4.3.2.3; published).
//
//	as Binding
type UnbindRequest struct {
	Binding Binding
}

// Cluster implements Command.
func (UnbindRequest) Cluster() Cluster { return ClusterUnbind }

// AppendBinary implements Command.
func (m UnbindRequest) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *UnbindRequest) fields(c *field.Coder) {
	m.Binding.fields(c)
}

// BindResponse answers.
//
//	status(1)
type BindResponse struct {
	Status Status
}

// Cluster implements Command.
func (BindResponse) Cluster() Cluster { return ResponseBit | ClusterBind }

// AppendBinary implements Command.
func (m BindResponse) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *BindResponse) fields(c *field.Coder) {
	field.U8(c, &m.Status)
}

// UnbindResponse answers.
//
//	status(1)
type UnbindResponse struct {
	Status Status
}

// Cluster implements Command.
func (UnbindResponse) Cluster() Cluster { return ResponseBit | ClusterUnbind }

// AppendBinary implements Command.
func (m UnbindResponse) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *UnbindResponse) fields(c *field.Coder) {
	field.U8(c, &m.Status)
}
