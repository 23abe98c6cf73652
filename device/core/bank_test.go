package core

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/dlms/cosem"
	"smets1/dlms/server"
	"smets1/firmware"
)

func fitting(t testing.TB, version string, change func(*firmware.Header)) []byte {
	t.Helper()
	d := birth(t)
	h := firmware.Header{
		Type: d.Kind, Manufacturer: d.Make.Manufacturer, Model: d.Make.Model, HardwareFrom: d.Make.Hardware, HardwareTo: d.Make.Hardware, Version: version,
	}
	if change != nil {
		change(&h)
	}
	b, err := firmware.SimulatedRelease(h, 700)
	require.NoError(t, err)
	return b
}

func give(t testing.TB, m *Image, at time.Time, image []byte) {
	t.Helper()
	id := firmware.DigestOf(image)
	require.NoError(t, m.Initiate(at, id[:], uint32(len(image))))
	for n := range firmware.Blocks(len(image), int(m.BlockSize())) {
		require.NoError(t, m.Block(at, uint32(n), firmware.Block(image, int(m.BlockSize()), n)))
	}
}

// What a meter refuses: each reason, by an image that is right but for one thing.
// The version in use stays, and the good image is taken afterwards.
func TestRefusesWhatAMeterRefuses(t *testing.T) {
	stranger, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), func() []byte { s := sha256.Sum256([]byte("stranger")); return s[:] }())
	require.NoError(t, err)
	good := fitting(t, "P4X2G12", nil)
	flip := func(at int) []byte {
		b := append([]byte(nil), good...)
		b[at] ^= 1
		return b
	}
	h, _, err := firmware.ParseHeader(good)
	require.NoError(t, err)
	h.Signer = "STRANGER"
	unknown, err := firmware.Sign(h, firmware.SimulatedPayload(h, 700), stranger)
	require.NoError(t, err)
	for reason, image := range map[firmware.Reason][]byte{
		firmware.Malformed:         flip(0),
		firmware.WrongType:         fitting(t, "P4X2G12", func(h *firmware.Header) { h.Type = firmware.GSME }),
		firmware.WrongManufacturer: fitting(t, "P4X2G12", func(h *firmware.Header) { h.Manufacturer = "OTHER" }),
		firmware.WrongModel:        fitting(t, "P4X2G12", func(h *firmware.Header) { h.Model = "OTHER" }),
		firmware.WrongHardware:     fitting(t, "P4X2G12", func(h *firmware.Header) { h.HardwareFrom, h.HardwareTo = h.HardwareTo+1, h.HardwareTo+2 }),
		firmware.OlderVersion:      fitting(t, "P4X2G03", nil),
		firmware.BadDigest:         flip(len(good) - 100),
		firmware.BadSignature:      flip(len(good) - 1),
		firmware.UnknownSigner:     unknown,
	} {
		t.Run(reason.Code(), func(t *testing.T) {
			u := unit(t, Faults{})
			m, at := &u.image, start
			give(t, m, at, image)
			require.Equal(t, cosem.ActionReadWriteDenied, m.Activate(at), "not verified")
			require.Equal(t, cosem.ActionTemporaryFailure, m.Verify(at))
			at = at.Add(time.Minute)
			require.Equal(t, server.ImageVerifyFailed, m.Status(at))
			require.Contains(t, m.Reason(), reason.Error())
			require.Equal(t, cosem.ActionReadWriteDenied, m.Activate(at))
			require.Empty(t, m.ToActivate())
			require.Equal(t, "P4X2G04", m.Running())
			give(t, m, at, good)
			require.Equal(t, cosem.ActionTemporaryFailure, m.Verify(at))
			require.Equal(t, server.ImageVerified, m.Status(at.Add(time.Minute)))
		})
	}
	u := unit(t, Faults{})
	require.Equal(t, cosem.ActionOtherReason, u.image.Initiate(start, []byte("x"), MaxImage+1))
	require.Contains(t, u.image.Reason(), "too-big")
}

// reborn is the device after its process was killed: what is not in the NV is gone.
func reborn(t testing.TB, nv NV, at time.Time) *Unit {
	t.Helper()
	u := unit(t, Faults{})
	require.NoError(t, u.Restore(at, nv))
	return u
}

// Power fails after each block, once as a loss of power and once as the death of
// the process: every block that was acknowledged is still there.
func TestPowerLossAtEveryBlock(t *testing.T) {
	image := fitting(t, "P4X2G12", nil)
	id := firmware.DigestOf(image)
	for _, dies := range []bool{false, true} {
		u, nv, at := unit(t, Faults{}), &Memory{}, start
		m := &u.image
		require.NoError(t, m.Initiate(at, id[:], uint32(len(image))))
		require.NoError(t, u.Flush(nv))
		n := firmware.Blocks(len(image), int(m.BlockSize()))
		for k := range n {
			require.EqualValues(t, k, m.FirstMissing())
			require.NoError(t, m.Block(at, uint32(k), firmware.Block(image, int(m.BlockSize()), k)))
			require.NoError(t, u.Flush(nv))
			at = at.Add(time.Minute)
			if dies {
				u = reborn(t, nv, at)
				m = &u.image
			} else {
				u.PowerCut(start, at)
				require.True(t, u.On(at))
			}
			require.Equal(t, server.ImageInitiated, m.Status(at))
		}
		require.EqualValues(t, n, m.FirstMissing())
		require.Equal(t, cosem.ActionTemporaryFailure, m.Verify(at))
		require.Equal(t, server.ImageVerified, m.Status(at.Add(time.Minute)))
	}
}

// Power fails at every second from the activation on: before the new image
// confirmed itself the old one runs again and the new one may be activated once
// more; after that the new one stays.
func TestPowerLossDuringActivation(t *testing.T) {
	image := fitting(t, "P4X2G12", nil)
	for _, dies := range []bool{false, true} {
		old, kept := 0, 0
		for second := range 100 {
			u, nv, at := unit(t, Faults{}), &Memory{}, start
			m := &u.image
			give(t, m, at, image)
			require.Equal(t, cosem.ActionTemporaryFailure, m.Verify(at))
			at = at.Add(time.Minute)
			require.Equal(t, server.ImageVerified, m.Status(at))
			require.NoError(t, m.Activate(at))
			require.NoError(t, u.Flush(nv))
			reboot := at.Add(u.Make.Image.Reboot)
			cut := at.Add(time.Duration(second) * time.Second)
			on := u.On(cut)
			require.Equal(t, !cut.Before(reboot), on)
			require.NoError(t, u.Flush(nv))
			at = cut.Add(time.Second)
			if dies {
				u = reborn(t, nv, at)
				m = &u.image
			} else {
				u.PowerCut(start, at)
			}
			require.True(t, u.On(reboot.Add(2*time.Hour)))
			at = reboot.Add(3 * time.Hour)
			require.True(t, u.On(at))
			inTrial := on && cut.Before(reboot.Add(Trial))
			if dies && inTrial && !at.Before(reboot.Add(Trial)) && !cut.Add(time.Second).Before(reboot.Add(Trial)) {
				inTrial = false // it confirmed itself before the process was back
			}
			if !inTrial {
				require.Equal(t, server.ImageActivated, m.Status(at), "second %d", second)
				require.Equal(t, "P4X2G12", m.Running())
				kept++
				continue
			}
			old++
			require.Equal(t, server.ImageActivationFailed, m.Status(at), "second %d", second)
			require.Equal(t, "P4X2G04", m.Running(), "second %d", second)
			require.Contains(t, m.Reason(), "not-confirmed")
			require.Len(t, m.ToActivate(), 1)
			require.NoError(t, m.Activate(at))
			at = at.Add(time.Hour)
			require.True(t, u.On(at))
			at = at.Add(time.Hour)
			require.True(t, u.On(at))
			require.Equal(t, server.ImageActivated, m.Status(at))
			require.Equal(t, "P4X2G12", m.Running())
		}
		require.Positive(t, old)
		require.Positive(t, kept)
	}
}

// An image that verifies and does not work is left by itself.
func TestImageThatDoesNotConfirm(t *testing.T) {
	h, _, err := firmware.ParseHeader(fitting(t, "P4X2G12", nil))
	require.NoError(t, err)
	image, err := firmware.SimulatedDud(h, 700)
	require.NoError(t, err)
	u, nv, at := unit(t, Faults{}), &Memory{}, start
	m := &u.image
	give(t, m, at, image)
	require.Equal(t, cosem.ActionTemporaryFailure, m.Verify(at))
	at = at.Add(time.Minute)
	require.Equal(t, server.ImageVerified, m.Status(at))
	require.NoError(t, m.Activate(at))
	at = at.Add(u.Make.Image.Reboot)
	require.True(t, u.On(at))
	require.Equal(t, "P4X2G12", m.Running(), "on trial")
	require.Equal(t, server.ImageActivating, m.Status(at))
	require.NoError(t, u.Flush(nv))
	at = at.Add(Trial)
	require.False(t, u.On(at), "the watchdog")
	at = at.Add(u.Make.Image.Reboot)
	require.True(t, u.On(at))
	require.Equal(t, "P4X2G04", m.Running())
	require.Equal(t, server.ImageActivationFailed, m.Status(at))
	again := reborn(t, nv, at)
	require.True(t, again.On(at.Add(time.Hour)))
	require.Equal(t, "P4X2G04", again.image.Running(), "also where the process died during the trial")
}
