package capture

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/gopacket/pcapgo"
	"github.com/stretchr/testify/require"

	"smets1/internal/clock"
)

func TestRadioFramesComeBack(t *testing.T) {
	var out bytes.Buffer
	w, err := NewWriter(&out, clock.NewStepped(time.Unix(0, 0)))
	require.NoError(t, err)
	r := w.NewRadio("home-0001")
	at := time.Date(2019, 7, 15, 8, 0, 0, 123456789, time.UTC)
	psdu := []byte{0x02, 0x00, 0x07, 0x1b, 0x6e}
	r.Frame(at, psdu, "channel 15")
	r.Frame(at, nil, "") // nothing

	require.NoError(t, w.Close())
	in, err := pcapgo.NewNgReader(bytes.NewReader(out.Bytes()), pcapgo.NgReaderOptions{WantMixedLinkType: true})
	require.NoError(t, err)
	data, info, err := in.ReadPacketData()
	require.NoError(t, err)
	require.Equal(t, psdu, data)
	require.True(t, at.Equal(info.Timestamp), info.Timestamp)
	i, err := in.Interface(info.InterfaceIndex)
	require.NoError(t, err)
	require.Equal(t, linkIEEE802154, i.LinkType)
	require.Equal(t, "home-0001", i.Name)
	_, _, err = in.ReadPacketData()
	require.Error(t, err)

	var none *Writer
	none.NewRadio("x").Frame(at, psdu, "")
}
