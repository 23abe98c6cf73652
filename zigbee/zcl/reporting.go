package zcl

import (
	"fmt"

	"smets1/zigbee/internal/field"
)

// Direction says which end of reporting is meant.
type Direction uint8

// The directions.
const (
	Reported Direction = 0 // the receiver of the command sends reports
	Received Direction = 1 // the receiver of the command gets reports
)

// Reporting configures reports of one attribute.
//
//	direction(1) id(2) and of 0: type(1) min(2, s) max(2, s) [change, for analogue types]; of 1: timeout(2, s)
type Reporting struct {
	Direction Direction
	ID        Attr
	// With Reported: the type, the shortest and longest interval in seconds (longest FFFF: none), and the change.
	Type     DataType
	Min, Max uint16
	Change   Value  // of Type, for analogue types
	Timeout  uint16 // with Received, in seconds; 0: none
}

func (r *Reporting) tail(c *field.Coder) {
	switch r.Direction {
	case Reported:
		field.U8(c, &r.Type)
		field.U16(c, &r.Min)
		field.U16(c, &r.Max)
		if r.Type.Analogue() {
			if c.Writing() && r.Change.Type != r.Type {
				c.Fail(fmt.Errorf("zcl: change of type %s for an attribute of %s: %w", r.Change.Type, r.Type, ErrDataType))
			}
			r.Change.Type = r.Type
			value(c, &r.Change)
		}
	case Received:
		field.U16(c, &r.Timeout)
	default:
		c.Fail(fmt.Errorf("zcl: reporting direction %d: %w", r.Direction, ErrFormat))
	}
}

func reporting(c *field.Coder, r *Reporting) {
	field.U8(c, &r.Direction)
	field.U16(c, &r.ID)
	r.tail(c)
}

// ReportingKey names one configuration.
type ReportingKey struct {
	Direction Direction
	ID        Attr
}

func reportingKey(c *field.Coder, k *ReportingKey) {
	field.U8(c, &k.Direction)
	field.U16(c, &k.ID)
}

// ReportingStatus is the answer for one attribute.
type ReportingStatus struct {
	Status    Status
	Direction Direction
	ID        Attr
}

// ConfigureReporting configures reports (ZCL, clause 2.5.7; published).
//
//	{reporting}
type ConfigureReporting struct {
	Reports []Reporting
}

// GlobalID implements Global.
func (ConfigureReporting) GlobalID() GlobalID { return CmdConfigureReporting }

// AppendBinary implements Global.
func (m ConfigureReporting) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *ConfigureReporting) fields(c *field.Coder) {
	field.ListRest(c, &m.Reports, reporting)
}

// ConfigureReportingResponse answers: the failures, or one octet if there were none (ZCL, clause 2.5.8; published).
//
//	status(1)=00 | {status(1) direction(1) id(2)}
type ConfigureReportingResponse struct {
	Failures []ReportingStatus
}

// GlobalID implements Global.
func (ConfigureReportingResponse) GlobalID() GlobalID { return CmdConfigureReportingResponse }

// AppendBinary implements Global.
func (m ConfigureReportingResponse) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *ConfigureReportingResponse) fields(c *field.Coder) {
	if c.Writing() && len(m.Failures) == 0 || c.Left() == 1 {
		var s Status
		if field.U8(c, &s); s != Success {
			c.Fail(s)
		}
		return
	}
	field.ListRest(c, &m.Failures, func(c *field.Coder, s *ReportingStatus) {
		field.U8(c, &s.Status)
		field.U8(c, &s.Direction)
		field.U16(c, &s.ID)
	})
}

// ReadReportingConfiguration asks for configurations (ZCL, clause 2.5.9; published).
//
//	{direction(1) id(2)}
type ReadReportingConfiguration struct {
	Keys []ReportingKey
}

// GlobalID implements Global.
func (ReadReportingConfiguration) GlobalID() GlobalID { return CmdReadReportingConfiguration }

// AppendBinary implements Global.
func (m ReadReportingConfiguration) AppendBinary(b []byte) ([]byte, error) { return write(b, &m) }

func (m *ReadReportingConfiguration) fields(c *field.Coder) {
	field.ListRest(c, &m.Keys, reportingKey)
}

// ReportingResult is the configuration of one attribute, or why there is none.
type ReportingResult struct {
	Status Status
	Reporting
}

// ReadReportingConfigurationResponse answers (ZCL, clause 2.5.10; published).
//
//	{status(1) direction(1) id(2) [as reporting]}
type ReadReportingConfigurationResponse struct {
	Results []ReportingResult
}

// GlobalID implements Global.
func (ReadReportingConfigurationResponse) GlobalID() GlobalID {
	return CmdReadReportingConfigurationResponse
}

// AppendBinary implements Global.
func (m ReadReportingConfigurationResponse) AppendBinary(b []byte) ([]byte, error) {
	return write(b, &m)
}

func (m *ReadReportingConfigurationResponse) fields(c *field.Coder) {
	field.ListRest(c, &m.Results, func(c *field.Coder, r *ReportingResult) {
		field.U8(c, &r.Status)
		field.U8(c, &r.Direction)
		field.U16(c, &r.ID)
		if r.Status == Success {
			r.tail(c)
		}
	})
}
