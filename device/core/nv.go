package core

import (
	"encoding/binary"
	"fmt"
	"sync"

	"smets1/internal/wire"
)

// NV is the non-volatile memory of the devices of a fleet: one record per key.
// The daemon puts its durable store behind it. It is safe for concurrent use.
type NV interface {
	// Save makes value durable before it returns. An empty value forgets the key.
	// The value is the caller's again afterwards.
	Save(key string, value []byte) error
	// Load gives what was saved last; nil if nothing is.
	Load(key string) ([]byte, error)
}

// Memory is an NV that lasts as long as the process. The zero Memory is empty.
type Memory struct {
	mu sync.Mutex
	m  map[string][]byte
}

// Save implements NV.
func (m *Memory) Save(key string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(value) == 0 {
		delete(m.m, key)
		return nil
	}
	if m.m == nil {
		m.m = map[string][]byte{}
	}
	m.m[key] = append([]byte(nil), value...)
	return nil
}

// Load implements NV.
func (m *Memory) Load(key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]byte(nil), m.m[key]...), nil
}

// Each gives each record, in no order.
func (m *Memory) Each(f func(key string, value []byte) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for k, v := range m.m {
		if err := f(k, v); err != nil {
			return err
		}
	}
	return nil
}

// Len is how many records there are.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.m)
}

// A Section numbers a part of a record. Numbers are never used twice for different things.
type Section uint8

// The sections.
const (
	SectionKeys     Section = 1
	SectionClock    Section = 2
	SectionImage    Section = 3
	SectionLog      Section = 4
	SectionFaults   Section = 5
	SectionPayment  Section = 6  // payment mode and account of a meter
	SectionSupply   Section = 7  // switch or valve, and when it was open
	SectionPoint    Section = 8  // MPxN, where it was changed
	SectionWAN      Section = 9  // end points of a hub
	SectionActs     Section = 10 // what was done to a meter
	SectionSettled  Section = 11 // until when the events of that are in the log
	SectionExtra    Section = 12 // what waits for its activation, and messages
	SectionSecurity Section = 13 // the security log
	SectionPast     Section = 14 // counters of keys that are not in force any more
	SectionNetwork  Section = 15 // what a hub knows of its HAN
)

const (
	recordMagic  = "S1NV"
	recordFormat = 1
)

// AppendSection appends a section that body appends, and nothing if body appends nothing.
func AppendSection(b []byte, s Section, body func([]byte) []byte) []byte {
	at := len(b)
	b = append(b, byte(s), 0, 0, 0, 0)
	b = body(b)
	n := len(b) - at - 5
	if n == 0 {
		return b[:at]
	}
	binary.BigEndian.PutUint32(b[at+1:], uint32(n))
	return b
}

// ParseRecord calls f for each section. f reports false for one it does not know.
func ParseRecord(b []byte, f func(Section, *wire.Reader) bool) error {
	r := wire.NewReader(b)
	if m := r.Bytes(len(recordMagic)); m != nil && string(m) != recordMagic {
		r.Failf("magic %x: not a device record", m)
	}
	if v := r.U8(); r.Err() == nil && v != recordFormat {
		r.Failf("format %d: this program reads %d", v, recordFormat)
	}
	for r.Err() == nil && r.Len() > 0 {
		s := Section(r.U8())
		body := wire.NewReader(r.Bytes(int(r.U32())))
		if r.Err() != nil {
			break
		}
		switch {
		case !f(s, &body):
			r.Failf("section %d is unknown: it was written by a newer program", s)
		case body.Err() != nil:
			r.Failf("section %d: %v", s, body.Err())
		case body.Len() > 0:
			r.Failf("section %d: %d octets left over", s, body.Len())
		}
	}
	if err := r.Err(); err != nil {
		return fmt.Errorf("device record: %w", err)
	}
	return nil
}

func beginRecord(b []byte) []byte { return append(append(b, recordMagic...), recordFormat) }
