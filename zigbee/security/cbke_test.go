package security

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/internal/wire"
)

func (x cbkeTrace) config(t testing.TB, s Suite, own, peer party) KEConfig {
	cert := certificate(t, s, own.Cert)
	return KEConfig{
		Certificate: cert, Key: private(t, s, own.StaticPrivate), Peer: peer.eui(),
		Authorities: map[wire.EUI64]PublicKey{cert.IssuerID(): public(t, s, x.CAPublic)},
		Rand:        fixed(own.EphemeralPrivate), EphemeralTime: 3, ConfirmTime: 6,
	}
}

// TestExchange reproduces annex C.5 and C.6 message by message.
func TestExchange(t *testing.T) {
	for s, x := range traces(t) {
		u, m1, err := NewInitiator(x.config(t, s, x.U, x.V))
		require.NoError(t, err)
		v, err := NewResponder(x.config(t, s, x.V, x.U))
		require.NoError(t, err)
		header := []byte{byte(s), 0, 3, 6}
		require.Equal(t, KEMessage{KEInitiate, append(bytes.Clone(header), x.U.Cert...)}, m1)
		require.Equal(t, 10*time.Second, u.Wait())

		m2, err := v.Receive(m1)
		require.NoError(t, err)
		require.Equal(t, KEMessage{KEInitiate, append(bytes.Clone(header), x.V.Cert...)}, m2)
		require.Equal(t, 3*time.Second, v.Wait())

		m3, err := u.Receive(m2)
		require.NoError(t, err)
		require.Equal(t, KEMessage{KEEphemeral, x.U.EphemeralPublic}, m3)

		m4, err := v.Receive(m3)
		require.NoError(t, err)
		require.Equal(t, KEMessage{KEEphemeral, x.V.EphemeralPublic}, m4)
		require.Equal(t, 6*time.Second, v.Wait())
		require.True(t, v.LinkKey().IsZero(), "no key before the MAC was checked")

		m5, err := u.Receive(m4)
		require.NoError(t, err)
		require.Equal(t, KEMessage{KEConfirm, x.MACU}, m5)
		require.Equal(t, []byte(x.MacKey), u.macKey.Reveal())

		m6, err := v.Receive(m5)
		require.NoError(t, err)
		require.Equal(t, KEMessage{KEConfirm, x.MACV}, m6)
		require.True(t, v.Done())

		last, err := u.Receive(m6)
		require.NoError(t, err)
		require.Zero(t, last)
		require.True(t, u.Done())
		require.Zero(t, u.Wait())
		require.Equal(t, []byte(x.LinkKey), u.LinkKey().Reveal())
		require.Equal(t, []byte(x.LinkKey), v.LinkKey().Reveal())
		require.Equal(t, x.V.eui(), u.Peer())
		_, err = u.Receive(m6)
		require.ErrorIs(t, err, BadMessage)
	}
}

// run plays an exchange in which tamper may change each message, and gives what the two sides came to.
func run(u, v *KeyEstablishment, m KEMessage, tamper func(i int, m KEMessage) KEMessage) (errU, errV error) {
	to, other, errTo, errOther := v, u, &errV, &errU
	for i := 0; m.Payload != nil; i++ {
		var err error
		m, err = to.Receive(tamper(i, m))
		if err != nil && *errTo == nil {
			*errTo = err
		}
		to, other, errTo, errOther = other, to, errOther, errTo
	}
	return errU, errV
}

// Each octet of each message is altered in turn: no side may end with a key that the other has not, and whoever notices
// says so to the other.
func TestExchangeTampered(t *testing.T) {
	x := traces(t)[Suite1]
	lengths := []int{52, 52, 22, 22, 16, 16}
	for i, n := range lengths {
		for at := 0; at < n; at += 1 + n/12 {
			u, m, err := NewInitiator(x.config(t, Suite1, x.U, x.V))
			require.NoError(t, err)
			v, err := NewResponder(x.config(t, Suite1, x.V, x.U))
			require.NoError(t, err)
			errU, errV := run(u, v, m, func(k int, m KEMessage) KEMessage {
				if k == i {
					m.Payload = bytes.Clone(m.Payload)
					m.Payload[at] ^= 0x04
				}
				return m
			})
			if i < 2 && (at == 2 || at == 3) {
				continue // the announced times are not authenticated
			}
			var te *KETerminatedError
			require.ErrorAs(t, errU, &te, "message %d octet %d", i, at)
			require.False(t, u.Done())
			if i < 5 {
				require.ErrorAs(t, errV, &te, "message %d octet %d", i, at)
				require.False(t, v.Done())
			}
		}
	}
}

func TestExchangeRefusals(t *testing.T) {
	x := traces(t)[Suite1]
	stranger := wire.EUI64{9}
	for name, c := range map[string]struct {
		change func(*KEConfig)
		want   TerminateStatus
	}{
		"unknown issuer": {func(c *KEConfig) { c.Authorities = nil }, UnknownIssuer},
		"another device": {func(c *KEConfig) { c.Peer = stranger }, InvalidCertificate},
		"wrong authority": {func(c *KEConfig) {
			for id := range c.Authorities {
				c.Authorities = map[wire.EUI64]PublicKey{id: c.Key.Public()}
			}
		}, BadKeyConfirm},
		"wrong private key": {func(c *KEConfig) { c.Key = private(t, Suite1, repeat(1, 21)) }, BadKeyConfirm},
	} {
		t.Run(name, func(t *testing.T) {
			u, m, err := NewInitiator(x.config(t, Suite1, x.U, x.V))
			require.NoError(t, err)
			cfg := x.config(t, Suite1, x.V, x.U)
			c.change(&cfg)
			v, err := NewResponder(cfg)
			require.NoError(t, err)
			errU, errV := run(u, v, m, func(_ int, m KEMessage) KEMessage { return m })
			require.ErrorIs(t, errV, c.want)
			require.ErrorIs(t, errU, c.want, "the peer learns the reason")
			require.True(t, u.Over() && v.Over() && !u.Done() && !v.Done())
			require.True(t, u.LinkKey().IsZero())
		})
	}
}

func TestExchangeOutOfTurn(t *testing.T) {
	x := traces(t)[Suite2]
	cfg := x.config(t, Suite2, x.V, x.U)
	for _, m := range []KEMessage{{KEConfirm, repeat(1, 16)}, {KEEphemeral, x.U.EphemeralPublic}, {9, []byte{1}}, {KEInitiate, []byte{2, 0, 1, 1}}, {KEInitiate, nil}} {
		v, err := NewResponder(cfg)
		require.NoError(t, err)
		reply, err := v.Receive(m)
		require.ErrorIs(t, err, BadMessage)
		require.Equal(t, KEMessage{KETerminate, []byte{3, 30, 2, 0}}, reply)
	}
	v, err := NewResponder(cfg)
	require.NoError(t, err)
	reply, err := v.Receive(KEMessage{KEInitiate, append([]byte{1, 0, 3, 6}, traces(t)[Suite1].U.Cert...)})
	require.ErrorIs(t, err, UnsupportedSuite)
	require.Equal(t, KETerminate, reply.Command)
	v, err = NewResponder(cfg)
	require.NoError(t, err)
	_, err = v.Receive(KEMessage{KETerminate, []byte{4, 60, 1, 0}})
	var te *KETerminatedError
	require.ErrorAs(t, err, &te)
	require.Equal(t, KETerminatedError{Status: NoResources, ByPeer: true, WaitTime: time.Minute, Suites: Suite1}, *te)
}

func TestExchangeConfig(t *testing.T) {
	x := traces(t)[Suite1]
	cfg := x.config(t, Suite1, x.U, x.V)
	cfg.Suite = Suite2
	_, _, err := NewInitiator(cfg)
	require.ErrorIs(t, err, ErrSuite)
	_, err = NewResponder(KEConfig{})
	require.Error(t, err)
}

func FuzzExchange(f *testing.F) {
	x := traces(f)[Suite1]
	f.Add(uint8(0), append([]byte{1, 0, 3, 6}, x.U.Cert...))
	f.Add(uint8(1), []byte(x.U.EphemeralPublic))
	f.Add(uint8(2), []byte(x.MACU))
	f.Add(uint8(3), []byte{3, 30, 2, 0})
	f.Fuzz(func(t *testing.T, cmd uint8, payload []byte) {
		v, err := NewResponder(x.config(t, Suite1, x.V, x.U))
		require.NoError(t, err)
		reply, err := v.Receive(KEMessage{KECommand(cmd), payload})
		require.False(t, v.Done())
		require.Equal(t, err != nil, v.Over())
		if err == nil {
			require.Equal(t, KEInitiate, reply.Command)
		}
	})
}

// BenchmarkExchange is a whole key establishment, both sides.
func BenchmarkExchange(b *testing.B) {
	for s, x := range traces(b) {
		b.Run(s.String(), func(b *testing.B) {
			cu, cv := x.config(b, s, x.U, x.V), x.config(b, s, x.V, x.U)
			for b.Loop() {
				u, m, err := NewInitiator(cu)
				require.NoError(b, err)
				v, err := NewResponder(cv)
				require.NoError(b, err)
				run(u, v, m, func(_ int, m KEMessage) KEMessage { return m })
				if !u.Done() || !v.Done() {
					b.Fatal("no key")
				}
			}
		})
	}
}
