package se

import (
	"fmt"

	"smets1/zigbee/internal/field"
)

// PublishChangeOfTenancy announces new tenants (Smart Energy, clause D.10.2.3.1; published).
//
//	provider(4) eventID(4) tariffType(1) time(4) control(4)
type PublishChangeOfTenancy struct {
	Provider   uint32
	EventID    uint32
	TariffType uint8
	Time       UTC
	Control    uint32 // what to clear and reset
}

// Key implements Command.
func (PublishChangeOfTenancy) Key() Key { return Key{DeviceManagement, true, 0x00} }

// AppendBinary implements Command.
func (m PublishChangeOfTenancy) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParsePublishChangeOfTenancy reads the payload.
func ParsePublishChangeOfTenancy(b []byte) (m PublishChangeOfTenancy, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *PublishChangeOfTenancy) fields(c *field.Coder) {
	field.U32(c, &m.Provider)
	field.U32(c, &m.EventID)
	field.U8(c, &m.TariffType)
	field.U32(c, &m.Time)
	field.U32(c, &m.Control)
}

// PublishChangeOfSupplier announces a new supplier.
//
//	provider(4) eventID(4) tariffType(1) proposed(4) time(4) control(4) name(string) contact(string)
type PublishChangeOfSupplier struct {
	Provider   uint32 // current
	EventID    uint32
	TariffType uint8
	Proposed   uint32 // provider
	Time       UTC
	Control    uint32
	Name       []byte // at most 16 octets
	Contact    []byte // at most 19 octets
}

// Key implements Command.
func (PublishChangeOfSupplier) Key() Key { return Key{DeviceManagement, true, 0x01} }

// AppendBinary implements Command.
func (m PublishChangeOfSupplier) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParsePublishChangeOfSupplier reads the payload.
func ParsePublishChangeOfSupplier(b []byte) (m PublishChangeOfSupplier, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *PublishChangeOfSupplier) fields(c *field.Coder) {
	field.U32(c, &m.Provider)
	field.U32(c, &m.EventID)
	field.U8(c, &m.TariffType)
	field.U32(c, &m.Proposed)
	field.U32(c, &m.Time)
	field.U32(c, &m.Control)
	field.Octets(c, &m.Name, 16)
	field.Octets(c, &m.Contact, 19)
}

// RequestNewPasswordResponse answers.
//
//	eventID(4) time(4) duration(2) type(1) password(string)
type RequestNewPasswordResponse struct {
	EventID  uint32
	Time     UTC
	Duration uint16 // minutes, 0: for good
	Type     uint8  // 1 to 4
	Password []byte // at most 10 octets
}

// Key implements Command.
func (RequestNewPasswordResponse) Key() Key { return Key{DeviceManagement, true, 0x02} }

// AppendBinary implements Command.
func (m RequestNewPasswordResponse) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseRequestNewPasswordResponse reads the payload.
func ParseRequestNewPasswordResponse(b []byte) (m RequestNewPasswordResponse, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *RequestNewPasswordResponse) fields(c *field.Coder) {
	field.U32(c, &m.EventID)
	field.U32(c, &m.Time)
	field.U16(c, &m.Duration)
	field.U8(c, &m.Type)
	field.Octets(c, &m.Password, 10)
}

// UpdateSiteID sets the MPAN or MPRN.
//
//	eventID(4) time(4) provider(4) siteID(string)
type UpdateSiteID struct {
	EventID  uint32
	Time     UTC
	Provider uint32
	SiteID   []byte // at most 32 octets
}

// Key implements Command.
func (UpdateSiteID) Key() Key { return Key{DeviceManagement, true, 0x03} }

// AppendBinary implements Command.
func (m UpdateSiteID) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseUpdateSiteID reads the payload.
func ParseUpdateSiteID(b []byte) (m UpdateSiteID, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *UpdateSiteID) fields(c *field.Coder) {
	field.U32(c, &m.EventID)
	field.U32(c, &m.Time)
	field.U32(c, &m.Provider)
	field.Octets(c, &m.SiteID, 32)
}

// SetEventConfiguration says how events are logged and told. What it applies to depends on Control.
//
//	eventID(4) start(4) configuration(1) control(1) events
type SetEventConfiguration struct {
	EventID       uint32
	Start         UTC
	Configuration uint8 // bits 0-2 log, 3 to WAN, 4 to HAN, 5 alarm on the HAN, 6 alarm on the device
	Control       EventSelection
	Events        []uint16 // with SelectEvents: n(1) {event(2)}
	Group         uint16   // with SelectGroup: group(2)
	Log           uint8    // with SelectLog: log(1)
	Match         uint8    // with SelectMatch: configuration(1)
}

// Key implements Command.
func (SetEventConfiguration) Key() Key { return Key{DeviceManagement, true, 0x04} }

// AppendBinary implements Command.
func (m SetEventConfiguration) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseSetEventConfiguration reads the payload.
func ParseSetEventConfiguration(b []byte) (m SetEventConfiguration, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *SetEventConfiguration) fields(c *field.Coder) {
	field.U32(c, &m.EventID)
	field.U32(c, &m.Start)
	field.U8(c, &m.Configuration)
	field.U8(c, &m.Control)
	switch m.Control {
	case SelectEvents:
		field.List(c, &m.Events, field.Count8(c, len(m.Events)), field.U16[uint16])
	case SelectGroup:
		field.U16(c, &m.Group)
	case SelectLog:
		field.U8(c, &m.Log)
	case SelectMatch:
		field.U8(c, &m.Match)
	default:
		c.Fail(fmt.Errorf("se: event configuration control %d, want 0 to 3", m.Control))
	}
}

// EventSelection says which events a configuration is for.
type EventSelection uint8

// The selections.
const (
	SelectEvents EventSelection = 0
	SelectGroup  EventSelection = 1
	SelectLog    EventSelection = 2
	SelectMatch  EventSelection = 3
)

// GetEventConfiguration asks how an event, or a group xxFF of them, is logged and told.
//
//	event(2)
type GetEventConfiguration struct {
	Event uint16
}

// Key implements Command.
func (GetEventConfiguration) Key() Key { return Key{DeviceManagement, true, 0x05} }

// AppendBinary implements Command.
func (m GetEventConfiguration) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseGetEventConfiguration reads the payload.
func ParseGetEventConfiguration(b []byte) (m GetEventConfiguration, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *GetEventConfiguration) fields(c *field.Coder) {
	field.U16(c, &m.Event)
}

// UpdateCIN sets the customer identification number.
//
//	eventID(4) time(4) provider(4) cIN(string)
type UpdateCIN struct {
	EventID  uint32
	Time     UTC
	Provider uint32
	CIN      []byte // at most 24 octets
}

// Key implements Command.
func (UpdateCIN) Key() Key { return Key{DeviceManagement, true, 0x06} }

// AppendBinary implements Command.
func (m UpdateCIN) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseUpdateCIN reads the payload.
func ParseUpdateCIN(b []byte) (m UpdateCIN, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *UpdateCIN) fields(c *field.Coder) {
	field.U32(c, &m.EventID)
	field.U32(c, &m.Time)
	field.U32(c, &m.Provider)
	field.Octets(c, &m.CIN, 24)
}

// GetChangeOfTenancy asks for a change of tenancy.
type GetChangeOfTenancy struct{}

// Key implements Command.
func (GetChangeOfTenancy) Key() Key { return Key{DeviceManagement, false, 0x00} }

// AppendBinary implements Command.
func (GetChangeOfTenancy) AppendBinary(b []byte) ([]byte, error) { return b, nil }

// ParseGetChangeOfTenancy reads the payload, which is empty.
func ParseGetChangeOfTenancy([]byte) (m GetChangeOfTenancy, n int, err error) { return m, 0, nil }

// GetChangeOfSupplier asks for a change of supplier.
type GetChangeOfSupplier struct{}

// Key implements Command.
func (GetChangeOfSupplier) Key() Key { return Key{DeviceManagement, false, 0x01} }

// AppendBinary implements Command.
func (GetChangeOfSupplier) AppendBinary(b []byte) ([]byte, error) { return b, nil }

// ParseGetChangeOfSupplier reads the payload, which is empty.
func ParseGetChangeOfSupplier([]byte) (m GetChangeOfSupplier, n int, err error) { return m, 0, nil }

// RequestNewPassword asks for a password.
//
//	type(1)
type RequestNewPassword struct {
	Type uint8
}

// Key implements Command.
func (RequestNewPassword) Key() Key { return Key{DeviceManagement, false, 0x02} }

// AppendBinary implements Command.
func (m RequestNewPassword) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseRequestNewPassword reads the payload.
func ParseRequestNewPassword(b []byte) (m RequestNewPassword, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *RequestNewPassword) fields(c *field.Coder) {
	field.U8(c, &m.Type)
}

// GetSiteID asks for the MPAN or MPRN.
type GetSiteID struct{}

// Key implements Command.
func (GetSiteID) Key() Key { return Key{DeviceManagement, false, 0x03} }

// AppendBinary implements Command.
func (GetSiteID) AppendBinary(b []byte) ([]byte, error) { return b, nil }

// ParseGetSiteID reads the payload, which is empty.
func ParseGetSiteID([]byte) (m GetSiteID, n int, err error) { return m, 0, nil }

// EventConfiguration is how one event is logged and told.
//
//	event(2) configuration(1)
type EventConfiguration struct {
	Event         uint16
	Configuration uint8
}

func eventConfiguration(c *field.Coder, m *EventConfiguration) {
	field.U16(c, &m.Event)
	field.U8(c, &m.Configuration)
}

// ReportEventConfiguration answers GetEventConfiguration.
//
//	index(1) total(1) {events}
type ReportEventConfiguration struct {
	Index  uint8
	Total  uint8
	Events []EventConfiguration
}

// Key implements Command.
func (ReportEventConfiguration) Key() Key { return Key{DeviceManagement, false, 0x04} }

// AppendBinary implements Command.
func (m ReportEventConfiguration) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseReportEventConfiguration reads the payload.
func ParseReportEventConfiguration(b []byte) (m ReportEventConfiguration, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *ReportEventConfiguration) fields(c *field.Coder) {
	field.U8(c, &m.Index)
	field.U8(c, &m.Total)
	field.ListRest(c, &m.Events, eventConfiguration)
}

// GetCIN asks for the customer identification number.
type GetCIN struct{}

// Key implements Command.
func (GetCIN) Key() Key { return Key{DeviceManagement, false, 0x05} }

// AppendBinary implements Command.
func (GetCIN) AppendBinary(b []byte) ([]byte, error) { return b, nil }

// ParseGetCIN reads the payload, which is empty.
func ParseGetCIN([]byte) (m GetCIN, n int, err error) { return m, 0, nil }
