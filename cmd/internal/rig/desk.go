package rig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"smets1/device/profile"
	"smets1/dlms/security"
	"smets1/firmware"
	"smets1/gateway/job"
	"smets1/gateway/keystore"
	"smets1/gateway/rekey"
	"smets1/gateway/session"
	"smets1/gateway/topic"
	"smets1/gateway/verbs"
	"smets1/internal/clock"
	"smets1/internal/store"
)

// title is the gateway's system title on a bench.
var title = security.SystemTitle{'S', 'M', '1', 0, 0, 0, 0, 2}

// desk is a gateway without a broker.
type desk struct {
	store   store.Store
	root    security.Key
	clk     clock.Clock
	library *firmware.Library
	hub     session.Hub
	session session.Config // without Keys, Title, Profiles and Clock
	random  io.Reader      // of the keys that are made
	log     *slog.Logger

	keys  *keystore.Store
	pool  *session.Pool
	queue *job.Queue

	mu      sync.Mutex
	running map[string]chan struct{} // by command: closed when it runs
	ids     int
}

// open begins the gateway, from what its store holds.
func (d *desk) open(ctx context.Context) error {
	bucket := func(name string) (store.Bucket, error) { return d.store.Bucket(ctx, name, store.Options{Sync: true}) }
	keys, err := bucket("keys")
	if err != nil {
		return err
	}
	journal, err := bucket("rekey")
	if err != nil {
		return err
	}
	if d.keys, err = keystore.Open(ctx, keystore.Config{Bucket: keys, Root: d.root}); err != nil {
		return err
	}
	c := d.session
	c.Keys, c.Title, c.Profiles, c.Clock, c.Log = d.keys, title, profile.Builtin(), d.clk, d.log
	if d.pool, err = session.NewPool(c); err != nil {
		return err
	}
	if err := d.pool.Add(d.hub); err != nil {
		return errors.Join(err, d.pool.Close())
	}
	v, err := verbs.New(verbs.Config{
		Pool: d.pool, Keys: d.keys, Journal: rekey.Journal{Bucket: journal}, Library: d.library, Clock: d.clk, Random: d.random, Log: d.log,
	})
	if err != nil {
		return errors.Join(err, d.pool.Close())
	}
	if d.queue, err = job.Open(ctx, job.Config{Store: d.store, Handlers: v.Handlers(), Clock: d.clk, Log: d.log}); err != nil {
		return errors.Join(err, d.pool.Close())
	}
	d.running = map[string]chan struct{}{}
	d.queue.Start(func(u job.Update) {
		if u.Result.Status == topic.StatusRunning || u.Result.Status.Final() {
			d.ran(u.Result.ID)
		}
		if u.Done > 0 {
			d.queue.Delivered(u.Done)
		}
	})
	return nil
}

func (d *desk) close(ctx context.Context) error {
	if d.queue == nil {
		return nil
	}
	err := errors.Join(d.queue.Close(ctx), d.pool.Close())
	d.queue = nil
	return err
}

// signal is closed once a command runs.
func (d *desk) signal(id string) chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, ok := d.running[id]
	if !ok {
		c = make(chan struct{})
		d.running[id] = c
	}
	return c
}

func (d *desk) ran(id string) {
	c := d.signal(id)
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-c:
	default:
		close(c)
	}
}

// stopWithin is how long the gateway may take to stop, by the machine.
const stopWithin = 30 * time.Second

// command runs a command to its end.
func (d *desk) command(ctx context.Context, c topic.Command, restart bool) (topic.Result, error) {
	d.ids++
	c.Schema, c.ID, c.Hub = topic.Schema, fmt.Sprintf("step-%d", d.ids), d.hub.EUI
	runs := d.signal(c.ID)
	first := d.queue.Submit(ctx, c)[0]
	if first.Status.Final() {
		return first, nil // refused
	}
	if restart {
		select {
		case <-runs:
		case <-ctx.Done():
			return topic.Result{}, context.Cause(ctx)
		}
		stop, cancel := context.WithTimeout(ctx, stopWithin)
		err := d.close(stop)
		cancel()
		if err != nil {
			return topic.Result{}, fmt.Errorf("stopping the gateway: %w", err)
		}
		if err := d.open(ctx); err != nil {
			return topic.Result{}, fmt.Errorf("starting the gateway again: %w", err)
		}
	}
	return d.queue.Wait(ctx, c.ID)
}

// hangUp closes the gateway's line to the hub, which only one program can have open.
func (d *desk) hangUp(ctx context.Context) error {
	s, err := d.pool.Acquire(ctx, d.hub.EUI)
	if err != nil {
		return err
	}
	s.Close()
	d.pool.Release(s)
	return nil
}
