package client

import (
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/dlms/apdu"
)

func TestBehind(t *testing.T) {
	gateway := &scriptLink{t: t, steps: []scriptStep{
		{"E6 01 08 00DB12345678 90A0 C001C1", []string{
			"E7 01 08 00DB1234567890A1 AA",   // another device's
			"E7 02 08 00DB1234567890A0 AB",   // another network's
			"E6 01 08 00DB1234567890A0 AC",   // not a response
			"E7 01 08 00DB1234567890A0 C401", // ours
		}},
		{"", []string{"D80201"}},
		{"", []string{"C401"}},
	}}
	link := Behind(gateway, 1, unhex(t, "00DB1234567890A0"))
	answer, err := link.RoundTrip(t.Context(), unhex(t, "C001C1"))
	require.NoError(t, err)
	require.Equal(t, unhex(t, "C401"), answer)

	// The gateway's own exception has no prefix.
	_, err = link.RoundTrip(t.Context(), []byte{1})
	require.ErrorIs(t, err, ErrGateway)
	var e apdu.Exception
	require.ErrorAs(t, err, &e)
	require.Equal(t, apdu.StateServiceUnknown, e.State)

	_, err = link.RoundTrip(t.Context(), []byte{1})
	require.ErrorIs(t, err, apdu.ErrKind)
	require.NoError(t, link.Close())
	require.Equal(t, 1, gateway.closed)
}
