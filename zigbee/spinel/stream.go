package spinel

import (
	"encoding/binary"

	"smets1/internal/wire"
)

// TransmitRequest asks the RCP to send a frame: the value of a set of PropStreamRaw. Hosts of different age send fewer of
// the fields at the end; Optional says how many there are.
//
//	n(2) frame(n) channel(1) [backoffs(1) retries(1) csma(1) headerUpdated(1) retransmission(1) secured(1)
//	delay(4, µs) delayBase(4, µs) rxChannel(1) ...]
type TransmitRequest struct {
	// Frame is the PSDU with two octets in place of the FCS, which the radio fills in. A parsed one aliases the input.
	Frame   []byte
	Channel uint8
	// Optional is how many of the following nine fields are there. AllTransmitFields is what OpenThread sends.
	Optional           int
	MaxBackoffs        uint8
	MaxRetries         uint8
	CSMA               bool
	HeaderUpdated      bool
	Retransmission     bool
	SecurityProcessed  bool
	Delay, DelayBase   uint32 // µs
	RxChannelAfterSend uint8
	// More is what later hosts add.
	More []byte
}

// AllTransmitFields is the number of optional fields of a TransmitRequest.
const AllTransmitFields = 9

// AppendBinary appends the value.
func (m TransmitRequest) AppendBinary(b []byte) ([]byte, error) {
	b, err := AppendData(b, m.Frame)
	if err != nil {
		return b, err
	}
	b = append(b, m.Channel)
	for i := range m.Optional {
		switch i {
		case 0:
			b = append(b, m.MaxBackoffs)
		case 1:
			b = append(b, m.MaxRetries)
		case 2:
			b = appendBool(b, m.CSMA)
		case 3:
			b = appendBool(b, m.HeaderUpdated)
		case 4:
			b = appendBool(b, m.Retransmission)
		case 5:
			b = appendBool(b, m.SecurityProcessed)
		case 6:
			b = binary.LittleEndian.AppendUint32(b, m.Delay)
		case 7:
			b = binary.LittleEndian.AppendUint32(b, m.DelayBase)
		case 8:
			b = append(b, m.RxChannelAfterSend)
		}
	}
	return append(b, m.More...), nil
}

// ParseTransmitRequest reads the value.
func ParseTransmitRequest(b []byte) (m TransmitRequest, n int, err error) {
	r := wire.NewReader(b)
	m.Frame = readData(&r)
	m.Channel = r.U8()
	for m.Optional < AllTransmitFields && r.Err() == nil && r.Len() > 0 {
		switch m.Optional {
		case 0:
			m.MaxBackoffs = r.U8()
		case 1:
			m.MaxRetries = r.U8()
		case 2:
			m.CSMA = readBool(&r)
		case 3:
			m.HeaderUpdated = readBool(&r)
		case 4:
			m.Retransmission = readBool(&r)
		case 5:
			m.SecurityProcessed = readBool(&r)
		case 6:
			m.Delay = r.LE32()
		case 7:
			m.DelayBase = r.LE32()
		case 8:
			m.RxChannelAfterSend = r.U8()
		}
		m.Optional++
	}
	m.More = r.Rest()
	return m, r.Offset(), r.Err()
}

// Bits of ReceiveIndication.Flags (recalled).
const (
	FlagTransmitted   uint16 = 1 << 0 // sent by this radio
	FlagBadFCS        uint16 = 1 << 2
	FlagDuplicate     uint16 = 1 << 3
	FlagAckedPending  uint16 = 1 << 4 // acknowledged with frame pending
	FlagAckedSecurity uint16 = 1 << 5
	NoNoiseFloor      int8   = -128
	phyOctets                = 10
)

// ReceiveIndication is a frame from the air: the value of an unasked "is" of PropStreamRaw.
//
//	n(2) frame(n) rssi(1) noise(1) flags(2) 10(2): channel(1) lqi(1) timestamp(8, µs); 1(2): error(packed)
type ReceiveIndication struct {
	Frame     []byte // the PSDU with its FCS; a parsed one aliases the input
	RSSI      int8   // dBm
	Noise     int8   // dBm, NoNoiseFloor
	Flags     uint16
	Channel   uint8
	LQI       uint8
	Timestamp uint64 // µs
	Error     uint32 // 0: none
}

// AppendBinary appends the value.
func (m ReceiveIndication) AppendBinary(b []byte) ([]byte, error) {
	b, err := AppendData(b, m.Frame)
	if err != nil {
		return b, err
	}
	b = append(b, byte(m.RSSI), byte(m.Noise))
	b = binary.LittleEndian.AppendUint16(b, m.Flags)
	b = binary.LittleEndian.AppendUint16(b, phyOctets)
	b = append(b, m.Channel, m.LQI)
	b = binary.LittleEndian.AppendUint64(b, m.Timestamp)
	at := len(b)
	b = AppendPacked(append(b, 0, 0), m.Error)
	b[at] = byte(len(b) - at - 2)
	return b, nil
}

// ParseReceiveIndication reads the value. What radios leave out at the end stays zero; what they add is skipped.
func ParseReceiveIndication(b []byte) (m ReceiveIndication, n int, err error) {
	r := wire.NewReader(b)
	m.Frame = readData(&r)
	m.RSSI, m.Noise = int8(r.U8()), int8(r.U8())
	m.Flags = r.LE16()
	if r.Len() > 0 {
		phy := wire.NewReader(readData(&r))
		m.Channel, m.LQI, m.Timestamp = phy.U8(), phy.U8(), phy.LE64()
		r.Fail(phy.Err())
	}
	if r.Len() > 0 {
		mac := wire.NewReader(readData(&r))
		if mac.Len() > 0 {
			m.Error = readPacked(&mac)
			r.Fail(mac.Err())
		}
	}
	return m, r.Offset(), r.Err()
}

// TransmitResult is the RCP's answer to a TransmitRequest: an "is" of PropLastStatus under its transaction (recalled;
// the status alone is enough for hosts that were tried).
//
//	status(packed) [framePending(1) headerUpdated(1) [as ReceiveIndication: the acknowledgement]]
type TransmitResult struct {
	Status        Status
	HasDetail     bool // the following are there
	FramePending  bool // the acknowledgement said so
	HeaderUpdated bool
	// Ack is the acknowledgement and what the radio says of it, unparsed. A parsed one aliases the input.
	Ack []byte
}

// AppendBinary appends the value.
func (m TransmitResult) AppendBinary(b []byte) ([]byte, error) {
	b = AppendPacked(b, uint32(m.Status))
	if !m.HasDetail {
		return b, nil
	}
	return append(appendBool(appendBool(b, m.FramePending), m.HeaderUpdated), m.Ack...), nil
}

// ParseTransmitResult reads the value.
func ParseTransmitResult(b []byte) (m TransmitResult, n int, err error) {
	r := wire.NewReader(b)
	m.Status = Status(readPacked(&r))
	if m.HasDetail = r.Err() == nil && r.Len() > 0; m.HasDetail {
		m.FramePending, m.HeaderUpdated = readBool(&r), readBool(&r)
		m.Ack = r.Rest()
	}
	return m, r.Offset(), r.Err()
}
