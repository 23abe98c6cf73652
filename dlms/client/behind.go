package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"smets1/dlms/apdu"
)

// ErrGateway: the gateway answered for itself instead of passing on what the device says.
var ErrGateway = errors.New("the answer comes from the gateway, not from the device behind it")

// Behind is a link to a device behind a DLMS gateway: every APDU goes with the gateway prefix (E6, network id, physical
// device address; recalled from IEC 62056-5-3), and answers come with E7 and the same address. The link below leads to
// the gateway; closing the returned link closes it. An exception without the prefix is the gateway's own.
func Behind(link Link, network uint8, address []byte) Link {
	return &gatewayLink{link: link, network: network, address: bytes.Clone(address)}
}

type gatewayLink struct {
	link    Link
	network uint8
	address []byte
	out     []byte
}

func (g *gatewayLink) String() string {
	return fmt.Sprintf("device %X in network %d behind (%v)", g.address, g.network, g.link)
}

func (g *gatewayLink) Close() error { return g.link.Close() }

func (g *gatewayLink) RoundTrip(ctx context.Context, request []byte) ([]byte, error) {
	return g.roundTripBy(ctx, nil, request)
}

// Receive waits for an APDU that the device sends by itself.
func (g *gatewayLink) Receive(ctx context.Context) ([]byte, error) { return g.receiveBy(ctx, nil) }

func (g *gatewayLink) roundTripBy(ctx context.Context, alarm <-chan time.Time, request []byte) ([]byte, error) {
	out, err := apdu.GatewayPrefix{NetworkID: g.network, Address: g.address}.AppendBinary(g.out[:0])
	if err != nil {
		return nil, err
	}
	g.out = append(out, request...)
	answer, err := sendBy(ctx, alarm, g.link, g.out)
	return g.strip(ctx, alarm, answer, err)
}

func (g *gatewayLink) receiveBy(ctx context.Context, alarm <-chan time.Time) ([]byte, error) {
	answer, err := listenBy(ctx, alarm, g.link)
	return g.strip(ctx, alarm, answer, err)
}

// strip takes the prefix off, and passes over answers of other devices: late ones, or pushed.
func (g *gatewayLink) strip(ctx context.Context, alarm <-chan time.Time, answer []byte, err error) ([]byte, error) {
	for {
		if err != nil {
			return nil, err
		}
		prefix, n, perr := apdu.ParseGatewayPrefix(answer)
		switch {
		case perr != nil:
			if len(answer) > 0 && apdu.Tag(answer[0]) == apdu.TagException {
				if e, _, eerr := apdu.ParseException(answer); eerr == nil {
					return nil, fmt.Errorf("client: %v: %w: %w", g, ErrGateway, e)
				}
			}
			return nil, fmt.Errorf("client: %v: answer without the gateway prefix: %w", g, perr)
		case prefix.Response && prefix.NetworkID == g.network && bytes.Equal(prefix.Address, g.address):
			return answer[n:], nil
		}
		answer, err = listenBy(ctx, alarm, g.link)
	}
}
