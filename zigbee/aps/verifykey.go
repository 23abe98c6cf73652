package aps

import (
	"fmt"

	"smets1/internal/wire"
	"smets1/zigbee/internal/le"
	"smets1/zigbee/security"
)

// VerifyKey proves to the trust centre that a device has its link key (ZigBee specification, clause 4.4.10.7; published).
//
//	0F type(1)=04 source(8) hash(16)
type VerifyKey struct {
	Source wire.EUI64
	Hash   [security.HashSize]byte // security.Key.VerifyHash
}

// ID implements Command.
func (VerifyKey) ID() CommandID { return CommandVerifyKey }

// AppendBinary implements Command.
func (m VerifyKey) AppendBinary(b []byte) ([]byte, error) {
	return append(appendEUI(append(b, byte(CommandVerifyKey), byte(KeyTrustCentreLink)), m.Source), m.Hash[:]...), nil
}

func (m *VerifyKey) read(r *wire.Reader) {
	trustCentreOnly(r)
	m.Source = le.EUI64(r)
	copy(m.Hash[:], r.Bytes(security.HashSize))
}

func trustCentreOnly(r *wire.Reader) {
	if t := r.U8(); r.Err() == nil && t != byte(KeyTrustCentreLink) {
		r.Fail(fmt.Errorf("aps: verification of key type %d, want 4: %w", t, ErrFormat))
	}
}

// Status is an APS status code (ZigBee specification, table 2-27; published). It is an error when it is not zero.
type Status uint8

// The codes that Confirm-Key carries.
const (
	StatusSuccess      Status = 0x00
	StatusIllegal      Status = 0xA3
	StatusNoAck        Status = 0xA7
	StatusNotSupported Status = 0xAA
	StatusSecurityFail Status = 0xAD
	StatusTableFull    Status = 0xAE
)

var statusText = map[Status]string{
	0x00: "SUCCESS",
	0xA0: "ASDU_TOO_LONG: the message is longer than the receiver takes",
	0xA1: "DEFRAG_DEFERRED: the receiver is busy with another fragmented message",
	0xA2: "DEFRAG_UNSUPPORTED: the receiver takes no fragments",
	0xA3: "ILLEGAL_REQUEST: a parameter is out of range",
	0xA4: "INVALID_BINDING: there is no such binding",
	0xA5: "INVALID_GROUP: there is no such group",
	0xA6: "INVALID_PARAMETER: a parameter is out of range",
	0xA7: "NO_ACK: the receiver did not acknowledge",
	0xA8: "NO_BOUND_DEVICE: nothing is bound to this endpoint and cluster",
	0xA9: "NO_SHORT_ADDRESS: the receiver's short address is not known",
	0xAA: "NOT_SUPPORTED: the receiver does not do this",
	0xAB: "SECURED_LINK_KEY: secured with a link key",
	0xAC: "SECURED_NWK_KEY: secured with the network key",
	0xAD: "SECURITY_FAIL: the key or the proof is wrong",
	0xAE: "TABLE_FULL: no room for another entry",
	0xAF: "UNSECURED: not secured",
	0xB0: "UNSUPPORTED_ATTRIBUTE: there is no such attribute",
}

// Error names the code and says what it means.
func (s Status) Error() string {
	if t, ok := statusText[s]; ok {
		return "aps: " + t
	}
	return fmt.Sprintf("aps: status %02X (reserved)", uint8(s))
}

// ConfirmKey answers Verify-Key, under the link key (ZigBee specification, clause 4.4.10.8; published).
//
//	10 status(1) type(1)=04 destination(8)
type ConfirmKey struct {
	Status      Status
	Destination wire.EUI64
}

// ID implements Command.
func (ConfirmKey) ID() CommandID { return CommandConfirmKey }

// AppendBinary implements Command.
func (m ConfirmKey) AppendBinary(b []byte) ([]byte, error) {
	return appendEUI(append(b, byte(CommandConfirmKey), byte(m.Status), byte(KeyTrustCentreLink)), m.Destination), nil
}

func (m *ConfirmKey) read(r *wire.Reader) {
	m.Status = Status(r.U8())
	trustCentreOnly(r)
	m.Destination = le.EUI64(r)
}
