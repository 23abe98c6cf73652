package nwk

import (
	"fmt"
	"time"

	"smets1/internal/wire"
)

// TimeoutIndex is how long a parent keeps a silent child: 10 s for 0, else 2^n minutes up to 14 (16384 minutes).
type TimeoutIndex uint8

// MaxTimeoutIndex is the longest, about eleven days. DefaultTimeoutIndex is 256 minutes.
const (
	MaxTimeoutIndex     TimeoutIndex = 14
	DefaultTimeoutIndex TimeoutIndex = 8
)

// Duration is the time meant; 0 for a reserved index.
func (t TimeoutIndex) Duration() time.Duration {
	switch {
	case t == 0:
		return 10 * time.Second
	case t > MaxTimeoutIndex:
		return 0
	}
	return time.Minute << t
}

// EndDeviceTimeoutRequest tells the parent how often a child will be heard (ZigBee specification, clause 3.4.11; published).
//
//	0B timeout(1) configuration(1)=00
type EndDeviceTimeoutRequest struct {
	Timeout       TimeoutIndex
	Configuration uint8 // reserved, 0
}

// ID implements Command.
func (EndDeviceTimeoutRequest) ID() CommandID { return CommandEndDeviceTimeoutRequest }

// AppendBinary implements Command.
func (m EndDeviceTimeoutRequest) AppendBinary(b []byte) ([]byte, error) {
	return append(b, byte(CommandEndDeviceTimeoutRequest), byte(m.Timeout), m.Configuration), nil
}

func (m *EndDeviceTimeoutRequest) read(r *wire.Reader) {
	m.Timeout, m.Configuration = TimeoutIndex(r.U8()), r.U8()
}

// TimeoutStatus is the parent's answer. It is an error when it is not TimeoutAccepted.
type TimeoutStatus uint8

// The answers.
const (
	TimeoutAccepted       TimeoutStatus = 0
	TimeoutIncorrectValue TimeoutStatus = 1
)

// Error says what the parent decided.
func (s TimeoutStatus) Error() string {
	switch s {
	case TimeoutAccepted:
		return "nwk: end-device timeout accepted"
	case TimeoutIncorrectValue:
		return "nwk: end-device timeout refused: index must be 0 to 14"
	}
	return fmt.Sprintf("nwk: end-device timeout status %02X (reserved)", uint8(s))
}

// Bits of ParentInfo.
const (
	ParentKeepaliveMACPoll        uint8 = 1 << 0
	ParentKeepaliveTimeoutRequest uint8 = 1 << 1
	ParentPowerNegotiation        uint8 = 1 << 2
)

// EndDeviceTimeoutResponse answers (ZigBee specification, clause 3.4.12; published).
//
//	0C status(1) parentInfo(1)
type EndDeviceTimeoutResponse struct {
	Status     TimeoutStatus
	ParentInfo uint8 // Parent bits: what keeps a child alive
}

// ID implements Command.
func (EndDeviceTimeoutResponse) ID() CommandID { return CommandEndDeviceTimeoutResponse }

// AppendBinary implements Command.
func (m EndDeviceTimeoutResponse) AppendBinary(b []byte) ([]byte, error) {
	return append(b, byte(CommandEndDeviceTimeoutResponse), byte(m.Status), m.ParentInfo), nil
}

func (m *EndDeviceTimeoutResponse) read(r *wire.Reader) {
	m.Status, m.ParentInfo = TimeoutStatus(r.U8()), r.U8()
}
