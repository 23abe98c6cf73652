package se

import (
	"fmt"

	"smets1/zigbee/internal/field"
)

// TunnelProtocol is what runs in a tunnel (Smart Energy, table D-114; published).
type TunnelProtocol uint8

// The protocols. Sources contradict one another about 7 and 8 (IPv4 and IPv6).
const (
	TunnelDLMS         TunnelProtocol = 0
	TunnelIEC61107     TunnelProtocol = 1
	TunnelANSIC12      TunnelProtocol = 2
	TunnelMBus         TunnelProtocol = 3
	TunnelSML          TunnelProtocol = 4
	TunnelClimateTalk  TunnelProtocol = 5
	TunnelGBHRGP       TunnelProtocol = 6
	TunnelManufacturer TunnelProtocol = 0xC8 // to 0xFE
)

// TunnelStatus is the answer to a request for a tunnel. It is an error when it is not TunnelSuccess.
type TunnelStatus uint8

// The answers.
const (
	TunnelSuccess       TunnelStatus = 0
	TunnelBusy          TunnelStatus = 1
	TunnelNoMoreIDs     TunnelStatus = 2
	TunnelNoProtocol    TunnelStatus = 3
	TunnelNoFlowControl TunnelStatus = 4
	// NoTunnelManufacturer is the manufacturer code of standard protocols; DefaultTunnelTransfer what a device takes
	// at once if it does not say otherwise, in octets.
	NoTunnelManufacturer  uint16 = 0xFFFF
	DefaultTunnelTransfer uint16 = 1500
)

// Error says what the server decided.
func (s TunnelStatus) Error() string {
	switch s {
	case TunnelSuccess:
		return "tunnel: SUCCESS"
	case TunnelBusy:
		return "tunnel: BUSY: try again later"
	case TunnelNoMoreIDs:
		return "tunnel: NO_MORE_TUNNEL_IDS: close an old tunnel first"
	case TunnelNoProtocol:
		return "tunnel: PROTOCOL_NOT_SUPPORTED: ask for the supported protocols"
	case TunnelNoFlowControl:
		return "tunnel: FLOW_CONTROL_NOT_SUPPORTED: ask without flow control"
	}
	return fmt.Sprintf("tunnel: status %02X (reserved)", uint8(s))
}

// fromEither is the key of a command that both sides send. The server has one command fewer before it: it never closes.
func fromEither(c Cluster, server bool, client uint8) Key {
	if server {
		return Key{c, true, client - 1}
	}
	return Key{c, false, client}
}

// TransferError is what is wrong with data in a tunnel. It is an error.
type TransferError uint8

// The errors.
const (
	NoSuchTunnel TransferError = 0
	WrongDevice  TransferError = 1
	DataOverflow TransferError = 2
)

// Error says what is wrong.
func (e TransferError) Error() string {
	switch e {
	case NoSuchTunnel:
		return "tunnel: NO_SUCH_TUNNEL: it was closed or timed out, ask for a new one"
	case WrongDevice:
		return "tunnel: WRONG_DEVICE: the tunnel belongs to another device"
	case DataOverflow:
		return "tunnel: DATA_OVERFLOW: more than the receiver takes at once"
	}
	return fmt.Sprintf("tunnel: error %02X (reserved)", uint8(e))
}

// RequestTunnel asks for a tunnel (Smart Energy, clause D.6.2.4.1; published).
//
//	protocol(1) manufacturer(2) flowControl(1) maxIncoming(2)
type RequestTunnel struct {
	Protocol     TunnelProtocol
	Manufacturer uint16 // NoTunnelManufacturer
	FlowControl  bool
	MaxIncoming  uint16 // octets the client takes at once
}

// Key implements Command.
func (RequestTunnel) Key() Key { return Key{Tunneling, false, 0x00} }

// AppendBinary implements Command.
func (m RequestTunnel) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseRequestTunnel reads the payload.
func ParseRequestTunnel(b []byte) (m RequestTunnel, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *RequestTunnel) fields(c *field.Coder) {
	field.U8(c, &m.Protocol)
	field.U16(c, &m.Manufacturer)
	field.Bool(c, &m.FlowControl)
	field.U16(c, &m.MaxIncoming)
}

// CloseTunnel ends a tunnel.
//
//	iD(2)
type CloseTunnel struct {
	ID uint16
}

// Key implements Command.
func (CloseTunnel) Key() Key { return Key{Tunneling, false, 0x01} }

// AppendBinary implements Command.
func (m CloseTunnel) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseCloseTunnel reads the payload.
func ParseCloseTunnel(b []byte) (m CloseTunnel, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *CloseTunnel) fields(c *field.Coder) {
	field.U16(c, &m.ID)
}

// TransferData carries data, in either direction (clauses D.6.2.4.3 and D.6.2.5.2; published).
//
//	iD(2) data(rest)
type TransferData struct {
	Server bool // sent by the server; not on the wire
	ID     uint16
	Data   []byte // a parsed one aliases the input
}

// Key implements Command.
func (m TransferData) Key() Key { return fromEither(Tunneling, m.Server, 0x02) }

// AppendBinary implements Command.
func (m TransferData) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseTransferData reads the payload.
func ParseTransferData(b []byte) (m TransferData, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *TransferData) fields(c *field.Coder) {
	field.U16(c, &m.ID)
	field.Rest(c, &m.Data)
}

// TransferDataError refuses data, in either direction.
//
//	iD(2) status(1)
type TransferDataError struct {
	Server bool // sent by the server; not on the wire
	ID     uint16
	Status TransferError
}

// Key implements Command.
func (m TransferDataError) Key() Key { return fromEither(Tunneling, m.Server, 0x03) }

// AppendBinary implements Command.
func (m TransferDataError) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseTransferDataError reads the payload.
func ParseTransferDataError(b []byte) (m TransferDataError, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *TransferDataError) fields(c *field.Coder) {
	field.U16(c, &m.ID)
	field.U8(c, &m.Status)
}

// AckTransferData takes data under flow control, in either direction.
//
//	iD(2) left(2)
type AckTransferData struct {
	Server bool // sent by the server; not on the wire
	ID     uint16
	Left   uint16 // octets that may still be sent; 0: wait for ReadyData
}

// Key implements Command.
func (m AckTransferData) Key() Key { return fromEither(Tunneling, m.Server, 0x04) }

// AppendBinary implements Command.
func (m AckTransferData) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseAckTransferData reads the payload.
func ParseAckTransferData(b []byte) (m AckTransferData, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *AckTransferData) fields(c *field.Coder) {
	field.U16(c, &m.ID)
	field.U16(c, &m.Left)
}

// ReadyData lets the sender go on, in either direction.
//
//	iD(2) left(2)
type ReadyData struct {
	Server bool // sent by the server; not on the wire
	ID     uint16
	Left   uint16 // octets
}

// Key implements Command.
func (m ReadyData) Key() Key { return fromEither(Tunneling, m.Server, 0x05) }

// AppendBinary implements Command.
func (m ReadyData) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseReadyData reads the payload.
func ParseReadyData(b []byte) (m ReadyData, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *ReadyData) fields(c *field.Coder) {
	field.U16(c, &m.ID)
	field.U16(c, &m.Left)
}

// GetSupportedTunnelProtocols asks which protocols there are.
//
//	offset(1)
type GetSupportedTunnelProtocols struct {
	Offset uint8
}

// Key implements Command.
func (GetSupportedTunnelProtocols) Key() Key { return Key{Tunneling, false, 0x06} }

// AppendBinary implements Command.
func (m GetSupportedTunnelProtocols) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseGetSupportedTunnelProtocols reads the payload.
func ParseGetSupportedTunnelProtocols(b []byte) (m GetSupportedTunnelProtocols, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *GetSupportedTunnelProtocols) fields(c *field.Coder) {
	field.U8(c, &m.Offset)
}

// RequestTunnelResponse answers.
//
//	iD(2) status(1) maxIncoming(2)
type RequestTunnelResponse struct {
	ID          uint16 // FFFF if refused
	Status      TunnelStatus
	MaxIncoming uint16 // octets the server takes at once
}

// Key implements Command.
func (RequestTunnelResponse) Key() Key { return Key{Tunneling, true, 0x00} }

// AppendBinary implements Command.
func (m RequestTunnelResponse) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseRequestTunnelResponse reads the payload.
func ParseRequestTunnelResponse(b []byte) (m RequestTunnelResponse, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *RequestTunnelResponse) fields(c *field.Coder) {
	field.U16(c, &m.ID)
	field.U8(c, &m.Status)
	field.U16(c, &m.MaxIncoming)
}

// SupportedProtocol is an entry of a list of protocols.
//
//	manufacturer(2) protocol(1)
type SupportedProtocol struct {
	Manufacturer uint16
	Protocol     TunnelProtocol
}

func supportedProtocol(c *field.Coder, m *SupportedProtocol) {
	field.U16(c, &m.Manufacturer)
	field.U8(c, &m.Protocol)
}

// SupportedTunnelProtocolsResponse answers.
//
//	complete(1) n(1) {protocols}
type SupportedTunnelProtocolsResponse struct {
	Complete  bool
	Protocols []SupportedProtocol
}

// Key implements Command.
func (SupportedTunnelProtocolsResponse) Key() Key { return Key{Tunneling, true, 0x05} }

// AppendBinary implements Command.
func (m SupportedTunnelProtocolsResponse) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseSupportedTunnelProtocolsResponse reads the payload.
func ParseSupportedTunnelProtocolsResponse(b []byte) (m SupportedTunnelProtocolsResponse, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *SupportedTunnelProtocolsResponse) fields(c *field.Coder) {
	field.Bool(c, &m.Complete)
	field.List(c, &m.Protocols, field.Count8(c, len(m.Protocols)), supportedProtocol)
}

// TunnelClosureNotification tells that a tunnel was idle for too long.
//
//	iD(2)
type TunnelClosureNotification struct {
	ID uint16
}

// Key implements Command.
func (TunnelClosureNotification) Key() Key { return Key{Tunneling, true, 0x06} }

// AppendBinary implements Command.
func (m TunnelClosureNotification) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseTunnelClosureNotification reads the payload.
func ParseTunnelClosureNotification(b []byte) (m TunnelClosureNotification, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *TunnelClosureNotification) fields(c *field.Coder) {
	field.U16(c, &m.ID)
}
