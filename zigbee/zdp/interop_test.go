//go:build interop

package zdp

import (
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/zigbee/aps"
	"smets1/zigbee/internal/tsharktest"
	"smets1/zigbee/mac"
	"smets1/zigbee/nwk"
	"smets1/zigbee/security"
)

const networkKey = "00112233445566778899aabbccddeeff"

func carry(t *testing.T, i int, cluster Cluster, payload []byte) []byte {
	t.Helper()
	k, err := security.ParseKey(networkKey)
	require.NoError(t, err)
	c, err := security.NewCipher(k)
	require.NoError(t, err)
	b, err := aps.Frame{Header: aps.Header{Cluster: uint16(cluster), Profile: Profile, Counter: uint8(i)}, Payload: payload}.AppendBinary(nil)
	require.NoError(t, err)
	h := nwk.Header{Secured: true, Dst: 0x5A31, Radius: nwk.MaxRadius, Sequence: uint8(i)}
	b, err = nwk.Seal(nil, &h, &security.Aux{KeyID: security.KeyIDNetwork, Extended: true, Counter: uint32(i), Source: chf}, c, b)
	require.NoError(t, err)
	b, err = mac.Frame{Type: mac.TypeData, Sequence: uint8(i), PANCompression: true, Dst: mac.ShortAddress(0x1AAA, 0x5A31), Src: mac.ShortAddress(0x1AAA, 0), Payload: b}.AppendBinary(nil)
	require.NoError(t, err)
	return b
}

// Every command is clean, and none is longer or shorter than TShark thinks: cut by its last octet it is malformed.
func TestInteropCommands(t *testing.T) {
	var frames, cut [][]byte
	for i, c := range cases {
		b, err := Append(nil, uint8(i), c.cmd)
		require.NoError(t, err)
		frames = append(frames, carry(t, i, c.cmd.Cluster(), b))
		if len(b) > 2 {
			cut = append(cut, carry(t, i, c.cmd.Cluster(), b[:len(b)-1]))
		}
	}
	clean, complaints := tsharktest.Judge(t, frames, networkKey)
	require.True(t, clean, complaints)
	for i, info := range tsharktest.Info(t, frames, networkKey) {
		require.NotContains(t, info, "Unknown", "%T", cases[i].cmd)
	}
	for i, bad := range tsharktest.Fields(t, cut, []string{networkKey}, "_ws.malformed") {
		require.NotEmpty(t, bad, "command %d", i)
	}
}
