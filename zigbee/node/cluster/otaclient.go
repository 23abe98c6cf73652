package cluster

import (
	"fmt"
	"math/rand/v2"
	"time"

	"smets1/internal/wire"
	"smets1/zigbee/node"
	"smets1/zigbee/security"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

// OTAState is where a download stands: attribute ImageUpgradeStatus.
type OTAState uint8

// The states.
const (
	OTANormal      OTAState = 0
	OTADownloading OTAState = 1
	OTAComplete    OTAState = 2
	OTAWaiting     OTAState = 3 // for leave to run it
	OTACountdown   OTAState = 4
)

// OTAClient fetches firmware at its own pace.
type OTAClient struct {
	// Current is what runs: manufacturer, type and version.
	Current se.ImageID
	// Pace is the time from one block to the next request. Zero asks at once.
	Pace time.Duration
	// Block is how many octets are asked for. Zero means 48, which fit into one frame.
	Block uint8
	// Page, if not zero, asks for pages of so many octets; a device that sleeps does not.
	Page uint16
	// Begin starts an image of a size afresh, or says from where to go on.
	Begin func(id se.ImageID, size uint32) (from uint32)
	// Write takes a block. An error abandons the download.
	Write func(offset uint32, b []byte) error
	// Image gives the whole file back that Write was given. It must be one for this device, of the manufacturer, type and
	// version offered, and be signed by one of Signers (none: anyone) with a certificate of one of Authorities; otherwise the
	// server hears INVALID_IMAGE and nothing is run.
	Image       func(id se.ImageID, size uint32) ([]byte, error)
	Authorities map[wire.EUI64]security.PublicKey
	Signers     []wire.EUI64
	// Verify checks the image in the device's own way, besides, or without Image alone. An image that neither checks is
	// refused.
	Verify func(id se.ImageID, size uint32) error
	// Hardware is the device's version, if not zero: an image for others is refused.
	Hardware uint16
	// Rand draws against the jitter of notices to all devices. Nil follows each.
	Rand *rand.Rand
	// Apply runs it.
	Apply func(now time.Time, id se.ImageID)
	// Endpoint of the device and Far that of the server. Zero means 1.
	Endpoint, Far uint8

	node   *node.Node
	server wire.EUI64
	state  OTAState
	image  se.ImageID
	size   uint32
	offset uint32
	period time.Duration // what the server wants
	tries  int
	cancel func()
	page   uint32 // end of the page under way
	// specific is a file for this device alone: it is applied, and changes nothing of what runs.
	specific bool
	stamp    uint32 // of the file that was checked last
}

// Times of a client: those of the EmberZNet stack (recalled).
const (
	otaRetries = 3
	otaPause   = 5 * time.Minute // after so many failures
	otaAsk     = time.Hour       // for leave to run the image
	pageGap    = 50 * time.Millisecond
)

// Attach gives the client its node and the server.
func (c *OTAClient) Attach(n *node.Node) { c.node = n }

// Cluster gives the client side.
func (c *OTAClient) Cluster() *node.Cluster { return &node.Cluster{Spec: otaClient, State: c} }

// State of the download.
func (c *OTAClient) State() OTAState { return c.state }

// Offset is how much is there.
func (c *OTAClient) Offset() uint32 { return c.offset }

func ota(c *node.Call) *OTAClient { return c.State.(*OTAClient) }

var otaClient = &node.Spec{
	ID: se.OTA, Generated: []uint8{0x01, 0x03, 0x04, 0x06, 0x08},
	Attributes: []node.Attribute{
		{ID: 0x0000, Type: zcl.IEEEAddress, Get: func(c *node.Call) zcl.Value { return zcl.EUI(ota(c).server) }},
		{ID: 0x0001, Type: zcl.Uint32, Get: func(c *node.Call) zcl.Value { return zcl.Unsigned(zcl.Uint32, uint64(ota(c).offset)) }},
		{ID: 0x0002, Type: zcl.Uint32, Get: func(c *node.Call) zcl.Value { return zcl.Unsigned(zcl.Uint32, uint64(ota(c).Current.FileVersion)) }},
		{ID: se.AttrCurrentStackVersion, Type: zcl.Uint16, Get: node.Fixed(zcl.Unsigned(zcl.Uint16, zigBeePRO))},
		{ID: 0x0004, Type: zcl.Uint32, Get: func(c *node.Call) zcl.Value { return zcl.Unsigned(zcl.Uint32, uint64(ota(c).image.FileVersion)) }},
		{ID: 0x0006, Type: zcl.Enum8, Get: func(c *node.Call) zcl.Value { return zcl.Unsigned(zcl.Enum8, uint64(ota(c).state)) }},
		{ID: 0x0007, Type: zcl.Uint16, Get: func(c *node.Call) zcl.Value {
			return zcl.Unsigned(zcl.Uint16, uint64(ota(c).Current.Manufacturer))
		}},
		{ID: 0x0008, Type: zcl.Uint16, Get: func(c *node.Call) zcl.Value { return zcl.Unsigned(zcl.Uint16, uint64(ota(c).Current.ImageType)) }},
		{ID: 0x0009, Type: zcl.Uint16, Get: func(c *node.Call) zcl.Value {
			return zcl.Unsigned(zcl.Uint16, uint64(ota(c).pace()/time.Millisecond))
		}},
		{ID: se.AttrImageStamp, Type: zcl.Uint32, Get: func(c *node.Call) zcl.Value { return zcl.Unsigned(zcl.Uint32, uint64(ota(c).stamp)) }},
	},
	Commands: []node.Command{
		{ID: 0x00, Handle: func(c *node.Call, m se.Command) error {
			n := m.(se.ImageNotify)
			k := ota(c)
			if c.Broadcast && (k.Rand != nil && 1+k.Rand.IntN(100) > int(n.Jitter) || n.Content == se.NotifyVersion && n.FileVersion == k.Current.FileVersion) {
				return nil
			}
			if n.Content >= se.NotifyManufacturer && n.Manufacturer != k.Current.Manufacturer || n.Content >= se.NotifyImageType && n.ImageType != k.Current.ImageType {
				return nil
			}
			k.Query(c.Now, c.From)
			return nil
		}},
		{ID: 0x05, Handle: func(c *node.Call, m se.Command) error { // of a page
			ota(c).got(c.Now, m.(se.ImageBlockResponse))
			return nil
		}},
		{ID: 0x07, Handle: func(c *node.Call, m se.Command) error {
			ota(c).leave(c.Now, m.(se.UpgradeEndResponse))
			return nil
		}},
	},
}

func (c *OTAClient) pace() time.Duration { return max(c.Pace, c.period) }

func (c *OTAClient) endpoints() (near, far uint8) { return max(c.Endpoint, 1), max(c.Far, 1) }

func (c *OTAClient) later(now time.Time, d time.Duration, f func(now time.Time)) {
	if c.cancel != nil {
		c.cancel()
	}
	c.cancel = c.node.After(now, d, func(now time.Time) {
		c.cancel = nil
		f(now)
	})
}

// ask sends a command and gives the answer to done, or tries again later.
func (c *OTAClient) ask(now time.Time, m se.Command, answer uint8, again func(now time.Time), done func(now time.Time, m se.Command)) {
	near, far := c.endpoints()
	r := &node.Request{To: c.server, Endpoint: far, From: near, Command: m, Answers: []uint8{answer}, Done: func(r node.Response) {
		if r.Err != nil || r.Command == nil {
			c.failed(r.Now, again)
			return
		}
		c.tries = 0
		done(r.Now, r.Command)
	}}
	if err := c.node.Request(now, r); err != nil {
		c.failed(now, again)
	}
}

func (c *OTAClient) failed(now time.Time, again func(now time.Time)) {
	c.tries++
	d := time.Second
	if c.tries > otaRetries {
		d, c.tries = otaPause, 0
	}
	c.later(now, d, again)
}

// Query asks a server for an image, unless a download is under way.
func (c *OTAClient) Query(now time.Time, server wire.EUI64) {
	if c.state != OTANormal {
		return
	}
	c.server, c.specific = server, false
	c.query(now)
}

// QueryFile asks a server for a file of this device alone: its security credentials, configuration or log by the type.
// Apply is given it like an image.
func (c *OTAClient) QueryFile(now time.Time, server wire.EUI64, kind uint16) {
	if c.state != OTANormal {
		return
	}
	c.server, c.specific = server, true
	q := se.QueryDeviceSpecificFileRequest{
		Node: c.node.EUI(), Image: se.ImageID{Manufacturer: c.Current.Manufacturer, ImageType: kind, FileVersion: anyVersion}, StackVersion: zigBeePRO,
	}
	var query func(now time.Time)
	query = func(now time.Time) {
		c.ask(now, q, 0x09, query, func(now time.Time, m se.Command) {
			r := m.(se.QueryDeviceSpecificFileResponse)
			if r.Status != zcl.Success || r.Image.Manufacturer != c.Current.Manufacturer || r.Image.ImageType != kind {
				return
			}
			c.begin(now, r.Image, r.Size)
		})
	}
	query(now)
}

func (c *OTAClient) begin(now time.Time, id se.ImageID, size uint32) {
	c.image, c.size, c.state = id, size, OTADownloading
	c.offset = min(c.Begin(id, size), size)
	c.next(now)
}

func (c *OTAClient) query(now time.Time) {
	c.ask(now, se.QueryNextImageRequest{Image: c.Current}, 0x02, c.query, func(now time.Time, m se.Command) {
		r := m.(se.QueryNextImageResponse)
		if r.Status != zcl.Success || r.Image.Manufacturer != c.Current.Manufacturer || r.Image.ImageType != c.Current.ImageType {
			return
		}
		c.begin(now, r.Image, r.Size)
	})
}

// next asks for the block or page that is due.
func (c *OTAClient) next(now time.Time) {
	if c.state != OTADownloading {
		return
	}
	if c.offset >= c.size {
		c.finish(now)
		return
	}
	most := c.Block
	if most == 0 {
		most = maxBlock
	}
	if c.Page > 0 {
		c.nextPage(now, most)
		return
	}
	m := se.ImageBlockRequest{Image: c.image, Offset: c.offset, Most: most, HasPeriod: true, Period: uint16(c.pace() / time.Millisecond)}
	if c.specific {
		m.HasNode, m.Node = true, c.node.EUI()
	}
	c.ask(now, m, 0x05, c.next, func(now time.Time, m se.Command) { c.got(now, m.(se.ImageBlockResponse)) })
}

// nextPage asks for a page; its blocks come unasked. What is missing at its end is asked for again.
func (c *OTAClient) nextPage(now time.Time, most uint8) {
	near, far := c.endpoints()
	c.page = min(c.size, c.offset+uint32(c.Page))
	err := c.node.Request(now, &node.Request{
		To: c.server, Endpoint: far, From: near, Quiet: true,
		Command: se.ImagePageRequest{Image: c.image, Offset: c.offset, Most: most, PageSize: c.Page, Spacing: uint16(max(c.pace(), pageGap) / time.Millisecond)},
	})
	blocks := time.Duration(c.Page)/time.Duration(most) + 1
	wait := 2*blocks*max(c.pace(), pageGap) + 3*time.Second
	if err != nil {
		wait = otaPause
	}
	c.later(now, wait, c.next)
}

// got takes a block.
func (c *OTAClient) got(now time.Time, r se.ImageBlockResponse) {
	if c.state != OTADownloading {
		return
	}
	switch r.Status {
	case zcl.Success:
		if r.Image != c.image || r.Offset != c.offset {
			return // of an earlier request
		}
		if len(r.Data) == 0 || c.offset+uint32(len(r.Data)) > c.size || c.Write(c.offset, r.Data) != nil {
			c.abandon(now, zcl.Abort)
			return
		}
		c.offset += uint32(len(r.Data))
		if c.Page > 0 && c.offset < c.page {
			return
		}
		if d := c.pace(); d > 0 && c.offset < c.size {
			c.later(now, d, c.next)
			return
		}
		c.next(now)
	case zcl.WaitForData:
		c.period = time.Duration(r.Period) * time.Millisecond
		d := c.period
		if r.Request > r.Now {
			d = max(d, time.Duration(r.Request-r.Now)*time.Second)
		}
		c.later(now, d, c.next)
	default:
		c.state = OTANormal // the server gave up
	}
}

func (c *OTAClient) abandon(now time.Time, status zcl.Status) {
	c.state = OTANormal
	near, far := c.endpoints()
	_ = c.node.Request(now, &node.Request{
		To: c.server, Endpoint: far, From: near, Command: se.UpgradeEndRequest{Status: status, HasImage: true, Image: c.image}, Quiet: true,
	})
}

// finish checks the image and asks when to run it.
func (c *OTAClient) finish(now time.Time) {
	if c.check() != nil {
		c.abandon(now, zcl.InvalidImage)
		return
	}
	c.state = OTAComplete
	c.askLeave(now)
}

// check looks at the whole image before anyone is told that it is good.
func (c *OTAClient) check() error {
	if c.Image != nil {
		b, err := c.Image(c.image, c.size)
		if err != nil {
			return err
		}
		h, _, err := se.ParseOTAHeader(b)
		switch {
		case err != nil:
			return err
		case h.Image != c.image || h.Size != c.size || uint32(len(b)) != c.size:
			return fmt.Errorf("cluster: the file is %v of %d octets, offered was %v of %d: %w", h.Image, h.Size, c.image, c.size, se.ErrImage)
		case h.HasDst && h.Dst != c.node.EUI():
			return fmt.Errorf("cluster: the file is for %s alone: %w", h.Dst, se.ErrImage)
		case h.HasHardware && c.Hardware != 0 && (c.Hardware < h.MinHardware || c.Hardware > h.MaxHardware):
			return fmt.Errorf("cluster: the file is for hardware %04X to %04X, this is %04X: %w", h.MinHardware, h.MaxHardware, c.Hardware, se.ErrImage)
		}
		if _, err := se.VerifyOTAImage(b, c.Authorities, c.Signers); err != nil {
			return err
		}
		d := security.Hash(b)
		c.stamp = uint32(d[0]) | uint32(d[1])<<8 | uint32(d[2])<<16 | uint32(d[3])<<24
	}
	if c.Verify != nil {
		return c.Verify(c.image, c.size)
	}
	if c.Image == nil {
		return se.ErrUnsigned
	}
	return nil
}

func (c *OTAClient) askLeave(now time.Time) {
	if c.state != OTAComplete && c.state != OTAWaiting {
		return
	}
	c.ask(now, se.UpgradeEndRequest{Status: zcl.Success, HasImage: true, Image: c.image}, 0x07, c.askLeave, func(now time.Time, m se.Command) {
		c.leave(now, m.(se.UpgradeEndResponse))
	})
}

// leave takes the server's word when to run the image.
func (c *OTAClient) leave(now time.Time, r se.UpgradeEndResponse) {
	if c.state != OTAComplete && c.state != OTAWaiting || !meant(r.Image, c.image) {
		return
	}
	if r.UpgradeTime == se.UpgradeWait {
		c.state = OTAWaiting
		c.later(now, otaAsk, c.askLeave)
		return
	}
	c.state = OTACountdown
	d := time.Duration(0)
	if r.UpgradeTime > r.Now {
		d = time.Duration(r.UpgradeTime-r.Now) * time.Second
	}
	c.later(now, d, func(now time.Time) {
		if c.state = OTANormal; !c.specific {
			c.Current = c.image
		}
		c.Apply(now, c.image)
	})
}

// The wildcards of image identifiers, and the stack version of files.
const (
	anyCode    uint16 = 0xFFFF
	anyVersion uint32 = 0xFFFFFFFF
	zigBeePRO         = 2
)

// meant tells whether an identifier with wildcards means an image.
func meant(w, id se.ImageID) bool {
	return (w.Manufacturer == anyCode || w.Manufacturer == id.Manufacturer) && (w.ImageType == anyCode || w.ImageType == id.ImageType) &&
		(w.FileVersion == anyVersion || w.FileVersion == id.FileVersion)
}
