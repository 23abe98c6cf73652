package server

import (
	"bytes"
	"time"

	"smets1/dlms/apdu"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

// gbtHeader is what a block takes beside its length and data: tag, control, block and acknowledged numbers.
const gbtHeader = 6

// maxBlocks is how many blocks have numbers.
const maxBlocks = 0xFFFF

// outBlocks is a reply that goes out by general block transfer (IEC 62056-5-3; the exchange of window 1 verified
// against independent programs, streaming and recovery recalled). Block n carries the bytes from (n-1)×chunk on, so
// that any block can be sent again.
type outBlocks struct {
	buf    []byte
	chunk  int
	due    int // number of the block to send next
	end    int // first block not to send before the client acknowledges
	window int // what the client takes at once
	ack    uint16
	single bool
	active bool
}

// setWindow takes what the client can take at once.
func (o *outBlocks) setWindow(n int) {
	if o.single {
		n = 1
	}
	o.window = max(n, 1)
}

// start takes a reply that is too long. ack is the client's last block, 0 if it sent none.
func (o *outBlocks) start(a *association, reply []byte, ack uint16) {
	o.buf, o.chunk, o.ack, o.single = append(o.buf[:0], reply...), a.gbtChunk(), ack, a.peer.Single
	o.setWindow(o.window)
	o.due, o.end, o.active = 1, 1+o.window, true
}

// stop ends the transfer; the client's window of the next one is not known.
func (o *outBlocks) stop() {
	if o.active || o.window != 0 {
		*o = outBlocks{buf: shrink(o.buf)[:0]}
	}
}

func (o *outBlocks) blocks() int { return max((len(o.buf)+o.chunk-1)/o.chunk, 1) }

// streaming tells whether a further block may go without an acknowledgement.
func (o *outBlocks) streaming() bool { return o.active && o.due < o.end && o.due <= o.blocks() }

// next appends the block that is due.
func (o *outBlocks) next(a *association, dst []byte) []byte {
	n := o.blocks()
	if n > maxBlocks {
		o.stop()
		return exception(dst, apdu.StateServiceNotAllowed, apdu.ServicePDUTooLong)
	}
	from := (o.due - 1) * o.chunk
	p := apdu.GeneralBlockTransfer{
		Last: o.due == n, Window: a.spec.window(), Block: uint16(o.due), Ack: o.ack,
		Raw: o.buf[from:min(from+o.chunk, len(o.buf))],
	}
	o.due++
	p.Streaming = !p.Last && o.due < o.end
	dst, _ = p.AppendBinary(dst)
	return dst
}

// acknowledge takes the client's last block in sequence: what follows it is sent again. False when that is no block of
// this transfer.
func (o *outBlocks) acknowledge(ack uint16, window uint8) bool {
	if int(ack) >= o.due {
		return false
	}
	o.setWindow(int(window))
	o.due = int(ack) + 1
	o.end = o.due + o.window
	return true
}

// inBlocks is a request that comes by general block transfer.
type inBlocks struct {
	buf   []byte
	ack   uint16 // last block in sequence
	count uint16 // acknowledgements sent
}

// gbtChunk is the data of one block such that it fits the client's APDU size.
func (a *association) gbtChunk() int {
	room := a.maxReply - gbtHeader
	n := room - 1
	for n > 1 && n+axdr.LengthSize(n) > room {
		n--
	}
	return max(n, 1)
}

// serveBlock serves one general-block-transfer APDU: a part of a request, or the acknowledgement of parts of our reply.
func (a *association) serveBlock(now time.Time, b, dst []byte) []byte {
	p, n, err := apdu.ParseGeneralBlockTransfer(b)
	if err = whole(b, n, err); err != nil {
		return exception(dst, apdu.StateServiceNotAllowed, apdu.ServiceOperationNotPossible)
	}
	if !a.conformance.Has(cosem.ConfGeneralBlockTransfer) {
		return exception(dst, apdu.StateServiceNotAllowed, apdu.ServiceNotSupported)
	}
	if len(p.Raw) == 0 {
		return a.acknowledged(p, dst)
	}
	in := &a.in
	switch {
	case p.Last && p.Block > 1 && in.ack == 0 && a.out.active && a.out.due == 2 && p.Block == a.out.ack:
		a.out.due = 1 // the request was served and the first block of the reply lost
		return a.out.next(a, dst)
	case p.Block == 1 && (in.ack != 1 || !bytes.Equal(in.buf, p.Raw)):
		in.buf, in.ack, in.count = append(in.buf[:0], p.Raw...), 1, 0 // a new request
		a.out.stop()
	case p.Block == in.ack+1 && in.ack != 0 && len(in.buf)+len(p.Raw) <= a.device.Model.maxBytes:
		in.buf = append(in.buf, p.Raw...)
		in.ack++
	case p.Block <= in.ack:
		// Seen before: our acknowledgement was lost. It is given again below.
	case in.ack != 0 && p.Block > in.ack+1:
		// A block is missing: the acknowledgement below says from where to go on.
		p.Last = false
	default:
		a.in = inBlocks{}
		return exception(dst, apdu.StateServiceNotAllowed, apdu.ServiceOperationNotPossible)
	}
	if p.Streaming {
		return dst
	}
	if !p.Last || p.Block != in.ack {
		in.count++
		dst, _ = apdu.GeneralBlockTransfer{Last: true, Window: a.spec.window(), Block: in.count, Ack: in.ack}.AppendBinary(dst)
		return dst
	}
	ack := in.ack
	a.out.stop()
	a.out.window = int(p.Window)
	reply := a.process(now, in.buf, nil)
	a.in = inBlocks{buf: shrink(in.buf)[:0]}
	if len(reply) == 0 {
		dst, _ = apdu.GeneralBlockTransfer{Last: true, Window: a.spec.window(), Block: 1, Ack: ack}.AppendBinary(dst)
		return dst
	}
	// What came in blocks is answered in blocks, for the answer acknowledges the last of them.
	a.out.start(a, reply, ack)
	return a.out.next(a, dst)
}

// acknowledged goes on with our reply after the last block the client has.
func (a *association) acknowledged(p apdu.GeneralBlockTransfer, dst []byte) []byte {
	o := &a.out
	if !o.active || !o.acknowledge(p.Ack, p.Window) {
		return exception(dst, apdu.StateServiceNotAllowed, apdu.ServiceOperationNotPossible)
	}
	if o.due > o.blocks() {
		o.stop()
		return dst
	}
	return o.next(a, dst)
}
