package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/cmd/internal/config"
	"smets1/device/fleet"
)

// What init writes is a manifest, and is not written over by chance.
func TestFleetInit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fleet.yaml")
	require.Contains(t, must(t, "fleet", "init", path), "smets1 fleet serve "+path)
	m, err := fleet.LoadManifest(path)
	require.NoError(t, err)
	require.Equal(t, 11, m.Len())
	require.Contains(t, mustNot(t, exitUsage, "fleet", "init", path), "--force")
	must(t, "fleet", "init", "--force", path)
}

func TestFleetInventory(t *testing.T) {
	manifest, _ := homeFiles(t)
	rows, err := csv.NewReader(strings.NewReader(must(t, "fleet", "inventory", manifest))).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 4)
	require.Equal(t, "home", rows[0][0])
	require.Equal(t, []string{"chf", "esme", "gsme"}, []string{rows[1][8], rows[2][8], rows[3][8]})
	require.Equal(t, "tcp://127.83.0.1:4059", rows[1][3])
	var e fleet.Entry
	require.NoError(t, json.Unmarshal([]byte(must(t, "fleet", "inventory", manifest, "--format", "json", "--port", "5000")), &e))
	require.Equal(t, "tcp://127.83.0.1:5000", e.Address)
	require.Equal(t, rows[1][9], e.Devices[0].EUI.String())
	hubs := filepath.Join(t.TempDir(), "smets1d.yaml")
	require.NoError(t, os.WriteFile(hubs, []byte(must(t, "fleet", "inventory", manifest, "--format", "hubs")), 0o600))
	cfg, err := config.Load(config.Sources{File: hubs})
	require.NoError(t, err)
	require.Equal(t, e.Devices[0].EUI, cfg.Hubs[0].EUI)
	require.Len(t, cfg.Hubs[0].Devices, 2)
	require.Contains(t, mustNot(t, exitUsage, "fleet", "inventory", manifest, "--format", "xml"), "csv, json or hubs")
	require.Contains(t, mustNot(t, exitUsage, "fleet", "inventory", "nowhere.yaml"), "smets1 fleet init")
	require.Contains(t, mustNot(t, exitUsage, "fleet", "handover", manifest, "--out", manifest), "is there already")
}

// syncBuffer is written by a command while the test reads it.
type syncBuffer struct {
	mu   sync.Mutex
	b    bytes.Buffer
	more chan struct{}
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.more <- struct{}{}:
	default:
	}
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// until waits for a text.
func (s *syncBuffer) until(t *testing.T, text string) {
	t.Helper()
	s.untilFor(t, text, 30*time.Second)
}

func (s *syncBuffer) untilFor(t *testing.T, text string, limit time.Duration) {
	t.Helper()
	timeout := time.After(limit)
	for !strings.Contains(s.String(), text) {
		select {
		case <-s.more:
		case <-timeout:
			require.Fail(t, "it was not said: "+text, s.String())
		}
	}
}

// background runs a command until the returned function is called, which gives its
// exit status.
func background(t *testing.T, args ...string) (out, errs *syncBuffer, stop func() int) {
	t.Helper()
	out, errs = &syncBuffer{more: make(chan struct{}, 1)}, &syncBuffer{more: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	root := newRootCommand()
	root.SetOut(out)
	root.SetErr(errs)
	root.SetArgs(args)
	code := make(chan int, 1)
	go func() { code <- exitStatus(ctx, root.ExecuteContext(ctx), errs) }()
	return out, errs, sync.OnceValue(func() int {
		cancel()
		return <-code
	})
}

// serve offers homes over TCP and on a serial line, and ends when it is told.
func TestFleetServe(t *testing.T) {
	dir := t.TempDir()
	manifest := filepath.Join(dir, "fleet.yaml")
	require.NoError(t, os.WriteFile(manifest, []byte(oneHome+"  - {name: cable, profile: foc-mesh, fuel: electricity, link: hdlc}\n"), 0o600))
	for _, args := range [][]string{{}, {"--clock", "machine"}, {"--state", filepath.Join(dir, "state"), "--speed", "60"}} {
		out, errs, stop := background(t, append([]string{"fleet", "serve", manifest, "--port", "0", "--control", "127.0.0.1:0", "--pty", filepath.Join(dir, "lines"), "--json"}, args...)...)
		errs.until(t, "2 homes")
		var homes []fleet.Entry
		for d := json.NewDecoder(strings.NewReader(out.String())); d.More(); {
			var e fleet.Entry
			require.NoError(t, d.Decode(&e))
			homes = append(homes, e)
		}
		require.Len(t, homes, 2)
		c, err := net.Dial("tcp", strings.TrimPrefix(homes[0].Address, "tcp://"))
		require.NoError(t, err)
		require.NoError(t, c.Close())
		require.FileExists(t, filepath.Join(dir, "lines", "cable.tty"))
		require.Contains(t, homes[1].Address, "cable.tty?baud=9600")
		require.Equal(t, exitOK, stop())
	}
	mustNot(t, exitUsage, "fleet", "serve", manifest, "--clock", "sundial")
	mustNot(t, exitUsage, "fleet", "serve", manifest, "--speed", "0")
	mustNot(t, exitUsage, "fleet", "serve", manifest, "--clock", "machine", "--speed", "2")
	mustNot(t, exitUsage, "fleet", "serve", manifest, "--port", "70000")
}
