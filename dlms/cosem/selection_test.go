package cosem

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/dlms/axdr"
)

func TestRangeDescriptor(t *testing.T) {
	const text = "020402041200080906" + "0000010000ff" + "0f02120000" + "090c07e90a0104000000000000ff" + "090c07e90a0204000000000000ff" + "0100"
	b, err := hex.DecodeString(text)
	require.NoError(t, err)
	d, err := ParseRangeDescriptor(b)
	require.NoError(t, err)
	column := CaptureObject{Attribute: Attribute{Class: ClassClock, Instance: Clock, ID: 2}}
	require.Equal(t, column, d.Restricting)
	require.Empty(t, d.Columns)
	require.Equal(t, b, d.AppendTo(nil))

	d.Columns = []CaptureObject{column, {Attribute: Attribute{Class: ClassRegister, Instance: MustOBIS("1-0:1.8.0"), ID: 2}, DataIndex: 1}}
	b = d.AppendTo(nil)
	again, err := ParseRangeDescriptor(b)
	require.NoError(t, err)
	require.Equal(t, d, again)
	for i := range b {
		_, err := ParseRangeDescriptor(b[:i])
		require.ErrorIs(t, err, axdr.ErrTruncated, i)
	}
	_, err = ParseRangeDescriptor(append(b, 0))
	require.ErrorIs(t, err, axdr.ErrLength)
	require.Len(t, column.AppendTo(nil), captureObjectSize)
}

func TestEntryDescriptor(t *testing.T) {
	const text = "0204060000000106000000641200011200" + "00"
	b, err := hex.DecodeString(text)
	require.NoError(t, err)
	d, err := ParseEntryDescriptor(b)
	require.NoError(t, err)
	require.Equal(t, EntryDescriptor{FromEntry: 1, ToEntry: 100, FromColumn: 1}, d)
	require.Equal(t, b, d.AppendTo(nil))
	for i := range b {
		_, err := ParseEntryDescriptor(b[:i])
		require.ErrorIs(t, err, axdr.ErrTruncated, i)
	}
}

func TestScalerUnit(t *testing.T) {
	b := []byte{2, 2, 0x0F, 0xFD, 0x16, 30}
	s, err := ParseScalerUnit(b)
	require.NoError(t, err)
	require.Equal(t, ScalerUnit{Scaler: -3, Unit: UnitWattHour}, s)
	require.Equal(t, b, s.AppendTo(nil))
	for i := range b {
		_, err := ParseScalerUnit(b[:i])
		require.ErrorIs(t, err, axdr.ErrTruncated, i)
	}
	r := axdr.NewReader([]byte{9, 2, 0, 0})
	require.Zero(t, ReadOBIS(&r))
	require.ErrorIs(t, r.Err(), axdr.ErrLength)
}
