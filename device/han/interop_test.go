//go:build interop

package han

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/internal/clock"
	"smets1/internal/wire"
	"smets1/transport/capture"
	"smets1/transport/radio"
	"smets1/zigbee/security"
)

// clean has TShark decode and decrypt a capture, and gives the frames that it finds wrong.
func clean(t *testing.T, path string, keys []security.Key) string {
	t.Helper()
	args := []string{"-r", path, "-o", "wpan.fcs_format:ITU-T CRC-16"}
	const digits = "0123456789ABCDEF"
	for _, k := range keys {
		var hex []string
		for _, b := range k.Reveal() {
			hex = append(hex, string([]byte{digits[b>>4], digits[b&15]}))
		}
		args = append(args, "-o", `uat:zigbee_pc_keys:"`+strings.Join(hex, ":")+`","Normal","k"`)
	}
	args = append(args, "-Y", "zbee_sec.encrypted_payload or zbee_sec.extended_source_unknown or wpan.fcs.bad or _ws.malformed or _ws.expert.severity >= 6291456",
		"-T", "fields", "-e", "frame.number", "-e", "_ws.col.Info", "-e", "_ws.expert.message")
	out, err := exec.Command("tshark", args...).Output()
	require.NoError(t, err)
	return string(out)
}

// TShark reads every frame of a home: tunnels to both meters, a power cut, the mirror, the display's reads.
func TestInteropTSharkReadsAHome(t *testing.T) {
	path := filepath.Join(t.TempDir(), "home.pcapng")
	w, err := capture.Create(path, clock.NewStepped(start))
	require.NoError(t, err)
	line := w.NewRadio("home")
	c := config(700)
	c.Loss = 20_000
	c.Tap = func(f radio.Frame) { line.Frame(f.Start, f.PSDU, "") }
	to := &receiver{}
	r, err := New(start, c, to)
	require.NoError(t, err)
	now := start
	until(r, &now, 35*time.Minute, never)
	for _, e := range []wire.EUI64{esmeEUI, gsmeEUI} {
		to.units = nil
		require.NoError(t, r.Send(now, e, unit(t, make([]byte, 300))))
		require.True(t, until(r, &now, time.Minute, func() bool { return len(to.units) > 0 }))
	}
	r.PowerCut(now, hubEUI, now.Add(10*time.Second))
	until(r, &now, 2*time.Minute, never)
	require.NoError(t, w.Close())
	keys := r.Keys()
	require.Empty(t, clean(t, path, keys), "CLEAN")
	require.NotEmpty(t, clean(t, path, keys[1:]), "without the network key")
	require.NotEmpty(t, clean(t, path, keys[:1]), "without the link keys")
}
