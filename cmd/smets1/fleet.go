package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"smets1/device/fleet"
)

func newFleetCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "fleet",
		Short: "Virtual homes: write a manifest, run them, list them",
		Long: `fleet is about virtual homes: a hub with an electricity meter, and a gas meter and
a display where the home has them. A manifest and its seed say which; the same
manifest gives the same homes, identities and keys on every machine.

init writes a manifest to edit; serve runs its homes and nothing else, for any
DLMS program; smets1d with homes.manifest runs them behind a gateway. What serve runs,
status, inspect, wake, step, save and load look at and move.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newFleetInitCommand(), newFleetServeCommand(), newFleetStatusCommand(), newFleetInspectCommand(), newFleetDisplayCommand(), newFleetPressCommand(), newFleetVendCommand(), newFleetWakeCommand(), newFleetStepCommand(), newFleetSaveCommand(), newFleetLoadCommand(), newFleetInventoryCommand(), newFleetHandoverCommand())
	return c
}

//go:embed fleet_manifest.yaml
var manifestTemplate []byte

func newFleetInitCommand() *cobra.Command {
	force := false
	c := &cobra.Command{
		Use:   "init [FILE]",
		Short: "Write a manifest with comments, to be edited",
		Example: `  smets1 fleet init
  smets1 fleet init lab/fleet.yaml`,
		Args: usageArgs(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			path := "fleet.yaml"
			if len(args) == 1 {
				path = args[0]
			}
			flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
			if force {
				flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
			}
			if err := writeFile(path, flags, 0o644, func(w io.Writer) error {
				_, err := w.Write(manifestTemplate)
				return err
			}); err != nil {
				if errors.Is(err, fs.ErrExist) {
					err = usageError{fmt.Errorf("%s is there already: name another file, or say --force", path)}
				}
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "%s is written; edit it, then: smets1 fleet serve %s\n", path, path)
			return nil
		},
	}
	c.Flags().BoolVar(&force, "force", false, "write over a file that is there")
	return c
}

// writeFile writes a file and has it on disk when it returns.
func writeFile(path string, flags int, mode fs.FileMode, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, flags, mode)
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// openManifest gives the homes of a manifest, not running.
func openManifest(ctx context.Context, path string, o fleet.Options) (*fleet.Fleet, error) {
	m, err := fleet.LoadManifest(path)
	if errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("%w: smets1 fleet init writes one", err)
	}
	if err != nil {
		return nil, usageError{err}
	}
	return fleet.Open(ctx, m, o)
}
