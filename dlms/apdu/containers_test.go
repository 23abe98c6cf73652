package apdu

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/dlms/axdr"
)

func TestCiphered(t *testing.T) {
	title := []byte("MMM\x00\x00\x00\x00\x01")
	check(t, []row{
		{"glo", Ciphered{Tag: TagGloGetRequest, Content: un(t, "3001234567AABB")}, "C8 07 3001234567AABB"},
		{"ded", Ciphered{Tag: TagDedActionResponse, Content: un(t, "3001234567AABB")}, "D7 07 3001234567AABB"},
		{"glo initiate", Ciphered{Tag: TagGloInitiateRequest, Content: un(t, "3001234567AA")}, "21 06 3001234567AA"},
		{"general glo", GeneralGlo{SystemTitle: title, Content: []byte{0x30, 1}}, "DB 08 4D4D4D0000000001 02 3001"},
		{"general ded", GeneralDed{SystemTitle: []byte{}, Content: []byte{0x30, 1}}, "DC 00 02 3001"},
	})
	long := GeneralGlo{SystemTitle: title, Content: bytes.Repeat([]byte{7}, 300)}
	b, err := long.AppendBinary(nil)
	require.NoError(t, err)
	require.Equal(t, []byte{0x82, 0x01, 0x2C}, b[10:13])
	got, n, err := ParseGeneralGlo(b)
	require.NoError(t, err)
	require.Equal(t, len(b), n)
	require.Equal(t, long, got)

	_, err = Ciphered{Tag: TagGetRequest}.AppendBinary(nil)
	require.ErrorIs(t, err, ErrKind)
	_, _, err = ParseCiphered([]byte{0xC0, 0})
	require.ErrorIs(t, err, ErrKind)
}

func TestGeneralCiphering(t *testing.T) {
	h := GeneralHeader{
		TransactionID: []byte{1, 2}, Originator: []byte("client!!"), Recipient: []byte("server!!"),
		DateTime: []byte{}, OtherInfo: []byte{9},
	}
	const fields = "02 0102 08 636C69656E742121 08 7365727665722121 00 01 09"
	check(t, []row{
		{"no key", GeneralCiphering{GeneralHeader: h, Content: []byte{0x31, 5}}, "DD" + fields + "00 02 3105"},
		{
			"identified", GeneralCiphering{GeneralHeader: h, KeyInfo: KeyInfo{Kind: KeyInfoIdentified, KeyID: 1}, Content: []byte{0x31}},
			"DD" + fields + "01 00 01 01 31",
		},
		{
			"wrapped",
			GeneralCiphering{GeneralHeader: h, KeyInfo: KeyInfo{Kind: KeyInfoWrapped, Ciphered: []byte{0xA, 0xB}}, Content: []byte{0x31}},
			"DD" + fields + "01 01 00 02 0A0B 01 31",
		},
		{
			"agreed",
			GeneralCiphering{
				GeneralHeader: h,
				KeyInfo:       KeyInfo{Kind: KeyInfoAgreed, Parameters: []byte{2}, Ciphered: []byte{}}, Content: []byte{0x31},
			},
			"DD" + fields + "01 02 01 02 00 01 31",
		},
		{"signing", GeneralSigning{GeneralHeader: h, Content: []byte{0xC0}, Signature: []byte{5, 6}}, "DF" + fields + "01 C0 02 0506"},
	})
	require.Equal(t, un(t, fields), h.AppendFields(nil))
	refuse(t, "DD"+fields+"01 03 00 01 31", axdr.ErrValue)
	_, err := GeneralCiphering{KeyInfo: KeyInfo{Kind: 9}}.AppendBinary(nil)
	require.ErrorIs(t, err, ErrIncomplete)
}

func TestGeneralBlockTransfer(t *testing.T) {
	check(t, []row{
		{"last", GeneralBlockTransfer{Last: true, Streaming: true, Window: 1, Block: 1, Raw: []byte{1, 2, 3}}, "E0 C1 0001 0000 03 010203"},
		{"acknowledgement", GeneralBlockTransfer{Last: true, Window: 1, Block: 2, Ack: 1, Raw: []byte{}}, "E0 81 0002 0001 00"},
		{"widest window", GeneralBlockTransfer{Window: 63, Block: 0xFFFF, Ack: 0xFFFE, Raw: []byte{}}, "E0 3F FFFF FFFE 00"},
	})
	_, err := GeneralBlockTransfer{Window: 64}.AppendBinary(nil)
	require.ErrorIs(t, err, ErrIncomplete)
}

func TestGatewayPrefix(t *testing.T) {
	eui := un(t, "00DB1234567890A0")
	check(t, []row{
		{"request", GatewayPrefix{NetworkID: 1, Address: eui}, "E6 01 08 00DB1234567890A0"},
		{"response", GatewayPrefix{Response: true, NetworkID: 1, Address: eui}, "E7 01 08 00DB1234567890A0"},
		{"no address", GatewayPrefix{Address: []byte{}}, "E6 00 00"},
	})
	b := un(t, "E6 01 08 00DB1234567890A0 C002C100000001")
	require.True(t, IsGateway(b))
	_, n, err := ParseGatewayPrefix(b)
	require.NoError(t, err)
	next, _, err := ParseGetRequestNext(b[n:])
	require.NoError(t, err)
	require.Equal(t, uint32(1), next.Number)
	require.False(t, IsGateway(b[n:]))
	require.False(t, IsGateway(nil))
	_, err = GatewayPrefix{Address: make([]byte, 256)}.AppendBinary(nil)
	require.ErrorIs(t, err, axdr.ErrLength)
}
