package acse

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

const initiate = "01000000065F1F0400621E5DFFFF"

func TestAARQ(t *testing.T) {
	check(t, AARQ{Context: ContextLN, UserInformation: un(t, initiate)},
		"60 1D A109 0607 60857405080101 BE10 040E"+initiate)
	check(t, AARQ{
		ProtocolVersion:       Version1,
		Context:               ContextLNCiphered,
		CalledAPTitle:         un(t, "4752580000000001"),
		CalledAEQualifier:     []byte{1, 2},
		CalledAPInvocationID:  UserID(1),
		CalledAEInvocationID:  UserID(-1),
		CallingAPTitle:        un(t, "4D4D4D0000BC614E"),
		CallingAEQualifier:    []byte{3},
		CallingAPInvocationID: UserID(300),
		CallingAEInvocationID: UserID(255),
		Requirements:          true,
		Mechanism:             Named(MechanismHLSGMAC),
		Authentication:        Characters([]byte("K56iVagY")),

		ImplementationInformation: []byte("lab"),
		UserInformation:           un(t, initiate),
	}, "60 78 80020780 A109 0607 60857405080103"+
		"A20A 0408 4752580000000001 A304 0402 0102 A403 0201 01 A503 0201 FF"+
		"A60A 0408 4D4D4D0000BC614E A703 0401 03 A804 0202 012C A904 0202 00FF"+
		"8A02 0780 8B07 60857405080205 AC0A 8008 4B35366956616759 9D03 6C6162 BE10 040E"+initiate)
}

func TestAARQLong(t *testing.T) {
	// A certificate makes the lengths two and three bytes.
	for _, size := range []int{100, 110, 120, 130, 240, 250, 260, 70000} {
		p := AARQ{Context: ContextLNCiphered, CallingAEQualifier: bytes.Repeat([]byte{7}, size), UserInformation: un(t, initiate)}
		b, err := p.AppendBinary([]byte{0xEE, 0xEE})
		require.NoError(t, err)
		got, n, err := ParseAARQ(b[2:])
		require.NoError(t, err)
		require.Equal(t, len(b)-2, n)
		require.Equal(t, p, got)
	}
}

func TestAARQAsOthersSendIt(t *testing.T) {
	// Another protocol version beside version 1.
	p, _, err := ParseAARQ(un(t, "60 0F 80020284 A109 0607 60857405080101"))
	require.NoError(t, err)
	require.True(t, p.ProtocolVersion.Supported())
	require.False(t, Version{Unused: 6, Bits: 0x40}.Supported())
	require.True(t, Version{}.Supported())

	// Names that are not of DLMS are for the server to refuse by diagnostic.
	p, _, err = ParseAARQ(un(t, "60 11 A107 0605 2B06010401 8B06 608574050802"))
	require.NoError(t, err)
	require.Equal(t, ContextUnknown, p.Context)
	require.Equal(t, un(t, "2B06010401"), p.ForeignContext)
	require.Equal(t, MechanismUnknown, p.Mechanism.Value)
	again, err := p.AppendBinary(nil)
	require.NoError(t, err)
	require.Equal(t, un(t, "60 11 A107 0605 2B06010401 8B06 608574050802"), again)

	// Numbers that DLMS does not have are kept.
	p, _, err = ParseAARQ(un(t, "60 14 A109 0607 60857405080109 8B07 60857405080209"))
	require.NoError(t, err)
	require.Equal(t, Context(9), p.Context)
	require.Equal(t, Mechanism(9), p.Mechanism.Value)

	// The mechanism with a tag of its own, a long length, an unknown element,
	// elements out of order.
	p, _, err = ParseAARQ(un(t,
		"60 811D 8B09 0607 60857405080201 9E0155 8A020780 A109 0607 60857405080101"))
	require.NoError(t, err)
	require.Equal(t, Named(MechanismLLS), p.Mechanism)
	require.True(t, p.Requirements)

	// A bit string as authentication value.
	p, _, err = ParseAARQ(un(t, "60 11 A109 0607 60857405080101 AC04 8102 00AA"))
	require.NoError(t, err)
	require.Equal(t, byte(AuthBits), p.Authentication.Choice)
	again, err = p.AppendBinary(nil)
	require.NoError(t, err)
	require.Equal(t, un(t, "60 11 A109 0607 60857405080101 AC04 8102 00AA"), again)
}

func TestAARQRefused(t *testing.T) {
	for _, c := range []struct {
		in  string
		err error
	}{
		{"61 0B A109 0607 60857405080101", ErrTag},
		{"60 00", ErrMissing},
		{"60 04 8A020780", ErrMissing},
		{"60 80 A109 0607 60857405080101 0000", ErrLength},                    // indefinite length
		{"60 85 0000000000", ErrLength},                                       // length of five bytes
		{"60 84 FFFFFFFF", ErrLength},                                         // beyond all reason
		{"60 0B A10A 0607 60857405080101", ErrLength},                         // element past the end
		{"60 0B A109 0608 60857405080101", ErrLength},                         // inner element past the outer
		{"60 0B A109 0407 60857405080101", ErrTag},                            // not an object identifier
		{"60 04 A102 0600", ErrValue},                                         // an empty one
		{"60 03 A101 06", ErrLength},                                          // half an element
		{"60 16 A109 0607 60857405080101 A109 0607 60857405080101", ErrTwice}, // twice
		{"60 0E 8001 07 A109 0607 60857405080101", ErrValue},
		{"60 0E 8A01 07 A109 0607 60857405080101", ErrValue},
		{"60 0F 8A02 0880 A109 0607 60857405080101", ErrValue},
		{"60 10 A903 0401 01 A109 0607 60857405080101", ErrTag},
		{"60 0F A902 0200 A109 0607 60857405080101", ErrValue},
		{"60 14 A907 0205 0102030405 A109 0607 60857405080101", ErrValue},
	} {
		_, n, err := ParseAARQ(un(t, c.in))
		require.ErrorIs(t, err, c.err, c.in)
		require.Zero(t, n)
		var syntax *SyntaxError
		require.ErrorAs(t, err, &syntax)
		require.Equal(t, "AARQ", syntax.APDU)
		require.Contains(t, err.Error(), "acse: AARQ: byte ")
	}
}

func TestPasswordIsNotPrinted(t *testing.T) {
	p := AARQ{Context: ContextLN, Mechanism: Named(MechanismLLS), Authentication: Characters([]byte("hunter22"))}
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		require.NotContains(t, fmt.Sprintf(verb, p), "hunter22")
		require.NotContains(t, fmt.Sprintf(verb, p), "104") // 'h' as a number
	}
}

func TestAARQDoesNotAllocate(t *testing.T) {
	b := un(t, "604AA109060760857405080101A60A04084D4D4D0000BC614E8A0207808B0760857405080205AC1280104D4C4517631C2161394719331E280B37BE10040E"+initiate)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		_, _, _ = ParseAARQ(b)
	}))
}
