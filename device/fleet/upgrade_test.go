package fleet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/device/core"
	"smets1/dlms/axdr"
	"smets1/dlms/client"
	"smets1/dlms/cosem"
	"smets1/dlms/server"
	"smets1/firmware"
)

func image(id int8) cosem.Attribute {
	return cosem.Attribute{Class: cosem.ClassImageTransfer, Instance: cosem.OBIS{0, 0, 44, 0, 0, 255}, ID: id}
}

func imageDo(t *testing.T, c *client.Client, id int8, v axdr.Value) error {
	t.Helper()
	_, err := c.ActionAxdr(t.Context(), cosem.Method{Class: cosem.ClassImageTransfer, Instance: cosem.OBIS{0, 0, 44, 0, 0, 255}, ID: id}, v)
	return err
}

func release(t *testing.T, w *world, name, device string) ([]byte, string) {
	t.Helper()
	i, ok := w.m.find(name)
	require.True(t, ok)
	s := w.m.spec(i)
	d := s.set.role(device)
	kind := map[string]firmware.DeviceType{"hub": firmware.Hub, "esme": firmware.ESME, "gsme": firmware.GSME}[device]
	b, err := firmware.SimulatedRelease(firmware.Header{
		Type: kind, Manufacturer: d.Manufacturer, Model: d.Model, HardwareFrom: d.Hardware, HardwareTo: d.Hardware, Version: d.Newest(),
	}, 3000)
	require.NoError(t, err)
	return b, d.Newest()
}

func send(t *testing.T, c *client.Client, img []byte, from, to int) {
	t.Helper()
	size, err := c.GetUint(t.Context(), image(2))
	require.NoError(t, err)
	for n := from; n < to && n*int(size) < len(img); n++ {
		b := img[n*int(size) : min((n+1)*int(size), len(img))]
		require.NoError(t, imageDo(t, c, 2, axdr.Structure(axdr.Uint32(uint32(n)), axdr.Octets(b))))
	}
}

func initiate(t *testing.T, c *client.Client, img []byte) {
	t.Helper()
	id := firmware.DigestOf(img)
	require.NoError(t, imageDo(t, c, 1, axdr.Structure(axdr.Octets(id[:]), axdr.Uint32(uint32(len(img))))))
}

func status(t *testing.T, c *client.Client) server.ImageStatus {
	t.Helper()
	v, err := c.GetUint(t.Context(), image(6))
	require.NoError(t, err)
	return server.ImageStatus(v)
}

// A good image, with the process killed in the middle of the transfer: the blocks are
// still there, the image verifies, and after the restart the new version runs.
func TestUpgrade(t *testing.T) {
	for _, device := range []string{"hub", "esme", "gsme"} {
		t.Run(device, func(t *testing.T) {
			m := demo(t)
			const name = "foc-clock-off"
			i, _ := m.find(name)
			m.Homes[i].Firmware = map[string]string{"hub": "first", "esme": "first", "gsme": "first"}
			w := open(t, m, Options{})
			n := client.CountFrom(1)
			img, version := release(t, w, name, device)
			c := w.manage(name, device, n)
			initiate(t, c, img)
			require.Error(t, imageDo(t, c, 3, axdr.Int8(0)), "nothing is there to verify")
			send(t, c, img, 0, 2)
			require.Error(t, imageDo(t, c, 2, axdr.Structure(axdr.Uint32(999), axdr.Octets([]byte{1}))))

			w = w.restart(Options{})
			c = w.manage(name, device, n)
			require.Equal(t, server.ImageInitiated, status(t, c))
			first, err := c.GetUint(t.Context(), image(4))
			require.NoError(t, err)
			require.EqualValues(t, 2, first)
			send(t, c, img, 2, 1000)
			require.Error(t, imageDo(t, c, 4, axdr.Int8(0)), "not verified")
			err = imageDo(t, c, 3, axdr.Int8(0))
			require.ErrorIs(t, err, cosem.ActionTemporaryFailure, "it takes its time")
			require.Equal(t, server.ImageVerifying, status(t, c))
			w.clock.Advance(30 * time.Second)
			require.Equal(t, server.ImageVerified, status(t, c))
			list, err := c.GetAxdr(t.Context(), image(7))
			require.NoError(t, err)
			id := firmware.DigestOf(img)
			require.Equal(t, id[:], list.Items[0].Items[1].Bytes)
			require.NoError(t, imageDo(t, c, 4, axdr.Int8(0)))

			s, err := w.Status(name)
			require.NoError(t, err)
			for _, d := range s.Devices {
				if d.EUI == w.device(name, device).EUI {
					require.False(t, d.On, "it restarts")
				}
			}
			w.clock.Advance(2 * time.Minute)
			c = w.manage(name, device, n)
			fw := core.MeterFirmware
			if device == "hub" {
				fw = core.HubFirmware
			}
			at := cosem.Attribute{Class: cosem.ClassData, Instance: fw, ID: 2}
			got, err := c.GetString(t.Context(), at)
			require.NoError(t, err)
			require.Equal(t, version, got)
			require.Equal(t, server.ImageActivated, status(t, c))

			w = w.restart(Options{})
			c = w.manage(name, device, n)
			got, err = c.GetString(t.Context(), at)
			require.NoError(t, err)
			require.Equal(t, version, got, "still after a kill")
			require.Equal(t, 1+4, w.nv.(*core.Memory).Len(), "the device, and the four nodes on the air: the blocks were forgotten")
		})
	}
}

// A corrupt image and one for another model are refused by the meter at verify, with a reason.
func TestRefusedImages(t *testing.T) {
	w := open(t, demo(t), Options{})
	const name = "foc-corrupt-image"
	n := client.CountFrom(1)
	good, _ := release(t, w, name, "gsme")
	corrupt := append([]byte(nil), good...)
	corrupt[len(corrupt)/2] ^= 1
	other, _ := release(t, w, "foc-clock-off", "esme")
	c := w.manage(name, "gsme", n)
	for _, x := range []struct {
		img    []byte
		reason string
	}{{corrupt, "corrupt"}, {other, "another type of device"}} {
		initiate(t, c, x.img)
		send(t, c, x.img, 0, 1000)
		require.Error(t, imageDo(t, c, 3, axdr.Int8(0)))
		w.clock.Advance(time.Minute)
		require.Equal(t, server.ImageVerifyFailed, status(t, c))
		reason, err := c.GetString(t.Context(), cosem.Attribute{Class: cosem.ClassData, Instance: core.ImageReasonName, ID: 2})
		require.NoError(t, err)
		require.Contains(t, reason, x.reason)
		require.Error(t, imageDo(t, c, 4, axdr.Int8(0)))
		got, err := c.GetString(t.Context(), cosem.Attribute{Class: cosem.ClassData, Instance: core.MeterFirmware, ID: 2})
		require.NoError(t, err)
		require.Equal(t, w.device(name, "gsme").Firmware, got)
	}
	id := firmware.DigestOf(good)
	require.Error(t, imageDo(t, c, 1, axdr.Structure(axdr.Octets(id[:]), axdr.Uint32(core.MaxImage+1))))
	// The good one goes through after that.
	initiate(t, c, good)
	send(t, c, good, 0, 1000)
	require.Error(t, imageDo(t, c, 3, axdr.Int8(0)))
	w.clock.Advance(time.Minute)
	require.Equal(t, server.ImageVerified, status(t, c))
}
