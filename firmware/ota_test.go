package firmware

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/internal/wire"
	"smets1/zigbee/security"
	"smets1/zigbee/zcl/se"
)

var otaTarget = wire.MustEUI64("00-DB-12-34-56-78-90-A1")

func otaFile() se.OTAImage {
	return se.OTAImage{
		Header: se.OTAHeader{
			Image: se.ImageID{Manufacturer: 0x1209, ImageType: 7, FileVersion: 0x02000001}, StackVersion: 2, Text: "G1 2.0.1",
			HasCredential: true, Credential: 1, HasDst: true, Dst: otaTarget, HasHardware: true, MinHardware: 2, MaxHardware: 4,
		},
		Elements: []se.Element{
			{Tag: se.TagImage, Data: bytes.Repeat([]byte("code"), 100)},
			{Tag: se.TagPicture, Data: []byte("GIF89a")},
			{Tag: se.TagManufacturer, Data: []byte{1, 2, 3}},
			{Tag: se.TagImage, Data: []byte("tail")},
		},
	}
}

func otaDevice(s security.Suite) OTADevice {
	return OTADevice{EUI: otaTarget, Manufacturer: 0x1209, ImageType: 7, Hardware: 3, Version: 0x01000000, Trust: SimulatorOTATrust(s)}
}

func packOTA(t testing.TB, m se.OTAImage, s security.Suite) []byte {
	t.Helper()
	b, err := PackOTA(m, true, SimulatorOTASigner(s), rand.NewChaCha8([32]byte{1}))
	require.NoError(t, err)
	return b
}

// Every octet of a signed file counts: one that is changed, and every truncation, is refused.
func TestOTAFile(t *testing.T) {
	for _, s := range []security.Suite{security.Suite1, security.Suite2} {
		b := packOTA(t, otaFile(), s)
		require.Equal(t, b, packOTA(t, otaFile(), s), "the same seed, the same file")
		m, err := CheckOTA(b, otaDevice(s))
		require.NoError(t, err)
		require.Equal(t, "tail", string(OTAPayload(m)[400:]))
		there, right := OTAIntegrity(b, m)
		require.True(t, there && right)
		// The code is over all before it: header, four elements, its own tag and length.
		end := 69 + 6 + 400 + 6 + 6 + 6 + 3 + 6 + 4 + 6
		want := security.Hash(b[:end])
		require.Equal(t, want[:], b[end:end+16])
		require.EqualValues(t, len(b), binary.LittleEndian.Uint32(b[52:]), "the size that it covers is the final one")

		again := packOTA(t, m, s)
		require.Equal(t, b, again, "packed anew, it gets code and signature once")
		for i := range b {
			_, err := CheckOTA(b[:i], otaDevice(s))
			require.ErrorIs(t, err, Malformed, "cut at %d", i)
		}
		step := 1
		if s == security.Suite2 {
			step = 17 // the curve is slow
		}
		for i := 0; i < len(b); i += step {
			bad := bytes.Clone(b)
			bad[i] ^= 1
			_, err := CheckOTA(bad, otaDevice(s))
			require.Error(t, err, "octet %d", i)
		}
		_, err = CheckOTA(append(bytes.Clone(b), 0), otaDevice(s))
		require.ErrorIs(t, err, Malformed)
	}
}

// What a device refuses, each reason by one file or one device that differs in one thing.
func TestOTARefusals(t *testing.T) {
	const s = security.Suite1
	good := packOTA(t, otaFile(), s)
	unsigned, err := PackOTA(otaFile(), true, OTASigner{}, nil)
	require.NoError(t, err)
	other := otaFile()
	other.Elements[0].Data = bytes.Repeat([]byte("CODE"), 100)
	wrongCode := packOTA(t, otaFile(), s)
	wrongCode[69+6+400+6+6+6+3+6+4+6] ^= 1
	badSignature := bytes.Clone(good)
	badSignature[len(badSignature)-1] ^= 1
	empty := otaFile()
	empty.Elements = empty.Elements[1:3]
	_, err = PackOTA(empty, false, OTASigner{}, nil)
	require.ErrorContains(t, err, "no image")
	noImage, err := empty.AppendBinary(nil)
	require.NoError(t, err)

	for _, x := range []struct {
		reason Reason
		file   []byte
		change func(*OTADevice)
	}{
		{WrongManufacturer, good, func(d *OTADevice) { d.Manufacturer++ }},
		{WrongModel, good, func(d *OTADevice) { d.ImageType++ }},
		{WrongDevice, good, func(d *OTADevice) { d.EUI[7]++ }},
		{WrongHardware, good, func(d *OTADevice) { d.Hardware = 1 }},
		{WrongHardware, good, func(d *OTADevice) { d.Hardware = 5 }},
		{OlderVersion, good, func(d *OTADevice) { d.Version = 0x02000002 }},
		{TooBig, good, func(d *OTADevice) { d.MaxSize = len(good) - 1 }},
		{UnknownSigner, good, func(d *OTADevice) { d.Trust.Signers = []wire.EUI64{otaTarget} }},
		{UnknownSigner, good, func(d *OTADevice) { d.Trust.Authorities = nil }},
		{UnknownSigner, unsigned, func(*OTADevice) {}},
		{BadDigest, wrongCode, func(*OTADevice) {}},
		{BadSignature, badSignature, func(*OTADevice) {}},
		{Malformed, noImage, func(*OTADevice) {}},
		{Malformed, []byte("S1FW"), func(*OTADevice) {}},
	} {
		d := otaDevice(s)
		x.change(&d)
		_, err := CheckOTA(x.file, d)
		require.ErrorIs(t, err, x.reason)
	}
	d := otaDevice(s)
	d.Version, d.Rollback = 0x02000002, true
	_, err = CheckOTA(good, d)
	require.NoError(t, err, "older, where it is allowed")
	d.EUI = wire.EUI64{}
	_, err = CheckOTA(good, d)
	require.NoError(t, err, "nobody asked which device")
}

func FuzzCheckOTA(f *testing.F) {
	f.Add(packOTA(f, otaFile(), security.Suite1))
	unsigned, err := PackOTA(otaFile(), false, OTASigner{}, nil)
	require.NoError(f, err)
	f.Add(unsigned)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := CheckOTA(b, otaDevice(security.Suite1))
		if err != nil {
			var r *Refusal
			require.ErrorAs(t, err, &r)
			return
		}
		again, err := m.AppendBinary(nil)
		require.NoError(t, err)
		require.Equal(t, b, again)
	})
}
