package job

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"smets1/internal/store"
)

// sharedPrefix is that of the records that hold the results of several commands, each by the number of the first: "ended/17". They are for commands that
// ended before their intents were written; such a record is written whole or not at all, as any is.
const sharedPrefix = "ended/"

func sharedKey(first uint64) string { return sharedPrefix + strconv.FormatUint(first, 10) }

// What fits into a shared record: large results have one of their own, so that one small result is found without reading them.
const (
	maxShared     = 256 << 10
	maxSharedItem = 16 << 10
)

// sharedRecord is one in the making: a JSON array of records.
type sharedRecord struct {
	first uint64
	value []byte
}

func (s *sharedRecord) fits(value []byte) bool {
	return len(value) <= maxSharedItem && len(s.value)+len(value)+2 <= maxShared
}

// add takes the record of a result and returns the number of the shared one.
func (s *sharedRecord) add(done uint64, value []byte) uint64 {
	sep := byte(',')
	if s.first == 0 {
		s.first, sep = done, '['
	}
	s.value = append(append(s.value, sep), value...)
	return s.first
}

// op returns the write, if there is any.
func (s *sharedRecord) op() []store.Op {
	if s.first == 0 {
		return nil
	}
	return []store.Op{store.Put(sharedKey(s.first), append(s.value, ']'))}
}

func parseShared(key string, b []byte) ([]record, error) {
	var raw []json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		return nil, fmt.Errorf("job: the record %q is damaged: %w", key, err)
	}
	out := make([]record, len(raw))
	for i := range raw {
		var err error
		if out[i], err = parseRecord(key, raw[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// loadShared reads the shared records.
func (q *Queue) loadShared(ctx context.Context) ([]record, error) {
	entries, err := q.plain.List(ctx, sharedPrefix)
	if err != nil {
		return nil, err
	}
	var out []record
	for _, e := range entries {
		part, err := parseShared(e.Key, e.Value)
		if err != nil {
			return nil, err
		}
		for _, r := range part {
			if r.Result == nil || r.Done == 0 {
				return nil, fmt.Errorf("job: the record %q is damaged: a command in it has no result", e.Key)
			}
			r.share = part[0].Done
			q.seq, q.done = max(q.seq, r.Seq), max(q.done, r.Done)
			out = append(out, r)
		}
	}
	return out, nil
}
