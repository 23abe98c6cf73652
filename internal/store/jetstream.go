package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// JetStreamConfig tells where the data is.
type JetStreamConfig struct {
	// Conn is a connection to the server that holds the buckets. Its owner closes it, after the store.
	Conn *nats.Conn
	// SyncConn is a connection to a server that syncs each write, for buckets with Sync. Nil means Conn: right for
	// a cluster with Replicas of 3, where other machines take the place of the sync.
	SyncConn *nats.Conn
	// Replicas of each bucket. Zero means 1.
	Replicas int
}

// OpenJetStream returns a store in JetStream. A bucket NAME is the stream KV_NAME, laid out as NATS KV is, so that
// the nats command shows it.
func OpenJetStream(cfg JetStreamConfig) (Store, error) {
	if cfg.Conn == nil {
		return nil, errors.New("store: JetStreamConfig needs a Conn")
	}
	if cfg.SyncConn == nil {
		cfg.SyncConn = cfg.Conn
	}
	cfg.Replicas = max(cfg.Replicas, 1)
	s := &jetStore{replicas: cfg.Replicas, buckets: map[string]*jetBucket{}}
	s.base, s.stop = context.WithCancel(context.Background())
	var err error
	if s.plain, err = jetstream.New(cfg.Conn); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	s.sync = s.plain
	if cfg.SyncConn != cfg.Conn {
		if s.sync, err = jetstream.New(cfg.SyncConn); err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
	}
	return s, nil
}

type jetStore struct {
	plain, sync jetstream.JetStream
	replicas    int
	base        context.Context
	stop        context.CancelFunc

	mu      sync.Mutex
	buckets map[string]*jetBucket
}

// markerTTL is how long a deleted key leaves a marker, in seconds; watches that were cut off for less see the deletion.
const markerTTL = 3600

const syncMetadata = "smets1.sync"

func (s *jetStore) Bucket(ctx context.Context, name string, o Options) (Bucket, error) {
	if err := checkBucket(name); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.base.Err() != nil {
		return nil, ErrClosed
	}
	if b, ok := s.buckets[name]; ok {
		if b.options != o {
			return nil, optionsError(name)
		}
		return b, nil
	}
	js, other := s.plain, s.sync
	if o.Sync {
		js, other = s.sync, s.plain
	}
	if js != other {
		if _, err := other.Stream(ctx, "KV_"+name); err == nil {
			return nil, optionsError(name)
		}
	}
	st, err := js.Stream(ctx, "KV_"+name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		st, err = js.CreateStream(ctx, s.streamConfig(name, o))
	}
	if err != nil {
		return nil, fmt.Errorf("store: bucket %q: %w", name, err)
	}
	if st.CachedInfo().Config.Metadata[syncMetadata] != strconv.FormatBool(o.Sync) {
		return nil, optionsError(name)
	}
	kv, err := js.KeyValue(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("store: bucket %q: %w", name, err)
	}
	b := &jetBucket{store: s, options: o, js: js, kv: kv, prefix: "$KV." + name + "."}
	s.buckets[name] = b
	return b, nil
}

func (s *jetStore) Buckets(ctx context.Context) ([]BucketInfo, error) {
	if s.base.Err() != nil {
		return nil, ErrClosed
	}
	var out []BucketInfo
	servers := []jetstream.JetStream{s.plain}
	if s.sync != s.plain {
		servers = append(servers, s.sync)
	}
	for _, js := range servers {
		list := js.ListStreams(ctx)
		for info := range list.Info() {
			name, ok := strings.CutPrefix(info.Config.Name, "KV_")
			sync, ours := info.Config.Metadata[syncMetadata]
			if ok && ours {
				out = append(out, BucketInfo{name, Options{Sync: sync == "true"}})
			}
		}
		if err := list.Err(); err != nil {
			return nil, fmt.Errorf("store: list of buckets: %w", err)
		}
	}
	slices.SortFunc(out, func(a, b BucketInfo) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func (s *jetStore) streamConfig(name string, o Options) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        "KV_" + name,
		Description: "smets1 state",
		Subjects:    []string{"$KV." + name + ".>"},
		Storage:     jetstream.FileStorage,
		Discard:     jetstream.DiscardNew,
		Replicas:    s.replicas,
		// One message per key is the whole of its history.
		MaxMsgsPerSubject: 1,
		MaxMsgSize:        MaxValue + 4096,
		AllowRollup:       true,
		DenyDelete:        true,
		// A replica that lags must not answer; alone, there is none.
		AllowDirect:        s.replicas == 1,
		AllowMsgTTL:        true,
		AllowAtomicPublish: true,
		Metadata:           map[string]string{syncMetadata: strconv.FormatBool(o.Sync)},
	}
}

func (s *jetStore) Close() error {
	s.stop()
	return nil
}

type jetBucket struct {
	store   *jetStore
	options Options
	js      jetstream.JetStream
	kv      jetstream.KeyValue
	prefix  string
	// batches lets one batch through at a time: the server allows 50 in flight per stream, and they commit one after the other anyway.
	batches sync.Mutex
}

// within makes the store's end the end of an operation.
func (b *jetBucket) within(ctx context.Context) error {
	if b.store.base.Err() != nil {
		return ErrClosed
	}
	return ctx.Err()
}

func (b *jetBucket) fail(op, key string, err error) error {
	switch {
	case errors.Is(err, ErrConflict), errors.Is(err, ErrNotFound), errors.Is(err, ErrClosed):
		return err
	case errors.Is(err, jetstream.ErrKeyNotFound), errors.Is(err, jetstream.ErrKeyDeleted):
		return ErrNotFound
	case errors.Is(err, nats.ErrConnectionClosed):
		return ErrClosed
	}
	return fmt.Errorf("store: %s %q: %w", op, key, err)
}

func (b *jetBucket) Get(ctx context.Context, key string) (Entry, error) {
	if err := checkKey(key); err != nil {
		return Entry{}, err
	}
	if err := b.within(ctx); err != nil {
		return Entry{}, err
	}
	e, err := b.kv.Get(ctx, escapeKey(key))
	if err != nil {
		return Entry{}, b.fail("get", key, err)
	}
	return Entry{Key: key, Value: e.Value(), Revision: e.Revision()}, nil
}

func (b *jetBucket) Put(ctx context.Context, key string, value []byte) (uint64, error) {
	return b.one(ctx, "put", Put(key, value))
}

func (b *jetBucket) Create(ctx context.Context, key string, value []byte) (uint64, error) {
	return b.one(ctx, "create", Create(key, value))
}

func (b *jetBucket) CompareAndSet(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	return b.one(ctx, "compare-and-set", CompareAndSet(key, value, revision))
}

func (b *jetBucket) Delete(ctx context.Context, key string) error {
	_, err := b.one(ctx, "delete", Delete(key))
	return err
}

// message makes the message of an operation. base is the revision of a deletion marker that stands where a record is to be created.
func (b *jetBucket) message(op Op, base uint64) *nats.Msg {
	m := nats.NewMsg(b.prefix + escapeKey(op.Key))
	switch op.Kind {
	case OpDelete:
		m.Header.Set("KV-Operation", "DEL")
		m.Header.Set("Nats-TTL", strconv.Itoa(markerTTL))
		return m
	case OpCreate:
		m.Header.Set("Nats-Expected-Last-Subject-Sequence", strconv.FormatUint(base, 10))
	case OpCompareAndSet:
		if op.Revision != 0 {
			base = op.Revision
		}
		m.Header.Set("Nats-Expected-Last-Subject-Sequence", strconv.FormatUint(base, 10))
	}
	m.Data = op.Value
	return m
}

func (o Op) creates() bool { return o.Kind == OpCreate || o.Kind == OpCompareAndSet && o.Revision == 0 }

func (b *jetBucket) one(ctx context.Context, what string, op Op) (uint64, error) {
	if err := checkRecord(op.Key, op.Value); err != nil {
		return 0, err
	}
	return b.withMarkers(ctx, []Op{op}, func(markers map[string]uint64) (uint64, error) {
		ack, err := b.js.PublishMsg(ctx, b.message(op, markers[op.Key]))
		if err != nil {
			return 0, b.fail(what, op.Key, conflict(err))
		}
		return ack.Sequence, nil
	})
}

// withMarkers tries to write as if none of the keys to be created had been there before, which is nearly always so, and
// if that fails, again with the revisions of the markers that deletions left.
func (b *jetBucket) withMarkers(ctx context.Context, ops []Op, write func(map[string]uint64) (uint64, error)) (uint64, error) {
	if err := b.within(ctx); err != nil {
		return 0, err
	}
	var markers map[string]uint64
	for range 3 {
		rev, err := write(markers)
		if !errors.Is(err, ErrConflict) {
			return rev, err
		}
		found, err := b.markers(ctx, ops)
		if err != nil || len(found) == 0 && len(markers) == 0 {
			return 0, cmpErr(err, ErrConflict)
		}
		markers = found
	}
	return 0, ErrConflict
}

func cmpErr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// markers returns the revisions of the deletion markers under keys that are to be created; ErrConflict if one of them has a record.
func (b *jetBucket) markers(ctx context.Context, ops []Op) (map[string]uint64, error) {
	st, err := b.js.Stream(ctx, "KV_"+b.kv.Bucket())
	if err != nil {
		return nil, b.fail("stream", "", err)
	}
	found := map[string]uint64{}
	for _, op := range ops {
		if !op.creates() {
			continue
		}
		m, err := st.GetLastMsgForSubject(ctx, b.prefix+escapeKey(op.Key))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return nil, b.fail("get", op.Key, err)
		}
		if m.Header.Get("KV-Operation") == "" {
			return nil, ErrConflict
		}
		found[op.Key] = m.Sequence
	}
	return found, nil
}

// Codes of the API of NATS that tell a failed condition (published): wrong last sequence, also in its constant form.
const (
	wrongLastSequence         = 10071
	wrongLastSequenceConstant = 10164
)

func conflict(err error) error {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		if api.ErrorCode == wrongLastSequence || api.ErrorCode == wrongLastSequenceConstant {
			return ErrConflict
		}
	}
	return err
}

func (b *jetBucket) Batch(ctx context.Context, ops []Op) (uint64, error) {
	if err := checkBatch(ops); err != nil {
		return 0, err
	}
	switch len(ops) {
	case 0:
		return 0, b.within(ctx)
	case 1:
		return b.one(ctx, "batch", ops[0])
	}
	b.batches.Lock()
	defer b.batches.Unlock()
	return b.withMarkers(ctx, ops, func(markers map[string]uint64) (uint64, error) { return b.publishBatch(ctx, ops, markers) })
}

// publishBatch is the atomic batch publish of NATS (ADR-50, published): messages of one batch id with growing sequence numbers, of which the
// last asks for the commit and gets the answer for all.
func (b *jetBucket) publishBatch(ctx context.Context, ops []Op, markers map[string]uint64) (uint64, error) {
	nc := b.js.Conn()
	id := nats.NewInbox()[len("_INBOX."):]
	for i, op := range ops {
		m := b.message(op, markers[op.Key])
		m.Header.Set("Nats-Batch-Id", id)
		m.Header.Set("Nats-Batch-Sequence", strconv.Itoa(i+1))
		if i < len(ops)-1 {
			if err := nc.PublishMsg(m); err != nil {
				return 0, b.fail("batch", op.Key, err)
			}
			continue
		}
		m.Header.Set("Nats-Batch-Commit", "1")
		return b.commit(ctx, nc, m, len(ops))
	}
	return 0, nil
}

func (b *jetBucket) commit(ctx context.Context, nc *nats.Conn, m *nats.Msg, n int) (uint64, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, nats.DefaultTimeout*5)
		defer cancel()
	}
	answer, err := nc.RequestMsgWithContext(ctx, m)
	if err != nil {
		return 0, b.fail("batch", m.Subject, err)
	}
	var ack struct {
		Seq   uint64              `json:"seq"`
		Count int                 `json:"count"`
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(answer.Data, &ack); err != nil {
		return 0, b.fail("batch", m.Subject, err)
	}
	if ack.Error != nil {
		return 0, b.fail("batch", m.Subject, conflict(ack.Error))
	}
	if ack.Count != n {
		return 0, fmt.Errorf("store: batch: the server committed %d of %d operations: it does not know atomic batches, use NATS 2.12 or later", ack.Count, n)
	}
	return ack.Seq, nil
}

// batchPays is how many operations it takes for a batch, with its one fsync, to be faster than an fsync each.
const batchPays = 24

func (b *jetBucket) Pipeline(ctx context.Context, ops []Op) []error {
	single := func(op Op) error {
		_, err := b.one(ctx, "pipeline", op)
		return err
	}
	if len(ops) < 2 || checkBatch(ops) != nil || b.within(ctx) != nil {
		return each(ops, single)
	}
	if b.options.Sync && len(ops) >= batchPays {
		if _, err := b.Batch(ctx, ops); err == nil {
			return nil
		} else if !errors.Is(err, ErrConflict) {
			return each(ops, func(Op) error { return err })
		}
		return each(ops, single)
	}
	futures := make([]jetstream.PubAckFuture, len(ops))
	failed := make([]error, len(ops))
	for i, op := range ops {
		futures[i], failed[i] = b.js.PublishMsgAsync(b.message(op, 0))
	}
	i := -1
	return each(ops, func(op Op) error {
		i++
		if failed[i] != nil {
			return b.fail("pipeline", op.Key, failed[i])
		}
		select {
		case <-futures[i].Ok():
			return nil
		case err := <-futures[i].Err():
			if err = conflict(err); errors.Is(err, ErrConflict) && op.creates() {
				return single(op) // a deletion may have left its marker
			}
			return b.fail("pipeline", op.Key, err)
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

func (b *jetBucket) List(ctx context.Context, prefix string) ([]Entry, error) {
	if err := b.within(ctx); err != nil {
		return nil, err
	}
	w, err := b.kv.Watch(ctx, filterFor(prefix), jetstream.IgnoreDeletes())
	if err != nil {
		return nil, b.fail("list", prefix, err)
	}
	defer func() { _ = w.Stop() }()
	var out []Entry
	for {
		select {
		case e, ok := <-w.Updates():
			if !ok {
				return nil, b.fail("list", prefix, cmpErr(ctx.Err(), ErrClosed))
			}
			if e == nil {
				slices.SortFunc(out, func(a, b Entry) int { return strings.Compare(a.Key, b.Key) })
				return out, nil
			}
			key, err := unescapeKey(e.Key())
			if err != nil {
				return nil, err
			}
			if strings.HasPrefix(key, prefix) {
				out = append(out, Entry{Key: key, Value: e.Value(), Revision: e.Revision()})
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-b.store.base.Done():
			return nil, ErrClosed
		}
	}
}

func (b *jetBucket) Watch(ctx context.Context, prefix string) (<-chan Event, error) {
	if err := b.within(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(b.store.base, cancel)
	w, err := b.kv.Watch(ctx, filterFor(prefix))
	if err != nil {
		cancel()
		stop()
		return nil, b.fail("watch", prefix, err)
	}
	out := make(chan Event)
	go func() {
		defer close(out)
		defer func() { _ = w.Stop() }()
		defer stop()
		defer cancel()
		relay(ctx, w, prefix, out)
	}()
	return out, nil
}

// relay passes on what a watch tells. Markers of keys that were deleted before it began are left out.
func relay(ctx context.Context, w jetstream.KeyWatcher, prefix string, out chan<- Event) {
	synced := false
	for {
		var e Event
		select {
		case u, ok := <-w.Updates():
			switch {
			case !ok:
				return
			case u == nil:
				synced = true
				e = Event{Kind: Synced}
			default:
				key, err := unescapeKey(u.Key())
				deleted := u.Operation() != jetstream.KeyValuePut
				if err != nil || !strings.HasPrefix(key, prefix) || deleted && !synced {
					continue
				}
				e = Event{Changed, Entry{Key: key, Value: u.Value(), Revision: u.Revision()}}
				if deleted {
					e.Kind, e.Entry.Value = Deleted, nil
				}
			}
		case <-ctx.Done():
			return
		}
		select {
		case out <- e:
		case <-ctx.Done():
			return
		}
	}
}
