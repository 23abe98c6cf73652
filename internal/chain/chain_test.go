package chain_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/internal/chain"
)

func write(t testing.TB, path string, n int) {
	t.Helper()
	c, err := chain.Open(path)
	require.NoError(t, err)
	for i := range n {
		require.NoError(t, c.Append(struct {
			Word string `json:"word"`
		}{fmt.Sprint("w", i)}, i%2 == 0))
	}
	require.NoError(t, c.Close())
}

func TestChain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chain")
	write(t, path, 2)
	write(t, path, 1)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	lines := bytes.Split(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))
	require.Len(t, lines, 3)
	require.Equal(t, `{"seq":1,"prev":"0000000000000000000000000000000000000000000000000000000000000000","word":"w0"}`, string(lines[0]))
	var seen int
	head, err := chain.Verify(bytes.NewReader(b), func([]byte) error { seen++; return nil })
	require.NoError(t, err)
	require.Equal(t, 3, seen)
	require.EqualValues(t, 3, head.Seq)

	for name, bad := range map[string][]byte{
		"a line changed":   bytes.Replace(b, []byte("w1"), []byte("w9"), 1),
		"a line taken out": bytes.Join([][]byte{lines[0], lines[2], nil}, []byte("\n")),
		"lines exchanged":  bytes.Join([][]byte{lines[1], lines[0], lines[2], nil}, []byte("\n")),
		"a line put in":    bytes.Join([][]byte{lines[0], lines[0], lines[1], nil}, []byte("\n")),
		"no JSON":          append(bytes.Clone(b), "rubbish\n"...),
	} {
		_, err := chain.Verify(bytes.NewReader(bad), nil)
		require.ErrorIs(t, err, chain.ErrChanged, name)
		other := filepath.Join(t.TempDir(), "bad")
		require.NoError(t, os.WriteFile(other, bad, 0o600))
		_, err = chain.Open(other)
		require.ErrorIs(t, err, chain.ErrChanged, name)
		left, err := os.ReadFile(other)
		require.NoError(t, err)
		require.Equal(t, bad, left, "a file that is not good is left alone")
	}
	c, err := chain.Open(path)
	require.NoError(t, err)
	require.ErrorContains(t, c.Append([]int{1}, false), "object")
	require.NoError(t, c.Append(struct{}{}, true))
	require.EqualValues(t, 4, c.Head().Seq)
	require.NoError(t, c.Close())
}

// Cut at every byte, the file is verified up to its last whole line, and can be gone on with.
func TestCutAtEveryByte(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chain")
	write(t, path, 3)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	for i := range b {
		require.NoError(t, os.WriteFile(path, b[:i], 0o600))
		whole := bytes.Count(b[:i], []byte("\n"))
		head, err := chain.Verify(bytes.NewReader(b[:i]), nil)
		if i == 0 || b[i-1] == '\n' {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, chain.ErrChanged)
		}
		require.EqualValues(t, whole, head.Seq)
		write(t, path, 1)
		after, err := os.ReadFile(path)
		require.NoError(t, err)
		head, err = chain.Verify(bytes.NewReader(after), nil)
		require.NoError(t, err)
		require.EqualValues(t, whole+1, head.Seq)
	}
}

func FuzzVerify(f *testing.F) {
	path := filepath.Join(f.TempDir(), "chain")
	write(f, path, 3)
	b, err := os.ReadFile(path)
	require.NoError(f, err)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		head, err := chain.Verify(bytes.NewReader(b), func([]byte) error { n++; return nil })
		require.EqualValues(t, n, head.Seq)
		if err == nil {
			require.Equal(t, n, bytes.Count(b, []byte("\n")))
		}
	})
}
