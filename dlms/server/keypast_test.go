package server_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/dlms/security"
	"smets1/dlms/server"
)

// TestKeyringNeverRepeatsACounter takes a keyring through changes that bring keys back, and holds what it sends and
// accepts against what went before under the same key.
func TestKeyringNeverRepeatsACounter(t *testing.T) {
	var (
		now   = time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)
		title = security.SystemTitle{1}
		first = security.KeySet{GUEK: key(t, 1), GAK: key(t, 2), KEK: key(t, 3), GBEK: key(t, 4)}
		other = security.KeySet{GUEK: key(t, 5), GAK: key(t, 6), KEK: key(t, 3), GBEK: key(t, 4)}
	)
	all := func(s security.KeySet) []server.KeyUpdate {
		return []server.KeyUpdate{{ID: security.KeyGUEK, Key: s.GUEK}, {ID: security.KeyGAK, Key: s.GAK}}
	}
	type life struct {
		*server.Keyring
		sent map[string]uint32 // highest counter by key
		seen map[string]uint32
		disk server.Snapshot

		config server.KeyringConfig
	}
	begin := func(window time.Duration) *life {
		l := &life{sent: map[string]uint32{}, seen: map[string]uint32{}}
		save := func() { l.disk = l.Snapshot() }
		l.config = server.KeyringConfig{Keys: first, Window: window, Changed: save, Accepted: func(server.RxID, uint32) { save() }}
		l.Keyring = server.NewKeyring(l.config)
		return l
	}
	use := func(t *testing.T, l *life, v server.KeyVersion) {
		t.Helper()
		keys, ok := l.Keys(now, v)
		require.True(t, ok)
		for range 3 {
			ic, err := l.NextTx(v)
			require.NoError(t, err)
			print := keys.GUEK.Fingerprint()
			require.Greater(t, ic, l.sent[print], "sent twice under one key")
			l.sent[print] = ic
		}
		for _, broadcast := range []bool{false, true} {
			print := keys.GUEK.Fingerprint()
			if broadcast {
				print = keys.GBEK.Fingerprint()
			}
			id := server.RxID{Version: v, Client: title, Broadcast: broadcast}
			require.GreaterOrEqual(t, l.RxExpected(id), l.seen[print], "a message could be taken twice")
			l.RxAccept(id, l.RxExpected(id)+9)
			l.seen[print] = l.RxExpected(id)
		}
	}
	transfer := func(t *testing.T, l *life, v server.KeyVersion, u []server.KeyUpdate) {
		t.Helper()
		apply, err := l.Transfer(now, v, u)
		require.NoError(t, err)
		apply()
	}
	restart := func(l *life) {
		l.Keyring = server.NewKeyring(l.config)
		l.Restore(l.disk)
	}

	t.Run("one key of the set at once", func(t *testing.T) {
		l := begin(0)
		use(t, l, 1)
		for v, u := range []server.KeyUpdate{
			{ID: security.KeyKEK, Key: key(t, 9)}, {ID: security.KeyGAK, Key: key(t, 9)}, {ID: security.KeyGUEK, Key: key(t, 9)},
			{ID: security.KeyGUEK, Key: first.GUEK}, {ID: security.KeyGUEK, Key: first.GUEK}, {ID: security.KeyGBEK, Key: key(t, 7)}, {ID: security.KeyGBEK, Key: key(t, 4)},
		} {
			transfer(t, l, server.KeyVersion(v+1), []server.KeyUpdate{u})
			use(t, l, server.KeyVersion(v+2))
		}
	})
	t.Run("a fresh key begins afresh", func(t *testing.T) {
		l := begin(0)
		use(t, l, 1)
		transfer(t, l, 1, all(other))
		ic, err := l.NextTx(2)
		require.NoError(t, err)
		require.Equal(t, uint32(1), ic)
		require.Zero(t, l.RxExpected(server.RxID{Version: 2, Client: title}))
		require.Equal(t, l.seen[other.GBEK.Fingerprint()], l.RxExpected(server.RxID{Version: 2, Client: title, Broadcast: true}), "the broadcast key is the same")
	})
	t.Run("staged, dropped, staged again", func(t *testing.T) {
		l := begin(time.Minute)
		use(t, l, 1)
		transfer(t, l, 1, all(other))
		use(t, l, 2)
		use(t, l, 1)
		l.Revert()
		transfer(t, l, 1, all(other)) // version 3
		use(t, l, 3)
		now = now.Add(time.Minute) // lapses
		transfer(t, l, 1, all(other))
		use(t, l, 4)
		l.PowerCut()
		restart(l)
		use(t, l, 1)
		transfer(t, l, 1, all(other))
		v := l.Versions(now, nil)[1]
		use(t, l, v)
		require.NoError(t, l.Commit(now, v))
		use(t, l, v)
		// Back to the first set.
		transfer(t, l, v, all(first))
		w := l.Versions(now, nil)[1]
		use(t, l, w)
		restart(l)
		use(t, l, l.Versions(now, nil)[0])
	})
	t.Run("two sets with the same GUEK at once", func(t *testing.T) {
		l := begin(time.Minute)
		transfer(t, l, 1, []server.KeyUpdate{{ID: security.KeyGAK, Key: key(t, 9)}})
		for range 3 {
			use(t, l, 1)
			use(t, l, 2)
		}
		require.Equal(t, []server.KeyVersion{1, 2}, l.Versions(now, nil))
		// A KEK alone: messages fit both sets, so the staged one has to be asked first, or it could never be proven.
		transfer(t, l, 1, []server.KeyUpdate{{ID: security.KeyKEK, Key: key(t, 9)}})
		require.Equal(t, []server.KeyVersion{3, 1}, l.Versions(now, nil))
	})
	t.Run("many keys", func(t *testing.T) {
		l := begin(0)
		for i := range 40 {
			transfer(t, l, server.KeyVersion(i+1), []server.KeyUpdate{{ID: security.KeyGUEK, Key: key(t, byte(50+i))}})
			use(t, l, server.KeyVersion(i+2))
		}
		require.LessOrEqual(t, len(l.Snapshot().Past), 16)
	})
}

// TestKeyringPowerCut: what was made durable by Reserve and Accepted alone is enough to send nothing and take nothing
// twice after a power cut without warning.
func TestKeyringPowerCut(t *testing.T) {
	var reserved uint32
	accepted := map[server.RxID]uint32{}
	c := server.KeyringConfig{
		Secrets:  []security.Secret{security.NewSecret([]byte("old"))},
		Reserve:  func(_ server.KeyVersion, upTo uint32) error { reserved = upTo; return nil },
		Accepted: func(id server.RxID, next uint32) { accepted[id] = next },
	}
	k := server.NewKeyring(c)
	id := server.RxID{Version: 1, Client: security.SystemTitle{7}}
	var last uint32
	for range 300 {
		var err error
		last, err = k.NextTx(1)
		require.NoError(t, err)
	}
	k.RxAccept(id, 77)
	k = server.NewKeyring(c)
	k.Restore(server.Snapshot{Version: 1, NextTx: reserved, Rx: accepted})
	next, err := k.NextTx(1)
	require.NoError(t, err)
	require.Greater(t, next, last)
	require.Equal(t, uint32(78), k.RxExpected(id))
	// Changed secrets are part of a snapshot.
	require.NoError(t, k.SetSecret(0, security.NewSecret([]byte("new"))))
	s := k.Snapshot()
	k = server.NewKeyring(c)
	k.Restore(s)
	require.True(t, k.Secret(0).Equal([]byte("new")))
}
