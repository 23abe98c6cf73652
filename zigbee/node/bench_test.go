package node

import (
	"crypto/aes"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/transport/radio/air"
	"smets1/zigbee/aps"
	"smets1/zigbee/mac"
	"smets1/zigbee/nwk"
	"smets1/zigbee/security"
	"smets1/zigbee/zcl/se"
)

// A frame as meters send it, secured at APS and NWK: built and encrypted, and decrypted and parsed, next to AES alone over
// the blocks that CCM* needs for it.
func BenchmarkSecuredFrame(b *testing.B) {
	h := newHome(b, air.Config{})
	ca := newAuthority(b, security.Suite1, "SIMSECA1")
	hub := h.hub(ca)
	reading := uint64(1)
	m := h.device(ca, esmeEUI, Router, meter(&reading))
	h.joined(hub, m)
	key := hub.establishedKey(esmeEUI)
	packet := func() *packet {
		return &packet{
			typ: mac.TypeData, from: mac.AddressShort, to: mac.ShortAddress(hub.pan, m.short), ack: true, nwk: true,
			header: nwk.Header{Dst: m.short, Secured: true, Radius: 30},
			aps:    &outgoing{header: aps.Header{DstEndpoint: 1, SrcEndpoint: 1, Cluster: 0x0702, Profile: 0x0109}, payload: make([]byte, 40), key: key},
		}
	}
	p := packet()
	rate := func(b *testing.B) { b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "frames/s") }
	b.Run("build", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := hub.build(p); err != nil {
				b.Fatal(err)
			}
		}
		rate(b)
	})
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		frame, err := hub.build(p)
		require.NoError(b, err)
		frame = append([]byte(nil), frame...)
		work := make([]byte, len(frame))
		nc, err := m.nets[0].open()
		require.NoError(b, err)
		kc, err := m.establishedKey(hubEUI).cipher(security.KeyIDLink)
		require.NoError(b, err)
		for b.Loop() {
			copy(work, frame)
			f, _, err := mac.ParseFrame(work)
			if err != nil {
				b.Fatal(err)
			}
			n, _, err := nwk.ParseFrame(f.Payload)
			if err != nil || n.Open(nc) != nil {
				b.Fatal("nwk")
			}
			a, _, err := aps.ParseFrame(n.Payload)
			if err != nil || a.Open(kc) != nil {
				b.Fatal("aps")
			}
		}
		rate(b)
	})
	b.Run("aes", func(b *testing.B) {
		c, err := aes.NewCipher(make([]byte, 16))
		require.NoError(b, err)
		var x [16]byte
		blocks := (1 + 2 + 3 + 3 + 1) + (1 + 2 + 5 + 5 + 1) // APS and NWK: B0, header, payload, keystream, tag
		for b.Loop() {
			for range blocks {
				c.Encrypt(x[:], x[:])
			}
		}
		rate(b)
	})
}

// A whole home joins: hub, electricity meter, gas meter behind it, display, each with key establishment, in frames and in
// virtual seconds.
func BenchmarkHomeJoin(b *testing.B) {
	for _, suite := range []security.Suite{security.Suite1, security.Suite2} {
		b.Run(suite.String(), func(b *testing.B) {
			ca := newAuthority(b, suite, "SIMSECA1")
			for b.Loop() {
				h := newHome(b, air.Config{Seed: 1})
				hub := h.hub(ca)
				reading := uint64(1)
				esme := h.device(ca, esmeEUI, Router, meter(&reading))
				gsme := h.device(ca, gsmeEUI, Sleepy, meter(&reading))
				ihd := h.device(ca, ihdEUI, EndDevice, &Endpoint{ID: 1, Device: se.DeviceInHomeDisplay})
				for _, m := range []*member{esme, gsme, ihd} {
					h.joined(hub, m)
				}
				b.ReportMetric(float64(len(h.frames)), "frames")
				b.ReportMetric(h.now.Sub(start).Seconds(), "virtual-s")
			}
		})
	}
}

// A device's join with key establishment, in frames and in virtual seconds.
func BenchmarkJoin(b *testing.B) {
	for _, suite := range []security.Suite{security.Suite1, security.Suite2} {
		b.Run(suite.String(), func(b *testing.B) {
			ca := newAuthority(b, suite, "SIMSECA1")
			for b.Loop() {
				h := newHome(b, air.Config{Seed: 1})
				hub := h.hub(ca)
				reading := uint64(1)
				m := h.device(ca, esmeEUI, Router, meter(&reading))
				frames, at := len(h.frames), h.now
				h.joined(hub, m)
				b.ReportMetric(float64(len(h.frames)-frames), "frames")
				b.ReportMetric(h.now.Sub(at).Seconds(), "virtual-s")
			}
		})
	}
}
