package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/cmd/internal/lab"
	"smets1/internal/store"
)

// A state folder is checked, exported, backed up, and filled again from its backup.
func TestState(t *testing.T) {
	dir := t.TempDir()
	state := filepath.Join(dir, "state")
	require.NoError(t, lab.WithStore(t.Context(), state, true, nil, func(s store.Store) error {
		b, err := s.Bucket(t.Context(), "jobs", store.Options{})
		require.NoError(t, err)
		_, err = b.Put(t.Context(), "job/a", []byte(`{"schema":1,"command":{"id":"a"},"verb":"wake"}`))
		return err
	}))
	require.Contains(t, must(t, "state", "check", "--state", state), "0 damaged")
	db, backup := filepath.Join(dir, "state.db"), filepath.Join(dir, "backup")
	require.Contains(t, must(t, "state", "export", "--state", state, db), "1 records")
	require.Contains(t, mustNot(t, exitUsage, "state", "export", "--state", state, db), "is there already")
	require.Contains(t, must(t, "state", "backup", "--state", state, backup), "1 records")
	again := filepath.Join(dir, "again")
	require.Contains(t, must(t, "state", "restore", "--state", again, backup), "1 records")
	require.Contains(t, mustNot(t, exitFailed, "state", "restore", "--state", again, backup), "records already")
	require.NoFileExists(t, filepath.Join(again, "root.key"), "the root key is the owner's to bring")
	require.Contains(t, mustNot(t, exitUsage, "state", "check", "--state", filepath.Join(dir, "nowhere")), "no state folder")
	require.NoError(t, os.Truncate(backup, 100))
	require.Contains(t, mustNot(t, exitFailed, "state", "restore", "--state", filepath.Join(dir, "third"), backup), "no whole backup")
}
