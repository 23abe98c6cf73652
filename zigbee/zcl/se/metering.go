package se

import (
	"fmt"

	"smets1/zigbee/internal/field"
)

// ProfileStatus is the answer to Get Profile. It is an error when it is not ProfileSuccess.
type ProfileStatus uint8

// The answers; 4 and 5 are recalled.
const (
	ProfileSuccess          ProfileStatus = 0
	ProfileUndefinedChannel ProfileStatus = 1
	ProfileNotSupported     ProfileStatus = 2
	ProfileInvalidEndTime   ProfileStatus = 3
	ProfileTooManyPeriods   ProfileStatus = 4
	ProfileNoIntervals      ProfileStatus = 5
)

// Error says why there are no intervals.
func (s ProfileStatus) Error() string {
	switch s {
	case ProfileSuccess:
		return "profile: success"
	case ProfileUndefinedChannel:
		return "profile: the meter has no such interval channel"
	case ProfileNotSupported:
		return "profile: the meter does not record this interval channel"
	case ProfileInvalidEndTime:
		return "profile: the end time is not one of an interval"
	case ProfileTooManyPeriods:
		return "profile: more periods asked for than one answer holds"
	case ProfileNoIntervals:
		return "profile: no intervals for the time asked about"
	}
	return fmt.Sprintf("profile: status %02X (reserved)", uint8(s))
}

// NoInterval is an interval without a value; NoMirror the endpoint of a mirror that was refused.
const (
	NoInterval uint32 = 0xFFFFFF
	NoMirror   uint16 = 0xFFFF
)

// SupplyStatus is the state of the contactor or valve.
type SupplyStatus uint8

// The states.
const (
	SupplyOff      SupplyStatus = 0
	SupplyOffArmed SupplyStatus = 1
	SupplyOn       SupplyStatus = 2
)

// NotificationScheme says which notification flags a mirror tells a sleepy meter of.
type NotificationScheme uint8

// The schemes; from 0x80 on they are configured by command.
const (
	SchemeNone NotificationScheme = 0
	SchemeA    NotificationScheme = 1 // the functional flags
	SchemeB    NotificationScheme = 2 // the functional flags and flags 2 to 5
)

// Flags is how many words of flags go with a predefined scheme; 0 for others.
func (s NotificationScheme) Flags() int {
	switch s {
	case SchemeA:
		return 1
	case SchemeB:
		return 5
	default:
		return 0
	}
}

// SnapshotType is the layout of a snapshot's payload.
type SnapshotType uint8

// The types.
const (
	SnapshotTOUDelivered            SnapshotType = 0
	SnapshotTOUReceived             SnapshotType = 1
	SnapshotBlockDelivered          SnapshotType = 2
	SnapshotBlockReceived           SnapshotType = 3
	SnapshotTOUDeliveredNoBilling   SnapshotType = 4
	SnapshotTOUReceivedNoBilling    SnapshotType = 5
	SnapshotBlockDeliveredNoBilling SnapshotType = 6
	SnapshotBlockReceivedNoBilling  SnapshotType = 7
	SnapshotUnavailable             SnapshotType = 0x80
)

// Snapshot causes.
const (
	CauseGeneral          uint32 = 1 << 0
	CauseEndOfBilling     uint32 = 1 << 1
	CauseEndOfBlock       uint32 = 1 << 2
	CauseTariff           uint32 = 1 << 3
	CausePriceMatrix      uint32 = 1 << 4
	CauseManual           uint32 = 1 << 10
	CauseChangeOfTenancy  uint32 = 1 << 12
	CauseChangeOfSupplier uint32 = 1 << 13
	CauseChangeOfMode     uint32 = 1 << 14
	CauseDebtPayment      uint32 = 1 << 15
	CauseScheduled        uint32 = 1 << 16
	CauseOTA              uint32 = 1 << 17
)

// GetProfile asks for interval data (Smart Energy, clause D.3.3.3.1; published).
//
//	channel(1) endTime(4) periods(1)
type GetProfile struct {
	Channel uint8 // 0 delivered, 1 received, 2 and 3 reactive
	EndTime UTC   // 0: the latest
	Periods uint8
}

// Key implements Command.
func (GetProfile) Key() Key { return Key{Metering, false, 0x00} }

// AppendBinary implements Command.
func (m GetProfile) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseGetProfile reads the payload.
func ParseGetProfile(b []byte) (m GetProfile, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *GetProfile) fields(c *field.Coder) {
	field.U8(c, &m.Channel)
	field.U32(c, &m.EndTime)
	field.U8(c, &m.Periods)
}

// RequestMirrorResponse tells a meter the endpoint of its mirror.
//
//	endpoint(2)
type RequestMirrorResponse struct {
	Endpoint uint16 // NoMirror
}

// Key implements Command.
func (RequestMirrorResponse) Key() Key { return Key{Metering, false, 0x01} }

// AppendBinary implements Command.
func (m RequestMirrorResponse) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseRequestMirrorResponse reads the payload.
func ParseRequestMirrorResponse(b []byte) (m RequestMirrorResponse, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *RequestMirrorResponse) fields(c *field.Coder) {
	field.U16(c, &m.Endpoint)
}

// MirrorRemoved confirms that a mirror is gone.
//
//	endpoint(2)
type MirrorRemoved struct {
	Endpoint uint16
}

// Key implements Command.
func (MirrorRemoved) Key() Key { return Key{Metering, false, 0x02} }

// AppendBinary implements Command.
func (m MirrorRemoved) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseMirrorRemoved reads the payload.
func ParseMirrorRemoved(b []byte) (m MirrorRemoved, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *MirrorRemoved) fields(c *field.Coder) {
	field.U16(c, &m.Endpoint)
}

// RequestFastPollMode asks a meter to update more often for a while.
//
//	period(1) duration(1)
type RequestFastPollMode struct {
	Period   uint8 // seconds
	Duration uint8 // minutes, at most 15
}

// Key implements Command.
func (RequestFastPollMode) Key() Key { return Key{Metering, false, 0x03} }

// AppendBinary implements Command.
func (m RequestFastPollMode) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseRequestFastPollMode reads the payload.
func ParseRequestFastPollMode(b []byte) (m RequestFastPollMode, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *RequestFastPollMode) fields(c *field.Coder) {
	field.U8(c, &m.Period)
	field.U8(c, &m.Duration)
}

// SnapshotSchedule is a snapshot to be taken again and again.
//
//	iD(1) start(4) schedule(3) type(1) cause(4)
type SnapshotSchedule struct {
	ID       uint8
	Start    UTC
	Schedule uint32 // 0-19 frequency, 20-21 type, 22-23 wildcard
	Type     SnapshotType
	Cause    uint32
}

func snapshotSchedule(c *field.Coder, m *SnapshotSchedule) {
	field.U8(c, &m.ID)
	field.U32(c, &m.Start)
	field.U24(c, &m.Schedule)
	field.U8(c, &m.Type)
	field.U32(c, &m.Cause)
}

// ScheduleSnapshot sets up snapshots.
//
//	eventID(4) index(1) total(1) {schedules}
type ScheduleSnapshot struct {
	EventID   uint32
	Index     uint8
	Total     uint8
	Schedules []SnapshotSchedule
}

// Key implements Command.
func (ScheduleSnapshot) Key() Key { return Key{Metering, false, 0x04} }

// AppendBinary implements Command.
func (m ScheduleSnapshot) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseScheduleSnapshot reads the payload.
func ParseScheduleSnapshot(b []byte) (m ScheduleSnapshot, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *ScheduleSnapshot) fields(c *field.Coder) {
	field.U32(c, &m.EventID)
	field.U8(c, &m.Index)
	field.U8(c, &m.Total)
	field.ListRest(c, &m.Schedules, snapshotSchedule)
}

// TakeSnapshot takes a snapshot now.
//
//	cause(4)
type TakeSnapshot struct {
	Cause uint32
}

// Key implements Command.
func (TakeSnapshot) Key() Key { return Key{Metering, false, 0x05} }

// AppendBinary implements Command.
func (m TakeSnapshot) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseTakeSnapshot reads the payload.
func ParseTakeSnapshot(b []byte) (m TakeSnapshot, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *TakeSnapshot) fields(c *field.Coder) {
	field.U32(c, &m.Cause)
}

// GetSnapshot asks for snapshots.
//
//	earliest(4) latest(4) offset(1) cause(4)
type GetSnapshot struct {
	Earliest UTC
	Latest   UTC
	Offset   uint8
	Cause    uint32 // FFFFFFFF any
}

// Key implements Command.
func (GetSnapshot) Key() Key { return Key{Metering, false, 0x06} }

// AppendBinary implements Command.
func (m GetSnapshot) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseGetSnapshot reads the payload.
func ParseGetSnapshot(b []byte) (m GetSnapshot, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *GetSnapshot) fields(c *field.Coder) {
	field.U32(c, &m.Earliest)
	field.U32(c, &m.Latest)
	field.U8(c, &m.Offset)
	field.U32(c, &m.Cause)
}

// StartSampling starts recording.
//
//	eventID(4) start(4) type(1) interval(2) most(2)
type StartSampling struct {
	EventID  uint32
	Start    UTC
	Type     uint8  // 0 consumption delivered, …
	Interval uint16 // seconds
	Most     uint16 // samples
}

// Key implements Command.
func (StartSampling) Key() Key { return Key{Metering, false, 0x07} }

// AppendBinary implements Command.
func (m StartSampling) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseStartSampling reads the payload.
func ParseStartSampling(b []byte) (m StartSampling, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *StartSampling) fields(c *field.Coder) {
	field.U32(c, &m.EventID)
	field.U32(c, &m.Start)
	field.U8(c, &m.Type)
	field.U16(c, &m.Interval)
	field.U16(c, &m.Most)
}

// GetSampledData asks for samples.
//
//	iD(2) earliest(4) type(1) most(2)
type GetSampledData struct {
	ID       uint16
	Earliest UTC
	Type     uint8
	Most     uint16
}

// Key implements Command.
func (GetSampledData) Key() Key { return Key{Metering, false, 0x08} }

// AppendBinary implements Command.
func (m GetSampledData) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseGetSampledData reads the payload.
func ParseGetSampledData(b []byte) (m GetSampledData, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *GetSampledData) fields(c *field.Coder) {
	field.U16(c, &m.ID)
	field.U32(c, &m.Earliest)
	field.U8(c, &m.Type)
	field.U16(c, &m.Most)
}

// MirrorReportAttributeResponse tells a sleepy meter what waits for it: exactly one word of flags in scheme A, five in
// scheme B.
//
//	scheme(1) flags(4 each)
type MirrorReportAttributeResponse struct {
	Scheme NotificationScheme
	Flags  []uint32 // functional, then flags 2 to 5
}

// Key implements Command.
func (MirrorReportAttributeResponse) Key() Key { return Key{Metering, false, 0x09} }

// AppendBinary implements Command.
func (m MirrorReportAttributeResponse) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseMirrorReportAttributeResponse reads the payload.
func ParseMirrorReportAttributeResponse(b []byte) (m MirrorReportAttributeResponse, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *MirrorReportAttributeResponse) fields(c *field.Coder) {
	field.U8(c, &m.Scheme)
	field.ListRest(c, &m.Flags, field.U32[uint32])
	if n := m.Scheme.Flags(); n != 0 && c.Err() == nil && len(m.Flags) != n {
		c.Fail(fmt.Errorf("se: %d words of notification flags in scheme %d, which has %d", len(m.Flags), m.Scheme, n))
	}
}

// ResetLoadLimitCounter sets the load limit counter to zero.
//
//	provider(4) eventID(4)
type ResetLoadLimitCounter struct {
	Provider uint32
	EventID  uint32
}

// Key implements Command.
func (ResetLoadLimitCounter) Key() Key { return Key{Metering, false, 0x0A} }

// AppendBinary implements Command.
func (m ResetLoadLimitCounter) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseResetLoadLimitCounter reads the payload.
func ParseResetLoadLimitCounter(b []byte) (m ResetLoadLimitCounter, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *ResetLoadLimitCounter) fields(c *field.Coder) {
	field.U32(c, &m.Provider)
	field.U32(c, &m.EventID)
}

// ChangeSupply switches the supply.
//
//	provider(4) eventID(4) requested(4) time(4) status(1) control(1)
type ChangeSupply struct {
	Provider  uint32
	EventID   uint32
	Requested UTC
	Time      UTC // when
	Status    SupplyStatus
	Control   uint8 // bit 0: acknowledge
}

// Key implements Command.
func (ChangeSupply) Key() Key { return Key{Metering, false, 0x0B} }

// AppendBinary implements Command.
func (m ChangeSupply) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseChangeSupply reads the payload.
func ParseChangeSupply(b []byte) (m ChangeSupply, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *ChangeSupply) fields(c *field.Coder) {
	field.U32(c, &m.Provider)
	field.U32(c, &m.EventID)
	field.U32(c, &m.Requested)
	field.U32(c, &m.Time)
	field.U8(c, &m.Status)
	field.U8(c, &m.Control)
}

// LocalChangeSupply switches the supply from a display: on, or armed.
//
//	status(1)
type LocalChangeSupply struct {
	Status SupplyStatus
}

// Key implements Command.
func (LocalChangeSupply) Key() Key { return Key{Metering, false, 0x0C} }

// AppendBinary implements Command.
func (m LocalChangeSupply) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseLocalChangeSupply reads the payload.
func ParseLocalChangeSupply(b []byte) (m LocalChangeSupply, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *LocalChangeSupply) fields(c *field.Coder) {
	field.U8(c, &m.Status)
}

// SetSupplyStatus says what the supply does after events.
//
//	eventID(4) tamper(1) depletion(1) uncontrolledFlow(1) loadLimit(1)
type SetSupplyStatus struct {
	EventID          uint32
	Tamper           SupplyStatus
	Depletion        SupplyStatus
	UncontrolledFlow SupplyStatus
	LoadLimit        SupplyStatus
}

// Key implements Command.
func (SetSupplyStatus) Key() Key { return Key{Metering, false, 0x0D} }

// AppendBinary implements Command.
func (m SetSupplyStatus) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseSetSupplyStatus reads the payload.
func ParseSetSupplyStatus(b []byte) (m SetSupplyStatus, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *SetSupplyStatus) fields(c *field.Coder) {
	field.U32(c, &m.EventID)
	field.U8(c, &m.Tamper)
	field.U8(c, &m.Depletion)
	field.U8(c, &m.UncontrolledFlow)
	field.U8(c, &m.LoadLimit)
}

// SetUncontrolledFlowThreshold says how much gas may flow while a valve opens.
//
//	provider(4) eventID(4) threshold(2) unit(1) multiplier(2) divisor(2) stabilisation(1) measurement(2)
type SetUncontrolledFlowThreshold struct {
	Provider      uint32
	EventID       uint32
	Threshold     uint16
	Unit          uint8
	Multiplier    uint16
	Divisor       uint16
	Stabilisation uint8  // tenths of a second
	Measurement   uint16 // seconds
}

// Key implements Command.
func (SetUncontrolledFlowThreshold) Key() Key { return Key{Metering, false, 0x0E} }

// AppendBinary implements Command.
func (m SetUncontrolledFlowThreshold) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseSetUncontrolledFlowThreshold reads the payload.
func ParseSetUncontrolledFlowThreshold(b []byte) (m SetUncontrolledFlowThreshold, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *SetUncontrolledFlowThreshold) fields(c *field.Coder) {
	field.U32(c, &m.Provider)
	field.U32(c, &m.EventID)
	field.U16(c, &m.Threshold)
	field.U8(c, &m.Unit)
	field.U16(c, &m.Multiplier)
	field.U16(c, &m.Divisor)
	field.U8(c, &m.Stabilisation)
	field.U16(c, &m.Measurement)
}

// GetProfileResponse answers, the newest interval first.
//
//	endTime(4) status(1) period(1) n(1) intervals(3 each)
type GetProfileResponse struct {
	EndTime   UTC // of the newest
	Status    ProfileStatus
	Period    uint8    // 0 daily, 1 60 min, 2 30 min, 3 15 min, 4 10 min, 5 7.5 min, 6 5 min, 7 2.5 min, 8 1 min
	Intervals []uint32 // 24 bits each, NoInterval
}

// Key implements Command.
func (GetProfileResponse) Key() Key { return Key{Metering, true, 0x00} }

// AppendBinary implements Command.
func (m GetProfileResponse) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseGetProfileResponse reads the payload.
func ParseGetProfileResponse(b []byte) (m GetProfileResponse, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *GetProfileResponse) fields(c *field.Coder) {
	field.U32(c, &m.EndTime)
	field.U8(c, &m.Status)
	field.U8(c, &m.Period)
	field.List(c, &m.Intervals, field.Count8(c, len(m.Intervals)), field.U24[uint32])
}

// RequestMirror asks the hub for a mirror.
type RequestMirror struct{}

// Key implements Command.
func (RequestMirror) Key() Key { return Key{Metering, true, 0x01} }

// AppendBinary implements Command.
func (RequestMirror) AppendBinary(b []byte) ([]byte, error) { return b, nil }

// ParseRequestMirror reads the payload, which is empty.
func ParseRequestMirror([]byte) (m RequestMirror, n int, err error) { return m, 0, nil }

// RemoveMirror asks the hub to remove the mirror.
type RemoveMirror struct{}

// Key implements Command.
func (RemoveMirror) Key() Key { return Key{Metering, true, 0x02} }

// AppendBinary implements Command.
func (RemoveMirror) AppendBinary(b []byte) ([]byte, error) { return b, nil }

// ParseRemoveMirror reads the payload, which is empty.
func ParseRemoveMirror([]byte) (m RemoveMirror, n int, err error) { return m, 0, nil }

// RequestFastPollModeResponse answers.
//
//	period(1) end(4)
type RequestFastPollModeResponse struct {
	Period uint8 // seconds, as applied
	End    UTC
}

// Key implements Command.
func (RequestFastPollModeResponse) Key() Key { return Key{Metering, true, 0x03} }

// AppendBinary implements Command.
func (m RequestFastPollModeResponse) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseRequestFastPollModeResponse reads the payload.
func ParseRequestFastPollModeResponse(b []byte) (m RequestFastPollModeResponse, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *RequestFastPollModeResponse) fields(c *field.Coder) {
	field.U8(c, &m.Period)
	field.U32(c, &m.End)
}

// ScheduleConfirmation is the answer for one schedule.
//
//	iD(1) confirmation(1)
type ScheduleConfirmation struct {
	ID           uint8
	Confirmation uint8 // 0 accepted, 1 type, 2 cause, 4 not supported, 5 no room
}

func scheduleConfirmation(c *field.Coder, m *ScheduleConfirmation) {
	field.U8(c, &m.ID)
	field.U8(c, &m.Confirmation)
}

// ScheduleSnapshotResponse answers.
//
//	eventID(4) {confirmations}
type ScheduleSnapshotResponse struct {
	EventID       uint32
	Confirmations []ScheduleConfirmation
}

// Key implements Command.
func (ScheduleSnapshotResponse) Key() Key { return Key{Metering, true, 0x04} }

// AppendBinary implements Command.
func (m ScheduleSnapshotResponse) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseScheduleSnapshotResponse reads the payload.
func ParseScheduleSnapshotResponse(b []byte) (m ScheduleSnapshotResponse, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *ScheduleSnapshotResponse) fields(c *field.Coder) {
	field.U32(c, &m.EventID)
	field.ListRest(c, &m.Confirmations, scheduleConfirmation)
}

// TakeSnapshotResponse answers.
//
//	iD(4) confirmation(1)
type TakeSnapshotResponse struct {
	ID           uint32
	Confirmation uint8 // 0 accepted, 1 cause not supported
}

// Key implements Command.
func (TakeSnapshotResponse) Key() Key { return Key{Metering, true, 0x05} }

// AppendBinary implements Command.
func (m TakeSnapshotResponse) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseTakeSnapshotResponse reads the payload.
func ParseTakeSnapshotResponse(b []byte) (m TakeSnapshotResponse, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *TakeSnapshotResponse) fields(c *field.Coder) {
	field.U32(c, &m.ID)
	field.U8(c, &m.Confirmation)
}

// PublishSnapshot gives a snapshot; see TOUSnapshot for its payload.
//
//	iD(4) time(4) found(1) index(1) total(1) cause(4) type(1) payload(rest)
type PublishSnapshot struct {
	ID      uint32
	Time    UTC
	Found   uint8
	Index   uint8
	Total   uint8
	Cause   uint32
	Type    SnapshotType
	Payload []byte // to the end
}

// Key implements Command.
func (PublishSnapshot) Key() Key { return Key{Metering, true, 0x06} }

// AppendBinary implements Command.
func (m PublishSnapshot) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParsePublishSnapshot reads the payload.
func ParsePublishSnapshot(b []byte) (m PublishSnapshot, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *PublishSnapshot) fields(c *field.Coder) {
	field.U32(c, &m.ID)
	field.U32(c, &m.Time)
	field.U8(c, &m.Found)
	field.U8(c, &m.Index)
	field.U8(c, &m.Total)
	field.U32(c, &m.Cause)
	field.U8(c, &m.Type)
	field.Rest(c, &m.Payload)
}

// GetSampledDataResponse gives samples.
//
//	iD(2) start(4) type(1) interval(2) n(2) samples(3 each)
type GetSampledDataResponse struct {
	ID       uint16
	Start    UTC
	Type     uint8
	Interval uint16   // seconds
	Samples  []uint32 // 24 bits each
}

// Key implements Command.
func (GetSampledDataResponse) Key() Key { return Key{Metering, true, 0x07} }

// AppendBinary implements Command.
func (m GetSampledDataResponse) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseGetSampledDataResponse reads the payload.
func ParseGetSampledDataResponse(b []byte) (m GetSampledDataResponse, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *GetSampledDataResponse) fields(c *field.Coder) {
	field.U16(c, &m.ID)
	field.U32(c, &m.Start)
	field.U8(c, &m.Type)
	field.U16(c, &m.Interval)
	n := uint16(len(m.Samples))
	field.U16(c, &n)
	field.List(c, &m.Samples, int(n), field.U24[uint32])
}

// ConfigureMirror sets up a two-way mirror.
//
//	eventID(4) interval(3) notifications(1) scheme(1)
type ConfigureMirror struct {
	EventID       uint32
	Interval      uint32 // seconds between reports
	Notifications bool   // the hub answers reports
	Scheme        NotificationScheme
}

// Key implements Command.
func (ConfigureMirror) Key() Key { return Key{Metering, true, 0x08} }

// AppendBinary implements Command.
func (m ConfigureMirror) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseConfigureMirror reads the payload.
func ParseConfigureMirror(b []byte) (m ConfigureMirror, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *ConfigureMirror) fields(c *field.Coder) {
	field.U32(c, &m.EventID)
	field.U24(c, &m.Interval)
	field.Bool(c, &m.Notifications)
	field.U8(c, &m.Scheme)
}

// ConfigureNotificationScheme sets up a scheme of one's own.
//
//	eventID(4) scheme(1) order(4)
type ConfigureNotificationScheme struct {
	EventID uint32
	Scheme  NotificationScheme
	Order   uint32 // a nibble per word of flags
}

// Key implements Command.
func (ConfigureNotificationScheme) Key() Key { return Key{Metering, true, 0x09} }

// AppendBinary implements Command.
func (m ConfigureNotificationScheme) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseConfigureNotificationScheme reads the payload.
func ParseConfigureNotificationScheme(b []byte) (m ConfigureNotificationScheme, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *ConfigureNotificationScheme) fields(c *field.Coder) {
	field.U32(c, &m.EventID)
	field.U8(c, &m.Scheme)
	field.U32(c, &m.Order)
}

// ConfigureNotificationFlags says what the bits of a word of flags mean.
//
//	eventID(4) scheme(1) attribute(2) clusterID(2) manufacturer(2) n(1) commands(n)
type ConfigureNotificationFlags struct {
	EventID      uint32
	Scheme       NotificationScheme
	Attribute    uint16
	ClusterID    uint16
	Manufacturer uint16
	Commands     []byte // one per bit
}

// Key implements Command.
func (ConfigureNotificationFlags) Key() Key { return Key{Metering, true, 0x0A} }

// AppendBinary implements Command.
func (m ConfigureNotificationFlags) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseConfigureNotificationFlags reads the payload.
func ParseConfigureNotificationFlags(b []byte) (m ConfigureNotificationFlags, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *ConfigureNotificationFlags) fields(c *field.Coder) {
	field.U32(c, &m.EventID)
	field.U8(c, &m.Scheme)
	field.U16(c, &m.Attribute)
	field.U16(c, &m.ClusterID)
	field.U16(c, &m.Manufacturer)
	field.Raw(c, &m.Commands, field.Count8(c, len(m.Commands)))
}

// GetNotifiedMessage asks the hub for what the flags told of.
//
//	scheme(1) attribute(2) flags(4)
type GetNotifiedMessage struct {
	Scheme    NotificationScheme
	Attribute uint16 // which word
	Flags     uint32 // the bit asked for
}

// Key implements Command.
func (GetNotifiedMessage) Key() Key { return Key{Metering, true, 0x0B} }

// AppendBinary implements Command.
func (m GetNotifiedMessage) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseGetNotifiedMessage reads the payload.
func ParseGetNotifiedMessage(b []byte) (m GetNotifiedMessage, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *GetNotifiedMessage) fields(c *field.Coder) {
	field.U8(c, &m.Scheme)
	field.U16(c, &m.Attribute)
	field.U32(c, &m.Flags)
}

// SupplyStatusResponse tells that the supply was switched.
//
//	provider(4) eventID(4) time(4) status(1)
type SupplyStatusResponse struct {
	Provider uint32
	EventID  uint32
	Time     UTC
	Status   SupplyStatus
}

// Key implements Command.
func (SupplyStatusResponse) Key() Key { return Key{Metering, true, 0x0C} }

// AppendBinary implements Command.
func (m SupplyStatusResponse) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseSupplyStatusResponse reads the payload.
func ParseSupplyStatusResponse(b []byte) (m SupplyStatusResponse, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *SupplyStatusResponse) fields(c *field.Coder) {
	field.U32(c, &m.Provider)
	field.U32(c, &m.EventID)
	field.U32(c, &m.Time)
	field.U8(c, &m.Status)
}

// StartSamplingResponse answers.
//
//	iD(2)
type StartSamplingResponse struct {
	ID uint16
}

// Key implements Command.
func (StartSamplingResponse) Key() Key { return Key{Metering, true, 0x0D} }

// AppendBinary implements Command.
func (m StartSamplingResponse) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseStartSamplingResponse reads the payload.
func ParseStartSamplingResponse(b []byte) (m StartSamplingResponse, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *StartSamplingResponse) fields(c *field.Coder) {
	field.U16(c, &m.ID)
}

// Billing is the money in a snapshot.
type Billing struct {
	ToDate        uint32
	ToDateAt      UTC
	Projected     uint32
	ProjectedAt   UTC
	TrailingDigit uint8
}

func billing(c *field.Coder, m *Billing) {
	field.U32(c, &m.ToDate)
	field.U32(c, &m.ToDateAt)
	field.U32(c, &m.Projected)
	field.U32(c, &m.ProjectedAt)
	field.U8(c, &m.TrailingDigit)
}

// TOUSnapshot is the payload of a snapshot with time-of-use registers, types 0, 1, 4 and 5.
//
//	summation(6) [toDate(4) at(4) projected(4) at(4) digit(1)] n(1) tiers(6 each)
type TOUSnapshot struct {
	HasBilling bool // types 0 and 1
	Summation  uint64
	Billing    Billing
	Tiers      []uint64
}

// AppendBinary appends the payload.
func (m TOUSnapshot) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseTOUSnapshot reads the payload of a snapshot of type t.
func ParseTOUSnapshot(t SnapshotType, b []byte) (m TOUSnapshot, n int, err error) {
	switch t {
	case SnapshotTOUDelivered, SnapshotTOUReceived:
		m.HasBilling = true
	case SnapshotTOUDeliveredNoBilling, SnapshotTOUReceivedNoBilling:
	default:
		return m, 0, fmt.Errorf("se: snapshot type %d has no time-of-use registers", t)
	}
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *TOUSnapshot) fields(c *field.Coder) {
	field.U48(c, &m.Summation)
	if m.HasBilling {
		billing(c, &m.Billing)
	}
	field.List(c, &m.Tiers, field.Count8(c, len(m.Tiers)), field.U48[uint64])
}
