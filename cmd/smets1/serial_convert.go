package main

import (
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"smets1/transport/trace"
)

func newSerialConvertCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "convert FILE OUT.pcapng",
		Short: "Make a pcapng file of a trace, for Wireshark",
		Args:  usageArgs(cobra.ExactArgs(2)),
		RunE: func(_ *cobra.Command, args []string) error {
			t, err := trace.Load(args[0])
			if err != nil {
				return usageError{err}
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
				return t.Capture(w, args[0], recorded)
			})
		},
	}
	return c
}
