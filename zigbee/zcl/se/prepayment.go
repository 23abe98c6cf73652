package se

import (
	"fmt"

	"smets1/zigbee/internal/field"
)

// TopUpResult is the answer to a top-up. It is an error when it is not an acceptance.
type TopUpResult uint8

// The answers (Smart Energy, table D-137; published).
const (
	TopUpAccepted          TopUpResult = 0x00
	TopUpInvalid           TopUpResult = 0x01
	TopUpDuplicate         TopUpResult = 0x02
	TopUpError             TopUpResult = 0x03
	TopUpMaxCredit         TopUpResult = 0x04
	TopUpKeypadLocked      TopUpResult = 0x05
	TopUpTooLarge          TopUpResult = 0x06
	TopUpAcceptedSupplyOn  TopUpResult = 0x10
	TopUpAcceptedSupplyOff TopUpResult = 0x11
	TopUpAcceptedArmed     TopUpResult = 0x12
)

// Accepted tells whether the credit was added.
func (r TopUpResult) Accepted() bool {
	return r == TopUpAccepted || r >= TopUpAcceptedSupplyOn && r <= TopUpAcceptedArmed
}

// Error says what the meter decided.
func (r TopUpResult) Error() string {
	switch r {
	case TopUpAccepted, TopUpAcceptedSupplyOn, TopUpAcceptedSupplyOff, TopUpAcceptedArmed:
		return "top-up accepted"
	case TopUpInvalid:
		return "top-up refused: the code is not valid for this meter"
	case TopUpDuplicate:
		return "top-up refused: the code was used before"
	case TopUpError:
		return "top-up failed in the meter"
	case TopUpMaxCredit:
		return "top-up refused: the credit would exceed the maximum"
	case TopUpKeypadLocked:
		return "top-up refused: the keypad is locked after too many wrong codes"
	case TopUpTooLarge:
		return "top-up refused: more than one top-up may add"
	}
	return fmt.Sprintf("top-up result %02X (reserved)", uint8(r))
}

// Originator says where a command came from.
type Originator uint8

// The originators.
const (
	FromESI   Originator = 0
	FromMeter Originator = 1
	FromIHD   Originator = 2
)

// SelectEmergencyCredit activates the emergency credit (Smart Energy, clause D.7.2.3.1; published).
//
//	time(4) originator(1)
type SelectEmergencyCredit struct {
	Time       UTC
	Originator Originator
}

// Key implements Command.
func (SelectEmergencyCredit) Key() Key { return Key{Prepayment, false, 0x00} }

// AppendBinary implements Command.
func (m SelectEmergencyCredit) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseSelectEmergencyCredit reads the payload.
func ParseSelectEmergencyCredit(b []byte) (m SelectEmergencyCredit, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *SelectEmergencyCredit) fields(c *field.Coder) {
	field.U32(c, &m.Time)
	field.U8(c, &m.Originator)
}

// ChangeDebt sets up a debt.
//
//	eventID(4) label(string) amount(4) method(1) amountType(1) start(4) collectionTime(2) frequency(1) recoveryAmount(4) recoveryPercentage(2)
type ChangeDebt struct {
	EventID            uint32
	Label              []byte // at most 12 octets
	Amount             int32
	Method             uint8 // 0 time, 1 percentage of top-ups, 2 catch-up
	AmountType         uint8 // 0-2 set debt 1-3, 3-5 add to debt 1-3
	Start              UTC
	CollectionTime     uint16 // minutes after midnight
	Frequency          uint8  // 0 hourly, 1 daily, 2 weekly, 3 monthly, 4 quarterly
	RecoveryAmount     int32
	RecoveryPercentage uint16 // 0.01 %
}

// Key implements Command.
func (ChangeDebt) Key() Key { return Key{Prepayment, false, 0x02} }

// AppendBinary implements Command.
func (m ChangeDebt) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseChangeDebt reads the payload.
func ParseChangeDebt(b []byte) (m ChangeDebt, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *ChangeDebt) fields(c *field.Coder) {
	field.U32(c, &m.EventID)
	field.Octets(c, &m.Label, 12)
	field.I32(c, &m.Amount)
	field.U8(c, &m.Method)
	field.U8(c, &m.AmountType)
	field.U32(c, &m.Start)
	field.U16(c, &m.CollectionTime)
	field.U8(c, &m.Frequency)
	field.I32(c, &m.RecoveryAmount)
	field.U16(c, &m.RecoveryPercentage)
}

// EmergencyCreditSetup sets up the emergency credit.
//
//	eventID(4) start(4) limit(4) threshold(4)
type EmergencyCreditSetup struct {
	EventID   uint32
	Start     UTC
	Limit     uint32
	Threshold uint32
}

// Key implements Command.
func (EmergencyCreditSetup) Key() Key { return Key{Prepayment, false, 0x03} }

// AppendBinary implements Command.
func (m EmergencyCreditSetup) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseEmergencyCreditSetup reads the payload.
func ParseEmergencyCreditSetup(b []byte) (m EmergencyCreditSetup, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *EmergencyCreditSetup) fields(c *field.Coder) {
	field.U32(c, &m.EventID)
	field.U32(c, &m.Start)
	field.U32(c, &m.Limit)
	field.U32(c, &m.Threshold)
}

// ConsumerTopUp enters a top-up code; a UTRN is 20 ASCII digits (recalled).
//
//	originator(1) code(string)
type ConsumerTopUp struct {
	Originator Originator
	Code       []byte // at most 25 octets
}

// Key implements Command.
func (ConsumerTopUp) Key() Key { return Key{Prepayment, false, 0x04} }

// AppendBinary implements Command.
func (m ConsumerTopUp) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseConsumerTopUp reads the payload.
func ParseConsumerTopUp(b []byte) (m ConsumerTopUp, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *ConsumerTopUp) fields(c *field.Coder) {
	field.U8(c, &m.Originator)
	field.Octets(c, &m.Code, 25)
}

// CreditAdjustment changes the credit.
//
//	eventID(4) start(4) type(1) value(4)
type CreditAdjustment struct {
	EventID uint32
	Start   UTC
	Type    uint8 // 0 incremental, 1 absolute
	Value   int32
}

// Key implements Command.
func (CreditAdjustment) Key() Key { return Key{Prepayment, false, 0x05} }

// AppendBinary implements Command.
func (m CreditAdjustment) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseCreditAdjustment reads the payload.
func ParseCreditAdjustment(b []byte) (m CreditAdjustment, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *CreditAdjustment) fields(c *field.Coder) {
	field.U32(c, &m.EventID)
	field.U32(c, &m.Start)
	field.U8(c, &m.Type)
	field.I32(c, &m.Value)
}

// ChangePaymentMode switches between credit and prepayment.
//
//	provider(4) eventID(4) time(4) configuration(2) cutOff(4)
type ChangePaymentMode struct {
	Provider      uint32
	EventID       uint32
	Time          UTC    // when
	Configuration uint16 // as PaymentControlConfiguration
	CutOff        int32
}

// Key implements Command.
func (ChangePaymentMode) Key() Key { return Key{Prepayment, false, 0x06} }

// AppendBinary implements Command.
func (m ChangePaymentMode) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseChangePaymentMode reads the payload.
func ParseChangePaymentMode(b []byte) (m ChangePaymentMode, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *ChangePaymentMode) fields(c *field.Coder) {
	field.U32(c, &m.Provider)
	field.U32(c, &m.EventID)
	field.U32(c, &m.Time)
	field.U16(c, &m.Configuration)
	field.I32(c, &m.CutOff)
}

// GetPrepaySnapshot asks for snapshots.
//
//	earliest(4) latest(4) offset(1) cause(4)
type GetPrepaySnapshot struct {
	Earliest UTC
	Latest   UTC
	Offset   uint8
	Cause    uint32
}

// Key implements Command.
func (GetPrepaySnapshot) Key() Key { return Key{Prepayment, false, 0x07} }

// AppendBinary implements Command.
func (m GetPrepaySnapshot) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseGetPrepaySnapshot reads the payload.
func ParseGetPrepaySnapshot(b []byte) (m GetPrepaySnapshot, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *GetPrepaySnapshot) fields(c *field.Coder) {
	field.U32(c, &m.Earliest)
	field.U32(c, &m.Latest)
	field.U8(c, &m.Offset)
	field.U32(c, &m.Cause)
}

// GetTopUpLog asks for past top-ups.
//
//	latest(4) most(1)
type GetTopUpLog struct {
	Latest UTC
	Most   uint8
}

// Key implements Command.
func (GetTopUpLog) Key() Key { return Key{Prepayment, false, 0x08} }

// AppendBinary implements Command.
func (m GetTopUpLog) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseGetTopUpLog reads the payload.
func ParseGetTopUpLog(b []byte) (m GetTopUpLog, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *GetTopUpLog) fields(c *field.Coder) {
	field.U32(c, &m.Latest)
	field.U8(c, &m.Most)
}

// SetLowCreditWarningLevel sets when to warn.
//
//	level(4)
type SetLowCreditWarningLevel struct {
	Level uint32
}

// Key implements Command.
func (SetLowCreditWarningLevel) Key() Key { return Key{Prepayment, false, 0x09} }

// AppendBinary implements Command.
func (m SetLowCreditWarningLevel) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseSetLowCreditWarningLevel reads the payload.
func ParseSetLowCreditWarningLevel(b []byte) (m SetLowCreditWarningLevel, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *SetLowCreditWarningLevel) fields(c *field.Coder) {
	field.U32(c, &m.Level)
}

// GetDebtRepaymentLog asks for past repayments.
//
//	latest(4) most(1) debtType(1)
type GetDebtRepaymentLog struct {
	Latest   UTC
	Most     uint8
	DebtType uint8 // 0-2, FF all
}

// Key implements Command.
func (GetDebtRepaymentLog) Key() Key { return Key{Prepayment, false, 0x0A} }

// AppendBinary implements Command.
func (m GetDebtRepaymentLog) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseGetDebtRepaymentLog reads the payload.
func ParseGetDebtRepaymentLog(b []byte) (m GetDebtRepaymentLog, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *GetDebtRepaymentLog) fields(c *field.Coder) {
	field.U32(c, &m.Latest)
	field.U8(c, &m.Most)
	field.U8(c, &m.DebtType)
}

// SetMaximumCreditLimit sets how much credit there may be.
//
//	provider(4) eventID(4) time(4) level(4) perTopUp(4)
type SetMaximumCreditLimit struct {
	Provider uint32
	EventID  uint32
	Time     UTC
	Level    uint32
	PerTopUp uint32
}

// Key implements Command.
func (SetMaximumCreditLimit) Key() Key { return Key{Prepayment, false, 0x0B} }

// AppendBinary implements Command.
func (m SetMaximumCreditLimit) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseSetMaximumCreditLimit reads the payload.
func ParseSetMaximumCreditLimit(b []byte) (m SetMaximumCreditLimit, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *SetMaximumCreditLimit) fields(c *field.Coder) {
	field.U32(c, &m.Provider)
	field.U32(c, &m.EventID)
	field.U32(c, &m.Time)
	field.U32(c, &m.Level)
	field.U32(c, &m.PerTopUp)
}

// SetOverallDebtCap sets how much may be repaid in a week.
//
//	provider(4) eventID(4) time(4) cap(4)
type SetOverallDebtCap struct {
	Provider uint32
	EventID  uint32
	Time     UTC
	Cap      int32
}

// Key implements Command.
func (SetOverallDebtCap) Key() Key { return Key{Prepayment, false, 0x0C} }

// AppendBinary implements Command.
func (m SetOverallDebtCap) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseSetOverallDebtCap reads the payload.
func ParseSetOverallDebtCap(b []byte) (m SetOverallDebtCap, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *SetOverallDebtCap) fields(c *field.Coder) {
	field.U32(c, &m.Provider)
	field.U32(c, &m.EventID)
	field.U32(c, &m.Time)
	field.I32(c, &m.Cap)
}

// PublishPrepaySnapshot answers; the payload of type 0 is a DebtCreditSnapshot.
//
//	iD(4) time(4) found(1) index(1) total(1) cause(4) type(1) payload(rest)
type PublishPrepaySnapshot struct {
	ID      uint32
	Time    UTC
	Found   uint8
	Index   uint8
	Total   uint8
	Cause   uint32
	Type    uint8
	Payload []byte // to the end
}

// Key implements Command.
func (PublishPrepaySnapshot) Key() Key { return Key{Prepayment, true, 0x01} }

// AppendBinary implements Command.
func (m PublishPrepaySnapshot) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParsePublishPrepaySnapshot reads the payload.
func ParsePublishPrepaySnapshot(b []byte) (m PublishPrepaySnapshot, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *PublishPrepaySnapshot) fields(c *field.Coder) {
	field.U32(c, &m.ID)
	field.U32(c, &m.Time)
	field.U8(c, &m.Found)
	field.U8(c, &m.Index)
	field.U8(c, &m.Total)
	field.U32(c, &m.Cause)
	field.U8(c, &m.Type)
	field.Rest(c, &m.Payload)
}

// DebtCreditSnapshot is the payload of a prepayment snapshot of type 0 (recalled).
//
//	accumulatedDebt(4) debt1(4) debt2(4) debt3(4) emergencyCredit(4) credit(4)
type DebtCreditSnapshot struct {
	AccumulatedDebt     int32
	Debt1, Debt2, Debt3 uint32
	EmergencyCredit     int32
	Credit              int32
}

// AppendBinary appends the payload.
func (m DebtCreditSnapshot) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseDebtCreditSnapshot reads the payload.
func ParseDebtCreditSnapshot(b []byte) (m DebtCreditSnapshot, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *DebtCreditSnapshot) fields(c *field.Coder) {
	field.I32(c, &m.AccumulatedDebt)
	field.U32(c, &m.Debt1)
	field.U32(c, &m.Debt2)
	field.U32(c, &m.Debt3)
	field.I32(c, &m.EmergencyCredit)
	field.I32(c, &m.Credit)
}

// ChangePaymentModeResponse answers with what holds now.
//
//	friendlyCredit(1) friendlyCalendar(4) emergencyLimit(4) emergencyThreshold(4)
type ChangePaymentModeResponse struct {
	FriendlyCredit     uint8 // bit 0: enabled
	FriendlyCalendar   uint32
	EmergencyLimit     uint32
	EmergencyThreshold uint32
}

// Key implements Command.
func (ChangePaymentModeResponse) Key() Key { return Key{Prepayment, true, 0x02} }

// AppendBinary implements Command.
func (m ChangePaymentModeResponse) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseChangePaymentModeResponse reads the payload.
func ParseChangePaymentModeResponse(b []byte) (m ChangePaymentModeResponse, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *ChangePaymentModeResponse) fields(c *field.Coder) {
	field.U8(c, &m.FriendlyCredit)
	field.U32(c, &m.FriendlyCalendar)
	field.U32(c, &m.EmergencyLimit)
	field.U32(c, &m.EmergencyThreshold)
}

// ConsumerTopUpResponse answers.
//
//	result(1) value(4) source(1) credit(4)
type ConsumerTopUpResponse struct {
	Result TopUpResult
	Value  int32 // what was added
	Source Originator
	Credit int32 // remaining
}

// Key implements Command.
func (ConsumerTopUpResponse) Key() Key { return Key{Prepayment, true, 0x03} }

// AppendBinary implements Command.
func (m ConsumerTopUpResponse) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseConsumerTopUpResponse reads the payload.
func ParseConsumerTopUpResponse(b []byte) (m ConsumerTopUpResponse, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *ConsumerTopUpResponse) fields(c *field.Coder) {
	field.U8(c, &m.Result)
	field.I32(c, &m.Value)
	field.U8(c, &m.Source)
	field.I32(c, &m.Credit)
}

// TopUp is a past top-up.
//
//	code(string) amount(4) time(4)
type TopUp struct {
	Code   []byte // at most 25 octets
	Amount int32
	Time   UTC
}

func topUp(c *field.Coder, m *TopUp) {
	field.Octets(c, &m.Code, 25)
	field.I32(c, &m.Amount)
	field.U32(c, &m.Time)
}

// PublishTopUpLog answers.
//
//	index(1) total(1) {topUps}
type PublishTopUpLog struct {
	Index  uint8
	Total  uint8
	TopUps []TopUp
}

// Key implements Command.
func (PublishTopUpLog) Key() Key { return Key{Prepayment, true, 0x05} }

// AppendBinary implements Command.
func (m PublishTopUpLog) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParsePublishTopUpLog reads the payload.
func ParsePublishTopUpLog(b []byte) (m PublishTopUpLog, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *PublishTopUpLog) fields(c *field.Coder) {
	field.U8(c, &m.Index)
	field.U8(c, &m.Total)
	field.ListRest(c, &m.TopUps, topUp)
}

// Repayment is a past repayment.
//
//	time(4) amount(4) debtType(1) outstanding(4)
type Repayment struct {
	Time        UTC
	Amount      int32
	DebtType    uint8
	Outstanding uint32
}

func repayment(c *field.Coder, m *Repayment) {
	field.U32(c, &m.Time)
	field.I32(c, &m.Amount)
	field.U8(c, &m.DebtType)
	field.U32(c, &m.Outstanding)
}

// PublishDebtLog answers.
//
//	index(1) total(1) {repayments}
type PublishDebtLog struct {
	Index      uint8
	Total      uint8
	Repayments []Repayment
}

// Key implements Command.
func (PublishDebtLog) Key() Key { return Key{Prepayment, true, 0x06} }

// AppendBinary implements Command.
func (m PublishDebtLog) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParsePublishDebtLog reads the payload.
func ParsePublishDebtLog(b []byte) (m PublishDebtLog, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *PublishDebtLog) fields(c *field.Coder) {
	field.U8(c, &m.Index)
	field.U8(c, &m.Total)
	field.ListRest(c, &m.Repayments, repayment)
}
