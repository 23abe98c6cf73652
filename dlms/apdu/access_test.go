package apdu

import (
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

func TestAccess(t *testing.T) {
	selection := Selection{Selector: cosem.SelectAllObjects, Data: []byte{0}}
	parts := []AccessSpec{
		{Kind: AccessGet, Attribute: register},
		{Kind: AccessSet, Attribute: data},
		{Kind: AccessAction, Method: off},
		{Kind: AccessGetWithSelected, Attribute: profile, Selection: selection},
		{Kind: AccessSetWithSelected, Attribute: profile, Selection: selection},
	}
	var specs AccessSpecList
	var values DataList
	var results AccessResultList
	for i, p := range parts {
		require.NoError(t, specs.Add(p))
		values.Add([]byte{0x11, byte(i)})
		results.Add(AccessResult{Kind: p.Kind, Code: byte(i)})
	}
	id := LongInvokeConfirmed | LongInvokeBreakOnError | 0x010203
	const partsHex = "05 01 0003 0100010800FF 02 02 0001 0000600100FF 02 03 0046 000060030AFF 01" +
		"04 0007 0100630100FF 02 01 00 05 0007 0100630100FF 02 01 00"
	const dataHex = "05 1100 1101 1102 1103 1104"
	const resultHex = "05 0100 0201 0302 0103 0204"
	check(t, []row{
		{"request", AccessRequest{InvokeID: id, Specs: specs, Data: values}, "D9 60010203 00" + partsHex + dataHex},
		{
			"request with time", AccessRequest{InvokeID: id, HasTime: true, Time: evening, Specs: specs, Data: values},
			"D9 60010203 0C 07EA0B1802000000FF800000" + partsHex + dataHex,
		},
		{"response", AccessResponse{InvokeID: id, Data: values, Results: results}, "DA 60010203 00 00" + dataHex + resultHex},
		{
			"response with parts", AccessResponse{InvokeID: id, HasSpecs: true, Specs: specs, Data: values, Results: results},
			"DA 60010203 00 01" + partsHex + dataHex + resultHex,
		},
	})
	require.Equal(t, uint32(0x010203), id.ID())
	require.True(t, id.Has(LongInvokeBreakOnError))
	require.False(t, id.Has(LongInvokeHigh))

	var got []AccessSpec
	for i, s := range specs.All() {
		require.Len(t, got, i)
		got = append(got, s)
	}
	require.Equal(t, parts, got)
}

func TestAccessRefused(t *testing.T) {
	refuse(t, "D9 00000001 00 01 09 0003 0100010800FF 02 01 00", axdr.ErrValue)
	refuse(t, "D9 00000001 00 01 01 0003 0100010800FF 02 02 00 00", ErrCounts)
	refuse(t, "DA 00000001 00 00 01 00 01 04 00", axdr.ErrValue)
	refuse(t, "DA 00000001 00 00 02 00 00 01 01 00", ErrCounts)

	var specs AccessSpecList
	require.ErrorIs(t, specs.Add(AccessSpec{Kind: 9}), ErrIncomplete)
	require.ErrorIs(t, specs.Add(AccessSpec{Kind: AccessGetWithSelected, Attribute: profile}), ErrIncomplete)
	require.Zero(t, specs.Len())
	raw, err := specs.AppendBinary(nil)
	require.NoError(t, err)
	require.Equal(t, []byte{0}, raw)
	var one DataList
	one.Add([]byte{0})
	_, err = AccessRequest{Data: one}.AppendBinary(nil)
	require.ErrorIs(t, err, ErrCounts)
	_, err = AccessResponse{Data: one}.AppendBinary(nil)
	require.ErrorIs(t, err, ErrCounts)
}

func TestAccessResultErr(t *testing.T) {
	require.NoError(t, AccessResult{Kind: AccessGet}.Err())
	require.NoError(t, AccessResult{Kind: AccessAction}.Err())
	require.ErrorIs(t, AccessResult{Kind: AccessSet, Code: 3}.Err(), cosem.ReadWriteDenied)
	require.ErrorIs(t, AccessResult{Kind: AccessAction, Code: 12}.Err(), cosem.ActionTypeUnmatched)
}
