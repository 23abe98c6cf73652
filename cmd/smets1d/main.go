// Command smets1d is the daemon: a gateway that keeps the keys of hubs and
// meters, talks DLMS with them over TCP and serial lines, and takes its commands
// over MQTT, from an embedded broker or another one. With a fleet manifest it
// runs the virtual homes too.
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
	"github.com/spf13/pflag"

	"smets1/cmd/internal/config"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// Exit statuses, as those of smets1.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2 // the command line or the configuration is wrong: starting again will not help
)

// usageError is a mistake that the person at the keyboard can mend.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func run(args []string, stdout, stderr io.Writer) int {
	// The first signal stops in order; from then on the default holds again, so that
	// a second one ends the process at once. What was acknowledged is on disk.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	root := newRootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "smets1d: %v\n", err)
		return exitUsage
	default:
		fmt.Fprintf(stderr, "smets1d: %v\n", err)
		return exitFailed
	}
}

func newRootCommand() *cobra.Command {
	var file string
	root := &cobra.Command{
		Use:   "smets1d",
		Short: "The gateway between MQTT and smart meters, as a daemon",
		Long: `smets1d is the gateway: it keeps the keys of hubs and meters, talks DLMS with
them over TCP and serial lines, and takes its commands over MQTT, from an
embedded broker or another one. With a fleet manifest it runs virtual homes too.

Settings come from a YAML file, over it from environment variables (SMETS1_…),
over those from flags; smets1d config explain tells all of them. Without any it
listens for MQTT on 127.0.0.1:1883 and keeps its state in ./state.

It stops on SIGTERM or Ctrl-C, at once on a second one, and reads its log level
again on SIGHUP. Under systemd it tells READY, STOPPING and WATCHDOG.`,
		Example: `  smets1d --config /etc/smets1/smets1d.yaml
  smets1d --homes-manifest fleet.yaml --homes-speed 60
  smets1d config check /etc/smets1/smets1d.yaml
  smets1d config explain > smets1d.yaml`,
		Args:          cobra.NoArgs,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(c *cobra.Command, _ []string) error {
			s := sources(c, file)
			cfg, err := config.Load(s)
			if err != nil {
				return usageError{err}
			}
			return serve(c.Context(), cfg, s, c.ErrOrStderr())
		},
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w (see %s --help)", err, c.CommandPath())}
	})
	root.Flags().StringVarP(&file, "config", "c", "", "configuration file, YAML (default: $SMETS1_CONFIG, or none)")
	settings(root.Flags())
	root.AddCommand(newConfigCommand())
	return root
}

// settings adds a flag for each setting that one value can express.
func settings(f *pflag.FlagSet) {
	for _, k := range config.Schema() {
		if k.Flag() == "" {
			continue
		}
		doc := k.Doc
		if k.Default != "" {
			doc += " (default " + k.Default + ")"
		}
		f.String(k.Flag(), "", doc)
	}
}

func sources(c *cobra.Command, file string) config.Sources {
	if file == "" {
		file = os.Getenv("SMETS1_CONFIG")
	}
	s := config.Sources{File: file, Environ: os.Environ(), Flags: map[string]string{}}
	c.Flags().Visit(func(f *pflag.Flag) { s.Flags[f.Name] = f.Value.String() })
	return s
}

func newConfigCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "Check a configuration, or explain what can be set",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(&cobra.Command{
		Use:   "check FILE",
		Short: "Tell every mistake in a file, by line and column",
		Long: `check reads a configuration file as the daemon would, with what the environment
sets over it, and the files that it names: certificates, the fleet manifest,
handover files. It changes nothing. The exit status is 0 if the daemon would
take it, else 2.`,
		Example: "  smets1d config check /etc/smets1/smets1d.yaml",
		Args: func(c *cobra.Command, args []string) error {
			if err := cobra.ExactArgs(1)(c, args); err != nil {
				return usageError{err}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if _, err := config.Load(config.Sources{File: args[0], Environ: os.Environ()}); err != nil {
				return usageError{fmt.Errorf("%s is refused:\n%w", args[0], err)}
			}
			fmt.Fprintf(c.OutOrStdout(), "%s: ok\n", args[0])
			return nil
		},
	}, &cobra.Command{
		Use:   "acl FILE",
		Short: "Print the access list that holds the clients of a file to their roles at mosquitto",
		Long: `acl prints, for the clients that a configuration names under broker.clients, what
each may publish to and subscribe to, in the form of mosquitto's acl_file. A
verb is a part of its topic: so the broker, which alone knows who sent a message,
can hold each user to its roles. The embedded broker does so without.`,
		Example: "  smets1d config acl smets1d.yaml > /etc/mosquitto/smets1.acl",
		Args: func(c *cobra.Command, args []string) error {
			if err := cobra.ExactArgs(1)(c, args); err != nil {
				return usageError{err}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := config.Load(config.Sources{File: args[0], Environ: os.Environ()})
			if err != nil {
				return usageError{fmt.Errorf("%s is refused:\n%w", args[0], err)}
			}
			return writeACL(c.OutOrStdout(), cfg)
		},
	}, &cobra.Command{
		Use:     "explain",
		Short:   "Print every setting with its meaning, default, variable and flag",
		Example: "  smets1d config explain > smets1d.yaml",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return config.Explain(c.OutOrStdout()) },
	})
	return c
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
