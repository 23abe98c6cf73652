package se

import (
	"smets1/zigbee/internal/field"
)

// Values of load control fields that are not used.
const (
	NoTemperature   int16 = -0x8000
	NoOffset        uint8 = 0xFF
	NoLoadPercent   int8  = -0x80
	NoDutyCycle     uint8 = 0xFF
	NoSignature     uint8 = 0
	signatureOctets       = 42
)

// LoadControlEvent asks loads to be shed (Smart Energy, clause D.2.2.3.1; published).
//
//	eventID(4) deviceClass(2) group(1) start(4) duration(2) criticality(1) coolingOffset(1) heatingOffset(1) coolingSetPoint(2) heatingSetPoint(2) loadAdjustment(1) dutyCycle(1) control(1)
type LoadControlEvent struct {
	EventID         uint32
	DeviceClass     uint16 // bit per kind of load
	Group           uint8  // utility enrolment group, 0 all
	Start           UTC    // 0: now
	Duration        uint16 // minutes
	Criticality     uint8  // 1 to 15
	CoolingOffset   uint8  // 0.1 °C, NoOffset
	HeatingOffset   uint8  // 0.1 °C, NoOffset
	CoolingSetPoint int16  // 0.01 °C, NoTemperature
	HeatingSetPoint int16  // 0.01 °C, NoTemperature
	LoadAdjustment  int8   // per cent, NoLoadPercent
	DutyCycle       uint8  // per cent on, NoDutyCycle
	Control         uint8  // bits 0, 1: randomise start, duration
}

// Key implements Command.
func (LoadControlEvent) Key() Key { return Key{DRLC, true, 0x00} }

// AppendBinary implements Command.
func (m LoadControlEvent) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseLoadControlEvent reads the payload.
func ParseLoadControlEvent(b []byte) (m LoadControlEvent, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *LoadControlEvent) fields(c *field.Coder) {
	field.U32(c, &m.EventID)
	field.U16(c, &m.DeviceClass)
	field.U8(c, &m.Group)
	field.U32(c, &m.Start)
	field.U16(c, &m.Duration)
	field.U8(c, &m.Criticality)
	field.U8(c, &m.CoolingOffset)
	field.U8(c, &m.HeatingOffset)
	field.I16(c, &m.CoolingSetPoint)
	field.I16(c, &m.HeatingSetPoint)
	field.I8(c, &m.LoadAdjustment)
	field.U8(c, &m.DutyCycle)
	field.U8(c, &m.Control)
}

// CancelLoadControlEvent takes an event back.
//
//	eventID(4) deviceClass(2) group(1) control(1) effective(4)
type CancelLoadControlEvent struct {
	EventID     uint32
	DeviceClass uint16
	Group       uint8
	Control     uint8 // bit 0: end with randomisation
	Effective   UTC   // always 0 since Smart Energy 1.1
}

// Key implements Command.
func (CancelLoadControlEvent) Key() Key { return Key{DRLC, true, 0x01} }

// AppendBinary implements Command.
func (m CancelLoadControlEvent) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseCancelLoadControlEvent reads the payload.
func ParseCancelLoadControlEvent(b []byte) (m CancelLoadControlEvent, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *CancelLoadControlEvent) fields(c *field.Coder) {
	field.U32(c, &m.EventID)
	field.U16(c, &m.DeviceClass)
	field.U8(c, &m.Group)
	field.U8(c, &m.Control)
	field.U32(c, &m.Effective)
}

// CancelAllLoadControlEvents takes all events back.
//
//	control(1)
type CancelAllLoadControlEvents struct {
	Control uint8
}

// Key implements Command.
func (CancelAllLoadControlEvents) Key() Key { return Key{DRLC, true, 0x02} }

// AppendBinary implements Command.
func (m CancelAllLoadControlEvents) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseCancelAllLoadControlEvents reads the payload.
func ParseCancelAllLoadControlEvents(b []byte) (m CancelAllLoadControlEvents, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *CancelAllLoadControlEvents) fields(c *field.Coder) {
	field.U8(c, &m.Control)
}

// ReportEventStatus tells what a load does with an event.
//
//	eventID(4) status(1) time(4) criticality(1) coolingSetPoint(2) heatingSetPoint(2) loadAdjustment(1) dutyCycle(1) control(1) signatureType(1) signature(42)
type ReportEventStatus struct {
	EventID         uint32
	Status          uint8 // 1 received, 2 started, 3 completed, 4 opted out, 5 opted in, 6 cancelled, 7 superseded, …
	Time            UTC
	Criticality     uint8
	CoolingSetPoint int16
	HeatingSetPoint int16
	LoadAdjustment  int8
	DutyCycle       uint8
	Control         uint8
	SignatureType   uint8                 // NoSignature, 1 ECDSA
	Signature       [signatureOctets]byte // FF everywhere without one
}

// Key implements Command.
func (ReportEventStatus) Key() Key { return Key{DRLC, false, 0x00} }

// AppendBinary implements Command.
func (m ReportEventStatus) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseReportEventStatus reads the payload.
func ParseReportEventStatus(b []byte) (m ReportEventStatus, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *ReportEventStatus) fields(c *field.Coder) {
	field.U32(c, &m.EventID)
	field.U8(c, &m.Status)
	field.U32(c, &m.Time)
	field.U8(c, &m.Criticality)
	field.I16(c, &m.CoolingSetPoint)
	field.I16(c, &m.HeatingSetPoint)
	field.I8(c, &m.LoadAdjustment)
	field.U8(c, &m.DutyCycle)
	field.U8(c, &m.Control)
	field.U8(c, &m.SignatureType)
	field.Fixed(c, m.Signature[:])
}

// GetScheduledEvents asks for events.
//
//	start(4) most(1) [minimumEventID(4)]
type GetScheduledEvents struct {
	Start          UTC
	Most           uint8 // 0: all
	HasMinimum     bool  // of Smart Energy 1.2
	MinimumEventID uint32
}

// Key implements Command.
func (GetScheduledEvents) Key() Key { return Key{DRLC, false, 0x01} }

// AppendBinary implements Command.
func (m GetScheduledEvents) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseGetScheduledEvents reads the payload.
func ParseGetScheduledEvents(b []byte) (m GetScheduledEvents, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *GetScheduledEvents) fields(c *field.Coder) {
	field.U32(c, &m.Start)
	field.U8(c, &m.Most)
	if c.Optional(&m.HasMinimum) {
		field.U32(c, &m.MinimumEventID)
	}
}
