package apdu

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

func TestInitiateRequest(t *testing.T) {
	key := un(t, "00112233445566778899AABBCCDDEEFF")
	check(t, []row{
		{
			"usual", InitiateRequest{Version: 6, Conformance: 0x621E5D, MaxPDU: 0xFFFF},
			"01 00 00 00 06 5F1F0400621E5D FFFF",
		},
		{
			"dedicated key of the Green Book", InitiateRequest{DedicatedKey: NewSecret(key), Version: 6, Conformance: 0x007E1F, MaxPDU: 0x04B0},
			"01 01 10 00112233445566778899AABBCCDDEEFF 00 00 06 5F1F0400007E1F 04B0",
		},
		{
			"all options", InitiateRequest{ResponseRefused: true, HasQoS: true, QoS: -1, Version: 5, Conformance: cosem.ConfGet, MaxPDU: 12},
			"01 00 01 00 01 FF 05 5F1F0400000010 000C",
		},
	})
}

func TestInitiateRequestAsOthersSendIt(t *testing.T) {
	want := InitiateRequest{Version: 6, Conformance: 0x621E5D, MaxPDU: 0xFFFF}
	for _, s := range []string{
		"01 00 01 01 00 06 5F1F0400621E5D FFFF", // response-allowed sent as TRUE
		"01 00 00 00 06 5F 0400621E5D FFFF",     // one-byte tag of the conformance
	} {
		got, n, err := ParseInitiateRequest(un(t, s))
		require.NoError(t, err)
		require.Equal(t, len(un(t, s)), n)
		require.Equal(t, want, got)
		truncate(t, un(t, s))
	}
	refuse(t, "01 00 00 00 06 5E1F0400621E5D FFFF", axdr.ErrValue)
	refuse(t, "01 00 00 00 06 5F1F0300621E5D FFFF", axdr.ErrLength)
	refuse(t, "01 00 00 00 06 5F1F0401621E5D FFFF", axdr.ErrValue)
	refuse(t, "01 01 00 00 00 06 5F1F0400621E5D FFFF", axdr.ErrLength) // empty key
}

func TestInitiateResponse(t *testing.T) {
	check(t, []row{
		{"usual", InitiateResponse{Version: 6, Conformance: cosem.ConfGet, MaxPDU: 0x0400, VAAName: VAANameLN}, "08 00 06 5F1F0400000010 0400 0007"},
		{
			"quality of service", InitiateResponse{HasQoS: true, Version: 6, Conformance: 0x1C0320, MaxPDU: 0x01F4, VAAName: VAANameSN},
			"08 01 00 06 5F1F04001C0320 01F4 FA00",
		},
	})
}

func TestSecretIsNotPrinted(t *testing.T) {
	secret := NewSecret([]byte("password"))
	request := InitiateRequest{DedicatedKey: secret}
	text, err := json.Marshal(request)
	require.NoError(t, err)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", secret, "request", request)
	for _, s := range []string{
		fmt.Sprintf("%v %+v %#v %s %x %q", secret, secret, secret, secret, secret, secret),
		fmt.Sprintf("%v %+v %#v", request, request, request),
		string(text), log.String(),
	} {
		require.NotContains(t, s, "password")
		require.NotContains(t, s, "70617373")
		require.NotContains(t, s, "112")
		require.Contains(t, s, "[secret, 8 bytes]")
	}
	require.True(t, secret.Equal(NewSecret([]byte("password"))))
	require.False(t, secret.Equal(NewSecret([]byte("Password"))))
	require.Equal(t, 8, secret.Len())
}
