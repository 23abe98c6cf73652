package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"smets1/cmd/internal/lab"
	"smets1/internal/store"
	"smets1/internal/store/archive"
)

func newStateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "state",
		Short: "Check, export, back up and restore the state folder of a gateway",
		Long: `state works on the folder of a daemon or demo that does not run: one process at a
time has it. Keys are sealed in it and stay sealed in what is made of it; the root
key is never copied.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	var state string
	c.PersistentFlags().StringVar(&state, "state", "state", "the state folder")
	with := func(ctx context.Context, f func(context.Context, store.Store) error) error {
		err := lab.WithStore(ctx, state, false, slog.New(slog.DiscardHandler), func(s store.Store) error { return f(ctx, s) })
		if errors.Is(err, fs.ErrNotExist) {
			return usageError{err}
		}
		return err
	}
	check := &cobra.Command{
		Use: "check", Short: "Read every record and tell what is damaged",
		Long:    "check reads every record of every bucket and decodes those whose form it knows. The\nexit status is 0 if all is good, else 1.",
		Example: "  smets1 state check --state /var/lib/smets1",
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			return with(c.Context(), func(ctx context.Context, s store.Store) error {
				report, err := archive.Check(ctx, s)
				for _, b := range report {
					fmt.Fprintf(c.OutOrStdout(), "%-12s %8d records %12d bytes  sync %-5t %d damaged\n", b.Name, b.Records, b.Bytes, b.Sync, len(b.Damaged))
					for _, d := range b.Damaged {
						fmt.Fprintf(c.OutOrStdout(), "  %s\n", d)
						err = errors.Join(err, errors.New(d))
					}
				}
				return err
			})
		},
	}
	export := &cobra.Command{
		Use: "export FILE.db", Short: "Write the state as an SQLite database, for people and their tools",
		Long: `export writes a database with a table "records" (bucket, key, revision, value, and
the same as JSON where it is JSON) and a table "jobs" of the commands and their
results. Sealed keys are left out.`,
		Example: "  smets1 state export state.db\n  sqlite3 state.db 'select verb, status, count(*) from jobs group by 1,2'",
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if _, err := os.Lstat(args[0]); err == nil {
				return usageError{fmt.Errorf("%s is there already: name another file", args[0])}
			}
			return with(c.Context(), func(ctx context.Context, s store.Store) error {
				n, err := archive.ExportSQLite(ctx, s, args[0])
				if err == nil {
					fmt.Fprintf(c.OutOrStdout(), "%s: %d records\n", args[0], n)
				}
				return err
			})
		},
	}
	backup := &cobra.Command{
		Use: "backup FILE", Short: "Write every record into one file",
		Long: `backup writes every record of every bucket, sealed keys included, into one file
with a digest at its end. Keep it as you keep the state. Without the root key its
keys are of no use.`,
		Example: "  smets1 state backup smets1-2026-11-24.backup",
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			return with(c.Context(), func(ctx context.Context, s store.Store) (err error) {
				f, err := os.OpenFile(args[0], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
				if err != nil {
					return usageError{err}
				}
				n, err := archive.Backup(ctx, s, f)
				if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
					return errors.Join(err, os.Remove(args[0]))
				}
				fmt.Fprintf(c.OutOrStdout(), "%s: %d records\n", args[0], n)
				return nil
			})
		},
	}
	restore := &cobra.Command{
		Use: "restore FILE", Short: "Fill an empty state folder from a backup",
		Long: `restore takes a backup into a state folder that has no records; it is made if it is
not there. The file is checked as a whole first. Keys and invocation counters are
then what they were when the backup was made: see docs/operations.md before using
it on devices that were spoken to since.`,
		Example: "  smets1 state restore smets1-2026-11-24.backup --state new-state",
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			f, err := os.Open(args[0])
			if err != nil {
				return usageError{err}
			}
			defer f.Close() //nolint:errcheck // it was only read
			return lab.WithStore(c.Context(), state, true, slog.New(slog.DiscardHandler), func(s store.Store) error {
				n, err := archive.Restore(c.Context(), s, f)
				if err == nil {
					fmt.Fprintf(c.OutOrStdout(), "%s: %d records; put the root key beside them before you start\n", state, n)
				}
				return err
			})
		},
	}
	c.AddCommand(check, export, backup, restore)
	return c
}
