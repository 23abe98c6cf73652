// Package archtest holds the shape of the house: imports point down, each
// outside library has one home, and every package says what it is. Each rule
// carries its reason, which is what a failing test prints.
package archtest

import (
	"bytes"
	"encoding/json"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "smets1"

// heights gives each package (or the packages below a folder: the longest
// match counts) its storey. A package may import what is below it, and its
// neighbours only within its own folder group.
var heights = []struct {
	path   string
	height int
	what   string
}{
	{"internal", 0, "ground: clock, bytes, state"},
	{"gateway/topic", 0, "the MQTT contract as pure data"},
	{"transport", 1, "lines of bytes and radios of frames"},
	{"dlms", 2, "formats and cryptography, no sockets, no clock"},
	{"zigbee", 2, "formats and cryptography, no sockets, no clock"},
	{"dlms/client", 3, "protocol machine"},
	{"dlms/server", 3, "protocol machine"},
	{"zigbee/node", 3, "protocol machine"},
	{"firmware", 4, "images and the upgrade sequence"},
	{"device", 5, "the far side"},
	{"gateway", 6, "the near side"},
	{"migration", 7, "the programme"},
	{"hwtest", 8, "the bench"},
	{"cmd", 9, "wiring"},
	{"examples", 9, "wiring"},
	{"tools", 9, "wiring"},
}

// refused lists imports that the heights alone would allow, with the reason.
// A rule holds for the packages below from, for the packages below to, save
// those in except.
var refused = []struct {
	from, to string
	except   []string
	reason   string
}{
	{"gateway", "device", []string{"device/profile"}, "the near side cannot tell a simulated hub from a real one; it may know only how a make behaves"},
	{"migration", "gateway", []string{"gateway/topic"}, "the engine reaches devices over MQTT and through nothing else"},
	{"migration", "device", nil, "the engine reaches devices over MQTT and through nothing else"},
	{"migration", "dlms", nil, "the engine reaches devices over MQTT and through nothing else"},
	{"migration", "firmware", nil, "the engine names an image by its digest; the gateway has the image"},
	{"device", "firmware/upgrade", nil, "the far side is upgraded, it does not upgrade"},
	{"device", "dlms/client", nil, "a device serves"},
	{"dlms", "transport", []string{}, "formats and machines take bytes; whoever has a line hands them over"},
	{"zigbee", "transport", []string{}, "formats and machines take frames; whoever has a radio hands them over"},
}

// homes lists outside modules that only some packages may import.
var homes = []struct {
	module string
	in     []string
	reason string
}{
	{"github.com/google/gopacket", []string{"transport/capture"}, "one package knows the capture library, so that it can be exchanged"},
	{"go.bug.st/serial", []string{"transport/serial"}, "one Port interface, several drivers"},
	{"github.com/tarm/serial", []string{"transport/serial"}, "one Port interface, several drivers"},
	{"github.com/creack/pty", []string{"transport/serial"}, "a pty stands for a cable; who wants one asks transport/serial"},
	{"github.com/eclipse/paho.mqtt.golang", []string{"gateway/bridge", "gateway/topic/client"}, "two ends of one contract, and nobody else speaks MQTT"},
	{"github.com/nats-io/nats-server/v2", []string{"gateway/broker", "internal/store"}, "the broker and the state are one engine behind two doors"},
	{"github.com/nats-io/nats.go", []string{"gateway/broker", "internal/store"}, "the broker and the state are one engine behind two doors"},
	{"github.com/santhosh-tekuri/jsonschema/v6", []string{"gateway/topic/contract/contracttest"}, "schemas are held against messages in tests"},
	{"modernc.org/sqlite", []string{"internal/store/archive"}, "SQLite is a form of export, not a second store"},
	{"github.com/xuri/excelize/v2", []string{"migration/document", "migration/report"}, "workbooks are documents"},
	{"github.com/russellhaering/goxmldsig", []string{"migration/document"}, "signatures are of documents"},
	{"github.com/beevik/etree", []string{"migration/document"}, "signatures are of documents"},
	{"golang.org/x/tools", []string{"hwtest/scenario"}, "scenarios are txtar files, and nothing else is"},
	{"github.com/spf13/cobra", []string{"cmd", "tools"}, "a library has no flags"},
}

type pkg struct {
	ImportPath string
	Dir        string
	Imports    []string
	GoFiles    []string
	TestGoFiles, XTestGoFiles,
	TestImports, XTestImports []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Imports,GoFiles,TestGoFiles,XTestGoFiles,TestImports,XTestImports", module+"/...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	var all []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); err == io.EOF {
			return all
		} else {
			require.NoError(t, err)
		}
		all = append(all, p)
	}
}

func below(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }

func local(importPath string) (string, bool) {
	return strings.CutPrefix(importPath, module+"/")
}

func heightOf(path string) (height int, folder string) {
	height = -1
	for _, h := range heights {
		if below(path, h.path) && len(h.path) > len(folder) {
			height, folder = h.height, h.path
		}
	}
	return height, folder
}

func TestImportsPointDown(t *testing.T) {
	all := packages(t)
	require.NotEmpty(t, all)
	for _, p := range all {
		from, _ := local(p.ImportPath)
		height, _ := heightOf(from)
		if height < 0 {
			t.Errorf("%s has no height: say in heights where it stands", from)
			continue
		}
		for _, imp := range p.Imports {
			to, ours := local(imp)
			if !ours {
				continue
			}
			toHeight, _ := heightOf(to)
			if toHeight > height {
				t.Errorf("%s (height %d) imports %s (height %d): imports point down", from, height, to, toHeight)
			}
			for _, r := range refused {
				if below(from, r.from) && below(to, r.to) && !below(from, r.to) && !slices.ContainsFunc(r.except, func(e string) bool { return below(to, e) }) {
					t.Errorf("%s imports %s: %s", from, to, r.reason)
				}
			}
		}
	}
}

func TestOutsideLibrariesHaveOneHome(t *testing.T) {
	for _, p := range packages(t) {
		from, _ := local(p.ImportPath)
		for _, imp := range p.Imports {
			for _, h := range homes {
				if below(imp, h.module) && !slices.ContainsFunc(h.in, func(f string) bool { return below(from, f) }) {
					t.Errorf("%s imports %s, whose home is %v: %s", from, imp, h.in, h.reason)
				}
			}
			if below(imp, "github.com/stretchr/testify") && !strings.HasSuffix(from, "test") && !below(from, "dlms/server/ctt") {
				t.Errorf("%s imports testify outside a test package", from)
			}
		}
		for _, imp := range append(p.TestImports, p.XTestImports...) {
			if strings.HasPrefix(imp, "github.com/stretchr/testify/") && imp != "github.com/stretchr/testify/require" {
				t.Errorf("tests of %s import %s: require is the one we use", from, imp)
			}
		}
	}
}

// A rule about a folder that is gone would hold nothing.
func TestRulesNameWhatExists(t *testing.T) {
	var paths []string
	for _, p := range packages(t) {
		path, _ := local(p.ImportPath)
		paths = append(paths, path)
	}
	exists := func(folder string) bool {
		return slices.ContainsFunc(paths, func(p string) bool { return below(p, folder) })
	}
	for _, h := range homes {
		require.True(t, slices.ContainsFunc(h.in, exists), "home of %s: none of %v exists", h.module, h.in)
	}
	for _, r := range refused {
		for _, e := range r.except {
			require.True(t, exists(e), "exception %s of the rule %s → %s does not exist", e, r.from, r.to)
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	for _, p := range packages(t) {
		name, _ := local(p.ImportPath)
		doc := ""
		for _, f := range append(append(p.GoFiles, p.TestGoFiles...), p.XTestGoFiles...) {
			ast, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, f), nil, parser.PackageClauseOnly|parser.ParseComments)
			require.NoError(t, err)
			if ast.Doc != nil {
				doc = ast.Doc.Text()
				break
			}
		}
		if len(doc) < 40 {
			t.Errorf("%s has no package comment that would tell a stranger what lives there (%q)", name, doc)
		}
	}
}
