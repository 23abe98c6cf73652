package job

import (
	"errors"
	"log/slog"
	"time"

	"smets1/gateway/audit"
	"smets1/gateway/topic"
	"smets1/internal/clock"
	"smets1/internal/store"
	"smets1/internal/wire"
)

// Config of a queue. Store, Handlers and Clock are needed.
type Config struct {
	// Store keeps the commands.
	Store store.Store
	// Handlers do the work, by verb. A verb of the contract that is not here is refused with not-supported.
	Handlers map[topic.Verb]Handler
	// Clock is the time of deadlines, timestamps and the expiry of results.
	Clock clock.Clock
	// Concurrency is how many commands run at once. Zero means 256.
	Concurrency int
	// MaxQueued is how many commands may be accepted and not ended; beyond it, busy. Zero means 50,000.
	MaxQueued int
	// MaxPerHub is the same for one hub. Zero means 64.
	MaxPerHub int
	// ResultTTL is how long a result is kept; a command sent again later than that runs again. Zero means 7 days.
	ResultTTL time.Duration
	// MaxResults is how many results are kept at most; beyond it the oldest expire early. Zero means 500,000.
	MaxResults int
	// DeliveredEvery is how often the number of the last delivered result is written. Results that were delivered since
	// then are sent once more after a crash. Zero means 2 seconds.
	DeliveredEvery time.Duration
	// Select picks the hubs of a command for many homes, in order. Nil means that such commands are refused with not-supported.
	Select func(topic.Selector) []wire.EUI64
	// Permit tells whether a verb with an irreversible step may be run on a hub; its error has the code of the refusal. Nil means
	// that all may.
	Permit func(hub wire.EUI64, v topic.Verb) error
	// Audit is told of commands that may change a home, before they begin and after they ended. Nil means that nobody is.
	Audit *audit.Log
	// Log gets what an operator may want to know. Nil means nothing is logged.
	Log *slog.Logger
}

// withDefaults fills in what the zero values mean.
func (c Config) withDefaults() (Config, error) {
	c.Concurrency = orDefault(c.Concurrency, 256)
	c.MaxQueued = orDefault(c.MaxQueued, 50_000)
	c.MaxPerHub = orDefault(c.MaxPerHub, 64)
	c.ResultTTL = orDefault(c.ResultTTL, 7*24*time.Hour)
	c.MaxResults = orDefault(c.MaxResults, 500_000)
	c.DeliveredEvery = orDefault(c.DeliveredEvery, 2*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Store == nil || c.Clock == nil {
		return c, errors.New("job: Config needs a Store and a Clock")
	}
	return c, nil
}

func orDefault[T int | time.Duration](v, d T) T {
	if v == 0 {
		return d
	}
	return v
}

// Effective returns the configuration with what its zero values mean filled in, for whoever tells the limits to others.
func (c Config) Effective() Config {
	c, _ = c.withDefaults()
	return c
}
