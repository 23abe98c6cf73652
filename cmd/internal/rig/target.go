package rig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"smets1/dlms/client"
	"smets1/dlms/cosem"
	"smets1/dlms/hdlc"
	"smets1/dlms/security"
	"smets1/dlms/server/ctt"
	"smets1/gateway/keystore"
	"smets1/internal/wire"
	"smets1/transport/serial"
)

// testTitle is the client of conformance tests. It is not the gateway's, whose invocation counters it would use up.
var testTitle = security.SystemTitle{'S', 'M', '1', 0, 0, 0, 0, 3}

// silence is how long a device may take, by the machine, before it counts as silent.
const silence = 4 * time.Second

// Addresses of a device's clients and of its management logical device.
const (
	publicClient     = 0x10
	managementClient = 0x01
	management       = 1
	network          = 1
)

func (r *Rig) target(ctx context.Context, device string) (*ctt.Target, error) {
	eui, ok := r.devices[device]
	if !ok {
		return nil, fmt.Errorf("the home has no %s", device)
	}
	known, err := r.desk.keys.Get(ctx, eui)
	if err != nil {
		return nil, err
	}
	set := known.Set(keystore.Current)
	if set == nil {
		return nil, fmt.Errorf("there are no keys of %s (%v)", device, eui)
	}
	strict := &ctt.Credentials{
		Client: managementClient, Mechanism: security.MechanismGMAC, Ciphered: true, Title: testTitle, Keys: set.Keys, Protection: security.ProtectBoth,
	}
	t := &ctt.Target{
		Name:     device,
		Dial:     func(c uint16) (ctt.Conn, error) { return r.dial(ctx, device, eui, c) },
		Server:   management,
		Public:   ctt.Credentials{Client: publicClient},
		Strict:   strict,
		ReadOnly: cosem.Attribute{Class: cosem.ClassData, Instance: cosem.LogicalDeviceName, ID: 2},
	}
	if device == "hub" && r.cable() {
		t.Line = func() (ctt.Line, error) { return r.rawLine(ctx) }
	}
	return t, nil
}

// cable tells whether the hub can be reached by HDLC.
func (r *Rig) cable() bool {
	a := r.desk.hub.Address
	return r.name == "sim" || strings.HasPrefix(a, "serial:") || strings.HasPrefix(a, "tcp+hdlc:")
}

// conn is an APDU conversation over a line of its own.
type conn struct {
	ctx  context.Context
	link client.Link
	line io.Closer
}

func (r *Rig) dial(ctx context.Context, device string, eui wire.EUI64, sap uint16) (ctt.Conn, error) {
	var link client.Link
	var line io.Closer
	if strings.HasPrefix(r.desk.hub.Address, "tcp:") {
		stream, err := r.stream(ctx)
		if err != nil {
			return nil, err
		}
		w := client.NewWrapper(stream)
		link, line = w.Link(sap, management), w
	} else {
		// A cable is one line for all tests: only one program can have it open, and once.
		if r.shared == nil {
			stream, err := r.stream(ctx)
			if err != nil {
				return nil, err
			}
			r.shared = client.NewHDLC(stream, hdlc.ClientConfig{}, nil)
		}
		l, err := r.shared.Link(hdlc.Client(uint8(sap)), hdlc.Server1(management))
		if err != nil {
			return nil, err
		}
		link, line = l, l
	}
	if device != "hub" {
		link = client.Behind(link, network, eui[:])
	}
	return &conn{ctx, link, line}, nil
}

// Exchange sends an APDU and waits for the answer.
func (c *conn) Exchange(apdu []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(c.ctx, silence)
	defer cancel()
	answer, err := c.link.RoundTrip(ctx, apdu)
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		return nil, c.ctx.Err()
	}
	return slices.Clone(answer), err // the link uses its memory again
}

func (c *conn) Close() error { return c.line.Close() }

// unshare gives the line of the tests back.
func (r *Rig) unshare() error {
	if r.shared == nil {
		return nil
	}
	err := r.shared.Close()
	r.shared = nil
	return err
}

// stream opens a line to the hub. One that only one program can have open is taken from the gateway.
func (r *Rig) stream(ctx context.Context) (io.ReadWriteCloser, error) {
	if err := r.desk.hangUp(ctx); err != nil {
		return nil, err
	}
	var s io.ReadWriteCloser
	var err error
	if opener := r.desk.session.Openers["tcp"]; opener != nil {
		s, err = opener(ctx, r.desk.hub.Address)
	} else {
		s, err = open(ctx, r.desk.hub.Address)
	}
	if err != nil {
		return nil, err
	}
	return r.console.line(s), nil
}

// rawLine is the hub's HDLC line, byte by byte.
func (r *Rig) rawLine(ctx context.Context) (ctt.Line, error) {
	if err := errors.Join(r.unshare(), r.desk.hangUp(ctx)); err != nil {
		return nil, err
	}
	var s io.ReadWriteCloser
	var err error
	if r.name == "sim" {
		s, err = r.fleet.DialSerial(r.home)
	} else {
		s, err = open(ctx, r.desk.hub.Address)
	}
	if err != nil {
		return nil, err
	}
	d, ok := s.(deadliner)
	if !ok {
		return nil, errors.Join(errors.New("this line has no deadlines"), s.Close())
	}
	return &rawLine{d, r}, nil
}

type deadliner interface {
	io.ReadWriteCloser
	SetReadDeadline(time.Time) error
}

type rawLine struct {
	deadliner
	r *Rig
}

// Whoever answers on a raw line begins within firstByte, and pauses less than quiet.
const (
	firstByte = 500 * time.Millisecond
	quiet     = 100 * time.Millisecond
)

// Exchange sends bytes and gives what comes back until the line is quiet.
func (l *rawLine) Exchange(b []byte) ([]byte, error) {
	if len(b) > 0 {
		if _, err := l.Write(b); err != nil {
			return nil, err
		}
	}
	var out []byte
	buf := make([]byte, 4096)
	wait := firstByte
	for {
		if err := l.SetReadDeadline(time.Now().Add(wait)); err != nil {
			return nil, err
		}
		n, err := l.Read(buf)
		out = append(out, buf[:n]...)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return out, nil
		case err != nil:
			return out, err
		}
		wait = quiet
	}
}

// Wait lets time pass for the device.
func (l *rawLine) Wait(seconds int) error {
	return l.r.Wait(context.Background(), time.Duration(seconds)*time.Second)
}

// open opens the line of an address, for its bytes.
func open(ctx context.Context, address string) (io.ReadWriteCloser, error) {
	if strings.HasPrefix(address, "serial:") {
		return serial.OpenURL(address)
	}
	return dialTCP(ctx, address)
}
