package security

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSecretsDoNotPrint(t *testing.T) {
	raw := []byte("ABCDEFGHIJKLMNOP")
	k, err := NewKey(raw)
	require.NoError(t, err)
	sk, err := GenerateSigningKey(seeded(1), Suite1)
	require.NoError(t, err)
	ak, err := GenerateAgreementKey(seeded(1), Suite1)
	require.NoError(t, err)
	d := ak.Reveal()
	hidden := struct {
		Pub KeySet
		key Key
		sec Secret
		sig SigningKey
		agr AgreementKey
	}{KeySet{GUEK: k}, k, NewSecret(raw), sk, ak}
	js, err := json.Marshal(struct {
		K Key
		S Secret
		G SigningKey
		A AgreementKey
	}{k, hidden.sec, sk, ak})
	require.NoError(t, err)
	var log bytes.Buffer
	l := slog.New(slog.NewTextHandler(&log, nil))
	l.Info("x", "k", k, "s", hidden.sec, "g", sk, "a", ak, "set", hidden.Pub)
	out := string(js) + log.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%q", "%d"} {
		for _, v := range []any{k, &k, hidden.sec, sk, ak, hidden, &hidden} {
			out += fmt.Sprintf(verb, v)
		}
	}
	for _, leak := range []string{
		string(raw), fmt.Sprintf("%x", raw), fmt.Sprintf("%X", raw), "65 66 67", "0x41, 0x42", "0x41 0x42",
		fmt.Sprintf("%x", d), fmt.Sprintf("%X", d), fmt.Sprint(d)[1:20],
	} {
		require.NotContains(t, out, leak)
	}
	require.Contains(t, out, redacted)
	_, err = ParseKey("0011secret")
	require.Error(t, err)
	require.NotContains(t, err.Error(), "secret")
}

func TestKey(t *testing.T) {
	for n := range 40 {
		_, err := NewKey(make([]byte, n))
		require.Equal(t, n == 16 || n == 32, err == nil)
	}
	a, err := ParseKey("000102030405060708090A0B0C0D0E0F")
	require.NoError(t, err)
	b, err := GenerateKey(bytes.NewReader(a.Reveal()), Suite0)
	require.NoError(t, err)
	require.True(t, a.Equal(b))
	require.Equal(t, a.Fingerprint(), b.Fingerprint())
	require.Len(t, a.Fingerprint(), 16)
	require.False(t, a.Equal(Key{}))
	require.True(t, Key{}.Equal(Key{}))
	require.True(t, Key{}.IsZero())
	require.Empty(t, Key{}.Fingerprint())
	_, err = GenerateKey(strings.NewReader("short"), Suite0)
	require.ErrorContains(t, err, "randomness")
	_, err = GenerateKey(seeded(1), 9)
	require.Error(t, err)

	require.True(t, NewSecret([]byte("12345678")).Equal([]byte("12345678")))
	require.False(t, NewSecret([]byte("12345678")).Equal([]byte("1234567")))
	require.False(t, Secret{}.Equal(nil))
	require.True(t, NewSecret(nil).Equal(nil))
}

func TestKeySet(t *testing.T) {
	a, _ := NewKey(bytes.Repeat([]byte{1}, 16))
	b, _ := NewKey(bytes.Repeat([]byte{2}, 16))
	set := KeySet{GUEK: a, GAK: a, KEK: a}
	for id := KeyGUEK; id <= KeyKEK; id++ {
		changed, err := set.With(id, b)
		require.NoError(t, err)
		require.True(t, changed.Get(id).Equal(b))
		require.False(t, changed.Equal(set))
	}
	_, err := set.With(9, b)
	require.ErrorContains(t, err, "unknown key id 9")
	require.True(t, set.Get(9).IsZero())
	_, err = set.Cipher(Suite0)
	require.NoError(t, err)
	set.GBEK, _ = NewKey(make([]byte, 32))
	_, err = set.Cipher(Suite0)
	require.ErrorContains(t, err, "broadcast key")
	_, err = KeySet{}.Cipher(Suite0)
	require.ErrorContains(t, err, "0 bytes")
}

func TestSystemTitle(t *testing.T) {
	title, err := NewSystemTitle("SMO", []byte{0, 0xDB, 0x12, 0x34, 0x56, 0x78, 0x90, 0xA0})
	require.NoError(t, err)
	require.Equal(t, "534D4F34567890A0", title.String())
	require.Equal(t, "SMO", title.FLAG())
	require.Empty(t, SystemTitle{}.FLAG())
	var back SystemTitle
	js, err := json.Marshal(title)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(js, &back))
	require.Equal(t, title, back)
	require.Error(t, json.Unmarshal([]byte(`"12"`), &back))
	_, err = NewSystemTitle("AB", make([]byte, 8))
	require.Error(t, err)
	_, err = NewSystemTitle("ABC", make([]byte, 4))
	require.Error(t, err)
	_, err = TitleFrom(make([]byte, 7))
	require.Error(t, err)
}
