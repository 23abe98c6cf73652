package node

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"os"
	"time"

	"smets1/internal/wire"
	"smets1/zigbee/aps"
	"smets1/zigbee/mac"
	"smets1/zigbee/nwk"
	"smets1/zigbee/security"
)

// Radio is the transceiver of a node: transport/radio.Radio, named here by its methods.
type Radio interface {
	Tune(now time.Time, channel uint8, on bool)
	Address(pan, short uint16, eui wire.EUI64)
	Pending(short []uint16, extended []wire.EUI64)
	Transmit(now time.Time, psdu []byte, retries int) error
}

// Role is a node's place in the network.
type Role uint8

// The roles.
const (
	Coordinator Role = iota // forms the network and is its trust centre
	Router
	EndDevice // receiver always on
	Sleepy    // receiver on only when it expects something
)

// String names the role.
func (r Role) String() string {
	switch r {
	case Coordinator:
		return "coordinator"
	case Router:
		return "router"
	case EndDevice:
		return "end device"
	case Sleepy:
		return "sleepy end device"
	}
	return fmt.Sprintf("role %d", uint8(r))
}

func (r Role) routes() bool { return r <= Router }

func (r Role) capability() mac.Capability {
	switch r {
	case Sleepy:
		return mac.CapabilitySleepy
	case EndDevice:
		return mac.CapabilityEndDevice
	default:
		return mac.CapabilityRouter
	}
}

// Policy is what a node asks of the frames it gets.
type Policy uint8

// The policies.
const (
	// SmartEnergy: link keys of key establishment for every cluster that needs them.
	SmartEnergy Policy = iota
	// Open is for laboratories: the network key is enough, profile 0104 is served as well, and a joiner takes the trust
	// centre's own link key instead of establishing one.
	Open
)

// Config says what a node is.
type Config struct {
	EUI    wire.EUI64
	Role   Role
	Policy Policy
	// Manufacturer is the code of the node descriptor.
	Manufacturer uint16
	// Channels is a mask, bit n for channel n. Zero means 11 to 26. A coordinator takes the lowest.
	Channels uint32
	// PAN is the identifier a coordinator forms its network with. Zero means a random one.
	PAN uint16
	// ExtendedPAN is a coordinator's network name, zero meaning its EUI-64; for others the network to join, zero
	// meaning any.
	ExtendedPAN wire.EUI64
	// LinkKey is the key that the node was given before joining, that of its install code. Zero means the well-known key
	// under the policy Open, and none otherwise.
	LinkKey security.Key
	// Identity is what key establishment needs. Zero means that the node takes no part in it.
	Identity Identity
	// Poll and FastPoll are how often a sleepy device asks its parent. Zero means 6 s and 250 ms.
	Poll, FastPoll time.Duration
	// Timeout is how long the parent shall remember a silent end device. Zero means 256 minutes.
	Timeout nwk.TimeoutIndex
	// Concentrator is how often a coordinator has the routers make routes to itself; it then sends along source routes.
	// Zero means never: it looks for a route to each device.
	Concentrator time.Duration
	// Endpoints are what the node does. They may be changed until Start.
	Endpoints []*Endpoint
	// Rand decides on addresses and jitter. Nil means one seeded with the EUI-64.
	Rand *mrand.Rand
	// Entropy gives keys and ephemeral keys. Nil means crypto/rand.
	Entropy io.Reader
	// Save makes the state durable; the slice is not kept by the node. Nil means that it is lost with the node. When it
	// fails the node sends nothing more until it works again.
	Save func(state []byte) error
	// NetworkKey is what a new coordinator forms its network with. Zero means a random one.
	NetworkKey security.Key
	// Deliver, if not nil, takes every message for applications, and the responses and announcements of the device profile:
	// the applications run on a host, and the node is its co-processor. See SendRaw.
	Deliver func(now time.Time, m Message, payload []byte)
	// Notify is told what happens to the node and its network. Nil tells nobody.
	Notify func(now time.Time, e Event)
}

// Identity is a device certificate with its key, and the authorities that it trusts.
type Identity struct {
	Certificate security.Certificate
	Key         security.PrivateKey
	Authorities map[wire.EUI64]security.PublicKey
}

// Defaults and limits. The first two are those of Smart Energy's stack profile (recalled), the others ours.
const (
	expelAfter     = 20 * time.Minute
	maxPermit      = 254 * time.Second
	defaultPoll    = 6 * time.Second
	defaultFast    = 250 * time.Millisecond
	stayAwake      = 3 * time.Second // after something was heard
	nwkBlock       = 2048            // frame counters reserved at a time
	apsBlock       = 512
	keyWait        = 10 * time.Second // for the network key after association
	associateAfter = mac.ResponseWait
)

// Stats counts what a node saw.
type Stats struct {
	Sent, Received   uint64 // NWK frames
	Replays          uint64 // refused for their frame counter
	Unauthentic      uint64 // refused for their MIC, or under no known key
	Insecure         uint64 // refused because the policy asks for more security
	Malformed        uint64
	Duplicates       uint64 // acknowledged again, not delivered again
	Retries          uint64 // of APS messages
	Undelivered      uint64 // APS messages that were never acknowledged
	IndirectExpired  uint64 // frames that a sleepy child did not fetch in time
	Refused          uint64 // joiners turned away by the trust centre
	RouteDiscoveries uint64
}

// EventKind is what happened.
type EventKind uint8

// The kinds of Event.
const (
	Formed          EventKind = iota + 1
	Joined                    // has the network key
	JoinFailed                // Err says why; the node tries again by itself
	Keyed                     // has an established link key with the trust centre
	KeyFailed                 // key establishment failed; Err says why
	Left                      // left, or was sent away
	ParentLost                // looks for another parent
	DeviceJoined              // trust centre: a device got the network key
	DeviceKeyed               // trust centre: a device established its link key
	DeviceRefused             // trust centre: a joiner was turned away; Err says why
	DeviceLeft                // a device left the network
	DeviceExpelled            // trust centre: sent away, it never established a key
	DeviceAnnounced           // Device and Short are known now
	KeySwitched               // a new network key is in use
	PartnerKeyed              // an application link key with Device is there
)

// Event is something that happened to a node.
type Event struct {
	Kind   EventKind
	Device wire.EUI64
	Short  uint16
	Err    error
}

// Errors of a node.
var (
	ErrDown       = errors.New("node: not on a network: join first")
	ErrNoLinkKey  = errors.New("node: no established link key with that device, and the cluster needs one")
	ErrNoRoute    = errors.New("node: no route to that device")
	ErrUnknown    = errors.New("node: no device with that address is known here")
	ErrNoCommand  = errors.New("node: a request needs a command, a global command, or a maker's code with a payload of its own")
	ErrTooLong    = errors.New("node: the message is longer than fragments can carry")
	ErrWrongRole  = errors.New("node: only a coordinator and trust centre can do this")
	ErrNotAllowed = errors.New("node: the device is not on the trust centre's list, or has no install code there")
)

// timeoutError is an operation that took too long.
type timeoutError string

func (e timeoutError) Error() string       { return "node: " + string(e) }
func (timeoutError) Timeout() bool         { return true }
func (timeoutError) Is(target error) bool  { return target == os.ErrDeadlineExceeded }
func timedOut(f string, args ...any) error { return timeoutError(fmt.Sprintf(f, args...)) }

// phase of being on a network.
type phase uint8

const (
	down phase = iota
	scanning
	associating
	waitingForKey
	rejoining
	up
)

// Node is one node. Make it with New.
type Node struct {
	cfg   Config
	radio Radio
	now   time.Time

	timers   timers
	timerSeq uint64

	// MAC.
	phase       phase
	channel     uint8
	pan, short  uint16
	epid        wire.EUI64
	parent      uint16
	depth       uint8
	macSeq      uint8
	queue       []*packet
	onAir       *packet
	indirect    []*packet
	recent      [8]recentFrame
	recentAt    int
	txBuf       []byte
	apsBuf      []byte
	rawBuf      []byte
	listen      *timer // a sleepy device's receiver is on while it is set
	pollTimer   *timer
	fastUntil   time.Time
	pollFailed  int
	permitUntil time.Time
	updateID    uint8
	foreign     int       // frames in a row under a key that is not there
	staleUntil  time.Time // before then they mean nothing

	// Joining.
	join joiner

	// NWK.
	nwkSeq           uint8
	nwkTx            security.SendCounter // never starts anew, whatever key is in use
	nets             [2]network           // the keys; the one in use first
	neighbours       []neighbour
	addresses        []addressEntry
	broadcasts       []broadcast
	routes           []route
	sourceRoutes     []sourceRoute
	concentrateTimer *timer
	discoveries      []*discovery
	requests         []routeRequest
	routeID          uint8
	statusTimer      *timer

	// APS.
	apsCounter  uint8
	apsTx       security.SendCounter // one for all link keys: it grows for each of them
	keys        []*linkKey
	outbox      []*transmission
	seen        []seenMessage
	reassembly  []*assembly
	trustCentre wire.EUI64

	// Trust centre.
	admitted []*admission
	anyone   security.Key // of joiners that are not on the list

	// Device profile and clusters.
	tsn      uint8
	zdpWait  []*zdpRequest
	zclWait  []*Request
	bindings []Binding
	reports  []*reporting
	ke       keyExchange

	stats    Stats
	dirty    bool
	failed   error // of Save
	building bool
}

type recentFrame struct {
	source uint64
	seq    uint8
	used   bool
}

// New makes a node. Start puts it to work.
func New(c Config) (*Node, error) {
	if c.EUI.IsZero() {
		return nil, errors.New("node: a node needs an EUI-64")
	}
	if c.Channels == 0 {
		c.Channels = 0x07FFF800
	}
	if c.Channels&0x07FFF800 == 0 {
		return nil, fmt.Errorf("node: channel mask %08X has none of 11 to 26", c.Channels)
	}
	if c.Poll == 0 {
		c.Poll = defaultPoll
	}
	if c.FastPoll == 0 {
		c.FastPoll = defaultFast
	}
	if c.Timeout == 0 {
		c.Timeout = nwk.DefaultTimeoutIndex
	}
	if c.Rand == nil {
		c.Rand = mrand.New(mrand.NewPCG(binary.BigEndian.Uint64(c.EUI[:]), 0x6e6f6465))
	}
	if c.Entropy == nil {
		c.Entropy = rand.Reader
	}
	if c.LinkKey.IsZero() && c.Policy == Open {
		c.LinkKey = security.WellKnownLinkKey()
	}
	n := &Node{cfg: c, anyone: anyoneKey(c.Policy), short: mac.NoShort, pan: mac.BroadcastPAN, parent: mac.NoShort}
	n.macSeq, n.nwkSeq = uint8(c.Rand.Uint32()), uint8(c.Rand.Uint32())
	n.apsCounter, n.tsn = uint8(c.Rand.Uint32()), uint8(c.Rand.Uint32())
	for _, e := range c.Endpoints {
		if err := e.check(); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// Start puts the node on a radio. state is what Save was given last, or empty for a new node. A node that was on a network
// goes on there; a new coordinator forms one; any other new node waits for Join.
func (n *Node) Start(now time.Time, r Radio, state []byte) error {
	n.now, n.radio = now, r
	r.Pending(nil, nil)
	if len(state) > 0 {
		if err := n.restore(state); err != nil {
			return err
		}
	}
	switch {
	case n.nets[0].valid():
		n.resume()
	case n.cfg.Role == Coordinator:
		return n.form()
	default:
		n.address()
	}
	return n.failed
}

// EUI is the node's address.
func (n *Node) EUI() wire.EUI64 { return n.cfg.EUI }

// Short is the node's address on the network; FFFE when it has none.
func (n *Node) Short() uint16 { return n.short }

// PAN is the network's identifier.
func (n *Node) PAN() uint16 { return n.pan }

// Channel is the one in use.
func (n *Node) Channel() uint8 { return n.channel }

// ExtendedPAN is the network's name.
func (n *Node) ExtendedPAN() wire.EUI64 { return n.epid }

// Up tells whether the node is on a network.
func (n *Node) Up() bool { return n.phase == up }

// TrustCentre is the address of the network's trust centre.
func (n *Node) TrustCentre() wire.EUI64 { return n.trustCentre }

// Now is the time of what the node does at present.
func (n *Node) Now() time.Time { return n.now }

// Stats of the node so far.
func (n *Node) Stats() Stats { return n.stats }

// Policy of the node.
func (n *Node) Policy() Policy { return n.cfg.Policy }

func (n *Node) notify(e Event) {
	if n.cfg.Notify != nil {
		n.cfg.Notify(n.now, e)
	}
}

// jitter is a random time below d.
func (n *Node) jitter(d time.Duration) time.Duration {
	return time.Duration(n.cfg.Rand.Int64N(int64(d)))
}

// address tells the radio who it is, and tunes it.
func (n *Node) address() {
	n.radio.Address(n.pan, n.short, n.cfg.EUI)
	n.tune()
}

func (n *Node) tune() {
	if n.channel == 0 {
		n.channel = lowest(n.cfg.Channels)
	}
	on := n.cfg.Role != Sleepy || n.listen != nil || n.phase == scanning
	if n.phase == down && n.cfg.Role != Coordinator {
		on = false
	}
	n.radio.Tune(n.now, n.channel, on)
}

func lowest(mask uint32) uint8 {
	for c := uint8(11); c < 27; c++ {
		if mask&(1<<c) != 0 {
			return c
		}
	}
	return 0
}

// network is one network key with its counters.
type network struct {
	key      security.Key
	sequence uint8
	cipher   *security.Cipher
	rx       []heardCounter
}

type heardCounter struct {
	source  wire.EUI64
	counter security.ReceiveCounter
}

func (k *network) valid() bool { return !k.key.IsZero() }

func (k *network) open() (*security.Cipher, error) {
	if k.cipher == nil {
		c, err := security.NewCipher(k.key)
		if err != nil {
			return nil, err
		}
		k.cipher = c
	}
	return k.cipher, nil
}

func (k *network) counter(e wire.EUI64) *security.ReceiveCounter {
	for i := range k.rx {
		if k.rx[i].source == e {
			return &k.rx[i].counter
		}
	}
	k.rx = append(k.rx, heardCounter{source: e})
	return &k.rx[len(k.rx)-1].counter
}

// addressEntry is what is known of a device on the network.
type addressEntry struct {
	eui        wire.EUI64
	short      uint16
	capability mac.Capability
	known      bool // capability is
}

func (n *Node) addressOf(e wire.EUI64) (uint16, bool) {
	if e == n.cfg.EUI {
		return n.short, true
	}
	for i := range n.addresses {
		if n.addresses[i].eui == e {
			return n.addresses[i].short, true
		}
	}
	return 0, false
}

func (n *Node) euiOf(short uint16) (wire.EUI64, bool) {
	if short == n.short {
		return n.cfg.EUI, true
	}
	if short == nwk.Coordinator && !n.trustCentre.IsZero() {
		return n.trustCentre, true
	}
	for i := range n.addresses {
		if n.addresses[i].short == short {
			return n.addresses[i].eui, true
		}
	}
	return wire.EUI64{}, false
}

// learn notes an address. A short address belongs to one device only.
func (n *Node) learn(e wire.EUI64, short uint16) {
	if e.IsZero() || e == n.cfg.EUI || nwk.IsBroadcast(short) || short == mac.NoShort {
		return
	}
	found := false
	for i := 0; i < len(n.addresses); i++ {
		a := &n.addresses[i]
		switch {
		case a.eui == e:
			if a.short != short {
				a.short = short
				n.dirty = true
			}
			found = true
		case a.short == short:
			n.addresses = append(n.addresses[:i], n.addresses[i+1:]...)
			i--
		}
	}
	if !found {
		n.addresses = append(n.addresses, addressEntry{eui: e, short: short})
		n.dirty = true
	}
}

// sleepy tells whether a device is known to sleep.
func (n *Node) sleepy(short uint16) bool {
	if x := n.neighbour(short); x != nil && x.relation == child {
		return x.capability&mac.CapabilityRxOnWhenIdle == 0
	}
	for i := range n.addresses {
		if a := &n.addresses[i]; a.short == short {
			return a.known && a.capability&mac.CapabilityRxOnWhenIdle == 0
		}
	}
	return false
}

// outgoing is an APS frame that is secured when it leaves.
type outgoing struct {
	header  aps.Header
	payload []byte
	key     *linkKey
	keyID   security.KeyID
	short   bool // without the source address: the receiver knows it
}
