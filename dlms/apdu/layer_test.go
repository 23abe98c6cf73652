package apdu

import (
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

func TestLayer(t *testing.T) {
	h := GeneralHeader{TransactionID: []byte{1, 2}, Originator: []byte("CLIENT01"), Recipient: []byte("SERVER01"), OtherInfo: []byte{9}}
	head := "0205" + "09020102" + "0908434C49454E543031" + "0908534552564552" + "3031" + "090109"
	for _, tt := range []struct {
		layer Layer
		want  string
	}{
		{Layer{LayerAuthentication, h, KeyInfo{Kind: KeyInfoIdentified, KeyID: 1}}, "02021600" + head + "02021600" + "1601"},
		{Layer{LayerBoth, h, KeyInfo{Kind: KeyInfoWrapped, Ciphered: []byte{7, 8}}}, "02021602" + head + "02021601" + "0202" + "1600" + "09020708"},
		{Layer{LayerEncryption, h, KeyInfo{Kind: KeyInfoAgreed, Parameters: []byte{1}, Ciphered: []byte{5}}}, "02021601" + head + "02021602" + "0202" + "090101" + "090105"},
		{Layer{LayerSignature, h, KeyInfo{Kind: KeyInfoIdentified}}, "02021603" + head + "02021600" + "1600"},
	} {
		b := tt.layer.AppendTo(nil)
		require.Equal(t, tt.want, fmt.Sprintf("%X", b))
		r := axdr.NewReader(b)
		require.Equal(t, tt.layer, ReadLayer(&r))
		require.NoError(t, r.Err())
		require.Zero(t, r.Len())
		for n := range b {
			r := axdr.NewReader(b[:n])
			ReadLayer(&r)
			require.Error(t, r.Err(), "%d bytes", n)
		}
	}
	for _, bad := range []string{"02021604" + head + "020216001600", "02021600" + head + "020216031600"} {
		b, err := hex.DecodeString(bad)
		require.NoError(t, err)
		r := axdr.NewReader(b)
		ReadLayer(&r)
		require.ErrorIs(t, r.Err(), axdr.ErrValue)
	}
}

func TestProtectedObject(t *testing.T) {
	object := cosem.CaptureObject{Attribute: cosem.Attribute{Class: 7, Instance: cosem.MustOBIS("1-0:99.1.0.255"), ID: 2}}
	head := "0205" + "120007" + "09060100630100FF" + "0F02" + "120000"
	for _, tt := range []struct {
		p    ProtectedObject
		want string
	}{
		{ProtectedObject{CaptureObject: object}, head + "0202" + "1600" + "00"},
		{ProtectedObject{object, 2, axdr.AppendUint32(nil, 1), axdr.AppendUint32(nil, 3)}, head + "0202" + "1602" + "0202" + "0600000001" + "0600000003"},
	} {
		b := tt.p.AppendTo(nil)
		require.Equal(t, tt.want, fmt.Sprintf("%X", b))
		r := axdr.NewReader(b)
		require.Equal(t, tt.p, ReadProtectedObject(&r))
		require.NoError(t, r.Err())
		for n := range b {
			r := axdr.NewReader(b[:n])
			ReadProtectedObject(&r)
			require.Error(t, r.Err(), "%d bytes", n)
		}
	}
	b, err := hex.DecodeString(head + "0202160300")
	require.NoError(t, err)
	r := axdr.NewReader(b)
	ReadProtectedObject(&r)
	require.ErrorIs(t, r.Err(), axdr.ErrValue)
}
