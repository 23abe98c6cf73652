package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"smets1/gateway/bridge/doctor"
	"smets1/gateway/topic"
)

func newMQTTDoctorCommand() *cobra.Command {
	var o brokerFlags
	var messages int
	var asJSON bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Look at a broker for what is known to bite, and say what to set",
		Long: `doctor sends some messages through a broker, on topics of its own, and tells what
would hurt a gateway: round trips that wait for delayed acknowledgements, queues
that are cut, retained messages that do not all arrive, sessions that are not
kept. It leaves nothing behind. What it cannot see from outside is whether the
broker keeps all that through a crash: mosquitto's persistence is a snapshot, and
what came since the last one is lost with the process.

The exit status is 0 if all is good, else 1.`,
		Example: `  smets1 mqtt doctor
  smets1 mqtt doctor --broker ssl://broker.example:8883 --user me --password-file me.password`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			tree, err := topic.NewTree(o.fleet)
			if err != nil {
				return usageError{err}
			}
			login, t, err := o.credentials()
			if err != nil {
				return err
			}
			found, err := doctor.Run(c.Context(), doctor.Config{Broker: o.broker, TLS: t, Credentials: login, Root: tree.Root(), Client: o.client, Messages: messages})
			if err != nil {
				return err
			}
			good := true
			for _, f := range found {
				good = good && f.Verdict == doctor.Good
				if asJSON {
					if err := json.NewEncoder(c.OutOrStdout()).Encode(f); err != nil {
						return err
					}
					continue
				}
				fmt.Fprintf(c.OutOrStdout(), "%-4s  %s: %s\n", f.Verdict, f.Check, f.Saw)
				if f.Do != "" {
					fmt.Fprintf(c.OutOrStdout(), "      %s\n", f.Do)
				}
			}
			if !good {
				return errors.New("the broker will bite: see above")
			}
			return nil
		},
	}
	o.add(c)
	c.Flags().IntVar(&messages, "messages", 2000, "how many to queue and to retain")
	c.Flags().BoolVar(&asJSON, "json", false, "a line of JSON per check")
	return c
}
