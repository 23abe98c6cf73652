package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"

	"smets1/dlms/client"
	"smets1/dlms/hdlc"
	"smets1/internal/clock"
	"smets1/internal/wire"
)

// network is the network id of the HAN in the gateway prefix.
const network = 1

// line is an open line to a hub with its links.
type line interface {
	// link gives the one link between a client address and a logical device.
	link(client, logical uint16) (client.Link, error)
	close() error
}

// scheme is the part of an address before the colon.
func scheme(address string) string {
	s, _, _ := strings.Cut(address, ":")
	return s
}

// openTCP opens tcp://host:port and tcp+hdlc://host:port.
func openTCP(ctx context.Context, address string) (io.ReadWriteCloser, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("address %.80q: %w", address, err)
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", u.Host)
}

// newLine puts the framing of the scheme onto a stream.
func newLine(address string, stream io.ReadWriteCloser, clk clock.Clock) line {
	if s := scheme(address); s == "tcp" {
		w := client.NewWrapper(stream)
		return &wrapperLine{w: w, links: map[[2]uint16]client.Link{}}
	}
	return &hdlcLine{h: client.NewHDLC(stream, hdlc.ClientConfig{}, clk), links: map[[2]uint16]client.Link{}}
}

type wrapperLine struct {
	w     *client.Wrapper
	links map[[2]uint16]client.Link
}

func (l *wrapperLine) link(c, logical uint16) (client.Link, error) {
	k := [2]uint16{c, logical}
	if l.links[k] == nil {
		l.links[k] = l.w.Link(c, logical)
	}
	return sharedLink{l.links[k]}, nil
}

func (l *wrapperLine) close() error { return l.w.Close() }

type hdlcLine struct {
	h     *client.HDLC
	links map[[2]uint16]client.Link
}

func (l *hdlcLine) link(c, logical uint16) (client.Link, error) {
	k := [2]uint16{c, logical}
	if l.links[k] == nil {
		if c > 0x7F || logical > 0x7F {
			return nil, fmt.Errorf("session: client %d, logical device %d: an HDLC address of one octet reaches 127", c, logical)
		}
		link, err := l.h.Link(hdlc.Client(uint8(c)), hdlc.Server1(uint8(logical)))
		if err != nil {
			return nil, err
		}
		l.links[k] = link
	}
	return sharedLink{l.links[k]}, nil
}

func (l *hdlcLine) close() error {
	var errs []error
	for _, link := range l.links {
		errs = append(errs, link.Close()) // DISC, so that the hub need not wait
	}
	return errors.Join(append(errs, l.h.Close())...)
}

// sharedLink is a link that the hub's association and those of the devices
// behind it have in common: the end of one must not close it for the others.
type sharedLink struct{ client.Link }

func (sharedLink) Close() error { return nil }

// Receive implements client.Receiver.
func (l sharedLink) Receive(ctx context.Context) ([]byte, error) {
	if r, ok := l.Link.(client.Receiver); ok {
		return r.Receive(ctx)
	}
	return nil, errors.ErrUnsupported
}

// String names the link below.
func (l sharedLink) String() string { return fmt.Sprint(l.Link) }

// hanLink is the link to a device behind the hub. It tells the hub's answers
// in the device's stead from the device's own: D8 01 03 means that the device
// was silent, D8 02 01 that there is none (both ours).
type hanLink struct {
	sharedLink
	device wire.EUI64
}

func behind(l client.Link, device wire.EUI64) client.Link {
	return hanLink{sharedLink{client.Behind(l, network, device[:])}, device}
}

// RoundTrip implements client.Link.
func (l hanLink) RoundTrip(ctx context.Context, apdu []byte) ([]byte, error) {
	answer, err := l.Link.RoundTrip(ctx, apdu)
	if err != nil {
		return nil, err
	}
	switch string(answer) {
	case "\xD8\x01\x03":
		return nil, fmt.Errorf("session: device %s: %w", l.device, ErrHANSilent)
	case "\xD8\x02\x01":
		return nil, fmt.Errorf("session: device %s: %w", l.device, ErrNotOnHAN)
	}
	return answer, nil
}
