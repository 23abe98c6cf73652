package optical

import (
	"bytes"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// machine is what both ends have in common.
type machine interface {
	Next() (Action, bool)
	Deadline() time.Time
	Tick(time.Time)
}

// cable carries characters between a client and a server in the time that they take, and loses them when the ends'
// formats differ.
type cable struct {
	t        *testing.T
	now      time.Time
	client   *Client
	server   *Server
	formats  [2]Format
	flying   []flight
	free     [2]time.Time // when each end has sent what it has
	got      [2][]Action
	upper    []byte // what the server passed on
	headEcho bool
	bend     func(from int, b []byte) []byte
	log      []string
}

type flight struct {
	at   time.Time
	to   int
	b    []byte
	sent Format
}

func newCable(t *testing.T, cc ClientConfig, sc ServerConfig) *cable {
	client, err := NewClient(cc)
	require.NoError(t, err)
	server, err := NewServer(sc)
	require.NoError(t, err)
	return &cable{t: t, now: time.Unix(0, 0), client: client, server: server, formats: [2]Format{server.Format(), server.Format()}}
}

func (c *cable) collect() {
	for end, m := range []machine{c.client, c.server} {
		for a, ok := m.Next(); ok; a, ok = m.Next() {
			c.got[end] = append(c.got[end], a)
			start := c.now
			if c.free[end].After(start) {
				start = c.free[end]
			}
			switch a.Kind {
			case Send:
				b := append([]byte(nil), a.Bytes...)
				c.log = append(c.log, string("><"[end])+string(b))
				if c.bend != nil {
					b = c.bend(end, b)
				}
				for piece := range slices.Chunk(b, 6) {
					start = start.Add(c.formats[end].Time(len(piece)))
					c.flying = append(c.flying, flight{start, 1 - end, piece, c.formats[end]})
					if c.headEcho && end == 0 {
						c.flying = append(c.flying, flight{start, 0, piece, c.formats[end]})
					}
				}
				c.free[end] = start
			case SetFormat:
				// The port changes once everything is out; nothing else is sent before that here.
				c.formats[end] = a.Format
			}
		}
	}
}

// run goes on until nothing is left to do before the time.
func (c *cable) run(until time.Duration) {
	end := time.Unix(0, 0).Add(until)
	for {
		c.collect()
		var next time.Time
		for _, d := range []time.Time{c.client.Deadline(), c.server.Deadline()} {
			if !d.IsZero() && (next.IsZero() || d.Before(next)) {
				next = d
			}
		}
		for _, f := range c.flying {
			if next.IsZero() || f.at.Before(next) {
				next = f.at
			}
		}
		if next.IsZero() || next.After(end) {
			c.now = end
			return
		}
		c.now = next
		kept := c.flying[:0]
		for _, f := range c.flying {
			switch {
			case f.at.After(c.now):
				kept = append(kept, f)
			case f.sent != c.formats[f.to]: // noise
			case f.to == 0:
				c.client.Input(c.now, f.b)
			default:
				c.upper = append(c.upper, c.server.Input(c.now, f.b)...)
			}
		}
		c.flying = kept
		c.client.Tick(c.now)
		c.server.Tick(c.now)
	}
}

func (c *cable) last(end int) Action {
	require.NotEmpty(c.t, c.got[end])
	return c.got[end][len(c.got[end])-1]
}

func (c *cable) when(kind ActionKind) bool {
	for _, a := range c.got[0] {
		if a.Kind == kind {
			return true
		}
	}
	return false
}

var meterID = Identification{"SME", '5', "2", "AS300P"}

func TestModeE(t *testing.T) {
	for name, tt := range map[string]struct {
		client ClientConfig
		server ServerConfig
		echo   bool
		want   Format
	}{
		"as offered":     {want: Format{Baud: 9600}},
		"slower":         {client: ClientConfig{MaxBaud: 5000}, want: Format{Baud: 4800}},
		"19200":          {server: ServerConfig{Identification: Identification{"SMe", '6', "2", ""}}, want: Format{Baud: 19200}},
		"addressed":      {client: ClientConfig{Address: "77"}, server: ServerConfig{Address: "77"}, want: Format{Baud: 9600}},
		"no repetition":  {server: ServerConfig{NoEcho: true}, want: Format{Baud: 9600}},
		"head gives all": {echo: true, want: Format{Baud: 9600}},
		"soft parity":    {client: ClientConfig{SoftParity: true}, server: ServerConfig{SoftParity: true}, want: Format{Baud: 9600}},
	} {
		t.Run(name, func(t *testing.T) {
			tt.client.Purpose = HDLC
			if tt.server.Identification == (Identification{}) {
				tt.server.Identification = meterID
			}
			c := newCable(t, tt.client, tt.server)
			c.headEcho = tt.echo
			c.client.Start(c.now)
			c.run(4 * time.Second)
			require.Equal(t, Connected, c.last(0).Kind, c.log)
			require.Equal(t, Connected, c.last(1).Kind)
			require.Equal(t, [2]Format{tt.want, tt.want}, c.formats)
			require.Equal(t, tt.server.Identification.Maker, c.client.Identification().Maker)
			require.True(t, c.server.IsConnected())
			// Now the line is HDLC's, until the server is told or nothing comes for two minutes.
			require.Equal(t, "\x7E\x00\xFF", string(c.server.Input(c.now, []byte("\x7E\x00\xFF"))))
			c.run(123 * time.Second)
			require.True(t, c.server.IsConnected())
			c.run(125 * time.Second)
			require.False(t, c.server.IsConnected())
			require.Equal(t, SignOn, c.formats[1])
			require.ErrorIs(t, c.last(1).Err, os.ErrDeadlineExceeded)
		})
	}
}

// The whole sign-on, to the millisecond.
func TestModeETiming(t *testing.T) {
	c := newCable(t, ClientConfig{Purpose: HDLC}, ServerConfig{Identification: meterID})
	c.client.Start(c.now)
	ms := func(n float64) time.Duration { return time.Duration(n * float64(time.Millisecond)) }
	connected := ms(5*1000./30) + ms(200) + ms(15*1000./30) + ms(200) + ms(6*1000./30) + ms(200) + ms(6*1000./30) + ms(300)
	c.run(connected - time.Millisecond)
	require.False(t, c.when(Connected))
	c.run(connected + time.Millisecond)
	require.True(t, c.when(Connected))
	require.Equal(t, []string{">/?!\r\n", "</SME5\\2AS300P\r\n", ">\x06252\r\n", "<\x06252\r\n"}, c.log)
}

func TestSignOnAgain(t *testing.T) {
	c := newCable(t, ClientConfig{Purpose: HDLC}, ServerConfig{Identification: meterID})
	c.client.Start(c.now)
	c.run(4 * time.Second)
	c.server.Disconnect()
	c.collect()
	require.Equal(t, Action{Kind: Ended}, c.last(1))
	client, err := NewClient(ClientConfig{Purpose: HDLC})
	require.NoError(t, err)
	c.client = client
	c.client.Start(c.now)
	c.run(8 * time.Second)
	require.Equal(t, Connected, c.last(0).Kind)
}

func TestReadoutModes(t *testing.T) {
	for mode, id := range map[Mode]Identification{
		ModeA: {"SME", '?', "", "a"}, ModeB: {"SME", 'C', "", "b"}, ModeC: {"SME", '5', "", "c"}, ModeE: meterID,
	} {
		t.Run(string(mode), func(t *testing.T) {
			require.Equal(t, mode, id.Mode())
			c := newCable(t, ClientConfig{}, ServerConfig{Identification: id, Data: sampleData()})
			damaged := false
			c.bend = func(from int, b []byte) []byte {
				if from == 1 && b[0] == stx && !damaged {
					damaged = true
					b[5] ^= 1
				}
				return b
			}
			c.client.Start(c.now)
			c.run(30 * time.Second)
			require.True(t, damaged)
			require.True(t, c.when(Read), c.log)
			for _, a := range c.got[0] {
				if a.Kind == Read {
					require.Equal(t, sampleData(), a.Data)
				}
			}
			require.Equal(t, [2]Format{SignOn, SignOn}, c.formats)
			if mode == ModeA || mode == ModeB {
				// Such a meter has no HDLC.
				c = newCable(t, ClientConfig{Purpose: HDLC}, ServerConfig{Identification: id, Data: sampleData()})
				c.client.Start(c.now)
				c.run(30 * time.Second)
				require.ErrorIs(t, c.last(0).Err, ErrNoHDLC)
			}
		})
	}
	t.Run("D", func(t *testing.T) {
		s, err := NewServer(ServerConfig{Identification: Identification{"SME", '3', "", "d"}, Data: sampleData()})
		require.NoError(t, err)
		s.Trigger()
		a, _ := s.Next()
		require.Equal(t, Format{2400, true}, a.Format)
		a, _ = s.Next()
		_, n, err := ParseIdentification(a.Bytes)
		require.NoError(t, err)
		d, _, err := ParseReadout(a.Bytes[n+2:])
		require.NoError(t, err)
		require.Equal(t, sampleData(), d)
		a, _ = s.Next()
		require.Equal(t, SignOn, a.Format)
	})
	t.Run("C, nobody answers", func(t *testing.T) {
		s, err := NewServer(ServerConfig{Identification: Identification{"SME", '5', "", "c"}, Data: sampleData()})
		require.NoError(t, err)
		now := time.Unix(0, 0)
		require.Empty(t, s.Input(now, []byte("junk/?!\r\n")))
		s.Tick(now.Add(200 * time.Millisecond))
		s.Tick(now.Add(5 * time.Second))
		var text []byte
		for a, ok := s.Next(); ok; a, ok = s.Next() {
			text = append(text, a.Bytes...)
		}
		require.Contains(t, string(text), "\x020.0.0(12345678)")
	})
}

func TestClientGivesUp(t *testing.T) {
	c := newCable(t, ClientConfig{Purpose: HDLC}, ServerConfig{Identification: meterID})
	c.bend = func(from int, b []byte) []byte {
		if from == 1 {
			return bytes.Repeat([]byte{0x40}, 3)
		}
		return b
	}
	c.client.Start(c.now)
	c.run(time.Minute)
	var te *TimeoutError
	require.ErrorAs(t, c.last(0).Err, &te)
	require.ErrorIs(t, te, os.ErrDeadlineExceeded)
	require.True(t, te.Timeout())
	require.ErrorContains(t, te, "no identification after 3 tries; instead came 40 40 40")
	require.True(t, c.client.Deadline().IsZero())

	c = newCable(t, ClientConfig{Purpose: HDLC, Address: "1"}, ServerConfig{Identification: meterID, Address: "2"})
	c.client.Start(c.now)
	c.run(time.Minute)
	require.ErrorContains(t, c.last(0).Err, "DTR and RTS")
	require.Nil(t, c.got[1])

	// A refusal.
	c = newCable(t, ClientConfig{Purpose: HDLC}, ServerConfig{Identification: Identification{"SME", '5', "", "no HDLC"}})
	c.client.Start(c.now)
	c.run(time.Minute)
	require.ErrorIs(t, c.last(0).Err, ErrNoHDLC)

	// A readout that stays wrong.
	c = newCable(t, ClientConfig{}, ServerConfig{Identification: meterID, Data: sampleData()})
	c.bend = func(_ int, b []byte) []byte {
		if b[0] == stx {
			b[3] ^= 1
		}
		return b
	}
	c.client.Start(c.now)
	c.run(time.Minute)
	require.ErrorIs(t, c.last(0).Err, ErrBCC)
}

func TestConfigErrors(t *testing.T) {
	_, err := NewClient(ClientConfig{Address: "a!b"})
	require.Error(t, err)
	_, err = NewServer(ServerConfig{})
	require.ErrorIs(t, err, ErrIdentification)
	_, err = NewServer(ServerConfig{Identification: meterID, Data: Data{{{"(", nil}}}})
	require.ErrorIs(t, err, ErrReadout)
}
