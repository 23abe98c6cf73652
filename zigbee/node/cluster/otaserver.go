package cluster

import (
	"io"
	"time"

	"smets1/internal/wire"
	"smets1/zigbee/node"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

// OTAImage is a file that the server gives out.
type OTAImage struct {
	ID   se.ImageID
	Size uint32
	Data io.ReaderAt
}

// OTAServer gives firmware to devices that ask for it, block by block.
type OTAServer struct {
	// Offer is the image for a device that asks; nil for none. It is asked again after a restart.
	Offer func(device wire.EUI64, q se.ImageID) *OTAImage
	// File is a file for one device alone: its credentials, configuration or a place for its log, by the type. Nil has none.
	File func(device wire.EUI64, q se.ImageID) *OTAImage
	// Period is the shortest time between two requests of a device. Zero sets none.
	Period time.Duration
	// Activate says when a device that has the whole image shall run it; the zero time means that it has to wait until
	// Release. Nil means at once.
	Activate func(now time.Time, device wire.EUI64, id se.ImageID) time.Time
	// Ended, if set, is told what a device makes of its download.
	Ended func(now time.Time, device wire.EUI64, id se.ImageID, status zcl.Status)
	// Endpoint of the server and of the devices. Zero means 1.
	Endpoint, Far uint8

	node    *node.Node
	waiting []held
	served  []served
	blocks  uint64
}

// served is when a device got its last block.
type served struct {
	device wire.EUI64
	at     time.Time
}

// held is a device that waits for leave to run its image.
type held struct {
	device wire.EUI64
	id     se.ImageID
}

// Attach gives the server its node.
func (s *OTAServer) Attach(n *node.Node) { s.node = n }

// Cluster gives the server side.
func (s *OTAServer) Cluster() *node.Cluster { return &node.Cluster{Spec: otaServer, State: s} }

// Blocks is how many blocks were sent.
func (s *OTAServer) Blocks() uint64 { return s.blocks }

var otaServer = &node.Spec{
	ID: se.OTA, Server: true, Generated: []uint8{0x00, 0x02, 0x05, 0x07, 0x09},
	Commands: []node.Command{
		{ID: 0x01, Handle: func(c *node.Call, m se.Command) error {
			return c.State.(*OTAServer).query(c, m.(se.QueryNextImageRequest))
		}},
		{ID: 0x03, Handle: func(c *node.Call, m se.Command) error {
			return c.State.(*OTAServer).block(c, m.(se.ImageBlockRequest))
		}},
		{ID: 0x04, Handle: func(c *node.Call, m se.Command) error {
			return c.State.(*OTAServer).page(c, m.(se.ImagePageRequest))
		}},
		{ID: 0x06, Handle: func(c *node.Call, m se.Command) error {
			return c.State.(*OTAServer).end(c, m.(se.UpgradeEndRequest))
		}},
		{ID: 0x08, Handle: func(c *node.Call, m se.Command) error {
			return c.State.(*OTAServer).specific(c, m.(se.QueryDeviceSpecificFileRequest))
		}},
	},
}

func (s *OTAServer) query(c *node.Call, m se.QueryNextImageRequest) error {
	i := s.Offer(c.From, m.Image)
	if i == nil || i.ID.FileVersion == m.Image.FileVersion {
		c.Reply(se.QueryNextImageResponse{Status: zcl.NoImageAvailable})
		return nil
	}
	c.Reply(se.QueryNextImageResponse{Status: zcl.Success, Image: i.ID, Size: i.Size})
	return nil
}

// specific answers a device that asks for a file of its own.
func (s *OTAServer) specific(c *node.Call, m se.QueryDeviceSpecificFileRequest) error {
	if m.Node != c.From {
		return zcl.NotAuthorized
	}
	var i *OTAImage
	if s.File != nil {
		i = s.File(c.From, m.Image)
	}
	if i == nil {
		c.Reply(se.QueryDeviceSpecificFileResponse{Status: zcl.NoImageAvailable})
		return nil
	}
	c.Reply(se.QueryDeviceSpecificFileResponse{Status: zcl.Success, Image: i.ID, Size: i.Size})
	return nil
}

// firstSpecific is the first image type that is not firmware.
const firstSpecific = 0xFFC0

// image is the one that a device is downloading.
func (s *OTAServer) image(device wire.EUI64, id se.ImageID) *OTAImage {
	offer := s.Offer
	if id.ImageType >= firstSpecific {
		offer = s.File
	}
	if offer == nil {
		return nil
	}
	i := offer(device, id)
	if i == nil || i.ID != id {
		return nil
	}
	return i
}

// maxBlock is what goes into one secured frame with its headers.
const maxBlock = 48

func (s *OTAServer) block(c *node.Call, m se.ImageBlockRequest) error {
	i := s.image(c.From, m.Image)
	if i == nil {
		c.Reply(se.ImageBlockResponse{Status: zcl.Abort})
		return nil
	}
	if m.HasNode && m.Node != c.From {
		return zcl.NotAuthorized
	}
	// A device that says how long it waits has to say so long enough; one that does not is held to it.
	want := uint16(s.Period / time.Millisecond)
	now := se.UTCOf(c.Now)
	if m.HasPeriod && m.Period < want {
		c.Reply(se.ImageBlockResponse{Status: zcl.WaitForData, Now: now, Request: now, Period: want})
		return nil
	}
	if left := s.Period - c.Now.Sub(s.last(c.From, c.Now, m.HasPeriod)); !m.HasPeriod && left > 0 {
		c.Reply(se.ImageBlockResponse{Status: zcl.WaitForData, Now: now, Request: now + se.UTC((left+time.Second-1)/time.Second), Period: want})
		return nil
	}
	return s.send(c, i, m.Offset, m.Most)
}

// last is when a device got its last block; a request that will be served is noted.
func (s *OTAServer) last(device wire.EUI64, now time.Time, paced bool) time.Time {
	for i := range s.served {
		x := &s.served[i]
		if x.device != device {
			continue
		}
		was := x.at
		if paced || now.Sub(was) >= s.Period {
			x.at = now
		}
		return was
	}
	s.served = append(s.served, served{device, now})
	return time.Time{}
}

func (s *OTAServer) send(c *node.Call, i *OTAImage, offset uint32, most uint8) error {
	if offset >= i.Size {
		return zcl.MalformedCommand
	}
	b := make([]byte, min(uint32(most), maxBlock, i.Size-offset))
	if _, err := i.Data.ReadAt(b, int64(offset)); err != nil && err != io.EOF {
		c.Reply(se.ImageBlockResponse{Status: zcl.Abort})
		return nil
	}
	s.blocks++
	c.Reply(se.ImageBlockResponse{Status: zcl.Success, Image: i.ID, Offset: offset, Data: b})
	return nil
}

// page sends the blocks of a page, spaced as the device wishes.
func (s *OTAServer) page(c *node.Call, m se.ImagePageRequest) error {
	i := s.image(c.From, m.Image)
	if i == nil {
		c.Reply(se.ImageBlockResponse{Status: zcl.Abort})
		return nil
	}
	if m.Most == 0 || m.Offset >= i.Size {
		return zcl.MalformedCommand
	}
	offset, end := m.Offset, min(i.Size, m.Offset+uint32(m.PageSize))
	spacing := max(time.Duration(m.Spacing)*time.Millisecond, s.Period)
	var next func(now time.Time)
	next = func(now time.Time) {
		n := min(uint32(m.Most), maxBlock, end-offset)
		_ = s.send(c, i, offset, uint8(n))
		if offset += n; offset < end {
			c.Node.After(now, spacing, next)
		}
	}
	next(c.Now)
	return nil
}

func (s *OTAServer) end(c *node.Call, m se.UpgradeEndRequest) error {
	if s.Ended != nil {
		s.Ended(c.Now, c.From, m.Image, m.Status)
	}
	if m.Status != zcl.Success {
		return nil
	}
	at := c.Now
	if s.Activate != nil {
		at = s.Activate(c.Now, c.From, m.Image)
	}
	r := se.UpgradeEndResponse{Image: m.Image, Now: se.UTCOf(c.Now), UpgradeTime: se.UpgradeWait}
	if !at.IsZero() {
		r.UpgradeTime = se.UTCOf(at)
	} else {
		s.waiting = append(s.waiting, held{c.From, m.Image})
	}
	c.Reply(r)
	return nil
}

func (s *OTAServer) endpoints() (near, far uint8) { return max(s.Endpoint, 1), max(s.Far, 1) }

// Release lets a device run the image that it has, at a time. A device that sleeps hears of it when it wakes.
func (s *OTAServer) Release(now time.Time, device wire.EUI64, at time.Time) error {
	near, far := s.endpoints()
	for i, w := range s.waiting {
		if w.device != device {
			continue
		}
		s.waiting = append(s.waiting[:i], s.waiting[i+1:]...)
		return s.node.Request(now, &node.Request{
			To: device, Endpoint: far, From: near, Quiet: true,
			Command: se.UpgradeEndResponse{Image: w.id, Now: se.UTCOf(now), UpgradeTime: se.UTCOf(at)},
		})
	}
	return zcl.NotFound
}

// Notify tells a device of a new image.
func (s *OTAServer) Notify(now time.Time, device wire.EUI64, id se.ImageID) error {
	near, far := s.endpoints()
	return s.node.Request(now, &node.Request{
		To: device, Endpoint: far, From: near, Quiet: true,
		Command: se.ImageNotify{Content: se.NotifyVersion, Jitter: 100, Manufacturer: id.Manufacturer, ImageType: id.ImageType, FileVersion: id.FileVersion},
	})
}
