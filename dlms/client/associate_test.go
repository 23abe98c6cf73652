package client

import (
	"bytes"
	"context"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/dlms/acse"
	"smets1/dlms/apdu"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/security"
)

// aare builds an association response in hexadecimal.
func aare(t *testing.T, p acse.AARE) string {
	t.Helper()
	if p.Context == 0 {
		p.Context = acse.ContextLN
	}
	b, err := p.AppendBinary(nil)
	require.NoError(t, err)
	return hex.EncodeToString(b)
}

func initiated(t *testing.T) []byte {
	t.Helper()
	b, err := apdu.InitiateResponse{Version: 6, Conformance: DefaultConformance, MaxPDU: 500, VAAName: apdu.VAANameLN}.AppendBinary(nil)
	require.NoError(t, err)
	return b
}

func TestConfigChecks(t *testing.T) {
	keys := meterKeys(t)
	secret := security.NewSecret([]byte("x"))
	for want, cfg := range map[string]Config{
		"Config.Mechanism":               {Mechanism: 9},
		"Config.Secret":                  {Mechanism: security.MechanismLLS},
		"Config.SystemTitle":             {Keys: keys},
		"Config.SystemTitle is needed":   {Mechanism: security.MechanismSHA256, Secret: secret},
		"Config.Keys":                    {Mechanism: security.MechanismGMAC, SystemTitle: clientTitle},
		"Config.MaxPDU is 11":            {MaxPDU: 11},
		"Config.Dedicated needs":         {Dedicated: true},
		"no randomness for a challenge:": {Mechanism: security.MechanismMD5, Secret: secret, Random: bytes.NewReader(nil)},
		"dedicated key:":                 {Keys: keys, SystemTitle: clientTitle, Dedicated: true, Random: bytes.NewReader(nil)},
	} {
		_, err := Associate(t.Context(), &scriptLink{t: t}, cfg)
		require.ErrorContains(t, err, want)
	}
}

func TestAssociateRefused(t *testing.T) {
	lls := Config{Mechanism: security.MechanismLLS, Secret: security.NewSecret([]byte("hush"))}
	for _, tt := range []struct {
		name, answer, want string
		target             error
	}{
		{"wrong password", aare(t, acse.AARE{Result: 1, Diagnostic: acse.DiagnosticAuthenticationFailure}), "Check the secret", nil},
		{"conformance", aare(t, acse.AARE{Result: 1, Diagnostic: 1, UserInformation: []byte{0x0E, 1, 6, 2}}), "incompatible-conformance",
			apdu.ConfirmedServiceError{Service: 1, Class: 6, Value: 2}},
		{"service error alone", "0E010603", "pdu-size-too-short", apdu.ConfirmedServiceError{Service: 1, Class: 6, Value: 3}},
		{"exception", "D80101", "Check the client address", apdu.Exception{State: 1, Service: 1}},
		{"no initiate response", aare(t, acse.AARE{}), "failed", axdr.ErrTruncated},
		{"short names", aare(t, acse.AARE{Context: acse.ContextSN, UserInformation: initiated(t)}), "short names", ErrProtocol},
		{"malformed", "6103A10100", "acse: AARE", acse.ErrLength},
		{"title of the wrong length", aare(t, acse.AARE{RespondingAPTitle: []byte{1}, UserInformation: initiated(t)}), "association response", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			link := &scriptLink{t: t, steps: []scriptStep{{"", []string{tt.answer}}}}
			_, err := Associate(t.Context(), link, lls)
			require.ErrorContains(t, err, tt.want)
			require.NotContains(t, err.Error(), "hush")
			if tt.target != nil {
				require.ErrorIs(t, err, tt.target)
			}
		})
	}
	var rejected *acse.RejectedError
	link := &scriptLink{t: t, steps: []scriptStep{{"", []string{aare(t, acse.AARE{Result: 2, Diagnostic: 1})}}}}
	_, err := Associate(t.Context(), link, Config{})
	require.ErrorAs(t, err, &rejected)
	var refused *AssociationError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, acse.ResultRejectedTransient, refused.Response.Result)
}

// Stale answers of an earlier association are passed over; the line's end is not.
func TestAssociateStale(t *testing.T) {
	link := &scriptLink{t: t, steps: []scriptStep{{"", []string{
		"C401C1001101", "6303800100", aare(t, acse.AARE{UserInformation: initiated(t)}),
	}}, {"", []string{"6303800100"}}}}
	c, err := Associate(t.Context(), link, Config{})
	require.NoError(t, err)
	require.EqualValues(t, 500, c.MaxPDU())
	require.Equal(t, DefaultConformance, c.Conformance())
	require.True(t, c.ServerTitle().IsZero())
	require.NoError(t, c.Release(t.Context()))
	require.Equal(t, 1, link.closed)

	link = &scriptLink{t: t, steps: []scriptStep{{"", repeat("C401C1001101", 40)}}}
	_, err = Associate(t.Context(), link, Config{})
	require.ErrorIs(t, err, ErrProtocol)
	link = &scriptLink{t: t, steps: []scriptStep{{"", []string{"C401C1001101"}}}}
	_, err = Associate(t.Context(), link, Config{})
	require.ErrorIs(t, err, errScript)
}

// A server that sends our own challenge back could have us compute its answer.
func TestReflection(t *testing.T) {
	challenge := bytes.Repeat([]byte{7}, 16)
	link := &scriptLink{t: t, steps: []scriptStep{{"", []string{aare(t, acse.AARE{
		Diagnostic: acse.DiagnosticAuthenticationRequired, Requirements: true, Mechanism: acse.Named(3),
		Authentication: acse.Characters(challenge), UserInformation: initiated(t),
	})}}}}
	_, err := Associate(t.Context(), link, Config{
		Mechanism: security.MechanismMD5, Secret: security.NewSecret([]byte("x")), Random: bytes.NewReader(challenge),
	})
	require.ErrorIs(t, err, security.ErrReflection)
	require.Len(t, link.sent, 1) // nothing was answered to it
}

// The server must prove itself too.
func TestServerNotProven(t *testing.T) {
	ours, theirs := bytes.Repeat([]byte{7}, 16), bytes.Repeat([]byte{8}, 16)
	for answer, target := range map[string]error{
		"C701C1 00 01 00 0904 01020304": security.ErrAuthentication,
		"C701C1 00 01 00 1101":          axdr.ErrType,
		"C701C1 00 00":                  axdr.ErrTruncated,
		"C701C1 03 00":                  cosem.ActionReadWriteDenied,
	} {
		link := &scriptLink{t: t, steps: []scriptStep{{"", []string{aare(t, acse.AARE{
			Diagnostic: acse.DiagnosticAuthenticationRequired, Requirements: true, Mechanism: acse.Named(3),
			Authentication: acse.Characters(theirs), UserInformation: initiated(t),
		})}}, {"", []string{answer}}}}
		_, err := Associate(t.Context(), link, Config{
			Mechanism: security.MechanismMD5, Secret: security.NewSecret([]byte("x")), Random: bytes.NewReader(ours),
		})
		require.ErrorIs(t, err, target, answer)
		var failed *AssociationError
		require.ErrorAs(t, err, &failed)
	}
}

func TestCipheredInitiate(t *testing.T) {
	cipher, err := meterKeys(t).Cipher(security.Suite0)
	require.NoError(t, err)
	user, err := cipher.AppendService(nil, byte(apdu.TagGloInitiateResponse), meterTitle, 0x30, 9, initiated(t))
	require.NoError(t, err)
	other := meterKeys(t)
	other.GUEK = testKey(t, "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF")
	for _, tt := range []struct {
		name   string
		user   []byte
		keys   security.KeySet
		target error
	}{
		{"good", user, meterKeys(t), nil},
		{"in the clear", initiated(t), meterKeys(t), ErrUnprotected},
		{"under another key", user, other, security.ErrDecipher},
	} {
		t.Run(tt.name, func(t *testing.T) {
			link := &scriptLink{t: t, steps: []scriptStep{{"", []string{aare(t, acse.AARE{
				Context: acse.ContextLNCiphered, RespondingAPTitle: meterTitle[:], UserInformation: tt.user,
			})}}}}
			c, err := Associate(t.Context(), link, Config{Keys: tt.keys, SystemTitle: clientTitle})
			require.ErrorIs(t, err, tt.target)
			if tt.target == nil {
				require.Equal(t, meterTitle, c.ServerTitle())
			}
		})
	}
}

// Traps 1 and openspodes: what real servers answer to a release.
func TestRelease(t *testing.T) {
	for _, answers := range [][]string{
		{"6303800100"},
		{"630100"}, // openspodes
		{"6311800100BE0F040E0800065F1F040000001004000007"},                                       // Gurux Java: seven bytes more than it says
		{"6321800100BE220421281F30000000161CAD7C2A26B5512E9C5CF9FF9878E9D514281159C53027B5203D"}, // Gurux Python, ciphered
		{"63"},
		{"D80101"},
		{"C401C1001101", "6303800100"},
	} {
		c, link := open(t, Config{}, scriptStep{"6203800100", answers})
		require.NoError(t, c.Release(t.Context()))
		require.Equal(t, 1, link.closed)
		require.ErrorIs(t, c.Err(), ErrReleased)
	}
	c, link := open(t, Config{}, scriptStep{"6203800100", nil})
	require.ErrorIs(t, c.Release(t.Context()), errScript)
	require.Equal(t, 1, link.closed)

	// From a ciphered association it is protected (CTT SYMSEC_REL_N1).
	c, link, server := ciphered(t, Config{}, scriptStep{"", []string{"6303800100"}})
	require.NoError(t, c.Release(t.Context()))
	request, _, err := acse.ParseRLRQ(link.sent[0])
	require.NoError(t, err)
	glo, _, err := apdu.ParseCiphered(request.UserInformation)
	require.NoError(t, err)
	require.Equal(t, apdu.TagGloInitiateRequest, glo.Tag)
	_, plain, err := server.Open(nil, c.cfg.SystemTitle, glo.Content)
	require.NoError(t, err)
	_, _, err = apdu.ParseInitiateRequest(plain)
	require.NoError(t, err)
}

// A counter that cannot be had stops the request before it is sent.
func TestNoCounter(t *testing.T) {
	_, err := Associate(t.Context(), &scriptLink{t: t}, Config{
		Keys: meterKeys(t), SystemTitle: clientTitle, Counter: CountFrom(security.CounterLimit),
	})
	require.ErrorIs(t, err, security.ErrCounterExhausted)
	c, _, _ := ciphered(t, Config{})
	c.cfg.Counter = CountFrom(security.CounterLimit)
	_, err = c.Get(t.Context(), data2)
	require.ErrorIs(t, err, security.ErrCounterExhausted)
	require.NoError(t, c.Err())
}

func TestReadCounterBad(t *testing.T) {
	open := aare(t, acse.AARE{UserInformation: initiated(t)})
	for answer, want := range map[string]string{
		"C401C1 00 15 0000000100000000": "which is none",
		"C401C1 01 04":                  "object-undefined",
	} {
		link := &scriptLink{t: t, steps: []scriptStep{
			{"", []string{open}}, {"C001C1 0001 00002B0100FF 02 00", []string{answer}}, {"", []string{"6303800100"}},
		}}
		_, err := ReadCounter(t.Context(), link, cosem.OBIS{}, Config{})
		require.ErrorContains(t, err, want)
		require.Empty(t, link.steps)
	}
}

// Waiting for another operation ends with the context.
func TestTurns(t *testing.T) {
	c, _ := open(t, Config{})
	require.NoError(t, c.begin(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.Get(ctx, data2)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, c.Err())
	c.end()
}
