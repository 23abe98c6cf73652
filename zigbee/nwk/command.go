package nwk

import (
	"fmt"

	"smets1/internal/wire"
)

// CommandID is the first octet of a command frame's payload (ZigBee specification, table 3-44; published).
type CommandID uint8

// The commands.
const (
	CommandRouteRequest             CommandID = 0x01
	CommandRouteReply               CommandID = 0x02
	CommandNetworkStatus            CommandID = 0x03
	CommandLeave                    CommandID = 0x04
	CommandRouteRecord              CommandID = 0x05
	CommandRejoinRequest            CommandID = 0x06
	CommandRejoinResponse           CommandID = 0x07
	CommandLinkStatus               CommandID = 0x08
	CommandNetworkReport            CommandID = 0x09
	CommandNetworkUpdate            CommandID = 0x0A
	CommandEndDeviceTimeoutRequest  CommandID = 0x0B
	CommandEndDeviceTimeoutResponse CommandID = 0x0C
	CommandLinkPowerDelta           CommandID = 0x0D
)

// Command is the payload of a command frame.
type Command interface {
	ID() CommandID
	// AppendBinary appends identifier and fields.
	AppendBinary(b []byte) ([]byte, error)
}

// command is what the types of this package have besides: reading their fields after the identifier.
type command[T any] interface {
	*T
	Command
	read(r *wire.Reader)
}

func parse[T any, P command[T]](r *wire.Reader) Command {
	var m T
	P(&m).read(r)
	return any(m).(Command)
}

var parsers = map[CommandID]func(*wire.Reader) Command{
	CommandRouteRequest:             parse[RouteRequest],
	CommandRouteReply:               parse[RouteReply],
	CommandNetworkStatus:            parse[NetworkStatus],
	CommandLeave:                    parse[Leave],
	CommandRouteRecord:              parse[RouteRecord],
	CommandRejoinRequest:            parse[RejoinRequest],
	CommandRejoinResponse:           parse[RejoinResponse],
	CommandLinkStatus:               parse[LinkStatus],
	CommandNetworkReport:            parse[NetworkReport],
	CommandNetworkUpdate:            parse[NetworkUpdate],
	CommandEndDeviceTimeoutRequest:  parse[EndDeviceTimeoutRequest],
	CommandEndDeviceTimeoutResponse: parse[EndDeviceTimeoutResponse],
	CommandLinkPowerDelta:           parse[LinkPowerDelta],
}

// UnknownCommandError is a command that this layer does not know; the answer is Network Status 13 with its identifier.
type UnknownCommandError struct{ ID CommandID }

// Error names the identifier.
func (e *UnknownCommandError) Error() string {
	return fmt.Sprintf("nwk: command %02X is unknown: answer Network Status 13", uint8(e.ID))
}

// ParseCommand reads the payload of a command frame. Trailing octets, which later revisions may add, are left: n tells.
func ParseCommand(b []byte) (m Command, n int, err error) {
	r := wire.NewReader(b)
	id := CommandID(r.U8())
	if err := r.Err(); err != nil {
		return nil, 0, err
	}
	p := parsers[id]
	if p == nil {
		return nil, 1, &UnknownCommandError{id}
	}
	m = p(&r)
	if err := r.Err(); err != nil {
		return nil, r.Offset(), err
	}
	return m, r.Offset(), nil
}
