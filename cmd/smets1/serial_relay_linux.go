package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"smets1/internal/clock"
	"smets1/transport/fault"
	"smets1/transport/serial"
	"smets1/transport/trace"
)

// farEnd is a pty for another program, with a link to it if one is wanted.
type farEnd struct {
	*serial.PTY
	link string
}

func newFarEnd(link string) (*farEnd, error) {
	p, err := serial.NewPTY()
	if err != nil {
		return nil, err
	}
	if link != "" {
		if st, err := os.Lstat(link); err == nil && st.Mode()&os.ModeSymlink != 0 {
			_ = os.Remove(link) // of an earlier run; what is no link stays
		}
		if err := os.Symlink(p.Path(), link); err != nil {
			_ = p.Close()
			return nil, usageError{err}
		}
	}
	return &farEnd{p, link}, nil
}

func (f *farEnd) name() string {
	if f.link != "" {
		return f.link
	}
	return f.Path()
}

func (f *farEnd) Close() error {
	if f.link != "" {
		_ = os.Remove(f.link)
	}
	return f.PTY.Close()
}

func newSerialRecordCommand() *cobra.Command {
	var out, link, faults, fired string
	c := &cobra.Command{
		Use:   "record PORT",
		Short: "Stand between a port and a program, and record what passes",
		Long: `record opens PORT and offers a pty in its place: start the program on the pty. What
passes goes to a trace file as text, until Ctrl-C or until the device is gone.

The port follows the speed that the program sets on the pty. A pty does not tell
bits and parity: with modee=1 in PORT 300 baud means 7E1, and all else 8N1.`,
		Example: `  smets1 serial record serial://alias/bench-3 --out hub.trace --pty /tmp/hub`,
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) (err error) {
			if out == "" {
				return usageError{errors.New("where to? Say --out FILE")}
			}
			at, err := findPort(args[0])
			if err != nil {
				return err
			}
			var wrong *fault.Line
			if faults != "" {
				plan, err := fault.Load(faults)
				if err == nil {
					wrong, err = fault.New(plan, nil)
				}
				if err != nil {
					return usageError{err}
				}
			}
			f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
			if err != nil {
				return usageError{err}
			}
			defer func() { err = errors.Join(err, f.Close()) }()
			mode := at.OpeningMode().WithDefaults()
			port, err := openPort(at, mode)
			if err != nil {
				return err
			}
			r := trace.NewRecorder(f, clock.Real(), "port: "+args[0], "recorded "+clock.Real().Now().Format(time.RFC3339))
			r.StartMode(mode)
			if wrong != nil {
				wrong.InMode(mode)
				port = wrong.Port(port)
			}
			port = r.Port(port)
			far, err := newFarEnd(link)
			if err != nil {
				return errors.Join(err, port.Close())
			}
			fmt.Fprintf(c.ErrOrStderr(), "recording to %s: start the program on %s\n", out, far.name())
			err = relay(c.Context(), far, port, at.SignOn, mode)
			if errors.Is(err, serial.ErrUnplugged) || errors.Is(err, context.Canceled) {
				fmt.Fprintf(c.ErrOrStderr(), "recording ends: %v\n", err)
				err = nil
			}
			if wrong != nil {
				text, planErr := fault.Plan{Faults: wrong.Fired()}.YAML()
				if err = errors.Join(err, planErr); fired != "" {
					err = errors.Join(err, os.WriteFile(fired, text, 0o644))
				} else {
					fmt.Fprintf(c.ErrOrStderr(), "these faults struck:\n%s", text)
				}
			}
			return errors.Join(err, r.Close())
		},
	}
	c.Flags().StringVarP(&out, "out", "o", "", "trace `FILE`, which must not be there yet")
	c.Flags().StringVar(&link, "pty", "", "`LINK` that leads to the pty")
	c.Flags().StringVar(&faults, "faults", "", "let things go wrong as a plan `FILE` says")
	c.Flags().StringVar(&fired, "fired", "", "plan `FILE` for what struck, without chance: serial shrink takes it (default: standard error)")
	return c
}

// relay carries bytes between a program on a pty and a port until one is gone or ctx ends.
func relay(ctx context.Context, far *farEnd, port serial.Port, text bool, mode serial.Mode) error {
	var wg sync.WaitGroup
	failed := make(chan error, 2)
	wg.Go(func() {
		_, err := io.Copy(far.PTY, onlyReader{port})
		failed <- err
	})
	wg.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, err := far.Read(buf)
			if err != nil {
				failed <- err
				return
			}
			if baud, err := far.Baud(); err == nil && baud != mode.Baud {
				mode = serial.Mode{Baud: baud, DataBits: 8}
				if text && baud == 300 {
					mode = serial.Mode{Baud: 300, DataBits: 7, Parity: serial.EvenParity}
				}
				if err := port.SetMode(mode); err != nil {
					failed <- err
					return
				}
			}
			if _, err := port.Write(buf[:n]); err != nil {
				failed <- err
				return
			}
		}
	})
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	_ = port.Close() // it is of no use any more
	_ = far.Close()
	wg.Wait()
	return err
}

// onlyReader keeps io.Copy from looking for other ways.
type onlyReader struct{ io.Reader }

func newSerialReplayCommand() *cobra.Command {
	var link string
	var timed bool
	c := &cobra.Command{
		Use:   "replay FILE",
		Short: "Play a recorded device to a program on a pty",
		Long: `replay offers a pty on which the device of a trace answers, byte for byte: start the
program on the pty. It ends with the trace, or with the first difference, which it
names by the line of the trace and both values. ?? in the trace stands for any byte.`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			t, err := trace.Load(args[0])
			if err != nil {
				return usageError{err}
			}
			far, err := newFarEnd(link)
			if err != nil {
				return err
			}
			defer far.Close() //nolint:errcheck // the cable is gone either way
			fmt.Fprintf(c.ErrOrStderr(), "replaying %s: start the program on %s\n", args[0], far.name())
			r := trace.NewReplay(t, trace.Config{Timed: timed, NoModes: true})
			if err := playOn(c.Context(), far, r); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "%s was played to its end\n", args[0])
			return nil
		},
	}
	c.Flags().StringVar(&link, "pty", "", "`LINK` that leads to the pty")
	c.Flags().BoolVar(&timed, "timed", false, "answer as slowly as the device did")
	return c
}

// playOn carries bytes between a program on a pty and a replay until that is over.
func playOn(ctx context.Context, far *farEnd, r *trace.Replay) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	defer func() { _ = r.Close() }()
	wg.Go(func() { _, _ = io.Copy(far.PTY, onlyReader{r}) })
	buf := make([]byte, 4096)
	for ctx.Err() == nil {
		if r.Finished() {
			return r.Done()
		}
		if err := far.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			return err
		}
		n, err := far.Read(buf)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		if _, err := r.Write(buf[:n]); err != nil {
			return errors.Join(r.Done(), r.Close())
		}
	}
	return r.Done()
}

// radioLine opens a pty for a virtual dongle, with a link to it.
func radioLine(link string) (io.ReadWriteCloser, string, error) {
	far, err := newFarEnd(link)
	if err != nil {
		return nil, "", err
	}
	return far, far.name(), nil
}
