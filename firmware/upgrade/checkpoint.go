package upgrade

import (
	"context"
	"sync"
	"time"

	"smets1/firmware"
)

// Step is how far an upgrade was meant to have gone.
type Step string

// The steps, in order. Each is written before the first message that may
// make it true.
const (
	StepStart    Step = ""
	StepInitiate Step = "initiate" // the device may have begun to expect the image
	StepVerify   Step = "verify"   // all blocks were there
	StepActivate Step = "activate" // the activation may have been sent
	StepDone     Step = "done"
)

// State is what a Checkpoint keeps.
type State struct {
	Step     Step     `json:"step"`
	Evidence Evidence `json:"evidence"`
}

// Checkpoint keeps the State of one upgrade of one device. Save returns when
// the state is on disk.
type Checkpoint interface {
	Load(ctx context.Context) (State, error) // the zero State if none was saved
	Save(ctx context.Context, s State) error
}

// Evidence records an upgrade for the audit trail.
type Evidence struct {
	Image       firmware.Digest `json:"image"`
	Signer      string          `json:"signer"`
	FromVersion string          `json:"from_version"`
	ToVersion   string          `json:"to_version"`
	Started     time.Time       `json:"started"`
	Activated   time.Time       `json:"activated,omitzero"`  // when Activate was sent last
	Fallbacks   int             `json:"fallbacks,omitempty"` // how often the device went back to the image before
	Finished    time.Time       `json:"finished,omitzero"`   // when the version had been read back
	BlockSize   int             `json:"block_size,omitempty"`
	Blocks      int             `json:"blocks,omitempty"`  // that the image has
	Sent        int             `json:"sent,omitempty"`    // block messages, repeats included
	Resent      int             `json:"resent,omitempty"`  // of these, repeats
	Resumed     int             `json:"resumed,omitempty"` // how often the sequence went on after a stop
	Already     bool            `json:"already,omitempty"` // the device ran the version before anything was done
}

// Memory is a Checkpoint that lasts as long as the process. The zero value is
// ready for use.
type Memory struct {
	mu sync.Mutex
	s  State
}

// Load implements Checkpoint.
func (m *Memory) Load(context.Context) (State, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.s, nil
}

// Save implements Checkpoint.
func (m *Memory) Save(_ context.Context, s State) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.s = s
	return nil
}
