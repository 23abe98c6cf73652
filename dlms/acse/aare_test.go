package acse

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const response = "0800065F1F040000001004000007"

func TestAARE(t *testing.T) {
	check(t, AARE{Context: ContextLN, UserInformation: un(t, response)},
		"61 29 A109 0607 60857405080101 A203 0201 00 A305 A103 0201 00 BE10 040E"+response)
	check(t, AARE{
		ProtocolVersion:          Version1,
		Context:                  ContextLNCiphered,
		Diagnostic:               DiagnosticAuthenticationRequired,
		RespondingAPTitle:        un(t, "4752580000000001"),
		RespondingAEQualifier:    []byte{1},
		RespondingAPInvocationID: UserID(1),
		RespondingAEInvocationID: UserID(2),
		Requirements:             true,
		Mechanism:                Named(MechanismHLSGMAC),
		Authentication:           Characters([]byte("P6wRJ21F")),

		ImplementationInformation: []byte("lab"),
		UserInformation:           un(t, response),
	}, "61 66 80020780 A109 0607 60857405080103 A203 0201 00 A305 A103 0201 0E"+
		"A40A 0408 4752580000000001 A503 0401 01 A603 0201 01 A703 0201 02"+
		"8802 0780 8907 60857405080205 AA0A 8008 503677524A323146 9D03 6C6162 BE10 040E"+response)
	check(t, AARE{
		Context: ContextLN, Result: ResultRejectedPermanent, Diagnostic: DiagnosticProviderNoCommonACSEVersion,
	}, "61 17 A109 0607 60857405080101 A203 0201 01 A305 A203 0201 02")
	check(t, AARE{
		Context: ContextUnknown, ForeignContext: []byte{0x2B, 6}, Result: ResultRejectedTransient,
		Diagnostic: DiagnosticContextNotSupported,
	}, "61 12 A104 0602 2B06 A203 0201 02 A305 A103 0201 02")
}

func TestAARERefused(t *testing.T) {
	const context = "A109 0607 60857405080101"
	for _, c := range []struct {
		in  string
		err error
	}{
		{"61 0C A203 0201 00 A305 A103 0201 00", ErrMissing},
		{"61 12" + context + "A305 A103 0201 00", ErrMissing},
		{"61 10" + context + "A203 0201 00", ErrMissing},
		{"61 17" + context + "A203 0201 80 A305 A103 0201 00", ErrValue},
		{"61 17" + context + "A203 0201 00 A305 A303 0201 00", ErrTag},
		{"61 17" + context + "A203 0201 00 A305 A103 0401 00", ErrTag},
		{"60 17" + context + "A203 0201 00 A305 A103 0201 00", ErrTag},
	} {
		_, n, err := ParseAARE(un(t, c.in))
		require.ErrorIs(t, err, c.err, c.in)
		require.Zero(t, n)
	}
}

func TestAAREErr(t *testing.T) {
	require.NoError(t, AARE{Diagnostic: DiagnosticAuthenticationRequired}.Err())
	require.True(t, AARE{Diagnostic: DiagnosticAuthenticationRequired}.Pending())
	require.False(t, AARE{}.Pending())
	err := AARE{Result: ResultRejectedPermanent, Diagnostic: DiagnosticAuthenticationFailure}.Err()
	require.EqualError(t, err, "acse: association rejected-permanent, diagnostic 13 authentication-failure: The password or key is wrong.")
	var rejected *RejectedError
	require.ErrorAs(t, err, &rejected)
	require.Equal(t, DiagnosticAuthenticationFailure, rejected.Diagnostic)
}

func TestNames(t *testing.T) {
	require.Equal(t, "result 9", Result(9).String())
	require.Equal(t, "rejected-transient", ResultRejectedTransient.String())
	require.Equal(t, "diagnostic 99", Diagnostic(99).String())
	require.Equal(t, "provider diagnostic 9", (providerBit | 9).String())
	require.NotEmpty(t, Diagnostic(99).Sentence())
	for d, e := range diagnostics {
		require.NotEmpty(t, e.name)
		require.Equal(t, e.sentence, d.Sentence())
	}
	require.Equal(t, "LN-referencing, ciphering", ContextLNCiphered.String())
	require.Equal(t, "context 9", Context(9).String())
	require.True(t, ContextSNCiphered.Ciphered() && ContextSNCiphered.ShortNames())
	require.False(t, ContextLN.Ciphered() || ContextLN.ShortNames())
	for c := ContextLN; c <= ContextSNCiphered; c++ {
		require.NotContains(t, c.String(), "context")
	}
	require.Equal(t, "HLS using GMAC", MechanismHLSGMAC.String())
	require.Equal(t, "mechanism 9", Mechanism(9).String())
	require.Equal(t, "unknown mechanism", MechanismUnknown.String())
	require.True(t, MechanismHLS.HLS() && MechanismHLSECDSA.HLS())
	require.False(t, MechanismLLS.HLS() || MechanismNone.HLS() || MechanismUnknown.HLS())
	require.Equal(t, [7]byte{0x60, 0x85, 0x74, 0x05, 0x08, 0x01, 0x03}, ContextOID(ContextLNCiphered))
	require.Equal(t, [7]byte{0x60, 0x85, 0x74, 0x05, 0x08, 0x02, 0x05}, MechanismOID(MechanismHLSGMAC))
	require.True(t, Is([]byte{0x63}))
	require.False(t, Is([]byte{0x64}) || Is(nil))
}
