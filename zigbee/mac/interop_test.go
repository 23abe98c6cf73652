//go:build interop

package mac

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/zigbee/internal/tsharktest"
)

func TestInteropCommands(t *testing.T) {
	var frames [][]byte
	for s := range goldens(t) {
		frames = append(frames, unhex(t, s))
	}
	for s, c := range commands {
		f := Frame{Type: TypeCommand, Sequence: 1, AckRequest: true, PANCompression: true, Dst: ExtendedAddress(pan, gsme), Src: ExtendedAddress(pan, chf), Payload: unhex(t, s)}
		switch c.ID() {
		case CommandBeaconRequest:
			f = Frame{Type: TypeCommand, Dst: ShortAddress(BroadcastPAN, Broadcast), Payload: unhex(t, s)}
		case CommandCoordinatorRealignment:
			f.PANCompression, f.Dst.PAN, f.Src.PAN = false, BroadcastPAN, pan
		case CommandOrphanNotification:
			f.AckRequest, f.Dst, f.Src.PAN = false, ShortAddress(BroadcastPAN, Broadcast), BroadcastPAN
		default:
		}
		frames = append(frames, must(t, f))
	}
	clean, complaints := tsharktest.Judge(t, frames)
	require.True(t, clean, complaints)
	for i, info := range tsharktest.Info(t, frames) {
		require.NotContains(t, info, "Unknown", "frame %d", i+1)
	}
	bad := bytes.Clone(frames[0])
	bad[len(bad)-1] ^= 1
	clean, _ = tsharktest.Judge(t, append(frames, bad))
	require.False(t, clean, "a broken FCS is noticed")
}
