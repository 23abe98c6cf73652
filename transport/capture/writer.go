package capture

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"smets1/internal/clock"
)

// linkUser0 is DLT_USER0, which the dissector in docs/wireshark is bound to. (The library knows no name for it.)
const linkUser0 = layers.LinkType(147)

// Direction is which way a packet went, as seen from whoever captures.
type Direction uint8

// The directions, with their values in pcapng's packet flags.
const (
	Inbound  Direction = 1
	Outbound Direction = 2
)

// Writer writes one pcapng file. Its methods may be called at the same time from different goroutines, and on nil.
type Writer struct {
	clock clock.Clock

	mu       sync.Mutex
	out      io.Writer
	closer   io.Closer
	ng       *pcapgo.NgWriter // section header and interfaces; packets with flags are more than it can do
	ethernet int              // interface of the connections, -1 before there is one
	ifaces   int              // interfaces so far
	conns    uint16           // connections so far
	block    []byte
	packet   gopacket.SerializeBuffer
	err      error
}

// Create makes the file, replacing one that is there. Each packet is handed to the operating system at once, so the file
// is whole up to a crash of the program, and not synced, so that capturing costs little.
func Create(path string, c clock.Clock) (*Writer, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	w, err := NewWriter(f, c)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	w.closer = f
	return w, nil
}

// NewWriter writes to out.
func NewWriter(out io.Writer, c clock.Clock) (*Writer, error) {
	w := &Writer{clock: c, out: out, ethernet: -1, packet: gopacket.NewSerializeBuffer()}
	// The library wants an interface at once: the serial lines' unknown one, for bytes given without a line.
	ng, err := pcapgo.NewNgWriterInterface(out,
		pcapgo.NgInterface{Name: "serial", LinkType: linkUser0, TimestampResolution: 9},
		pcapgo.NgWriterOptions{SectionInfo: pcapgo.NgSectionInfo{Application: "smets1"}})
	if err != nil {
		return nil, err
	}
	w.ng, w.ifaces = ng, 1
	return w, ng.Flush()
}

// Close closes the file and tells the first thing that went wrong with it.
func (w *Writer) Close() error {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closer != nil {
		w.err = errors.Join(w.err, w.closer.Close())
		w.closer = nil
	}
	err := w.err
	if w.err == nil {
		w.err = os.ErrClosed
	}
	return err
}

// Err is the first thing that went wrong with the file; nothing is written after it.
func (w *Writer) Err() error {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// addInterface adds one; the caller holds mu.
func (w *Writer) addInterface(name string, link layers.LinkType) int {
	if w.err != nil {
		return 0
	}
	_, err := w.ng.AddInterface(pcapgo.NgInterface{Name: name, LinkType: link, TimestampResolution: 9})
	if err == nil {
		err = w.ng.Flush()
	}
	w.err = err
	return w.added()
}

// added gives the number of the interface that was just added. The library counts only its own.
func (w *Writer) added() int {
	w.ifaces++
	return w.ifaces - 1
}

// addRawInterface adds one of a link type that the library has no room for; the caller holds mu.
func (w *Writer) addRawInterface(name string, link uint16) int {
	if w.err != nil {
		return 0
	}
	le := binary.LittleEndian
	b := le.AppendUint32(nil, blockInterface)
	b = le.AppendUint32(b, 0) // length, below
	b = le.AppendUint16(b, link)
	b = append(b, 0, 0, 0, 0, 0, 0) // reserved, no limit to a packet
	b = le.AppendUint16(b, optionInterfaceName)
	b = le.AppendUint16(b, uint16(len(name)))
	b = pad(append(b, name...))
	b = le.AppendUint16(b, optionResolution)
	b = append(b, 1, 0, 9, 0, 0, 0) // nanoseconds
	b = le.AppendUint32(b, 0)       // end of options
	n := uint32(len(b) + 4)
	b = le.AppendUint32(b, n)
	le.PutUint32(b[4:], n)
	_, w.err = w.out.Write(b)
	return w.added()
}

// Codes of pcapng.
const (
	blockInterface      = 1
	blockEnhancedPacket = 6
	optionInterfaceName = 2
	optionResolution    = 9
	optionComment       = 1
	optionFlags         = 2
)

// write appends an enhanced packet block; the caller holds mu.
func (w *Writer) write(iface int, at time.Time, d Direction, data []byte, comment string) {
	if w.err != nil {
		return
	}
	le := binary.LittleEndian
	ns := uint64(at.UnixNano())
	b := le.AppendUint32(w.block[:0], blockEnhancedPacket)
	b = le.AppendUint32(b, 0) // length, below
	b = le.AppendUint32(b, uint32(iface))
	b = le.AppendUint32(b, uint32(ns>>32))
	b = le.AppendUint32(b, uint32(ns))
	b = le.AppendUint32(b, uint32(len(data)))
	b = le.AppendUint32(b, uint32(len(data)))
	b = pad(append(b, data...))
	b = le.AppendUint16(b, optionFlags)
	b = le.AppendUint16(b, 4)
	b = le.AppendUint32(b, uint32(d))
	if comment != "" {
		b = le.AppendUint16(b, optionComment)
		b = le.AppendUint16(b, uint16(len(comment)))
		b = pad(append(b, comment...))
	}
	b = le.AppendUint32(b, 0) // end of options
	n := uint32(len(b) + 4)
	b = le.AppendUint32(b, n)
	le.PutUint32(b[4:], n)
	w.block = b
	_, w.err = w.out.Write(b)
}

func pad(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}
