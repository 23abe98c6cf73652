package capture

import (
	"time"

	"github.com/google/gopacket/layers"
)

// linkIEEE802154 is DLT_IEEE802_15_4_WITHFCS: a packet is a PSDU with its FCS.
const linkIEEE802154 = layers.LinkType(195)

// Radio is one radio channel, or one home's air, in the file. The nil Radio does nothing.
type Radio struct {
	w     *Writer
	iface int
}

// NewRadio adds a radio with a name. It is nil for a nil Writer.
func (w *Writer) NewRadio(name string) *Radio {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return &Radio{w: w, iface: w.addInterface(name, linkIEEE802154)}
}

// Frame takes a PSDU with its FCS that began at a time. The comment, for instance the channel, may be empty.
func (r *Radio) Frame(at time.Time, psdu []byte, comment string) {
	if r == nil || len(psdu) == 0 {
		return
	}
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	r.w.write(r.iface, at, 0, psdu, comment)
}
