//go:build interop

package se

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/internal/wire"
	"smets1/zigbee/aps"
	"smets1/zigbee/internal/tsharktest"
	"smets1/zigbee/mac"
	"smets1/zigbee/nwk"
	"smets1/zigbee/security"
	"smets1/zigbee/zcl"
)

const (
	networkKey = "00112233445566778899aabbccddeeff"
	linkKey    = "86d58aaa998e2faefaf9fef49606543a"
)

// air puts ZCL frames on the air as a hub would: network key, link key where the cluster needs it, fragments where it must.
type air struct {
	t         *testing.T
	nwk, link *security.Cipher
	counter   uint32
	frames    [][]byte
	names     []string // of the frame that ends each message
}

func newAir(t *testing.T) *air {
	cipher := func(s string) *security.Cipher {
		k, err := security.ParseKey(s)
		require.NoError(t, err)
		c, err := security.NewCipher(k)
		require.NoError(t, err)
		return c
	}
	return &air{t: t, nwk: cipher(networkKey), link: cipher(linkKey)}
}

var chf = wire.MustEUI64("00-15-5F-00-B0-01-00-01")

const fragmentSize = 50

func (a *air) send(cluster Cluster, zclFrame []byte, name string) {
	t := a.t
	size := 80
	if Protect(cluster) == LinkKey {
		size = 64
	}
	if len(zclFrame) > size {
		size = fragmentSize
	}
	a.counter++
	message := uint8(a.counter)
	for i, total := 0, 1; i < total; i++ {
		a.counter++
		h := aps.Header{DstEndpoint: 1, SrcEndpoint: 1, Cluster: uint16(cluster), Profile: Profile, Counter: message, Secured: Protect(cluster) == LinkKey}
		part, n, err := h.Fragment(zclFrame, size, i)
		require.NoError(t, err)
		total = n
		b, err := aps.Frame{Header: h, Payload: part}.AppendBinary(nil)
		if h.Secured {
			b, err = aps.Seal(nil, &h, &security.Aux{Extended: true, Counter: a.counter, Source: chf}, a.link, part)
		}
		require.NoError(t, err)
		nh := nwk.Header{Secured: true, Dst: 0x5A31, Radius: nwk.MaxRadius, Sequence: uint8(a.counter)}
		b, err = nwk.Seal(nil, &nh, &security.Aux{KeyID: security.KeyIDNetwork, Extended: true, Counter: a.counter, Source: chf}, a.nwk, b)
		require.NoError(t, err)
		b, err = mac.Frame{Type: mac.TypeData, Sequence: uint8(a.counter), PANCompression: true, Dst: mac.ShortAddress(0x1AAA, 0x5A31), Src: mac.ShortAddress(0x1AAA, 0), Payload: b}.AppendBinary(nil)
		require.NoError(t, err)
		a.frames = append(a.frames, b)
		a.names = append(a.names, fmt.Sprintf("%s, part %d of %d", name, i+1, total))
	}
}

// TestInteropCommands: TShark decodes and decrypts every command of every cluster.
func TestInteropCommands(t *testing.T) {
	a := newAir(t)
	for i, c := range samples(t) {
		b, err := Append(nil, zcl.Header{Sequence: uint8(i)}, c)
		require.NoError(t, err)
		a.send(c.Key().Cluster, b, fmt.Sprintf("%T", c))
	}
	clean, complaints := tsharktest.Judge(t, a.frames, networkKey, linkKey)
	require.True(t, clean, "%s\n%s", complaints, numbered(a.names, complaints))
	for i, info := range tsharktest.Info(t, a.frames, networkKey, linkKey) {
		require.NotContains(t, info, "Unknown", a.names[i])
		require.True(t, strings.HasPrefix(info, "ZCL") || strings.Contains(info, "(fragment "), "%s: %s", a.names[i], info)
	}
}

// numbered names the frames that are complained about.
func numbered(names []string, complaints string) string {
	var b strings.Builder
	for _, line := range strings.Split(complaints, "\n") {
		var n int
		if _, err := fmt.Sscan(line, &n); err == nil && n > 0 && n <= len(names) {
			fmt.Fprintf(&b, "%d: %s\n", n, names[n-1])
		}
	}
	return b.String()
}

// unmeasured are the payloads whose end TShark takes as it comes: rests of any length, lists without a count, optional
// fields that it does not know, and the signature.
func unmeasured(c Command) bool {
	switch m := c.(type) {
	case TransferData, PublishSnapshot, PublishPrepaySnapshot, MirrorReportAttributeResponse, ScheduleSnapshot, GetSampledDataResponse, ConfigureNotificationFlags,
		PublishDayProfile, PublishSeasons, PublishSpecialDays, ReportEventConfiguration, PairingResponse, ReportEventStatus, GetScheduledEvents, ChangeDebt:
		return true
	case PublishPrice:
		return m.Optional > 0
	case ImageBlockResponse:
		return m.Status == zcl.WaitForData // the period came with a later revision
	case KeyEstablishmentCommand:
		return m.Message.Command == security.KEEphemeral
	}
	return false
}

// TestInteropLengths: a command cut by its last octet is malformed to TShark, so both sides agree on where it ends.
func TestInteropLengths(t *testing.T) {
	a := newAir(t)
	for i, c := range samples(t) {
		b, err := Append(nil, zcl.Header{Sequence: uint8(i)}, c)
		require.NoError(t, err)
		if _, _, err := Parse(c.Key(), b[3:max(3, len(b)-1)]); err == nil || unmeasured(c) || len(b) < 5 {
			continue // shorter it is another whole command, or TShark does not look
		}
		a.send(c.Key().Cluster, b[:len(b)-1], fmt.Sprintf("%T %+v", c, c))
	}
	var disagree []string
	for i, bad := range tsharktest.Fields(t, a.frames, []string{networkKey, linkKey}, "_ws.malformed") {
		if bad == "" && !strings.Contains(a.names[i], "part 1 of 2") {
			disagree = append(disagree, a.names[i])
		}
	}
	require.Empty(t, disagree, strings.Join(disagree, "\n"))
}
