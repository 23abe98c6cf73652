package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"smets1/gateway/topic"
	"smets1/internal/wire"
	"smets1/migration/engine"
)

type statusOptions struct {
	brokerFlags
	timeout time.Duration
	json    bool
	control string
}

func newFleetStatusCommand() *cobra.Command {
	o := statusOptions{}
	c := &cobra.Command{
		Use:   "status",
		Short: "Ask a running gateway, or serve, what it knows of its hubs",
		Long: `status asks the gateway of a fleet, over MQTT, for its time and the last known
state of every hub. It asks no device: a hub that nobody spoke to since the
gateway started is init. With --json it prints one object per hub.

With --control it asks a running smets1 fleet serve instead: its time, how many homes
there are, and how many of them are in memory or rest.`,
		Example: `  smets1 fleet status
  smets1 fleet status --control 127.0.0.1:4057
  smets1 fleet status --broker tcp://127.0.0.1:1883 --fleet lab --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context(), c.OutOrStdout()) },
	}
	o.add(c)
	c.Flags().DurationVar(&o.timeout, "timeout", 30*time.Second, "how long to wait for the gateway")
	c.Flags().BoolVar(&o.json, "json", false, "one line of JSON per hub")
	c.Flags().StringVar(&o.control, "control", "", "ask the smets1 fleet serve that takes orders there, like "+controlAddress+" (default: a gateway, over MQTT)")
	return c
}

func (o *statusOptions) run(ctx context.Context, w io.Writer) error {
	if o.control != "" {
		return o.homes(ctx, w)
	}
	remote, err := o.dial(ctx)
	if err != nil {
		return err
	}
	defer remote.Close()
	ctx, cancel := context.WithTimeoutCause(ctx, o.timeout, fmt.Errorf("no gateway of fleet %q answered within %s", o.fleet, o.timeout))
	defer cancel()
	var now topic.FleetClockResult
	if err := ask(ctx, remote, wire.EUI64{}, topic.FleetClock, nil, &now); err != nil {
		return err
	}
	var hubs []topic.HubState
	for after := ""; ; {
		var page topic.SnapshotResult
		if err := ask(ctx, remote, wire.EUI64{}, topic.FleetSnapshot, topic.PageArgs{After: after}, &page); err != nil {
			return err
		}
		hubs = append(hubs, page.Hubs...)
		if after = page.Next; after == "" {
			break
		}
	}
	if o.json {
		e := json.NewEncoder(w)
		for _, h := range hubs {
			if err := e.Encode(h); err != nil {
				return err
			}
		}
		return nil
	}
	clock := "the machine's"
	if now.Virtual {
		clock = fmt.Sprintf("virtual, ×%v", now.Factor)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "time %s (%s), %d hubs\n\n", now.Time.Format(time.RFC3339), clock, len(hubs))
	fmt.Fprintln(t, "HUB\tSTATE\tMODEL\tFIRMWARE\tKEYS\tDEVICES\tREVISION\tLAST SEEN")
	for _, h := range hubs {
		keys := ""
		if h.KeyVersion > 0 {
			keys = fmt.Sprintf("v%d", h.KeyVersion)
		}
		state := string(h.State)
		if h.Alert != "" {
			state += ": " + h.Alert
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\t%d\t%s\n", h.Hub, state, dash(h.Model), dash(h.Firmware), dash(keys), len(h.Devices), h.Revision, since(now.Time, h.LastSeen))
	}
	return t.Flush()
}

// homes asks a serve.
func (o *statusOptions) homes(ctx context.Context, w io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	var s controlStatus
	if err := control(ctx, o.control, "GET", "/status", nil, &s); err != nil {
		return err
	}
	if o.json {
		return json.NewEncoder(w).Encode(s)
	}
	fmt.Fprintf(w, "fleet %s, time %s (%s)\n", s.Fleet, s.Time.Format(time.RFC3339), s.Clock)
	fmt.Fprintf(w, "%d homes: %d in memory, %d rest after use; %d connections\n", s.Counts.Homes, s.Counts.Awake, s.Counts.Resting, s.Counts.Conns)
	if s.Gateway != "" {
		fmt.Fprintf(w, "all at %s by DLMS gateway prefix\n", s.Gateway)
	}
	return nil
}

// ask sends a command under a fresh id and decodes its result; how it ended, if
// not as done, is the error.
func ask(ctx context.Context, remote *engine.Remote, hub wire.EUI64, verb topic.Verb, args, result any) error {
	cmd, err := topic.NewCommand("cli-"+rand.Text(), hub, verb, args)
	if err != nil {
		return err
	}
	r, err := remote.Call(ctx, cmd, nil)
	if err != nil {
		return err
	}
	if r.Status != topic.StatusDone {
		return errors.Join(resultError{r}, r.Decode(result))
	}
	return r.Decode(result)
}
