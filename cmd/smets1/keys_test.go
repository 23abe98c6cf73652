package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/gateway/keystore"
)

// runRoot runs smets1 as a person would, and gives what it wrote and its exit status.
func runRoot(ctx context.Context, args ...string) (stdout, stderr string, code int) {
	root := newRootCommand()
	var out, errs bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&errs)
	root.SetArgs(args)
	code = exitStatus(ctx, root.ExecuteContext(ctx), &errs)
	return out.String(), errs.String(), code
}

// must runs a command that succeeds.
func must(t *testing.T, args ...string) string {
	t.Helper()
	out, errs, code := runRoot(t.Context(), args...)
	require.Equal(t, exitOK, code, "smets1 %s: %s", strings.Join(args, " "), errs)
	return out
}

// mustNot runs a command that ends with another status, and gives what it said.
func mustNot(t *testing.T, want int, args ...string) string {
	t.Helper()
	_, errs, code := runRoot(t.Context(), args...)
	require.Equal(t, want, code, "smets1 %s: %s", strings.Join(args, " "), errs)
	return errs
}

const oneHome = `schema: 1
name: one
seed: 11
start: 2019-07-15T07:00:00Z
homes:
  - {name: home, profile: foc-mesh, fuel: dual, display: "no", supplier: 70-B3-D5-1F-30-00-A0-08, networkOperator: 90-B3-D5-1F-30-00-00-0A}
`

// homeFiles writes a manifest and its handover file.
func homeFiles(t *testing.T) (manifest, handover string) {
	t.Helper()
	dir := t.TempDir()
	manifest, handover = filepath.Join(dir, "fleet.yaml"), filepath.Join(dir, "handover.json")
	require.NoError(t, os.WriteFile(manifest, []byte(oneHome), 0o600))
	must(t, "fleet", "handover", manifest, "--out", handover)
	return manifest, handover
}

var keyForm = regexp.MustCompile(`\b[0-9A-Fa-f]{32}\b`)

// keysIn are the keys of a handover file, as texts that must be nowhere else.
func keysIn(t *testing.T, handover string) []string {
	t.Helper()
	b, err := os.ReadFile(handover)
	require.NoError(t, err)
	keys := keyForm.FindAllString(string(b), -1)
	require.NotEmpty(t, keys)
	return keys
}

// Keys go in by a handover file, are listed without being shown, and come out one
// device at a time, with a line in the audit trail.
func TestKeysInAndOut(t *testing.T) {
	_, handover := homeFiles(t)
	info, err := os.Stat(handover)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	state := filepath.Join(t.TempDir(), "state")
	said := must(t, "keys", "import", "--state", state, handover)
	require.Contains(t, said, "3 new devices")
	require.Contains(t, must(t, "keys", "import", "--state", state, handover), "0 new devices")

	list := must(t, "keys", "list", "--state", state)
	require.Equal(t, 4, strings.Count(list, "\n"))
	said += list + must(t, "keys", "list", "--state", state, "--json") + must(t, "keys", "check", "--state", state)
	require.Contains(t, said, "all in order")

	var first struct {
		Device, Type, Generation, Owner string
		KeyVersion                      uint32 `json:"key_version"`
	}
	require.NoError(t, json.NewDecoder(strings.NewReader(must(t, "keys", "list", "--state", state, "--json"))).Decode(&first))
	require.Equal(t, "current", first.Generation)
	require.Equal(t, "SMSO", first.Owner)

	out := filepath.Join(t.TempDir(), "out.json")
	require.Contains(t, mustNot(t, exitUsage, "keys", "export", "--state", state, "--out", out, first.Device), "--reveal-keys")
	require.Contains(t, mustNot(t, exitUsage, "keys", "export", "--state", state, "--reveal-keys", first.Device), "--out")
	require.NoFileExists(t, out)
	said += must(t, "keys", "export", "--state", state, "--reveal-keys", "--out", out, first.Device)
	require.Contains(t, mustNot(t, exitUsage, "keys", "export", "--state", state, "--reveal-keys", "--out", out, first.Device), "is there already")
	b, err := os.ReadFile(out)
	require.NoError(t, err)
	h, err := keystore.ParseHandover(b)
	require.NoError(t, err)
	require.Len(t, h.Devices, 1)
	require.Equal(t, first.Device, h.Devices[0].EUI.String())
	require.Equal(t, uint32(1), h.Devices[0].Counter, "the counter in the file is used up")

	trail, err := os.ReadFile(filepath.Join(state, "audit.jsonl"))
	require.NoError(t, err)
	require.Contains(t, string(trail), `"action":"keys.export"`)
	require.Contains(t, string(trail), `"device":"`+first.Device+`"`)
	require.Contains(t, must(t, "audit", "verify", filepath.Join(state, "audit.jsonl")), "good")
	for _, key := range keysIn(t, handover) {
		require.NotContains(t, strings.ToLower(said+string(trail)), strings.ToLower(key))
	}
}

// A handover file with any mistake changes nothing.
func TestImportIsAllOrNothing(t *testing.T) {
	_, handover := homeFiles(t)
	b, err := os.ReadFile(handover)
	require.NoError(t, err)
	state := filepath.Join(t.TempDir(), "state")
	broken := filepath.Join(t.TempDir(), "broken.json")
	last := keysIn(t, handover)
	require.NoError(t, os.WriteFile(broken, bytes.Replace(b, []byte(last[len(last)-1]), []byte("00"), 1), 0o600))
	said := mustNot(t, exitUsage, "keys", "import", "--state", state, broken)
	require.Contains(t, said, "nothing was imported")
	require.Contains(t, said, "device 3")
	require.Equal(t, 1, strings.Count(must(t, "keys", "list", "--state", state), "\n"))

	// A device under other keys is an error; the good ones beside it do not go in.
	must(t, "keys", "import", "--state", state, handover)
	other := strings.Replace(string(b), last[0], strings.Repeat("ab", 16), 1)
	require.NoError(t, os.WriteFile(broken, []byte(other), 0o600))
	said = mustNot(t, exitUsage, "keys", "import", "--state", state, broken)
	require.Contains(t, said, "is there under other keys")
	require.NotContains(t, said, strings.Repeat("ab", 16))
}

// check holds the store against the hubs of a configuration.
func TestKeysOfTheConfiguration(t *testing.T) {
	_, handover := homeFiles(t)
	dir := t.TempDir()
	cfg := filepath.Join(dir, "smets1d.yaml")
	require.NoError(t, os.WriteFile(cfg, []byte("state: st\nhubs:\n  - {eui: 00-DB-12-34-56-78-90-A0, address: \"tcp://10.0.0.1:4059\"}\n"), 0o600))
	must(t, "keys", "import", "--config", cfg, handover)
	require.DirExists(t, filepath.Join(dir, "st"))
	out, errs, code := runRoot(t.Context(), "keys", "check", "--config", cfg)
	require.Equal(t, exitFailed, code)
	require.Contains(t, out, "00-DB-12-34-56-78-90-A0: no keys")
	require.Contains(t, errs, "1 findings")

	require.Contains(t, mustNot(t, exitFailed, "keys", "list", "--state", filepath.Join(dir, "nowhere")), "is no state folder")
	require.Contains(t, mustNot(t, exitUsage, "keys", "check", "--state", dir, "00-DB-12-34-56-78-90-A0"), "--ask")
	require.Contains(t, mustNot(t, exitUsage, "keys", "list", "--config", filepath.Join(dir, "nothing.yaml")), "no such file")
	require.Contains(t, mustNot(t, exitUsage, "keys", "export", "--state", dir, "--reveal-keys", "--out", "x", "00-DB"), "device")
}

func TestKeysBackupRestoreAndRotate(t *testing.T) {
	_, handover := homeFiles(t)
	dir := t.TempDir()
	state, file := filepath.Join(dir, "state"), filepath.Join(dir, "keys.backup")
	must(t, "keys", "import", "--state", state, handover)
	list := must(t, "keys", "list", "--state", state)
	must(t, "keys", "backup", "--state", state, file)
	require.Contains(t, mustNot(t, exitUsage, "keys", "backup", "--state", state, file), "is there already")

	out := must(t, "keys", "rotate-root", "--state", state)
	require.Contains(t, out, "are sealed under root key")
	require.Equal(t, list, must(t, "keys", "list", "--state", state), "root.key was exchanged")
	pass := filepath.Join(dir, "pass")
	require.NoError(t, os.WriteFile(pass, []byte("correct horse battery staple"), 0o600))
	must(t, "keys", "rotate-root", "--state", state, "--new-root-passphrase-file", pass)
	mustNot(t, exitFailed, "keys", "list", "--state", state)
	require.Equal(t, list, must(t, "keys", "list", "--state", state, "--root-passphrase-file", pass))
	require.Contains(t, mustNot(t, exitUsage, "keys", "list", "--state", state, "--root-passphrase-file", pass, "--root-env", "X"), "give one")

	// The backup is of the first root key, which is gone: a person keeps a copy.
	fresh := filepath.Join(dir, "fresh")
	require.Contains(t, mustNot(t, exitUsage, "keys", "restore", "--state", fresh, file), "give the right one")
	must(t, "keys", "backup", "--state", state, "--root-passphrase-file", pass, file+"2")
	b, err := os.ReadFile(filepath.Join(state, "root.salt"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(fresh, "root.salt"), b, 0o600))
	require.Contains(t, must(t, "keys", "restore", "--state", fresh, "--root-passphrase-file", pass, file+"2"), "3 devices")
	require.Equal(t, list, must(t, "keys", "list", "--state", fresh, "--root-passphrase-file", pass))
	require.Contains(t, mustNot(t, exitUsage, "keys", "restore", "--state", fresh, "--root-passphrase-file", pass, file+"2"), "records already")
	trail, err := os.ReadFile(filepath.Join(fresh, "audit.jsonl"))
	require.NoError(t, err)
	require.Contains(t, string(trail), "keys.restore")
}
