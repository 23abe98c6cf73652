package se_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/internal/wire"
	"smets1/zigbee/aps"
	"smets1/zigbee/mac"
	"smets1/zigbee/nwk"
	"smets1/zigbee/security"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
	"smets1/zigbee/zdp"
)

// keyring is what a sniffer knows: keys to try, and who has which short address.
type keyring struct {
	network, link []security.Key
	addresses     map[uint16]wire.EUI64
}

func mustKey(t testing.TB, s string) security.Key {
	t.Helper()
	k, err := security.ParseKey(s)
	require.NoError(t, err)
	return k
}

// rebuild takes a PSDU to pieces down to the fields of its command and puts it together again from these alone; where a
// layer was secured it is secured anew. It also says what the frame was.
func rebuild(t testing.TB, k *keyring, psdu []byte) (again []byte, what string) {
	t.Helper()
	m, n, err := mac.ParseFrame(bytes.Clone(psdu))
	require.NoError(t, err)
	require.Equal(t, len(psdu), n)
	switch m.Type {
	case mac.TypeBeacon:
		b, _, err := mac.ParseBeacon(m.Payload)
		require.NoError(t, err)
		p, n, err := mac.ParseBeaconPayload(b.Payload)
		require.NoError(t, err)
		require.Equal(t, len(b.Payload), n)
		b.Payload, err = p.AppendBinary(nil)
		require.NoError(t, err)
		m.Payload, err = b.AppendBinary(nil)
		require.NoError(t, err)
		what = "beacon"
	case mac.TypeCommand:
		c, n, err := mac.ParseCommand(m.Payload)
		require.NoError(t, err)
		require.Equal(t, len(m.Payload), n)
		m.Payload, err = c.AppendBinary(nil)
		require.NoError(t, err)
		what = fmt.Sprintf("%T", c)
	case mac.TypeData:
		m.Payload, what = rebuildNWK(t, k, m.Payload)
	case mac.TypeAck:
		what = "ack"
	}
	again, err = m.AppendBinary(nil)
	require.NoError(t, err)
	return again, what
}

func rebuildNWK(t testing.TB, k *keyring, b []byte) ([]byte, string) {
	t.Helper()
	f, n, err := nwk.ParseFrame(b)
	require.NoError(t, err)
	require.Equal(t, len(b), n)
	raw, err := f.AppendBinary(nil)
	require.NoError(t, err)
	require.Equal(t, b, raw, "a frame that was not opened comes out as it was")
	var used *security.Cipher
	if f.Secured {
		for _, key := range k.network {
			try, _, err := nwk.ParseFrame(bytes.Clone(b))
			require.NoError(t, err)
			c, err := security.NewCipher(key)
			require.NoError(t, err)
			if try.Open(c) == nil {
				f, used = try, c
				break
			}
		}
		require.NotNil(t, used, "no network key opens the frame")
		k.addresses[f.Src] = f.Aux.Source
	}
	var what string
	payload := f.Payload
	switch f.Type {
	case nwk.TypeCommand:
		c, n, err := nwk.ParseCommand(payload)
		require.NoError(t, err)
		require.Equal(t, len(payload), n)
		payload, err = c.AppendBinary(nil)
		require.NoError(t, err)
		what = fmt.Sprintf("%T", c)
	case nwk.TypeData:
		payload, what = rebuildAPS(t, k, f.Src, payload)
	}
	if used == nil {
		f.Payload = payload
		out, err := f.AppendBinary(nil)
		require.NoError(t, err)
		return out, what
	}
	out, err := nwk.Seal(nil, &f.Header, &f.Aux, used, payload)
	require.NoError(t, err)
	return out, what
}

func rebuildAPS(t testing.TB, k *keyring, src uint16, b []byte) ([]byte, string) {
	t.Helper()
	f, n, err := aps.ParseFrame(b)
	require.NoError(t, err)
	require.Equal(t, len(b), n)
	raw, err := f.AppendBinary(nil)
	require.NoError(t, err)
	require.Equal(t, b, raw)
	var used *security.Cipher
	if f.Secured {
		for _, key := range k.link {
			switch f.Aux.KeyID {
			case security.KeyIDTransport:
				key = key.KeyTransport()
			case security.KeyIDLoad:
				key = key.KeyLoad()
			default:
			}
			try, _, err := aps.ParseFrame(bytes.Clone(b))
			require.NoError(t, err)
			if !try.Aux.Extended {
				try.Aux.Source = k.addresses[src]
			}
			c, err := security.NewCipher(key)
			require.NoError(t, err)
			if try.Open(c) == nil {
				f, used = try, c
				break
			}
		}
		require.NotNil(t, used, "no link key opens the frame")
	}
	payload, what := f.Payload, "APS ack"
	switch {
	case f.Type == aps.TypeCommand:
		c, n, err := aps.ParseCommand(payload)
		require.NoError(t, err)
		require.Equal(t, len(payload), n)
		payload, err = c.AppendBinary(nil)
		require.NoError(t, err)
		what = fmt.Sprintf("%T", c)
		if tk, ok := c.(aps.TransportKey); ok && tk.Type == aps.KeyNetwork {
			k.network = append(k.network, tk.Key)
		} else if ok {
			k.link = append(k.link, tk.Key)
		}
	case f.Type == aps.TypeData && f.Profile == zdp.Profile:
		seq, c, n, err := zdp.Parse(zdp.Cluster(f.Cluster), payload)
		require.NoError(t, err)
		require.Equal(t, len(payload), n)
		payload, err = zdp.Append(nil, seq, c)
		require.NoError(t, err)
		what = fmt.Sprintf("%T", c)
	case f.Type == aps.TypeData:
		payload, what = rebuildZCL(t, se.Cluster(f.Cluster), payload)
	}
	if used == nil {
		f.Payload = payload
		out, err := f.AppendBinary(nil)
		require.NoError(t, err)
		return out, what
	}
	out, err := aps.Seal(nil, &f.Header, &f.Aux, used, payload)
	require.NoError(t, err)
	return out, what
}

// greenPower is no cluster of Smart Energy; coordinators of Zigbee 3.0 announce it.
const greenPower se.Cluster = 0x0021

func rebuildZCL(t testing.TB, cluster se.Cluster, b []byte) ([]byte, string) {
	t.Helper()
	f, n, err := zcl.ParseFrame(b)
	require.NoError(t, err)
	require.Equal(t, len(b), n)
	if f.Type == zcl.TypeGlobal {
		c, n, err := zcl.ParseGlobal(zcl.GlobalID(f.Command), f.Payload)
		require.NoError(t, err)
		require.Equal(t, len(f.Payload), n)
		out, err := zcl.AppendGlobal(nil, f.Header, c)
		require.NoError(t, err)
		return out, fmt.Sprintf("%T", c)
	}
	c, n, err := se.Parse(se.Key{Cluster: cluster, FromServer: f.FromServer, ID: f.Command}, f.Payload)
	if cluster == greenPower {
		require.ErrorIs(t, err, se.ErrCommand)
		out, err := f.AppendBinary(nil)
		require.NoError(t, err)
		return out, "Green Power"
	}
	require.NoError(t, err)
	require.Equal(t, len(f.Payload), n)
	out, err := se.Append(nil, f.Header, c)
	require.NoError(t, err)
	return out, fmt.Sprintf("%T", c)
}

type golden struct {
	NetworkKey  string `json:"network_key"`
	InstallCode string `json:"install_code"`
	LinkKey     string `json:"cbke_link_key"`
	Transport   string `json:"key_transport_key"`
	Load        string `json:"key_load_key"`
	Frames      []struct{ Name, Hex string }
}

func loadGolden(t testing.TB) (golden, *keyring) {
	t.Helper()
	b, err := os.ReadFile("testdata/se-golden1.json")
	require.NoError(t, err)
	var g golden
	require.NoError(t, json.Unmarshal(b, &g))
	require.Len(t, g.Frames, 65)
	code, err := security.ParseInstallCode(g.InstallCode)
	require.NoError(t, err)
	require.True(t, code.LinkKey().KeyTransport().Equal(mustKey(t, g.Transport)))
	require.True(t, code.LinkKey().KeyLoad().Equal(mustKey(t, g.Load)))
	k := &keyring{link: []security.Key{code.LinkKey(), mustKey(t, g.LinkKey)}, addresses: map[uint16]wire.EUI64{}}
	return g, k
}

// TestGolden rebuilds each of the 65 frames from its fields. The network key comes from the Transport-Key among them.
func TestGolden(t *testing.T) {
	g, k := loadGolden(t)
	pcap := readPcap(t, "testdata/se-golden1.pcap")
	require.Len(t, pcap, len(g.Frames))
	for i, f := range g.Frames {
		t.Run(f.Name, func(t *testing.T) {
			psdu, err := hex.DecodeString(f.Hex)
			require.NoError(t, err)
			require.Equal(t, pcap[i], psdu)
			again, what := rebuild(t, k, psdu)
			require.Equal(t, f.Hex, hex.EncodeToString(again), what)
		})
	}
	require.True(t, k.network[0].Equal(mustKey(t, g.NetworkKey)))
}

// TestForeignJoin does the same with what an independent coordinator and a simulated meter said to one another.
func TestForeignJoin(t *testing.T) {
	k := &keyring{link: []security.Key{security.WellKnownLinkKey()}, addresses: map[uint16]wire.EUI64{}}
	k.network = []security.Key{mustKey(t, "00112233445566778899aabbccddeeff")}
	for i, psdu := range readPcap(t, "testdata/zoh-interop-join.pcap") {
		again, what := rebuild(t, k, psdu)
		require.Equal(t, hex.EncodeToString(psdu), hex.EncodeToString(again), "frame %d, %s", i+1, what)
	}
}

// readPcap reads a capture of link type 195 (802.15.4 with FCS).
func readPcap(t testing.TB, name string) (frames [][]byte) {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, uint32(0xA1B2C3D4), binary.LittleEndian.Uint32(b))
	require.EqualValues(t, 195, binary.LittleEndian.Uint32(b[20:]))
	for b = b[24:]; len(b) > 0; {
		n := int(binary.LittleEndian.Uint32(b[8:]))
		frames = append(frames, b[16:16+n])
		b = b[16+n:]
	}
	return frames
}
