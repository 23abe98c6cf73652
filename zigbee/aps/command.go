package aps

import (
	"fmt"

	"smets1/internal/wire"
	"smets1/zigbee/internal/le"
	"smets1/zigbee/security"
)

// CommandID is the first octet of a command frame's payload (ZigBee specification, table 4-28; published).
type CommandID uint8

// The commands; those of master keys and entity authentication are obsolete.
const (
	CommandTransportKey CommandID = 0x05
	CommandUpdateDevice CommandID = 0x06
	CommandRemoveDevice CommandID = 0x07
	CommandRequestKey   CommandID = 0x08
	CommandSwitchKey    CommandID = 0x09
	CommandTunnel       CommandID = 0x0E
	CommandVerifyKey    CommandID = 0x0F
	CommandConfirmKey   CommandID = 0x10
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
	CommandTransportKey: parse[TransportKey],
	CommandUpdateDevice: parse[UpdateDevice],
	CommandRemoveDevice: parse[RemoveDevice],
	CommandRequestKey:   parse[RequestKey],
	CommandSwitchKey:    parse[SwitchKey],
	CommandTunnel:       parse[Tunnel],
	CommandVerifyKey:    parse[VerifyKey],
	CommandConfirmKey:   parse[ConfirmKey],
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
		return nil, 1, fmt.Errorf("aps: command %02X is unknown: %w", uint8(id), ErrFormat)
	}
	m = p(&r)
	if err := r.Err(); err != nil {
		return nil, r.Offset(), err
	}
	return m, r.Offset(), nil
}

// KeyType says what a transported key is for.
type KeyType uint8

// The key types.
const (
	KeyNetwork         KeyType = 1
	KeyApplicationLink KeyType = 3
	KeyTrustCentreLink KeyType = 4
	requestApplication         = 2 // KeyType of Request-Key for KeyApplicationLink
)

func readKey(r *wire.Reader) security.Key {
	b := r.Bytes(security.KeySize)
	if b == nil {
		return security.Key{}
	}
	k, err := security.NewKey(b)
	r.Fail(err)
	return k
}

func appendKey(b []byte, k security.Key) ([]byte, error) {
	if k.IsZero() {
		return b, fmt.Errorf("aps: no key to transport: %w", ErrFormat)
	}
	return k.Append(b), nil
}

func appendEUI(b []byte, e wire.EUI64) []byte { return le.AppendEUI64(b, e) }
