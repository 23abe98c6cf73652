package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/internal/store"
	"smets1/internal/wire"
	"smets1/migration/document"
	"smets1/migration/document/pki"
	"smets1/migration/lifecycle"
)

// fakeCustody has a key of each use for every device but one.
type fakeCustody struct{ without wire.EUI64 }

func (c fakeCustody) OperatorKeys(_ context.Context, device wire.EUI64) (map[document.KeyUsage]document.Secret, error) {
	if device == c.without {
		return nil, fmt.Errorf("%w %s", ErrNoKeys, device)
	}
	out := map[document.KeyUsage]document.Secret{}
	for _, use := range keyUses {
		out[use] = document.NewSecret([]byte("the " + string(use) + " key of " + device.String()))
	}
	return out, nil
}

func (w *world) openWith(change func(*Config)) (*Engine, error) {
	cfg := Config{Inputs: w.inputs, Out: w.out, Specs: w.specs, Gateway: w.gateway, Store: w.store, Sole: true, Clock: w.clock, PKI: newSeeded(9), Random: newSeeded(5), Concurrency: 4}
	change(&cfg)
	return Open(w.t.Context(), cfg)
}

// Keys travel sealed: the S1SP opens those for transport, the DCO the critical
// ones, neither the other's, and the commissioning party has no such file.
// A home without keys is excluded.
func TestKeysTravelSealedToWhomTheyAreFor(t *testing.T) {
	w := newWorld(t, []homeKind{{name: "a"}, {name: "b"}})
	without := w.homes["b"]
	without[7] = 0xA2
	e, err := w.openWith(func(c *Config) { c.Custody = fakeCustody{without} })
	require.NoError(t, err)
	require.NoError(t, e.Run(t.Context()))
	require.Equal(t, lifecycle.Migrated, w.outcome(e, "a").State)
	b := w.outcome(e, "b")
	require.Equal(t, lifecycle.Excluded, b.State)
	require.Equal(t, "XPC05", b.Code)
	names, err := filepath.Glob(filepath.Join(w.out, "parties", "S1SP-*", "in", "MGEF_*"))
	require.NoError(t, err)
	require.Len(t, names, 1)
	data, err := os.ReadFile(names[0])
	require.NoError(t, err)
	f, ps := document.Open[document.EncryptedBody](&e.parties.opener, document.NewArtefact(filepath.Base(names[0]), data), w.clock.Now())
	require.Empty(t, ps)
	opened := 0
	for _, in := range f.Body.Installation {
		for _, k := range in.EncryptedKey {
			for _, p := range []*party{e.parties.s1sp, e.parties.dco, e.parties.cp, e.parties.rp} {
				key, err := k.Open(f.Header.FileSetID, in.InstallationID, p.AgreementKey())
				require.Equal(t, k.KeyUsage.Owner() == p.Role, err == nil, "%s, %s", k.KeyRef, p)
				if err == nil {
					require.Contains(t, string(key.Reveal()), "the "+string(k.KeyUsage)+" key of ")
					opened++
				}
			}
		}
	}
	require.Equal(t, 3*len(keyUses), opened)
	for _, role := range []pki.Role{pki.CP, pki.RP} {
		names, err := filepath.Glob(filepath.Join(w.out, "parties", string(role)+"-*", "in", "MGEF_*"))
		require.NoError(t, err)
		require.Empty(t, names)
	}
}

// A party takes no counter twice: a set that comes with one that it has accepted
// is refused, the homes are told of it in the trail, and nothing is asked of them.
func TestReplayIsRefused(t *testing.T) {
	for role, kind := range map[pki.Role]document.Kind{pki.CP: document.KindMCF, pki.S1SP: document.KindMGF, pki.DCO: document.KindMGF} {
		t.Run(string(role), func(t *testing.T) {
			w := newWorld(t, []homeKind{{name: "a"}})
			id := map[pki.Role]wire.EUI64{pki.CP: cpID, pki.S1SP: s1spID, pki.DCO: dcoID}[role]
			b, err := w.store.Bucket(t.Context(), "migration", store.Options{Sync: true})
			require.NoError(t, err)
			m := mailbox{Party: string(role) + "-" + id.String(), Last: map[string]receipt{rpID.String() + "/" + string(kind): {Counter: 7, SHA256: "00"}}}
			v, err := json.Marshal(m)
			require.NoError(t, err)
			_, err = b.Put(t.Context(), mailboxKey+m.Party, v)
			require.NoError(t, err)
			e, err := w.open(w.store)
			require.NoError(t, err)
			require.NoError(t, e.RunUntil(t.Context(), began.AddDate(0, 0, 3)))
			h := e.homes[w.homes["a"]]
			require.Equal(t, "XCV03", h.LastFailure().Code)
			require.Equal(t, lifecycle.ValidationFailed, failedAt(h))
			require.Empty(t, w.gateway.homes[h.ID].takeovers)
		})
	}
}

func failedAt(h *home) lifecycle.State {
	for _, m := range h.Moves {
		if m.Code != "" {
			return m.To
		}
	}
	return lifecycle.Candidate
}

// One octet changed in a party's mailbox stops the run and says which file.
func TestTamperedMailboxStopsTheRun(t *testing.T) {
	w := newWorld(t, []homeKind{{name: "a"}})
	stopped := false
	e, err := w.openWith(func(c *Config) {
		c.Custody = fakeCustody{}
		c.Observe = func(p Progress) {
			if p.Phase != "data validation" || p.Done == 0 || stopped {
				return
			}
			stopped = true
			names, err := filepath.Glob(filepath.Join(w.out, "parties", "DCO-*", "in", "MGEF_*"))
			require.NoError(t, err)
			require.Len(t, names, 1)
			b, err := os.ReadFile(names[0])
			require.NoError(t, err)
			b[bytes.Index(b, []byte("<Tag>"))+7] ^= 1
			require.NoError(t, os.WriteFile(names[0], b, 0o600))
		}
	})
	require.NoError(t, err)
	require.ErrorContains(t, e.Run(t.Context()), "is not as it was issued")
	require.True(t, stopped)
	require.Empty(t, w.gateway.homes[w.homes["a"]].takeovers)
}

// While one engine runs, a second one is told so at once; a dead one's lease
// lapses, and who has the store to himself need not wait for that.
func TestLease(t *testing.T) {
	w := newWorld(t, []homeKind{{name: "a"}})
	shared := func(c *Config) { c.Sole = false }
	first, err := w.openWith(shared)
	require.NoError(t, err)
	_, release, err := first.lease(t.Context())
	require.NoError(t, err)
	second, err := w.openWith(shared)
	require.NoError(t, err)
	err = second.Run(t.Context())
	require.ErrorIs(t, err, ErrLeased)
	var leased *LeasedError
	require.ErrorAs(t, err, &leased)
	require.Positive(t, leased.Wait)
	require.NoError(t, release())
	require.NoError(t, second.Run(t.Context()))

	// A lease that nobody renews.
	j := second.journal
	dead := lease{Holder: "dead"}
	e, err := j.bucket.Get(t.Context(), leaseKey)
	require.NoError(t, err)
	rev, err := j.putLease(t.Context(), dead, e.Revision)
	require.NoError(t, err)
	_, err = j.takeLease(t.Context(), lease{Holder: "me"}, false)
	require.ErrorIs(t, err, ErrLeased)
	_, err = j.takeLease(t.Context(), lease{Holder: "me"}, true)
	require.NoError(t, err)
	_, err = j.putLeaseUntil(t.Context(), dead, time.Time{}, rev)
	require.ErrorIs(t, err, ErrTwoEngines, "the dead one is not dead, and finds that it has lost")
}

// The roles may be other people's: certificates and keys from a folder.
func TestRolesFromTheirKeys(t *testing.T) {
	w := newWorld(t, []homeKind{{name: "a"}})
	roles, err := DrawRoles(newSeeded(21))
	require.NoError(t, err)
	for _, p := range []**pki.Party{&roles.RP, &roles.CP, &roles.S1SP, &roles.DCO} {
		signing, agreement, err := (*p).Keys()
		require.NoError(t, err)
		read, err := pki.ReadParty(pki.PEM((*p).Signing), signing, pki.PEM((*p).Agreement), agreement)
		require.NoError(t, err)
		require.Equal(t, (*p).String(), read.String())
		_, err = pki.ReadParty(pki.PEM((*p).Signing), agreement, pki.PEM((*p).Agreement), agreement)
		require.ErrorContains(t, err, "is not that of its certificate")
		_, err = pki.ReadParty(pki.PEM((*p).Signing), signing, pki.PEM((*p).Agreement), signing)
		require.ErrorContains(t, err, "is not that of its certificate")
		*p = read
	}
	e, err := w.openWith(func(c *Config) { c.Roles, c.PKI, c.Custody = roles, nil, fakeCustody{} })
	require.NoError(t, err)
	require.NoError(t, e.Run(t.Context()))
	require.Equal(t, lifecycle.Migrated, w.outcome(e, "a").State)
	other, err := DrawRoles(newSeeded(22))
	require.NoError(t, err)
	stranger := *roles
	stranger.DCO = other.DCO
	_, err = w.openWith(func(c *Config) { c.Roles = &stranger })
	require.ErrorContains(t, err, "was not issued by")
	stranger.DCO = roles.CP
	_, err = w.openWith(func(c *Config) { c.Roles = &stranger })
	require.ErrorContains(t, err, "no party in the role DCO")
}

// Status tells where everything stands, from the file as from the engine.
func TestStatus(t *testing.T) {
	w := newWorld(t, allKinds)
	e, err := w.open(w.store)
	require.NoError(t, err)
	require.NoError(t, e.RunDay(t.Context()))
	s, err := ReadStatus(w.out)
	require.NoError(t, err)
	require.Equal(t, "mig-20190408T080000", s.Run)
	require.NotEmpty(t, s.Due)
	require.NoError(t, e.Run(t.Context()))
	s, err = ReadStatus(w.out)
	require.NoError(t, err)
	homes := 0
	for _, x := range s.States {
		homes += x.Homes
	}
	require.Equal(t, len(allKinds), homes)
	require.Empty(t, s.Due)
	require.Equal(t, len(s.Attention), s.Waiting)
	require.Equal(t, 4, s.Waiting, "gas silent and not permitted, wrong key, corrupt image, not eligible")
	for _, a := range s.Attention {
		require.NotEmpty(t, a.Code)
		require.NotEmpty(t, a.Remedy)
	}
	require.Equal(t, s.States, e.Status().States)
	require.False(t, e.Status().Finished.IsZero())
	_, err = ReadStatus(t.TempDir())
	require.ErrorContains(t, err, "no run has written")
}
