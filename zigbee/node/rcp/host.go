package rcp

import (
	"encoding/binary"
	"errors"
	"time"

	"smets1/internal/wire"
	"smets1/zigbee/spinel"
)

// Client is the node behind a Host: transport/radio.Client.
type Client interface {
	Received(now time.Time, psdu []byte, rssi int8, lqi uint8)
	Sent(now time.Time, pending bool, err error)
}

// Errors of a Host.
var (
	ErrBusy     = errors.New("rcp: a transmission is under way: wait for its end")
	ErrNoAnswer = errors.New("rcp: the co-processor did not answer: is it the right port, and OpenThread's RCP firmware?")
)

// answerTime is how long a co-processor may take for a transmission with all its repetitions (ours).
const answerTime = time.Second

// Host is a radio behind a serial line: it speaks Spinel to a radio co-processor. It is used by one goroutine at a time.
type Host struct {
	client  Client
	decoder spinel.Decoder
	out     []byte
	next    uint8 // transaction

	sending  uint8 // transaction of the transmission under way, 0 for none
	deadline time.Time
	channel  uint8
	on       bool
	version  string
	resets   int
}

// NewHost resets the co-processor and has it listen for client. Output gives what is to be written.
func NewHost(client Client) *Host {
	h := &Host{client: client}
	h.send(spinel.Frame{Command: spinel.CommandReset})
	h.open()
	return h
}

// open sets what does not change.
func (h *Host) open() {
	h.send(spinel.Frame{Transaction: h.transaction(), Command: spinel.CommandGet, Property: spinel.PropNCPVersion})
	h.set(spinel.PropPhyEnabled, []byte{1})
	h.set(spinel.PropRawStream, []byte{1})
	h.set(spinel.PropSrcMatchEnabled, []byte{1})
}

// Version is what the co-processor calls itself, once it answered.
func (h *Host) Version() string { return h.version }

// Resets is how often the co-processor started.
func (h *Host) Resets() int { return h.resets }

// Output takes what is to be written to the line.
func (h *Host) Output() []byte {
	b := h.out
	h.out = nil
	return b
}

func (h *Host) send(f spinel.Frame) {
	if b, err := f.AppendBinary(nil); err == nil {
		h.out = spinel.AppendHDLC(h.out, b)
	}
}

// transaction is the next number, 1 to 15.
func (h *Host) transaction() uint8 {
	h.next = h.next%15 + 1
	if h.next == h.sending {
		h.next = h.next%15 + 1
	}
	return h.next
}

func (h *Host) set(p spinel.Property, v []byte) {
	h.send(spinel.Frame{Transaction: h.transaction(), Command: spinel.CommandSet, Property: p, Value: v})
}

// Tune implements transport/radio.Radio.
func (h *Host) Tune(_ time.Time, channel uint8, on bool) {
	if channel != h.channel {
		h.channel = channel
		h.set(spinel.PropPhyChannel, []byte{channel})
	}
	if on != h.on {
		h.on = on
		v := []byte{0}
		if on {
			v[0] = 1
		}
		h.set(spinel.PropRxOnWhenIdle, v)
	}
}

// Address implements transport/radio.Radio.
func (h *Host) Address(pan, short uint16, eui wire.EUI64) {
	h.set(spinel.PropMACAddress, spinel.AppendEUI64(nil, eui))
	h.set(spinel.PropMACPANID, spinel.AppendUint16(nil, pan))
	h.set(spinel.PropMACShort, spinel.AppendUint16(nil, short))
}

// Pending implements transport/radio.Radio.
func (h *Host) Pending(short []uint16, extended []wire.EUI64) {
	var s, e []byte
	for _, a := range short {
		s = binary.LittleEndian.AppendUint16(s, a)
	}
	for _, x := range extended {
		e = spinel.AppendEUI64(e, x)
	}
	h.set(spinel.PropSrcMatchShort, s)
	h.set(spinel.PropSrcMatchExt, e)
}

// Transmit implements transport/radio.Radio.
func (h *Host) Transmit(now time.Time, psdu []byte, retries int) error {
	if h.sending != 0 {
		return ErrBusy
	}
	v, err := spinel.TransmitRequest{
		Frame: psdu, Channel: h.channel, Optional: spinel.AllTransmitFields, MaxBackoffs: 4, MaxRetries: uint8(retries), CSMA: true,
		HeaderUpdated: true, SecurityProcessed: true, RxChannelAfterSend: h.channel,
	}.AppendBinary(nil)
	if err != nil {
		return err
	}
	t := h.transaction()
	h.send(spinel.Frame{Transaction: t, Command: spinel.CommandSet, Property: spinel.PropStreamRaw, Value: v})
	h.sending, h.deadline = t, now.Add(answerTime)
	return nil
}

// Deadline is when Advance wants to be called; the zero time if never.
func (h *Host) Deadline() time.Time {
	if h.sending == 0 {
		return time.Time{}
	}
	return h.deadline
}

// Advance gives up a transmission that the co-processor never answered.
func (h *Host) Advance(now time.Time) {
	if h.sending != 0 && !now.Before(h.deadline) {
		h.finish(now, false, ErrNoAnswer)
	}
}

func (h *Host) finish(now time.Time, pending bool, err error) {
	h.sending = 0
	h.client.Sent(now, pending, err)
}

// Input takes octets from the line.
func (h *Host) Input(now time.Time, b []byte) {
	for len(b) > 0 {
		frame, n, err := h.decoder.Feed(b)
		b = b[n:]
		if err != nil || frame == nil {
			continue // lost on the line: a transmission times out, a frame is sent again by whoever sent it
		}
		if f, _, err := spinel.ParseFrame(frame); err == nil {
			h.handle(now, &f)
		}
	}
}

func (h *Host) handle(now time.Time, f *spinel.Frame) {
	if f.Command != spinel.CommandIs {
		return
	}
	switch f.Property {
	case spinel.PropStreamRaw:
		m, _, err := spinel.ParseReceiveIndication(f.Value)
		if err != nil || m.Error != 0 || m.Flags&(spinel.FlagTransmitted|spinel.FlagBadFCS) != 0 {
			return
		}
		h.client.Received(now, append([]byte(nil), m.Frame...), m.RSSI, m.LQI)
	case spinel.PropLastStatus:
		m, _, err := spinel.ParseTransmitResult(f.Value)
		if err != nil {
			return
		}
		switch {
		case f.Transaction == 0 && m.Status.IsReset():
			h.resets++
		case f.Transaction == h.sending && h.sending != 0:
			if m.Status != spinel.StatusOK {
				h.finish(now, false, m.Status)
				return
			}
			h.finish(now, m.FramePending, nil)
		}
	case spinel.PropNCPVersion:
		if v, _, err := spinel.ParseText(f.Value); err == nil {
			h.version = v
		}
	default:
	}
}
