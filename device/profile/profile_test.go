package profile

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBuiltin(t *testing.T) {
	s := Builtin()
	require.Equal(t, []string{"foc-mesh", "ioc-aclara", "ioc-dlms", "moc-secure"}, s.Names())
	p, ok := s.Get("moc-secure")
	require.True(t, ok)
	require.Equal(t, MOC, p.Cohort)
	require.Equal(t, 2, p.WAN.Wake.Messages())
	require.True(t, p.Has(QuirkTwoMessages))
	require.False(t, p.Has(QuirkMeshWAN))
	require.Equal(t, "P4X2G05", p.ESME.Newest())
	require.True(t, p.ESME.Knows("P4X2G04"))
	require.False(t, p.ESME.Knows("P4X2G06"))
	require.Equal(t, 120*time.Second, p.Keys.Window)
	require.Equal(t, uint8(3), p.Hub.DLMS.Policy.Enum())
	require.True(t, p.Hub.DLMS.Speaks(LinkHDLC))
	require.False(t, p.GSME.DLMS.Speaks(LinkHDLC))
	eui := [8]byte{0, 0xDB, 0x12, 0x34, 1, 2, 3, 4}
	require.Equal(t, [8]byte{'S', 'M', 'L', 0x34, 1, 2, 3, 4}, p.Hub.Title(eui))
	foc, _ := s.Get("foc-mesh")
	require.Equal(t, eui, foc.Hub.Title(eui))
	require.Zero(t, foc.WAN.Wake.Messages())
	_, ok = s.Get("nobody")
	require.False(t, ok)
}

func TestReplaceByPath(t *testing.T) {
	src, err := builtin.ReadFile("data/foc-mesh.yaml")
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "lab.yaml")
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(src), "CNA-2", "Bench hub 7", 1)), 0o600))
	p, err := LoadFile(file)
	require.NoError(t, err)
	s := Builtin()
	require.Error(t, s.Add(p), "the name is taken")
	s.Replace(p)
	got, _ := s.Get("foc-mesh")
	require.Equal(t, "Bench hub 7", got.Hub.Model)
	d, err := LoadDir(filepath.Dir(file))
	require.NoError(t, err)
	require.Equal(t, []string{"foc-mesh"}, d.Names())
	_, err = LoadDir(t.TempDir())
	require.ErrorContains(t, err, "no .yaml file")
	_, err = LoadFile("nowhere.yaml")
	require.ErrorIs(t, err, os.ErrNotExist)
}

// Each row changes one thing of a good profile; the error names line and field.
func TestBadProfiles(t *testing.T) {
	good, err := builtin.ReadFile("data/moc-secure.yaml")
	require.NoError(t, err)
	for _, c := range []struct{ name, old, new, want string }{
		{"schema", "schema: 1", "schema: 9", "p.yaml:2: schema: version 9 is not known"},
		{"name", "name: moc-secure", "name: MOC Secure", "p.yaml:3: name: "},
		{"version", `version: "1.0"`, `version: "one"`, "p.yaml:4: version: "},
		{"title", "title: MOC, Secure Skyline hub with Liberty meters and Pipit display", "title: ''", "title: missing"},
		{"cohort", "cohort: MOC", "cohort: XOC", `cohort: "XOC" is not one of IOC, MOC, FOC`},
		{"group", "group: CA", "group: C", "group: "},
		{"platform", "platform: SECURE", "platform: secure", "platform: "},
		{"unknown field", "wan:", "colour: red\nwan:", "p.yaml:16: unknown field"},
		{"wake", "wake: smsx2", "wake: pigeon", "wan.wake: "},
		{"wake against quirk", "wake: smsx2", "wake: sms", "wan.wake: "},
		{"sms delay", "smsDelay: 20s", "smsDelay: 20h", "wan.smsDelay: 20h0m0s is outside"},
		{"duration", "smsDelay: 20s", "smsDelay: soon", "p.yaml:18: "},
		{"han", "latency: 120ms", "latency: 15s", "han.latency: there and back"},
		{"window", "window: 120s", "window: 0s", "keys.window: 0s is outside"},
		{"counter block", "counterBlock: 1000", "counterBlock: 0", "keys.counterBlock: "},
		{"long manufacturer", "manufacturer: Secure Meters", "manufacturer: Secure Meters of Eastleigh Limited", "hub.manufacturer: 34 characters; at most 30"},
		{"flag", "flag: SML", "flag: sm", "hub.flag: "},
		{"title form", "systemTitle: flag", "systemTitle: serial", "hub.systemTitle: "},
		{"drift", "driftPPM: -6", "driftPPM: 9000", "hub.driftPPM: 9000 is outside ±200"},
		{"firmware twice", "version: P4X2G04", "version: P4X2G03", `esme.firmware[1].version: "P4X2G03" is listed twice`},
		{"firmware long", "version: P4X2G04", "version: P4X2G04.1", `esme.firmware[1].version: "P4X2G04.1" has 9 characters; at most 8`},
		{"source", `, source: "Secure Liberty 100 manual, pages 101-102"`, "", "esme.firmware[1].source: missing"},
		{"client", "clients: {public: 16, management: 1}", "clients: {public: 1, management: 1}", "hub.dlms.clients.management: the same address"},
		{"pdu", "maxPDU: 640", "maxPDU: 12", "hub.dlms.maxPDU: 12 is under 64"},
		{"conformance", "block-transfer-with-get, ", "teleport, ", "hub.dlms.conformance[0]: "},
		{"no get", ", get, set", ", set", `hub.dlms.conformance: "get" is missing`},
		{"suite", "suite: 0", "suite: 1", "hub.dlms.suite: 1: "},
		{"policy", "policy: both", "policy: some", "hub.dlms.policy: "},
		{"links", "links: [wrapper, hdlc]", "links: []", "hub.dlms.links: missing"},
		{"block", "blockSize: 256", "blockSize: 600", "hub.image.blockSize: a block of 600"},
		{"reboot", "reboot: 75s", "reboot: 0s", "hub.image.reboot: "},
		{"quirk", "id: lock-out", "id: sulks", "quirks[3].id: "},
		{"quirk twice", "id: lock-out", "id: gas-mirror", "is listed twice"},
		{"type", "group: CA", "group: [C, A]", "p.yaml:12: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Contains(t, string(good), c.old)
			_, err := Parse("p.yaml", []byte(strings.Replace(string(good), c.old, c.new, 1)))
			require.ErrorContains(t, err, c.want)
			require.Regexp(t, `^p\.yaml:\d+: `, err.Error())
		})
	}
}

// Each file of testdata/bad is a good profile with one mistake. Its first line says what
// is wrong; the error names file, line and field.
func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 30)
	for _, f := range files {
		b, err := os.ReadFile(f)
		require.NoError(t, err)
		first, _, _ := strings.Cut(string(b), "\n")
		want, ok := strings.CutPrefix(first, "# want: ")
		require.True(t, ok, f)
		_, err = LoadFile(f)
		require.ErrorContains(t, err, want, f)
		require.Regexp(t, `^`+regexp.QuoteMeta(f)+`:\d+: `, err.Error())
		require.NotContains(t, err.Error(), "\n", "one mistake, one line")
	}
	require.Error(t, func() error { _, err := LoadDir("testdata/bad"); return err }())
}

// A make is what its file says, and what SMETS1 has where it says nothing.
func TestSizes(t *testing.T) {
	s := Builtin()
	p, _ := s.Get("ioc-aclara")
	require.True(t, p.Has(QuirkDualElement))
	require.False(t, p.ESME.Has(PartReactive))
	require.True(t, p.ESME.Has(PartExport))
	require.Equal(t, 16, p.ESME.Tariff.Registers)
	require.Equal(t, 4, p.GSME.Tariff.Registers)
	require.Equal(t, 41, p.GSME.Logs.Network)
	require.Equal(t, 731, p.ESME.Logs.DailyUse)
	require.Equal(t, 24*time.Hour, p.WAN.CallEvery)
	p, _ = s.Get("moc-secure")
	require.Equal(t, Tariff{48, 4, 4, 4, 17, 12, 50}, p.ESME.Tariff)
	require.Equal(t, 14, p.ESME.Logs.Days)
	require.Equal(t, 18960, p.ESME.Logs.HalfHours)
	require.Equal(t, 3, p.ESME.Prepay.Blocks)
}

func FuzzParse(f *testing.F) {
	for _, n := range []string{"ioc-dlms", "ioc-aclara", "moc-secure", "foc-mesh"} {
		b, err := builtin.ReadFile("data/" + n + ".yaml")
		require.NoError(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse("p", b)
		require.Equal(t, err == nil, p != nil)
		if p != nil {
			require.NotEmpty(t, p.Hub.Newest())
			require.Greater(t, p.Keys.Window, time.Duration(0))
		}
	})
}
