package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/gateway/topic"
	"smets1/internal/clock"
	"smets1/internal/store"
	"smets1/internal/wire"
	"smets1/migration/document"
	"smets1/migration/document/demodata"
	"smets1/migration/lifecycle"
	"smets1/migration/report"
)

// world is a programme with a fake gateway, on one stepped clock.
type world struct {
	t       *testing.T
	inputs  string
	out     string
	clock   *clock.Stepped
	gateway *fakeGateway
	store   store.Store
	homes   map[string]wire.EUI64
	specs   *document.Specs
}

// A homeKind is a home by what is special about it.
type homeKind struct {
	name                                      string
	dormant, electricityOnly, permitsElecOnly bool
	old                                       bool // at a firmware below the eligible one
	gasSilent, noWAN, refuses, notEligible    bool
	wrongKey                                  topic.Device
	lapse                                     int
}

var allKinds = []homeKind{
	{name: "active dual"},
	{name: "active electricity", electricityOnly: true},
	{name: "dormant dual, old firmware", dormant: true, old: true},
	{name: "dormant dual", dormant: true},
	{name: "gas silent, permitted", gasSilent: true, permitsElecOnly: true},
	{name: "gas silent, not permitted", gasSilent: true},
	{name: "no WAN", noWAN: true},
	{name: "wrong key", wrongKey: topic.ESME},
	{name: "power cut", lapse: 1},
	{name: "corrupt image", dormant: true, old: true, refuses: true},
	{name: "not eligible", notEligible: true},
}

func newWorld(t *testing.T, kinds []homeKind) *world {
	t.Helper()
	specs, err := document.DefaultSpecs()
	require.NoError(t, err)
	w := &world{t: t, inputs: t.TempDir(), out: t.TempDir(), clock: clock.NewStepped(began), store: store.Memory(), homes: map[string]wire.EUI64{}, specs: specs}
	cfg := demodata.Config{Random: newSeeded(1)}
	var releases []document.Release
	for n, k := range kinds {
		hub := wire.EUI64{0x00, 0xDB, 0x12, 0x34, 0x56, 0x78, byte(n), 0xA0}
		w.homes[k.name] = hub
		status := document.Active
		if k.dormant {
			status = document.Dormant
		}
		model := fmt.Sprintf("M%d", n)
		fw := "2.10"
		if k.old {
			fw = "2.09"
		}
		in := document.Installation{
			ID: hub, GroupID: "AA", Cohort: "IOC", S1SP: "CGI", CommsProvider: "Vodafone", WakeUp: "SMS",
			SIM: document.SIM{ICCID: fmt.Sprintf("894411%013d", n), MSISDN: fmt.Sprintf("4477009%05d", n)},
			Devices: []document.Device{
				{Type: document.CHF, ID: hub, Manufacturer: "Maker", Model: "Hub" + model, Firmware: "1.00", Serial: fmt.Sprintf("H%d", n)},
				{Type: document.ESME, ID: wire.EUI64{0x00, 0xDB, 0x12, 0x34, 0x56, 0x78, byte(n), 0xA1}, Manufacturer: "Maker", Model: "E" + model, Firmware: fw, Serial: fmt.Sprintf("E%d", n), Status: status},
			},
		}
		if !k.electricityOnly {
			in.Devices = append(in.Devices, document.Device{Type: document.GSME, ID: wire.EUI64{0x00, 0xDB, 0x12, 0x34, 0x56, 0x78, byte(n), 0xA2}, Manufacturer: "Maker", Model: "G" + model, Firmware: "3.00", Serial: fmt.Sprintf("G%d", n), Status: status})
		}
		cfg.Installations = append(cfg.Installations, in)
		if k.old {
			target := in.Combination()
			target.ESME.Firmware = "2.10"
			cfg.Upgradable = append(cfg.Upgradable, hub)
			cfg.Targets = append(cfg.Targets, target)
			releases = append(releases, document.Release{Type: document.ESME, Model: target.ESME, SHA256: sha256.Sum256([]byte(model))})
		}
		if k.notEligible {
			cfg.NotEligible = append(cfg.NotEligible, hub)
		}
		if k.permitsElecOnly {
			cfg.ElectricityOnly = append(cfg.ElectricityOnly, hub)
		}
	}
	files, err := demodata.Write(specs, w.inputs, cfg)
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, document.WriteReleases(&b, specs, releases))
	require.NoError(t, os.WriteFile(filepath.Join(w.inputs, releasesFile), b.Bytes(), 0o600))
	w.gateway = newFakeGateway(w.clock, files.Installations)
	for _, k := range kinds {
		h := w.gateway.homes[w.homes[k.name]]
		h.gasSilent, h.noWAN, h.wrongKey, h.lapse = k.gasSilent, k.noWAN, k.wrongKey, k.lapse
		h.devices[topic.ESME].refuses = k.refuses
	}
	return w
}

func (w *world) open(s store.Store) (*Engine, error) {
	return Open(w.t.Context(), Config{
		Inputs: w.inputs, Out: w.out, Specs: w.specs, Gateway: w.gateway, Store: s, Sole: true, Clock: w.clock, PKI: newSeeded(9), Concurrency: 4,
	})
}

func (w *world) outcome(e *Engine, name string) Outcome {
	w.t.Helper()
	for _, o := range e.Outcomes() {
		if o.Home == w.homes[name] {
			return o
		}
	}
	w.t.Fatalf("no outcome of %s", name)
	return Outcome{}
}

// expect holds the end of a whole programme against what must become of each
// kind of home.
func (w *world) expect(e *Engine) {
	w.t.Helper()
	for _, c := range []struct {
		home    string
		state   lifecycle.State
		outcome document.CommissioningOutcome
		code    string
	}{
		{"active dual", lifecycle.Migrated, document.Commissioned, ""},
		{"active electricity", lifecycle.Migrated, document.Commissioned, ""},
		{"dormant dual, old firmware", lifecycle.Migrated, document.Commissioned, ""},
		{"dormant dual", lifecycle.Migrated, document.Commissioned, ""},
		{"gas silent, permitted", lifecycle.Migrated, document.PartiallyCommissioned, "GT01"},
		{"gas silent, not permitted", lifecycle.Blocked, document.CommissioningFailed, "GT01"},
		{"no WAN", lifecycle.Excluded, document.NotAttempted, "XPC04"},
		{"wrong key", lifecycle.ManualIntervention, document.CommissioningFailed, "XVB05"},
		{"power cut", lifecycle.Migrated, document.Commissioned, ""},
		{"corrupt image", lifecycle.Blocked, document.NotAttempted, "XFW01"},
		{"not eligible", lifecycle.Blocked, document.NotAttempted, "MA110"},
	} {
		if _, ok := w.homes[c.home]; !ok {
			continue
		}
		o := w.outcome(e, c.home)
		require.Equal(w.t, c.state, o.State, "%s: %s %s", c.home, o.Code, o.Detail)
		require.Equal(w.t, c.outcome, o.Outcome, c.home)
		require.Equal(w.t, c.code, o.Code, "%s: %s", c.home, o.Detail)
		// Exactly one owner, and it is the one that the outcome says.
		for name, d := range w.gateway.homes[w.homes[c.home]].devices {
			want := o.Owner
			if name == topic.GSME && o.Outcome == document.PartiallyCommissioned {
				want = "SMSO"
			}
			if name != topic.IHD {
				require.Equal(w.t, want, d.owner, "%s: %s", c.home, name)
			}
		}
		endpoint := "smso.example:4059"
		if c.state == lifecycle.Migrated {
			endpoint = "s1sp.example:4059"
		}
		require.Equal(w.t, endpoint, w.gateway.homes[w.homes[c.home]].endpoint, c.home)
	}
	for id, n := range w.gateway.ran {
		require.Equal(w.t, 1, n, "command %s ran more than once", id)
	}
	for _, h := range e.homes {
		migrated := 0
		for _, m := range h.Moves {
			if m.To == lifecycle.Migrated {
				migrated++
			}
		}
		require.LessOrEqual(w.t, migrated, 1, "%s was commissioned twice", h.ID)
		for name, n := range w.gateway.homes[h.ID].takeovers {
			require.LessOrEqual(w.t, n, 1, "%s: keys of %s were taken over twice", h.ID, name)
		}
	}
}

func TestProgramme(t *testing.T) {
	w := newWorld(t, allKinds)
	e, err := w.open(w.store)
	require.NoError(t, err)
	require.Equal(t, []string{"MA110"}, e.Problems().Codes())
	require.NoError(t, e.Run(t.Context()))
	w.expect(e)
	require.Equal(t, 2, w.outcome(e, "power cut").Attempts)
	require.Equal(t, 5, w.outcome(e, "no WAN").Attempts)

	require.NoError(t, e.Report(t.Context(), "test"))
	trail, err := os.Open(e.Path("audit.jsonl"))
	require.NoError(t, err)
	defer trail.Close()
	_, err = report.VerifyTrail(trail, func(r report.Record) error {
		from, err := lifecycle.ParseState(r.From)
		require.NoError(t, err)
		to, err := lifecycle.ParseState(r.To)
		require.NoError(t, err)
		_, ok := lifecycle.Between(from, to)
		require.True(t, ok, "%s → %s", from, to)
		return nil
	})
	require.NoError(t, err)

	files, err := os.ReadDir(e.Path("files"))
	require.NoError(t, err)
	kinds := map[document.Kind]int{}
	for _, f := range files {
		n, err := document.ParseName(f.Name())
		require.NoError(t, err)
		kinds[n.Kind]++
	}
	for _, k := range []document.Kind{document.KindMAR, document.KindDMFW, document.KindDMMS, document.KindMCF, document.KindMGF, document.KindMCVF, document.KindMGVF, document.KindSVF, document.KindSCF, document.KindCOF} {
		require.Positive(t, kinds[k], "no %s file", k)
	}
	require.Equal(t, kinds[document.KindMCF], kinds[document.KindCOF], "every set has its outcome")
	require.NoError(t, e.Run(t.Context()), "a finished run has nothing to do")
}

// A dormant home's supplier is told fourteen days before its firmware and
// seven before its migration.
func TestDormantHomesWaitForTheirNotice(t *testing.T) {
	w := newWorld(t, allKinds[2:4])
	e, err := w.open(w.store)
	require.NoError(t, err)
	require.NoError(t, e.Run(t.Context()))
	for name, days := range map[string]int{"dormant dual, old firmware": 14, "dormant dual": 7} {
		h := e.homes[w.homes[name]]
		first := h.Moves[1]
		require.Equal(t, lifecycle.Notified, first.To)
		require.GreaterOrEqual(t, first.Time.Sub(h.MigrationNotice), time.Duration(days)*24*time.Hour, name)
		require.Less(t, first.Time.Sub(h.MigrationNotice), time.Duration(days+2)*24*time.Hour, name)
		require.NotEmpty(t, first.Artefact)
	}
}

// A process that dies before or after any write of the journal, and before or
// after any command, is followed by one that ends where an undisturbed one
// does; no command runs twice, no home is commissioned twice, and every device
// has the one owner that the outcome names.
//
// One death is tried for every other kind of place, under the race detector for
// every sixteenth; with SMETS1_EXHAUSTIVE=1 every single one.
func TestKilledAnywhereGoesOn(t *testing.T) {
	kinds := []homeKind{allKinds[2], allKinds[4]}
	kinds[0].lapse = 1
	live := func(t *testing.T, die int) (places []string) {
		w := newWorld(t, kinds)
		var mu sync.Mutex
		crash := func(at string) error {
			mu.Lock()
			defer mu.Unlock()
			places = append(places, at)
			if die > 0 && len(places) >= die {
				return errCrash
			}
			return nil
		}
		w.gateway.crash = crash
		e, err := w.open(dyingStore{w.store, crash})
		if err == nil {
			err = e.Run(t.Context())
		}
		if die == 0 {
			require.NoError(t, err)
			w.expect(e)
			return places
		}
		require.ErrorIs(t, err, errCrash, "point %d", die)
		where := places[die-1]
		w.gateway.crash = func(string) error { return nil }
		e, err = w.open(w.store)
		require.NoError(t, err, "after dying %s", where)
		require.NoError(t, e.Run(t.Context()), "after dying %s", where)
		w.expect(e)
		return places
	}
	every := 2
	if raceDetector {
		every = 16
	}
	seen := map[string]bool{}
	places := live(t, 0)
	for n, at := range places {
		kind := particular.ReplaceAllString(at, "")
		if os.Getenv("SMETS1_EXHAUSTIVE") == "" {
			if seen[kind] {
				continue
			}
			if seen[kind] = true; len(seen)%every != 0 {
				continue
			}
		}
		t.Run(strings.ReplaceAll(at, "/", ","), func(t *testing.T) {
			t.Parallel() // they mostly wait for the disk
			live(t, n+1)
		})
	}
}

// particular is what tells one home, attempt, set or time from another in the
// name of a place.
var particular = regexp.MustCompile(`([0-9A-F]{2}-){7}[0-9A-F]{2}|mig-[0-9TZ]+|/[0-9]+|[A-Z]{2}-[0-9A-F]{16}-[0-9]{12}`)

// Ctrl-C is a death with manners: the same state goes on.
func TestStoppedAndContinued(t *testing.T) {
	w := newWorld(t, allKinds)
	ctx, cancel := context.WithCancel(t.Context())
	var n atomic.Int32
	w.gateway.crash = func(string) error {
		if n.Add(1) == 60 {
			cancel()
		}
		return nil
	}
	e, err := w.open(w.store)
	require.NoError(t, err)
	require.ErrorIs(t, e.Run(ctx), context.Canceled)
	e, err = w.open(w.store)
	require.NoError(t, err)
	require.NoError(t, e.Run(t.Context()))
	w.expect(e)
}

func TestChangedInputsAreRefused(t *testing.T) {
	w := newWorld(t, allKinds[:1])
	_, err := w.open(w.store)
	require.NoError(t, err)
	f, err := os.OpenFile(filepath.Join(w.inputs, portfolioFile), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString("\n")
	require.NoError(t, err)
	require.NoError(t, f.Close())
	_, err = w.open(w.store)
	require.ErrorContains(t, err, "portfolio.csv in "+w.inputs+" is not as run mig-20190408T080000")
}

func TestTwoEnginesCannotBothGoOn(t *testing.T) {
	w := newWorld(t, allKinds[:2])
	a, err := w.open(w.store)
	require.NoError(t, err)
	b, err := w.open(w.store)
	require.NoError(t, err)
	require.NoError(t, a.Run(t.Context()))
	require.ErrorIs(t, b.Run(t.Context()), ErrTwoEngines)
}

func TestAnIssuedFileThatWasChangedStopsTheRun(t *testing.T) {
	w := newWorld(t, allKinds[:1])
	w.gateway.crash = func(where string) error {
		if strings.Contains(where, "test/wake") {
			return errCrash
		}
		return nil
	}
	e, err := w.open(w.store)
	require.NoError(t, err)
	require.ErrorIs(t, e.Run(t.Context()), errCrash)
	names, err := filepath.Glob(filepath.Join(w.out, "files", "MCVF_*"))
	require.NoError(t, err)
	require.Len(t, names, 1)
	h := e.homes[w.homes["active dual"]]
	h.machine = lifecycle.Machine{}
	b, err := os.ReadFile(names[0])
	require.NoError(t, err)
	i := slices.Index(b, 'P')
	b[i] = 'Q'
	require.NoError(t, os.WriteFile(names[0], b, 0o600))
	s := e.sets[h.Set]
	_, err = e.fetch(e.parties.rp, s, document.KindMCVF)
	require.ErrorContains(t, err, "is not as it was issued")
}

func TestMissingFileSaysWhatTheFolderNeeds(t *testing.T) {
	w := newWorld(t, allKinds[:1])
	require.NoError(t, os.Remove(filepath.Join(w.inputs, epclFile)))
	_, err := w.open(w.store)
	require.ErrorContains(t, err, "epcl.csv")
	require.ErrorContains(t, err, "a programme's folder needs")
}

func TestUnpairedAuthorisationIsAProblemAndTheRestGoesOn(t *testing.T) {
	w := newWorld(t, allKinds[:1])
	lone := "MA_CGI_70-B3-D5-1F-30-00-A0-08_20190408_100000.zip"
	require.NoError(t, os.WriteFile(filepath.Join(w.inputs, lone), []byte("x"), 0o600))
	e, err := w.open(w.store)
	require.NoError(t, err)
	require.Equal(t, []string{"XMA03"}, e.Problems().Codes())
	require.Equal(t, lone, e.Problems()[0].File)
	require.NoError(t, e.Run(t.Context()))
	w.expect(e)
}

// A later authorisation with one bad row and one withdrawal: the bad row is
// told with file, row, column, code and remedy, the good one counts, and the
// homes of the first authorisation go on.
func TestLaterAuthorisationWithABadRow(t *testing.T) {
	w := newWorld(t, []homeKind{{name: "active dual"}, {name: "withdrawn", electricityOnly: true}})
	e, err := w.open(store.Memory())
	require.NoError(t, err)
	name, err := document.ParseName("MA_CGI_70-B3-D5-1F-30-00-A0-08_20190408_070000.zip")
	require.NoError(t, err)
	row := func(home string) document.AuthorisationRow {
		doc, ok := e.in.Portfolio.Installation(w.homes[home])
		require.True(t, ok)
		d, ok := doc.Device(document.ESME)
		require.True(t, ok)
		r, ok := e.in.Coverage.Row(d.ID)
		require.True(t, ok)
		return r
	}
	withdrawn, bad := row("withdrawn"), row("active dual")
	withdrawn.RecordNo, withdrawn.Withdraw = 1, true
	bad.RecordNo = 2
	var csv bytes.Buffer
	require.NoError(t, document.WriteAuthorisationCSV(&csv, w.specs, []document.AuthorisationRow{withdrawn, bad}))
	digit := bad.MPxN[12]
	wrong := string(bad.MPxN[:12]) + string('0'+(digit-'0'+1)%10)
	text := bytes.Replace(csv.Bytes(), []byte(bad.MPxN), []byte(wrong), 1)
	zip, password, err := document.SealAuthorisation(w.specs, name, text, nil, began, newSeeded(4))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(w.inputs, name.String()), zip, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(w.inputs, name.With(document.KindMAPassword, "csv").String()), password, 0o600))

	e, err = w.open(w.store)
	require.NoError(t, err)
	require.Len(t, e.Problems(), 1)
	p := e.Problems()[0]
	require.Equal(t, name.String(), p.File)
	require.Equal(t, 3, p.Row)
	require.Equal(t, "MPxN", p.Column)
	require.Equal(t, "XMA05", p.Code)
	require.NotEmpty(t, p.Remedy)
	require.NoError(t, e.Run(t.Context()))
	require.Equal(t, lifecycle.Migrated, w.outcome(e, "active dual").State)
	require.Equal(t, lifecycle.Withdrawn, w.outcome(e, "withdrawn").State)
	require.Zero(t, len(w.gateway.homes[w.homes["withdrawn"]].takeovers), "nothing was asked of a withdrawn home")
}
