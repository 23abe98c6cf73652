package radio

import (
	"errors"
	"time"

	"smets1/internal/wire"
)

// Radio is a transceiver of one node.
type Radio interface {
	// Tune sets the channel, 11 to 26, and whether the receiver is on while nothing is sent. An acknowledgement is
	// received even with the receiver off.
	Tune(now time.Time, channel uint8, on bool)
	// Address sets what the filter lets through: frames for pan and short or eui, and broadcasts. FFFF and FFFE mean none.
	Address(pan, short uint16, eui wire.EUI64)
	// Pending replaces the list of those whose data requests are acknowledged with frame pending. The slices are not kept.
	Pending(short []uint16, extended []wire.EUI64)
	// Transmit puts a PSDU on its way: carrier sense first, and up to retries repetitions if the frame asks for an
	// acknowledgement and none comes. Client.Sent tells the end of it; until then nothing else can be transmitted, which
	// gives ErrBusy. The radio keeps psdu until Sent.
	Transmit(now time.Time, psdu []byte, retries int) error
}

// Client is the node's side.
type Client interface {
	// Received takes a frame that passed filter and FCS. psdu is the client's to change, during the call. rssi is in dBm,
	// lqi 0 to 255.
	Received(now time.Time, psdu []byte, rssi int8, lqi uint8)
	// Sent tells the end of a transmission: nil, ErrNoAck or ErrChannelBusy. pending is the frame-pending bit of the
	// acknowledgement.
	Sent(now time.Time, pending bool, err error)
}

// Errors of transmissions.
var (
	ErrBusy        = errors.New("radio: a transmission is under way: wait for its end")
	ErrNoAck       = errors.New("radio: no acknowledgement: the receiver is off, out of reach, or the frame was lost")
	ErrChannelBusy = errors.New("radio: the channel was never free: interference, or too much traffic")
	ErrPSDU        = errors.New("radio: a PSDU has 5 to 127 octets")
)

// Frame is what a tap sees.
type Frame struct {
	// Start is when the first bit was sent, End when the last one was.
	Start, End time.Time
	Channel    uint8
	RSSI       int8 // dBm where the tap listens
	LQI        uint8
	PSDU       []byte // valid during the call
}

// Limits.
const (
	MinPSDU      = 5
	MaxPSDU      = 127
	FirstChannel = 11
	LastChannel  = 26
)

// Timing of the 2.4 GHz O-QPSK PHY at 250 kbit/s.
const (
	Symbol      = 16 * time.Microsecond
	Turnaround  = 12 * Symbol
	AckWait     = 54 * Symbol
	UnitBackoff = 20 * Symbol
	CCATime     = 8 * Symbol
	phyHeader   = 6 // octets of preamble, start of frame delimiter and length
)

// Back-off.
const (
	MinBE       = 3
	MaxBE       = 5
	MaxBackoffs = 4
	MaxRetries  = 3
)

// Airtime is how long a PSDU of n octets occupies the channel.
func Airtime(n int) time.Duration { return time.Duration(phyHeader+n) * 2 * Symbol }

// Quality turns a level in dBm into a link quality: 255 from -40 dBm on, 0 at -100 dBm (ours; radios differ).
func Quality(rssi int8) uint8 {
	return uint8(max(0, min(255, (int(rssi)+100)*255/60)))
}
