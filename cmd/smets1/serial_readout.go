package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"smets1/dlms/optical"
	"smets1/dlms/optical/signon"
	"smets1/gateway/session"
	"smets1/transport/serial"
)

// pushFormat is what meters of mode D speak.
var pushFormat = optical.Format{Baud: 2400, Text: true}

func newSerialReadoutCommand() *cobra.Command {
	var out, address string
	var push bool
	var timeout time.Duration
	c := &cobra.Command{
		Use:   "readout PORT",
		Short: "Read what a meter tells of itself at its optical port, as text",
		Long: `readout is for meters that have no HDLC: it signs on (IEC 62056-21), takes the data
that a meter of modes A, B or C sends, checks the block check character, and writes the
identification and the lines as the meter does, with plain line ends. A meter of mode D
sends by itself, at 2400 baud, when its button is pressed: --push waits for that.`,
		Example: `  smets1 serial readout serial://alias/probe --out meter.txt
  smets1 serial readout serial://alias/probe --push --timeout 2m`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			at, err := findPort(args[0])
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeoutCause(c.Context(), timeout, os.ErrDeadlineExceeded)
			defer cancel()
			at.SignOn = true
			mode := at.OpeningMode()
			if push && at.Mode == (serial.Mode{}) {
				mode = session.ModeOf(pushFormat)
			}
			port, err := openPort(at, mode)
			if err != nil {
				return err
			}
			defer port.Close() //nolint:errcheck // it was only read
			var r signon.Result
			if push {
				r, err = pushed(ctx, port)
			} else {
				r, err = signon.Dial(ctx, port, func(f optical.Format) error { return port.SetMode(session.ModeOf(f)) }, optical.ClientConfig{
					Address: address, MaxBaud: at.MaxBaud, SoftParity: mode.DataBits == 8 && at.Mode.DataBits != 0,
				})
			}
			if err != nil {
				return classify(err)
			}
			text := fmt.Sprintf("%s\n%s!\n", r.Identification, r.Data)
			if out == "" {
				_, err = io.WriteString(c.OutOrStdout(), text)
				return err
			}
			return writeFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644, func(w io.Writer) error { _, err := io.WriteString(w, text); return err })
		},
	}
	c.Flags().StringVarP(&out, "out", "o", "", "text `FILE`, which must not be there yet (default: standard output)")
	c.Flags().StringVar(&address, "address", "", "device `ADDRESS` of the meter (default: whoever is there)")
	c.Flags().BoolVar(&push, "push", false, "wait for a meter of mode D, which sends unasked")
	c.Flags().DurationVar(&timeout, "timeout", 2*time.Minute, "give up after")
	return c
}

// pushed waits for what a meter of mode D sends.
func pushed(ctx context.Context, port serial.Port) (r signon.Result, err error) {
	stop := context.AfterFunc(ctx, func() { _ = port.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	var got []byte
	buf := make([]byte, 256)
	for {
		n, err := port.Read(buf)
		if err != nil {
			return r, errors.Join(err, context.Cause(ctx))
		}
		for _, x := range buf[:n] {
			text, _ := optical.StripParity(x)
			got = append(got, text)
		}
		for i := bytes.IndexByte(got, '/'); i >= 0; i = bytes.IndexByte(got, '/') {
			got = got[i:]
			p, _, err := optical.ParsePush(got)
			if err == nil {
				return signon.Result{Identification: p.Identification, Data: p.Data, Format: pushFormat}, nil
			}
			if errors.Is(err, optical.ErrTruncated) {
				break
			}
			got = got[1:] // noise, or a message whose beginning was missed
		}
	}
}
