package bench

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/internal/clock"
	"smets1/transport/serial"
)

const inventory = `bench: leeds-1
hubs:
  # the good one
  - name: hub-a
    address: serial://usb?serial=A50285BI&interface=0&driver=native
    eui: 00-DB-12-34-56-78-90-A0
    devices: {esme: 00-DB-12-34-56-78-90-A1}
    has: [prepayment]
    keys: keys/hub-a.json
    irreversible: allowed
  - name: hub-b
    address: tcp://192.0.2.1:4059
    devices: {esme: 00-DB-12-34-56-78-90-B1, gsme: 00-DB-12-34-56-78-90-B2}
  - name: hub-c
    address: tcp+hdlc://192.0.2.2:4059
    offline: worn out
quarantine:
  - {scenario: upgrade, hub: hub-a, owner: j.smith, until: 2026-12-31, reason: ticket 812}
`

func TestParse(t *testing.T) {
	inv, err := Parse("/lab/bench.yaml", []byte(inventory))
	require.NoError(t, err)
	a, err := inv.Hub("hub-a")
	require.NoError(t, err)
	require.Equal(t, []string{"hub", "esme", "prepayment"}, a.Fixtures())
	require.True(t, a.MayNotTurnBack())
	require.Equal(t, "/lab/keys/hub-a.json", inv.KeysPath(a))
	_, err = inv.Hub("hub-x")
	require.ErrorContains(t, err, "there is hub-a, hub-b, hub-c")

	fit, err := inv.Find([]string{"hub", "esme"}, false)
	require.NoError(t, err)
	require.Len(t, fit, 2)
	fit, err = inv.Find([]string{"esme"}, true)
	require.NoError(t, err)
	require.Equal(t, "hub-a", fit[0].Name)
	_, err = inv.Find([]string{"hub", "gsme"}, true)
	require.EqualError(t, err, "no hub on this bench has hub, gsme: hub-a has no gsme; hub-b does not allow irreversible steps; "+
		"hub-c has no gsme and does not allow irreversible steps and is offline (worn out)")

	day := time.Date(2026, 12, 31, 23, 0, 0, 0, time.UTC)
	q, expired := inv.Quarantined("upgrade", "hub-a", day)
	require.NotNil(t, q)
	require.Nil(t, expired)
	q, expired = inv.Quarantined("upgrade", "hub-a", day.Add(time.Hour))
	require.Nil(t, q)
	require.Equal(t, "j.smith", expired.Owner)
	q, _ = inv.Quarantined("upgrade", "hub-b", day)
	require.Nil(t, q)
}

func TestParseRefuses(t *testing.T) {
	hub := func(more string) string { return "hubs:\n  - {name: a, address: \"tcp://h:1\", " + more + "}\n" }
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", "has no hubs: smets1 hwtest scan"},
		{"unknown field", "hub: []\n", "b.yaml:1: unknown field"},
		{"name", "hubs:\n  - {name: A B, address: \"tcp://h:1\"}\n", "want lower-case letters"},
		{"twice", "hubs:\n  - {name: a, address: \"tcp://h:1\"}\n  - {name: a, address: \"tcp://h:2\"}\n", "a second hub called a"},
		{"same address", "hubs:\n  - {name: a, address: \"tcp://h:1\"}\n  - {name: b, address: \"tcp://h:1\"}\n", "has the address of a"},
		{"no address", "hubs:\n  - {name: a}\n", "want one that begins with serial, tcp or tcp+hdlc"},
		{"no port", "hubs:\n  - {name: a, address: \"tcp://h\"}\n", "want a host and a port"},
		{"unstable", "hubs:\n  - {name: a, address: \"serial:///dev/ttyUSB0\"}\n", "the next re-plug may give to another device"},
		{"scheme", "hubs:\n  - {name: a, address: \"ftp://h\"}\n", "want one that begins with serial, tcp or tcp+hdlc"},
		{"device", hub("devices: {hub: 00-DB-12-34-56-78-90-A0}"), "want esme, gsme or ihd"},
		{"irreversible", hub("irreversible: maybe"), "want allowed, or nothing"},
		{"irreversible and nameless", hub("irreversible: allowed"), "need an eui"},
		{"two powers", hub("power: {ask: true, sysfs: /x}"), "want one of"},
		{"uhubctl", hub("power: {uhubctl: {port: 1}}"), "want the location"},
		{"http", hub("power: {http: {off: x}}"), "want a URL for off and one for on"},
		{"command", hub("power: {command: {off: [x]}}"), "want a program for off and one for on"},
		{"quarantine", hub("note: x") + "quarantine: [{scenario: s, until: 2026-01-01}]\n", "want scenario, owner, until and reason"},
		{"day", hub("note: x") + "quarantine: [{scenario: s, until: soon}]\n", "want a day as 2026-12-31"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("b.yaml", []byte(tt.text))
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(inventory))
	f.Fuzz(func(t *testing.T, b []byte) {
		inv, err := Parse("b.yaml", b)
		if err != nil {
			require.Contains(t, err.Error(), "b.yaml")
			return
		}
		require.NotEmpty(t, inv.Hubs)
	})
}

func port(serialNumber string, n int) serial.Info {
	return serial.Info{Node: "/dev/ttyUSB7", USB: &serial.USBInfo{Serial: serialNumber, Interface: n, Manufacturer: "FTDI", Product: "Cable"}}
}

// Scan adds what is new and keeps the rest byte for byte.
func TestScan(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bench.yaml")
	require.NoError(t, os.WriteFile(path, []byte(inventory), 0o600))
	added, absent, err := Scan(path, []serial.Info{port("A50285BI", 0), {Node: "/dev/ttyS0"}})
	require.NoError(t, err)
	require.Empty(t, added)
	require.Empty(t, absent)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, inventory, string(b))

	added, absent, err = Scan(path, []serial.Info{port("NEW 1", 0), port("NEW 1", 1)})
	require.NoError(t, err)
	require.Equal(t, []string{"hub-new1", "hub-new1-1"}, added)
	require.Equal(t, []string{"hub-a"}, absent)
	b, err = os.ReadFile(path)
	require.NoError(t, err)
	before, after, _ := strings.Cut(inventory, "quarantine:")
	require.True(t, strings.HasPrefix(string(b), before))
	require.True(t, strings.HasSuffix(string(b), "quarantine:"+after))
	inv, err := Load(path)
	require.NoError(t, err)
	h, err := inv.Hub("hub-new1-1")
	require.NoError(t, err)
	require.NotEmpty(t, h.Offline, "nobody knows yet what it is")

	fresh := filepath.Join(t.TempDir(), "new.yaml")
	added, _, err = Scan(fresh, []serial.Info{port("X", 0)})
	require.NoError(t, err)
	require.Equal(t, []string{"hub-x"}, added)
	_, err = Load(fresh)
	require.NoError(t, err)

	require.NoError(t, os.WriteFile(path, []byte("hubs: [}"), 0o600))
	_, _, err = Scan(path, []serial.Info{port("X", 0)})
	require.Error(t, err)
	b, err = os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "hubs: [}", string(b), "a file with a mistake is left alone")
}

// Two runners never have one hub; what a killed one leaves behind is nothing.
func TestLease(t *testing.T) {
	dir, h, now := t.TempDir(), &Hub{Name: "hub-a"}, time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	first, err := Acquire(dir, h, Holder{Owner: "ann", What: "smoke"}, now)
	require.NoError(t, err)
	_, err = Acquire(dir, h, Holder{Owner: "ann"}, now)
	var busy *BusyError
	require.ErrorAs(t, err, &busy)
	require.Contains(t, busy.Error(), "hub-a is in use by ann (process ")
	require.Contains(t, busy.Error(), ": smoke")
	held, taken, err := Look(dir, h, now)
	require.NoError(t, err)
	require.True(t, taken)
	require.Equal(t, "ann", held.Owner)
	require.ErrorAs(t, Reserve(dir, h, Holder{Owner: "bob", Until: now.Add(time.Hour)}, now), &busy)

	require.NoError(t, first.f.Close()) // killed
	_, taken, err = Look(dir, h, now)
	require.NoError(t, err)
	require.False(t, taken)
	second, err := Acquire(dir, h, Holder{Owner: "bob"}, now)
	require.NoError(t, err)
	require.NoError(t, second.Release())

	require.NoError(t, Reserve(dir, h, Holder{Owner: "ann", Until: now.Add(time.Hour)}, now))
	_, err = Acquire(dir, h, Holder{Owner: "bob"}, now.Add(59*time.Minute))
	require.ErrorAs(t, err, &busy)
	require.Contains(t, busy.Error(), "until 2026-11-24T10:00:00Z")
	mine, err := Acquire(dir, h, Holder{Owner: "ann"}, now)
	require.NoError(t, err)
	require.NoError(t, mine.Release())
	_, taken, err = Look(dir, h, now)
	require.NoError(t, err)
	require.True(t, taken, "the reservation outlives a run of its owner")
	later, err := Acquire(dir, h, Holder{Owner: "bob"}, now.Add(time.Hour))
	require.NoError(t, err, "its time is over")
	require.NoError(t, later.Release())
	require.NoError(t, Reserve(dir, h, Holder{Owner: "ann", Until: now.Add(time.Hour)}, now))
	require.NoError(t, Reserve(dir, h, Holder{Owner: "ann"}, now))
	_, taken, err = Look(dir, h, now)
	require.NoError(t, err)
	require.False(t, taken)
}

// relay is a switch with a port behind it.
type relay struct{ on, works bool }

func (r *relay) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	if q.URL.Path == "/broken" {
		http.Error(w, "fuse", http.StatusBadGateway)
		return
	}
	if r.works {
		r.on = q.URL.Path == "/on"
	}
}

func TestPower(t *testing.T) {
	for _, tt := range []struct {
		name  string
		works bool
		off   string
		want  string
	}{
		{"works", true, "/off", ""},
		{"switches nothing", false, "/off", "the port is still there"},
		{"answers with an error", true, "/broken", "502 Bad Gateway fuse"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &relay{on: true, works: tt.works}
			s := httptest.NewServer(r)
			defer s.Close()
			p := Power{}
			p.HTTP = &struct {
				Off string `yaml:"off"`
				On  string `yaml:"on"`
			}{s.URL + tt.off, s.URL + "/on"}
			at := clock.NewScaled(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), 1000)
			err := (&Switcher{Power: p, Clock: at, Present: func() (bool, error) { return r.on, nil }}).Cycle(t.Context(), 5*time.Second)
			require.True(t, r.on, "the power is back whatever went wrong")
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tt.want)
		})
	}
	require.ErrorIs(t, (&Switcher{Clock: clock.Real()}).Cycle(t.Context(), 0), ErrNoPower)
	asked := []string{}
	s := &Switcher{Power: Power{Ask: true}, Clock: clock.Real(), Prompt: func(_ context.Context, what string) error { asked = append(asked, what); return nil }}
	require.NoError(t, s.Cycle(t.Context(), 0))
	require.Equal(t, []string{"switch the power of the hub off", "switch the power of the hub on"}, asked)
	s.Prompt = func(context.Context, string) error { return errors.New("nobody is there") }
	require.ErrorContains(t, s.Cycle(t.Context(), 0), "nobody is there")
	require.ErrorContains(t, (&Switcher{Power: Power{Command: &struct {
		Off []string `yaml:"off"`
		On  []string `yaml:"on"`
	}{[]string{"false"}, []string{"true"}}}, Clock: clock.Real()}).Cycle(t.Context(), 0), "power: false")
}
