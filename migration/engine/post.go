package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"smets1/internal/store"
	"smets1/migration/document"
	"smets1/migration/document/pki"
)

// A mailbox is what one party has accepted: of each sender and type of file
// the last counter and its file, so that no file is taken twice under another
// guise and none after a later one.
type mailbox struct {
	Party string             `json:"party"`
	Last  map[string]receipt `json:"last"` // by sender and type

	revision uint64
}

type receipt struct {
	Counter uint64 `json:"counter"`
	SHA256  string `json:"sha256"`
}

const mailboxKey = "party/"

func (j *journal) mailbox(ctx context.Context, p *pki.Party) (*mailbox, error) {
	m := &mailbox{Party: string(p.Role) + "-" + p.EUI.String(), Last: map[string]receipt{}}
	e, err := j.bucket.Get(ctx, mailboxKey+m.Party)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return m, nil
	case err != nil:
		return nil, fmt.Errorf("engine: mailbox of %s: %w", p, err)
	}
	m.revision = e.Revision
	if err := json.Unmarshal(e.Value, m); err != nil {
		return nil, fmt.Errorf("engine: mailbox of %s: %w", p, err)
	}
	return m, nil
}

// counters gives what the party has accepted, but for the files of one set:
// that a party looks at a file again after a crash is no replay.
func (m *mailbox) counters(s *fileSet) map[document.CounterKey]uint64 {
	out := map[document.CounterKey]uint64{}
	for key, r := range m.Last {
		var k document.CounterKey
		if err := k.Sender.UnmarshalText([]byte(key[:23])); err != nil {
			continue // nobody wrote such a key
		}
		k.Kind = document.Kind(key[24:])
		if f, ok := s.Files[string(k.Kind)]; ok && f.SHA256 == r.SHA256 {
			continue
		}
		out[k] = r.Counter
	}
	return out
}

// header is what every file of a set has in common.
func (s *fileSet) header(now time.Time, to []*party, answers []document.Kind) (document.Header, error) {
	id, err := document.ParseFileSetID(s.ID)
	if err != nil {
		return document.Header{}, fmt.Errorf("engine: %w", err)
	}
	h := document.Header{FileSetID: id, S1SP: s.S1SP, MigrationDate: document.DateOf(s.Day), Created: document.At(now), Counter: s.Counter, InResponseTo: s.cite(answers...)}
	for _, p := range to {
		h.Recipient = append(h.Recipient, document.Ref(p.Party))
	}
	return h, nil
}

// letter is a file of a set that is to be sent.
type letter struct {
	kind    document.Kind
	by      *party
	to      []*party
	answers []document.Kind // files of the set that it answers
}

// send has a party write a file of a set, sign it and put it into the mailboxes
// of its recipients. A file that was issued before is not written again: it is
// what is on disk, and only its delivery is made sure of.
func send[B document.Body](ctx context.Context, e *Engine, s *fileSet, l letter, body func(document.Header) (B, error)) error {
	ref, issued := s.Files[string(l.kind)]
	if !issued {
		now := e.cfg.Clock.Now()
		head, err := s.header(now, l.to, l.answers)
		if err != nil {
			return err
		}
		b, err := body(head)
		if err != nil {
			return fmt.Errorf("engine: set %s: %s: %w", s.ID, l.kind, err)
		}
		a, err := document.Issue(head, b, l.by.Party)
		if err != nil {
			return fmt.Errorf("engine: set %s: %w", s.ID, err)
		}
		if err := e.writeFile(filepath.Join("files", a.Name), a.Data); err != nil {
			return err
		}
		ref = fileRef{Name: a.Name, SHA256: a.SHA256.String(), At: now}
		s.Files[string(l.kind)] = ref
		if err := e.journal.saveSet(ctx, s); err != nil {
			return err
		}
	}
	for _, p := range l.to {
		if err := e.deliver(p, ref); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) inbox(p *party, name string) string {
	return filepath.Join(e.cfg.Out, "parties", p.box.Party, "in", name)
}

// deliver puts an issued file into a party's mailbox.
func (e *Engine) deliver(p *party, ref fileRef) error {
	to := e.inbox(p, ref.Name)
	if _, err := os.Stat(to); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	if err := os.Link(filepath.Join(e.cfg.Out, "files", ref.Name), to); err == nil || errors.Is(err, os.ErrExist) {
		return nil
	}
	b, err := os.ReadFile(filepath.Join(e.cfg.Out, "files", ref.Name))
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	return e.writeFile(filepath.Join("parties", p.box.Party, "in", ref.Name), b)
}

// fetch reads a file of a set from a party's mailbox, as it was issued.
func (e *Engine) fetch(p *party, s *fileSet, kind document.Kind) (document.Artefact, error) {
	ref, ok := s.Files[string(kind)]
	if !ok {
		return document.Artefact{}, fmt.Errorf("engine: set %s has no %s for %s", s.ID, kind, p)
	}
	b, err := os.ReadFile(e.inbox(p, ref.Name))
	if err != nil {
		return document.Artefact{}, fmt.Errorf("engine: %w: the journal says that it was issued: put it back, or start with a new state", err)
	}
	a := document.NewArtefact(ref.Name, b)
	if a.SHA256.String() != ref.SHA256 {
		return a, fmt.Errorf("engine: %s is not as it was issued (SHA-256 %s, was %s): put the issued file back", ref.Name, a.SHA256, ref.SHA256)
	}
	return a, nil
}

// receive has a party open an answer from its mailbox: signed by whom it
// should be, addressed to this party, in answer to a file of this set, new, and
// with the installations of the set in their order; partial answers leave some
// out. What it accepts it counts.
func receive[B document.Body](ctx context.Context, e *Engine, p *party, s *fileSet, kind, answered document.Kind, partial bool) (*document.File[B], error) {
	a, err := e.fetch(p, s, kind)
	if err != nil {
		return nil, err
	}
	f, ps := document.Open[B](&e.parties.opener, a, e.cfg.Clock.Now())
	if err := ps.Err(); err != nil {
		return nil, fmt.Errorf("engine: %s refuses %s: %w", p, a.Name, err)
	}
	id, err := document.ParseFileSetID(s.ID)
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	// What it has accepted it may look at again, after a crash.
	read := string(p.Role) + "/" + string(kind)
	facts := &document.Facts{Specs: e.cfg.Specs}
	if !s.Read[read] {
		facts.LastCounters = p.box.counters(s)
	}
	request := s.cite(answered)
	if !slices.Contains(f.Header.Recipient, document.Ref(p.Party)) || len(request) == 0 {
		return nil, fmt.Errorf("engine: %s refuses %s: it is not addressed to it", p, a.Name)
	}
	if err := facts.CheckAnswer(a.Name, f.Header, f.Installations(), kind, request[0], id, e.ids(s), partial).Err(); err != nil {
		return nil, fmt.Errorf("engine: %s refuses %s: %w", p, a.Name, err)
	}
	if s.Read[read] {
		return f, nil
	}
	if err := e.journal.accept(ctx, p.box, f.Header, kind, a); err != nil {
		return nil, err
	}
	if s.Read == nil {
		s.Read = map[string]bool{}
	}
	s.Read[read] = true
	return f, e.journal.saveSet(ctx, s)
}

// ids lists the members of a set in the order of its files.
func (e *Engine) ids(s *fileSet) []document.EUI {
	var out []document.EUI
	for _, h := range e.members(s) {
		out = append(out, h.ID)
	}
	return out
}

// accept counts a file as accepted by a party.
func (j *journal) accept(ctx context.Context, m *mailbox, h document.Header, kind document.Kind, a document.Artefact) error {
	return j.count(ctx, m, map[document.CounterKey]uint64{{Sender: h.Sender.EUI, Kind: kind}: h.Counter}, map[document.Kind]document.Artefact{kind: a})
}

// count counts files as accepted by a party, by sender and type.
func (j *journal) count(ctx context.Context, m *mailbox, counters map[document.CounterKey]uint64, files map[document.Kind]document.Artefact) error {
	changed := false
	for k, n := range counters {
		key := k.Sender.String() + "/" + string(k.Kind)
		r := receipt{n, files[k.Kind].SHA256.String()}
		if m.Last[key] != r {
			m.Last[key], changed = r, true
		}
	}
	if !changed {
		return nil
	}
	return j.put(ctx, mailboxKey+m.Party, &m.revision, m)
}
