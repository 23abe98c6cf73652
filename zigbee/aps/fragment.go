package aps

import (
	"errors"
	"fmt"
	"math/bits"
)

// Fragmentation of Smart Energy (recalled): a window of one, and 128 octets unless the node descriptor or the tunnel
// allows more. The window may be up to eight.
const (
	MaxWindow                = 8
	DefaultWindow            = 1
	DefaultMaxTransfer       = 128
	maxBlocks                = 255
	ackBitmapAll       uint8 = 0xFF
)

// ErrFragment: a block that does not belong where it is.
var ErrFragment = errors.New("fragment does not belong to the message")

// Fragment sets the extended header of h for block i (from 0) of a message and gives the part of payload that goes into it,
// size octets at most. It says how many blocks there are: 1 means that the message needs no fragmentation, and h is left
// without extended header.
func (h *Header) Fragment(payload []byte, size, i int) (part []byte, total int, err error) {
	if size < 1 {
		return nil, 0, fmt.Errorf("aps: fragments of %d octets: %w", size, ErrFragment)
	}
	total = max(1, (len(payload)+size-1)/size)
	if total > maxBlocks {
		return nil, total, fmt.Errorf("aps: %d octets would be %d fragments, at most %d: %w", len(payload), total, maxBlocks, ErrFragment)
	}
	if i < 0 || i >= total {
		return nil, total, fmt.Errorf("aps: fragment %d of %d: %w", i, total, ErrFragment)
	}
	h.Extended, h.Fragmentation, h.Block, h.Bitmap = total > 1, NotFragmented, 0, 0
	if total > 1 {
		h.Fragmentation, h.Block = LaterFragment, uint8(i)
		if i == 0 {
			h.Fragmentation, h.Block = FirstFragment, uint8(total)
		}
	}
	return payload[i*size : min(len(payload), (i+1)*size)], total, nil
}

// BlockIndex is the index (from 0) of the block in a frame with this header.
func (h *Header) BlockIndex() uint8 {
	if h.Fragmentation == LaterFragment {
		return h.Block
	}
	return 0
}

// Reassembly puts the fragments of one message together: same source, destination and APS counter, which the caller has
// checked. It has no timer; the caller drops one that stands still. The zero value takes any message up to Max octets.
type Reassembly struct {
	// Max is the longest message taken, in octets. Zero means DefaultMaxTransfer.
	Max int

	total  int // 0 until the first fragment came
	blocks [][]byte
	have   int
	octets int
}

// Add takes the payload of a fragment, which it copies. A block seen before is fine and changes nothing. done tells that the
// message is whole.
func (m *Reassembly) Add(h *Header, payload []byte) (done bool, err error) {
	limit := m.Max
	if limit == 0 {
		limit = DefaultMaxTransfer
	}
	i := int(h.BlockIndex())
	total := m.total
	switch {
	case h.Fragmentation == FirstFragment && h.Block < 2:
		return false, fmt.Errorf("aps: a message of %d fragments: %w", h.Block, ErrFragment)
	case h.Fragmentation == FirstFragment && total != 0 && total != int(h.Block):
		return false, fmt.Errorf("aps: first fragment of %d after one of %d: %w", h.Block, total, ErrFragment)
	case h.Fragmentation == FirstFragment:
		total = int(h.Block)
	case h.Fragmentation != LaterFragment, i == 0, total != 0 && i >= total:
		return false, fmt.Errorf("aps: block %d of %d: %w", i, total, ErrFragment)
	}
	if total != 0 && total < len(m.blocks) {
		return false, fmt.Errorf("aps: %d fragments announced, but block %d was there before: %w", total, len(m.blocks)-1, ErrFragment)
	}
	if i < len(m.blocks) && m.blocks[i] != nil {
		return m.Done(), nil
	}
	if m.octets+len(payload) > limit {
		return false, fmt.Errorf("aps: message longer than the %d octets allowed here: %w", limit, ErrFragment)
	}
	m.total = total
	for len(m.blocks) <= i {
		m.blocks = append(m.blocks, nil)
	}
	m.blocks[i] = append(make([]byte, 0, len(payload)), payload...)
	m.have++
	m.octets += len(payload)
	return m.Done(), nil
}

// Done tells whether all fragments are there.
func (m *Reassembly) Done() bool { return m.total != 0 && m.have == m.total }

// Append appends the whole message, or what there is of it.
func (m *Reassembly) Append(b []byte) []byte {
	for _, p := range m.blocks {
		b = append(b, p...)
	}
	return b
}

// Ack sets the extended header of an acknowledgement: the window of size window that holds block i, and a bit for each of
// its blocks that is there. Bits beyond the window or the message are set, as nothing is missing there.
func (m *Reassembly) Ack(a *Header, i uint8, window int) {
	first := int(i) / window * window
	bitmap := ackBitmapAll
	for n := range min(window, MaxWindow) {
		k := first + n
		if (m.total == 0 || k < m.total) && (k >= len(m.blocks) || m.blocks[k] == nil) {
			bitmap &^= 1 << n
		}
	}
	a.Extended, a.Fragmentation, a.Block, a.Bitmap = true, FirstFragment, uint8(first), bitmap
	if first > 0 {
		a.Fragmentation = LaterFragment
	}
}

// Missing is the lowest block of an acknowledgement's window that has to be sent again, if any.
func (h *Header) Missing() (block uint8, ok bool) {
	n := bits.TrailingZeros8(^h.Bitmap)
	return h.Block + uint8(n), n < MaxWindow
}
