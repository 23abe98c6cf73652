package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"smets1/dlms/apdu"
	"smets1/dlms/client"
	"smets1/dlms/cosem"
	"smets1/dlms/hdlc"
	"smets1/dlms/wrapper"
	"smets1/gateway/session"
	"smets1/internal/clock"
	"smets1/internal/wire"
	"smets1/transport/capture"
	"smets1/transport/serial"
)

const (
	publicClient   = 16
	hanNetwork     = 1
	defaultTimeout = 30 * time.Second
	// interruptGrace is how long a request under way may still take after Ctrl-C, so that the association can be
	// released rather than broken off.
	interruptGrace = 3 * time.Second
)

// Exit statuses of the dlms commands beside those in main.go.
const (
	exitRefused   = 1 // the device refused a read, write or call
	exitNoOpen    = 3 // the device refused the association
	exitSilent    = 4 // no answer in time
	exitNoConnect = 5 // the device cannot be reached
)

// dlmsError is an error with the exit status that it means.
type dlmsError struct {
	error
	code int
}

func (e dlmsError) Unwrap() error { return e.error }

// ExitCode is the exit status of the command.
func (e dlmsError) ExitCode() int { return e.code }

// classify gives an error the status that fits and, where it helps, what to do.
func classify(err error) error {
	var (
		usage       usageError
		coded       dlmsError
		access      *client.AccessError
		action      *client.ActionError
		association *client.AssociationError
		exception   *client.ExceptionError
		network     *net.OpError
	)
	switch {
	case err == nil, errors.As(err, &usage), errors.As(err, &coded), errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &association):
		return dlmsError{err, exitNoOpen}
	case errors.Is(err, client.ErrGateway):
		return dlmsError{fmt.Errorf("%w\nThe hub answers, and the meter behind it does not. Check the EUI-64 after --behind, and that the meter is joined and in reach", err), exitSilent}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return dlmsError{fmt.Errorf("%w\nNo answer. A device is silent to addresses it does not know: check --client and --server; behind a hub a meter may take 20 s, see --timeout", err), exitSilent}
	case errors.As(err, &exception) && exception.Exception.Service == apdu.ServiceInvocationCounterError:
		return dlmsError{fmt.Errorf("%w\nSet counter: device in the client profile, or raise the number in the counter file above what the device expects", err), exitNoOpen}
	case errors.As(err, &exception):
		return dlmsError{err, exitNoOpen}
	case errors.As(err, &access), errors.As(err, &action):
		return dlmsError{err, exitRefused}
	case errors.As(err, &network), errors.Is(err, hdlc.ErrRefused), errors.Is(err, io.EOF):
		return dlmsError{fmt.Errorf("%w\nCheck the address, and that nothing else holds the device's only connection", err), exitNoConnect}
	}
	return err
}

// fromHub tells a hub's answers in the stead of a meter behind it (both ours)
// from the meter's own.
func fromHub(err error, behind string) error {
	var exception *client.ExceptionError
	if behind == "" || !errors.As(err, &exception) {
		return err
	}
	switch e := exception.Exception; {
	case e.State == apdu.StateServiceUnknown && e.Service == apdu.ServiceOperationNotPossible:
		return dlmsError{fmt.Errorf("the hub knows no device %s: check the EUI-64; the hub's object 1/0-0:128.96.0.255 lists what has joined", behind), exitNoOpen}
	case e.State == apdu.StateServiceNotAllowed && e.Service == apdu.ServiceOtherReason:
		return dlmsError{fmt.Errorf("the hub got no answer from %s over the HAN: the meter is off, out of reach or asleep; try again later", behind), exitSilent}
	}
	return err
}

// dlmsOptions are the flags that all dlms commands have.
type dlmsOptions struct {
	profilePath string
	behind      string
	network     uint8
	clientSAP   uint16
	serverSAP   uint16
	timeout     time.Duration
	capture     string
	json        bool
	secrets     explicitSecrets
}

func (o *dlmsOptions) register(c *cobra.Command) {
	f := c.PersistentFlags()
	f.StringVarP(&o.profilePath, "profile", "p", "", "client `FILE`: addresses, mechanism, keys, counter")
	f.StringVar(&o.behind, "behind", "", "`EUI-64` of a meter behind the hub (DLMS gateway prefix)")
	f.Uint8Var(&o.network, "network", hanNetwork, "network id in the gateway prefix")
	f.Uint16Var(&o.clientSAP, "client", 0, "client address (default 16, the public client; 1 with a mechanism)")
	f.Uint16Var(&o.serverSAP, "server", 0, "logical device (default 1)")
	f.DurationVar(&o.timeout, "timeout", 0, "wait so long for each answer (default 30s)")
	f.StringVar(&o.capture, "capture", "", "write what passes to a pcapng `FILE`")
	f.BoolVar(&o.json, "json", false, "JSON instead of a table")
	f.StringVar(&o.secrets.password, "insecure-password", "", "password on the command line, where others on this machine can see it")
	f.StringVar(&o.secrets.guek, "insecure-guek", "", "GUEK on the command line, where others on this machine can see it")
	f.StringVar(&o.secrets.gak, "insecure-gak", "", "GAK on the command line, where others on this machine can see it")
}

// load reads the profile and puts the flags over it.
func (o *dlmsOptions) load(c *cobra.Command) (dlmsProfile, error) {
	p, err := loadDLMSProfile(o.profilePath)
	if err != nil {
		return p, err
	}
	changed := c.Flags().Changed
	if changed("behind") {
		p.Behind = o.behind
	}
	if changed("network") || p.Network == nil {
		p.Network = &o.network
	}
	if changed("client") {
		p.Client = o.clientSAP
	}
	if changed("server") {
		p.Server = o.serverSAP
	}
	if changed("timeout") {
		p.Timeout = o.timeout
	}
	if p.Timeout == 0 {
		p.Timeout = defaultTimeout
	}
	return p, nil
}

// dlmsSession is an open association for one command.
type dlmsSession struct {
	*client.Client
	// ctx is for requests. It outlives an interrupt by the grace that a request under way needs to come to its end.
	ctx         context.Context
	interrupted context.Context
}

// check ends a command between two requests after Ctrl-C.
func (s *dlmsSession) check() error { return s.interrupted.Err() }

// with opens an association, runs f and releases it, whatever happens.
func (o *dlmsOptions) with(c *cobra.Command, target string, f func(*dlmsSession) error) (err error) {
	var p dlmsProfile
	defer func() { err = classify(fromHub(err, p.Behind)) }()
	p, err = o.load(c)
	if err != nil {
		return err
	}
	if target == "" {
		if target = p.Target; target == "" {
			return usageError{errors.New("no target: give one, such as tcp://127.0.0.1:4059, or target: in the client profile")}
		}
	}
	cfg, err := p.config(o.secrets)
	if err != nil {
		return err
	}
	interrupted := c.Context()
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(interrupted))
	defer cancel(nil)
	stop := context.AfterFunc(interrupted, func() {
		timer := clock.Real().NewTimer(interruptGrace)
		defer timer.Stop()
		select {
		case <-timer.C():
			cancel(context.Canceled)
		case <-ctx.Done():
		}
	})
	defer stop()

	var pcap *capture.Writer
	if o.capture != "" {
		if pcap, err = capture.Create(o.capture, clock.Real()); err != nil {
			return usageError{err}
		}
		defer func() { err = errors.Join(err, pcap.Close()) }()
	}
	line, err := openLine(interrupted, target, &p, pcap)
	if err != nil {
		return err
	}
	defer func() { _ = line.close() }()

	if err := o.counter(ctx, line, &p, &cfg); err != nil {
		return err
	}
	link, err := line.to(&p, p.clientSAP())
	if err != nil {
		return err
	}
	association, err := client.Associate(ctx, link, cfg)
	if err != nil {
		return errors.Join(interrupted.Err(), err)
	}
	s := &dlmsSession{Client: association, ctx: ctx, interrupted: interrupted}
	runErr := f(s)
	release, done := context.WithTimeout(context.WithoutCancel(ctx), interruptGrace)
	defer done()
	if releaseErr := association.Release(release); releaseErr != nil && runErr == nil {
		fmt.Fprintf(c.ErrOrStderr(), "smets1: releasing the association: %v\n", releaseErr)
	}
	return errors.Join(interrupted.Err(), runErr)
}

// counter sets the source of invocation counters, where any are needed.
func (o *dlmsOptions) counter(ctx context.Context, line *dlmsLine, p *dlmsProfile, cfg *client.Config) error {
	if cfg.Keys.GUEK.IsZero() {
		return nil
	}
	if n, ok := p.counterNumber(); ok {
		cfg.Counter = client.CountFrom(n)
		return nil
	}
	if path, ok := strings.CutPrefix(p.Counter, "file:"); ok {
		cfg.Counter = &fileCounter{path: p.path(path)}
		return nil
	}
	if p.Counter != "" && p.Counter != "device" {
		return usageError{fmt.Errorf("client profile: counter %q: want device, file:PATH or a number", p.Counter)}
	}
	var name cosem.OBIS
	if p.CounterObject != "" {
		var err error
		if name, err = cosem.ParseOBIS(p.CounterObject); err != nil {
			return usageError{fmt.Errorf("client profile: counterObject: %w", err)}
		}
	}
	public := p.PublicClient
	if public == 0 {
		public = publicClient
	}
	link, err := line.to(p, public)
	if err != nil {
		return err
	}
	last, err := client.ReadCounter(ctx, link, name, client.Config{Timeout: cfg.Timeout, MaxPDU: cfg.MaxPDU})
	if err != nil {
		return fmt.Errorf("reading the invocation counter as the public client (counter: file:PATH or a number in the profile does without): %w", err)
	}
	cfg.Counter = client.CountFrom(last + 1)
	return nil
}

// dlmsLine is an open line to a target.
type dlmsLine struct {
	wrapper *client.Wrapper
	hdlc    *client.HDLC
}

func (l *dlmsLine) close() error {
	if l.wrapper != nil {
		return l.wrapper.Close()
	}
	return l.hdlc.Close()
}

// to gives the link to the profile's device as a client.
func (l *dlmsLine) to(p *dlmsProfile, sap uint16) (client.Link, error) {
	var link client.Link
	if l.wrapper != nil {
		link = l.wrapper.Link(sap, p.serverSAP())
	} else {
		if sap > 0x7F {
			return nil, usageError{fmt.Errorf("client %d: an HDLC client address reaches 127", sap)}
		}
		address, err := p.serverAddress()
		if err != nil {
			return nil, err
		}
		if link, err = l.hdlc.Link(hdlc.Client(uint8(sap)), address); err != nil {
			return nil, usageError{err}
		}
	}
	if p.Behind == "" {
		return link, nil
	}
	eui, err := wire.ParseEUI64(p.Behind)
	if err != nil {
		return nil, usageError{fmt.Errorf("--behind: %w", err)}
	}
	return client.Behind(link, *p.Network, eui[:]), nil
}

// openLine opens a target.
func openLine(ctx context.Context, target string, p *dlmsProfile, pcap *capture.Writer) (*dlmsLine, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, usageError{fmt.Errorf("target %.80q: %w", target, err)}
	}
	cfg := hdlc.ClientConfig{
		Params: hdlc.Params{InfoTransmit: p.HDLC.MaxInfo, InfoReceive: p.HDLC.MaxInfo, WindowTransmit: p.HDLC.Window, WindowReceive: p.HDLC.Window},
	}
	switch u.Scheme {
	case "tcp", "udp", "tcp+hdlc":
		network, _, _ := strings.Cut(u.Scheme, "+")
		conn, err := dial(ctx, network, u, p.Timeout)
		if err != nil {
			return nil, err
		}
		switch u.Scheme {
		case "tcp":
			return &dlmsLine{wrapper: client.NewWrapper(pcap.TapConn(conn, target, false))}, nil
		case "udp":
			return &dlmsLine{wrapper: client.NewUDP(tapDatagrams(pcap, conn, target))}, nil
		}
		return &dlmsLine{hdlc: client.NewHDLC(conn, cfg, clock.Real())}, nil
	case "serial":
		at, err := serial.ParseURL(target)
		if err != nil {
			return nil, usageError{err}
		}
		port, err := at.Open()
		if err != nil {
			return nil, dlmsError{err, exitNoConnect}
		}
		port = pcap.NewLine(target).TapPort(port)
		if at.SignOn {
			r, err := session.SignOn(ctx, port, at)
			if err != nil {
				_ = port.Close()
				return nil, dlmsError{err, exitNoConnect}
			}
			at.Mode = session.ModeOf(r.Format)
		}
		baud := at.Mode.Baud
		if baud == 0 {
			baud = 9600
		}
		cfg.ByteTime = time.Duration(at.Mode.BitsPerByte()) * time.Second / time.Duration(baud)
		return &dlmsLine{hdlc: client.NewHDLC(port, cfg, clock.Real())}, nil
	}
	return nil, usageError{fmt.Errorf("target %.80q: want tcp://HOST:PORT, udp://HOST:PORT, tcp+hdlc://HOST:PORT or serial:///dev/…?baud=9600", target)}
}

func dial(ctx context.Context, network string, u *url.URL, timeout time.Duration) (net.Conn, error) {
	port := u.Port()
	if port == "" {
		port = fmt.Sprint(wrapper.Port)
	}
	d := net.Dialer{Timeout: timeout}
	return d.DialContext(ctx, network, net.JoinHostPort(u.Hostname(), port))
}

// datagrams is a connected UDP socket whose datagrams are also written to a capture.
type datagrams struct {
	net.Conn
	capture *capture.Conn
}

func tapDatagrams(pcap *capture.Writer, conn net.Conn, name string) net.Conn {
	if pcap == nil {
		return conn
	}
	local, _ := netip.ParseAddrPort(conn.LocalAddr().String())
	remote, _ := netip.ParseAddrPort(conn.RemoteAddr().String())
	return &datagrams{conn, pcap.NewConn(capture.ConnConfig{Name: name, Local: local, Remote: remote, Datagrams: true})}
}

func (d *datagrams) Read(b []byte) (int, error) {
	n, err := d.Conn.Read(b)
	if n > 0 {
		d.capture.Bytes(capture.Inbound, b[:n])
	}
	return n, err
}

func (d *datagrams) Write(b []byte) (int, error) {
	d.capture.Bytes(capture.Outbound, b)
	return d.Conn.Write(b)
}
