package se

import (
	"smets1/internal/wire"
	"smets1/zigbee/internal/field"
	"smets1/zigbee/zcl"
)

// Wildcards of OTA commands.
const (
	AnyManufacturer uint16 = 0xFFFF
	AnyImageType    uint16 = 0xFFFF
	AnyFileVersion  uint32 = 0xFFFFFFFF
	// UpgradeWait as an upgrade time means: wait for an Upgrade End Response, and ask again within an hour.
	UpgradeWait UTC = 0xFFFFFFFF
)

// NotifyContent says how far an Image Notify narrows down whom it is for.
type NotifyContent uint8

// The contents; each includes those before it.
const (
	NotifyJitter       NotifyContent = 0
	NotifyManufacturer NotifyContent = 1
	NotifyImageType    NotifyContent = 2
	NotifyVersion      NotifyContent = 3
)

// ImageID names an image.
type ImageID struct {
	Manufacturer uint16
	ImageType    uint16
	FileVersion  uint32
}

func imageID(c *field.Coder, m *ImageID) {
	field.U16(c, &m.Manufacturer)
	field.U16(c, &m.ImageType)
	field.U32(c, &m.FileVersion)
}

// ImageNotify tells of a new image (OTA cluster, clause 11.13.3; published). A client that draws a number of 1 to 100
// not above Jitter asks for it.
//
//	content(1) jitter(1) [manufacturer(2)] [imageType(2)] [fileVersion(4)]
type ImageNotify struct {
	Content      NotifyContent
	Jitter       uint8 // 1 to 100
	Manufacturer uint16
	ImageType    uint16
	FileVersion  uint32
}

// Key implements Command.
func (ImageNotify) Key() Key { return Key{OTA, true, 0x00} }

// AppendBinary implements Command.
func (m ImageNotify) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseImageNotify reads the payload.
func ParseImageNotify(b []byte) (m ImageNotify, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *ImageNotify) fields(c *field.Coder) {
	field.U8(c, &m.Content)
	field.U8(c, &m.Jitter)
	if m.Content >= NotifyManufacturer {
		field.U16(c, &m.Manufacturer)
	}
	if m.Content >= NotifyImageType {
		field.U16(c, &m.ImageType)
	}
	if m.Content >= NotifyVersion {
		field.U32(c, &m.FileVersion)
	}
}

// QueryNextImageRequest asks for an image (OTA cluster, clause 11.13.4; published).
//
//	flags(1): 0 hardware; manufacturer(2) type(2) version(4) [hardware(2)]
type QueryNextImageRequest struct {
	Image       ImageID // FileVersion is the one that runs
	HasHardware bool
	Hardware    uint16
}

// Key implements Command.
func (QueryNextImageRequest) Key() Key { return Key{OTA, false, 0x01} }

// AppendBinary implements Command.
func (m QueryNextImageRequest) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseQueryNextImageRequest reads the payload.
func ParseQueryNextImageRequest(b []byte) (m QueryNextImageRequest, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *QueryNextImageRequest) fields(c *field.Coder) {
	flags := bit(m.HasHardware, 0)
	field.U8(c, &flags)
	m.HasHardware = flags&1 != 0
	imageID(c, &m.Image)
	if m.HasHardware {
		field.U16(c, &m.Hardware)
	}
}

// QueryNextImageResponse answers: Success with an image, or NotAuthorized or NoImageAvailable.
//
//	status(1) [manufacturer(2) type(2) version(4) size(4)]
type QueryNextImageResponse struct {
	Status zcl.Status
	Image  ImageID // with Success
	Size   uint32  // octets, with Success
}

// Key implements Command.
func (QueryNextImageResponse) Key() Key { return Key{OTA, true, 0x02} }

// AppendBinary implements Command.
func (m QueryNextImageResponse) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseQueryNextImageResponse reads the payload.
func ParseQueryNextImageResponse(b []byte) (m QueryNextImageResponse, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *QueryNextImageResponse) fields(c *field.Coder) {
	field.U8(c, &m.Status)
	if m.Status == zcl.Success {
		imageID(c, &m.Image)
		field.U32(c, &m.Size)
	}
}

// ImageBlockRequest asks for a block (OTA cluster, clause 11.13.6; published).
//
//	flags(1): 0 node, 1 period; manufacturer(2) type(2) version(4) offset(4) most(1) [node(8)] [period(2, ms)]
type ImageBlockRequest struct {
	Image     ImageID
	Offset    uint32
	Most      uint8 // octets
	HasNode   bool
	Node      wire.EUI64 // the asking device
	HasPeriod bool
	Period    uint16 // shortest time between two requests, in ms; what the client keeps to
}

// Key implements Command.
func (ImageBlockRequest) Key() Key { return Key{OTA, false, 0x03} }

// AppendBinary implements Command.
func (m ImageBlockRequest) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseImageBlockRequest reads the payload.
func ParseImageBlockRequest(b []byte) (m ImageBlockRequest, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *ImageBlockRequest) fields(c *field.Coder) {
	flags := bit(m.HasNode, 0) | bit(m.HasPeriod, 1)
	field.U8(c, &flags)
	m.HasNode, m.HasPeriod = flags&1 != 0, flags&2 != 0
	imageID(c, &m.Image)
	field.U32(c, &m.Offset)
	field.U8(c, &m.Most)
	if m.HasNode {
		field.EUI(c, &m.Node)
	}
	if m.HasPeriod {
		field.U16(c, &m.Period)
	}
}

// ImagePageRequest asks for a page: the server sends its blocks one after another (OTA cluster, clause 11.13.7;
// published).
//
//	flags(1): 0 node; manufacturer(2) type(2) version(4) offset(4) most(1) pageSize(2) spacing(2, ms) [node(8)]
type ImagePageRequest struct {
	Image    ImageID
	Offset   uint32
	Most     uint8  // octets in a block
	PageSize uint16 // octets
	Spacing  uint16 // ms between blocks
	HasNode  bool
	Node     wire.EUI64 // the asking device
}

// Key implements Command.
func (ImagePageRequest) Key() Key { return Key{OTA, false, 0x04} }

// AppendBinary implements Command.
func (m ImagePageRequest) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseImagePageRequest reads the payload.
func ParseImagePageRequest(b []byte) (m ImagePageRequest, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *ImagePageRequest) fields(c *field.Coder) {
	flags := bit(m.HasNode, 0)
	field.U8(c, &flags)
	m.HasNode = flags&1 != 0
	imageID(c, &m.Image)
	field.U32(c, &m.Offset)
	field.U8(c, &m.Most)
	field.U16(c, &m.PageSize)
	field.U16(c, &m.Spacing)
	if m.HasNode {
		field.EUI(c, &m.Node)
	}
}

// ImageBlockResponse answers with a block, with a time to wait, or gives up (OTA cluster, clause 11.13.8; published).
//
//	status(1) and of 00: manufacturer(2) type(2) version(4) offset(4) n(1) data(n); of 97: now(4) request(4) period(2, ms)
type ImageBlockResponse struct {
	Status  zcl.Status // Success, WaitForData or Abort
	Image   ImageID    // with Success
	Offset  uint32     // with Success
	Data    []byte     // with Success
	Now     UTC        // with WaitForData
	Request UTC        // with WaitForData: when to ask again; counted from Now if the client has no time
	Period  uint16     // with WaitForData: as of requests, in ms
}

// Key implements Command.
func (ImageBlockResponse) Key() Key { return Key{OTA, true, 0x05} }

// AppendBinary implements Command.
func (m ImageBlockResponse) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseImageBlockResponse reads the payload.
func ParseImageBlockResponse(b []byte) (m ImageBlockResponse, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *ImageBlockResponse) fields(c *field.Coder) {
	field.U8(c, &m.Status)
	switch m.Status {
	case zcl.Success:
		imageID(c, &m.Image)
		field.U32(c, &m.Offset)
		field.Raw(c, &m.Data, field.Count8(c, len(m.Data)))
	case zcl.WaitForData:
		field.U32(c, &m.Now)
		field.U32(c, &m.Request)
		field.U16(c, &m.Period)
	default:
	}
}

// UpgradeEndRequest tells how the download went (OTA cluster, clause 11.13.9; published): Success, InvalidImage, Abort
// or RequireMoreImage. Some clients leave the image out after a failure.
//
//	status(1) [manufacturer(2) type(2) version(4)]
type UpgradeEndRequest struct {
	Status   zcl.Status
	HasImage bool // always sent with Success
	Image    ImageID
}

// Key implements Command.
func (UpgradeEndRequest) Key() Key { return Key{OTA, false, 0x06} }

// AppendBinary implements Command.
func (m UpgradeEndRequest) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseUpgradeEndRequest reads the payload.
func ParseUpgradeEndRequest(b []byte) (m UpgradeEndRequest, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *UpgradeEndRequest) fields(c *field.Coder) {
	field.U8(c, &m.Status)
	if c.Writing() && m.Status == zcl.Success {
		m.HasImage = true
	}
	if c.Optional(&m.HasImage) || m.Status == zcl.Success {
		imageID(c, &m.Image)
	}
}

// UpgradeEndResponse tells when to run the image (OTA cluster, clause 11.13.9.6; published): at once if both times are
// equal, after the difference, or at UpgradeTime. UpgradeWait means not yet.
//
//	manufacturer(2) type(2) version(4) now(4) upgradeTime(4)
type UpgradeEndResponse struct {
	Image            ImageID
	Now, UpgradeTime UTC
}

// Key implements Command.
func (UpgradeEndResponse) Key() Key { return Key{OTA, true, 0x07} }

// AppendBinary implements Command.
func (m UpgradeEndResponse) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseUpgradeEndResponse reads the payload.
func ParseUpgradeEndResponse(b []byte) (m UpgradeEndResponse, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *UpgradeEndResponse) fields(c *field.Coder) {
	imageID(c, &m.Image)
	field.U32(c, &m.Now)
	field.U32(c, &m.UpgradeTime)
}

// QueryDeviceSpecificFileRequest asks for a file of this very device (OTA cluster, clause 11.13.10; published): image
// types FFC0 to FFFE.
//
//	node(8) manufacturer(2) type(2) version(4) stackVersion(2)
type QueryDeviceSpecificFileRequest struct {
	Node         wire.EUI64
	Image        ImageID
	StackVersion uint16
}

// Key implements Command.
func (QueryDeviceSpecificFileRequest) Key() Key { return Key{OTA, false, 0x08} }

// AppendBinary implements Command.
func (m QueryDeviceSpecificFileRequest) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseQueryDeviceSpecificFileRequest reads the payload.
func ParseQueryDeviceSpecificFileRequest(b []byte) (m QueryDeviceSpecificFileRequest, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *QueryDeviceSpecificFileRequest) fields(c *field.Coder) {
	field.EUI(c, &m.Node)
	imageID(c, &m.Image)
	field.U16(c, &m.StackVersion)
}

// QueryDeviceSpecificFileResponse answers.
//
//	status(1) [manufacturer(2) type(2) version(4) size(4)]
type QueryDeviceSpecificFileResponse struct {
	Status zcl.Status
	Image  ImageID // with Success
	Size   uint32  // octets, with Success
}

// Key implements Command.
func (QueryDeviceSpecificFileResponse) Key() Key { return Key{OTA, true, 0x09} }

// AppendBinary implements Command.
func (m QueryDeviceSpecificFileResponse) AppendBinary(b []byte) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

// ParseQueryDeviceSpecificFileResponse reads the payload.
func ParseQueryDeviceSpecificFileResponse(b []byte) (m QueryDeviceSpecificFileResponse, n int, err error) {
	c := field.Reader(b)
	m.fields(&c)
	n, err = c.Taken()
	return m, n, err
}

func (m *QueryDeviceSpecificFileResponse) fields(c *field.Coder) {
	field.U8(c, &m.Status)
	if m.Status == zcl.Success {
		imageID(c, &m.Image)
		field.U32(c, &m.Size)
	}
}
