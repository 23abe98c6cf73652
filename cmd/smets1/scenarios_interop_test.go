//go:build interop

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/cmd/internal/lab"
	"smets1/device/fleet"
	"smets1/firmware"
	"smets1/gateway/broker"
	"smets1/gateway/keystore"
	"smets1/gateway/topic"
	"smets1/internal/store"
	"smets1/internal/wire"
	"smets1/migration/document"
	"smets1/migration/engine"
	"smets1/migration/lifecycle"
	"smets1/migration/plan"
	"smets1/migration/report"
)

// scenarioHomes is a home for each scenario of a migration that is to be
// rehearsed; each is on the line and in the air like any other.
const scenarioHomes = `schema: 1
name: scenarios
seed: 14
start: 2019-04-08T07:00:00Z
homes:
  - {name: happy, profile: ioc-dlms, fuel: dual, supplier: 70-B3-D5-1F-30-00-A0-08}
  - {name: mover, profile: foc-mesh, fuel: dual, status: dormant, supplier: 70-B3-D5-1F-30-00-A0-08}
  - {name: quota-a, profile: foc-mesh, fuel: electricity, supplier: 70-B3-D5-1F-30-00-A0-33}
  - {name: quota-b, profile: foc-mesh, fuel: electricity, supplier: 70-B3-D5-1F-30-00-A0-33}
  - {name: mixed, profile: foc-mesh, fuel: dual, devices: {gsme: ioc-dlms}, supplier: 70-B3-D5-1F-30-00-A0-08}
  - {name: gas, profile: moc-secure, fuel: dual, faults: [gas-silent], supplier: 70-B3-D5-1F-30-00-A0-08}
  - {name: dark, profile: ioc-dlms, fuel: electricity, faults: [no-wan], supplier: 70-B3-D5-1F-30-00-A0-08}
  - {name: cut, profile: moc-secure, fuel: electricity, faults: ["power-cut-at-key-stage:esme"], supplier: 70-B3-D5-1F-30-00-A0-08}
  - {name: squatted, profile: foc-mesh, fuel: electricity, supplier: 70-B3-D5-1F-30-00-A0-08}
  - {name: prepaid, profile: moc-secure, fuel: electricity, payment: prepayment, supplier: 70-B3-D5-1F-30-00-A0-08}
  - {name: silent-sms, profile: moc-secure, fuel: electricity, supplier: 70-B3-D5-1F-30-00-A0-08}
  - {name: divided, profile: ioc-dlms, fuel: dual, supplier: 70-B3-D5-1F-30-00-A0-14, gasSupplier: 70-B3-D5-1F-30-00-A0-15}
networkOperator: unused
`

// rehearsal is virtual homes, a gateway and a broker, and a programme for them.
type rehearsal struct {
	t       *testing.T
	fleet   *fleet.Fleet
	gateway *lab.Gateway
	waker   *quotaWaker
	clock   lab.Clock
	store   store.Store
	remote  *engine.Remote
	inputs  string
	out     string
	specs   *document.Specs
	homes   map[string]fleet.Entry
	names   map[wire.EUI64]string
}

// quotaWaker sends messages but to one number, whose quota is used up.
type quotaWaker struct {
	to     *fleet.Fleet
	mu     sync.Mutex
	refuse string
	// refused counts the messages that were not sent.
	refused int
}

func (w *quotaWaker) Wake(ctx context.Context, msisdn string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refuse != "" && strings.HasSuffix(msisdn, w.refuse) {
		w.refused++
		return errors.New("the SMS quota of the number is used up: 2 of 2 this month")
	}
	return w.to.SMS(ctx, msisdn)
}

func newRehearsal(t *testing.T, manifest string) *rehearsal {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	m, err := fleet.ParseManifest("scenarios.yaml", []byte(strings.TrimSuffix(manifest, "networkOperator: unused\n")))
	require.NoError(t, err)
	r := &rehearsal{t: t, inputs: t.TempDir(), out: t.TempDir(), homes: map[string]fleet.Entry{}, names: map[wire.EUI64]string{}}
	r.specs, err = document.DefaultSpecs()
	require.NoError(t, err)
	state := t.TempDir()
	b, err := broker.Start(ctx, broker.Config{StateDir: filepath.Join(state, "nats"), Listen: "127.0.0.1:0"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	r.store, err = b.Store()
	require.NoError(t, err)
	root, err := keystore.RootFile(filepath.Join(state, "root.key"))
	require.NoError(t, err)
	r.clock, err = lab.OpenClock(ctx, r.store, m.StartTime(), 150)
	require.NoError(t, err)
	t.Cleanup(r.clock.Close)
	nv, err := lab.NV(ctx, r.store)
	require.NoError(t, err)
	r.fleet, err = fleet.Open(ctx, m, fleet.Options{Clock: r.clock, NV: nv, Listen: true, Port: -1})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.fleet.Close()) })
	for e := range r.fleet.Inventory() {
		r.homes[e.Name], r.names[e.Devices[0].EUI] = e, e.Name
	}
	require.NoError(t, lab.WriteInputs(r.inputs, r.fleet))
	library, err := firmware.OpenLibrary(filepath.Join(state, "firmware"))
	require.NoError(t, err)
	r.waker = &quotaWaker{to: r.fleet}
	if e, ok := r.homes["silent-sms"]; ok {
		r.waker.refuse = strings.TrimPrefix(e.MSISDN, "+")
	}
	r.gateway, err = lab.StartGateway(ctx, lab.GatewayConfig{
		Broker: b.URL(), Fleet: fleetName, Node: "gateway-1", Store: r.store, Root: root, Clock: r.clock, Library: library,
		Hubs: lab.Hubs(r.fleet), Waker: r.waker, Advance: r.clock.AdvanceTo, Factor: 150, KeyChanges: 2 * runtime.NumCPU(),
	}, func(keys *keystore.Store) error { return lab.Handover(ctx, r.fleet, keys, operator, r.clock.Now()) })
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.gateway.Close(ctx)) })
	r.remote, err = engine.Dial(ctx, engine.RemoteConfig{Broker: b.URL(), Fleet: fleetName, Client: "engine"})
	require.NoError(t, err)
	t.Cleanup(r.remote.Close)
	require.NoError(t, r.remote.AwaitGateway(ctx))
	return r
}

// open opens the engine, with the keys of the same roles each time.
func (r *rehearsal) open(observe func(engine.Progress)) *engine.Engine {
	r.t.Helper()
	e, err := engine.Open(r.t.Context(), engine.Config{
		Inputs: r.inputs, Out: r.out, Gateway: r.remote, Store: r.store, Sole: true, Clock: r.clock, PKI: rand.NewChaCha8([32]byte{9}),
		Custody: lab.StoreCustody(r.gateway.Keys, operator), WakeTimeout: 5 * time.Minute, Observe: observe,
	})
	require.NoError(r.t, err)
	return e
}

func (r *rehearsal) outcome(e *engine.Engine, name string) engine.Outcome {
	r.t.Helper()
	for _, o := range e.Outcomes() {
		if r.names[o.Home] == name {
			return o
		}
	}
	r.t.Fatalf("no home %s", name)
	return engine.Outcome{}
}

func (r *rehearsal) hub(name string) wire.EUI64 { return r.homes[name].Devices[0].EUI }

// files finds documents of the run.
func (r *rehearsal) files(pattern string) []string {
	r.t.Helper()
	names, err := filepath.Glob(filepath.Join(r.out, "files", pattern))
	require.NoError(r.t, err)
	return names
}

// owned holds a home's keys against whose they must be, on every device and in
// the gateway's store.
func (r *rehearsal) owned(name, owner string) {
	r.t.Helper()
	st, err := r.fleet.Status(name)
	require.NoError(r.t, err)
	for _, d := range st.Devices {
		k, err := r.gateway.Keys.Get(r.t.Context(), d.EUI)
		if errors.Is(err, keystore.ErrUnknownDevice) && d.Type == "ihd" {
			continue
		}
		require.NoError(r.t, err)
		require.Equal(r.t, owner, k.Current.Owner, "%s %s", name, d.Type)
		require.Equal(r.t, k.Current.Keys.GUEK.Fingerprint(), d.Fingerprint, "%s %s", name, d.Type)
		require.Zero(r.t, d.KeyChange, "%s %s: a key change is open", name, d.Type)
	}
}

// response writes a Demand Response for a supplier: so many homes on every day.
func (r *rehearsal) response(s1sp, supplier string, allocated int) {
	r.t.Helper()
	monday := document.Date{Year: 2019, Month: 4, Day: 8}
	d := document.NewDemand("SCEN", s1sp, wire.MustEUI64(supplier), monday, document.Period{}, func(document.Date) (int, int) { return allocated, 0 })
	rules := plan.Rules{}
	cal, err := plan.DefaultCalendar()
	require.NoError(r.t, err)
	rules.Calendar = cal
	rules.Capacity = plan.NewCapacity(cal, []document.Constraint{{Kind: document.LimitDCC, From: monday, Days: document.EveryDay, Limit: 100, PerInstallation: 1}})
	out, _, ps := rules.Respond(r.specs, []*document.Demand{d})
	require.Empty(r.t, ps)
	var b bytes.Buffer
	require.NoError(r.t, document.WriteDemandResponse(&b, r.specs, out[0]))
	require.NoError(r.t, os.WriteFile(filepath.Join(r.inputs, out[0].Name.String()), b.Bytes(), 0o600))
}

// balance reads the account of a prepayment meter through the gateway.
func (r *rehearsal) balance(id, name string) int64 {
	r.t.Helper()
	cmd, err := topic.NewCommand(id, r.hub(name), topic.Read, topic.ReadArgs{Items: []topic.ReadItem{{Attribute: topic.Attribute{Class: 111, OBIS: "0-0:19.0.0.255", Attribute: 5}}}})
	require.NoError(r.t, err)
	cmd.Device = topic.ESME
	res, err := r.remote.Call(r.t.Context(), cmd, nil)
	require.NoError(r.t, err)
	require.NoError(r.t, res.Err())
	var got topic.ReadResult
	require.NoError(r.t, res.Decode(&got))
	require.NoError(r.t, got.Items[0].Err())
	return int64(got.Items[0].Value.Num)
}

const mainSupplier = "70-B3-D5-1F-30-00-A0-08"

// One programme of whole days over MQTT, with a home for each of the scenarios
// that a migration is rehearsed for. The numbers are those of the list of
// minimum scenarios. 9 (a crash of everything at any point) is
// TestKilledProcessGoesOn and the engine's TestKilledAnywhereGoesOn. The homes
// are far too many for the race detector; TestDemo runs the same code under it.
func TestInteropScenarios(t *testing.T) {
	r := newRehearsal(t, scenarioHomes)
	// 3: one home a day, for a supplier that authorises two.
	for _, s1sp := range []string{"CGI", "SECURE", "TRILLIANT"} {
		r.response(s1sp, mainSupplier, 50)
	}
	r.response("TRILLIANT", "70-B3-D5-1F-30-00-A0-33", 1)
	r.response("CGI", "70-B3-D5-1F-30-00-A0-14", 50)
	// 14: of the two suppliers of one home, the gas supplier does not authorise.
	for _, kind := range []string{"MA_", "MAPASSWORD_"} {
		names, err := filepath.Glob(filepath.Join(r.inputs, kind+"*70-B3-D5-1F-30-00-A0-15*"))
		require.NoError(t, err)
		require.Len(t, names, 1)
		require.NoError(t, os.Remove(names[0]))
	}
	// 11: an authorisation whose password was never sent, beside the sample's pair of two spellings.
	lone := "MA_CGI_" + mainSupplier + "_20190408_060000.zip"
	require.NoError(t, os.WriteFile(filepath.Join(r.inputs, lone), []byte("PK"), 0o600))
	// 8: a device of the home is in the data systems' inventory with another home.
	bucket, err := r.store.Bucket(t.Context(), "migration", store.Options{Sync: true})
	require.NoError(t, err)
	squatter, err := json.Marshal(map[string]any{"status": "Pending", "type": "ESME", "installation": r.hub("happy")})
	require.NoError(t, err)
	_, err = bucket.Put(t.Context(), "inventory/"+r.homes["squatted"].Devices[1].EUI.String(), squatter)
	require.NoError(t, err)
	before := r.balance("before", "prepaid")

	// The first day: plans and notices only.
	e := r.open(nil)
	problems := e.Problems()
	require.NoError(t, e.RunDay(t.Context()))
	first := r.files("DMMS_*")
	require.Len(t, first, 1)
	// 2: the dormant home changes supplier between its notice and its day.
	mover := r.homes["mover"]
	r.register(mover, "70-B3-D5-1F-30-00-A0-77")

	// Ctrl-C in the middle of a key take-over, and on again.
	ctx, cancel := context.WithCancel(t.Context())
	e = r.open(func(p engine.Progress) {
		if p.Phase == "key take-over" && p.Done == 1 {
			cancel()
		}
	})
	require.ErrorIs(t, e.Run(ctx), context.Canceled)
	e = r.open(nil)
	require.NoError(t, e.Run(t.Context()))
	require.NoError(t, e.Report(t.Context(), "test"))
	after := r.balance("after", "prepaid")

	migrated := func(name string, o document.CommissioningOutcome) {
		x := r.outcome(e, name)
		require.Equal(r.t, lifecycle.Migrated, x.State, "%s: %s %s", name, x.Code, x.Detail)
		require.Equal(r.t, o, x.Outcome, name)
		st, err := r.fleet.Status(name)
		require.NoError(r.t, err)
		require.Contains(r.t, st.Endpoint, "s1sp.example:4059")
	}
	left := func(name string, state lifecycle.State, code string) engine.Outcome {
		x := r.outcome(e, name)
		require.Equal(r.t, state, x.State, "%s: %s %s", name, x.Code, x.Detail)
		require.Equal(r.t, code, x.Code, "%s: %s", name, x.Detail)
		r.owned(name, operator)
		return x
	}
	inAFile := func(name string) bool {
		for _, f := range r.files("MCF_*") {
			b, err := os.ReadFile(f)
			require.NoError(t, err)
			if bytes.Contains(b, []byte(r.hub(name).String())) {
				return true
			}
		}
		return false
	}
	sub := func(name string, f func(*testing.T)) {
		t.Run(name, func(t *testing.T) {
			all := r.t
			r.t = t
			defer func() { r.t = all }()
			f(t)
		})
	}
	sub("1 active dual fuel", func(t *testing.T) {
		migrated("happy", document.Commissioned)
		r.owned("happy", "S1SP-CGI")
		for _, f := range []string{"R01-daily-outcome.csv", "R09-reconciliation.csv"} {
			b, err := os.ReadFile(filepath.Join(r.out, f))
			require.NoError(t, err)
			require.NoError(t, report.VerifyCSV(bytes.NewReader(b)))
		}
	})
	sub("2 dormant, and a change of supplier between notice and day", func(t *testing.T) {
		migrated("mover", document.Commissioned)
		status := map[string][]document.NoticeStatus{}
		for _, f := range r.files("DMMS_*") {
			b, err := os.ReadFile(f)
			require.NoError(t, err)
			rows, ps := document.ReadMigrationNotices(r.specs, filepath.Base(f), bytes.NewReader(b))
			require.Empty(t, ps)
			n, err := document.ParseName(filepath.Base(f))
			require.NoError(t, err)
			for _, row := range rows {
				if row.CHFDeviceID == r.hub("mover") {
					status[n.EUI.String()] = append(status[n.EUI.String()], row.Status)
				}
			}
		}
		require.Equal(t, map[string][]document.NoticeStatus{
			mainSupplier:              {document.NoticeNew, document.NoticeNew, document.NoticeCancelled, document.NoticeCancelled},
			"70-B3-D5-1F-30-00-A0-77": {document.NoticeNew, document.NoticeNew},
		}, status)
	})
	sub("3 more authorised than allocated", func(t *testing.T) {
		require.Contains(t, problems.Codes(), "XMA09")
		states := []lifecycle.State{r.outcome(e, "quota-a").State, r.outcome(e, "quota-b").State}
		slices.Sort(states)
		require.Equal(t, []lifecycle.State{lifecycle.Candidate, lifecycle.Migrated}, states)
	})
	sub("4 not eligible", func(t *testing.T) {
		left("mixed", lifecycle.Blocked, "MA110")
		require.False(t, inAFile("mixed"))
	})
	sub("5 gas gives up, electricity goes alone", func(t *testing.T) {
		migrated("gas", document.PartiallyCommissioned)
		x := r.outcome(e, "gas")
		require.Equal(t, "GT01", x.Code)
		require.Greater(t, x.Attempts, 2)
		gas, err := r.gateway.Keys.Get(t.Context(), r.homes["gas"].Devices[2].EUI)
		require.NoError(t, err)
		require.Equal(t, operator, gas.Current.Owner)
	})
	sub("6 no WAN, five times", func(t *testing.T) {
		x := left("dark", lifecycle.Excluded, "XPC04")
		require.Equal(t, 5, x.Attempts)
	})
	sub("7 power cut between stage and commit", func(t *testing.T) {
		migrated("cut", document.Commissioned)
		r.owned("cut", "S1SP-SECURE")
		require.Equal(t, 2, r.outcome(e, "cut").Attempts)
	})
	sub("8 the data systems refuse", func(t *testing.T) {
		left("squatted", lifecycle.Blocked, "XCM01")
		st, err := r.fleet.Status("squatted")
		require.NoError(t, err)
		require.NotContains(t, st.Endpoint, "s1sp.example:4059", "the hub calls its operator again")
	})
	sub("10 what is sealed, tampered with or sent again", func(t *testing.T) { r.sealed(t) })
	sub("11 passwords and spellings", func(t *testing.T) {
		require.Contains(t, problems.Codes(), "XMA03")
		require.True(t, slices.ContainsFunc(problems, func(p document.Problem) bool { return p.File == lone && p.Remedy != "" }))
		require.NotEmpty(t, r.files("MAR_cgI_*"), "the sample's spelling is answered as it was written")
	})
	sub("12 prepayment goes on", func(t *testing.T) {
		migrated("prepaid", document.Commissioned)
		require.LessOrEqual(t, after, before)
		require.Less(t, before-after, int64(100_000_000), "millipence: nothing but what was used was taken")
	})
	sub("13 the SMS quota is used up", func(t *testing.T) {
		left("silent-sms", lifecycle.Excluded, "XPC04")
		r.waker.mu.Lock()
		defer r.waker.mu.Unlock()
		require.Positive(t, r.waker.refused, "messages were asked for, and refused")
	})
	sub("14 two suppliers and one authorisation", func(t *testing.T) {
		require.Contains(t, problems.Codes(), "XMA11")
		require.Equal(t, lifecycle.Candidate, r.outcome(e, "divided").State)
		require.False(t, inAFile("divided"))
		r.owned("divided", operator)
	})
}

// register has a home's meters registered to another supplier from the second
// day on.
func (r *rehearsal) register(e fleet.Entry, supplier string) {
	r.t.Helper()
	path := filepath.Join(r.inputs, "registrations.csv")
	b, err := os.ReadFile(path)
	require.NoError(r.t, err)
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	var more []string
	for n, line := range lines {
		for _, d := range e.Devices {
			if d.MPxN != "" && strings.Contains(line, ","+d.MPxN+",") {
				cells := strings.Split(strings.TrimSpace(line), ",")
				next := slices.Clone(cells)
				cells[5], next[2], next[4] = "2019-04-08", supplier, "2019-04-09"
				lines[n] = strings.Join(cells, ",")
				more = append(more, strings.Join(next, ","))
			}
		}
	}
	require.Len(r.t, more, 2)
	require.NoError(r.t, os.WriteFile(path, []byte(strings.Join(append(lines, more...), "\n")+"\n"), 0o600))
	cert := fmt.Sprintf("599999,%s,Supplier,Organisation,2013-01-01,2039-12-31\n", supplier)
	f, err := os.OpenFile(filepath.Join(r.inputs, "certificates.csv"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(r.t, err)
	_, err = f.WriteString(cert)
	require.NoError(r.t, errors.Join(err, f.Close()))
}

// sealed looks at the encrypted files of the run as a stranger does: a changed
// octet shows, and no block holds a key in clear.
func (r *rehearsal) sealed(t *testing.T) {
	names := r.files("MGEF_*")
	require.NotEmpty(t, names)
	for _, name := range names {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		for _, e := range r.homes {
			for _, d := range e.Devices {
				k, err := r.gateway.Keys.Get(t.Context(), d.EUI)
				if err != nil {
					continue
				}
				for _, set := range []*keystore.Set{k.Current, k.Previous} {
					if set != nil {
						require.False(t, bytes.Contains(b, set.Keys.GUEK.Reveal()))
					}
				}
			}
		}
	}
	for _, role := range []string{"CP", "RP"} {
		in, err := filepath.Glob(filepath.Join(r.out, "parties", role+"-*", "in", "MGEF_*"))
		require.NoError(t, err)
		require.Empty(t, in, "%s has no business with keys", role)
	}
}
