package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"smets1/gateway/topic"
	"smets1/internal/clock"
	"smets1/internal/wire"
)

// exitInDoubt says that a step which cannot be undone may or may not have
// happened: a person must look before anyone tries again.
const exitInDoubt = 3

// resultError is a command that did not end as done.
type resultError struct{ result topic.Result }

// Error tells code and message.
func (e resultError) Error() string {
	what := e.result.Message.String()
	if what == "" {
		what = e.result.Code.Info().Sentence
	}
	return fmt.Sprintf("%s, %s: %s", e.result.Status, e.result.Code, what)
}

// ExitCode is 3 for a person, 2 for a command that was wrong in itself, else 1.
func (e resultError) ExitCode() int {
	switch e.result.Status {
	case topic.StatusInDoubt:
		return exitInDoubt
	case topic.StatusRejected:
		switch e.result.Code {
		case topic.CodeBusy, topic.CodeStorage, topic.CodeExpired, topic.CodeStale:
			return exitFailed
		default:
			return exitUsage
		}
	default:
		return exitFailed
	}
}

type sendOptions struct {
	brokerFlags
	id, device string
	deadline   time.Duration
	timeout    time.Duration
	expect     int64
	json       bool
	unchecked  bool
}

func newMQTTSendCommand() *cobra.Command {
	o := sendOptions{}
	c := &cobra.Command{
		Use:   "send HUB|fleet VERB [ARGS]",
		Short: "Send a command and wait for its result",
		Long: "send asks a hub, by its EUI-64, or the fleet for something and waits for the\nresult. ARGS is a JSON object, or @FILE with one.\n\n" +
			"The command is sent again, under the same id, until it is answered; a gateway\nnever runs an id twice. With --id a script can send the same command after it\nwas interrupted, and gets the stored result.\n\n" + verbTable() + `
Exit status: 0 done; 1 failed, or refused for now; 2 the command was wrong; 3 in
doubt: a step that cannot be undone may or may not have happened, and a person
must look before anyone tries again.`,
		Example: `  smets1 mqtt send fleet list
  smets1 mqtt send 00-DB-53-00-00-00-00-01 identify
  smets1 mqtt send 00-DB-53-00-00-00-00-01 read --device esme '{"items":[{"class":3,"obis":"1-0:1.8.0.255","attribute":2}]}'
  smets1 mqtt send 00-DB-53-00-00-00-00-01 clock.sync --json | jq .status
  smets1 mqtt send fleet clock '{"advance_seconds":3600}'`,
		Args: usageArgs(cobra.RangeArgs(2, 3)),
		RunE: func(c *cobra.Command, args []string) error {
			cmd, err := o.command(args)
			if err != nil {
				return err
			}
			return o.send(c.Context(), cmd, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	o.add(c)
	f := c.Flags()
	f.StringVar(&o.device, "device", "", "device meant: an EUI-64, chf, esme, gsme or ihd (default: what the verb says)")
	f.StringVar(&o.id, "id", "", "idempotency key (default: a fresh one)")
	f.DurationVar(&o.deadline, "deadline", 0, "do not start later than this from now (default: whenever)")
	f.DurationVar(&o.timeout, "timeout", 5*time.Minute, "how long to wait for the result; the command goes on")
	f.Int64Var(&o.expect, "expect", -1, "revision that the hub must have (default: any)")
	f.BoolVar(&o.json, "json", false, "print the whole result as one line of JSON")
	f.BoolVar(&o.unchecked, "unchecked", false, "send verbs and arguments that this program does not know")
	return c
}

// usageArgs makes a wrong number of arguments a usage error.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return usageError{fmt.Errorf("%w (see %s --help)", err, c.CommandPath())}
		}
		return nil
	}
}

func verbTable() string {
	var b strings.Builder
	for _, fleet := range []bool{false, true} {
		b.WriteString(map[bool]string{false: "Verbs for hubs:\n", true: "Verbs for the fleet:\n"}[fleet])
		for _, v := range topic.Verbs() {
			if v.Fleet == fleet {
				fmt.Fprintf(&b, "  %-18s%s\n", v.Verb, v.Sentence)
			}
		}
	}
	return b.String()
}

// command makes a command of the arguments.
func (o *sendOptions) command(args []string) (topic.Command, error) {
	var hub wire.EUI64
	if args[0] != "fleet" {
		var err error
		if hub, err = wire.ParseEUI64(args[0]); err != nil {
			return topic.Command{}, usageError{fmt.Errorf("hub %q: %w; or write fleet", args[0], err)}
		}
	}
	verb := topic.Verb(args[1])
	info, known := verb.Info()
	if !o.unchecked {
		switch {
		case !known:
			return topic.Command{}, usageError{fmt.Errorf("there is no verb %q: see smets1 mqtt send --help", verb)}
		case info.Fleet != hub.IsZero():
			to := map[bool]string{true: "the fleet", false: "hubs"}[info.Fleet]
			return topic.Command{}, usageError{fmt.Errorf("%s is a verb for %s", verb, to)}
		}
	}
	if o.id == "" {
		o.id = "cli-" + rand.Text()
	}
	if err := topic.CheckID(o.id); err != nil {
		return topic.Command{}, usageError{fmt.Errorf("--id: %w", err)}
	}
	cmd := topic.Command{Schema: topic.Schema, ID: o.id, Hub: hub, Verb: verb}
	if o.device != "" {
		var err error
		if cmd.Device, err = topic.ParseDevice(o.device); err != nil {
			return topic.Command{}, usageError{fmt.Errorf("--device: %w", err)}
		}
	}
	if o.expect >= 0 {
		revision := uint64(o.expect)
		cmd.Expect = &revision
	}
	if len(args) == 3 {
		text, err := readText(args[2])
		if err != nil {
			return topic.Command{}, err
		}
		cmd.Args = json.RawMessage(strings.TrimSpace(text))
		if err := checkArgs(cmd.Args, info, known && !o.unchecked); err != nil {
			return topic.Command{}, usageError{fmt.Errorf("arguments of %s: %w", verb, err)}
		}
	}
	return cmd, nil
}

// checkArgs catches here what the gateway would refuse or, worse, not see: a
// misspelt member.
func checkArgs(b []byte, info topic.VerbInfo, strict bool) error {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(b, &object); err != nil {
		return fmt.Errorf("write a JSON object: %w", err)
	}
	if !strict {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(reflect.New(reflect.TypeOf(info.Args)).Interface())
}

func (o *sendOptions) send(ctx context.Context, cmd topic.Command, stdout, stderr io.Writer) error {
	remote, err := o.dial(ctx)
	if err != nil {
		return err
	}
	defer remote.Close()
	if o.deadline > 0 {
		cmd.Deadline = clock.Real().Now().Add(o.deadline)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.timeout, errSlow)
	defer cancel()
	r, err := remote.Call(ctx, cmd, func(p topic.Progress) {
		if !o.json {
			fmt.Fprintln(stderr, progressLine(p))
		}
	})
	if errors.Is(err, errSlow) {
		return fmt.Errorf("no result of %s within %s: is a gateway of fleet %q online? The command may still run; send it again with --id %s to get its result", cmd.Verb, o.timeout, o.fleet, cmd.ID)
	}
	if err != nil {
		return err
	}
	if err := o.print(stdout, r); err != nil {
		return err
	}
	if r.Status != topic.StatusDone {
		return resultError{r}
	}
	return nil
}

var errSlow = errors.New("the time is over")

func progressLine(p topic.Progress) string {
	s := p.Step
	switch {
	case p.Total > 0:
		s += fmt.Sprintf(" %d/%d", p.Done, p.Total)
	case p.Done > 0:
		s += fmt.Sprintf(" %d", p.Done)
	}
	if p.Note != "" {
		s += " " + p.Note
	}
	return strings.TrimSpace(s)
}

func (o *sendOptions) print(w io.Writer, r topic.Result) error {
	if o.json {
		b, err := r.Marshal()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s\n", b)
		return err
	}
	if len(r.Result) == 0 {
		return nil
	}
	var b bytes.Buffer
	if err := json.Indent(&b, r.Result, "", "  "); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, b.String())
	return err
}
