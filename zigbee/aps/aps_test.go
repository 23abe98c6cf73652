package aps

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/internal/wire"
	"smets1/zigbee/security"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

func must(t testing.TB, m interface {
	AppendBinary([]byte) ([]byte, error)
}) []byte {
	t.Helper()
	b, err := m.AppendBinary(nil)
	require.NoError(t, err)
	return b
}

var (
	gsme = wire.MustEUI64("00-15-5F-00-B0-02-00-02")
	chf  = wire.MustEUI64("00-15-5F-00-B0-01-00-01")
)

var headers = map[string]Header{
	"4001020709010105":        {AckRequest: true, DstEndpoint: 1, Cluster: 0x0702, Profile: 0x0109, SrcEndpoint: 1, Counter: 5},
	"0800130000000005":        {Delivery: DeliveryBroadcast, Cluster: 0x0013, Counter: 5},
	"0c34120207090101 05":     {Delivery: DeliveryGroup, Group: 0x1234, Cluster: 0x0702, Profile: 0x0109, SrcEndpoint: 1, Counter: 5},
	"2121":                    {Type: TypeCommand, Secured: true, Counter: 0x21},
	"0201020709010105":        {Type: TypeAck, DstEndpoint: 1, Cluster: 0x0702, Profile: 0x0109, SrcEndpoint: 1, Counter: 5},
	"1221":                    {Type: TypeAck, AckOfCommand: true, Counter: 0x21},
	"e0010407090101050103":    {AckRequest: true, Secured: true, Extended: true, DstEndpoint: 1, Cluster: 0x0704, Profile: 0x0109, SrcEndpoint: 1, Counter: 5, Fragmentation: FirstFragment, Block: 3},
	"8201040709010105020 1ff": {Type: TypeAck, Extended: true, DstEndpoint: 1, Cluster: 0x0704, Profile: 0x0109, SrcEndpoint: 1, Counter: 5, Fragmentation: LaterFragment, Block: 1, Bitmap: 0xFF},
	"800104070901010500":      {Extended: true, DstEndpoint: 1, Cluster: 0x0704, Profile: 0x0109, SrcEndpoint: 1, Counter: 5},
	"0b00070901":              {Type: TypeInterPAN, Delivery: DeliveryBroadcast, Cluster: 0x0700, Profile: 0x0109},
}

func spaceless(s string) string { return string(bytes.ReplaceAll([]byte(s), []byte(" "), nil)) }

func TestHeader(t *testing.T) {
	for s, h := range headers {
		want := unhex(t, spaceless(s))
		require.Equal(t, want, must(t, h))
		got, n, err := ParseHeader(want)
		require.NoError(t, err)
		require.Equal(t, len(want), n)
		require.Equal(t, h, got)
		for i := range want {
			_, _, err := ParseHeader(want[:i])
			require.ErrorIs(t, err, wire.ErrTruncated)
		}
	}
	for _, bad := range []string{"04", "10", "23", "8001040709010105 03"} {
		_, _, err := ParseHeader(append(unhex(t, spaceless(bad)), make([]byte, 20)...))
		require.ErrorIs(t, err, ErrFormat, bad)
	}
	for _, h := range []Header{{Type: 4}, {Delivery: 1}, {AckOfCommand: true}} {
		_, err := h.AppendBinary(nil)
		require.ErrorIs(t, err, ErrFormat)
	}
}

func TestAck(t *testing.T) {
	h := Header{AckRequest: true, DstEndpoint: 1, SrcEndpoint: 2, Cluster: 0x0702, Profile: 0x0109, Counter: 5}
	require.Equal(t, Header{Type: TypeAck, DstEndpoint: 2, SrcEndpoint: 1, Cluster: 0x0702, Profile: 0x0109, Counter: 5}, h.Ack())
	h = Header{Type: TypeCommand, Counter: 7, Secured: true}
	require.Equal(t, Header{Type: TypeAck, AckOfCommand: true, Counter: 7, Secured: true}, h.Ack())
}

const key = "00112233445566778899aabbccddeeff"

func testKey(t testing.TB) security.Key {
	t.Helper()
	k, err := security.ParseKey(key)
	require.NoError(t, err)
	return k
}

func commands(t testing.TB) map[string]Command {
	return map[string]Command{
		"0501" + key + "03" + "020002b0005f1500" + "010001b0005f1500": TransportKey{Type: KeyNetwork, Key: testKey(t), Sequence: 3, Destination: gsme, Source: chf},
		"0504" + key + "020002b0005f1500" + "010001b0005f1500":        TransportKey{Type: KeyTrustCentreLink, Key: testKey(t), Destination: gsme, Source: chf},
		"0503" + key + "020002b0005f1500" + "01":                      TransportKey{Type: KeyApplicationLink, Key: testKey(t), Partner: gsme, Initiator: true},
		"06020002b0005f1500315a01":                                    UpdateDevice{gsme, 0x5A31, DeviceUnsecuredJoin},
		"07020002b0005f1500":                                          RemoveDevice{gsme},
		"0804":                                                        RequestKey{Type: KeyTrustCentreLink},
		"0802020002b0005f1500":                                        RequestKey{Type: KeyApplicationLink, Partner: gsme},
		"0901":                                                        SwitchKey{1},
		"0e020002b0005f15002121aabb":                                  Tunnel{gsme, []byte{0x21, 0x21, 0xAA, 0xBB}},
		"0f04020002b0005f1500" + key:                                  VerifyKey{gsme, [16]byte(unhex(t, key))},
		"10ad04020002b0005f1500":                                      ConfirmKey{StatusSecurityFail, gsme},
	}
}

func TestCommands(t *testing.T) {
	seen := map[CommandID]bool{}
	for s, c := range commands(t) {
		want := unhex(t, s)
		seen[c.ID()] = true
		require.Equal(t, want, must(t, c))
		got, n, err := ParseCommand(want)
		require.NoError(t, err)
		require.Equal(t, len(want), n)
		require.Equal(t, want, must(t, got))
		if tk, ok := c.(TransportKey); ok {
			require.True(t, got.(TransportKey).Key.Equal(tk.Key))
			require.NotContains(t, fmt.Sprintf("%+v %x", got, got), key)
		} else {
			require.Equal(t, c, got)
		}
		least := len(want)
		if c.ID() == CommandTunnel {
			least = 9 // any frame, none too
		}
		for i := range least {
			_, _, err := ParseCommand(want[:i])
			require.ErrorIs(t, err, wire.ErrTruncated)
		}
	}
	require.Len(t, seen, len(parsers), "every command has a case")
	for _, c := range []Command{TransportKey{Type: KeyNetwork}, TransportKey{Type: 9, Key: testKey(t)}, RequestKey{Type: KeyNetwork}} {
		_, err := c.AppendBinary(nil)
		require.ErrorIs(t, err, ErrFormat)
	}
	for _, bad := range []string{"01", "0502", "0801", "0f03", "100003"} {
		_, _, err := ParseCommand(append(unhex(t, bad), make([]byte, 40)...))
		require.ErrorIs(t, err, ErrFormat)
	}
	for i := range 256 {
		require.NotEmpty(t, Status(i).Error())
	}
}

func cipher(t testing.TB) *security.Cipher {
	t.Helper()
	c, err := security.NewCipher(testKey(t))
	require.NoError(t, err)
	return c
}

// Both forms of the nonce: with the sender's EUI-64 in the frame and without.
func TestSecuredFrame(t *testing.T) {
	c := cipher(t)
	for _, extended := range []bool{true, false} {
		h := Header{Secured: true, DstEndpoint: 1, Cluster: 0x0702, Profile: 0x0109, SrcEndpoint: 1, Counter: 5}
		aux := security.Aux{Extended: extended, Counter: 7, Source: chf}
		sealed, err := Seal(nil, &h, &aux, c, []byte("reading"))
		require.NoError(t, err)
		require.Len(t, sealed, 8+aux.Size()+7+security.MICSize)
		open := func(b []byte) (Frame, error) {
			f, _, err := ParseFrame(b)
			if err != nil {
				return f, err
			}
			f.Aux.Source = chf
			return f, f.Open(c)
		}
		for i := range sealed {
			bad := bytes.Clone(sealed)
			bad[i] ^= 0x08
			f, err := open(bad)
			if extended && i >= 8+5 && i < 8+13 && err == nil {
				require.Fail(t, "an altered source was accepted", "octet %d: %v", i, f)
			}
			require.Error(t, err, "octet %d", i)
			_, err = open(bytes.Clone(sealed[:i]))
			require.Error(t, err, "cut at %d", i)
		}
		f, _, err := ParseFrame(bytes.Clone(sealed))
		require.NoError(t, err)
		f.Aux.Source = gsme
		require.ErrorIs(t, f.Open(c), security.ErrAuthentication, "another sender")
		f, err = open(sealed)
		require.NoError(t, err)
		require.Equal(t, "reading", string(f.Payload))
		require.ErrorIs(t, f.Open(c), ErrNotSecured)
	}
	_, err := Seal(nil, &Header{}, &security.Aux{}, c, nil)
	require.ErrorIs(t, err, ErrNotSecured)
}

func TestAllocations(t *testing.T) {
	c := cipher(t)
	h := Header{Secured: true, DstEndpoint: 1, Cluster: 0x0702, Profile: 0x0109, SrcEndpoint: 1, Counter: 5}
	aux := security.Aux{Extended: true, Counter: 7, Source: chf}
	b, payload := make([]byte, 0, 128), make([]byte, 40)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		var err error
		if b, err = Seal(b[:0], &h, &aux, c, payload); err != nil {
			panic(err)
		}
		f, _, err := ParseFrame(b)
		if err != nil {
			panic(err)
		}
		if err := f.Open(c); err != nil {
			panic(err)
		}
	}))
}

func TestFragments(t *testing.T) {
	message := make([]byte, 100)
	for i := range message {
		message[i] = byte(i)
	}
	var h Header
	part, total, err := h.Fragment(message, 100, 0)
	require.NoError(t, err)
	require.Equal(t, 1, total)
	require.Equal(t, message, part)
	require.False(t, h.Extended)
	part, total, err = h.Fragment(nil, 10, 0)
	require.NoError(t, err)
	require.Equal(t, 1, total)
	require.Empty(t, part)

	_, total, err = h.Fragment(message, 33, 0)
	require.NoError(t, err)
	require.Equal(t, 4, total)
	require.Equal(t, Header{Extended: true, Fragmentation: FirstFragment, Block: 4}, h)
	for _, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 0, 0, 3, 1, 2}} {
		var m Reassembly
		for i, k := range order {
			var h Header
			part, _, err := h.Fragment(message, 33, k)
			require.NoError(t, err)
			require.EqualValues(t, k, h.BlockIndex())
			done, err := m.Add(&h, part)
			require.NoError(t, err)
			require.Equal(t, i == len(order)-1, done)
		}
		require.Equal(t, message, m.Append(nil))
	}
	for _, bad := range []struct{ size, i int }{{0, 0}, {-1, 0}, {33, 4}, {33, -1}} {
		_, _, err := h.Fragment(message, bad.size, bad.i)
		require.ErrorIs(t, err, ErrFragment)
	}
	_, _, err = h.Fragment(make([]byte, 256), 1, 0)
	require.ErrorIs(t, err, ErrFragment)
}

func TestReassemblyRefuses(t *testing.T) {
	first := Header{Fragmentation: FirstFragment, Block: 3}
	for name, h := range map[string]Header{
		"one block":         {Fragmentation: FirstFragment, Block: 1},
		"another number":    {Fragmentation: FirstFragment, Block: 4},
		"fewer than seen":   {Fragmentation: FirstFragment, Block: 2},
		"no fragment":       {},
		"block 0 as later":  {Fragmentation: LaterFragment},
		"beyond the end":    {Fragmentation: LaterFragment, Block: 3},
		"more than allowed": {Fragmentation: LaterFragment, Block: 1},
	} {
		t.Run(name, func(t *testing.T) {
			m := Reassembly{Max: 10}
			_, err := m.Add(&first, make([]byte, 4))
			require.NoError(t, err)
			_, err = m.Add(&h, make([]byte, 7))
			require.ErrorIs(t, err, ErrFragment)
			require.False(t, m.Done())
			require.Len(t, m.Append(nil), 4, "nothing changed")
		})
	}
	var m Reassembly
	_, err := m.Add(&Header{Fragmentation: LaterFragment, Block: 5}, []byte{1})
	require.NoError(t, err)
	_, err = m.Add(&first, []byte{1})
	require.ErrorIs(t, err, ErrFragment, "three announced after block 5")
	_, err = m.Add(&Header{Fragmentation: LaterFragment, Block: 4}, make([]byte, DefaultMaxTransfer))
	require.ErrorIs(t, err, ErrFragment)
}

func TestFragmentAck(t *testing.T) {
	message := make([]byte, 50)
	var m Reassembly
	add := func(k int) {
		var h Header
		part, _, err := h.Fragment(message, 10, k)
		require.NoError(t, err)
		_, err = m.Add(&h, part)
		require.NoError(t, err)
	}
	add(0)
	add(2)
	var a Header
	m.Ack(&a, 2, 3)
	require.Equal(t, Header{Extended: true, Fragmentation: FirstFragment, Block: 0, Bitmap: 0b11111101}, a)
	block, missing := a.Missing()
	require.True(t, missing)
	require.EqualValues(t, 1, block)
	add(1)
	m.Ack(&a, 1, 3)
	_, missing = a.Missing()
	require.False(t, missing)
	add(4)
	m.Ack(&a, 4, 3)
	require.Equal(t, Header{Extended: true, Fragmentation: LaterFragment, Block: 3, Bitmap: 0b11111110}, a)
	block, missing = a.Missing()
	require.True(t, missing)
	require.EqualValues(t, 3, block)
	m.Ack(&a, 4, DefaultWindow)
	require.Equal(t, Header{Extended: true, Fragmentation: LaterFragment, Block: 4, Bitmap: 0xFF}, a)
}

func FuzzParseFrame(f *testing.F) {
	for s := range headers {
		f.Add(unhex(f, spaceless(s)))
	}
	c := cipher(f)
	sealed, err := Seal(nil, &Header{Secured: true}, &security.Aux{Extended: true, Source: chf}, c, []byte{1})
	require.NoError(f, err)
	f.Add(sealed)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, n, err := ParseFrame(bytes.Clone(b))
		if err != nil {
			return
		}
		require.Equal(t, len(b), n)
		again := must(t, m)
		same, _, err := ParseFrame(again)
		require.NoError(t, err)
		require.Equal(t, m.Header, same.Header)
		require.Equal(t, m.Aux, same.Aux)
		require.Equal(t, m.Payload, same.Payload)
		if m.Open(c) == nil {
			sealed, err := Seal(nil, &m.Header, &m.Aux, c, m.Payload)
			require.NoError(t, err)
			require.Equal(t, again, sealed)
		}
	})
}

func FuzzParseCommand(f *testing.F) {
	for s := range commands(f) {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, n, err := ParseCommand(b)
		if err != nil {
			return
		}
		again := must(t, m)
		require.Len(t, again, n)
		same, _, err := ParseCommand(again)
		require.NoError(t, err)
		require.Equal(t, again, must(t, same))
	})
}

func FuzzReassembly(f *testing.F) {
	f.Add([]byte{1, 3, 10, 2, 1, 10, 2, 2, 5})
	f.Fuzz(func(t *testing.T, b []byte) {
		var m Reassembly
		for ; len(b) >= 3; b = b[3:] {
			h := Header{Fragmentation: Fragmentation(b[0] & 3), Block: b[1]}
			before := len(m.Append(nil))
			done, err := m.Add(&h, make([]byte, b[2]))
			after := len(m.Append(nil))
			require.LessOrEqual(t, after, DefaultMaxTransfer)
			if err != nil {
				require.Equal(t, before, after)
			}
			if done {
				return
			}
		}
	})
}
