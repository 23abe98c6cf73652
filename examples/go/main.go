// Command read asks every home of a fleet for its electricity reading: an example of the client package.
//
//	go run ./examples/go -broker tcp://127.0.0.1:1883 -fleet lab
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"smets1/gateway/topic"
	"smets1/gateway/topic/client"
)

func main() {
	broker := flag.String("broker", "tcp://127.0.0.1:1883", "URL of the broker")
	fleet := flag.String("fleet", "lab", "name of the fleet in the topics")
	run := flag.String("run", "example-go-1", "name of the run: the same again gets the results that it got")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := read(ctx, *broker, *fleet, *run); err != nil {
		fmt.Fprintln(os.Stderr, "read:", err)
		os.Exit(1)
	}
}

func read(ctx context.Context, broker, fleet, run string) error {
	c, err := client.Dial(ctx, client.Config{Broker: broker, Fleet: fleet, Client: "example-go"})
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.AwaitGateway(ctx); err != nil {
		return err
	}
	hubs, err := client.Hubs(ctx, c, run+"/list")
	if err != nil {
		return err
	}
	for _, h := range hubs {
		cmd, err := topic.NewCommand(run+"/"+h.Hub.String(), h.Hub, topic.Read, topic.ReadArgs{Items: []topic.ReadItem{
			{Attribute: topic.Attribute{Class: 3, OBIS: "1-0:1.8.0.255", Attribute: 2}},
		}})
		if err != nil {
			return err
		}
		cmd.Device = topic.ESME
		res, err := c.Call(ctx, cmd, nil)
		if err != nil {
			return err
		}
		var refused *topic.Error
		if errors.As(res.Err(), &refused) {
			fmt.Printf("%s  %s: %s\n", h.Hub, refused.Code, refused.Message)
			continue
		}
		var values topic.ReadResult
		if err := res.Decode(&values); err != nil {
			return err
		}
		for _, v := range values.Items {
			fmt.Printf("%s  %s %s\n", h.Hub, v.Scaled, v.Unit)
		}
	}
	return nil
}
