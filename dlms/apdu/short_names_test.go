package apdu

import (
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

func TestShortNames(t *testing.T) {
	variables := []Variable{
		{Kind: VariableName, Name: 0xA0},
		{Kind: VariableParameterized, Name: 0xA0, Selector: 2, Data: []byte{0}},
		{Kind: VariableBlockNumber, Number: 3},
		{Kind: VariableReadBlock, Last: true, Number: 4, Data: []byte{1, 2}},
		{Kind: VariableWriteBlock, Number: 5},
	}
	var list, one VariableList
	for _, v := range variables {
		require.NoError(t, list.Add(v))
	}
	require.NoError(t, one.Add(variables[0]))
	var value DataList
	value.Add([]byte{0x11, 7})
	var reads ReadResultList
	for _, v := range []ReadResult{
		{Kind: ReadData, Data: []byte{0x11, 7}},
		{Kind: ReadError, Result: cosem.ObjectUndefined},
		{Kind: ReadBlock, Last: true, Number: 1, Data: []byte{1}},
		{Kind: ReadBlockNumber, Number: 2},
	} {
		require.NoError(t, reads.Add(v))
	}
	var writes WriteResultList
	for _, v := range []WriteResult{
		{Kind: WriteSuccess}, {Kind: WriteError, Result: cosem.ReadWriteDenied}, {Kind: WriteBlockNumber, Number: 2},
	} {
		require.NoError(t, writes.Add(v))
	}
	check(t, []row{
		{"read", ReadRequest{Variables: list}, "05 05 02 00A0 04 00A0 02 00 05 0003 06 01 0004 02 0102 07 00 0005"},
		{"write", WriteRequest{Variables: one, Data: value}, "06 01 02 00A0 01 1107"},
		{"unconfirmed write", WriteRequest{Unconfirmed: true, Variables: one, Data: value}, "16 01 02 00A0 01 1107"},
		{"read response", ReadResponse{Results: reads}, "0C 04 00 1107 01 04 02 01 0001 01 01 03 0002"},
		{"write response", WriteResponse{Results: writes}, "0D 03 00 01 03 02 0002"},
		{"report", InformationReport{Variables: one, Data: value}, "18 00 01 02 00A0 01 1107"},
		{"report with time", InformationReport{Time: []byte("20261124"), Variables: one, Data: value}, "18 01 08 3230323631313234 01 02 00A0 01 1107"},
	})
	var got []Variable
	for _, v := range list.All() {
		got = append(got, v)
	}
	require.Equal(t, variables, got)
	require.Equal(t, 4, countAll(reads.All()))
	require.Equal(t, 3, countAll(writes.All()))
}

func TestShortNamesRefused(t *testing.T) {
	refuse(t, "05 01 03 00A0", axdr.ErrValue)
	refuse(t, "06 01 02 00A0 02 1107 1108", ErrCounts)
	refuse(t, "18 00 01 02 00A0 00", ErrCounts)
	refuse(t, "0C 01 04 00", axdr.ErrValue)
	refuse(t, "0D 01 03", axdr.ErrValue)

	var variables VariableList
	require.ErrorIs(t, variables.Add(Variable{Kind: 1}), ErrIncomplete)
	require.ErrorIs(t, variables.Add(Variable{Kind: VariableParameterized}), ErrIncomplete)
	var reads ReadResultList
	require.ErrorIs(t, reads.Add(ReadResult{Kind: 9}), ErrIncomplete)
	require.ErrorIs(t, reads.Add(ReadResult{Kind: ReadData}), ErrIncomplete)
	var writes WriteResultList
	require.ErrorIs(t, writes.Add(WriteResult{Kind: 9}), ErrIncomplete)
	var one DataList
	one.Add([]byte{0})
	_, err := WriteRequest{Data: one}.AppendBinary(nil)
	require.ErrorIs(t, err, ErrCounts)
	_, err = InformationReport{Data: one}.AppendBinary(nil)
	require.ErrorIs(t, err, ErrCounts)
}
