// Package audit keeps who did what: a line for each command that may change a home, before it begins and after it ended, and for
// each command that was refused because its sender may not, each cancellation and each word of a person about a result in doubt.
// The lines are a chain (package internal/chain), which smets1 audit verify checks. No line has an argument or a key: arguments are
// told by their digest.
package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"smets1/gateway/topic"
	"smets1/internal/chain"
	"smets1/internal/wire"
)

// FileName is what the file is called in a state folder.
const FileName = "audit.jsonl"

// What was done.
const (
	Begun     = "begun"     // a command is about to begin
	Ended     = "ended"     // a command has ended
	Forbidden = "forbidden" // a command was refused: its sender may not
	Cancelled = "cancelled" // somebody asked a command to stop
	Resolved  = "resolved"  // somebody said what is true of a result in doubt
)

// Entry is one line, without its place in the chain.
type Entry struct {
	Time   time.Time    `json:"time"`
	Action string       `json:"action"`
	Who    string       `json:"who,omitzero"` // client of the reply topic, or user of the machine
	ID     string       `json:"id,omitzero"`
	Hub    wire.EUI64   `json:"hub,omitzero"`
	Verb   topic.Verb   `json:"verb,omitzero"`
	Device topic.Device `json:"device,omitzero"`
	Args   string       `json:"args_sha256,omitzero"`
	Status topic.Status `json:"status,omitzero"`
	Code   topic.Code   `json:"code,omitzero"`
	Note   string       `json:"note,omitzero"`
}

// Log is an audit that is written to. A nil Log takes everything and keeps nothing.
type Log struct{ f *chain.File }

// Open opens or creates the file and verifies it.
func Open(path string) (*Log, error) {
	f, err := chain.Open(path)
	if err != nil {
		return nil, fmt.Errorf("audit: %w: keep the file as it is for whoever looks into it, and begin another", err)
	}
	return &Log{f}, nil
}

// Append writes a line; sync has it on the disk before it returns.
func (l *Log) Append(e Entry, sync bool) error {
	if l == nil {
		return nil
	}
	e.Time = e.Time.UTC()
	return l.f.Append(e, sync)
}

// Head is the end of the chain.
func (l *Log) Head() chain.Head {
	if l == nil {
		return chain.Head{}
	}
	return l.f.Head()
}

// Close closes the file.
func (l *Log) Close() error {
	if l == nil {
		return nil
	}
	return l.f.Close()
}

// Of makes the entry of a command.
func Of(action string, c topic.Command, now time.Time) Entry {
	e := Entry{Time: now, Action: action, Who: Client(c.Reply), ID: c.ID, Hub: c.Hub, Verb: c.Verb, Device: c.Device}
	if len(c.Args) > 0 {
		sum := sha256.Sum256(c.Args)
		e.Args = hex.EncodeToString(sum[:])
	}
	if c.Select != nil {
		b, _ := json.Marshal(c.Select) // plain data
		e.Note = "many homes: " + string(b[:min(len(b), 300)])
	}
	return e
}

// OfResult makes the entry of a command that ended.
func OfResult(c topic.Command, r topic.Result) Entry {
	e := Of(Ended, c, r.Time)
	e.Status, e.Code = r.Status, r.Code
	return e
}

// Client is the name in a reply topic; empty if there is none.
func Client(reply string) string { return reply[strings.LastIndexByte(reply, '/')+1:] }

// Verify checks a file and gives each entry to each (nil for none).
func Verify(r io.Reader, each func(Entry) error) (chain.Head, error) {
	return chain.Verify(r, func(line []byte) error {
		var e Entry
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("%w: %w", chain.ErrChanged, err)
		}
		if each == nil {
			return nil
		}
		return each(e)
	})
}
