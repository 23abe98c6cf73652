package hub

import (
	"container/heap"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"smets1/internal/wire"
)

// HAN carries frames between the hub and the devices of the home. A frame is one
// unit of the DLMS wrapper (IEC 62056-47): what goes through a ZigBee tunnel.
//
// A HAN is driven from outside: Advance delivers what is due, to the devices and
// to the Receiver, and Deadline says when something will be.
type HAN interface {
	// Send puts a frame on its way to a device. It fails with ErrNotJoined if the
	// device is not on the network; a device that is there and does not answer is
	// no error. The frame is not kept.
	Send(now time.Time, to wire.EUI64, frame []byte) error
	// Advance does what is due at a time.
	Advance(now time.Time)
	// Deadline is when Advance wants to be called; the zero time if never.
	Deadline() time.Time
}

// Receiver is the hub's end of a HAN.
type Receiver interface {
	// Received takes a frame that a device sent. It is valid during the call.
	Received(now time.Time, from wire.EUI64, frame []byte)
}

// ErrNotJoined is a device that is not on the network.
var ErrNotJoined = errors.New("the device is not on the home area network")

// A Node is a device on an in-memory HAN.
type Node interface {
	// ServeFrame takes a frame and appends what the device answers, as one or
	// more wrapper units; nothing if it does not answer.
	ServeFrame(now time.Time, frame, dst []byte) []byte
}

// MemoryConfig sets up a Memory.
type MemoryConfig struct {
	Latency time.Duration // one way
	// Loss in a million of the frames, each way. Zero loses none.
	Loss int
	// Rand decides which frames are lost. Nil is needed only without loss.
	Rand *rand.Rand
}

// Memory is a HAN without radio: frames arrive after a latency or are lost. Each
// device gets its frames in the order in which they were sent.
type Memory struct {
	cfg   MemoryConfig
	to    Receiver
	nodes map[wire.EUI64]Node
	air   flights
	seq   uint64
	buf   []byte
}

// NewMemory makes a HAN for a hub.
func NewMemory(c MemoryConfig, hub Receiver) *Memory {
	return &Memory{cfg: c, to: hub, nodes: map[wire.EUI64]Node{}}
}

// Join puts a device on the network.
func (m *Memory) Join(e wire.EUI64, n Node) { m.nodes[e] = n }

// Send implements HAN.
func (m *Memory) Send(now time.Time, to wire.EUI64, frame []byte) error {
	if m.nodes[to] == nil {
		return fmt.Errorf("hub: %v: %w", to, ErrNotJoined)
	}
	m.put(now, flight{device: to, toDevice: true, frame: append([]byte(nil), frame...)})
	return nil
}

func (m *Memory) put(now time.Time, f flight) {
	if m.cfg.Loss > 0 && m.cfg.Rand.IntN(1_000_000) < m.cfg.Loss {
		return
	}
	m.seq++
	f.at, f.seq = now.Add(m.cfg.Latency), m.seq
	heap.Push(&m.air, f)
}

// Advance implements HAN.
func (m *Memory) Advance(now time.Time) {
	for len(m.air) > 0 && !m.air[0].at.After(now) {
		f := heap.Pop(&m.air).(flight)
		if !f.toDevice {
			m.to.Received(f.at, f.device, f.frame)
			continue
		}
		if m.buf = m.nodes[f.device].ServeFrame(f.at, f.frame, m.buf[:0]); len(m.buf) > 0 {
			m.put(f.at, flight{device: f.device, frame: append([]byte(nil), m.buf...)})
		}
	}
	if len(m.air) == 0 {
		m.air, m.buf = nil, nil // a home at rest keeps no memory for it
	}
}

// Deadline implements HAN.
func (m *Memory) Deadline() time.Time {
	if len(m.air) == 0 {
		return time.Time{}
	}
	return m.air[0].at
}

type flight struct {
	at       time.Time
	seq      uint64 // keeps frames of one instant in their order
	device   wire.EUI64
	toDevice bool
	frame    []byte
}

type flights []flight

func (f flights) Len() int { return len(f) }
func (f flights) Less(i, j int) bool {
	if f[i].at.Equal(f[j].at) {
		return f[i].seq < f[j].seq
	}
	return f[i].at.Before(f[j].at)
}
func (f flights) Swap(i, j int) { f[i], f[j] = f[j], f[i] }
func (f *flights) Push(x any)   { *f = append(*f, x.(flight)) }
func (f *flights) Pop() any {
	old := *f
	x := old[len(old)-1]
	old[len(old)-1] = flight{}
	*f = old[:len(old)-1]
	return x
}
