package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"

	"smets1/device/fleet"
	"smets1/device/ihd"
	"smets1/device/prepay"
)

func newFleetDisplayCommand() *cobra.Command {
	var address string
	asJSON, once := false, false
	every := time.Second
	c := &cobra.Command{
		Use:   "display HOME",
		Short: "Show the in-home display of a home of a running serve, live",
		Long: `display draws what the in-home display of a home shows: power and what it costs, use
and cost of the day, week and month, tariff, credit, debt, emergency credit, supply and
messages. Electricity is as the display hears of it, every 10 virtual seconds; gas as the
meter wakes, every 30 virtual minutes. On a terminal it goes on until Ctrl-C; elsewhere,
or with --once, it shows one screen.`,
		Example: `  smets1 fleet serve fleet.yaml &
  smets1 fleet display ioc-0001
  smets1 fleet display ioc-0001 --json | jq .electricity.power`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			out := c.OutOrStdout()
			f, ok := out.(*os.File)
			once = once || asJSON || !ok || !isTerminal(f)
			if every < 100*time.Millisecond {
				return usageError{fmt.Errorf("--every %v: give 100ms or more", every)}
			}
			return showDisplay(c.Context(), out, address, args[0], asJSON, once, every)
		},
	}
	controlFlag(c, &address)
	c.Flags().BoolVar(&asJSON, "json", false, "print one screen as JSON")
	c.Flags().BoolVar(&once, "once", false, "show one screen and end")
	c.Flags().DurationVar(&every, "every", every, "how often to draw, in real time")
	return c
}

func isTerminal(f *os.File) bool {
	s, err := f.Stat()
	return err == nil && s.Mode()&os.ModeCharDevice != 0
}

func showDisplay(ctx context.Context, out io.Writer, address, home string, asJSON, once bool, every time.Duration) error {
	for {
		var s ihd.Screen
		if err := control(ctx, address, "GET", "/home/"+url.PathEscape(home)+"/display", nil, &s); err != nil {
			if !once && ctx.Err() != nil {
				return nil
			}
			return err
		}
		if asJSON {
			return printJSON(out, s)
		}
		var b bytes.Buffer
		if !once {
			b.WriteString("\x1b[H\x1b[2J") // to the corner, and clear
		}
		if err := s.Write(&b); err != nil {
			return err
		}
		if _, err := out.Write(b.Bytes()); err != nil || once {
			return err
		}
		t := time.NewTimer(every)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-t.C:
		}
	}
}

func newFleetPressCommand() *cobra.Command {
	var address string
	p := fleet.Press{}
	c := &cobra.Command{
		Use:   "press HOME KEY [CODE]",
		Short: "Be the consumer at a meter of a running serve: enter a code, use emergency credit, switch on",
		Long: `press does what a person does at the meter. KEY is

  code CODE   enter a top-up code; too many wrong ones lock the keypad as the make does
  emergency   activate emergency credit
  on          switch on a supply that is ready
  cover, terminal, battery, magnet   tamper with the meter, which its security log tells

With --display the code is entered at the display, which locks nothing.`,
		Example: `  smets1 fleet press moc-0001 code "$(smets1 fleet vend moc-0001 --pence 1000)"
  smets1 fleet press moc-0001 on --device gsme`,
		Args: usageArgs(cobra.RangeArgs(2, 3)),
		RunE: func(c *cobra.Command, args []string) error {
			p.Key = args[1]
			if (p.Key == "code") != (len(args) == 3) {
				return usageError{errors.New("write code CODE, or emergency, or on")}
			}
			if len(args) == 3 {
				p.Code = args[2]
			}
			b, err := json.Marshal(p)
			if err != nil {
				return err
			}
			var shown string
			if err := control(c.Context(), address, "POST", "/home/"+url.PathEscape(args[0])+"/press", bytes.NewReader(b), &shown); err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), shown)
			return nil
		},
	}
	controlFlag(c, &address)
	c.Flags().StringVar(&p.Device, "device", "esme", "esme or gsme")
	c.Flags().BoolVar(&p.Display, "display", false, "enter the code at the display")
	return c
}

// controlVend is what a code is asked for.
type controlVend struct {
	Device string       `json:"device"`
	Token  prepay.Token `json:"token"`
}

// codeKinds are the words for what a code asks for.
var codeKinds = map[string]prepay.Kind{
	"vend": prepay.Vend, "deduct": prepay.Deduct, "set": prepay.SetBalance, "refund": prepay.Refund, "supply": prepay.Supply,
	"engineering": prepay.Engineering, "tariff": prepay.VendTariff,
}

func newFleetVendCommand() *cobra.Command {
	var address, device, kind string
	var t prepay.Token
	var extra []int64
	c := &cobra.Command{
		Use:   "vend HOME",
		Short: "Make a top-up code for a meter of a running serve",
		Long: `vend makes the digits that a meter takes: 20, and 20 more for each --extra as far as
the make takes them. A code is for one meter and good once; its --counter tells codes
apart, and is the next one after the highest that the meter has seen if it is not given:
two codes that are made before one of them is entered need counters of their own.

  vend, deduct, set, refund   --value in pence
  tariff                      --value in pence, --extra PRICE1,PRICE2 in millipence a kWh
  supply                      --value 0 disconnects, 1 makes ready; --extra TIME in seconds since 1970
  engineering                 --value 1 back to credit mode, 7 clear the log

The form of the codes is this simulator's; no real meter takes one.`,
		Example: `  smets1 fleet vend moc-0001 --pence 1000
  smets1 fleet vend moc-0001 --kind supply --value 1 --device gsme`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			k, ok := codeKinds[kind]
			if !ok {
				return usageError{fmt.Errorf("--kind %q: vend, deduct, set, refund, supply, engineering or tariff", kind)}
			}
			t.Kind, t.Extra = k, nil
			for _, x := range extra {
				t.Extra = append(t.Extra, uint64(x))
			}
			b, err := json.Marshal(controlVend{device, t})
			if err != nil {
				return err
			}
			var code string
			if err := control(c.Context(), address, "POST", "/home/"+url.PathEscape(args[0])+"/vend", bytes.NewReader(b), &code); err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), prepay.Group(code))
			return nil
		},
	}
	controlFlag(c, &address)
	f := c.Flags()
	f.StringVar(&device, "device", "esme", "esme or gsme")
	f.StringVar(&kind, "kind", "vend", "what the code asks for")
	f.Uint32Var(&t.Value, "value", 0, "pence, or what the kind says")
	f.Uint32Var(&t.Value, "pence", 0, "the same as --value")
	f.Uint32Var(&t.Counter, "counter", 0, "that tells codes apart; 0 takes the next")
	f.Int64SliceVar(&extra, "extra", nil, "further values, 20 more digits each")
	return c
}
