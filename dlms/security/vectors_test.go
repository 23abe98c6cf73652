package security

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// vector is one entry of testdata/security_vectors.json: every field is hexadecimal unless its name says otherwise.
type vector map[string]any

func (v vector) bytes(t testing.TB, name string) []byte {
	t.Helper()
	s, ok := v[name].(string)
	require.True(t, ok, "vector %v has no field %s", v["name"], name)
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

func (v vector) key(t testing.TB, name string) Key {
	t.Helper()
	k, err := NewKey(v.bytes(t, name))
	require.NoError(t, err)
	return k
}

func (v vector) title(t testing.TB, name string) SystemTitle {
	t.Helper()
	title, err := TitleFrom(v.bytes(t, name))
	require.NoError(t, err)
	return title
}

func vectors(t testing.TB) map[string]vector {
	t.Helper()
	raw, err := os.ReadFile("testdata/security_vectors.json")
	require.NoError(t, err)
	var list []vector
	require.NoError(t, json.Unmarshal(raw, &list))
	m := make(map[string]vector, len(list))
	for _, v := range list {
		m[v["name"].(string)] = v
	}
	require.Len(t, m, 18)
	return m
}

func mustHex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

func testCipher(t testing.TB) (*Cipher, SystemTitle) {
	t.Helper()
	v := vectors(t)["gb_glo_get_request_auth_enc"]
	c, err := NewCipher(Suite0, v.key(t, "ek"), v.key(t, "ak"))
	require.NoError(t, err)
	return c, v.title(t, "system_title")
}
