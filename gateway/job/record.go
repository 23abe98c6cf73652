package job

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"smets1/gateway/topic"
	"smets1/internal/wire"
)

// record is what is stored of a command.
type record struct {
	Schema   int           `json:"schema"`
	Seq      uint64        `json:"seq"` // order of acceptance
	Hub      wire.EUI64    `json:"hub,omitzero"`
	Verb     topic.Verb    `json:"verb"`
	Command  topic.Command `json:"command"`
	Accepted time.Time     `json:"accepted"`
	// Started says that the handler may have been called: only written for verbs with an irreversible step.
	Started bool `json:"started,omitzero"`
	// Done is the number of the result, in the order of endings; zero while the command has not ended.
	Done   uint64        `json:"done,omitzero"`
	Result *topic.Result `json:"result,omitzero"`

	share uint64 // the shared record that it was read from
}

const recordSchema = 1

func jobKey(id string) string { return "job/" + id }

func revisionKey(hub wire.EUI64) string { return "revision/" + hub.String() }

const (
	jobPrefix      = "job/"
	revisionPrefix = "revision/"
	resolvedPrefix = "resolved/"
	deliveredKey   = "delivered"
)

// intent is the record as it was accepted, of members that never change: the command may run, and end, while it is
// written.
func (r *record) intent() record {
	return record{Schema: r.Schema, Seq: r.Seq, Hub: r.Hub, Verb: r.Verb, Command: r.Command, Accepted: r.Accepted, share: r.share}
}

func (r record) marshal() ([]byte, error) { return json.Marshal(r) }

func parseRecord(key string, b []byte) (record, error) {
	var r record
	if err := json.Unmarshal(b, &r); err != nil {
		return record{}, fmt.Errorf("job: the record %q is damaged: %w", key, err)
	}
	if r.Schema != recordSchema {
		return record{}, fmt.Errorf("job: the record %q has schema %d, which this version does not know: use the version that wrote it", key, r.Schema)
	}
	r.Command.Hub, r.Command.Verb = r.Hub, r.Verb
	if r.Result != nil {
		r.Result.Hub = r.Hub
	}
	return r, nil
}

// digest tells commands apart that share an id. Reply topic, deadline and expectation may differ when a command is sent again.
type digest [16]byte

func digestOf(c topic.Command) digest {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n%s\n", c.Hub, c.Verb, c.Device)
	var args bytes.Buffer
	if json.Compact(&args, c.Args) == nil {
		h.Write(args.Bytes())
	} else {
		h.Write(c.Args)
	}
	if c.Select != nil {
		b, _ := json.Marshal(c.Select) // plain data
		h.Write(b)
	}
	return digest(h.Sum(nil)[:16])
}
