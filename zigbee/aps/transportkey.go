package aps

import (
	"fmt"

	"smets1/internal/wire"
	"smets1/zigbee/internal/le"
	"smets1/zigbee/security"
)

// TransportKey hands a key over (ZigBee specification, clause 4.4.10.1; published).
//
//	05 type(1) key(16) and of
//	type 1 network key:      sequence(1) destination(8) source(8)
//	type 4 trust centre key: destination(8) source(8)
//	type 3 application key:  partner(8) initiator(1)
//
// The network key goes to a joiner under the key-transport key, without NWK security on the last hop; link keys go under
// the key-load key.
type TransportKey struct {
	Type     KeyType
	Key      security.Key
	Sequence uint8 // of a network key
	// Destination and Source of network and trust centre keys. Destination zero means every device of a broadcast.
	Destination, Source wire.EUI64
	// Partner and Initiator of an application link key.
	Partner   wire.EUI64
	Initiator bool
}

// ID implements Command.
func (TransportKey) ID() CommandID { return CommandTransportKey }

// AppendBinary implements Command.
func (m TransportKey) AppendBinary(b []byte) ([]byte, error) {
	b, err := appendKey(append(b, byte(CommandTransportKey), byte(m.Type)), m.Key)
	if err != nil {
		return b, err
	}
	switch m.Type {
	case KeyNetwork:
		return appendEUI(appendEUI(append(b, m.Sequence), m.Destination), m.Source), nil
	case KeyTrustCentreLink:
		return appendEUI(appendEUI(b, m.Destination), m.Source), nil
	case KeyApplicationLink:
		initiator := byte(0)
		if m.Initiator {
			initiator = 1
		}
		return append(appendEUI(b, m.Partner), initiator), nil
	}
	return b, fmt.Errorf("aps: transport of key type %d, want 1, 3 or 4: %w", m.Type, ErrFormat)
}

func (m *TransportKey) read(r *wire.Reader) {
	m.Type = KeyType(r.U8())
	m.Key = readKey(r)
	switch m.Type {
	case KeyNetwork:
		m.Sequence = r.U8()
		m.Destination, m.Source = le.EUI64(r), le.EUI64(r)
	case KeyTrustCentreLink:
		m.Destination, m.Source = le.EUI64(r), le.EUI64(r)
	case KeyApplicationLink:
		m.Partner = le.EUI64(r)
		m.Initiator = r.U8() != 0
	default:
		r.Fail(fmt.Errorf("aps: transport of key type %d, want 1, 3 or 4: %w", m.Type, ErrFormat))
	}
}
