package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"smets1/cmd/internal/lab"
	"smets1/gateway/keystore"
	"smets1/internal/wire"
)

func newKeysBackupCommand() *cobra.Command {
	s := stateFlags{}
	c := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write the key store to a file, sealed as it is",
		Long: `backup writes all records to a file, sealed under the root key: who has the file
needs that key too, so keep the two apart. A sealed digest at the end tells a
whole file from another.`,
		Example: "  smets1 keys backup --state /var/lib/smets1 keys-20190407.backup",
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if _, err := s.load(); err != nil {
				return err
			}
			return s.with(c.Context(), false, func(st *lab.State, keys *keystore.Store) error {
				var n int
				err := writeFile(args[0], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600, func(w io.Writer) (err error) {
					n, err = keys.Backup(c.Context(), w, now())
					return err
				})
				if errors.Is(err, fs.ErrExist) {
					return usageError{fmt.Errorf("%s is there already: name another file", args[0])}
				}
				if err != nil {
					return err
				}
				fmt.Fprintf(c.OutOrStdout(), "%s: %d devices\n", args[0], n)
				return record(st, "keys.backup", wire.EUI64{}, fmt.Sprintf("%d devices to %s", n, args[0]))
			})
		},
	}
	s.add(c)
	return c
}

func newKeysRestoreCommand() *cobra.Command {
	s := stateFlags{}
	c := &cobra.Command{
		Use:   "restore FILE",
		Short: "Fill an empty key store from a backup, whole or not at all",
		Long: fmt.Sprintf(`restore reads a backup into a state folder that has no keys, under the root key
that the backup was made with. If it is interrupted, run it again; until then
the store does not open.

Keys that were changed since the backup are lost: run keys check --ask afterwards,
and keys repair. Invocation counters go on %d after where they were, past those
that may have been used since.`, keystore.RestoreSkip),
		Example: "  smets1 keys restore --state /var/lib/smets1 --root-file root.key keys-20190407.backup",
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if _, err := s.load(); err != nil {
				return err
			}
			file, err := os.Open(args[0])
			if err != nil {
				return usageError{err}
			}
			defer func() { _ = file.Close() }() // it was only read
			return s.folder(c.Context(), true, func(st *lab.State) error {
				config, err := st.KeysConfig(c.Context())
				if err != nil {
					return err
				}
				keys, err := keystore.Restore(c.Context(), config, file)
				if err != nil {
					return usageError{err}
				}
				all, err := keys.List(c.Context())
				if err != nil {
					return err
				}
				fmt.Fprintf(c.OutOrStdout(), "%d devices; their counters go on %d later\n", len(all), keystore.RestoreSkip)
				return record(st, "keys.restore", wire.EUI64{}, fmt.Sprintf("%d devices from %s", len(all), args[0]))
			})
		},
	}
	s.add(c)
	return c
}

func newKeysRotateRootCommand() *cobra.Command {
	var (
		s    stateFlags
		next lab.Root
	)
	c := &cobra.Command{
		Use:   "rotate-root",
		Short: "Seal the key store anew under another root key",
		Long: `rotate-root seals every record anew, under the root key named by --new-root-file (made
if there is none), --new-root-env or --new-root-passphrase-file. If it is
interrupted, run the same command again; until then the store does not open.

Where the root key is root.key in the state folder and no new one is named, a fresh
one takes its place. Backups stay sealed under the old key: make a new one.`,
		Example: `  smets1 keys rotate-root --state /var/lib/smets1
  smets1 keys rotate-root --state /var/lib/smets1 --new-root-file /etc/smets1/root.key`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if _, err := s.load(); err != nil {
				return err
			}
			return s.folder(c.Context(), false, func(st *lab.State) error {
				inPlace := next == lab.Root{}
				if inPlace {
					if s.rootFile != "" || s.rootEnv != "" || s.passphrase != "" {
						return usageError{errors.New("name the new root key by --new-root-file, --new-root-env or --new-root-passphrase-file")}
					}
					next.File = st.RootPath() + ".next"
				}
				key, err := next.Key(st.Dir)
				if err != nil {
					return usageError{err}
				}
				config, err := st.KeysConfig(c.Context())
				if err != nil {
					return err
				}
				n, err := keystore.Rotate(c.Context(), config, key)
				if err != nil {
					return err
				}
				if inPlace {
					if err := os.Rename(next.File, st.RootPath()); err != nil {
						return err
					}
				}
				fmt.Fprintf(c.OutOrStdout(), "%d records are sealed under root key %s\n", n, key.Fingerprint())
				return record(st, "keys.rotate-root", wire.EUI64{}, fmt.Sprintf("fingerprint %s, in %s", key.Fingerprint(), next.File))
			})
		},
	}
	s.add(c)
	f := c.Flags()
	f.StringVar(&next.File, "new-root-file", "", "file of the new root key, made if there is none")
	f.StringVar(&next.Env, "new-root-env", "", "environment variable with the new root key")
	f.StringVar(&next.Passphrase, "new-root-passphrase-file", "", "file of a passphrase that the new root key is derived from")
	return c
}
