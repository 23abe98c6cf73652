package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"smets1/gateway/topic"
	"smets1/internal/wire"
	"smets1/migration/engine"
)

// provers is how many hubs are asked at once.
const provers = 16

// verdict is what a proof means.
func verdict(d topic.KeysDevice) string {
	switch {
	case d.Code == topic.CodeOK && d.Set == "current":
		return "match"
	case d.Set != "":
		return "drift"
	case d.Code == topic.CodeKeyRefused, d.Code == topic.CodeKeyUnknown:
		return "unknown"
	}
	return "no answer"
}

// mended is what a repair came to.
func mended(d topic.KeysDevice) string {
	switch {
	case d.Code != topic.CodeOK:
		return "failed"
	case d.Unchanged:
		return "unchanged"
	}
	return "repaired"
}

// proveKeys has the gateway prove which stored set opens each device.
func proveKeys(ctx context.Context, out io.Writer, b *brokerFlags, args []string) error {
	return keysOfHubs(ctx, out, b, args, topic.KeysProve, func(d topic.KeysDevice) (string, bool) {
		v := verdict(d)
		return v, v == "match"
	})
}

func newKeysRepairCommand() *cobra.Command {
	var b brokerFlags
	c := &cobra.Command{
		Use:   "repair [HUB…]",
		Short: "Bring the key store in line with the devices, at the devices",
		Long: `repair asks the running gateway, for the HUBs given or for all of its hubs, to end
every change of keys that was begun and not ended, by asking the device where it
stands, and to have the store follow a device that went back to its previous set.
It begins no change. What it cannot mend it leaves as it is: a device that no set
opens stays so until its keys are imported.

The exit status is 0 if every device is in order afterwards, else 1.`,
		Example: `  smets1 keys check --ask
  smets1 keys repair
  smets1 keys repair --broker tcp://127.0.0.1:1883 00-DB-53-00-00-00-00-01`,
		RunE: func(c *cobra.Command, args []string) error {
			return keysOfHubs(c.Context(), c.OutOrStdout(), &b, args, topic.KeysRepair, func(d topic.KeysDevice) (string, bool) {
				v := mended(d)
				return v, v != "failed"
			})
		},
	}
	b.add(c)
	return c
}

// keysOfHubs asks hubs for one verb of keys and prints what it came to, device by device.
func keysOfHubs(ctx context.Context, out io.Writer, b *brokerFlags, args []string, verb topic.Verb, say func(topic.KeysDevice) (word string, fine bool)) error {
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
	fmt.Fprintln(w, "HUB\tDEVICE\tEUI\tVERDICT\tSET\tOWNER\tVERSION\tFINGERPRINT\tCODE")
	findings := 0
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(provers)
	for _, hub := range hubs {
		g.Go(func() error {
			var r topic.KeysResult
			err := ask(ctx, remote, hub, verb, nil, &r)
			var ended resultError
			if err != nil && !errors.As(err, &ended) {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil && len(r.Devices) == 0 {
				findings++
				fmt.Fprintf(w, "%s\t–\t–\tno answer\t–\t–\t–\t–\t%s\n", hub, ended.result.Code)
			}
			for _, d := range r.Devices {
				word, fine := say(d)
				if !fine {
					findings++
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", hub, d.Device, d.EUI, word, dash(d.Set), dash(d.Owner), d.Version, dash(d.Fingerprint), d.Code)
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
