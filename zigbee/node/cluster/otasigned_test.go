package cluster

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/internal/wire"
	"smets1/zigbee/node"
	"smets1/zigbee/security"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

// signer signs image files for the tests.
type signer struct {
	id          wire.EUI64
	certificate security.Certificate
	key         security.PrivateKey
	authorities map[wire.EUI64]security.PublicKey
}

func newSigner(t *testing.T, suite security.Suite, seed byte) *signer {
	t.Helper()
	r := rand.NewChaCha8([32]byte{seed})
	key, err := security.GeneratePrivateKey(r, suite)
	require.NoError(t, err)
	ca, err := security.NewSimulatorCA(key)
	require.NoError(t, err)
	issuer := wire.EUI64{'S', 'I', 'M', 'S', 'E', 'C', 'A', seed}
	s := &signer{id: wire.EUI64{0, 1, 2, 3, 4, 5, 6, seed}, authorities: map[wire.EUI64]security.PublicKey{issuer: ca.Public()}}
	var template security.Certificate = security.Certificate1{Subject: s.id, Issuer: issuer, Attributes: [10]byte{1, 9}}
	if suite == security.Suite2 {
		template = security.Certificate2{
			Curve: security.CertificateCurveK283, Hash: security.CertificateHashMMO, Issuer: issuer, Validity: security.CertificateValidForever,
			Subject: s.id, KeyUsage: security.CertificateUseSignature,
		}
	}
	s.certificate, s.key, err = ca.Mint(r, template)
	require.NoError(t, err)
	return s
}

var imageV2 = se.ImageID{Manufacturer: 0x1234, ImageType: 1, FileVersion: 2}

// file makes a signed image file; change alters it before it is signed.
func (s *signer) file(t *testing.T, change func(m *se.OTAImage)) []byte {
	t.Helper()
	m := se.OTAImage{Header: se.OTAHeader{Image: imageV2, StackVersion: 2, Text: "meter"}, Elements: []se.Element{{Tag: se.TagImage, Data: bytes.Repeat([]byte("code"), 40)}}}
	if change != nil {
		change(&m)
	}
	require.NoError(t, m.Sign(rand.NewChaCha8([32]byte{9}), s.key, s.certificate))
	b, err := m.AppendBinary(nil)
	require.NoError(t, err)
	return b
}

// give gives a file out and tells what the client makes of it.
func give(t *testing.T, file []byte, client *OTAClient) (status zcl.Status, applied bool) {
	t.Helper()
	u := newUpgrade(t, node.Router, 0, len(file), &OTAServer{}, client)
	u.file = file
	image := &OTAImage{ID: imageV2, Size: uint32(len(file)), Data: bytes.NewReader(file)}
	u.server.Offer = func(wire.EUI64, se.ImageID) *OTAImage { return image }
	client.Verify = nil
	client.Image = func(id se.ImageID, size uint32) ([]byte, error) {
		require.Equal(t, imageV2, id)
		require.Len(t, u.stored, int(size))
		return u.stored, nil
	}
	u.client.Query(u.now, hubEUI)
	require.True(t, u.until(time.Hour, func() bool { return len(u.ended) == 1 }))
	u.run(time.Minute)
	return u.ended[0], len(u.applied) == 1
}

// A client that has a whole file looks at its signature before it says that it is good.
func TestUpgradeIsSigned(t *testing.T) {
	for _, suite := range []security.Suite{security.Suite1, security.Suite2} {
		s, stranger := newSigner(t, suite, '1'), newSigner(t, suite, '2')
		good := s.file(t, nil)
		flipped := bytes.Clone(good)
		flipped[80] ^= 1
		forged := bytes.Clone(good)
		forged[len(forged)-1] ^= 1
		unsigned, err := se.OTAImage{Header: se.OTAHeader{Image: imageV2, StackVersion: 2}, Elements: []se.Element{{Tag: se.TagImage, Data: []byte("code")}}}.AppendBinary(nil)
		require.NoError(t, err)
		for name, x := range map[string]struct {
			file   []byte
			client OTAClient
			want   zcl.Status
		}{
			"good":                    {good, OTAClient{Authorities: s.authorities, Signers: []wire.EUI64{s.id}}, zcl.Success},
			"for this device":         {s.file(t, func(m *se.OTAImage) { m.Header.HasDst, m.Header.Dst = true, meterEUI }), OTAClient{Authorities: s.authorities}, zcl.Success},
			"for this hardware":       {s.file(t, func(m *se.OTAImage) { m.Header.HasHardware, m.Header.MinHardware, m.Header.MaxHardware = true, 1, 3 }), OTAClient{Authorities: s.authorities, Hardware: 2}, zcl.Success},
			"altered":                 {flipped, OTAClient{Authorities: s.authorities}, zcl.InvalidImage},
			"forged":                  {forged, OTAClient{Authorities: s.authorities}, zcl.InvalidImage},
			"unsigned":                {unsigned, OTAClient{Authorities: s.authorities}, zcl.InvalidImage},
			"of another authority":    {stranger.file(t, nil), OTAClient{Authorities: s.authorities}, zcl.InvalidImage},
			"of a signer not allowed": {good, OTAClient{Authorities: s.authorities, Signers: []wire.EUI64{hubEUI}}, zcl.InvalidImage},
			"without authorities":     {good, OTAClient{}, zcl.InvalidImage},
			"for another device":      {s.file(t, func(m *se.OTAImage) { m.Header.HasDst, m.Header.Dst = true, hubEUI }), OTAClient{Authorities: s.authorities}, zcl.InvalidImage},
			"for other hardware":      {s.file(t, func(m *se.OTAImage) { m.Header.HasHardware, m.Header.MinHardware, m.Header.MaxHardware = true, 3, 4 }), OTAClient{Authorities: s.authorities, Hardware: 2}, zcl.InvalidImage},
			"another version inside":  {s.file(t, func(m *se.OTAImage) { m.Header.Image.FileVersion = 9 }), OTAClient{Authorities: s.authorities}, zcl.InvalidImage},
			"no file at all":          {[]byte("not a file"), OTAClient{Authorities: s.authorities}, zcl.InvalidImage},
		} {
			t.Run(suite.String()+" "+name, func(t *testing.T) {
				status, applied := give(t, x.file, &x.client)
				require.Equal(t, x.want, status)
				require.Equal(t, x.want == zcl.Success, applied)
			})
		}
	}
}

// A client that can check nothing runs nothing.
func TestUpgradeUnchecked(t *testing.T) {
	u := newUpgrade(t, node.Router, 0, 100, &OTAServer{}, &OTAClient{})
	u.client.Verify = nil
	u.client.Query(u.now, hubEUI)
	require.True(t, u.until(time.Hour, func() bool { return len(u.ended) == 1 }))
	require.Equal(t, zcl.InvalidImage, u.ended[0])
	require.Empty(t, u.applied)
}

// A file for one device alone comes the same way and changes nothing of what runs.
func TestDeviceSpecificFile(t *testing.T) {
	const configuration = 0xFFC1
	u := newUpgrade(t, node.Router, 0, 100, &OTAServer{}, &OTAClient{})
	u.client.QueryFile(u.now, hubEUI, configuration)
	u.run(time.Minute)
	require.Equal(t, OTANormal, u.client.State())
	file := []byte("the configuration of this meter, and of no other")
	id := se.ImageID{Manufacturer: 0x1234, ImageType: configuration, FileVersion: 1}
	u.server.File = func(device wire.EUI64, q se.ImageID) *OTAImage {
		require.Equal(t, meterEUI, device)
		if q.ImageType != configuration {
			return nil
		}
		return &OTAImage{ID: id, Size: uint32(len(file)), Data: bytes.NewReader(file)}
	}
	u.client.QueryFile(u.now, hubEUI, configuration)
	require.True(t, u.until(time.Hour, func() bool { return len(u.applied) == 1 }))
	require.Equal(t, file, u.stored)
	require.EqualValues(t, 1, u.client.Current.FileVersion)
	r := u.command(u.meter, hubEUI, se.QueryDeviceSpecificFileRequest{Node: hubEUI, Image: id}, 9)
	require.ErrorIs(t, r.Err, zcl.NotAuthorized, "another device's")
	r = u.command(u.meter, hubEUI, se.ImageBlockRequest{Image: id, Most: 10, HasNode: true, Node: hubEUI}, 5)
	require.ErrorIs(t, r.Err, zcl.NotAuthorized)
}

// The server holds a device to its pace that does not keep one itself.
func TestServerPacesDevices(t *testing.T) {
	u := newUpgrade(t, node.Router, 0, 480, &OTAServer{Period: 5 * time.Second}, &OTAClient{})
	ask := func() se.ImageBlockResponse {
		t.Helper()
		r := u.command(u.meter, hubEUI, se.ImageBlockRequest{Image: imageV2, Most: 48}, 5)
		require.NoError(t, r.Err)
		return r.Command.(se.ImageBlockResponse)
	}
	require.Equal(t, zcl.Success, ask().Status)
	w := ask()
	require.Equal(t, zcl.WaitForData, w.Status)
	require.InDelta(t, 5, int(w.Request-w.Now), 1)
	u.run(5 * time.Second)
	require.Equal(t, zcl.Success, ask().Status)
}
