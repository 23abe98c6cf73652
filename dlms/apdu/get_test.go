package apdu

import (
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

func TestGetRequest(t *testing.T) {
	entry := cosem.EntryDescriptor{FromEntry: 1, ToEntry: 100, FromColumn: 1}
	var list AttributeList
	list.Add(register, Selection{})
	list.Add(profile, Selection{Selector: cosem.SelectEntry, Data: entry.AppendTo(nil)})
	check(t, []row{
		{"normal", GetRequestNormal{InvokeID: 0xC1, Attribute: register}, "C0 01 C1 0003 0100010800FF 02 00"},
		{
			"entry",
			GetRequestNormal{
				InvokeID: 0xC1, Attribute: profile,
				Selection: Selection{Selector: cosem.SelectEntry, Data: entry.AppendTo(nil)},
			},
			"C0 01 C1 0007 0100630100FF 02 01 02 0204 0600000001 0600000064 120001 120000",
		},
		{"next", GetRequestNext{InvokeID: 0x41, Number: 0x01020304}, "C0 02 41 01020304"},
		{
			"list", GetRequestList{InvokeID: 0xC1, Attributes: list},
			"C0 03 C1 02 0003 0100010800FF 02 00 0007 0100630100FF 02 01 02 0204 0600000001 0600000064 120001 120000",
		},
		{"empty list", GetRequestList{InvokeID: 0xC1}, "C0 03 C1 00"},
	})
}

func TestGetRequestRefused(t *testing.T) {
	refuse(t, "C0 04 C1 00000001", ErrKind)
	refuse(t, "C0 00 C1 00000001", ErrKind)
	refuse(t, "C0 01 C1 0003 0100010800FF 02 02", axdr.ErrValue)        // neither present nor absent
	refuse(t, "C0 01 C1 0003 0100010800FF 02 01 01 08", axdr.ErrTag)    // no Data has tag 8
	refuse(t, "C0 03 C1 7F 0003 0100010800FF 02 00", axdr.ErrTruncated) // more announced than there can be
	refuse(t, "C0 03 C1 84FFFFFFFF 0003 010001", axdr.ErrLength)        // and many more
	_, _, err := ParseGetRequestNext(un(t, "C001C1000000000100"))       // another form than asked for
	require.ErrorIs(t, err, ErrKind)
	require.ErrorContains(t, err, "get-request-next")
}

func TestGetResponse(t *testing.T) {
	var list GetResultList
	list.Add(GetResult{Data: []byte{6, 0, 0, 0, 100}})
	list.Add(GetResult{Result: cosem.ObjectUndefined})
	check(t, []row{
		{"data", GetResponseNormal{InvokeID: 0xC1, Result: GetResult{Data: []byte{6, 0, 0, 0, 100}}}, "C4 01 C1 00 0600000064"},
		{"error", GetResponseNormal{InvokeID: 0xC1, Result: GetResult{Result: cosem.ObjectUndefined}}, "C4 01 C1 01 04"},
		{
			"block", GetResponseBlock{InvokeID: 0xC1, Number: 1, Raw: []byte{0xAA, 0xBB}},
			"C4 02 C1 00 00000001 00 02 AABB",
		},
		{"empty last block", GetResponseBlock{InvokeID: 0xC1, Last: true, Number: 9, Raw: []byte{}}, "C4 02 C1 01 00000009 00 00"},
		{
			"block error", GetResponseBlock{InvokeID: 0xC1, Last: true, Number: 1, Result: cosem.DataBlockNumberInvalid},
			"C4 02 C1 01 00000001 01 13",
		},
		{"list", GetResponseList{InvokeID: 0xC1, Results: list}, "C4 03 C1 02 00 0600000064 01 04"},
	})
}

func TestGetResponseRefused(t *testing.T) {
	refuse(t, "C4 01 C1 02 00", axdr.ErrValue)
	refuse(t, "C4 02 C1 00 00000001 02 00", axdr.ErrValue)
	refuse(t, "C4 02 C1 01 00000001 01 00", axdr.ErrValue) // failed with success
	refuse(t, "C4 03 C1 02 00 0600000064 02", axdr.ErrValue)
}

func TestGetResultErr(t *testing.T) {
	require.NoError(t, GetResult{Data: []byte{0}}.Err())
	require.ErrorIs(t, GetResult{Result: cosem.ReadWriteDenied}.Err(), cosem.ReadWriteDenied)
	require.Error(t, GetResult{}.Err())
}
