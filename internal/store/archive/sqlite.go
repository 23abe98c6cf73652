package archive

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	_ "modernc.org/sqlite" // the driver "sqlite", without cgo

	"smets1/internal/store"
)

// sealed are the buckets that are left out of an export: what is in them is of use to the gateway alone.
var sealed = map[string]bool{"keys": true, "rekey": true}

const tables = `
create table records (bucket text not null, key text not null, revision integer not null, value blob, json text, primary key (bucket, key));
create table jobs (id text primary key, hub text, verb text, device text, accepted text, started integer, done integer, status text, code text, message text, ended text, result text);
create index jobs_by_hub on jobs (hub);
create index jobs_by_status on jobs (status, code);
`

// ExportSQLite writes a new database and tells how many records it has.
func ExportSQLite(ctx context.Context, s store.Store, path string) (n int, err error) {
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: "_pragma=journal_mode(off)&_pragma=synchronous(off)"}).String())
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, tables); err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback() }() // after the commit it does nothing
	if err := each(ctx, s, func(info store.BucketInfo, records []store.Entry) error {
		if sealed[info.Name] {
			return nil
		}
		for _, e := range records {
			if err := exportOne(ctx, tx, info.Name, e); err != nil {
				return fmt.Errorf("%s: record %q of %s: %w", path, e.Key, info.Name, err)
			}
			n++
		}
		return nil
	}); err != nil {
		return n, err
	}
	return n, tx.Commit()
}

func exportOne(ctx context.Context, tx *sql.Tx, bucket string, e store.Entry) error {
	var text any
	if json.Valid(e.Value) {
		text = string(e.Value)
	}
	if _, err := tx.ExecContext(ctx, `insert into records values (?,?,?,?,?)`, bucket, e.Key, int64(e.Revision), e.Value, text); err != nil {
		return err
	}
	jobs, _, err := jobsOf(bucket, e)
	if err != nil {
		return nil // it stands in records as it is; state check tells of it
	}
	for _, j := range jobs {
		r := j.Result
		if r == nil {
			r = &result{}
		}
		if _, err := tx.ExecContext(ctx, `insert or replace into jobs values (?,?,?,?,?,?,?,?,?,?,?,?)`,
			j.Command.ID, j.Hub, j.Verb, j.Command.Device, j.Accepted, j.Started, j.Done, r.Status, r.Code, string(r.Message), r.Time, string(r.Result)); err != nil {
			return err
		}
	}
	return nil
}

// job is what an export tells of a record of the queue (package gateway/job).
type job struct {
	Schema  int    `json:"schema"`
	Hub     string `json:"hub"`
	Verb    string `json:"verb"`
	Command struct {
		ID     string `json:"id"`
		Device string `json:"device"`
	} `json:"command"`
	Accepted string  `json:"accepted"`
	Started  bool    `json:"started"`
	Done     uint64  `json:"done"`
	Result   *result `json:"result"`
}

type result struct {
	Status  string          `json:"status"`
	Code    string          `json:"code"`
	Message json.RawMessage `json:"message"`
	Result  json.RawMessage `json:"result"`
	Time    string          `json:"time"`
}

// jobsOf decodes a record of the queue; ok is false for another.
func jobsOf(bucket string, e store.Entry) (jobs []job, ok bool, err error) {
	if bucket != "jobs" && bucket != "jobs-sync" {
		return nil, false, nil
	}
	switch {
	case strings.HasPrefix(e.Key, "job/"):
		jobs = make([]job, 1)
		err = json.Unmarshal(e.Value, &jobs[0])
	case strings.HasPrefix(e.Key, "ended/"):
		err = json.Unmarshal(e.Value, &jobs)
	default:
		return nil, false, nil
	}
	for _, j := range jobs {
		if err == nil && (j.Schema == 0 || j.Command.ID == "") {
			err = errors.New("it has no schema or no id")
		}
	}
	return jobs, true, err
}
