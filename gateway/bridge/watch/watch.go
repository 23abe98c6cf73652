// Package watch listens to what goes over a broker on the topics of the contract,
// as any MQTT client may: for people at a terminal and for scripts. It uses one
// connection of paho.mqtt.golang with a clean session, so that it costs the
// broker nothing once it has gone.
package watch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// Config says where to listen, and to what. Broker, Client and Filters are needed.
type Config struct {
	// Broker is tcp://host:port, ssl://host:port, ws://host:port/path or wss://host:port/path.
	Broker string
	// TLS is how to speak to an ssl or wss broker. Nil means the system's certificates.
	TLS *tls.Config
	// Credentials returns the user name and password. Nil means none.
	Credentials func() (user, password string)
	// Client is the client id; the broker ends an older connection of the same id.
	Client string
	// Filters are what to subscribe to, with + and # as in MQTT.
	Filters []string
	// Ready, if not nil, is called each time the subscriptions stand.
	Ready func()
	// Log gets what an operator may want to know. Nil means nothing.
	Log *slog.Logger
}

// Message is one message.
type Message struct {
	Topic    string
	Payload  []byte
	QoS      byte
	Retained bool // it was kept by the broker: it is not news
}

// waiting is how many messages may wait for f; the broker waits beyond that.
const waiting = 1024

// Run calls f with each message, one after the other, until ctx is done or f gives
// an error, which Run returns. It connects again when the connection breaks; what
// was sent meanwhile and not retained is missed. Without a first connection it
// tries until ctx is done.
func Run(ctx context.Context, cfg Config, f func(Message) error) error {
	if len(cfg.Filters) == 0 || cfg.Client == "" {
		return errors.New("watch: Config needs Client and Filters")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	messages := make(chan Message, waiting)
	failed := make(chan error, 1)
	o := mqtt.NewClientOptions().AddBroker(cfg.Broker).SetClientID(cfg.Client).SetCleanSession(true).SetOrderMatters(true).
		SetConnectRetry(true).SetConnectRetryInterval(time.Second).SetAutoReconnect(true).SetMaxReconnectInterval(5 * time.Second).
		SetConnectionLostHandler(func(_ mqtt.Client, err error) { cfg.Log.Warn("broker lost", slog.Any("error", err)) }).
		SetOnConnectHandler(func(c mqtt.Client) { cfg.subscribe(ctx, c, messages, failed) })
	if cfg.TLS != nil {
		o.SetTLSConfig(cfg.TLS)
	}
	if cfg.Credentials != nil {
		o.SetCredentialsProvider(cfg.Credentials)
	}
	client := mqtt.NewClient(o)
	client.Connect()
	defer client.Disconnect(100)
	for {
		select {
		case m := <-messages:
			if err := f(m); err != nil {
				return err
			}
		case err := <-failed:
			return err
		case <-ctx.Done():
			if !client.IsConnected() {
				return fmt.Errorf("watch: no connection to %s: %w", cfg.Broker, context.Cause(ctx))
			}
			return context.Cause(ctx)
		}
	}
}

func (cfg *Config) subscribe(ctx context.Context, c mqtt.Client, to chan<- Message, failed chan<- error) {
	filters := make(map[string]byte, len(cfg.Filters))
	for _, f := range cfg.Filters {
		filters[f] = 1
	}
	t := c.SubscribeMultiple(filters, func(_ mqtt.Client, m mqtt.Message) {
		select {
		case to <- Message{Topic: m.Topic(), Payload: m.Payload(), QoS: m.Qos(), Retained: m.Retained()}:
		case <-ctx.Done():
		}
	})
	go func() {
		t.Wait()
		err := t.Error()
		if s, ok := t.(*mqtt.SubscribeToken); ok && err == nil {
			for filter, qos := range s.Result() {
				if qos > 2 {
					err = fmt.Errorf("the broker refuses the subscription to %s: allow it for this user", filter)
				}
			}
		}
		if err != nil && c.IsConnected() {
			select {
			case failed <- fmt.Errorf("watch: %w", err):
			default:
			}
			return
		}
		if err == nil && cfg.Ready != nil {
			cfg.Ready()
		}
	}()
}
