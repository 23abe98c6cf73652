package se

import (
	"fmt"

	"smets1/zigbee/internal/field"
)

// Event logs.
const (
	LogAll      uint8 = 0
	LogTamper   uint8 = 1
	LogFault    uint8 = 2
	LogGeneral  uint8 = 3
	LogSecurity uint8 = 4
	LogNetwork  uint8 = 5
)

// GetEventLog asks for events (Smart Energy, clause D.11.2.4.1; published).
//
//	control(1): 0-3 log, 4 full; event(2) start(4) end(4) most(1) offset(2)
type GetEventLog struct {
	Log    uint8  // Log, 4 bits
	Full   bool   // with the events' data
	Event  uint16 // 0: all
	Start  UTC
	End    UTC
	Most   uint8 // 0: all
	Offset uint16
}

// Key implements Command.
func (GetEventLog) Key() Key { return Key{Events, false, 0x00} }

// AppendBinary implements Command.
func (m GetEventLog) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseGetEventLog reads the payload.
func ParseGetEventLog(b []byte) (m GetEventLog, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *GetEventLog) fields(c *field.Coder) {
	v := m.Log&15 | bit(m.Full, 4)
	field.U8(c, &v)
	m.Log, m.Full = v&15, v&16 != 0
	field.U16(c, &m.Event)
	field.U32(c, &m.Start)
	field.U32(c, &m.End)
	field.U8(c, &m.Most)
	field.U16(c, &m.Offset)
}

// ClearEventLogRequest empties a log.
//
//	log(1)
type ClearEventLogRequest struct {
	Log uint8
}

// Key implements Command.
func (ClearEventLogRequest) Key() Key { return Key{Events, false, 0x01} }

// AppendBinary implements Command.
func (m ClearEventLogRequest) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseClearEventLogRequest reads the payload.
func ParseClearEventLogRequest(b []byte) (m ClearEventLogRequest, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *ClearEventLogRequest) fields(c *field.Coder) {
	field.U8(c, &m.Log)
}

// PublishEvent tells of an event as it happens.
//
//	log(1) event(2) time(4) control(1) data(string)
type PublishEvent struct {
	Log     uint8
	Event   uint16
	Time    UTC
	Control uint8  // bit 0 to the WAN, 1 to the HAN
	Data    []byte // at most 210 octets
}

// Key implements Command.
func (PublishEvent) Key() Key { return Key{Events, true, 0x00} }

// AppendBinary implements Command.
func (m PublishEvent) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParsePublishEvent reads the payload.
func ParsePublishEvent(b []byte) (m PublishEvent, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *PublishEvent) fields(c *field.Coder) {
	field.U8(c, &m.Log)
	field.U16(c, &m.Event)
	field.U32(c, &m.Time)
	field.U8(c, &m.Control)
	field.Octets(c, &m.Data, 210)
}

// LogEntry is a logged event.
//
//	log(1) event(2) time(4) data(string)
type LogEntry struct {
	Log   uint8
	Event uint16
	Time  UTC
	Data  []byte // at most 210 octets
}

func logEntry(c *field.Coder, m *LogEntry) {
	field.U8(c, &m.Log)
	field.U16(c, &m.Event)
	field.U32(c, &m.Time)
	field.Octets(c, &m.Data, 210)
}

// PublishEventLog answers.
//
//	total(2) index(1) commands(1) n and control(1): 0-3 control, 4-7 n; {entries}
type PublishEventLog struct {
	Total    uint16 // matching events
	Index    uint8
	Commands uint8
	Control  uint8      // bit 0: an event goes over to the next command
	Entries  []LogEntry // at most 15
}

// Key implements Command.
func (PublishEventLog) Key() Key { return Key{Events, true, 0x01} }

// AppendBinary implements Command.
func (m PublishEventLog) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParsePublishEventLog reads the payload.
func ParsePublishEventLog(b []byte) (m PublishEventLog, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *PublishEventLog) fields(c *field.Coder) {
	field.U16(c, &m.Total)
	field.U8(c, &m.Index)
	field.U8(c, &m.Commands)
	if len(m.Entries) > 15 || m.Control > 15 {
		c.Fail(fmt.Errorf("se: %d entries with control %d, four bits each", len(m.Entries), m.Control))
	}
	v := m.Control&15 | uint8(len(m.Entries))<<4
	field.U8(c, &v)
	m.Control = v & 15
	field.List(c, &m.Entries, int(v>>4), logEntry)
}

// ClearEventLogResponse tells which logs were emptied.
//
//	logs(1)
type ClearEventLogResponse struct {
	Logs uint8 // bit per log
}

// Key implements Command.
func (ClearEventLogResponse) Key() Key { return Key{Events, true, 0x02} }

// AppendBinary implements Command.
func (m ClearEventLogResponse) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseClearEventLogResponse reads the payload.
func ParseClearEventLogResponse(b []byte) (m ClearEventLogResponse, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *ClearEventLogResponse) fields(c *field.Coder) {
	field.U8(c, &m.Logs)
}
