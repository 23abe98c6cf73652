package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"smets1/gateway/topic"
	"smets1/internal/store"
)

// Handler does the work of a command.
//
// A nil error ends the command as done; an error ends it with the code that topic.CodeOf finds in it: return a
// *topic.Error, with code indoubt when a step that cannot be undone cannot be proven either. The result, which may
// be nil, is stored as JSON in both cases.
//
// ctx ends when the command is cancelled, when its deadline passes (not for verbs with an irreversible step), and when the
// queue stops. In the last case an error leaves the command open: the handler is called again after the restart.
type Handler interface {
	Handle(ctx context.Context, t *Task) (result any, err error)
}

// HandlerFunc is a function that is a Handler.
type HandlerFunc func(ctx context.Context, t *Task) (any, error)

// Handle calls the function.
func (f HandlerFunc) Handle(ctx context.Context, t *Task) (any, error) { return f(ctx, t) }

// Task is a command that runs.
type Task struct {
	topic.Command
	// Resumed says that the command may have been worked on before the process last started: ask the device
	// before doing anything.
	Resumed bool
	// Accepted is when the intent was on disk.
	Accepted time.Time
	// Checkpoint is what the handler notes for its own resumption.
	Checkpoint *Checkpoint

	progress func(topic.Progress)
}

// NewTask makes a task outside a queue, for tests of handlers. A nil bucket keeps checkpoints in memory.
func NewTask(c topic.Command, resumed bool, b store.Bucket, progress func(topic.Progress)) *Task {
	if b == nil {
		b, _ = store.Memory().Bucket(context.Background(), "task", store.Options{})
	}
	return &Task{Command: c, Resumed: resumed, Checkpoint: &Checkpoint{bucket: b, key: checkpointKey(c.ID)}, progress: progress}
}

// Progress tells whoever waits how far the work is. It does not block; of several in quick succession only the last may be sent.
func (t *Task) Progress(p topic.Progress) {
	if t.progress != nil {
		t.progress(p)
	}
}

// Checkpoint keeps what a handler needs to continue after a crash: a few small values under names.
// When Set returns nil the value survives what the intent of the command survives. It is safe for concurrent use.
type Checkpoint struct {
	bucket store.Bucket
	key    string

	mu     sync.Mutex
	loaded bool
	values map[string]json.RawMessage
}

const checkpointPrefix = "checkpoint/"

func checkpointKey(id string) string { return checkpointPrefix + id }

// Get decodes the value under name into v and tells whether there is one.
func (c *Checkpoint) Get(ctx context.Context, name string, v any) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.load(ctx); err != nil {
		return false, err
	}
	raw, ok := c.values[name]
	if !ok {
		return false, nil
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return false, fmt.Errorf("job: checkpoint %q: %w", name, err)
	}
	return true, nil
}

// Set stores v under name, as JSON. On an error nothing is known to have changed.
func (c *Checkpoint) Set(ctx context.Context, name string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("job: checkpoint %q: %w", name, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.load(ctx); err != nil {
		return err
	}
	next := make(map[string]json.RawMessage, len(c.values)+1)
	for k, old := range c.values {
		next[k] = old
	}
	next[name] = raw
	b, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if _, err := c.bucket.Put(ctx, c.key, b); err != nil {
		c.loaded = false // what is stored is not known: read it again
		return fmt.Errorf("job: checkpoint %q could not be stored: %w", name, err)
	}
	c.values = next
	return nil
}

func (c *Checkpoint) load(ctx context.Context) error {
	if c.loaded {
		return nil
	}
	e, err := c.bucket.Get(ctx, c.key)
	if errors.Is(err, store.ErrNotFound) {
		c.values, c.loaded = nil, true
		return nil
	}
	if err != nil {
		return fmt.Errorf("job: checkpoint could not be read: %w", err)
	}
	c.values = nil
	if err := json.Unmarshal(e.Value, &c.values); err != nil {
		return fmt.Errorf("job: checkpoint is damaged: %w", err)
	}
	c.loaded = true
	return nil
}

// written tells whether the checkpoint may have a record to remove.
func (c *Checkpoint) written() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.loaded || len(c.values) > 0
}
