package security

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSecretsDoNotPrint(t *testing.T) {
	raw := []byte("ABCDEFGHIJKLMNOP")
	k, err := NewKey(raw)
	require.NoError(t, err)
	code, err := NewInstallCode(raw)
	require.NoError(t, err)
	p, err := GeneratePrivateKey(seeded(1), Suite1)
	require.NoError(t, err)
	d := p.Reveal()
	hidden := struct {
		Pub  Key
		key  Key
		code InstallCode
		p    PrivateKey
		cfg  KEConfig
		ke   KeyEstablishment
	}{k, k, code, p, KEConfig{Key: p}, KeyEstablishment{link: k, macKey: k, ephemeral: p}}
	js, err := json.Marshal(struct {
		K Key
		C InstallCode
		P PrivateKey
	}{k, code, p})
	require.NoError(t, err)
	require.JSONEq(t, `{"K":"redacted","C":"redacted","P":"redacted"}`, string(js))
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "k", k, "c", code, "p", p, "h", hidden.Pub)
	out := string(js) + log.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%q", "%d"} {
		for _, v := range []any{k, &k, code, p, hidden, &hidden} {
			out += fmt.Sprintf(verb, v)
		}
	}
	for _, leak := range []string{
		string(raw), fmt.Sprintf("%x", raw), fmt.Sprintf("%X", raw), "65 66 67", "0x41, 0x42", "0x41 0x42",
		fmt.Sprintf("%x", d), fmt.Sprintf("%X", d), fmt.Sprint(d)[1:20],
	} {
		require.NotContains(t, out, leak)
	}
	for _, bad := range []string{"0011secret", "00112233445566778899aabbccddeeff00"} {
		_, err = ParseKey(bad)
		require.Error(t, err)
		require.NotContains(t, err.Error(), bad)
	}
}

func TestKey(t *testing.T) {
	for n := range 40 {
		_, err := NewKey(make([]byte, n))
		require.Equal(t, n == KeySize, err == nil)
	}
	var zero Key
	require.True(t, zero.IsZero())
	require.Empty(t, zero.Fingerprint())
	require.Empty(t, zero.Reveal())
	k, err := GenerateKey(seeded(1))
	require.NoError(t, err)
	same, err := NewKey(k.Reveal())
	require.NoError(t, err)
	require.True(t, k.Equal(same))
	require.False(t, k.Equal(zero))
	require.Len(t, k.Fingerprint(), 16)
	require.Equal(t, append([]byte{1}, k.Reveal()...), k.Append([]byte{1}))
	_, err = GenerateKey(bytes.NewReader(nil))
	require.ErrorContains(t, err, "no randomness")
	_, err = NewCipher(zero)
	require.ErrorContains(t, err, "zero Key")
}

func TestInstallCode(t *testing.T) {
	c, err := ParseInstallCode("83FE D340 7A93 9723 A5C6 39B2 6916 D505 C3B5")
	require.NoError(t, err)
	require.Equal(t, "66b6900981e1ee3ca4206b6b861c02bb", fmt.Sprintf("%x", c.LinkKey().Reveal()))
	for _, bad := range []string{"", "83", "83FED3407A93", "83FED3407A932B71", "83FED3407A93972B70", "zz", "83FED3407A932B70 zz"} {
		_, err := ParseInstallCode(bad)
		require.ErrorIs(t, err, ErrInstallCode, bad)
		if bad != "" && bad != "83" {
			require.NotContains(t, err.Error(), bad)
		}
	}
	require.True(t, InstallCode{}.LinkKey().IsZero())
	for n := range 20 {
		c, err := GenerateInstallCode(seeded(byte(n)), n)
		if !installCodeLength(n) {
			require.ErrorIs(t, err, ErrInstallCode)
			continue
		}
		require.NoError(t, err)
		again, err := ParseInstallCode(fmt.Sprintf("%x", c.Reveal()))
		require.NoError(t, err)
		require.True(t, again.LinkKey().Equal(c.LinkKey()))
	}
}

func FuzzParseInstallCode(f *testing.F) {
	for _, c := range loadVectors(f).InstallCodes {
		f.Add(fmt.Sprintf("%x%x", []byte(c.Code), []byte(c.CRC)))
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseInstallCode(s)
		if err != nil {
			require.True(t, c.IsZero())
			return
		}
		again, err := NewInstallCode(c.Reveal()[:len(c.Reveal())-2])
		require.NoError(t, err)
		require.Equal(t, c.Reveal(), again.Reveal())
	})
}
