package archive_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/internal/store"
	"smets1/internal/store/archive"
)

func filled(t testing.TB) store.Store {
	t.Helper()
	s := store.Memory()
	for _, x := range []struct {
		bucket string
		sync   bool
		key    string
		value  string
	}{
		{"jobs", false, "job/a", `{"schema":1,"hub":"00-DB-12-34-56-78-90-A0","verb":"wake","command":{"id":"a"},"accepted":"2026-11-24T12:00:00Z"}`},
		{"jobs", false, "ended/2", `[{"schema":1,"verb":"read","command":{"id":"b"},"done":2,"result":{"status":"done","code":"ok","result":{"items":[]}}},{"schema":1,"command":{"id":"c"},"done":3,"result":{"status":"failed","code":"no-wan"}}]`},
		{"keys", true, "00/x", "\x00sealed\xff"},
		{"clock", false, "time", `"2026-11-24T12:00:00Z"`},
	} {
		b, err := s.Bucket(t.Context(), x.bucket, store.Options{Sync: x.sync})
		require.NoError(t, err)
		_, err = b.Put(t.Context(), x.key, []byte(x.value))
		require.NoError(t, err)
	}
	return s
}

func TestBackupAndRestore(t *testing.T) {
	s := filled(t)
	var file bytes.Buffer
	n, err := archive.Backup(t.Context(), s, &file)
	require.NoError(t, err)
	require.Equal(t, 4, n)
	again := store.Memory()
	n, err = archive.Restore(t.Context(), again, bytes.NewReader(file.Bytes()))
	require.NoError(t, err)
	require.Equal(t, 4, n)
	var twice bytes.Buffer
	_, err = archive.Backup(t.Context(), again, &twice)
	require.NoError(t, err)
	require.Equal(t, file.String(), twice.String())
	_, err = archive.Restore(t.Context(), again, bytes.NewReader(file.Bytes()))
	require.ErrorContains(t, err, "has records already")
	for i := range file.Len() {
		bad := store.Memory()
		_, err := archive.Restore(t.Context(), bad, bytes.NewReader(file.Bytes()[:i]))
		require.ErrorIs(t, err, archive.ErrBackup, "cut at %d", i)
		changed := bytes.Clone(file.Bytes())
		changed[i] ^= 1
		_, err = archive.Restore(t.Context(), bad, bytes.NewReader(changed))
		require.Error(t, err, "changed at %d", i)
		list, err := bad.Buckets(t.Context())
		require.NoError(t, err)
		require.Empty(t, list, "a bad file changes nothing")
	}
}

func TestExportSQLite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a ?#%.db")
	n, err := archive.ExportSQLite(t.Context(), filled(t), path)
	require.NoError(t, err)
	require.Equal(t, 3, n, "sealed keys stay where they are")
	require.FileExists(t, path)
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(filepath.Dir(path))+"/a%20%3F%23%25.db")
	require.NoError(t, err)
	defer db.Close()
	rows, err := db.Query("select id, status, code from jobs order by id")
	require.NoError(t, err)
	defer rows.Close()
	var got []string
	for rows.Next() {
		var id, status, code string
		require.NoError(t, rows.Scan(&id, &status, &code))
		got = append(got, fmt.Sprint(id, " ", status, " ", code))
	}
	require.Equal(t, []string{"a  ", "b done ok", "c failed no-wan"}, got)
}

func TestCheck(t *testing.T) {
	s := filled(t)
	b, err := s.Bucket(t.Context(), "jobs", store.Options{})
	require.NoError(t, err)
	_, err = b.Put(t.Context(), "job/bad", []byte(`{"schema":1`))
	require.NoError(t, err)
	all, err := archive.Check(t.Context(), s)
	require.NoError(t, err)
	require.Len(t, all, 3)
	require.Equal(t, "jobs", all[1].Name)
	require.Equal(t, 3, all[1].Records)
	require.Len(t, all[1].Damaged, 1)
	require.Contains(t, all[1].Damaged[0], `"job/bad"`)
}

func FuzzRestore(f *testing.F) {
	var file bytes.Buffer
	_, err := archive.Backup(f.Context(), filled(f), &file)
	require.NoError(f, err)
	f.Add(file.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		s := store.Memory()
		if _, err := archive.Restore(t.Context(), s, bytes.NewReader(b)); err != nil {
			list, err := s.Buckets(t.Context())
			require.NoError(t, err)
			_ = list
		}
	})
}
