package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"smets1/cmd/internal/config"
	"smets1/internal/clock"
)

// catchHangup takes SIGHUP from now on, so that one that comes while the daemon
// starts does not end it; it is answered once there is somebody to answer.
func catchHangup() (hangup <-chan os.Signal, stop func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	return c, func() { signal.Stop(c) }
}

// background answers hang-ups and feeds the watchdog, until the returned
// function is called.
func (d *daemon) background(n *notifier, level *slog.LevelVar, s config.Sources, hangup <-chan os.Signal) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var loops sync.WaitGroup
	loops.Go(func() {
		for {
			select {
			case <-hangup:
				d.reload(level, s)
			case <-ctx.Done():
				return
			}
		}
	})
	if n.watchdog > 0 {
		loops.Go(func() {
			// Twice in the time allowed; and only while the gateway answers, which a
			// deadlock of its queue or bridge would prevent.
			for clock.Real().Sleep(ctx, n.watchdog/2) == nil {
				d.gateway.Stats()
				n.send("WATCHDOG=1")
			}
		})
	}
	return func() {
		cancel()
		loops.Wait()
	}
}

// reload takes over what can be changed while it runs: the log level. A
// configuration with mistakes changes nothing.
func (d *daemon) reload(level *slog.LevelVar, s config.Sources) {
	cfg, err := config.Load(s)
	if err != nil {
		d.log.Error("the configuration was not read again: it has mistakes", slog.Any("error", err))
		return
	}
	setLevel(level, cfg.Log.Level)
	// Told whatever the level, for whoever sent the signal.
	d.log.Log(context.Background(), max(level.Level(), slog.LevelInfo), "configuration read again: the log level holds from now on, the rest from the next start",
		slog.String("level", cfg.Log.Level))
}
