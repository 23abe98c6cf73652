package capture

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/google/gopacket/layers"

	"smets1/transport/radio"
)

// linkIEEE802154 is DLT_IEEE802_15_4_WITHFCS: a packet is a PSDU with its FCS.
const linkIEEE802154 = layers.LinkType(195)

// linkTAP is DLT_IEEE802_15_4_TAP: a packet is a header with what the receiver knows, and a PSDU with its FCS. The number
// does not fit into the library's type.
const linkTAP = 283

// Radio is one radio channel, or one home's air, in the file. The nil Radio does nothing.
type Radio struct {
	w     *Writer
	iface int
	tap   bool
	head  []byte
}

// NewRadio adds a radio with a name, of link type 195: frames as they are. It is nil for a nil Writer.
func (w *Writer) NewRadio(name string) *Radio {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return &Radio{w: w, iface: w.addInterface(name, linkIEEE802154)}
}

// NewRadioTap adds a radio with a name, of link type 283: each frame with its channel, level and quality. It is nil for a
// nil Writer.
func (w *Writer) NewRadioTap(name string) *Radio {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return &Radio{w: w, iface: w.addRawInterface(name, linkTAP), tap: true}
}

// Frame takes a PSDU with its FCS that began at a time. The comment, for instance the channel, may be empty.
func (r *Radio) Frame(at time.Time, psdu []byte, comment string) {
	r.take(radio.Frame{Start: at, PSDU: psdu}, comment)
}

// Take takes a frame that a radio or an air heard. The PSDU is not kept.
func (r *Radio) Take(f radio.Frame) {
	if r == nil {
		return
	}
	comment := ""
	if !r.tap {
		comment = fmt.Sprintf("channel %d, %d dBm", f.Channel, f.RSSI)
	}
	r.take(f, comment)
}

func (r *Radio) take(f radio.Frame, comment string) {
	if r == nil || len(f.PSDU) == 0 {
		return
	}
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	data := f.PSDU
	if r.tap {
		r.head = append(appendTap(r.head[:0], f), f.PSDU...)
		data = r.head
	}
	r.w.write(r.iface, f.Start, 0, data, comment)
}

// The type-length-value fields of an IEEE 802.15.4 TAP header (github.com/jkcko/ieee802.15.4-tap, published; checked with
// TShark).
const (
	tapFCSType = 0  // u8: 1 for sixteen bits
	tapRSS     = 1  // float32, dBm
	tapChannel = 3  // u16 channel, u8 page
	tapLQI     = 10 // u8
)

// appendTap appends the header: version 0, reserved, length, fields padded to four octets; all little-endian.
func appendTap(b []byte, f radio.Frame) []byte {
	le := binary.LittleEndian
	at := len(b)
	b = append(b, 0, 0, 0, 0)
	field := func(kind uint16, v ...byte) {
		b = le.AppendUint16(le.AppendUint16(b, kind), uint16(len(v)))
		b = append(b, v...)
		for (len(b)-at)%4 != 0 {
			b = append(b, 0)
		}
	}
	field(tapFCSType, 1)
	field(tapRSS, le.AppendUint32(nil, math.Float32bits(float32(f.RSSI)))...)
	field(tapChannel, f.Channel, 0, 0)
	field(tapLQI, f.LQI)
	le.PutUint16(b[at+2:], uint16(len(b)-at))
	return b
}
