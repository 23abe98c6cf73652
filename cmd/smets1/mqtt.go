package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"smets1/cmd/internal/config"
	"smets1/gateway/topic"
	"smets1/migration/engine"
)

func newMQTTCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "mqtt",
		Short: "Send commands to a gateway over MQTT, and watch what it says",
		Long: `mqtt is an ordinary client of the MQTT contract (topics smets1/v1/<fleet>/…):
send asks a hub, or the fleet, for something and waits for the result; watch
shows what goes over the broker; wait ends when something is so; doctor looks at
the broker itself.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newMQTTSendCommand(), newMQTTWatchCommand(), newMQTTWaitCommand(), newMQTTDoctorCommand())
	return c
}

// brokerFlags say how to reach a broker.
type brokerFlags struct {
	broker, fleet, client string
	user, passwordFile    string
	tls                   config.TLS
	connect               time.Duration
}

func (b *brokerFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&b.broker, "broker", "tcp://127.0.0.1:1883", "URL of the broker: tcp, ssl, ws or wss")
	f.StringVar(&b.fleet, "fleet", "lab", "name of the fleet in the topics, fleet.name of the daemon")
	f.StringVar(&b.client, "client", "", "name of this client in the reply topic (default: the user, or a fresh one)")
	f.StringVar(&b.user, "user", "", "name at the broker")
	f.StringVar(&b.passwordFile, "password-file", "", "file with the password, which nobody else may read")
	f.StringVar(&b.tls.CA, "ca", "", "authorities (PEM) to trust, in place of the system's")
	f.StringVar(&b.tls.Cert, "cert", "", "certificate (PEM) to show")
	f.StringVar(&b.tls.Key, "key", "", "its private key (PEM)")
	f.DurationVar(&b.connect, "connect-timeout", 10*time.Second, "how long to try to reach the broker")
}

// check fills in the client's name and looks for mistakes.
func (b *brokerFlags) check() error {
	if err := topic.CheckFleet(b.fleet); err != nil {
		return usageError{fmt.Errorf("--fleet: %s", strings.TrimPrefix(err.Error(), "topic: "))}
	}
	if b.client == "" && topic.CheckClient(b.user) == nil {
		b.client = b.user // a user with roles has its own reply topic alone
	}
	if b.client == "" {
		b.client = "cli-" + strings.ToLower(rand.Text()[:10])
	}
	if err := topic.CheckClient(b.client); err != nil {
		return usageError{fmt.Errorf("--client: %s", strings.TrimPrefix(err.Error(), "topic: "))}
	}
	scheme, rest, ok := strings.Cut(b.broker, "://")
	if !ok || rest == "" || strings.Contains(rest, "@") {
		return usageError{fmt.Errorf("--broker %q: give a URL like tcp://127.0.0.1:1883, and credentials by --user and --password-file", b.broker)}
	}
	switch scheme {
	case "tcp", "mqtt", "ssl", "mqtts", "ws", "wss":
	default:
		return usageError{fmt.Errorf("--broker %q: use tcp, ssl, ws or wss", b.broker)}
	}
	if (b.user == "") != (b.passwordFile == "") {
		return usageError{errors.New("--user and --password-file go together")}
	}
	if (b.tls.Cert == "") != (b.tls.Key == "") {
		return usageError{errors.New("--cert and --key go together")}
	}
	return nil
}

// credentials reads what the flags name; nil functions and configurations where they name nothing.
func (b *brokerFlags) credentials() (login func() (string, string), t *tls.Config, err error) {
	if t, err = b.tls.Client(); err != nil {
		return nil, nil, usageError{err}
	}
	if b.user != "" {
		password, err := config.ReadSecret(b.passwordFile)
		if err != nil {
			return nil, nil, usageError{err}
		}
		login = func() (string, string) { return b.user, password.Reveal() }
	}
	return login, t, nil
}

// dial connects as a client that sends commands.
func (b *brokerFlags) dial(ctx context.Context) (*engine.Remote, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	login, t, err := b.credentials()
	if err != nil {
		return nil, err
	}
	rc := engine.RemoteConfig{Broker: b.broker, Fleet: b.fleet, Client: b.client, TLS: t}
	if login != nil {
		rc.User, rc.Password = login()
	}
	ctx, cancel := context.WithTimeoutCause(ctx, b.connect, fmt.Errorf("no answer within %s: is the broker running, and are user and password right?", b.connect))
	defer cancel()
	r, err := engine.Dial(ctx, rc)
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "client: "))
	}
	return r, nil
}

// readText gives an argument itself, or with @ in front the content of a file.
func readText(arg string) (string, error) {
	path, ok := strings.CutPrefix(arg, "@")
	if !ok {
		return arg, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", usageError{err}
	}
	return string(b), nil
}
