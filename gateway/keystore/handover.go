package keystore

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"smets1/dlms/security"
	"smets1/firmware"
	"smets1/internal/store"
	"smets1/internal/wire"
)

// HandoverFormat is the format member of a handover file.
const HandoverFormat = "smets1-key-handover/1"

// Handover is a handover file: the keys with which devices come to this
// gateway. The format is ours. It holds keys in clear: it never prints them, and
// only WriteHandover puts them into words.
type Handover struct {
	Owner   string
	Devices []HandoverDevice
}

// HandoverDevice is one device of a handover file.
type HandoverDevice struct {
	EUI     wire.EUI64
	Type    firmware.DeviceType
	Title   security.SystemTitle // zero if not known
	Version uint32
	Keys    security.KeySet
	// Counter is the last invocation counter used under these keys; zero if none.
	Counter uint32
}

type handoverFile struct {
	Format  string           `json:"format"`
	Owner   string           `json:"owner"`
	Devices []handoverRecord `json:"devices"`
}

type handoverRecord struct {
	EUI     string `json:"eui"`
	Type    string `json:"type"`
	Title   string `json:"system_title,omitempty"`
	Version uint32 `json:"key_version"`
	GUEK    string `json:"guek"`
	GBEK    string `json:"gbek,omitempty"`
	GAK     string `json:"gak"`
	KEK     string `json:"kek"`
	Counter uint32 `json:"invocation_counter"`
}

// ParseHandover reads and checks a handover file. It reports all mistakes at
// once, each with the device and what to do; nothing of the file is usable then.
//
// A first line with commas and no brace is that of a CSV file, see handoverColumns.
func ParseHandover(b []byte) (Handover, error) {
	if t := bytes.TrimLeft(b, " \t\r\n\ufeff"); len(t) > 0 && t[0] != '{' && bytes.ContainsRune(firstLine(t), ',') {
		return parseHandoverCSV(b)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var f handoverFile
	if err := d.Decode(&f); err != nil {
		return Handover{}, fmt.Errorf("keystore: handover file: not the JSON of the format: %w", hideInput(err))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Handover{}, errors.New("keystore: handover file: something follows the JSON object: remove it")
	}
	return f.check()
}

func firstLine(b []byte) []byte {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	return line
}

// check says all that is wrong with a handover, whatever it was written in.
func (f *handoverFile) check() (Handover, error) {
	var errs []error
	bad := func(i int, field, format string, args ...any) {
		errs = append(errs, fmt.Errorf("keystore: handover file: device %d (%.23s): %s: %s", i+1, f.Devices[i].EUI, field, fmt.Sprintf(format, args...)))
	}
	if f.Format != HandoverFormat {
		errs = append(errs, fmt.Errorf("keystore: handover file: format is %.40q: want %q", f.Format, HandoverFormat))
	}
	if f.Owner == "" {
		errs = append(errs, errors.New("keystore: handover file: owner is empty: say whose keys these are"))
	}
	if len(f.Devices) == 0 {
		errs = append(errs, errors.New("keystore: handover file: it has no devices"))
	}
	h := Handover{Owner: f.Owner, Devices: make([]HandoverDevice, len(f.Devices))}
	seen := map[wire.EUI64]int{}
	for i := range f.Devices {
		r, v := &f.Devices[i], &h.Devices[i]
		var err error
		if v.EUI, err = wire.ParseEUI64(r.EUI); err != nil {
			bad(i, "eui", "%v", err)
		} else if first, dup := seen[v.EUI]; dup {
			bad(i, "eui", "the same as device %d: a device may be there once", first+1)
		} else {
			seen[v.EUI] = i
		}
		if v.Type = deviceTypes[r.Type]; v.Type == 0 {
			bad(i, "type", "%.20q: want chf, esme, gsme or ihd", r.Type)
		}
		if r.Title != "" {
			if v.Title, err = security.ParseSystemTitle(r.Title); err != nil {
				bad(i, "system_title", "%v", err)
			}
		}
		v.Version, v.Counter = r.Version, r.Counter
		if r.Counter >= security.CounterLimit {
			bad(i, "invocation_counter", "%d leaves none to use: change the keys before the handover", r.Counter)
		}
		for _, k := range []struct {
			name, text string
			to         *security.Key
			optional   bool
		}{{"guek", r.GUEK, &v.Keys.GUEK, false}, {"gbek", r.GBEK, &v.Keys.GBEK, true}, {"gak", r.GAK, &v.Keys.GAK, false}, {"kek", r.KEK, &v.Keys.KEK, false}} {
			if k.text == "" && k.optional {
				continue
			}
			key, err := security.ParseKey(k.text)
			switch {
			case err != nil || key.Len() != 16:
				bad(i, k.name, "want 32 hexadecimal digits, it has %d characters", len(k.text))
			case strings.Trim(k.text, "0") == "":
				bad(i, k.name, "it is all zeros: give the real key")
			default:
				*k.to = key
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return Handover{}, err
	}
	return h, nil
}

var deviceTypes = map[string]firmware.DeviceType{
	firmware.Hub.String(): firmware.Hub, firmware.ESME.String(): firmware.ESME,
	firmware.GSME.String(): firmware.GSME, firmware.IHD.String(): firmware.IHD,
}

// hideInput gives a JSON error without the value it is about, which may be a key.
func hideInput(err error) error {
	var t *json.UnmarshalTypeError
	if errors.As(err, &t) {
		return fmt.Errorf("octet %d: member %q has the wrong type", t.Offset, t.Field)
	}
	return err
}

// WriteHandover writes h as ParseHandover reads it, keys in clear: to a file
// that only its owner can read.
func WriteHandover(w io.Writer, h Handover) error {
	f := handoverFile{Format: HandoverFormat, Owner: h.Owner, Devices: make([]handoverRecord, 0, len(h.Devices))}
	reveal := func(k security.Key) string { return hex.EncodeToString(k.Reveal()) }
	for i := range h.Devices {
		d := &h.Devices[i]
		r := handoverRecord{
			EUI: d.EUI.String(), Type: d.Type.String(), Version: d.Version, Counter: d.Counter,
			GUEK: reveal(d.Keys.GUEK), GBEK: reveal(d.Keys.GBEK), GAK: reveal(d.Keys.GAK), KEK: reveal(d.Keys.KEK),
		}
		if !d.Title.IsZero() {
			r.Title = d.Title.String()
		}
		f.Devices = append(f.Devices, r)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(f)
}

// importChunk is how many devices one batch of the bucket takes, with a
// counter each.
const importChunk = store.MaxBatch / 2

// Import takes over all devices of a handover file, or none. A device that is
// there already under the same keys, in any generation, is left as it is; under
// other keys it is an error that names it. It gives how many were new.
func (s *Store) Import(ctx context.Context, h Handover, now time.Time) (added int, err error) {
	var fresh []sealedImport
	var errs []error
	for i := range h.Devices {
		v := &h.Devices[i]
		set := Set{Owner: h.Owner, Version: v.Version, Made: now, Keys: v.Keys}
		have, _, err := s.get(ctx, v.EUI)
		switch {
		case err == nil:
			if _, same := have.Find(set.Fingerprint()); !same {
				errs = append(errs, fmt.Errorf("keystore: import: device %s is there under other keys (%s of %s): remove it from the file, or from the store if it is wrong there",
					v.EUI, have.Current.fingerprint(), have.Current.owner()))
			}
			continue
		case !errors.Is(err, ErrUnknownDevice):
			return 0, err
		}
		d := Device{EUI: v.EUI, Type: v.Type, Title: v.Title, Current: &set}
		fresh = append(fresh, sealedImport{d.plain(), v.Counter})
	}
	if err := errors.Join(errs...); err != nil {
		return 0, err
	}
	if err := s.importAll(ctx, fresh); err != nil {
		return 0, err
	}
	return len(fresh), nil
}

func (s *Set) fingerprint() string {
	if s == nil {
		return "none"
	}
	return s.Fingerprint()
}

func (s *Set) owner() string {
	if s == nil {
		return "nobody"
	}
	return s.Owner
}

type sealedImport struct {
	Device  sealedDevice `json:"device"`
	Counter uint32       `json:"counter"`
}

// importAll makes devices appear all together over a bucket whose batches are
// limited: first the chunks are written under import/<id>/, then a mark that
// the import is to be, then the chunks are applied. What a crash leaves
// without the mark is removed at the next Open, with it is applied.
func (s *Store) importAll(ctx context.Context, all []sealedImport) error {
	if len(all) <= importChunk {
		return s.applyImport(ctx, all) // one batch: atomic by itself
	}
	var id [8]byte
	if _, err := rand.Read(id[:]); err != nil {
		return wrap(err, "import")
	}
	prefix := fmt.Sprintf("import/%x/", id)
	for i := 0; i < len(all); i += importChunk {
		plain, err := json.Marshal(all[i:min(i+importChunk, len(all))])
		if err != nil {
			return wrap(err, "import")
		}
		key := fmt.Sprintf("%s%06d", prefix, i/importChunk)
		b, err := s.sealer.seal(key, plain)
		if err != nil {
			return err
		}
		if _, err := s.bucket.Create(ctx, key, b); err != nil {
			return wrap(err, "import")
		}
	}
	mark, err := s.sealer.seal(prefix+importMark, nil)
	if err != nil {
		return err
	}
	if _, err := s.bucket.Create(ctx, prefix+importMark, mark); err != nil {
		return wrap(err, "import")
	}
	return s.finishImport(ctx, prefix)
}

const importMark = "go"

func (s *Store) resumeImports(ctx context.Context) error {
	entries, err := s.bucket.List(ctx, "import/")
	if err != nil {
		return wrap(err, "look for imports")
	}
	marked := map[string]bool{}
	for _, e := range entries {
		if prefix, ok := strings.CutSuffix(e.Key, importMark); ok {
			if _, err := s.sealer.open(e.Key, e.Value); err != nil {
				return err
			}
			marked[prefix] = true
			if err := s.finishImport(ctx, prefix); err != nil {
				return err
			}
		}
	}
	for _, e := range entries {
		if prefix := e.Key[:strings.LastIndexByte(e.Key, '/')+1]; !marked[prefix] {
			if err := s.bucket.Delete(ctx, e.Key); err != nil {
				return wrap(err, "undo an import")
			}
		}
	}
	return nil
}

// finishImport applies the chunks in order and removes them, the mark last.
func (s *Store) finishImport(ctx context.Context, prefix string) error {
	entries, err := s.bucket.List(ctx, prefix)
	if err != nil {
		return wrap(err, "import")
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Key, importMark) {
			continue
		}
		plain, err := s.sealer.open(e.Key, e.Value)
		if err != nil {
			return err
		}
		var chunk []sealedImport
		if err := json.Unmarshal(plain, &chunk); err != nil {
			return fmt.Errorf("keystore: %s: %w", e.Key, ErrTampered)
		}
		if err := s.applyImport(ctx, chunk); err != nil {
			return err
		}
		if err := s.bucket.Delete(ctx, e.Key); err != nil {
			return wrap(err, "import")
		}
	}
	return wrap(s.bucket.Delete(ctx, prefix+importMark), "import")
}

// applyImport creates the devices that are not there yet, in one batch.
func (s *Store) applyImport(ctx context.Context, chunk []sealedImport) error {
	ops := make([]store.Op, 0, 2*len(chunk))
	counters := map[string]uint32{}
	for i := range chunk {
		d, err := chunk[i].Device.device()
		if err != nil {
			return wrap(err, "import")
		}
		if _, err := s.bucket.Get(ctx, deviceKey(d.EUI)); err == nil {
			continue // applied before a crash
		} else if !errors.Is(err, store.ErrNotFound) {
			return wrap(err, "import")
		}
		b, err := s.sealDevice(&d)
		if err != nil {
			return err
		}
		ops = append(ops, store.Create(deviceKey(d.EUI), b))
		key := counterKey(d.Current.Keys.GUEK)
		counters[key] = max(counters[key], chunk[i].Counter+1)
	}
	for key, next := range counters {
		have, rev, err := s.readCounter(ctx, key)
		if err != nil {
			return err
		}
		if have >= next {
			continue
		}
		b, err := s.sealCounter(key, next)
		if err != nil {
			return err
		}
		ops = append(ops, store.CompareAndSet(key, b, rev))
	}
	if _, err := s.bucket.Batch(ctx, ops); err != nil {
		return wrap(err, "import")
	}
	// A counter in use has its own block already.
	for key, next := range counters {
		s.mu.Lock()
		c := s.counters[key]
		s.mu.Unlock()
		if c != nil {
			if err := c.Raise(ctx, next); err != nil {
				return err
			}
		}
	}
	return nil
}
