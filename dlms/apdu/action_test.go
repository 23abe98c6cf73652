package apdu

import (
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

func TestActionRequest(t *testing.T) {
	var methods MethodList
	methods.Add(off)
	methods.Add(on)
	var parameters DataList
	parameters.Add([]byte{0x0F, 0})
	parameters.Add([]byte{0x0F, 0})
	check(t, []row{
		{"normal", ActionRequestNormal{InvokeID: 0xC1, Method: off, Data: []byte{0x0F, 0}}, "C3 01 C1 0046 000060030AFF 01 01 0F00"},
		{"no parameter", ActionRequestNormal{InvokeID: 0xC1, Method: off}, "C3 01 C1 0046 000060030AFF 01 00"},
		{"next", ActionRequestNextBlock{InvokeID: 0xC1, Number: 1}, "C3 02 C1 00000001"},
		{
			"list", ActionRequestList{InvokeID: 0xC1, Methods: methods, Data: parameters},
			"C3 03 C1 02 0046 000060030AFF 01 0046 000060030AFF 02 02 0F00 0F00",
		},
		{
			"first block", ActionRequestFirstBlock{InvokeID: 0xC1, Method: off, Block: DataBlock{Number: 1, Raw: []byte{0x0F}}},
			"C3 04 C1 0046 000060030AFF 01 00 00000001 01 0F",
		},
		{
			"list and first block", ActionRequestListFirstBlock{InvokeID: 0xC1, Methods: methods, Block: DataBlock{Number: 1, Raw: []byte{2}}},
			"C3 05 C1 02 0046 000060030AFF 01 0046 000060030AFF 02 00 00000001 01 02",
		},
		{"block", ActionRequestBlock{InvokeID: 0xC1, Block: DataBlock{Last: true, Number: 2, Raw: []byte{0}}}, "C3 06 C1 01 00000002 01 00"},
	})
	refuse(t, "C3 03 C1 01 0046 000060030AFF 01 00", ErrCounts)
	refuse(t, "C3 01 C1 0046 000060030AFF 01 05", axdr.ErrValue)
	refuse(t, "C3 07 C1 00000001", ErrKind)
}

func TestActionResponse(t *testing.T) {
	var list ActionResultList
	list.Add(ActionResponse{})
	list.Add(ActionResponse{Result: cosem.ActionReadWriteDenied})
	list.Add(ActionResponse{Returns: true, Return: GetResult{Data: []byte{9, 1, 7}}})
	check(t, []row{
		{"normal", ActionResponseNormal{InvokeID: 0xC1}, "C7 01 C1 00 00"},
		{
			"data", ActionResponseNormal{InvokeID: 0xC1, Response: ActionResponse{Returns: true, Return: GetResult{Data: []byte{9, 1, 7}}}},
			"C7 01 C1 00 01 00 090107",
		},
		{
			"error in return",
			ActionResponseNormal{InvokeID: 0xC1, Response: ActionResponse{Returns: true, Return: GetResult{Result: cosem.ObjectUndefined}}},
			"C7 01 C1 00 01 01 04",
		},
		{"block", ActionResponseBlock{InvokeID: 0xC1, Block: DataBlock{Number: 1, Raw: []byte{0x11}}}, "C7 02 C1 00 00000001 01 11"},
		{"list", ActionResponseList{InvokeID: 0xC1, Responses: list}, "C7 03 C1 03 0000 0300 00 01 00 090107"},
		{"next", ActionResponseNextBlock{InvokeID: 0xC1, Number: 1}, "C7 04 C1 00000001"},
	})
	raw, err := list.AppendBinary(nil)
	require.NoError(t, err)
	got, n, err := ParseActionResultList(raw)
	require.NoError(t, err)
	require.Equal(t, len(raw), n)
	require.Equal(t, list, got)
	refuse(t, "C7 05 C1 00000001", ErrKind)
}
