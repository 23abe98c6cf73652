package axdr

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIndent(t *testing.T) {
	v := Array(Structure(Uint16(3), Array(), Null()), Bool(true))
	require.Equal(t, `> array{
>   structure{
>     long-unsigned 3
>     array{}
>     null-data
>   }
>   boolean true
> }`[2:], v.Indent("> ")[2:])
	require.Equal(t, "unsigned 1", Uint8(1).Indent(""))
}

func TestText(t *testing.T) {
	require.Equal(t, "{3, {}, null, don't-care}", Structure(Uint16(3), Array(), Null(), DontCare()).Text())
	require.Equal(t, "01", Value{Tag: TagDate, Bytes: []byte{1}}.Text())
	require.Equal(t, "tag 99", Tag(99).String())
	// What looks like a date-time but is none, is not called one.
	require.Equal(t, "octet-string 000000000000000000000000", Octets(make([]byte, 12)).String())
	require.Equal(t, "octet-string 010203040506", Octets([]byte{1, 2, 3, 4, 5, 6}).String())
	require.Equal(t, "octet-string ", Octets(nil).String())
	require.Equal(t, "octet-string FF80", Octets([]byte{0xFF, 0x80}).String())
}

func TestTagByName(t *testing.T) {
	for tag := range 256 {
		if !Tag(tag).Valid() {
			continue
		}
		got, ok := TagByName(Tag(tag).String())
		require.True(t, ok)
		require.Equal(t, Tag(tag), got)
	}
	_, ok := TagByName("")
	require.False(t, ok)
	_, ok = TagByName("word")
	require.False(t, ok)
}
