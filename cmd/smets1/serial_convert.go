package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"smets1/transport/trace"
)

func newSerialConvertCommand() *cobra.Command {
	var as string
	c := &cobra.Command{
		Use:   "convert FILE OUT.pcapng",
		Short: "Make a pcapng file of a trace, for Wireshark",
		Long: `convert writes what a trace has as Wireshark wants it: HDLC frames on link type USER0
(the dissector of docs/wireshark shows them), wrapper units as a TCP connection to port
4059, frames of a radio as IEEE 802.15.4. A trace without a mode that begins with a
wrapper unit is taken for one; --as says otherwise.`,
		Args: usageArgs(cobra.ExactArgs(2)),
		RunE: func(_ *cobra.Command, args []string) error {
			t, err := trace.Load(args[0])
			if err != nil {
				return usageError{err}
			}
			kind := trace.As(as)
			if as == "auto" {
				kind = trace.Auto
			} else if !slices.Contains([]trace.As{trace.HDLC, trace.Wrapper, trace.Radio}, kind) {
				return usageError{fmt.Errorf("--as %s: use auto, hdlc, wrapper or radio", as)}
			}
			recorded := time.Unix(0, 0).UTC()
			for _, h := range t.Header {
				if s, ok := strings.CutPrefix(h, "recorded "); ok {
					if at, err := time.Parse(time.RFC3339, s); err == nil {
						recorded = at
					}
				}
			}
			return writeFile(args[1], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644, func(w io.Writer) error {
				return t.Capture(w, args[0], recorded, kind)
			})
		},
	}
	c.Flags().StringVar(&as, "as", "auto", "what the trace is shown as: auto, hdlc, wrapper or radio")
	return c
}
