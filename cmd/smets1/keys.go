package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"smets1/cmd/internal/config"
	"smets1/cmd/internal/lab"
	"smets1/gateway/keystore"
	"smets1/internal/wire"
)

func newKeysCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "keys",
		Short: "The keys of devices: import, list, check, repair, back up",
		Long: `keys works on the key store of a state folder, while no daemon uses it; check can
ask a running gateway instead. No key is ever shown: sets go by their fingerprint.

A device has up to three sets: current opens it as far as is known, pending is
being given to it, previous opened it before the last change.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newKeysImportCommand(), newKeysListCommand(), newKeysCheckCommand(), newKeysExportCommand(),
		newKeysBackupCommand(), newKeysRestoreCommand(), newKeysRotateRootCommand(), newKeysRepairCommand())
	return c
}

// stateFlags say which state folder.
type stateFlags struct {
	state, config                 string
	rootFile, rootEnv, passphrase string
}

func (s *stateFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&s.state, "state", "state", "state folder of smets1d or smets1 demo")
	f.StringVar(&s.config, "config", "", "take state folder and root key from this configuration of smets1d")
	f.StringVar(&s.rootFile, "root-file", "", "file of the root key (default: root.key in the state folder)")
	f.StringVar(&s.rootEnv, "root-env", "", "environment variable with the root key")
	f.StringVar(&s.passphrase, "root-passphrase-file", "", "file of a passphrase that the root key is derived from")
}

// load gives the configuration, if one is named, and takes over what it says.
func (s *stateFlags) load() (*config.Config, error) {
	if given := []string{s.rootFile, s.rootEnv, s.passphrase}; len(slices.DeleteFunc(given, func(v string) bool { return v == "" })) > 1 {
		return nil, usageError{errors.New("--root-file, --root-env and --root-passphrase-file: give one")}
	}
	if s.config == "" {
		return nil, nil
	}
	cfg, err := config.Load(config.Sources{File: s.config, Environ: os.Environ()})
	if err != nil {
		return nil, usageError{err}
	}
	s.state = cfg.State
	if s.rootFile == "" && s.rootEnv == "" && s.passphrase == "" {
		s.rootFile, s.rootEnv, s.passphrase = cfg.Keys.RootFile, cfg.Keys.RootEnv, cfg.Keys.RootPassphraseFile
	}
	return cfg, nil
}

// with runs f on the key store. begin says that a state folder may be begun.
func (s *stateFlags) with(ctx context.Context, begin bool, f func(*lab.State, *keystore.Store) error) error {
	return s.folder(ctx, begin, func(st *lab.State) error {
		keys, err := st.Keys(ctx)
		if err != nil {
			return err
		}
		return f(st, keys)
	})
}

// folder runs f on the state folder, the key store of which may not open.
func (s *stateFlags) folder(ctx context.Context, begin bool, f func(*lab.State) error) (err error) {
	open := lab.OpenState
	if begin {
		open = lab.BeginState
	}
	st, err := open(ctx, s.state, lab.Root{File: s.rootFile, Env: s.rootEnv, Passphrase: s.passphrase}, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	return f(st)
}

func newKeysImportCommand() *cobra.Command {
	s := stateFlags{}
	c := &cobra.Command{
		Use:   "import FILE…",
		Short: "Take handover files into the key store, each whole or not at all",
		Long: `import reads handover files (JSON, smets1-key-handover/1): the keys with which
devices come from their operator. A file with any mistake, or with a device that
is there under other keys, changes nothing. Devices that are there under the same
keys are left as they are. Delete the files afterwards: they hold keys in clear.

  {"format": "smets1-key-handover/1", "owner": "SMSO", "devices": [
    {"eui": "00-DB-12-34-56-78-90-A0", "type": "esme", "system_title": "4D4D4D0000000001",
     "key_version": 1, "guek": "…32 hex…", "gak": "…32 hex…", "kek": "…32 hex…",
     "invocation_counter": 17}]}

type is chf, esme, gsme or ihd; system_title and gbek may be left out;
invocation_counter is the last one used under these keys.

A CSV file will do too: a line of these names (owner in every row, of one owner),
then a row per device, checked in the same way.`,
		Example: `  smets1 keys import --state /var/lib/smets1 handover.json
  smets1 keys import --config /etc/smets1/smets1d.yaml handover.json`,
		Args: usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if _, err := s.load(); err != nil {
				return err
			}
			return s.with(c.Context(), true, func(st *lab.State, keys *keystore.Store) error {
				for _, path := range args {
					n, err := lab.ImportKeys(c.Context(), keys, path, lab.MustMatch, now())
					if err != nil {
						return usageError{err}
					}
					if err := record(st, "keys.import", wire.EUI64{}, fmt.Sprintf("%d devices from %s", n, path)); err != nil {
						return err
					}
					fmt.Fprintf(c.OutOrStdout(), "%s: %d new devices\n", path, n)
				}
				return nil
			})
		},
	}
	s.add(c)
	return c
}

func newKeysExportCommand() *cobra.Command {
	var (
		s      stateFlags
		out    string
		reveal bool
	)
	c := &cobra.Command{
		Use:   "export DEVICE",
		Short: "Write the keys of one device, in clear, for who operates it next",
		Long: `export writes the current keys of one device as a handover file, readable by its
owner alone. It needs --reveal-keys, and leaves a line in audit.jsonl of the state
folder before the first key is written. There is no export of more than a device.

Whoever uses the keys goes on with the invocation counters after the one in the
file. Do not use them from two places: a device refuses the lower counter, and a
counter used twice breaks the cipher.`,
		Example: "  smets1 keys export --state /var/lib/smets1 --reveal-keys --out esme.json 00-DB-12-34-56-78-90-A0",
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			eui, err := parseDevice(args[0])
			switch {
			case err != nil:
				return err
			case !reveal:
				return usageError{errors.New("this writes keys in clear: say --reveal-keys if you mean it")}
			case out == "":
				return usageError{errors.New("name a file by --out: keys do not go to a terminal")}
			}
			if _, err := s.load(); err != nil {
				return err
			}
			return s.with(c.Context(), false, func(st *lab.State, keys *keystore.Store) error {
				return exportKeys(c.Context(), c.OutOrStdout(), st, keys, eui, out)
			})
		},
	}
	s.add(c)
	f := c.Flags()
	f.StringVar(&out, "out", "", "file to write, mode 0600; it must not exist")
	f.BoolVar(&reveal, "reveal-keys", false, "yes, write keys in clear")
	return c
}

func newKeysListCommand() *cobra.Command {
	s := stateFlags{}
	asJSON := false
	c := &cobra.Command{
		Use:   "list",
		Short: "List devices with their key sets: owner, version, fingerprint, proof",
		Example: `  smets1 keys list --state /var/lib/smets1
  smets1 keys list --json | jq -r 'select(.generation=="pending").device'`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if _, err := s.load(); err != nil {
				return err
			}
			return s.with(c.Context(), false, func(_ *lab.State, keys *keystore.Store) error {
				return listKeys(c.Context(), c.OutOrStdout(), keys, asJSON)
			})
		},
	}
	s.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "one line of JSON per set")
	return c
}

func newKeysCheckCommand() *cobra.Command {
	var (
		s      stateFlags
		b      brokerFlags
		asking bool
	)
	c := &cobra.Command{
		Use:   "check [HUB…]",
		Short: "Tell whether the keys are in order, in the store or on the devices",
		Long: `check looks into the key store: every record must open, every device of the hubs
in --config must have keys, and no key change may be left open. It changes nothing.

With --ask it asks the running gateway instead, over MQTT, to prove for the HUBs
given, or for all of its hubs, which stored set opens each device (keys.prove).
That opens an association with each and wakes hubs that sleep. Each device is a
match (the current set opens it), a drift (another one does: keys repair follows),
unknown (none does: find out whose keys it has), or out of reach.

The exit status is 0 if all is in order, else 1.`,
		Example: `  smets1 keys check --config /etc/smets1/smets1d.yaml
  smets1 keys check --ask
  smets1 keys check --ask --broker tcp://127.0.0.1:1883 00-DB-53-00-00-00-00-01`,
		RunE: func(c *cobra.Command, args []string) error {
			if asking {
				return proveKeys(c.Context(), c.OutOrStdout(), &b, args)
			}
			if len(args) > 0 {
				return usageError{errors.New("hubs are named with --ask; the store is checked whole")}
			}
			cfg, err := s.load()
			if err != nil {
				return err
			}
			return s.with(c.Context(), false, func(_ *lab.State, keys *keystore.Store) error {
				return checkKeys(c.Context(), c.OutOrStdout(), keys, cfg)
			})
		},
	}
	s.add(c)
	b.add(c)
	c.Flags().BoolVar(&asking, "ask", false, "ask the gateway at --broker to prove the keys at the devices")
	return c
}

// refused counts findings into an error.
func refused(w io.Writer, n int) error {
	if n == 0 {
		fmt.Fprintln(w, "all in order")
		return nil
	}
	return fmt.Errorf("%d findings", n)
}
