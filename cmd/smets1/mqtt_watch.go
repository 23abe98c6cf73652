package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"smets1/gateway/bridge/watch"
	"smets1/gateway/topic"
	"smets1/internal/clock"
	"smets1/internal/wire"
)

type watchOptions struct {
	brokerFlags
	filters []string
	hub     string
	count   int
	during  time.Duration
	json    bool
	news    bool
}

func newMQTTWatchCommand() *cobra.Command {
	o := watchOptions{}
	c := &cobra.Command{
		Use:   "watch [FILTER…]",
		Short: "Show what goes over the broker on the fleet's topics",
		Long: `watch prints each message on the topics of a fleet until Ctrl-C: the states that
the broker keeps (marked R), then what comes. A FILTER is a topic below
smets1/v1/<fleet>/, with + for one part and # for all that follow; none means
all of them, commands and results of others included.`,
		Example: `  smets1 mqtt watch
  smets1 mqtt watch 'hub/+/evt/#'
  smets1 mqtt watch --hub 00-DB-53-00-00-00-00-01
  smets1 mqtt watch --json --count 1 'bridge/+/state' | jq .payload.state`,
		RunE: func(c *cobra.Command, args []string) error {
			o.filters = args
			return o.run(c.Context(), c.OutOrStdout())
		},
	}
	o.add(c)
	f := c.Flags()
	f.StringVar(&o.hub, "hub", "", "only the topics of this hub")
	f.IntVar(&o.count, "count", 0, "end after so many messages; 0 means never")
	f.DurationVar(&o.during, "for", 0, "end after this time; 0 means never")
	f.BoolVar(&o.json, "json", false, "one line of JSON per message: time, topic, retained, payload")
	f.BoolVar(&o.news, "news", false, "leave out what the broker kept")
	return c
}

// errEnough ends a watch that has seen what it was to see.
var errEnough = errors.New("enough")

func (o *watchOptions) run(ctx context.Context, w io.Writer) error {
	if err := o.check(); err != nil {
		return err
	}
	tree, err := topic.NewTree(o.fleet)
	if err != nil {
		return usageError{err}
	}
	filters := o.filters
	if o.hub != "" {
		eui, err := wire.ParseEUI64(o.hub)
		if err != nil {
			return usageError{fmt.Errorf("--hub: %w", err)}
		}
		filters = append(filters, "hub/"+eui.String()+"/#")
	}
	if len(filters) == 0 {
		filters = []string{"#"}
	}
	for i, f := range filters {
		filters[i] = tree.Root() + "/" + strings.TrimPrefix(strings.TrimPrefix(f, tree.Root()), "/")
	}
	login, t, err := o.credentials()
	if err != nil {
		return err
	}
	if o.during > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, o.during, errEnough)
		defer cancel()
	}
	// Until the first subscription stands, the time to connect counts.
	connecting, connected := context.WithCancelCause(ctx)
	timer := clock.Real().NewTimer(o.connect)
	defer timer.Stop()
	ready := make(chan struct{}, 1)
	go func() {
		select {
		case <-ready:
		case <-timer.C():
			connected(fmt.Errorf("no answer within %s: is the broker running, and are user and password right?", o.connect))
		case <-ctx.Done():
		}
	}()
	defer connected(nil)
	seen := 0
	err = watch.Run(connecting, watch.Config{
		Broker: o.broker, TLS: t, Credentials: login, Client: o.client, Filters: filters,
		Ready: func() {
			select {
			case ready <- struct{}{}:
			default:
			}
		},
	}, func(m watch.Message) error {
		if m.Retained && o.news {
			return nil
		}
		if err := o.print(w, tree, m); err != nil {
			return err
		}
		if seen++; seen == o.count {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) || ctx.Err() != nil && o.during == 0 && o.count == 0 {
		return nil
	}
	return err
}

func (o *watchOptions) print(w io.Writer, tree topic.Tree, m watch.Message) error {
	now := clock.Real().Now()
	if o.json {
		line := struct {
			Time     time.Time       `json:"time"`
			Topic    string          `json:"topic"`
			Retained bool            `json:"retained"`
			Payload  json.RawMessage `json:"payload"`
		}{now, m.Topic, m.Retained, m.Payload}
		if !json.Valid(m.Payload) {
			line.Payload, _ = json.Marshal(string(m.Payload)) // a string always can be
		}
		b, err := json.Marshal(line)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s\n", b)
		return err
	}
	mark := " "
	if m.Retained {
		mark = "R"
	}
	var text bytes.Buffer
	if json.Compact(&text, m.Payload) != nil {
		// Whatever it is, it must not steer the terminal.
		text.Reset()
		fmt.Fprintf(&text, "%q", m.Payload)
	}
	_, err := fmt.Fprintf(w, "%s %s %s %s\n", now.Format("15:04:05.000"), mark, strings.TrimPrefix(m.Topic, tree.Root()+"/"), text.String())
	return err
}
