// Package client is one end of the MQTT contract for programs in Go: it sends commands and waits for their results. A command is sent until it is
// answered, again after a silence, after each reconnection and when a gateway is born; that is safe because a gateway never runs an id twice.
//
//	c, err := client.Dial(ctx, client.Config{Broker: "tcp://127.0.0.1:1883", Fleet: "lab", Client: "my-program"})
//	…
//	who, err := client.Do[topic.IdentifyResult](ctx, c, "run-7/identify", hub, topic.Identify, nil)
//
// Choose ids that follow from what is to be done, not fresh ones: a program that was killed and started again then gets the results that it
// missed. Errors of Do are *topic.Error with the stable code of the contract; code indoubt is for a person, not for a retry.
package client

import (
	"context"

	"smets1/gateway/topic"
	"smets1/internal/wire"
)

// Do sends a command to a hub, or to the fleet for the zero EUI-64, waits for its end and decodes the result of its verb. Args may be nil.
// A command that did not end as done gives a *topic.Error; the result is decoded as far as there is one.
func Do[R any](ctx context.Context, c *Client, id string, hub wire.EUI64, v topic.Verb, args any) (R, error) {
	var r R
	cmd, err := topic.NewCommand(id, hub, v, args)
	if err != nil {
		return r, err
	}
	return decoded[R](ctx, c, cmd)
}

// DoMany sends a command to many hubs, and returns its summary.
func DoMany(ctx context.Context, c *Client, id string, s topic.Selector, v topic.Verb, args any) (topic.ManyResult, error) {
	cmd, err := topic.NewCommand(id, wire.EUI64{}, v, args)
	if err != nil {
		return topic.ManyResult{}, err
	}
	cmd.Select = &s
	return decoded[topic.ManyResult](ctx, c, cmd)
}

func decoded[R any](ctx context.Context, c *Client, cmd topic.Command) (R, error) {
	var r R
	res, err := c.Call(ctx, cmd, nil)
	if err != nil {
		return r, err
	}
	if err := res.Decode(&r); err != nil {
		return r, err
	}
	return r, res.Err()
}

// Hubs lists all hubs of the fleet, page by page.
func Hubs(ctx context.Context, c *Client, id string) ([]topic.HubSummary, error) {
	var out []topic.HubSummary
	for after := ""; ; {
		page, err := Do[topic.ListResult](ctx, c, id+"/"+after, wire.EUI64{}, topic.FleetList, topic.PageArgs{After: after})
		if err != nil {
			return out, err
		}
		out = append(out, page.Hubs...)
		if page.Next == "" {
			return out, nil
		}
		after = page.Next
	}
}
