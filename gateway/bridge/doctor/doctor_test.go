package doctor_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/gateway/bridge/doctor"
	"smets1/gateway/broker"
)

// The embedded broker is well, and nothing is left behind.
func TestEmbeddedBroker(t *testing.T) {
	b, err := broker.Start(t.Context(), broker.Config{StateDir: t.TempDir(), Listen: "127.0.0.1:0"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	for range 2 {
		found, err := doctor.Run(t.Context(), doctor.Config{Broker: b.URL(), Root: "smets1/v1/lab", Client: "doc", Messages: 300})
		require.NoError(t, err)
		require.Len(t, found, 4)
		for _, f := range found {
			if f.Check != "round trips" { // how long they take is the machine's business
				require.Equal(t, doctor.Good, f.Verdict, "%+v", f)
			}
		}
	}
	_, err = doctor.Run(t.Context(), doctor.Config{Broker: "tcp://127.0.0.1:1", Root: "smets1/v1/lab", Client: "doc"})
	require.Error(t, err)
}
