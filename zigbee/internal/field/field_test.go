package field

import (
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/internal/wire"
)

type item struct {
	A uint8
	B int16
}

func itemFields(c *Coder, m *item) {
	U8(c, &m.A)
	I16(c, &m.B)
}

type message struct {
	A     uint8
	B     uint16
	C     uint32
	D     uint32
	E     uint64
	F     int8
	G     int32
	H     bool
	I     wire.EUI64
	J     [3]byte
	K     []byte
	L     string
	M     []item
	N     []byte
	O     uint8
	Has   bool
	P     uint8
	Items []item
}

func (m *message) fields(c *Coder) {
	U8(c, &m.A)
	U16(c, &m.B)
	U24(c, &m.C)
	U32(c, &m.D)
	U48(c, &m.E)
	I8(c, &m.F)
	I32(c, &m.G)
	Bool(c, &m.H)
	EUI(c, &m.I)
	Fixed(c, m.J[:])
	Octets(c, &m.K, 5)
	Text(c, &m.L, 5)
	List(c, &m.M, Count8(c, len(m.M)), itemFields)
	Raw(c, &m.N, 2)
	Custom(c, func(b []byte) ([]byte, error) { return append(b, m.O^0xFF), nil }, func(b []byte) (int, error) {
		if len(b) == 0 {
			return 0, wire.ErrTruncated
		}
		m.O = b[0] ^ 0xFF
		return 1, nil
	})
	if c.Optional(&m.Has) {
		U8(c, &m.P)
		ListRest(c, &m.Items, itemFields)
	}
}

func full() message {
	return message{A: 1, B: 0x0302, C: 0x060504, D: 0x0A090807, E: 0x100F0E0D0C0B, F: -1, G: -2, H: true, I: wire.EUI64{8, 7, 6, 5, 4, 3, 2, 1}, J: [3]byte{9, 9, 9},
		K: []byte{5, 6}, L: "ab", M: []item{{1, -1}, {2, -2}}, N: []byte{7, 8}, O: 0xF0, Has: true, P: 3, Items: []item{{4, 5}}}
}

func TestBothWays(t *testing.T) {
	m := full()
	c := Writer([]byte{0xEE})
	m.fields(&c)
	b, err := c.Appended()
	require.NoError(t, err)
	want := []byte{0xEE, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0xFF, 0xFE, 0xFF, 0xFF, 0xFF, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 2, 5, 6, 2, 'a', 'b',
		2, 1, 0xFF, 0xFF, 2, 0xFE, 0xFF, 7, 8, 0x0F, 3, 4, 5, 0}
	require.Equal(t, want, b)
	require.True(t, c.Writing())
	require.Zero(t, c.Left())
	b = b[1:]
	var got message
	r := Reader(b)
	got.fields(&r)
	n, err := r.Taken()
	require.NoError(t, err)
	require.Equal(t, len(b), n)
	require.Equal(t, m, got)
	for i := range b {
		r := Reader(b[:i])
		var cut message
		cut.fields(&r)
		if i == len(b)-3 || i == len(b)-4 { // after P, and before it
			require.NoError(t, r.Err())
			continue
		}
		require.ErrorIs(t, r.Err(), wire.ErrTruncated, "cut at %d", i)
	}
}

func TestRefused(t *testing.T) {
	for name, change := range map[string]func(*message){
		"24 bits": func(m *message) { m.C = 1 << 24 }, "48 bits": func(m *message) { m.E = 1 << 48 }, "octets": func(m *message) { m.K = make([]byte, 6) },
		"text": func(m *message) { m.L = "abcdef" }, "count": func(m *message) { m.M = make([]item, 256) }, "raw": func(m *message) { m.N = nil },
	} {
		m := full()
		change(&m)
		c := Writer(nil)
		m.fields(&c)
		_, err := c.Appended()
		require.Error(t, err, name)
		require.Error(t, c.Err())
	}
	var v []byte
	r := Reader([]byte{6, 1, 2, 3, 4, 5, 6})
	Octets(&r, &v, 5)
	require.ErrorContains(t, r.Err(), "string of 6 octets, at most 5")
	r = Reader([]byte{0xFF})
	v = []byte{1}
	Octets(&r, &v, 5)
	require.NoError(t, r.Err())
	require.Nil(t, v, "a string without a value")
	var items []item
	r = Reader([]byte{1, 2, 3})
	List(&r, &items, 200, itemFields)
	require.ErrorIs(t, r.Err(), wire.ErrTruncated)
	require.Empty(t, items, "no room is made for entries that cannot be there")
	c := Writer(nil)
	List(&c, &items, 2, itemFields)
	require.Error(t, c.Err())
}
