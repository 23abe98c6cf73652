package server

import (
	"time"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

// ImageStatus is where an image transfer stands (class 18 attribute 6, published).
type ImageStatus uint8

// Image transfer states.
const (
	ImageNotInitiated     ImageStatus = 0
	ImageInitiated        ImageStatus = 1
	ImageVerifying        ImageStatus = 2
	ImageVerified         ImageStatus = 3
	ImageVerifyFailed     ImageStatus = 4
	ImageActivating       ImageStatus = 5
	ImageActivated        ImageStatus = 6
	ImageActivationFailed ImageStatus = 7
)

// ImageInfo is an image that verified and waits for its activation.
type ImageInfo struct {
	Size           uint32
	Identification []byte
	Signature      []byte
}

// ImageBank is where a device keeps a new firmware image. [Bank] is one.
type ImageBank interface {
	// BlockSize all blocks but the last have.
	BlockSize() uint32
	Enabled() bool
	Status(now time.Time) ImageStatus
	// Blocks is the bit-string of transferred blocks and their number.
	Blocks() (bits []byte, n int)
	// FirstMissing block; the number of blocks when there is none.
	FirstMissing() uint32
	// ToActivate lists verified images.
	ToActivate() []ImageInfo
	// Initiate starts a transfer anew, forgetting any other.
	Initiate(now time.Time, id []byte, size uint32) error
	// Block stores one block. data aliases the request.
	Block(now time.Time, number uint32, data []byte) error
	// Verify and Activate start (or do) their work. cosem.ActionTemporaryFailure tells that it goes on; the client then
	// polls the status.
	Verify(now time.Time) error
	Activate(now time.Time) error
}

// ImageTransfer declares class 18 at 0-0:44.0.0.255. Read in access shows the attributes, Write lets the four methods
// run.
func ImageTransfer(access Rights, of func(*Call) ImageBank) Object {
	ro, run := only(access, ^Write), executeForWriters(access)
	enabled := func(f func(*Call, []byte) error) Do {
		return func(c *Call, arg, dst []byte) ([]byte, error) {
			if !of(c).Enabled() {
				return dst, cosem.ActionReadWriteDenied
			}
			return dst, f(c, arg)
		}
	}
	zero := func(f func(ImageBank, time.Time) error) Do {
		z := Zero(func(c *Call) error { return f(of(c), c.Now) })
		return enabled(func(c *Call, arg []byte) error {
			_, err := z(c, arg, nil)
			return err
		})
	}
	return Object{
		Class: cosem.ClassImageTransfer, Instance: cosem.OBIS{0, 0, 44, 0, 0, 255},
		Attrs: []Attr{
			{ID: 2, Access: ro, Get: Uint32(func(c *Call) uint32 { return of(c).BlockSize() })},
			{ID: 3, Access: ro, Get: func(c *Call, dst []byte) ([]byte, error) {
				bits, n := of(c).Blocks()
				return axdr.AppendBitString(dst, bits, n), nil
			}},
			{ID: 4, Access: ro, Get: Uint32(func(c *Call) uint32 { return of(c).FirstMissing() })},
			{ID: 5, Access: ro, Get: Bool(func(c *Call) bool { return of(c).Enabled() })},
			{ID: 6, Access: ro, Get: Enum(func(c *Call) uint8 { return uint8(of(c).Status(c.Now)) })},
			{ID: 7, Access: ro, Get: func(c *Call, dst []byte) ([]byte, error) {
				list := of(c).ToActivate()
				dst = axdr.AppendArrayHeader(dst, len(list))
				for _, i := range list {
					dst = axdr.AppendStructureHeader(dst, 3)
					dst = axdr.AppendUint32(dst, i.Size)
					dst = axdr.AppendOctetString(dst, i.Identification)
					dst = axdr.AppendOctetString(dst, i.Signature)
				}
				return dst, nil
			}},
		},
		Methods: []Method{
			{ID: 1, Access: run, Do: enabled(func(c *Call, arg []byte) error {
				r := axdr.NewReader(arg)
				r.Structure(2)
				id, size := r.OctetString(), r.Uint32()
				if typed(&r) != nil {
					return cosem.ActionTypeUnmatched
				}
				return of(c).Initiate(c.Now, id, size)
			})},
			{ID: 2, Access: run, Do: enabled(func(c *Call, arg []byte) error {
				r := axdr.NewReader(arg)
				r.Structure(2)
				number, data := r.Uint32(), r.OctetString()
				if typed(&r) != nil {
					return cosem.ActionTypeUnmatched
				}
				return of(c).Block(c.Now, number, data)
			})},
			{ID: 3, Access: run, Do: zero(ImageBank.Verify)},
			{ID: 4, Access: run, Do: zero(ImageBank.Activate)},
		},
	}
}

// Bank is an [ImageBank] in memory: blocks in any order, each as often as sent; an image is held only from initiate to
// activation.
type Bank struct {
	// Size of a block. Zero is 200.
	Size uint32
	// MaxImage refuses larger images. Zero is 1 MiB.
	MaxImage uint32
	// Disabled refuses transfers (attribute 5).
	Disabled bool
	// Check verifies a complete image and gives what attribute 7 shows; an error fails the verification. Required.
	Check func(now time.Time, id, image []byte) (ImageInfo, error)
	// Install takes a verified image; an error fails the activation. Required.
	Install func(now time.Time, image []byte) error

	status   ImageStatus
	id       []byte
	image    []byte
	bits     []byte
	blocks   uint32
	received uint32
	ready    []ImageInfo
}

// defaults of Bank.
const (
	defaultBlock    = 200
	defaultMaxImage = 1 << 20
)

// BlockSize of the bank.
func (b *Bank) BlockSize() uint32 {
	if b.Size == 0 {
		return defaultBlock
	}
	return b.Size
}

// Enabled unless Disabled.
func (b *Bank) Enabled() bool { return !b.Disabled }

// Status of the transfer.
func (b *Bank) Status(time.Time) ImageStatus { return b.status }

// Blocks received.
func (b *Bank) Blocks() ([]byte, int) { return b.bits, int(b.blocks) }

// FirstMissing block.
func (b *Bank) FirstMissing() uint32 {
	for i := range b.blocks {
		if b.bits[i/8]&(0x80>>(i%8)) == 0 {
			return i
		}
	}
	return b.blocks
}

// ToActivate is the verified image, if there is one.
func (b *Bank) ToActivate() []ImageInfo { return b.ready }

// Initiate forgets what was there and makes room for an image.
func (b *Bank) Initiate(_ time.Time, id []byte, size uint32) error {
	limit := b.MaxImage
	if limit == 0 {
		limit = defaultMaxImage
	}
	if size == 0 || size > limit {
		return cosem.ActionScopeOfAccessViolated
	}
	n := (size + b.BlockSize() - 1) / b.BlockSize()
	b.reset()
	b.status, b.blocks = ImageInitiated, n
	b.id, b.image, b.bits = append([]byte(nil), id...), make([]byte, size), make([]byte, (n+7)/8)
	return nil
}

// Block stores a block. The last may be short, the others are exactly BlockSize.
func (b *Bank) Block(_ time.Time, number uint32, data []byte) error {
	if b.status != ImageInitiated {
		return cosem.ActionTemporaryFailure
	}
	if number >= b.blocks {
		return cosem.ActionScopeOfAccessViolated
	}
	off := number * b.BlockSize()
	if want := min(b.BlockSize(), uint32(len(b.image))-off); uint32(len(data)) != want {
		return cosem.ActionTypeUnmatched
	}
	copy(b.image[off:], data)
	if bit := byte(0x80 >> (number % 8)); b.bits[number/8]&bit == 0 {
		b.bits[number/8] |= bit
		b.received++
	}
	return nil
}

// Verify checks a complete image.
func (b *Bank) Verify(now time.Time) error {
	if b.status == ImageVerified {
		return nil
	}
	if b.status != ImageInitiated && b.status != ImageVerifyFailed || b.received != b.blocks {
		return cosem.ActionOtherReason
	}
	info, err := b.Check(now, b.id, b.image)
	if err != nil {
		b.status = ImageVerifyFailed
		return cosem.ActionOtherReason
	}
	b.status, b.ready = ImageVerified, []ImageInfo{info}
	return nil
}

// Activate installs a verified image and lets go of it. An image that was not verified is verified first (recalled).
func (b *Bank) Activate(now time.Time) error {
	if err := b.Verify(now); err != nil {
		return err
	}
	if err := b.Install(now, b.image); err != nil {
		b.status = ImageActivationFailed
		return cosem.ActionOtherReason
	}
	b.reset()
	b.status = ImageActivated
	return nil
}

func (b *Bank) reset() {
	b.status, b.id, b.image, b.bits, b.blocks, b.received, b.ready = ImageNotInitiated, nil, nil, nil, 0, 0, nil
}
