package engine

import (
	"context"

	"smets1/gateway/topic/client"
)

// Remote is the engine's end of the MQTT contract, and RemoteConfig says how to reach a gateway.
type (
	Remote       = client.Client
	RemoteConfig = client.Config
)

// ErrNoGateway is what Remote.AwaitGateway reports (wrapped) when none comes online.
var ErrNoGateway = client.ErrNoGateway

// Dial connects to the broker; see client.Dial.
func Dial(ctx context.Context, c RemoteConfig) (*Remote, error) { return client.Dial(ctx, c) }
