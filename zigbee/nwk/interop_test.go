//go:build interop

package nwk

import (
	"bytes"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/zigbee/internal/tsharktest"
	"smets1/zigbee/mac"
	"smets1/zigbee/security"
)

const interopKey = "00112233445566778899aabbccddeeff"

func TestInteropCommands(t *testing.T) {
	c := cipher(t)
	var texts []string
	for s, m := range commands {
		if m != nil {
			texts = append(texts, strings.ReplaceAll(s, " ", ""))
		}
	}
	sort.Strings(texts)
	var frames [][]byte
	for i, s := range texts {
		h := Header{Type: TypeCommand, Secured: true, HasSrcEUI: true, Dst: 0x5A31, Radius: 1, Sequence: uint8(i), SrcEUI: chf}
		aux := security.Aux{KeyID: security.KeyIDNetwork, Extended: true, Counter: uint32(i), Source: chf}
		b, err := Seal(nil, &h, &aux, c, unhex(t, s))
		require.NoError(t, err)
		m := mac.Frame{Type: mac.TypeData, Sequence: uint8(i), AckRequest: true, PANCompression: true, Dst: mac.ShortAddress(0x1AAA, 0x5A31), Src: mac.ShortAddress(0x1AAA, 0), Payload: b}
		frames = append(frames, must(t, m))
	}
	clean, complaints := tsharktest.Judge(t, frames, interopKey)
	require.True(t, clean, complaints)
	for i, info := range tsharktest.Info(t, frames, interopKey) {
		require.False(t, strings.HasPrefix(info, "Unknown"), "%s: %s", texts[i], info)
		require.NotContains(t, info, "Data, Dst", texts[i])
	}
	// What must be noticed: an altered MIC, a missing key.
	bad := bytes.Clone(frames[0][:len(frames[0])-2])
	bad[len(bad)-1] ^= 1
	bad, err := mac.Finish(bad, 0)
	require.NoError(t, err)
	clean, _ = tsharktest.Judge(t, append(frames, bad), interopKey)
	require.False(t, clean)
	clean, _ = tsharktest.Judge(t, frames)
	require.False(t, clean)
}
