package se_test

import (
	"encoding/hex"
	"encoding/json"
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
)

// constant reads as one big-endian number.
type constant []byte

func (c constant) Read(b []byte) (int, error) {
	clear(b)
	copy(b[len(b)-len(c):], c)
	return len(b), nil
}

// TestGoldenKeyEstablishment has two machines with the keys of annex C.5 say, message by message, what is in the golden
// capture's frames.
func TestGoldenKeyEstablishment(t *testing.T) {
	b, err := os.ReadFile("testdata/vectors.json")
	require.NoError(t, err)
	type party struct {
		ID, Cert  string
		Static    string `json:"static_private"`
		Ephemeral string `json:"ephemeral_private"`
	}
	var v struct {
		Trace struct {
			CA      string `json:"ca_public"`
			V       party  `json:"responder_V"`
			U       party  `json:"initiator_U"`
			LinkKey string `json:"key_data_link_key"`
		} `json:"cbke_suite1"`
	}
	require.NoError(t, json.Unmarshal(b, &v))
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		require.NoError(t, err)
		return b
	}
	config := func(own, peer party) security.KEConfig {
		cert, err := security.ParseCertificate(security.Suite1, unhex(own.Cert))
		require.NoError(t, err)
		key, err := security.ParsePrivateKey(security.Suite1, unhex(own.Static))
		require.NoError(t, err)
		ca, err := security.ParsePublicKey(security.Suite1, unhex(v.Trace.CA))
		require.NoError(t, err)
		return security.KEConfig{Certificate: cert, Key: key, Peer: wire.EUI64(unhex(peer.ID)), Authorities: map[wire.EUI64]security.PublicKey{cert.IssuerID(): ca},
			Rand: constant(unhex(own.Ephemeral)), EphemeralTime: 3, ConfirmTime: 6}
	}
	u, message, err := security.NewInitiator(config(v.Trace.U, v.Trace.V))
	require.NoError(t, err)
	w, err := security.NewResponder(config(v.Trace.V, v.Trace.U))
	require.NoError(t, err)

	g, _ := loadGolden(t)
	network, err := security.NewCipher(mustKey(t, g.NetworkKey))
	require.NoError(t, err)
	to, other := w, u
	for i, f := range g.Frames[11:17] {
		m, _, err := mac.ParseFrame(unhex(f.Hex))
		require.NoError(t, err)
		n, _, err := nwk.ParseFrame(m.Payload)
		require.NoError(t, err)
		require.NoError(t, n.Open(network))
		a, _, err := aps.ParseFrame(n.Payload)
		require.NoError(t, err)
		require.EqualValues(t, se.KeyEstablishment, a.Cluster)
		z, _, err := zcl.ParseFrame(a.Payload)
		require.NoError(t, err)
		want, err := se.Append(nil, z.Header, se.KeyEstablishmentCommand{Server: i%2 == 1, Message: message})
		require.NoError(t, err)
		require.Equal(t, want, a.Payload, f.Name)
		message, err = to.Receive(message)
		require.NoError(t, err)
		to, other = other, to
	}
	require.True(t, u.Done() && w.Done())
	require.True(t, u.LinkKey().Equal(mustKey(t, g.LinkKey)))
	require.Equal(t, g.LinkKey, v.Trace.LinkKey)
}
