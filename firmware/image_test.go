package firmware

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func header() Header {
	return Header{
		Type: ESME, Manufacturer: "X-ACME", Model: "E1", HardwareFrom: 2, HardwareTo: 5, Version: "1.2.10",
	}
}

func device() Device {
	return Device{
		Type: ESME, Manufacturer: "X-ACME", Model: "E1", Hardware: 3, Version: "1.2.9", Signers: SimulatorSigners(),
	}
}

func release(t testing.TB, h Header, size int) []byte {
	t.Helper()
	b, err := SimulatedRelease(h, size)
	require.NoError(t, err)
	return b
}

func TestImageBytes(t *testing.T) {
	b := release(t, header(), 4)
	want := "S1FW\x01\x02\x00\x5A" +
		"\x06X-ACME\x02E1\x00\x02\x00\x05\x061.2.10\x18X-SIMULATOR-NOT-A-SECRET\x00\x00\x00\x04"
	require.Equal(t, want, string(b[:len(want)]))
	require.Len(t, b, 0x5A+4+64)
	require.Equal(t, b, release(t, header(), 4), "the same release has the same octets")

	m, n, err := ParseImage(append(b[:len(b):len(b)], "tail"...))
	require.NoError(t, err)
	require.Equal(t, len(b), n)
	require.Equal(t, len(b), m.Size())
	require.NoError(t, m.Verify(SimulatorSigners()))
	again, err := m.AppendBinary(nil)
	require.NoError(t, err)
	require.Equal(t, b, again)
	m.signed = nil
	require.NoError(t, m.Verify(SimulatorSigners()), "an image put together by hand verifies as well")
}

func TestImageTruncated(t *testing.T) {
	b := release(t, header(), 40)
	for i := range b {
		_, _, err := ParseImage(b[:i])
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "cut at %d", i)
		_, err = Check(b[:i], device())
		require.ErrorIs(t, err, Malformed, "cut at %d", i)
	}
}

func TestEveryFlippedBitIsRefused(t *testing.T) {
	b := release(t, header(), 40)
	for i := range b {
		bad := append([]byte(nil), b...)
		bad[i] ^= 0x10
		_, err := Check(bad, device())
		var r *Refusal
		require.ErrorAs(t, err, &r, "octet %d", i)
	}
}

func TestCheckReasons(t *testing.T) {
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	signedBy := func(name string) []byte {
		h := header()
		h.Signer = name
		b, err := Sign(h, []byte("payload"), other)
		require.NoError(t, err)
		return b
	}
	corrupt := release(t, header(), 40)
	corrupt[len(corrupt)-signatureSize-1] ^= 1
	for name, c := range map[string]struct {
		image  []byte
		device func(*Device)
		want   error
		text   string
	}{
		"fits":         {image: release(t, header(), 40)},
		"same version": {image: release(t, header(), 40), device: func(d *Device) { d.Version = "1.2.10" }},
		"no version":   {image: release(t, header(), 40), device: func(d *Device) { d.Version = "" }},
		"rollback":     {image: release(t, header(), 40), device: func(d *Device) { d.Version = "2"; d.Rollback = true }},
		"malformed":    {image: []byte("not an image"), want: Malformed},
		"trailing":     {image: append(release(t, header(), 40), 0), want: Malformed},
		"type":         {image: release(t, header(), 40), device: func(d *Device) { d.Type = GSME }, want: WrongType, text: "have esme, want gsme"},
		"manufacturer": {image: release(t, header(), 40), device: func(d *Device) { d.Manufacturer = "X-ZETA" }, want: WrongManufacturer, text: "have X-ACME, want X-ZETA"},
		"model":        {image: release(t, header(), 40), device: func(d *Device) { d.Model = "E2" }, want: WrongModel},
		"hardware low": {image: release(t, header(), 40), device: func(d *Device) { d.Hardware = 1 }, want: WrongHardware, text: "have 2 to 5, want 1"},
		"hardware top": {image: release(t, header(), 40), device: func(d *Device) { d.Hardware = 6 }, want: WrongHardware},
		"older":        {image: release(t, header(), 40), device: func(d *Device) { d.Version = "1.2.11" }, want: OlderVersion},
		"too big":      {image: release(t, header(), 40), device: func(d *Device) { d.MaxSize = 100 }, want: TooBig},
		"digest":       {image: corrupt, want: BadDigest},
		"signer":       {image: signedBy("SOMEBODY"), want: UnknownSigner},
		"signature":    {image: signedBy(SimulatorSigner), want: BadSignature},
	} {
		t.Run(name, func(t *testing.T) {
			d := device()
			if c.device != nil {
				c.device(&d)
			}
			m, err := Check(c.image, d)
			if c.want == nil {
				require.NoError(t, err)
				require.Equal(t, "1.2.10", m.Version)
				return
			}
			require.ErrorIs(t, err, c.want)
			var r *Refusal
			require.ErrorAs(t, err, &r)
			require.Equal(t, c.want, r.Reason)
			require.NotEmpty(t, r.Reason.Code())
			require.ErrorContains(t, err, c.text)
		})
	}
	require.Equal(t, "reason-99", Reason(99).Code())
	require.EqualError(t, Reason(99), "unknown reason 99")
}

func TestFitsFindsTooBigBeforeThePayload(t *testing.T) {
	d := device()
	d.MaxSize = 120
	h, _, err := ParseHeader(release(t, header(), 40))
	require.NoError(t, err)
	require.ErrorIs(t, h.Fits(d), TooBig)
}

func TestHeaderLimits(t *testing.T) {
	for name, change := range map[string]func(*Header){
		"manufacturer":  func(h *Header) { h.Manufacturer = "" },
		"model":         func(h *Header) { h.Model = strings.Repeat("M", 31) },
		"version":       func(h *Header) { h.Version = "123456789" },
		"version ASCII": func(h *Header) { h.Version = "1\n2" },
		"type":          func(h *Header) { h.Type = 9 },
		"hardware":      func(h *Header) { h.HardwareFrom = 6 },
	} {
		h := header()
		change(&h)
		_, err := SimulatedRelease(h, 4)
		require.Error(t, err, name)
	}
	_, err := SimulatedRelease(header(), 0)
	require.ErrorContains(t, err, "1 to 8388608")
}

func TestCompareVersions(t *testing.T) {
	ordered := []string{"", "1", "1.2.9", "1.2.10", "1.10", "2", "P4X2G04", "P4X2G12", "P4X10"}
	for i, a := range ordered {
		for j, b := range ordered {
			got := CompareVersions(a, b)
			switch {
			case i < j:
				require.Negative(t, got, "%q %q", a, b)
			case i > j:
				require.Positive(t, got, "%q %q", a, b)
			default:
				require.Zero(t, got)
			}
		}
	}
	require.Zero(t, CompareVersions("1.02", "1.2"))
}

func TestDigestText(t *testing.T) {
	d := DigestOf([]byte("x"))
	b, err := d.MarshalText()
	require.NoError(t, err)
	var again Digest
	require.NoError(t, again.UnmarshalText(b))
	require.Equal(t, d, again)
	require.ErrorContains(t, again.UnmarshalText([]byte("abc")), "64 hexadecimal digits")
}

func TestLibrary(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "images")
	folder, err := OpenLibrary(dir)
	require.NoError(t, err)
	for name, l := range map[string]*Library{"memory": NewLibrary(), "folder": folder} {
		t.Run(name, func(t *testing.T) {
			h := header()
			h.Version = "1.10"
			newer, err := l.Put(release(t, h, 10))
			require.NoError(t, err)
			h.Version = "1.9"
			older, err := l.Put(release(t, h, 10))
			require.NoError(t, err)
			same, err := l.Put(release(t, h, 10))
			require.NoError(t, err)
			require.Equal(t, older, same)

			b, err := l.Get(newer)
			require.NoError(t, err)
			require.Equal(t, newer, DigestOf(b))
			_, err = l.Get(Digest{})
			require.ErrorIs(t, err, ErrNotInLibrary)
			_, err = l.Put([]byte("not an image"))
			require.Error(t, err)

			list := l.List()
			require.Len(t, list, 2)
			require.Equal(t, older, list[0].Digest)
			require.Equal(t, "1.10", list[1].Header.Version)
		})
	}
	again, err := OpenLibrary(dir)
	require.NoError(t, err)
	require.Equal(t, folder.List(), again.List())

	file := again.path(again.List()[0].Digest)
	require.NoError(t, os.WriteFile(file, []byte("damaged"), 0o600))
	_, err = again.Get(again.List()[0].Digest)
	require.ErrorContains(t, err, "the file is damaged")
	_, err = OpenLibrary(dir)
	require.ErrorContains(t, err, file)
}

func FuzzParseImage(f *testing.F) {
	f.Add(release(f, header(), 1))
	f.Add(release(f, header(), 100))
	f.Add([]byte("S1FW\x01\x01\x00\x08"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, n, err := ParseImage(b)
		if err != nil {
			require.Zero(t, n)
			return
		}
		require.Equal(t, n, m.Size())
		again, err := m.AppendBinary(nil)
		require.NoError(t, err)
		require.Equal(t, b[:n], again)
	})
}
