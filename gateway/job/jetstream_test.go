package job_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/gateway/broker"
	"smets1/gateway/job"
	"smets1/gateway/topic"
	"smets1/internal/clock"
)

// TestDeathOnDisk does what TestDeathAtEveryWrite does on the real store, which is closed and opened again after each death,
// at every third write.
func TestDeathOnDisk(t *testing.T) {
	for at := 1; at <= 25; at += 3 {
		for _, applied := range []bool{false, true} {
			t.Run(fmt.Sprintf("write %d, applied %t", at, applied), func(t *testing.T) { dieOnDisk(t, at, applied) })
		}
	}
}

func dieOnDisk(t *testing.T, at int, applied bool) {
	dir := t.TempDir()
	d := &meter{applied: map[string]int{}}
	cfg := job.Config{Clock: clock.Real(), Handlers: all(careful(d))}
	b, err := broker.Start(t.Context(), broker.Config{StateDir: dir, Listen: "127.0.0.1:0"})
	require.NoError(t, err)
	kept, err := b.Store()
	require.NoError(t, err)
	m := &mortal{Store: kept, left: at, applied: applied}
	cfg.Store = m
	q, err := job.Open(t.Context(), cfg)
	require.NoError(t, err)
	q.Start(nil)
	q.Submit(t.Context(), crashCommands...)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_ = q.Close(ctx)
	require.NoError(t, b.Close())

	b, err = broker.Start(t.Context(), broker.Config{StateDir: dir, Listen: "127.0.0.1:0"})
	require.NoError(t, err)
	defer func() { require.NoError(t, b.Close()) }()
	cfg.Store, err = b.Store()
	require.NoError(t, err)
	q, err = job.Open(t.Context(), cfg)
	require.NoError(t, err)
	q.Start(nil)
	defer func() { require.NoError(t, q.Close(context.WithoutCancel(t.Context()))) }()
	q.Submit(t.Context(), crashCommands...)
	for _, c := range crashCommands {
		r, err := q.Wait(t.Context(), c.ID)
		require.NoError(t, err)
		require.Equal(t, topic.StatusDone, r.Status, "%s: %s", c.ID, r.Message)
		require.Equal(t, 1, d.count(c.ID), c.ID)
	}
}
