package client

import (
	"context"
	"fmt"
	"math/rand"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/dlms/apdu"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/security"
	"smets1/dlms/server"
	"smets1/internal/clock"
)

// agreeing is a keyring with every key pair that general-ciphering and general-signing use.
type agreeing struct {
	signing
	agreement security.AgreementKey
	point     []byte
}

func (a agreeing) AgreementKey() security.AgreementKey                 { return a.agreement }
func (a agreeing) ClientAgreement(security.SystemTitle) (point []byte) { return a.point }

// generalMeter is the meter of meter_test.go with the keys of a suite, and the client that fits it.
func generalMeter(t *testing.T, suite security.Suite, policy security.Policy) (*server.Device, *meterState, Config) {
	t.Helper()
	random := rand.New(rand.NewSource(int64(suite) + 40))
	keys := meterKeys(t)
	if suite == security.Suite2 {
		for _, k := range []*security.Key{&keys.GUEK, &keys.GAK, &keys.KEK} {
			var err error
			*k, err = security.GenerateKey(random, suite)
			require.NoError(t, err)
		}
	}
	cfg := Config{
		Mechanism: security.MechanismGMAC, Suite: suite, Keys: keys, SystemTitle: clientTitle,
		Random: random, Clock: clock.NewStepped(meterStart),
	}
	device, s := newMeter(t)
	ring := server.NewKeyring(server.KeyringConfig{Title: meterTitle, Keys: keys})
	device.Security = ring
	if suite != security.Suite0 {
		sign := func() security.SigningKey {
			k, err := security.GenerateSigningKey(random, suite)
			require.NoError(t, err)
			return k
		}
		agree := func() security.AgreementKey {
			k, err := security.GenerateAgreementKey(random, suite)
			require.NoError(t, err)
			return k
		}
		far := agreeing{signing: signing{Keyring: ring, own: sign()}, agreement: agree()}
		cfg.SigningKey, cfg.AgreementKey = sign(), agree()
		far.client, far.point = cfg.SigningKey.Public(), cfg.AgreementKey.Point()
		cfg.ServerKey, cfg.ServerAgreement = far.own.Public(), far.agreement.Point()
		device.Security = far
	}
	device.Model = server.MustModel(server.Config{
		Name: "general " + suite.String(),
		Associations: []server.Association{{
			Name: "management", Client: sapManage, Mechanism: security.MechanismGMAC, Ciphered: true, Suite: suite, Policy: policy,
		}},
		Objects: []server.Object{
			server.LogicalDeviceName(server.All(server.Read), func(*server.Call) string { return "SME0000000000077" }),
			server.Data(longData.Instance, server.Value{
				Access: server.All(server.ReadWrite), Type: axdr.TagOctetString,
				Get: server.Octets(func(c *server.Call) []byte { return state(c).long }),
				Set: server.SetOctets(func(c *server.Call, b []byte) error {
					state(c).long = slices.Clone(b)
					return nil
				}),
			}),
			server.Register(register, server.Value{
				Access: server.All(server.Read), Get: server.Uint32(func(c *server.Call) uint32 { return state(c).register }),
			}, cosem.ScalerUnit{Unit: cosem.UnitWattHour}, server.Method{
				Access: server.All(server.Execute), Do: server.Zero(func(c *server.Call) error { state(c).register = 0; return nil }),
			}),
		},
	})
	return device, s, cfg
}

// Every way to a key, signed and not, with short and long values both ways, under a policy that wants no less.
func TestGeneral(t *testing.T) {
	const both = security.ProtectBoth
	for _, tt := range []struct {
		name       string
		suite      security.Suite
		wrapping   Wrapping
		use        security.KeyUse
		protection security.Protection
		dedicated  bool
	}{
		{"guek", security.Suite0, WrapCiphering, security.UseGUEK, both, false},
		{"wrapped", security.Suite0, WrapCiphering, security.UseWrapped, both, false},
		{"guek", security.Suite1, WrapCiphering, security.UseGUEK, both | security.ProtectSign, false},
		{"wrapped", security.Suite2, WrapCiphering, security.UseWrapped, both | security.ProtectSign, false},
		{"one-pass", security.Suite1, WrapCiphering, security.UseOnePass, both, false},
		{"one-pass", security.Suite2, WrapCiphering, security.UseOnePass, both | security.ProtectSign, false},
		{"static unified", security.Suite1, WrapCiphering, security.UseStaticUnified, both | security.ProtectSign, false},
		{"static unified", security.Suite2, WrapCiphering, security.UseStaticUnified, both, false},
		{"signed glo", security.Suite1, WrapService, 0, both | security.ProtectSign, false},
		{"signed general-ded", security.Suite2, WrapGeneral, 0, both | security.ProtectSign, true},
		{"signed in the clear", security.Suite1, WrapService, 0, security.ProtectSign, false},
	} {
		for _, size := range []uint16{0, 400} {
			t.Run(fmt.Sprintf("%s, %v, %v, PDU %d", tt.name, tt.suite, tt.protection, size), func(t *testing.T) {
				policy := security.Policy(tt.protection<<2 | tt.protection<<5)
				device, s, cfg := generalMeter(t, tt.suite, policy)
				cfg.Wrapping, cfg.KeyUse, cfg.Protection, cfg.Dedicated, cfg.MaxPDU = tt.wrapping, tt.use, tt.protection, tt.dedicated, size
				home := &site{host: server.Devices{device}}
				link := connect(t, home.dial(t, "wrapper"), "wrapper", sapManage)
				c, err := Associate(t.Context(), link, cfg)
				require.NoError(t, err)
				longer := make([]byte, 3000)
				longer[2999] = 0xAA
				require.NoError(t, c.SetAxdr(t.Context(), longData, axdr.Octets(longer)))
				home.look(func() { require.Equal(t, longer, s.long) })
				got, err := c.GetBytes(t.Context(), longData)
				require.NoError(t, err)
				require.Equal(t, longer, got)
				_, err = c.ActionAxdr(t.Context(), method1, axdr.Int8(0))
				require.NoError(t, err)
				home.look(func() { require.Zero(t, s.register) })
				require.NoError(t, c.Release(t.Context()))
			})
		}
	}
}

// turned changes answers on their way to the client.
type turned struct {
	Link
	change func(answer []byte) []byte
}

func (l *turned) RoundTrip(ctx context.Context, request []byte) ([]byte, error) {
	answer, err := l.Link.RoundTrip(ctx, request)
	if err == nil && l.change != nil {
		answer = l.change(answer)
	}
	return answer, err
}

// A client that asked for protection takes nothing with less, nothing old and nothing changed.
func TestGeneralRefusals(t *testing.T) {
	for _, use := range []security.KeyUse{security.UseOnePass, security.UseStaticUnified} {
		for _, tt := range []struct {
			name   string
			change func(t *testing.T, first, answer []byte) []byte
			want   error
		}{
			{"the answer before", func(_ *testing.T, first, _ []byte) []byte { return first }, ErrProtocol},
			{"one bit", func(_ *testing.T, _, answer []byte) []byte { answer[len(answer)-20] ^= 1; return answer }, security.ErrSignature},
			{"no signature", func(t *testing.T, _, answer []byte) []byte {
				p, _, err := apdu.ParseGeneralSigning(answer)
				require.NoError(t, err)
				return slices.Clone(p.Content)
			}, ErrUnprotected},
			{"twice signed", func(t *testing.T, _, answer []byte) []byte {
				p, _, err := apdu.ParseGeneralSigning(answer)
				require.NoError(t, err)
				p.Content = slices.Clone(answer)
				out, err := p.AppendBinary(nil)
				require.NoError(t, err)
				return out
			}, ErrProtocol},
			{"in the clear", func(*testing.T, []byte, []byte) []byte { return []byte{0xC4, 1, 0xC2, 0, 17, 5} }, ErrUnprotected},
		} {
			t.Run(fmt.Sprint(tt.name, use), func(t *testing.T) {
				device, _, cfg := generalMeter(t, security.Suite1, 0)
				cfg.Wrapping, cfg.KeyUse, cfg.Protection = WrapCiphering, use, security.ProtectBoth|security.ProtectSign
				home := &site{host: server.Devices{device}}
				link := &turned{Link: connect(t, home.dial(t, "wrapper"), "wrapper", sapManage)}
				c, err := Associate(t.Context(), link, cfg)
				require.NoError(t, err)
				var first []byte
				link.change = func(answer []byte) []byte { first = slices.Clone(answer); return answer }
				_, err = c.Get(t.Context(), longData)
				require.NoError(t, err)
				link.change = func(answer []byte) []byte { return tt.change(t, first, slices.Clone(answer)) }
				_, err = c.Get(t.Context(), longData)
				require.ErrorIs(t, err, tt.want)
				require.ErrorIs(t, c.Err(), ErrLost)
			})
		}
	}
}

// What cannot work is told before anything is sent.
func TestGeneralConfig(t *testing.T) {
	_, _, good := generalMeter(t, security.Suite1, 0)
	good.Wrapping = WrapCiphering
	for _, tt := range []struct {
		name string
		cfg  func(*Config)
		want string
	}{
		{"broadcast key", func(c *Config) { c.KeyUse = security.UseGBEK }, "a request goes to one server"},
		{"no KEK", func(c *Config) { c.KeyUse, c.Keys.KEK = security.UseWrapped, security.Key{} }, "wrapped keys need the KEK"},
		{"no agreement key", func(c *Config) { c.KeyUse, c.AgreementKey = security.UseStaticUnified, security.AgreementKey{} }, "Config.AgreementKey"},
		{"short public key", func(c *Config) { c.KeyUse, c.ServerAgreement = security.UseOnePass, make([]byte, 10) }, "64 bytes"},
		{"suite 0", func(c *Config) { c.KeyUse, c.Suite = security.UseOnePass, security.Suite0 }, "suite 1 or 2"},
		{"no signing key", func(c *Config) { c.KeyUse, c.SigningKey = security.UseOnePass, security.SigningKey{} }, "Config.SigningKey"},
		{"unsigned", func(c *Config) { c.Protection, c.ServerKey = security.ProtectSign, security.VerifyKey{} }, "signing needs"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := good
			tt.cfg(&cfg)
			_, err := Associate(t.Context(), nil, cfg)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// A meter remembers the last transaction: the ids rise with the clock, and within one tick of it too.
func TestTransactionsRise(t *testing.T) {
	at := clock.NewStepped(meterStart)
	c := newClient(nil, Config{Clock: at})
	first := c.nextTransaction()
	second := c.nextTransaction()
	require.Less(t, string(first), string(second))
	at.Advance(time.Second)
	require.Less(t, string(second), string(c.nextTransaction()))
}
