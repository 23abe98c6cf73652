//go:build interop

package node

import (
	"os"
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
	"smets1/transport/radio/air"
	"smets1/zigbee/security"
	"smets1/zigbee/zcl/se"
)

// capturing writes the frames of a home to a file.
func (h *home) capture(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "home.pcapng")
	w, err := capture.Create(path, clock.NewStepped(start))
	require.NoError(t, err)
	r := w.NewRadio("home")
	for _, f := range h.frames {
		r.Frame(f.Start, f.PSDU, "")
	}
	require.NoError(t, w.Close())
	return path
}

// judge has TShark decode and decrypt a capture. It gives the frames that it finds wrong, and fails if TShark itself does.
func judge(t *testing.T, path string, keys ...security.Key) string {
	t.Helper()
	args := []string{"-r", path, "-o", "wpan.fcs_format:ITU-T CRC-16"}
	for _, k := range keys {
		hex := ""
		for i, b := range k.Reveal() {
			if i > 0 {
				hex += ":"
			}
			hex += strings.ToUpper(string("0123456789abcdef"[b>>4]) + string("0123456789abcdef"[b&15]))
		}
		args = append(args, "-o", `uat:zigbee_pc_keys:"`+hex+`","Normal","k"`)
	}
	args = append(args, "-Y", "zbee_sec.encrypted_payload or zbee_sec.extended_source_unknown or wpan.fcs.bad or _ws.malformed or _ws.expert.severity >= 6291456",
		"-T", "fields", "-e", "frame.number", "-e", "_ws.col.Info", "-e", "_ws.expert.message")
	cmd := exec.Command("tshark", args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	return string(out)
}

func (m *member) keyWithHub() (security.Key, bool) {
	k := m.keyWith(hubEUI, established)
	return k.key, k != nil
}

// Wireshark's dissectors, which nobody here wrote, read every frame of a home: joins of three roles, key establishment in
// both suites, fragments, a far device, a key update, reads and the rest.
func TestInteropTSharkReadsTheAir(t *testing.T) {
	for _, suite := range []security.Suite{security.Suite1, security.Suite2} {
		t.Run(suite.String(), func(t *testing.T) {
			ca := newAuthority(t, suite, "SIMSECA1")
			h := newHome(t, air.Config{Seed: 1, Loss: 10_000})
			hub := h.hub(ca)
			reading := uint64(123456)
			esme := h.device(ca, esmeEUI, Router, meter(&reading))
			gsme := h.device(ca, gsmeEUI, Sleepy, meter(&reading))
			ihd := h.device(ca, ihdEUI, EndDevice, &Endpoint{ID: 1, Device: se.DeviceInHomeDisplay})
			h.air.Link(hub.port, gsme.port, air.Unheard)
			h.joined(hub, esme)
			h.run(20 * time.Second)
			h.joined(hub, gsme)
			h.joined(hub, ihd)
			for _, e := range []wire.EUI64{esmeEUI, gsmeEUI} {
				_, err := h.read(hub, e, 1, se.Metering, 0)
				require.NoError(t, err)
			}
			require.NoError(t, ihd.RequestPartnerKey(h.now, esmeEUI))
			require.True(t, h.until(time.Minute, func() bool { return ihd.saw(PartnerKeyed) && esme.saw(PartnerKeyed) }))
			_, err := h.read(ihd, esmeEUI, 1, se.Metering, 0)
			require.NoError(t, err)
			old := hub.NetworkKey()
			done := false
			require.NoError(t, hub.UpdateNetworkKey(h.now, func([]wire.EUI64) { done = true }))
			require.True(t, h.until(2*time.Minute, func() bool { return done }))
			require.NoError(t, hub.Request(h.now, &Request{To: esmeEUI, Endpoint: 1, From: 1, Command: se.TransferData{ID: 1, Data: make([]byte, 700)}}))
			h.run(30 * time.Second)
			gas, ok := gsme.LinkKey(hubEUI)
			require.True(t, ok)
			require.NoError(t, gsme.Leave(h.now))
			h.run(10 * time.Second)

			keys := []security.Key{old, hub.NetworkKey(), code(t, esmeEUI), code(t, gsmeEUI), code(t, ihdEUI)}
			for _, m := range []*member{esme, ihd} {
				k, ok := m.keyWithHub()
				require.True(t, ok)
				keys = append(keys, k)
			}
			pair, ok := ihd.LinkKey(esmeEUI)
			require.True(t, ok)
			keys = append(keys, pair, gas)
			path := h.capture(t)
			if keep := os.Getenv("SMETS1_KEEP_CAPTURE"); keep != "" {
				b, err := os.ReadFile(path)
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(filepath.Join(keep, suite.String()[:1]+filepath.Base(path)), b, 0o600))
			}
			require.Empty(t, judge(t, path, keys...), "CLEAN")

			require.NotEmpty(t, judge(t, path, keys[2:]...), "without the network key: what was sent before the first join stays closed")
			require.NotEmpty(t, judge(t, path, append(keys[:5:5], keys[6:]...)...), "without a link key")
			var victim *radio.Frame
			for i := range h.frames {
				if f := &h.frames[i]; f.PSDU[0]&7 == 1 && len(f.PSDU) > 60 {
					victim = f
				}
			}
			victim.PSDU[len(victim.PSDU)-3] ^= 1
			refcs(victim.PSDU)
			require.NotEmpty(t, judge(t, h.capture(t), keys...), "a flipped bit of a MIC")
			victim.PSDU[len(victim.PSDU)-1] ^= 1
			require.NotEmpty(t, judge(t, h.capture(t), keys...), "a broken FCS")
		})
	}
}
