package se

import (
	"fmt"

	"smets1/zigbee/security"
)

// KeyEstablishmentCommand is a command of the Key Establishment cluster: the message of a security.KeyEstablishment with
// its direction. The initiator is the client. Payloads are described in package security.
type KeyEstablishmentCommand struct {
	Server  bool // sent by the responder
	Message security.KEMessage
}

// Key implements Command.
func (m KeyEstablishmentCommand) Key() Key {
	return Key{KeyEstablishment, m.Server, uint8(m.Message.Command)}
}

// AppendBinary implements Command.
func (m KeyEstablishmentCommand) AppendBinary(b []byte) ([]byte, error) {
	return append(b, m.Message.Payload...), nil
}

// parseKE checks the layout only: what a bad certificate or point means is for the exchange to say.
func parseKE(id security.KECommand) func(bool, []byte) (Command, int, error) {
	return func(server bool, b []byte) (Command, int, error) {
		var n int
		var err error
		switch id {
		case security.KEInitiate:
			_, n, err = security.ParseInitiate(b)
		case security.KEEphemeral:
			_, n, err = security.ParseEphemeral(b)
		case security.KEConfirm:
			_, n, err = security.ParseConfirm(b)
		case security.KETerminate:
			_, n, err = security.ParseTerminate(b)
		default:
			err = fmt.Errorf("se: key establishment command %02X: %w", uint8(id), ErrCommand)
		}
		if err != nil {
			return nil, n, err
		}
		return KeyEstablishmentCommand{server, security.KEMessage{Command: id, Payload: b[:n]}}, n, nil
	}
}

// keSpecs are the commands of the cluster, the same in both directions.
func keSpecs() (all []Spec) {
	for id, name := range [...]string{"InitiateKeyEstablishment", "EphemeralData", "ConfirmKeyData", "TerminateKeyEstablishment"} {
		for _, server := range [...]bool{false, true} {
			all = append(all, Spec{Key{KeyEstablishment, server, uint8(id)}, name, parseKE(security.KECommand(id))})
		}
	}
	return all
}
