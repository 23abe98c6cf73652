package report

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func record(i int) Record {
	return Record{Time: at.Add(time.Duration(i) * time.Second), Who: "S1SP", Installation: id(byte(i)), From: "Viable", To: "KeysTaken", Artefact: fmt.Sprintf("cmd-%d", i), Code: "", Detail: "ü <x>"}
}

func trail(t testing.TB, n int) ([]byte, Head) {
	t.Helper()
	var b bytes.Buffer
	tr := NewTrail(&b, Head{})
	var h Head
	for i := range n {
		var err error
		h, err = tr.Append(record(i))
		require.NoError(t, err)
	}
	require.Equal(t, h, tr.Head())
	return b.Bytes(), h
}

func TestTrailVerifies(t *testing.T) {
	b, head := trail(t, 5)
	var seen []Record
	got, err := VerifyTrail(bytes.NewReader(b), func(r Record) error { seen = append(seen, r); return nil })
	require.NoError(t, err)
	require.Equal(t, head, got)
	require.Len(t, seen, 5)
	require.Equal(t, uint64(1), seen[0].Seq)
	require.Equal(t, genesis, seen[0].Prev)
	require.Equal(t, "cmd-4", seen[4].Artefact)
	_, err = VerifyTrail(bytes.NewReader(b), func(Record) error { return os.ErrInvalid })
	require.ErrorIs(t, err, os.ErrInvalid)
	got, err = VerifyTrail(bytes.NewReader(nil), nil)
	require.NoError(t, err)
	require.Equal(t, Head{Hash: genesis}, got)
}

// TestEveryChangeShows changes, takes out, doubles and swaps what it can. Only the last line has nothing
// after it that would tell: it shows in the head.
func TestEveryChangeShows(t *testing.T) {
	b, head := trail(t, 4)
	lines := bytes.SplitAfter(b, []byte("\n"))[:4]
	differs := func(what string, x []byte) {
		t.Helper()
		h, err := VerifyTrail(bytes.NewReader(x), nil)
		if err == nil {
			require.NotEqual(t, head, h, what)
			return
		}
		require.ErrorIs(t, err, ErrTrail, what)
	}
	for i := range b {
		c := bytes.Clone(b)
		c[i] ^= 1
		differs(fmt.Sprintf("octet %d", i), c)
		differs(fmt.Sprintf("cut at %d", i), b[:i])
	}
	for i := range lines {
		var without, twice []byte
		for j, l := range lines {
			if i != j {
				without = append(without, l...)
			} else {
				twice = append(twice, l...)
			}
			twice = append(twice, l...)
		}
		differs("without a line", without)
		differs("a line twice", twice)
	}
	differs("swapped", bytes.Join([][]byte{lines[1], lines[0], lines[2], lines[3]}, nil))
	long := []byte(`{"seq":1,"who":"` + strings.Repeat("x", maxRecord) + "\"}\n")
	_, err := VerifyTrail(bytes.NewReader(long), nil)
	require.ErrorIs(t, err, ErrTrail)
}

func TestTrailFileGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	f, err := OpenTrail(path, nil)
	require.NoError(t, err)
	for i := range 3 {
		_, err = f.Append(record(i))
		require.NoError(t, err)
	}
	require.NoError(t, f.Sync())
	head := f.Head()
	require.NoError(t, f.Close())

	// A crash in the middle of a line leaves half of it.
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, append(bytes.Clone(whole), `{"seq":4,"ti`...), 0o600))
	n := 0
	f, err = OpenTrail(path, func(Record) error { n++; return nil })
	require.NoError(t, err)
	require.Equal(t, 3, n)
	require.Equal(t, head, f.Head())
	_, err = f.Append(record(3))
	require.NoError(t, err)
	require.NoError(t, f.Close())
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	got, err := VerifyTrail(bytes.NewReader(b), nil)
	require.NoError(t, err)
	require.Equal(t, uint64(4), got.Seq)

	// A changed line is not repaired: the file stays as it is for a person to see.
	b[10] ^= 1
	require.NoError(t, os.WriteFile(path, b, 0o600))
	_, err = OpenTrail(path, nil)
	require.ErrorIs(t, err, ErrTrail)
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, b, after)
	_, err = OpenTrail(t.TempDir(), nil)
	require.Error(t, err)
}

func TestConcurrentAppends(t *testing.T) {
	var b bytes.Buffer
	tr := NewTrail(&b, Head{})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 50 {
				if _, err := tr.Append(record(i*50 + j)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	h, err := VerifyTrail(&b, nil)
	require.NoError(t, err)
	require.Equal(t, uint64(400), h.Seq)
}

type failing struct{ after int }

func (f *failing) Write(p []byte) (int, error) {
	if f.after--; f.after < 0 {
		return 0, errors.New("disk full")
	}
	return len(p), nil
}

func TestFailedWriteStaysFailed(t *testing.T) {
	w := &failing{after: 1}
	tr := NewTrail(w, Head{})
	h, err := tr.Append(record(0))
	require.NoError(t, err)
	_, err = tr.Append(record(1))
	require.ErrorContains(t, err, "disk full")
	w.after = 10
	_, err = tr.Append(record(1))
	require.Error(t, err)
	require.Equal(t, h, tr.Head())
	long := record(1)
	long.Detail = strings.Repeat("x", maxRecord)
	_, err = NewTrail(&failing{after: 9}, Head{}).Append(long)
	require.Error(t, err)
}

func FuzzVerifyTrail(f *testing.F) {
	b, _ := trail(f, 3)
	f.Add(b)
	f.Add(b[:len(b)-5])
	f.Fuzz(func(t *testing.T, b []byte) {
		n := uint64(0)
		h, err := VerifyTrail(bytes.NewReader(b), func(r Record) error {
			n++
			require.Equal(t, n, r.Seq)
			return nil
		})
		if err == nil {
			require.Equal(t, n, h.Seq)
		}
	})
}
