package apdu

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTagMapping(t *testing.T) {
	for plain, want := range map[Tag][2]Tag{
		TagInitiateRequest: {0x21, 0x41}, TagInitiateResponse: {0x28, 0x48},
		TagReadRequest: {0x25, 0x45}, TagWriteRequest: {0x26, 0x46}, TagConfirmedServiceError: {0x2E, 0x4E},
		TagGetRequest: {0xC8, 0xD0}, TagSetRequest: {0xC9, 0xD1}, TagEventNotification: {0xCA, 0xD2},
		TagActionRequest: {0xCB, 0xD3}, TagGetResponse: {0xCC, 0xD4}, TagSetResponse: {0xCD, 0xD5},
		TagActionResponse: {0xCF, 0xD7},
	} {
		glo, ok := plain.Glo()
		require.True(t, ok)
		require.Equal(t, want[0], glo)
		require.True(t, glo.IsGlo() && !glo.IsDed() && glo.IsCiphered())
		ded, ok := plain.Ded()
		require.True(t, ok)
		require.Equal(t, want[1], ded)
		require.True(t, ded.IsDed() && !ded.IsGlo() && ded.IsCiphered())
		for _, ciphered := range want {
			back, ok := ciphered.Plain()
			require.True(t, ok)
			require.Equal(t, plain, back)
		}
		require.False(t, plain.IsCiphered())
		require.Equal(t, "glo-"+plain.String(), glo.String())
		require.Equal(t, "ded-"+plain.String(), ded.String())
	}
	for _, tag := range []Tag{TagAccessRequest, TagDataNotification, TagGeneralBlockTransfer, TagException, 0xFF} {
		_, glo := tag.Glo()
		_, ded := tag.Ded()
		_, plain := tag.Plain()
		require.False(t, glo || ded || plain || tag.IsGlo() || tag.IsDed() || tag.IsCiphered(), tag)
	}
	require.True(t, TagGeneralSigning.IsCiphered())
	require.Equal(t, "tag FF", Tag(0xFF).String())
	require.False(t, Tag(0xFF).Valid())
}

func TestKindOf(t *testing.T) {
	k, ok := KindOf([]byte{0xC0, 1})
	require.True(t, ok)
	require.Equal(t, KindGetRequestNormal, k)
	require.Equal(t, "get-request-normal", k.String())
	require.Equal(t, TagGetRequest, k.Tag())
	for _, b := range [][]byte{{}, {0xC0}, {0xC0, 0}, {0xC0, 4}, {0xC1, 6}, {0xC3, 7}, {0xC4, 4}, {0xC5, 6}, {0xC7, 5}, {0x99}} {
		_, ok := KindOf(b)
		require.False(t, ok, "%X", b)
	}
	k, ok = KindOf([]byte{0xD8})
	require.True(t, ok)
	require.Equal(t, TagException.Kind(), k)
	require.Equal(t, "exception-response", k.String())
	require.Equal(t, "get-request form 09", Kind(0xC009).String())
	for kind := range kindForms {
		require.False(t, strings.Contains(kind.String(), "form "), kind)
		_, ok := KindOf([]byte{byte(kind >> 8), byte(kind)})
		require.True(t, ok, kind)
	}
	_, _, err := Parse(nil)
	require.ErrorIs(t, err, ErrKind)
	_, _, err = Parse([]byte{0x99})
	require.ErrorIs(t, err, ErrKind)
}

func TestInvokeID(t *testing.T) {
	id := ConfirmedInvoke(17)
	require.Equal(t, InvokeID(0xC1), id)
	require.Equal(t, uint8(1), id.ID())
	require.True(t, id.Confirmed() && id.High())
	require.False(t, InvokeID(1).Confirmed() || InvokeID(1).High())
}
