package optical

import (
	"bytes"
	"errors"
	"fmt"
	"time"
)

// ErrNoHDLC: the meter has a readout and nothing else.
var ErrNoHDLC = errors.New("the meter has no HDLC on this port: ask for its readout")

// ClientConfig configures a client. The zero value signs on to whoever is there and wants HDLC.
type ClientConfig struct {
	// Address is the device address; empty means whoever is there.
	Address string
	// Start is the format of the sign-on; zero means 300 7E1.
	Start Format
	// MaxBaud is the most to agree on; zero means what the meter offers.
	MaxBaud int
	// Purpose is what to ask for; zero is Readout in the protocol, so say HDLC. A meter that has only a readout ends a
	// client that wants HDLC with ErrNoHDLC.
	Purpose Purpose
	// SoftParity makes and checks the parity bit here, for lines that carry eight bits below.
	SoftParity bool
	// Response is how long to wait for an answer, beyond the time that the characters take. Zero means 2 s.
	Response time.Duration
	// Echo is how long to wait for the meter's repetition of the acknowledgement; without it the client changes the speed
	// all the same. Zero means 500 ms (ours: some meters do not repeat it).
	Echo time.Duration
	// Settle is the wait after a change of speed, for the meter to change too. Zero means 300 ms (ours).
	Settle time.Duration
	// Tries is how often to ask. Zero means 3.
	Tries int
}

func (c ClientConfig) withDefaults() ClientConfig {
	set := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
	}
	if c.Start == (Format{}) {
		c.Start = SignOn
	}
	set(&c.Response, 2*time.Second)
	set(&c.Echo, 500*time.Millisecond)
	set(&c.Settle, 300*time.Millisecond)
	if c.Tries == 0 {
		c.Tries = 3
	}
	if c.MaxBaud == 0 {
		c.MaxBaud = speeds[len(speeds)-1]
	}
	return c
}

type clientState uint8

const (
	clientIdle     clientState = iota
	awaitIdentity              // request sent
	reacting                   // the meter needs a moment before it listens
	awaitEcho                  // acknowledgement sent
	settling                   // speed changed
	awaitReadout               //
	clientFinished             // connected, read or failed
)

// Client signs on to a meter. After every call that takes a time, do the actions of Next, and call Tick by the Deadline.
type Client struct {
	side
	cfg   ClientConfig
	state clientState
	tries int
	id    Identification
	sent  []byte // last message, which a head may give back
	echo  bool   // the head gives back what it is sent
	noise []byte
}

// NewClient makes a client that has not begun.
func NewClient(cfg ClientConfig) (*Client, error) {
	cfg = cfg.withDefaults()
	if _, err := (Request{cfg.Address}).AppendBinary(nil); err != nil {
		return nil, err
	}
	return &Client{cfg: cfg, side: side{soft: cfg.SoftParity, format: cfg.Start}}, nil
}

// Identification is what the meter has said of itself.
func (c *Client) Identification() Identification { return c.id }

// Start sends the request. The line should have the format of Start.
func (c *Client) Start(now time.Time) {
	c.queue.push(Action{Kind: SetFormat, Format: c.format})
	c.request(now)
}

func (c *Client) request(now time.Time) {
	c.tries++
	c.state, c.buf, c.echo = awaitIdentity, nil, false
	c.sent, _ = Request{c.cfg.Address}.AppendBinary(nil)
	c.due = now.Add(c.send(c.sent) + c.cfg.Response + c.format.Time(maxIdentification))
}

// Input takes bytes from the line.
func (c *Client) Input(now time.Time, b []byte) {
	c.Tick(now)
	c.take(b)
	switch c.state {
	case awaitIdentity:
		c.identity(now)
	case awaitEcho:
		c.confirmed(now)
	case awaitReadout:
		c.readout(now)
	case clientIdle, reacting, settling, clientFinished:
		c.buf = nil
	}
}

// Tick does what is due.
func (c *Client) Tick(now time.Time) {
	if c.due.IsZero() || now.Before(c.due) {
		return
	}
	c.due = time.Time{}
	switch c.state {
	case awaitIdentity:
		c.noise = append(c.noise, c.buf[:min(len(c.buf), 16-min(16, len(c.noise)))]...)
		if c.tries < c.cfg.Tries {
			c.request(now)
			return
		}
		c.fail(&TimeoutError{Waiting: "identification", Tries: c.tries, Noise: c.noise})
	case reacting:
		c.acknowledge(now)
	case awaitEcho:
		c.settle(now)
	case settling:
		c.finish(Action{Kind: Connected})
	case awaitReadout:
		c.again(now, &TimeoutError{Waiting: "end of the readout", Tries: c.tries})
	case clientIdle, clientFinished:
	}
}

func (c *Client) fail(err error) { c.finish(Action{Kind: Ended, Err: err}) }

func (c *Client) finish(a Action) {
	c.state, c.due = clientFinished, time.Time{}
	c.queue.push(a)
}

// withoutEcho takes off the front of the buffer what a head has given back. It tells whether it must wait for more.
func (c *Client) withoutEcho() (wait bool) {
	if len(c.sent) == 0 || c.state == awaitEcho && !c.echo {
		return false // the meter's own repetition looks the same
	}
	n := min(len(c.buf), len(c.sent))
	if n > 0 && bytes.Equal(c.buf[:n], c.sent[:n]) {
		if n < len(c.sent) {
			return true
		}
		c.echo, c.buf, c.sent = true, c.buf[n:], nil
	}
	return len(c.buf) == 0
}

func (c *Client) identity(now time.Time) {
	if c.withoutEcho() {
		return
	}
	// Whatever precedes the slash is noise of switching the head on.
	i := bytes.IndexByte(c.buf, '/')
	if i < 0 {
		if len(c.buf) > maxIdentification {
			c.noise = append(c.noise[:0], c.buf[:16]...)
			c.buf = nil
		}
		return
	}
	id, n, err := ParseIdentification(c.buf[i:])
	if errors.Is(err, ErrTruncated) {
		return
	}
	if err != nil {
		c.noise = append(c.noise[:0], c.buf[i:min(len(c.buf), i+16)]...)
		c.buf = c.buf[i+1:]
		c.identity(now)
		return
	}
	c.id = id
	c.buf = c.buf[i+n:]
	c.queue.push(Action{Kind: Identify, Identification: id})
	switch mode := id.Mode(); {
	case c.cfg.Purpose == HDLC && (mode == ModeC || mode == ModeE):
		// Also without the \2, which some that speak HDLC leave out.
		c.react(now)
	case c.cfg.Purpose == HDLC:
		c.fail(fmt.Errorf("optical: %s (mode %c): %w", id, mode, ErrNoHDLC))
	case mode == ModeC || mode == ModeE:
		c.react(now)
	default:
		if mode == ModeB {
			c.change(Format{id.Baud(), true})
		}
		c.state, c.tries = awaitReadout, 1
		c.arm(now)
		c.readout(now)
	}
}

func (c *Client) react(now time.Time) {
	c.state = reacting
	c.due = now.Add(200 * time.Millisecond)
	if c.id.Fast() {
		c.due = now.Add(20 * time.Millisecond)
	}
}

func (c *Client) speed() byte { return speedChar(min(c.cfg.MaxBaud, c.id.Baud())) }

func (c *Client) acknowledge(now time.Time) {
	a := Acknowledge{'0' + byte(c.cfg.Purpose), c.speed(), '0' + byte(c.cfg.Purpose)}
	c.sent, _ = a.AppendBinary(nil)
	c.buf = nil
	took := c.send(c.sent)
	if c.cfg.Purpose == HDLC {
		c.state = awaitEcho
		c.due = now.Add(took + c.cfg.Echo + c.format.Time(2*acknowledgeLen))
		return
	}
	c.state, c.tries = awaitReadout, 1
	c.change(Format{baudOf(a.Speed), true})
	c.due = now.Add(took + c.cfg.Response)
}

func (c *Client) confirmed(now time.Time) {
	if c.withoutEcho() {
		return
	}
	i := bytes.IndexAny(c.buf, "\x06\x15")
	if i < 0 {
		return
	}
	if c.buf[i] == nak {
		c.fail(fmt.Errorf("optical: %s: the meter refused HDLC at %d baud (NAK): %w", c.id, baudOf(c.speed()), ErrNoHDLC))
		return
	}
	a, _, err := ParseAcknowledge(c.buf[i:])
	switch {
	case errors.Is(err, ErrTruncated):
	case err != nil:
		c.buf = c.buf[i+1:]
		c.confirmed(now)
	case a.Protocol != '0'+byte(HDLC) || baudOf(a.Speed) == 0:
		c.fail(fmt.Errorf("optical: %s: the meter answers protocol %q at speed %q: %w", c.id, a.Protocol, a.Speed, ErrNoHDLC))
	default:
		c.id.Speed = a.Speed // it may want to be slower
		c.cfg.MaxBaud = baudOf(a.Speed)
		c.settle(now)
	}
}

func (c *Client) settle(now time.Time) {
	c.change(Format{Baud: baudOf(c.speed())})
	c.state, c.buf = settling, nil
	c.due = now.Add(c.cfg.Settle)
}

// arm gives the next character of a readout its time.
func (c *Client) arm(now time.Time) { c.due = now.Add(c.cfg.Response) }

func (c *Client) readout(now time.Time) {
	if c.echo && c.withoutEcho() {
		return
	}
	// A block starts with STX; the text of mode D, and of some meters of mode A, at once.
	if i := bytes.IndexByte(c.buf, stx); i > 0 && len(bytes.TrimSpace(c.buf[:i])) == 0 {
		c.buf = c.buf[i:]
	}
	d, _, err := ParseReadout(c.buf)
	switch {
	case err == nil:
		c.finish(Action{Kind: Read, Data: d})
		c.change(c.cfg.Start)
	case errors.Is(err, ErrTruncated):
		if len(c.buf) > 0 {
			c.arm(now)
		}
	default:
		c.again(now, err)
	}
}

// again asks for the readout once more, as long as there are tries.
func (c *Client) again(now time.Time, why error) {
	if c.tries >= c.cfg.Tries {
		c.fail(why)
		return
	}
	c.tries++
	c.buf = nil
	c.sent = []byte{nak}
	c.due = now.Add(c.send(c.sent) + c.cfg.Response)
}
