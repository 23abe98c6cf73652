package se

import (
	"smets1/zigbee/internal/field"
	"smets1/zigbee/zcl"
)

// ResetAlarm resets one alarm (ZCL, clause 3.11.2.4; published).
//
//	code(1) clusterID(2)
type ResetAlarm struct {
	Code      uint8
	ClusterID uint16
}

// Key implements Command.
func (ResetAlarm) Key() Key { return Key{Alarms, false, 0x00} }

// AppendBinary implements Command.
func (m ResetAlarm) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseResetAlarm reads the payload.
func ParseResetAlarm(b []byte) (m ResetAlarm, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *ResetAlarm) fields(c *field.Coder) {
	field.U8(c, &m.Code)
	field.U16(c, &m.ClusterID)
}

// ResetAllAlarms resets all alarms.
type ResetAllAlarms struct{}

// Key implements Command.
func (ResetAllAlarms) Key() Key { return Key{Alarms, false, 0x01} }

// AppendBinary implements Command.
func (ResetAllAlarms) AppendBinary(b []byte) ([]byte, error) { return b, nil }

// ParseResetAllAlarms reads the payload, which is empty.
func ParseResetAllAlarms([]byte) (m ResetAllAlarms, n int, err error) { return m, 0, nil }

// GetAlarm asks for the oldest entry of the alarm table, which is then removed.
type GetAlarm struct{}

// Key implements Command.
func (GetAlarm) Key() Key { return Key{Alarms, false, 0x02} }

// AppendBinary implements Command.
func (GetAlarm) AppendBinary(b []byte) ([]byte, error) { return b, nil }

// ParseGetAlarm reads the payload, which is empty.
func ParseGetAlarm([]byte) (m GetAlarm, n int, err error) { return m, 0, nil }

// ResetAlarmLog empties the alarm table.
type ResetAlarmLog struct{}

// Key implements Command.
func (ResetAlarmLog) Key() Key { return Key{Alarms, false, 0x03} }

// AppendBinary implements Command.
func (ResetAlarmLog) AppendBinary(b []byte) ([]byte, error) { return b, nil }

// ParseResetAlarmLog reads the payload, which is empty.
func ParseResetAlarmLog([]byte) (m ResetAlarmLog, n int, err error) { return m, 0, nil }

// Alarm raises an alarm (ZCL, clause 3.11.2.5; published).
//
//	code(1) clusterID(2)
type Alarm struct {
	Code      uint8 // of the cluster
	ClusterID uint16
}

// Key implements Command.
func (Alarm) Key() Key { return Key{Alarms, true, 0x00} }

// AppendBinary implements Command.
func (m Alarm) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseAlarm reads the payload.
func ParseAlarm(b []byte) (m Alarm, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *Alarm) fields(c *field.Coder) {
	field.U8(c, &m.Code)
	field.U16(c, &m.ClusterID)
}

// GetAlarmResponse answers; the fields after the status only with Success.
//
//	status(1) [code(1) clusterID(2) time(4)]
type GetAlarmResponse struct {
	Status    zcl.Status
	Code      uint8
	ClusterID uint16
	Time      UTC
}

// Key implements Command.
func (GetAlarmResponse) Key() Key { return Key{Alarms, true, 0x01} }

// AppendBinary implements Command.
func (m GetAlarmResponse) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseGetAlarmResponse reads the payload.
func ParseGetAlarmResponse(b []byte) (m GetAlarmResponse, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *GetAlarmResponse) fields(c *field.Coder) {
	field.U8(c, &m.Status)
	if m.Status == zcl.Success {
		field.U8(c, &m.Code)
		field.U16(c, &m.ClusterID)
		field.U32(c, &m.Time)
	}
}
