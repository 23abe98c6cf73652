package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"smets1/gateway/bridge/watch"
	"smets1/gateway/topic"
	"smets1/internal/wire"
)

type waitOptions struct {
	brokerFlags
	state, event, code string
	timeout            time.Duration
}

func newMQTTWaitCommand() *cobra.Command {
	o := waitOptions{}
	c := &cobra.Command{
		Use:   "wait gateway|HUB",
		Short: "Wait until a gateway is online, or a hub is in a state or tells an event",
		Long: `wait ends when what it waits for is so: with status 0, and the message that says
so on its output. States that the broker keeps count, so a hub that is ready
already is not waited for. Events are not kept: start wait before what causes
them. After --timeout the status is 1.`,
		Example: `  smets1 mqtt wait gateway --timeout 30s
  smets1 mqtt wait 00-DB-53-00-00-00-00-01 --state ready
  smets1 mqtt wait 00-DB-53-00-00-00-00-01 --event firmware --code activated`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			line, err := o.wait(c.Context(), args[0])
			if err == nil {
				fmt.Fprintf(c.OutOrStdout(), "%s\n", line)
			}
			return err
		},
	}
	o.add(c)
	f := c.Flags()
	f.StringVar(&o.state, "state", "", "state of the hub: init, ready, sleeping, lost, alert")
	f.StringVar(&o.event, "event", "", "class of an event of the hub: alert, join, tamper, power, firmware, keys, …")
	f.StringVar(&o.code, "code", "", "code that the event must have (default: any)")
	f.DurationVar(&o.timeout, "timeout", 5*time.Minute, "how long to wait")
	return c
}

// errMet ends a wait.
var errMet = errors.New("it is so")

// condition is where to listen, and what must be heard.
func (o *waitOptions) condition(tree topic.Tree, what string) (filter string, met func([]byte) bool, err error) {
	if what == "gateway" {
		if o.state != "" || o.event != "" {
			return "", nil, errors.New("--state and --event are of a hub")
		}
		return tree.BridgeStates(), func(b []byte) bool {
			s, err := topic.ParseBridgeState(b, topic.Limits{})
			return err == nil && s.State == topic.Online
		}, nil
	}
	hub, err := wire.ParseEUI64(what)
	switch {
	case err != nil:
		return "", nil, fmt.Errorf("hub %q: %w; or write gateway", what, err)
	case (o.state == "") == (o.event == ""):
		return "", nil, errors.New("say --state or --event")
	case o.event != "":
		if err := topic.CheckClass(o.event); err != nil {
			return "", nil, err
		}
		return tree.Event(hub, o.event), func(b []byte) bool {
			e, err := topic.ParseEvent(b, topic.Limits{Size: 1 << 20})
			return err == nil && (o.code == "" || e.Code == o.code)
		}, nil
	}
	if !slices.Contains([]topic.Condition{topic.Init, topic.Ready, topic.Sleeping, topic.Lost, topic.Alert}, topic.Condition(o.state)) {
		return "", nil, fmt.Errorf("--state %q: there are init, ready, sleeping, lost, alert", o.state)
	}
	return tree.HubState(hub), func(b []byte) bool {
		s, err := topic.ParseHubState(b, topic.Limits{})
		return err == nil && string(s.State) == o.state
	}, nil
}

func (o *waitOptions) wait(ctx context.Context, what string) (line []byte, err error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	tree, err := topic.NewTree(o.fleet)
	if err != nil {
		return nil, usageError{err}
	}
	filter, met, err := o.condition(tree, what)
	if err != nil {
		return nil, usageError{err}
	}
	login, t, err := o.credentials()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.timeout, fmt.Errorf("it was not so within %s", o.timeout))
	defer cancel()
	err = watch.Run(ctx, watch.Config{Broker: o.broker, TLS: t, Credentials: login, Client: o.client, Filters: []string{filter}}, func(m watch.Message) error {
		if met(m.Payload) {
			line = m.Payload
			return errMet
		}
		return nil
	})
	if errors.Is(err, errMet) {
		return line, nil
	}
	return nil, err
}
