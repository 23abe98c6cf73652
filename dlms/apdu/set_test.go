package apdu

import (
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

func TestSetRequest(t *testing.T) {
	var attributes AttributeList
	attributes.Add(data, Selection{})
	attributes.Add(data1, Selection{})
	var values DataList
	values.Add([]byte{0x11, 1})
	values.Add([]byte{0x11, 2})
	block := DataBlock{Last: true, Number: 1, Raw: []byte{2, 0x11, 1, 0x11, 2}}
	check(t, []row{
		{
			"normal", SetRequestNormal{InvokeID: 0xC1, Attribute: data, Data: []byte{9, 4, 0xDE, 0xAD, 0xBE, 0xEF}},
			"C1 01 C1 0001 0000600100FF 02 00 0904DEADBEEF",
		},
		{
			"selected",
			SetRequestNormal{InvokeID: 0xC1, Attribute: data, Selection: Selection{Selector: 3, Data: []byte{0}}, Data: []byte{3, 1}},
			"C1 01 C1 0001 0000600100FF 02 01 03 00 0301",
		},
		{
			"first block", SetRequestFirstBlock{InvokeID: 0xC1, Attribute: data, Block: DataBlock{Number: 1, Raw: []byte{9, 4, 0xDE}}},
			"C1 02 C1 0001 0000600100FF 02 00 00 00000001 03 0904DE",
		},
		{"block", SetRequestBlock{InvokeID: 0xC1, Block: DataBlock{Last: true, Number: 2, Raw: []byte{1}}}, "C1 03 C1 01 00000002 01 01"},
		{
			"list", SetRequestList{InvokeID: 0xC1, Attributes: attributes, Data: values},
			"C1 04 C1 02 0001 0000600100FF 02 00 0001 0000600101FF 02 00 02 1101 1102",
		},
		{
			"list and first block", SetRequestListFirstBlock{InvokeID: 0xC1, Attributes: attributes, Block: block},
			"C1 05 C1 02 0001 0000600100FF 02 00 0001 0000600101FF 02 00 01 00000001 05 0211011102",
		},
	})

	got, n, err := ParseDataList(block.Raw)
	require.NoError(t, err)
	require.Equal(t, len(block.Raw), n)
	require.Equal(t, values, got)
}

func TestSetRequestRefused(t *testing.T) {
	refuse(t, "C1 04 C1 01 0001 0000600100FF 02 00 02 1101 1102", ErrCounts)
	refuse(t, "C1 01 C1 0001 0000600100FF 02 00", axdr.ErrTruncated)
	refuse(t, "C1 03 C1 01 00000002 05 01", axdr.ErrTruncated)

	_, err := SetRequestNormal{InvokeID: 1, Attribute: data}.AppendBinary(nil)
	require.ErrorIs(t, err, ErrIncomplete)
	var one DataList
	one.Add([]byte{0})
	_, err = SetRequestList{Data: one}.AppendBinary(nil)
	require.ErrorIs(t, err, ErrCounts)
}

func TestSetResponse(t *testing.T) {
	var results ResultList
	results.Add(cosem.Success)
	results.Add(cosem.ReadWriteDenied)
	check(t, []row{
		{"normal", SetResponseNormal{InvokeID: 0xC1}, "C5 01 C1 00"},
		{"block", SetResponseBlock{InvokeID: 0xC1, Number: 1}, "C5 02 C1 00000001"},
		{"last block", SetResponseLastBlock{InvokeID: 0xC1, Result: cosem.TypeUnmatched, Number: 2}, "C5 03 C1 0C 00000002"},
		{"last block of list", SetResponseLastBlockList{InvokeID: 0xC1, Results: results, Number: 2}, "C5 04 C1 02 00 03 00000002"},
		{"list", SetResponseList{InvokeID: 0xC1, Results: results}, "C5 05 C1 02 00 03"},
	})
}
