package core

import (
	"encoding/binary"
	"fmt"
	"time"
	"unique"

	"smets1/dlms/cosem"
	"smets1/dlms/server"
	"smets1/firmware"
	"smets1/internal/wire"
)

// MaxImage is the largest image that a device has room for, in octets.
const MaxImage = 2 << 20

// Trial is how long an image that was activated has to confirm that it works. If
// power goes before that, or it does not, the boot loader goes back to the other bank.
const Trial = 10 * time.Second

// Image is the second firmware bank of a device and the version that runs from
// the first. Blocks that were acknowledged survive a loss of power: each is its own
// record of the NV. Equal blocks of different devices share their memory.
//
// An activation swaps the banks: the new image runs on trial until it confirms
// itself, and the old one lies in the other bank until then. After a trial that
// failed the old one runs, the new one is still there, verified, and may be
// activated again.
type Image struct {
	unit  *Unit
	birth *Birth

	running    string // version, once it is not that of birth
	status     server.ImageStatus
	generation uint32 // of the transfer; names the block records
	identifier []byte
	size       uint32
	blocks     []unique.Handle[string] // the zero Handle is a block that is missing
	missing    int
	until      time.Time // end of the verification, or of the trial
	trial      bool      // the new image runs and has not confirmed itself
	before     string    // version in the other bank during the trial
	dud        bool      // the image never confirms itself
	version    string    // of the verified image
	signature  []byte
	reason     string // of the last refusal

	pending []pendingBlock
}

type pendingBlock struct {
	number int
	forget bool
	of     uint32 // generation
}

// Running is the version in use.
func (m *Image) Running() string {
	if m.running == "" {
		return m.birth.Firmware
	}
	return m.running
}

// Status is where the transfer stands.
func (m *Image) Status(now time.Time) server.ImageStatus {
	m.settle(now)
	return m.status
}

// Reason is why the last image was refused, in words of ASCII; empty if none was.
func (m *Image) Reason() string { return m.reason }

// BlockSize is how many octets a block has.
func (m *Image) BlockSize() uint32 { return m.birth.Make.Image.BlockSize }

// Enabled is always so.
func (m *Image) Enabled() bool { return true }

// Blocks is the bit-string of the blocks that are there, and how many there are in all.
func (m *Image) Blocks() (bits []byte, n int) {
	bits = make([]byte, (len(m.blocks)+7)/8)
	for i := range m.blocks {
		if m.has(i) {
			bits[i/8] |= 0x80 >> (i % 8)
		}
	}
	return bits, len(m.blocks)
}

// FirstMissing is the first block that is not there, or the number of blocks.
func (m *Image) FirstMissing() uint32 {
	for i := range m.blocks {
		if !m.has(i) {
			return uint32(i)
		}
	}
	return uint32(len(m.blocks))
}

func (m *Image) has(block int) bool { return m.blocks[block] != unique.Handle[string]{} }

// ToActivate is the image that is ready for activation.
func (m *Image) ToActivate() []server.ImageInfo {
	if m.status != server.ImageVerified && (m.status != server.ImageActivationFailed || m.blocks == nil) {
		return nil
	}
	return []server.ImageInfo{{Size: m.size, Identification: m.identifier, Signature: m.signature}}
}

// Initiate forgets any image and expects another one.
func (m *Image) Initiate(now time.Time, identifier []byte, size uint32) error {
	m.settle(now)
	if m.status == server.ImageActivating {
		return cosem.ActionTemporaryFailure
	}
	if size == 0 || size > MaxImage || len(identifier) > 64 {
		m.reason = fmt.Sprintf("too-big: %d octets, room for %d", size, MaxImage)
		return cosem.ActionOtherReason
	}
	for i := range m.blocks {
		m.pending = append(m.pending, pendingBlock{number: i, forget: true, of: m.generation})
	}
	n := int((size + m.BlockSize() - 1) / m.BlockSize())
	*m = Image{
		unit: m.unit, birth: m.birth, running: m.running, pending: m.pending,
		status: server.ImageInitiated, generation: m.generation + 1, size: size,
		identifier: append([]byte(nil), identifier...),
		blocks:     make([]unique.Handle[string], n), missing: n,
	}
	m.unit.touch()
	return nil
}

// Block takes a block. The same block may come again.
func (m *Image) Block(_ time.Time, number uint32, value []byte) error {
	if m.status != server.ImageInitiated {
		return cosem.ActionReadWriteDenied
	}
	if int64(number) >= int64(len(m.blocks)) || len(value) != m.length(int(number)) {
		return cosem.ActionOtherReason
	}
	if !m.has(int(number)) {
		m.missing--
	}
	m.blocks[number] = unique.Make(string(value))
	m.pending = append(m.pending, pendingBlock{number: int(number), of: m.generation})
	return nil
}

// length of a block; the last may be short.
func (m *Image) length(number int) int {
	if number == len(m.blocks)-1 {
		return int(m.size) - number*int(m.BlockSize())
	}
	return int(m.BlockSize())
}

// Verify starts the verification.
func (m *Image) Verify(now time.Time) error {
	m.settle(now)
	switch m.status {
	case server.ImageVerifying:
		return cosem.ActionTemporaryFailure
	case server.ImageVerified:
		return nil
	case server.ImageInitiated, server.ImageVerifyFailed:
	default:
		return cosem.ActionReadWriteDenied
	}
	if m.missing > 0 {
		m.reason = fmt.Sprintf("incomplete: %d of %d blocks are missing", m.missing, len(m.blocks))
		return cosem.ActionOtherReason
	}
	m.status, m.until = server.ImageVerifying, now.Add(m.birth.Make.Image.Verify)
	m.unit.touch()
	if m.settle(now); m.status == server.ImageVerifying {
		return cosem.ActionTemporaryFailure
	}
	if m.status == server.ImageVerifyFailed {
		return cosem.ActionOtherReason
	}
	return nil
}

// settle ends a verification or a trial whose time is over.
func (m *Image) settle(now time.Time) {
	if m.trial && !now.Before(m.until) {
		m.endTrial(m.until)
		return
	}
	if m.status != server.ImageVerifying || now.Before(m.until) {
		return
	}
	m.unit.touch()
	whole := make([]byte, 0, m.size)
	for _, b := range m.blocks {
		whole = append(whole, b.Value()...)
	}
	img, err := firmware.Check(whole, firmware.Device{
		Type: m.birth.Kind, Manufacturer: m.birth.Make.Manufacturer, Model: m.birth.Make.Model,
		Hardware: m.birth.Make.Hardware, Version: m.Running(), MaxSize: MaxImage, Signers: signers,
	})
	if err != nil {
		m.status, m.reason = server.ImageVerifyFailed, err.Error()
		m.unit.Event(m.until, EventFirmwareRefused)
		return
	}
	m.status, m.reason, m.version, m.dud = server.ImageVerified, "", img.Version, firmware.Dud(img.Payload)
	m.signature = append([]byte(nil), img.Signature[:]...)
	m.unit.Event(m.until, EventFirmwareVerified)
}

var signers = firmware.SimulatorSigners()

// Activate begins the switch to the verified image, which the restart completes.
func (m *Image) Activate(now time.Time) error {
	m.settle(now)
	if m.status == server.ImageVerifying {
		return cosem.ActionTemporaryFailure
	}
	if len(m.ToActivate()) == 0 {
		return cosem.ActionReadWriteDenied
	}
	m.status, m.reason = server.ImageActivating, ""
	m.unit.touch()
	m.unit.restart(now.Add(m.birth.Make.Image.Reboot))
	return nil
}

// powerUp is what the boot loader does.
func (m *Image) powerUp(now time.Time) {
	switch {
	case m.status == server.ImageVerifying:
		// The verification did not get to its end; the blocks are still there.
		m.status = server.ImageInitiated
	case m.trial:
		if m.settle(now); m.trial {
			m.fallBack("not-confirmed: power failed before the new image confirmed itself")
		}
	case m.status == server.ImageActivating:
		m.trial, m.before, m.running, m.until = true, m.Running(), m.version, now.Add(Trial)
	}
}

// powerLost is what happens to an image on trial: the other bank starts next.
func (m *Image) powerLost() {
	if m.trial {
		m.fallBack("not-confirmed: power failed before the new image confirmed itself")
	}
}

func (m *Image) fallBack(reason string) {
	m.trial, m.running, m.before = false, m.before, ""
	m.status, m.reason = server.ImageActivationFailed, reason
	m.unit.touch()
}

// endTrial is the new image confirming itself, or the watchdog where it does not.
func (m *Image) endTrial(at time.Time) {
	if m.dud {
		m.fallBack("not-confirmed: the new image did not confirm itself")
		m.unit.restart(at.Add(m.birth.Make.Image.Reboot))
		return
	}
	m.trial, m.before, m.status = false, "", server.ImageActivated
	for i := range m.blocks {
		m.pending = append(m.pending, pendingBlock{number: i, forget: true, of: m.generation})
	}
	m.blocks = nil
	m.unit.Event(at, EventFirmwareActivated)
}

func (m *Image) append(b []byte) []byte {
	if m.generation == 0 {
		return b
	}
	b = appendText(b, m.running)
	b = append(b, byte(m.status))
	b = binary.BigEndian.AppendUint32(b, m.generation)
	b = binary.BigEndian.AppendUint32(b, m.size)
	b = appendText(b, string(m.identifier))
	b = appendText(b, m.version)
	b = appendText(b, string(m.signature))
	b = appendText(b, m.reason)
	b = append(b, flag(m.blocks != nil)|flag(m.trial)<<1|flag(m.dud)<<2)
	if m.trial {
		b = appendText(b, m.before)
		b = binary.BigEndian.AppendUint64(b, uint64(m.until.UnixNano()))
	}
	return b
}

func (m *Image) restore(r *wire.Reader) {
	m.running = text(r)
	m.status = server.ImageStatus(r.U8())
	m.generation = r.U32()
	m.size = r.U32()
	m.identifier = []byte(text(r))
	m.version = text(r)
	m.signature = []byte(text(r))
	m.reason = text(r)
	flags := r.U8()
	hasBlocks := flags&1 != 0
	m.trial, m.dud = flags&2 != 0, flags&4 != 0
	if m.trial {
		m.before = text(r)
		m.until = time.Unix(0, int64(r.U64())).UTC()
	}
	if m.size > MaxImage || m.status > server.ImageActivationFailed {
		r.Failf("image of %d octets in state %d", m.size, m.status)
	}
	if r.Err() == nil && hasBlocks {
		m.missing = int((m.size + m.BlockSize() - 1) / m.BlockSize())
		m.blocks = make([]unique.Handle[string], m.missing)
	}
}

// restoreBlocks loads the blocks that were acknowledged.
func (m *Image) restoreBlocks(nv NV) error {
	for i := range m.blocks {
		b, err := nv.Load(m.blockKey(i, m.generation))
		if err != nil {
			return err
		}
		// A block of another length is a leftover that was not forgotten in time.
		if len(b) == m.length(i) {
			m.blocks[i] = unique.Make(string(b))
			m.missing--
		}
	}
	return nil
}

func (m *Image) blockKey(number int, generation uint32) string {
	return fmt.Sprintf("%v.image.%d.%d", m.birth.EUI, generation, number)
}

// flush saves blocks that came in.
func (m *Image) flush(nv NV) error {
	for len(m.pending) > 0 {
		p := m.pending[0]
		if !p.forget && (p.of != m.generation || p.number >= len(m.blocks)) {
			m.pending = m.pending[1:] // of a transfer that is over
			continue
		}
		var value []byte
		if !p.forget {
			value = []byte(m.blocks[p.number].Value())
		}
		if err := nv.Save(m.blockKey(p.number, p.of), value); err != nil {
			return err
		}
		m.pending = m.pending[1:]
	}
	m.pending = nil
	return nil
}

// appendText appends a short text or octet string behind two octets of length.
func appendText(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}

func text(r *wire.Reader) string { return string(r.Bytes(int(r.U16()))) }
