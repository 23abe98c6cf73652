package client

import (
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/dlms/cosem"
	"smets1/dlms/security"
	"smets1/dlms/server"
)

// signing is a keyring with a key pair, for HLS 7.
type signing struct {
	*server.Keyring
	own    security.SigningKey
	client security.VerifyKey
}

func (s signing) SigningKey() security.SigningKey                     { return s.own }
func (s signing) AgreementKey() (k security.AgreementKey)             { return k }
func (s signing) ClientKey(security.SystemTitle) security.VerifyKey   { return s.client }
func (s signing) ClientAgreement(security.SystemTitle) (point []byte) { return nil }

// HLS 7 and the suites with it: P-256 with 128 bit keys, P-384 with 256 bit keys.
func TestECDSA(t *testing.T) {
	for _, suite := range []security.Suite{security.Suite1, security.Suite2} {
		t.Run(suite.String(), func(t *testing.T) {
			random := rand.New(rand.NewSource(int64(suite)))
			keys := security.KeySet{}
			var err error
			keys.GUEK, err = security.GenerateKey(random, suite)
			require.NoError(t, err)
			keys.GAK, err = security.GenerateKey(random, suite)
			require.NoError(t, err)
			ours, err := security.GenerateSigningKey(random, suite)
			require.NoError(t, err)
			theirs, err := security.GenerateSigningKey(random, suite)
			require.NoError(t, err)
			model := server.MustModel(server.Config{
				Name: "suite " + suite.String(),
				Associations: []server.Association{
					{Name: "management", Client: sapManage, Mechanism: security.MechanismECDSA, Ciphered: true, Suite: suite},
				},
				Objects: []server.Object{server.LogicalDeviceName(server.All(server.Read), func(*server.Call) string { return "SME" })},
			})
			meter := &server.Device{
				Model: model, Rand: random,
				Security: signing{server.NewKeyring(server.KeyringConfig{Title: meterTitle, Keys: keys}), theirs, ours.Public()},
			}
			home := &site{host: server.Devices{meter}}
			link := connect(t, home.dial(t, "wrapper"), "wrapper", sapManage)
			cfg := Config{
				Mechanism: security.MechanismECDSA, Suite: suite, Keys: keys, SystemTitle: clientTitle,
				SigningKey: ours, ServerKey: theirs.Public(),
			}
			c, err := Associate(t.Context(), link, cfg)
			require.NoError(t, err)
			name, err := c.GetString(t.Context(), cosem.Attribute{Class: 1, Instance: cosem.LogicalDeviceName, ID: 2})
			require.NoError(t, err)
			require.Equal(t, "SME", name)
			require.NoError(t, c.Release(t.Context()))

			cfg.ServerKey, cfg.Counter = ours.Public(), CountFrom(1000)
			_, err = Associate(t.Context(), link, cfg)
			require.ErrorIs(t, err, security.ErrAuthentication)
			require.ErrorContains(t, err, "Check the signing key")
		})
	}
}
