package apdu

import (
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/dlms/axdr"
)

func TestEventNotification(t *testing.T) {
	value := []byte{6, 0, 0, 0, 100}
	check(t, []row{
		{"no time", EventNotification{Attribute: register, Data: value}, "C2 00 0003 0100010800FF 02 0600000064"},
		{
			"time", EventNotification{HasTime: true, Time: evening, Attribute: register, Data: value},
			"C2 01 0C 07EA0B1802000000FF800000 0003 0100010800FF 02 0600000064",
		},
	})
	refuse(t, "C2 01 00 0003 0100010800FF 02 0600000064", axdr.ErrLength)
	refuse(t, "C2 01 05 07EA0B1802 0003 0100010800FF 02 0600000064", axdr.ErrLength)
	_, err := EventNotification{}.AppendBinary(nil)
	require.ErrorIs(t, err, ErrIncomplete)
}

func TestDataNotification(t *testing.T) {
	value := []byte{2, 1, 6, 0, 0, 0, 100}
	check(t, []row{
		{"no time", DataNotification{InvokeID: 1, Data: value}, "0F 00000001 00 02010600000064"},
		{"time", DataNotification{InvokeID: 1, HasTime: true, Time: evening, Data: value}, "0F 00000001 0C 07EA0B1802000000FF800000 02010600000064"},
	})
	refuse(t, "0F 00000001 0B 07EA0B1802000000FF8000 00", axdr.ErrLength)
	_, err := DataNotification{}.AppendBinary(nil)
	require.ErrorIs(t, err, ErrIncomplete)
}
