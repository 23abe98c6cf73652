package se

import (
	"smets1/zigbee/internal/field"
)

// Bits of a message control.
const (
	MessageTransmission    uint8  = 0x03 // 0 normal, 1 normal and inter-PAN, 2 inter-PAN
	MessageImportance      uint8  = 0x0C // 0 low to 3 critical, in bits 2 and 3
	MessageEnhancedConfirm uint8  = 0x20
	MessageConfirmRequired uint8  = 0x80
	MessageUntilChanged    uint16 = 0xFFFF // duration
	MessageStartNow        UTC    = 0
)

// DisplayMessage shows a text on a display (Smart Energy, clause D.5.2.3.1; published).
//
//	iD(4) control(1) start(4) duration(2) text(string) [extended(1)]
type DisplayMessage struct {
	ID          uint32
	Control     uint8  // Message bits
	Start       UTC    // MessageStartNow
	Duration    uint16 // minutes, MessageUntilChanged
	Text        string // at most 254 octets
	HasExtended bool   // the fields below are there
	Extended    uint8  // bit 0: message confirmed already
}

// Key implements Command.
func (DisplayMessage) Key() Key { return Key{Messaging, true, 0x00} }

// AppendBinary implements Command.
func (m DisplayMessage) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseDisplayMessage reads the payload.
func ParseDisplayMessage(b []byte) (m DisplayMessage, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *DisplayMessage) fields(c *field.Coder) {
	field.U32(c, &m.ID)
	field.U8(c, &m.Control)
	field.U32(c, &m.Start)
	field.U16(c, &m.Duration)
	field.Text(c, &m.Text, 254)
	if c.Optional(&m.HasExtended) {
		field.U8(c, &m.Extended)
	}
}

// CancelMessage takes a message back.
//
//	iD(4) control(1)
type CancelMessage struct {
	ID      uint32
	Control uint8
}

// Key implements Command.
func (CancelMessage) Key() Key { return Key{Messaging, true, 0x01} }

// AppendBinary implements Command.
func (m CancelMessage) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseCancelMessage reads the payload.
func ParseCancelMessage(b []byte) (m CancelMessage, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *CancelMessage) fields(c *field.Coder) {
	field.U32(c, &m.ID)
	field.U8(c, &m.Control)
}

// DisplayProtectedMessage shows a text to whoever proves to be the consumer.
//
//	iD(4) control(1) start(4) duration(2) text(string) [extended(1)]
type DisplayProtectedMessage struct {
	ID          uint32
	Control     uint8  // Message bits
	Start       UTC    // MessageStartNow
	Duration    uint16 // minutes, MessageUntilChanged
	Text        string // at most 254 octets
	HasExtended bool   // the fields below are there
	Extended    uint8  // bit 0: message confirmed already
}

// Key implements Command.
func (DisplayProtectedMessage) Key() Key { return Key{Messaging, true, 0x02} }

// AppendBinary implements Command.
func (m DisplayProtectedMessage) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseDisplayProtectedMessage reads the payload.
func ParseDisplayProtectedMessage(b []byte) (m DisplayProtectedMessage, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *DisplayProtectedMessage) fields(c *field.Coder) {
	field.U32(c, &m.ID)
	field.U8(c, &m.Control)
	field.U32(c, &m.Start)
	field.U16(c, &m.Duration)
	field.Text(c, &m.Text, 254)
	if c.Optional(&m.HasExtended) {
		field.U8(c, &m.Extended)
	}
}

// CancelAllMessages takes all messages back.
//
//	time(4)
type CancelAllMessages struct {
	Time UTC // when
}

// Key implements Command.
func (CancelAllMessages) Key() Key { return Key{Messaging, true, 0x03} }

// AppendBinary implements Command.
func (m CancelAllMessages) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseCancelAllMessages reads the payload.
func ParseCancelAllMessages(b []byte) (m CancelAllMessages, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *CancelAllMessages) fields(c *field.Coder) {
	field.U32(c, &m.Time)
}

// GetLastMessage asks for the message that is to be shown now.
type GetLastMessage struct{}

// Key implements Command.
func (GetLastMessage) Key() Key { return Key{Messaging, false, 0x00} }

// AppendBinary implements Command.
func (GetLastMessage) AppendBinary(b []byte) ([]byte, error) { return b, nil }

// ParseGetLastMessage reads the payload, which is empty.
func ParseGetLastMessage([]byte) (m GetLastMessage, n int, err error) { return m, 0, nil }

// MessageConfirmation tells that the consumer has seen a message.
//
//	iD(4) time(4) [control(1) [response(string)]]
type MessageConfirmation struct {
	ID          uint32
	Time        UTC
	HasControl  bool   // the fields below are there
	Control     uint8  // 1 no, 2 yes
	HasResponse bool   // the fields below are there
	Response    []byte // at most 20 octets
}

// Key implements Command.
func (MessageConfirmation) Key() Key { return Key{Messaging, false, 0x01} }

// AppendBinary implements Command.
func (m MessageConfirmation) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseMessageConfirmation reads the payload.
func ParseMessageConfirmation(b []byte) (m MessageConfirmation, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *MessageConfirmation) fields(c *field.Coder) {
	field.U32(c, &m.ID)
	field.U32(c, &m.Time)
	if c.Optional(&m.HasControl) {
		field.U8(c, &m.Control)
		if c.Optional(&m.HasResponse) {
			field.Octets(c, &m.Response, 20)
		}
	}
}

// GetMessageCancellation asks whether messages were cancelled.
//
//	earliest(4)
type GetMessageCancellation struct {
	Earliest UTC
}

// Key implements Command.
func (GetMessageCancellation) Key() Key { return Key{Messaging, false, 0x02} }

// AppendBinary implements Command.
func (m GetMessageCancellation) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseGetMessageCancellation reads the payload.
func ParseGetMessageCancellation(b []byte) (m GetMessageCancellation, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *GetMessageCancellation) fields(c *field.Coder) {
	field.U32(c, &m.Earliest)
}
