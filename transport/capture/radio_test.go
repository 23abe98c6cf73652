package capture

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/google/gopacket/pcapgo"
	"github.com/stretchr/testify/require"

	"smets1/internal/clock"
	"smets1/transport/radio"
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

// A frame of link type 283 has its channel, level and quality, and other interfaces keep their numbers beside it.
func TestRadioTap(t *testing.T) {
	var out bytes.Buffer
	w, err := NewWriter(&out, clock.NewStepped(time.Unix(0, 0)))
	require.NoError(t, err)
	tap := w.NewRadioTap("dongle")
	plain := w.NewRadio("home-0002")
	f := radio.Frame{Start: time.Unix(1, 5), Channel: 15, RSSI: -55, LQI: 191, PSDU: []byte{0x02, 0x00, 0x07, 0x1b, 0x6e}}
	tap.Take(f)
	plain.Take(f)
	require.NoError(t, w.Close())

	header := []byte{
		0, 0, 36, 0,
		0, 0, 1, 0, 1, 0, 0, 0,
		1, 0, 4, 0, 0, 0, 0x5C, 0xC2, // -55.0
		3, 0, 3, 0, 15, 0, 0, 0,
		10, 0, 1, 0, 191, 0, 0, 0,
	}
	require.Equal(t, header, appendTap(nil, f))
	var blocks [][]byte
	for b := out.Bytes(); len(b) > 0; {
		n := binary.LittleEndian.Uint32(b[4:])
		blocks, b = append(blocks, b[:n]), b[n:]
	}
	require.Len(t, blocks, 6, "section, three interfaces, two packets")
	require.Equal(t, []byte{
		1, 0, 0, 0, 44, 0, 0, 0, 283 & 0xFF, 283 >> 8, 0, 0, 0, 0, 0, 0,
		2, 0, 6, 0, 'd', 'o', 'n', 'g', 'l', 'e', 0, 0, 9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0, 44, 0, 0, 0,
	}, blocks[2])
	require.EqualValues(t, 195, blocks[3][8])
	packet := func(b []byte) (iface uint32, data []byte) {
		return binary.LittleEndian.Uint32(b[8:]), b[28 : 28+binary.LittleEndian.Uint32(b[20:])]
	}
	i, data := packet(blocks[4])
	require.EqualValues(t, 1, i)
	require.Equal(t, append(header, f.PSDU...), data)
	i, data = packet(blocks[5])
	require.EqualValues(t, 2, i)
	require.Equal(t, f.PSDU, data)
	require.Contains(t, string(blocks[5]), "channel 15, -55 dBm")

	var none *Writer
	none.NewRadioTap("x").Take(f)
}
