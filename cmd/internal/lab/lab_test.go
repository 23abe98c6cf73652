package lab

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/device/fleet"
	"smets1/gateway/broker"
	"smets1/gateway/session"
	"smets1/internal/wire"
)

// The program for text messages gets the number as its last argument, and what it
// says when it fails is in the error.
func TestCommandWaker(t *testing.T) {
	out := filepath.Join(t.TempDir(), "sent")
	w := CommandWaker([]string{"/bin/sh", "-c", `echo "$0 $1" > ` + out, "wake"})
	require.NoError(t, w.Wake(t.Context(), "+447700900123"))
	b, err := os.ReadFile(out)
	require.NoError(t, err)
	require.Equal(t, "wake +447700900123\n", string(b))

	err = CommandWaker([]string{"/bin/sh", "-c", "echo no credit; exit 3"}).Wake(t.Context(), "1")
	require.ErrorContains(t, err, "no credit")
	require.ErrorContains(t, CommandWaker([]string{"/no/such/program"}).Wake(t.Context(), "1"), "/no/such/program")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, CommandWaker([]string{"/bin/sh", "-c", "exec sleep 60"}).Wake(ctx, "1"), context.Canceled)
}

const oneHome = `schema: 1
name: one
seed: 11
start: 2019-07-15T07:00:00Z
homes: [{name: home, profile: foc-mesh, fuel: dual}]
`

// A state folder has one user at a time; keys that are there are left alone or
// must match, as the caller says; and what has none is told.
func TestStateAndKeys(t *testing.T) {
	ctx := t.Context()
	dir := filepath.Join(t.TempDir(), "state")
	_, err := OpenState(ctx, dir, Root{}, nil)
	require.ErrorContains(t, err, "is no state folder")
	st, err := CreateState(ctx, dir, Root{}, broker.Config{StateOnly: true})
	require.NoError(t, err)
	require.Empty(t, st.Broker.URL())
	_, err = OpenState(ctx, dir, Root{}, nil)
	require.ErrorContains(t, err, "in use by another process")
	keys, err := st.Keys(ctx)
	require.NoError(t, err)

	m, err := fleet.ParseManifest("fleet.yaml", []byte(oneHome))
	require.NoError(t, err)
	f, err := fleet.Open(ctx, m, fleet.Options{})
	require.NoError(t, err)
	defer f.Close()
	hubs := []session.Hub{}
	for e := range f.Inventory() {
		hubs = append(hubs, session.Hub{EUI: e.Devices[0].EUI, Devices: []session.Device{{EUI: e.Devices[1].EUI}}})
	}
	require.Equal(t, []wire.EUI64{hubs[0].EUI, hubs[0].Devices[0].EUI}, WithoutKeys(ctx, keys, hubs))

	path := filepath.Join(t.TempDir(), "handover.json")
	file, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, f.Handover(file, "SMSO"))
	require.NoError(t, file.Close())
	now := time.Date(2019, 7, 15, 7, 0, 0, 0, time.UTC)
	n, err := ImportKeys(ctx, keys, path, MustMatch, now)
	require.NoError(t, err)
	require.Equal(t, 3, n)
	n, err = ImportKeys(ctx, keys, path, LeaveAlone, now)
	require.NoError(t, err)
	require.Zero(t, n)
	require.Empty(t, WithoutKeys(ctx, keys, hubs))
	require.NoError(t, st.Close())

	// Under another root key nothing opens.
	other := filepath.Join(t.TempDir(), "other.key")
	st, err = OpenState(ctx, dir, Root{File: other}, nil)
	require.NoError(t, err)
	_, err = st.Keys(ctx)
	require.Error(t, err)
	require.NoError(t, st.Close())
}

// A line counts while it is open, once however often it is closed, and is still
// what it was.
func TestLinesAreCounted(t *testing.T) {
	var l lines
	near, far := net.Pipe()
	defer far.Close()
	tapped := false
	line := l.tap(func(_ wire.EUI64, _ string, x io.ReadWriteCloser) io.ReadWriteCloser {
		tapped = true
		return x
	})(wire.EUI64{}, "tcp://x", near)
	require.True(t, tapped)
	_, isConn := line.(net.Conn)
	require.True(t, isConn)
	require.EqualValues(t, 1, l.open.Load())
	require.NoError(t, line.Close())
	_ = line.Close()
	require.EqualValues(t, 0, l.open.Load())
	require.EqualValues(t, 1, l.total.Load())
}
