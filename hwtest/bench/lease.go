package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// LeaseDir is the folder that all users of the machine share for leases.
func LeaseDir() string {
	if d := os.Getenv("SMETS1_BENCH"); d != "" {
		return d
	}
	return filepath.Join(os.TempDir(), "smets1-bench")
}

// Holder is who has a hub, or has reserved it.
type Holder struct {
	Owner string    `json:"owner"`
	What  string    `json:"what,omitempty"`
	PID   int       `json:"pid,omitempty"`   // of the process that runs something on it
	Until time.Time `json:"until,omitempty"` // of a reservation
}

// BusyError: somebody else has the hub.
type BusyError struct {
	Hub    string
	Holder Holder
}

func (e *BusyError) Error() string {
	text := fmt.Sprintf("%s is in use by %s", e.Hub, e.Holder.Owner)
	if e.Holder.PID != 0 {
		text += fmt.Sprintf(" (process %d)", e.Holder.PID)
	}
	if e.Holder.What != "" {
		text += ": " + e.Holder.What
	}
	if !e.Holder.Until.IsZero() {
		text += ", until " + e.Holder.Until.Format(time.RFC3339)
	}
	return text
}

// Lease is a hub that is ours until Release.
type Lease struct {
	f *os.File
}

// Acquire takes a hub for this process, at once or not at all: the error is a [*BusyError]. Somebody else's reservation
// counts until its time is over.
func Acquire(dir string, h *Hub, me Holder, now time.Time) (*Lease, error) {
	f, err := open(dir, h)
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		held, _ := read(f) // what the file says is for people
		return nil, errors.Join(busy(err, h, held), f.Close())
	}
	held, err := read(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if held.Until.After(now) && held.Owner != me.Owner {
		held.PID = 0
		return nil, errors.Join(&BusyError{h.Name, held}, f.Close())
	}
	next := Holder{Owner: me.Owner, What: me.What, PID: os.Getpid()}
	if held.Owner == me.Owner {
		next.Until = held.Until // our own reservation goes on
	}
	if err := write(f, next); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &Lease{f}, nil
}

// Release gives the hub back. A reservation of ours stays.
func (l *Lease) Release() error {
	held, err := read(l.f)
	if err == nil {
		held.PID, held.What = 0, ""
		if held.Until.IsZero() {
			held = Holder{}
		}
		err = write(l.f, held)
	}
	return errors.Join(err, l.f.Close())
}

// Reserve keeps a hub for an owner until a time; the zero time ends the owner's reservation. A hub in use can be
// reserved by who uses it.
func Reserve(dir string, h *Hub, me Holder, now time.Time) error {
	f, err := open(dir, h)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // what counts was written and synced
	locked := lock(f) == nil
	held, err := read(f)
	if err != nil {
		return err
	}
	if held.Owner != me.Owner && held.Owner != "" && (!locked || held.Until.After(now)) {
		return &BusyError{h.Name, held}
	}
	held.Owner, held.Until = me.Owner, me.Until
	if me.What != "" {
		held.What = me.What
	}
	if me.Until.IsZero() && locked {
		held = Holder{}
	}
	return write(f, held)
}

// Look tells who has a hub; ok is false when nobody has.
func Look(dir string, h *Hub, now time.Time) (held Holder, ok bool, err error) {
	f, err := open(dir, h)
	if err != nil {
		return Holder{}, false, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	locked := lock(f) == nil
	if held, err = read(f); err != nil {
		return Holder{}, false, err
	}
	if locked {
		held.PID = 0 // whoever it was is gone
	}
	return held, !locked || held.Until.After(now), nil
}

func open(dir string, h *Hub) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	_ = os.Chmod(dir, 0o1777) // others' too; where the folder is another's it is so already
	f, err := os.OpenFile(filepath.Join(dir, h.Name+".lease"), os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, fmt.Errorf("lease of %s: %w", h.Name, err)
	}
	_ = f.Chmod(0o666) // the umask took some of it; where the file is another's it is so already
	return f, nil
}

func read(f *os.File) (Holder, error) {
	var h Holder
	st, err := f.Stat()
	if err != nil || st.Size() == 0 {
		return h, err
	}
	b := make([]byte, min(st.Size(), 4096))
	if _, err := f.ReadAt(b, 0); err != nil {
		return h, err
	}
	if err := json.Unmarshal(b, &h); err != nil {
		return Holder{}, nil // cut short by a crash: nobody's
	}
	return h, nil
}

func write(f *os.File, h Holder) error {
	var b []byte
	if h != (Holder{}) {
		var err error
		if b, err = json.Marshal(h); err != nil {
			return err
		}
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	if _, err := f.WriteAt(b, 0); err != nil {
		return err
	}
	return f.Sync()
}
