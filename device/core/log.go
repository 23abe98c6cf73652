package core

import (
	"encoding/binary"
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
	EventKeysStaged        Event = 10
	EventKeysCommitted     Event = 11
	EventKeysDropped       Event = 12
	EventFirmwareVerified  Event = 20
	EventFirmwareRefused   Event = 21
	EventFirmwareActivated Event = 22
	EventSupplyDisabled    Event = 30
	EventSupplyArmed       Event = 31
	EventSupplyEnabled     Event = 32
	EventCreditAdded       Event = 40
	EventPaymentMode       Event = 41
	EventEndpointChanged   Event = 50
	EventWoken             Event = 51
)

// LogSize is how many events a log keeps: the 100 that a SMETS1 device may answer with (published, DUIS).
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

// Add enters an event.
func (l *Log) Add(at time.Time, code Event) {
	if len(l.entries) == LogSize {
		copy(l.entries, l.entries[1:])
		l.entries = l.entries[:LogSize-1]
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
	for r.Err() == nil && r.Len() > 0 && len(l.entries) < LogSize {
		l.entries = append(l.entries, Entry{int64(r.U64()), Event(r.U16())})
	}
}
