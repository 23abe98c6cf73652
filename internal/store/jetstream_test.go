package store_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/gateway/broker"
	"smets1/internal/store"
	"smets1/internal/store/storetest"
)

func openJetStream(t testing.TB, dir string) (store.Store, *broker.Broker) {
	t.Helper()
	b, err := broker.Start(t.Context(), broker.Config{StateDir: dir, Listen: "127.0.0.1:0"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	s, err := b.Store()
	require.NoError(t, err)
	return s, b
}

func TestJetStream(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		s, _ := openJetStream(t, t.TempDir())
		return s
	})
}

func TestJetStreamReopened(t *testing.T) {
	dir := t.TempDir()
	s, b := openJetStream(t, dir)
	revisions := fill(t, s)
	require.NoError(t, b.Close())
	s, _ = openJetStream(t, dir)
	check(t, s, revisions)
}

// TestJetStreamKilled lets a child process write, kills it without warning at a moment when it has told what it had
// acknowledged, and reads the folder it left.
func TestJetStreamKilled(t *testing.T) {
	if dir := os.Getenv("STORE_TEST_CHILD"); dir != "" {
		s, _ := openJetStream(t, dir)
		revisions := fill(t, s)
		fmt.Println("READY", revisions)
		select {} // until killed
	}
	dir := t.TempDir()
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(exe, "-test.run=^TestJetStreamKilled$")
	cmd.Env = append(os.Environ(), "STORE_TEST_CHILD="+dir)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var revisions uint64
	_, err = fmt.Fscanf(out, "READY %d\n", &revisions)
	require.NoError(t, err)
	require.NoError(t, cmd.Process.Kill())
	_, _ = io.Copy(io.Discard, out)
	_ = cmd.Wait()
	s, _ := openJetStream(t, dir)
	check(t, s, revisions)
}

const (
	records = 50
	members = 7
)

// fill writes records and batches, overwrites and deletes, and returns the last revision.
func fill(t *testing.T, s store.Store) (last uint64) {
	t.Helper()
	for _, sync := range []bool{false, true} {
		b, err := s.Bucket(t.Context(), fmt.Sprintf("kept-%t", sync), store.Options{Sync: sync})
		require.NoError(t, err)
		for i := range records {
			_, err := b.Put(t.Context(), fmt.Sprintf("r/%d", i), []byte("old"))
			require.NoError(t, err)
			_, err = b.Put(t.Context(), fmt.Sprintf("r/%d", i), fmt.Append(nil, i))
			require.NoError(t, err)
			ops := make([]store.Op, members)
			for m := range ops {
				ops[m] = store.Create(fmt.Sprintf("b/%d/%d", i, m), nil)
			}
			_, err = b.Batch(t.Context(), ops)
			require.NoError(t, err)
		}
		require.NoError(t, b.Delete(t.Context(), "r/0"))
		last, err = b.Put(t.Context(), "last", nil)
		require.NoError(t, err)
	}
	return last
}

func check(t *testing.T, s store.Store, last uint64) {
	t.Helper()
	for _, sync := range []bool{false, true} {
		name := fmt.Sprintf("kept-%t", sync)
		_, err := s.Bucket(t.Context(), name, store.Options{Sync: !sync})
		require.ErrorContains(t, err, "another Sync", "a bucket stays what it was made as")
		b, err := s.Bucket(t.Context(), name, store.Options{Sync: sync})
		require.NoError(t, err)
		got, err := b.List(t.Context(), "r/")
		require.NoError(t, err)
		require.Len(t, got, records-1)
		for _, e := range got {
			require.Equal(t, "r/"+string(e.Value), e.Key)
		}
		got, err = b.List(t.Context(), "b/")
		require.NoError(t, err)
		require.Len(t, got, records*members)
		e, err := b.Get(t.Context(), "last")
		require.NoError(t, err)
		require.Equal(t, last, e.Revision)
		r, err := b.Create(t.Context(), "r/0", nil)
		require.NoError(t, err, "what was deleted can be made again")
		require.Greater(t, r, last, "revisions go on")
	}
}

func TestStateFolderIsTakenOnce(t *testing.T) {
	dir := t.TempDir()
	openJetStream(t, dir)
	_, err := broker.Start(t.Context(), broker.Config{StateDir: dir, Listen: "127.0.0.1:0"})
	require.ErrorContains(t, err, "in use by another process")
	require.FileExists(t, filepath.Join(dir, "broker.lock"))
}

func BenchmarkJetStream(b *testing.B) {
	for _, sync := range []bool{false, true} {
		for _, n := range []int{1, 16, 256} {
			for _, how := range []string{"batch", "pipeline"} {
				b.Run(fmt.Sprintf("sync=%t/%s=%d", sync, how, n), func(b *testing.B) {
					s, _ := openJetStream(b, b.TempDir())
					bucket, err := s.Bucket(b.Context(), "bench", store.Options{Sync: sync})
					require.NoError(b, err)
					ops := make([]store.Op, n)
					value := make([]byte, 600)
					for k := 0; b.Loop(); k++ {
						for i := range ops {
							ops[i] = store.Put(fmt.Sprintf("k/%d", (k*n+i)%10000), value)
						}
						if how == "batch" {
							_, err = bucket.Batch(b.Context(), ops)
						} else if errs := bucket.Pipeline(b.Context(), ops); errs != nil {
							err = errs[0]
						}
						if err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "records/s")
				})
			}
		}
	}
}
