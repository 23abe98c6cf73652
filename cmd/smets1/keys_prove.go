package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"text/tabwriter"

	"golang.org/x/sync/errgroup"

	"smets1/gateway/topic"
	"smets1/internal/wire"
	"smets1/migration/engine"
)

// provers is how many hubs are asked at once.
const provers = 16

// proveKeys has the gateway prove which stored set opens each device.
func proveKeys(ctx context.Context, out io.Writer, b *brokerFlags, args []string) error {
	hubs := make([]wire.EUI64, len(args))
	for i, a := range args {
		var err error
		if hubs[i], err = parseDevice(a); err != nil {
			return err
		}
	}
	remote, err := b.dial(ctx)
	if err != nil {
		return err
	}
	defer remote.Close()
	if len(hubs) == 0 {
		if hubs, err = listHubs(ctx, remote); err != nil {
			return err
		}
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "HUB\tDEVICE\tEUI\tSET\tOWNER\tVERSION\tFINGERPRINT\tCODE")
	findings := 0
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(provers)
	for _, hub := range hubs {
		g.Go(func() error {
			var r topic.KeysResult
			err := ask(ctx, remote, hub, topic.KeysProve, nil, &r)
			var ended resultError
			if err != nil && !errors.As(err, &ended) {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil && len(r.Devices) == 0 {
				findings++
				fmt.Fprintf(w, "%s\t–\t–\t–\t–\t–\t–\t%s\n", hub, ended.result.Code)
			}
			for _, d := range r.Devices {
				if d.Code != topic.CodeOK || d.Set != "current" {
					findings++
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", hub, d.Device, d.EUI, dash(d.Set), dash(d.Owner), d.Version, dash(d.Fingerprint), d.Code)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return refused(out, findings)
}

// listHubs asks the gateway for all its hubs.
func listHubs(ctx context.Context, remote *engine.Remote) ([]wire.EUI64, error) {
	var hubs []wire.EUI64
	for after := ""; ; {
		var page topic.ListResult
		if err := ask(ctx, remote, wire.EUI64{}, topic.FleetList, topic.PageArgs{After: after}, &page); err != nil {
			return nil, err
		}
		for _, h := range page.Hubs {
			hubs = append(hubs, h.Hub)
		}
		if after = page.Next; after == "" {
			return hubs, nil
		}
	}
}
