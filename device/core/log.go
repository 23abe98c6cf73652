package core

import (
	"encoding/binary"
	"fmt"
	"time"

	"smets1/internal/wire"
)

// Event is a code of the event log. The list and its numbers are ours; what they
// stand for is in the catalogue of a SMETS1 device (recalled).
type Event uint16

// The events.
const (
	EventPowerUp           Event = 1
	EventClockAdjusted     Event = 2
	EventSupplyInterrupted Event = 4
	EventSupplyRestored    Event = 5
	EventLogCleared        Event = 6
	EventKeysStaged        Event = 10
	EventKeysCommitted     Event = 11
	EventKeysDropped       Event = 12
	EventUnauthorised      Event = 13 // somebody failed to prove who they are
	EventTamperCover       Event = 14
	EventTamperTerminal    Event = 15
	EventTamperBattery     Event = 16
	EventTamperMagnet      Event = 17
	EventFirmwareVerified  Event = 20
	EventFirmwareRefused   Event = 21
	EventFirmwareActivated Event = 22
	EventSupplyDisabled    Event = 30
	EventSupplyArmed       Event = 31
	EventSupplyEnabled     Event = 32
	EventLoadLimited       Event = 33
	EventCreditAdded       Event = 40
	EventPaymentMode       Event = 41
	EventCreditLow         Event = 42
	EventCreditExhausted   Event = 43
	EventEmergency         Event = 44 // emergency credit was activated
	EventTopUp             Event = 45
	EventCodeRefused       Event = 46
	EventKeypadLocked      Event = 47
	EventEndpointChanged   Event = 50
	EventWoken             Event = 51
	EventCalledHome        Event = 52
	EventLastGasp          Event = 53
	EventQuotaReached      Event = 55
	EventDeviceLeft        Event = 57
	EventDeviceAllowed     Event = 58
	EventTariffChanged     Event = 60
	EventPriceChanged      Event = 61
	EventBillingReset      Event = 62 // another tenant or supplier
	EventVoltageOver       Event = 70
	EventVoltageUnder      Event = 71
)

// events are the words of the catalogue.
var events = map[Event]string{
	EventPowerUp: "power up", EventClockAdjusted: "clock adjusted",
	EventSupplyInterrupted: "supply interrupted", EventSupplyRestored: "supply restored", EventLogCleared: "log cleared",
	EventKeysStaged: "keys staged", EventKeysCommitted: "keys committed", EventKeysDropped: "keys dropped", EventUnauthorised: "unauthorised access",
	EventTamperCover: "cover opened", EventTamperTerminal: "terminal cover opened", EventTamperBattery: "battery cover opened", EventTamperMagnet: "magnetic field",
	EventFirmwareVerified: "firmware verified", EventFirmwareRefused: "firmware refused", EventFirmwareActivated: "firmware activated",
	EventSupplyDisabled: "supply disabled", EventSupplyArmed: "supply armed", EventSupplyEnabled: "supply enabled", EventLoadLimited: "load limited",
	EventCreditAdded: "credit adjusted", EventPaymentMode: "payment mode changed", EventCreditLow: "credit low", EventCreditExhausted: "credit exhausted",
	EventEmergency: "emergency credit activated", EventTopUp: "top-up", EventCodeRefused: "top-up refused", EventKeypadLocked: "keypad locked",
	EventEndpointChanged: "end point changed", EventWoken: "woken", EventCalledHome: "called home", EventLastGasp: "last gasp",
	EventQuotaReached: "text message quota reached", EventDeviceLeft: "device left",
	EventDeviceAllowed: "device allowed", EventTariffChanged: "tariff changed", EventPriceChanged: "price changed",
	EventBillingReset: "billing period begun", EventVoltageOver: "over-voltage", EventVoltageUnder: "under-voltage",
}

// String gives the words for an event.
func (e Event) String() string {
	if s, ok := events[e]; ok {
		return s
	}
	return fmt.Sprintf("event %d", uint16(e))
}

// Secure reports whether an event is one of the security log.
func (e Event) Secure() bool {
	return e >= EventKeysStaged && e < EventSupplyDisabled || e == EventLogCleared
}

// LogSize is how many events a log keeps where a profile does not say: the 100 that a
// SMETS1 device may answer with (published, DUIS).
const LogSize = 100

// Entry is one event and when it happened, by the device's clock, in seconds since 1970.
type Entry struct {
	At   int64
	Code Event
}

// Log is an event log, oldest first. When it is full the oldest entry goes.
type Log struct {
	entries []Entry
}

// Add enters an event in a log of a size; 0 is LogSize.
func (l *Log) Add(at time.Time, code Event, size int) {
	if size == 0 {
		size = LogSize
	}
	if len(l.entries) >= size {
		l.entries = append(l.entries[:0], l.entries[len(l.entries)-size+1:]...)
	}
	l.entries = append(l.entries, Entry{at.Unix(), code})
}

// Entries are the events, oldest first. The slice must not be changed.
func (l *Log) Entries() []Entry { return l.entries }

// Clear empties the log.
func (l *Log) Clear() { l.entries = nil }

func (l *Log) append(b []byte) []byte {
	for _, e := range l.entries {
		b = binary.BigEndian.AppendUint64(b, uint64(e.At))
		b = binary.BigEndian.AppendUint16(b, uint16(e.Code))
	}
	return b
}

func (l *Log) restore(r *wire.Reader) {
	l.entries = nil
	for r.Err() == nil && r.Len() > 0 {
		l.entries = append(l.entries, Entry{int64(r.U64()), Event(r.U16())})
	}
}
