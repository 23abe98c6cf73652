package se_test

import (
	"crypto/aes"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/internal/wire"
	"smets1/zigbee/aps"
	"smets1/zigbee/mac"
	"smets1/zigbee/nwk"
	"smets1/zigbee/security"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

// meter builds what an electricity meter sends its display every ten seconds: a report of two attributes under the link
// key under the network key; and opens it again.
type meter struct {
	nwk, link  *security.Cipher
	source     wire.EUI64
	mac        mac.Frame
	nwkHeader  nwk.Header
	apsHeader  aps.Header
	nwkAux     security.Aux
	apsAux     security.Aux
	attributes [2]zcl.Attribute
	zcl        []byte
	aps        []byte
	nwkFrame   []byte
	psdu       []byte
}

func newMeter(t testing.TB) *meter {
	cipher := func(s string) *security.Cipher {
		c, err := security.NewCipher(mustKey(t, s))
		require.NoError(t, err)
		return c
	}
	m := &meter{
		nwk: cipher("00112233445566778899aabbccddeeff"), link: cipher("86d58aaa998e2faefaf9fef49606543a"),
		source:     wire.MustEUI64("00-15-5F-00-B0-04-00-04"),
		mac:        mac.Frame{Type: mac.TypeData, AckRequest: true, PANCompression: true, Dst: mac.ShortAddress(0x1AAA, 0), Src: mac.ShortAddress(0x1AAA, 4)},
		nwkHeader:  nwk.Header{Secured: true, Src: 4, Radius: nwk.MaxRadius},
		apsHeader:  aps.Header{Secured: true, AckRequest: true, DstEndpoint: 1, SrcEndpoint: 1, Cluster: uint16(se.Metering), Profile: se.Profile},
		attributes: [2]zcl.Attribute{{ID: se.AttrCurrentSummationDelivered, Value: zcl.Unsigned(zcl.Uint48, 123456)}, {ID: se.AttrInstantaneousDemand, Value: zcl.Signed(zcl.Int24, -250)}},
		zcl:        make([]byte, 0, 128), aps: make([]byte, 0, 128), nwkFrame: make([]byte, 0, 128), psdu: make([]byte, 0, 128),
	}
	m.nwkAux = security.Aux{KeyID: security.KeyIDNetwork, Extended: true, Source: m.source}
	m.apsAux = security.Aux{KeyID: security.KeyIDLink, Source: m.source}
	return m
}

func (m *meter) build() ([]byte, error) {
	m.nwkAux.Counter++
	m.apsAux.Counter++
	h := zcl.Header{FromServer: true, DisableDefaultResponse: true, Command: uint8(zcl.CmdReportAttributes)}
	b, err := h.AppendBinary(m.zcl[:0])
	for i := range m.attributes {
		if err == nil {
			b, err = m.attributes[i].Append(b)
		}
	}
	if err == nil {
		b, err = aps.Seal(m.aps[:0], &m.apsHeader, &m.apsAux, m.link, b)
	}
	if err == nil {
		b, err = nwk.Seal(m.nwkFrame[:0], &m.nwkHeader, &m.nwkAux, m.nwk, b)
	}
	if err != nil {
		return nil, err
	}
	m.mac.Payload = b
	return m.mac.AppendBinary(m.psdu[:0])
}

// open reads a frame, which it destroys, and gives the number of attributes in it.
func (m *meter) open(psdu []byte) (attributes int, err error) {
	f, _, err := mac.ParseFrame(psdu)
	if err != nil {
		return 0, err
	}
	n, _, err := nwk.ParseFrame(f.Payload)
	if err == nil {
		err = n.Open(m.nwk)
	}
	if err != nil {
		return 0, err
	}
	a, _, err := aps.ParseFrame(n.Payload)
	if err != nil {
		return 0, err
	}
	a.Aux.Source = m.source
	if err := a.Open(m.link); err != nil {
		return 0, err
	}
	z, _, err := zcl.ParseFrame(a.Payload)
	for p := z.Payload; err == nil && len(p) > 0; attributes++ {
		var k int
		_, k, err = zcl.ParseAttribute(p)
		p = p[k:]
	}
	return attributes, err
}

func TestSecuredReportAllocates(t *testing.T) {
	m := newMeter(t)
	copyOf := make([]byte, 0, 128)
	require.Zero(t, testing.AllocsPerRun(200, func() {
		b, err := m.build()
		if err != nil {
			panic(err)
		}
		copyOf = append(copyOf[:0], b...)
		if n, err := m.open(copyOf); err != nil || n != 2 {
			panic(err)
		}
	}))
}

func BenchmarkSecuredBuild(b *testing.B) {
	m := newMeter(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.build(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "frames/s")
}

func BenchmarkSecuredOpen(b *testing.B) {
	m := newMeter(b)
	frame, err := m.build()
	require.NoError(b, err)
	frame = append([]byte(nil), frame...)
	buf := make([]byte, 0, 128)
	b.ReportAllocs()
	for b.Loop() {
		buf = append(buf[:0], frame...)
		if _, err := m.open(buf); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "frames/s")
}

// BenchmarkSecuredBareAES is what AES alone takes for the same octets: the blocks of both layers' CCM*.
func BenchmarkSecuredBareAES(b *testing.B) {
	m := newMeter(b)
	_, err := m.build()
	require.NoError(b, err)
	block, err := aes.NewCipher(make([]byte, 16))
	require.NoError(b, err)
	blocks := func(aad, payload int) int { return 1 + (2+aad+15)/16 + 2*((payload+15)/16) + 1 }
	zclLen := 3 + 9 + 6
	apsLen := 8 + m.apsAux.Size() + zclLen + security.MICSize
	n := blocks(8+m.apsAux.Size(), zclLen) + blocks(8+m.nwkAux.Size(), apsLen)
	x := make([]byte, 16)
	for b.Loop() {
		for range n {
			block.Encrypt(x, x)
		}
	}
	b.ReportMetric(float64(n), "blocks")
}
