package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"smets1/gateway/audit"
	"smets1/internal/chain"
	"smets1/internal/wire"
)

func newAuditCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "audit",
		Short: "Check and read the audit of a gateway",
		Long: `The audit of a gateway is audit.jsonl in its state folder: who had what done to
which home, before it began and after it ended, what was forbidden, cancelled and
resolved, and who took keys in and out. It has no key and no argument. Each line
holds the digest of the one before.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newAuditVerifyCommand(), newAuditShowCommand())
	return c
}

func newAuditVerifyCommand() *cobra.Command {
	var head string
	c := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check that no line was changed, taken out or put in",
		Long: `verify reads an audit from its beginning and compares every link. What it cannot
see by itself is that lines were cut off the end: keep the head that it prints
somewhere else, and give it next time by --head; it must then still be there.

The exit status is 0 if the audit is good, else 1. FILE may be a state folder.`,
		Example: `  smets1 audit verify state
  smets1 audit verify /var/lib/smets1/audit.jsonl --head 1042:9f86d081…`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			var n uint64
			var hash string
			if head != "" {
				if _, err := fmt.Sscanf(head, "%d:%64s", &n, &hash); err != nil || len(hash) != 64 {
					return usageError{fmt.Errorf("--head %q: give what verify printed, like 12:9f86…", head)}
				}
			}
			f, err := openAudit(args[0])
			if err != nil {
				return err
			}
			defer f.Close() //nolint:errcheck // it was only read
			seen := n == 0
			var last chain.Head
			end, err := verifyTo(f, n, func(h chain.Head) { last, seen = h, seen || h.Hash == hash })
			if err != nil {
				return err
			}
			if !seen {
				return fmt.Errorf("%w: line %d is not the one whose digest is %s (it is %s)", chain.ErrChanged, n, hash, last.Hash)
			}
			fmt.Fprintf(c.OutOrStdout(), "%s: %d lines, good; head %d:%s\n", args[0], end.Seq, end.Seq, end.Hash)
			return nil
		},
	}
	c.Flags().StringVar(&head, "head", "", "head of an earlier check, which must still be in the file")
	return c
}

// verifyTo checks a whole file and tells the head as it was after line n.
func verifyTo(f io.ReadSeeker, n uint64, at func(chain.Head)) (chain.Head, error) {
	end, err := audit.Verify(f, nil)
	if err != nil || n == 0 {
		return end, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return end, err
	}
	enough := errors.New("enough")
	var count uint64
	h, err := chain.Verify(f, func([]byte) error {
		if count++; count > n {
			return enough
		}
		return nil
	})
	if err != nil && !errors.Is(err, enough) {
		return end, err
	}
	at(h)
	return end, nil
}

func openAudit(path string) (*os.File, error) {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		path = filepath.Join(path, audit.FileName)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, usageError{err}
	}
	return f, nil
}

func newAuditShowCommand() *cobra.Command {
	var hub, id, who string
	var asJSON bool
	c := &cobra.Command{
		Use:   "show FILE",
		Short: "Print the lines of an audit, checking them on the way",
		Example: `  smets1 audit show state --hub 00-DB-53-00-00-00-00-01
  smets1 audit show state --json | jq 'select(.action=="forbidden")'`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			var only wire.EUI64
			if hub != "" {
				var err error
				if only, err = wire.ParseEUI64(hub); err != nil {
					return usageError{fmt.Errorf("--hub: %w", err)}
				}
			}
			f, err := openAudit(args[0])
			if err != nil {
				return err
			}
			defer f.Close() //nolint:errcheck // it was only read
			_, err = audit.Verify(f, func(e audit.Entry) error {
				if hub != "" && e.Hub != only || id != "" && e.ID != id || who != "" && e.Who != who {
					return nil
				}
				if asJSON {
					return json.NewEncoder(c.OutOrStdout()).Encode(e)
				}
				_, err := fmt.Fprintf(c.OutOrStdout(), "%s %-9s %-16s %s %s %s %s %s %q\n", e.Time.Format("2006-01-02 15:04:05"), e.Action, e.Who, e.Hub, e.Verb, e.Device, e.ID, e.Code, e.Note)
				return err
			})
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&hub, "hub", "", "only of this hub")
	f.StringVar(&id, "id", "", "only of the command with this id")
	f.StringVar(&who, "who", "", "only of this client or user")
	f.BoolVar(&asJSON, "json", false, "a line of JSON each")
	return c
}
