package optical

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRequest(t *testing.T) {
	for want, r := range map[string]Request{"/?!\r\n": {}, "/?12345678!\r\n": {"12345678"}} {
		b, err := r.AppendBinary(nil)
		require.NoError(t, err)
		require.Equal(t, want, string(b))
		got, n, err := ParseRequest(append(b, "tail"...))
		require.NoError(t, err)
		require.Equal(t, len(b), n)
		require.Equal(t, r, got)
		for i := range b {
			_, _, err := ParseRequest(b[:i])
			require.ErrorIs(t, err, ErrTruncated)
		}
	}
	for _, bad := range []string{"/!\r\n", "?!\r\n", "/?\r\n", "/?a?!\r\n", "/?!\n", "/?" + strings.Repeat("1", 33) + "!\r\n", "/?\x01!\r\n"} {
		_, _, err := ParseRequest([]byte(bad))
		require.ErrorIs(t, err, ErrRequest, "%q", bad)
	}
	for _, bad := range []string{"a!b", "a/b", strings.Repeat("1", 33), "é"} {
		_, err := Request{bad}.AppendBinary(nil)
		require.Error(t, err)
	}
}

func TestIdentification(t *testing.T) {
	for _, tt := range []struct {
		line string
		id   Identification
		mode Mode
		baud int
		fast bool
	}{
		{"/GRX512345678", Identification{"GRX", '5', "", "12345678"}, ModeC, 9600, false}, // of Gurux
		{`/LGZ5\2ZMD1234567.B14`, Identification{"LGZ", '5', "2", "ZMD1234567.B14"}, ModeE, 9600, false},
		{`/ISk5\2MT382-1000`, Identification{"ISk", '5', "2", "MT382-1000"}, ModeE, 9600, true},
		{`/XXX6\@\2id`, Identification{"XXX", '6', "@2", "id"}, ModeE, 19200, false},
		{"/SLBC001", Identification{"SLB", 'C', "", "001"}, ModeB, 2400, false},
		{"/ABC?old", Identification{"ABC", '?', "", "old"}, ModeA, 300, false},
		{"/ABC0", Identification{"ABC", '0', "", ""}, ModeC, 300, false},
	} {
		b := []byte(tt.line + "\r\n")
		id, n, err := ParseIdentification(append(b, '/'))
		require.NoError(t, err, tt.line)
		require.Equal(t, len(b), n)
		require.Equal(t, tt.id, id)
		require.Equal(t, tt.line, id.String())
		require.Equal(t, tt.mode, id.Mode(), tt.line)
		require.Equal(t, tt.baud, id.Baud(), tt.line)
		require.Equal(t, tt.fast, id.Fast())
		for i := range b {
			_, _, err := ParseIdentification(b[:i])
			require.ErrorIs(t, err, ErrTruncated)
		}
	}
	for _, bad := range []string{"/AB5\r\n", "/A1C5id\r\n", "GRX5\r\n\r\n", "/GRX!id\r\n", "/GRX5a!b\r\n", "/GRX5id\n", "/GRX5" + strings.Repeat("x", 70), `/GRX5\1\2\3\4\5` + "\r\n"} {
		_, _, err := ParseIdentification([]byte(bad))
		require.ErrorIs(t, err, ErrIdentification, "%q", bad)
	}
}

func TestAcknowledge(t *testing.T) {
	b, err := Acknowledge{'2', '5', '2'}.AppendBinary(nil)
	require.NoError(t, err)
	require.Equal(t, []byte{0x06, 0x32, 0x35, 0x32, 0x0D, 0x0A}, b)
	a, n, err := ParseAcknowledge(append(b, 0x7E))
	require.NoError(t, err)
	require.Equal(t, 6, n)
	require.Equal(t, Acknowledge{'2', '5', '2'}, a)
	for i := range b {
		_, _, err := ParseAcknowledge(b[:i])
		require.ErrorIs(t, err, ErrTruncated)
	}
	for _, bad := range []string{"\x15", "\x06\x01", "\x06252\n\r", "\x06252\r\r"} {
		_, _, err := ParseAcknowledge([]byte(bad))
		require.ErrorIs(t, err, ErrAcknowledge)
	}
	_, err = Acknowledge{}.AppendBinary(nil)
	require.Error(t, err)
}

func TestParity(t *testing.T) {
	require.Equal(t, []byte{0xAF, 0x3F, 0x21, 0x8D, 0x0A}, AppendParity(nil, []byte("/?!\r\n")))
	for c := range 256 {
		text, ok := StripParity(byte(c))
		require.Equal(t, byte(c)&0x7F, text)
		require.Equal(t, ok, AppendParity(nil, []byte{text})[0] == byte(c))
	}
}

func TestFormat(t *testing.T) {
	require.Equal(t, "300 7E1", SignOn.String())
	require.Equal(t, "9600 8N1", Format{Baud: 9600}.String())
	require.Equal(t, time.Second, SignOn.Time(30))
	require.EqualValues(t, '5', speedChar(9600))
	require.EqualValues(t, '4', speedChar(9599))
	require.EqualValues(t, '0', speedChar(1))
}

const sample = "\x020.0.0(12345678)\r\n0.9.1(10:20:30)\r\n1.8.0(001234.5*kWh)(000007*kWh)\r\n1.6.1(01.5*kW)(2406011200)2.8.0(0*kWh)\r\nF.F()\r\n!\r\n\x03"

func sampleData() Data {
	return Data{
		{{"0.0.0", []Value{{"12345678", ""}}}},
		{{"0.9.1", []Value{{"10:20:30", ""}}}},
		{{"1.8.0", []Value{{"001234.5", "kWh"}, {"000007", "kWh"}}}},
		{{"1.6.1", []Value{{"01.5", "kW"}, {"2406011200", ""}}}, {"2.8.0", []Value{{"0", "kWh"}}}},
		{{"F.F", []Value{{"", ""}}}},
	}
}

func TestReadout(t *testing.T) {
	b := append([]byte(sample), bcc([]byte(sample[1:])))
	d, n, err := ParseReadout(append(b, "more"...))
	require.NoError(t, err)
	require.Equal(t, len(b), n)
	require.Equal(t, sampleData(), d)
	again, err := d.AppendBinary([]byte("x"))
	require.NoError(t, err)
	require.Equal(t, append([]byte("x"), b...), again)
	require.Equal(t, strings.ReplaceAll(sample[1:len(sample)-4], "\r", ""), d.String())
	require.Equal(t, []Value{{"0", "kWh"}}, d.Get("2.8.0"))
	require.Nil(t, d.Get("9.9"))
	for i := range b {
		_, _, err := ParseReadout(b[:i])
		require.ErrorIs(t, err, ErrTruncated, i)
	}
	// Every damage to a checked block is seen.
	for i := range b {
		bad := append([]byte(nil), b...)
		bad[i] ^= 0x10
		_, _, err := ParseReadout(bad)
		require.Error(t, err, i)
	}
	// Mode D has no block.
	d, n, err = ParseReadout([]byte("1.8.0(1*kWh)\r\n!\r\nrest"))
	require.NoError(t, err)
	require.Equal(t, 17, n)
	require.Equal(t, "1.8.0(1*kWh)\n", d.String())
	for _, bad := range []string{"1.8.0\r\n!\r\n", "1.8.0(1\r\n!\r\n", "a(b(c)\r\n!\r\n", "a)b(c)\r\n!\r\n", "\x02!\r\n\x04\x00"} {
		_, _, err := ParseReadout([]byte(bad))
		require.ErrorIs(t, err, ErrReadout, "%q", bad)
	}
	_, _, err = ParseReadout(make([]byte, maxReadout+1))
	require.ErrorIs(t, err, ErrReadout)
	_, err = Data{{{"a\r\n", []Value{{"1", ""}}}}}.AppendBinary(nil)
	require.ErrorIs(t, err, ErrReadout)
}

func FuzzIdentification(f *testing.F) {
	for _, s := range []string{"/GRX512345678\r\n", "/LGZ5\\2ZMD\r\n", "/SLBC001\r\n", "/ABC?old\r\n", "noise"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		id, n, err := ParseIdentification(b)
		if err != nil {
			return
		}
		back, err := id.AppendBinary(nil)
		require.NoError(t, err)
		require.Equal(t, b[:n], back)
		require.NotZero(t, id.Baud())
	})
}

func FuzzReadout(f *testing.F) {
	f.Add(append([]byte(sample), bcc([]byte(sample[1:]))))
	f.Add([]byte("1.8.0(1*kWh)\r\n!\r\n"))
	f.Add([]byte("\x02a(b*c)(d)e()\r\n!\r\n\x03\x11"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, n, err := ParseReadout(b)
		if err != nil {
			return
		}
		require.LessOrEqual(t, n, len(b))
		enc, err := d.AppendBinary(nil)
		if err != nil {
			return // text of mode D may hold what a block may not
		}
		again, _, err := ParseReadout(enc)
		require.NoError(t, err)
		require.Equal(t, d.String(), again.String())
	})
}

// Whatever comes, neither end panics, and both stay usable.
func FuzzMachines(f *testing.F) {
	f.Add([]byte("/?!\r\n\x06252\r\n"))
	f.Add([]byte("/?!\r\n/GRX5\\2id\r\n\x06252\r\n"))
	f.Add([]byte("/SLBC001\r\n\x02a(b)\r\n!\r\n\x03\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		now := time.Unix(0, 0)
		for _, p := range []Purpose{HDLC, Readout} {
			c, err := NewClient(ClientConfig{Purpose: p})
			require.NoError(t, err)
			s, err := NewServer(ServerConfig{Identification: Identification{"SME", '5', "2", "x"}, Data: sampleData()})
			require.NoError(t, err)
			c.Start(now)
			for _, x := range b {
				now = now.Add(50 * time.Millisecond)
				c.Input(now, []byte{x})
				s.Input(now, []byte{x})
				for _, next := range []func() (Action, bool){c.Next, s.Next} {
					for a, ok := next(); ok; a, ok = next() {
						require.NotZero(t, a.Kind)
					}
				}
			}
			for range 20 {
				now = now.Add(time.Hour)
				c.Tick(now)
			}
			require.True(t, c.Deadline().IsZero())
			s.Tick(now)
			now = now.Add(time.Hour)
			s.Tick(now)
			require.False(t, s.IsConnected())
		}
	})
}

func TestPush(t *testing.T) {
	want := "/SME5AS300P\r\n\r\n1.8.0(001234.5*kWh)\r\n!\r\n"
	m := Push{Identification{Maker: "SME", Speed: '5', Text: "AS300P"}, Data{{{Address: "1.8.0", Values: []Value{{"001234.5", "kWh"}}}}}}
	b, err := m.AppendBinary(nil)
	require.NoError(t, err)
	require.Equal(t, want, string(b))
	got, n, err := ParsePush(b)
	require.NoError(t, err)
	require.Equal(t, len(b), n)
	require.Equal(t, m, got)
	for i := range b {
		_, _, err := ParsePush(b[:i])
		require.ErrorIs(t, err, ErrTruncated, "cut at %d", i)
	}
	_, _, err = ParsePush([]byte("/SME5AS300P\r\n1.8.0(1)\r\n!\r\n"))
	require.ErrorIs(t, err, ErrReadout)
	_, err = Push{m.Identification, Data{{{Address: "1", Values: []Value{{"1)2", ""}}}}}}.AppendBinary(nil)
	require.Error(t, err)
}
