// Command smets1 is what a person types: it rehearses the migration of SMETS1
// homes and talks to hubs and meters.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
)

func main() { os.Exit(run(os.Args[1:])) }

// Exit statuses, for scripts.
const (
	exitOK          = 0
	exitFailed      = 1 // what was asked for did not come out right
	exitUsage       = 2 // the command line, a file or the configuration is wrong
	exitInterrupted = 130
)

// usageError is a mistake that the person at the keyboard can mend.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func run(args []string) int {
	// A second Ctrl-C ends the process at once; what was acknowledged is on disk.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	root := newRootCommand()
	root.SetArgs(args)
	return exitStatus(ctx, root.ExecuteContext(ctx), os.Stderr)
}

// exitStatus tells what went wrong and gives the status that says so.
func exitStatus(ctx context.Context, err error, stderr io.Writer) int {
	var usage usageError
	var coded interface{ ExitCode() int }
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &coded):
		fmt.Fprintf(stderr, "smets1: %v\n", err)
		return coded.ExitCode()
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		fmt.Fprintln(stderr, "interrupted; what was acknowledged is on disk")
		return exitInterrupted
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "smets1: %v\n", err)
		return exitUsage
	default:
		fmt.Fprintf(stderr, "smets1: %v\n", err)
		return exitFailed
	}
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "smets1",
		Short: "A laboratory for SMETS1 smart metering in Great Britain",
		Long: `smets1 models communications hubs, electricity and gas meters and displays of
the first generation of smart meters in Great Britain, talks to real ones
through the same code, and rehearses their migration to the DCC.

Start with:  smets1 demo`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w (see %s --help)", err, c.CommandPath())}
	})
	root.AddCommand(newDemoCommand(), newDLMSCommand(), newDecodeCommand(), newFleetCommand(), newBenchCommand(), newKeysCommand(), newFirmwareCommand(), newMQTTCommand(), newJobsCommand(), newAuditCommand(), newStateCommand(), newSerialCommand(), newMigrateCommand(), newHWTestCommand())
	root.AddCommand(newRadioCommand())
	return root
}

// version is the module's version, or the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	if v == "" || v == "(devel)" {
		v = "devel"
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				v += "-" + s.Value[:12]
			}
		}
	}
	return v
}
