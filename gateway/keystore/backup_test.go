package keystore

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/gateway/keystore/keystoretest"
	"smets1/internal/store"
)

// many is a store with devices, one of them with all generations, and counters in use.
func many(t testing.TB, b store.Bucket) (*Store, []Device) {
	t.Helper()
	s := open(t, b)
	_, err := s.Import(t.Context(), handover(t, 5), now)
	require.NoError(t, err)
	all, err := s.List(t.Context())
	require.NoError(t, err)
	set := newSet(t, 9, "S1SP")
	require.NoError(t, s.Stage(t.Context(), all[0].EUI, set))
	_, err = s.Counter(*all[0].Current).Next(t.Context())
	require.NoError(t, err)
	all, err = s.List(t.Context())
	require.NoError(t, err)
	return s, all
}

func TestBackupAndRestore(t *testing.T) {
	s, all := many(t, bucket(t))
	var file bytes.Buffer
	n, err := s.Backup(t.Context(), &file, now)
	require.NoError(t, err)
	require.Equal(t, 5, n)
	for _, d := range all {
		for _, set := range []*Set{d.Pending, d.Current} {
			if set != nil {
				require.NotContains(t, file.String(), hex.EncodeToString(set.Keys.GUEK.Reveal()))
			}
		}
	}

	config := Config{Bucket: bucket(t), Root: root(t, 7), Block: 4}
	again, err := Restore(t.Context(), config, bytes.NewReader(file.Bytes()))
	require.NoError(t, err)
	got, err := again.List(t.Context())
	require.NoError(t, err)
	require.Equal(t, all, got)
	next, err := again.Counter(*got[0].Current).Next(t.Context())
	require.NoError(t, err)
	require.GreaterOrEqual(t, next, uint32(11+RestoreSkip), "what was used since the backup is left out")
	_, err = Restore(t.Context(), config, bytes.NewReader(file.Bytes()))
	require.ErrorIs(t, err, ErrNotEmpty)

	// Nothing but the whole file, and no other root key.
	lines := bytes.SplitAfter(file.Bytes(), []byte("\n"))
	for i := range file.Bytes() {
		if i%7 == 0 || i > file.Len()-100 {
			b := bucket(t)
			_, err := Restore(t.Context(), Config{Bucket: b, Root: root(t, 7)}, bytes.NewReader(file.Bytes()[:i]))
			require.Error(t, err, "cut at %d", i)
			left, err := b.List(t.Context(), "")
			require.NoError(t, err)
			require.Empty(t, left)
		}
	}
	for name, bad := range map[string][]byte{
		"a line is missing": bytes.Join(append(append([][]byte{}, lines[:2]...), lines[3:]...), nil),
		"two are exchanged": bytes.Join(append([][]byte{lines[0], lines[2], lines[1]}, lines[3:]...), nil),
		"more follows":      append(bytes.Clone(file.Bytes()), '\n'),
	} {
		_, err := Restore(t.Context(), Config{Bucket: bucket(t), Root: root(t, 7)}, bytes.NewReader(bad))
		require.Error(t, err, name)
	}
	_, err = Restore(t.Context(), Config{Bucket: bucket(t), Root: root(t, 8)}, bytes.NewReader(file.Bytes()))
	require.ErrorContains(t, err, "give the right one")
}

// A restore and a rotation that die before or after any write are run again, and
// come to the same end; until then nothing opens the store.
func TestRestoreAndRotationDieAtEveryWrite(t *testing.T) {
	s, all := many(t, bucket(t))
	var file bytes.Buffer
	_, err := s.Backup(t.Context(), &file, now)
	require.NoError(t, err)
	runs := 0
	for _, op := range []struct {
		name    string
		prepare func(store.Bucket)
		run     func(store.Bucket) error
		root    byte
	}{
		{"restore", func(store.Bucket) {}, func(b store.Bucket) error {
			_, err := Restore(t.Context(), Config{Bucket: b, Root: root(t, 7)}, bytes.NewReader(file.Bytes()))
			return err
		}, 7},
		{"rotation", func(b store.Bucket) { many(t, b) }, func(b store.Bucket) error {
			_, err := Rotate(t.Context(), Config{Bucket: b, Root: root(t, 7)}, root(t, 8))
			return err
		}, 8},
	} {
		whole := bucket(t)
		op.prepare(whole)
		f := keystoretest.New(whole, -1, false)
		require.NoError(t, op.run(f), op.name)
		writes := f.Writes()
		require.Greater(t, writes, 2)
		for at := range writes {
			for _, after := range []bool{false, true} {
				name := fmt.Sprintf("%s, write %d, after %v", op.name, at, after)
				disk := bucket(t)
				op.prepare(disk)
				require.Error(t, op.run(keystoretest.New(disk, at, after)), name)
				if at > 0 && at < writes-1 {
					for _, fill := range []byte{7, 8} {
						_, err := Open(t.Context(), Config{Bucket: disk, Root: root(t, fill)})
						require.ErrorContains(t, err, "cut short", name)
					}
				}
				if err := op.run(disk); !errors.Is(err, ErrNotEmpty) || at < writes-1 || !after { // that was its last write
					require.NoError(t, err, name)
				}
				done, err := Open(t.Context(), Config{Bucket: disk, Root: root(t, op.root)})
				require.NoError(t, err, name)
				got, err := done.List(t.Context())
				require.NoError(t, err, name)
				require.Equal(t, all, got, name)
				runs++
			}
		}
	}
	t.Logf("%d runs", runs)
}

func TestRotateRefuses(t *testing.T) {
	b := bucket(t)
	many(t, b)
	c := Config{Bucket: b, Root: root(t, 7)}
	_, err := Rotate(t.Context(), c, root(t, 7))
	require.ErrorContains(t, err, "is the old one")
	_, err = Rotate(t.Context(), Config{Bucket: b, Root: root(t, 6)}, root(t, 8))
	require.ErrorContains(t, err, "give the right one")
	require.Error(t, rotate78(t, keystoretest.New(b, 2, true)))
	_, err = Rotate(t.Context(), c, root(t, 9))
	require.ErrorContains(t, err, "is under way")
	n, err := Rotate(t.Context(), c, root(t, 8))
	require.NoError(t, err)
	require.Positive(t, n)
	n, err = Rotate(t.Context(), c, root(t, 8))
	require.NoError(t, err)
	require.Zero(t, n, "again")
}

// rotate78 rotates from the test's first root key to its second.
func rotate78(t testing.TB, b store.Bucket) error {
	_, err := Rotate(t.Context(), Config{Bucket: b, Root: root(t, 7)}, root(t, 8))
	return err
}

const handoverCSV = `EUI,Type,Owner,key_version,GUEK,GAK,KEK,invocation_counter
00-DB-12-34-56-78-90-A0,esme,SMSO,3,000102030405060708090a0b0c0d0e0f,101112131415161718191a1b1c1d1e1f,202122232425262728292a2b2c2d2e2f,17
00-DB-12-34-56-78-90-A1,gsme,SMSO,,300102030405060708090a0b0c0d0e0f,301112131415161718191a1b1c1d1e1f,302122232425262728292a2b2c2d2e2f,
`

func TestHandoverCSV(t *testing.T) {
	h, err := ParseHandover([]byte("\ufeff" + handoverCSV))
	require.NoError(t, err)
	require.Equal(t, "SMSO", h.Owner)
	require.Len(t, h.Devices, 2)
	require.Equal(t, esme, h.Devices[0].EUI)
	require.EqualValues(t, 3, h.Devices[0].Version)
	require.EqualValues(t, 17, h.Devices[0].Counter)
	var b bytes.Buffer
	require.NoError(t, WriteHandover(&b, h))
	same, err := ParseHandover(b.Bytes())
	require.NoError(t, err)
	require.Equal(t, h, same, "as the JSON of it")

	for mistake, change := range map[string]func(string) string{
		"there is no column kek":   func(s string) string { return strings.Replace(strings.ReplaceAll(s, ",KEK", ""), ",2021", ",", 1) },
		"column 2 is unknown":      func(s string) string { return strings.Replace(s, "Type", "Kind", 1) },
		"one file is of one owner": func(s string) string { return strings.Replace(s, "gsme,SMSO", "gsme,OTHER", 1) },
		"the same as device 1":     func(s string) string { return strings.Replace(s, "90-A1", "90-A0", 1) },
		"want 32 hexadecimal":      func(s string) string { return strings.Replace(s, "000102", "0001", 1) },
		"key_version is no number": func(s string) string { return strings.Replace(s, "SMSO,3", "SMSO,three", 1) },
		"wrong number of fields":   func(s string) string { return strings.Replace(s, "esme,", "", 1) },
		"want chf, esme":           func(s string) string { return strings.Replace(s, "gsme", "meter", 1) },
	} {
		_, err := ParseHandover([]byte(change(handoverCSV)))
		require.ErrorContains(t, err, mistake)
		for _, key := range []string{"0001020304", "1011121314", "2021222324"} {
			require.NotContains(t, err.Error(), key)
		}
	}
	headless := strings.SplitN(handoverCSV, "\n", 2)[1]
	_, err = ParseHandover([]byte(headless))
	require.ErrorContains(t, err, "want the names")
	require.NotContains(t, err.Error(), "0001020304")
}

func TestRootPassphrase(t *testing.T) {
	dir := t.TempDir()
	pass, salt := filepath.Join(dir, "pass"), filepath.Join(dir, "salt")
	require.NoError(t, os.WriteFile(pass, []byte("correct horse battery staple\n"), 0o600))
	k, err := RootPassphrase(pass, salt)
	require.NoError(t, err)
	require.Equal(t, 32, k.Len())
	again, err := RootPassphrase(pass, salt)
	require.NoError(t, err)
	require.Equal(t, k.Fingerprint(), again.Fingerprint())
	other, err := RootPassphrase(pass, filepath.Join(dir, "salt2"))
	require.NoError(t, err)
	require.NotEqual(t, k.Fingerprint(), other.Fingerprint())
	require.NoError(t, os.Chmod(pass, 0o644))
	_, err = RootPassphrase(pass, salt)
	require.ErrorContains(t, err, "others may read")
	require.NoError(t, os.Chmod(pass, 0o600))
	require.NoError(t, os.WriteFile(pass, []byte("short"), 0o600))
	_, err = RootPassphrase(pass, salt)
	require.ErrorContains(t, err, "at least")
	require.NoError(t, os.WriteFile(pass, []byte("correct horse battery staple"), 0o600))
	require.NoError(t, os.WriteFile(salt, []byte("zz"), 0o600))
	_, err = RootPassphrase(pass, salt)
	require.ErrorContains(t, err, "hexadecimal")
}
