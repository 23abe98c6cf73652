package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"smets1/dlms/client"
	"smets1/dlms/cosem"
	"smets1/dlms/hdlc"
	"smets1/dlms/optical"
	"smets1/dlms/optical/signon"
	"smets1/gateway/session"
	"smets1/internal/wire"
	"smets1/transport/serial"
	"smets1/zigbee/node/ncp"
	"smets1/zigbee/spinel"
)

// finding is what a probe learnt.
type finding struct {
	What    string            `json:"what"` // dlms-hdlc, sign-on, spinel, ezsp-ash, console
	Mode    string            `json:"mode"` // of the line
	Details map[string]string `json:"details,omitempty"`
}

// attempt is one way to ask who is there. It gives nil if nothing that it knows answers.
type attempt struct {
	what string
	mode serial.Mode
	try  func(*prober) (*finding, error)
}

type prober struct {
	ctx  context.Context
	port serial.Port
	log  io.Writer
}

// attempts are in the order of least harm: the last but one resets a dongle.
func attempts(given serial.Mode) []attempt {
	line := serial.Mode{Baud: 9600}
	radio := serial.Mode{Baud: 115200}
	if given.Baud != 0 {
		line, radio = given, given
	}
	return []attempt{
		{"DLMS over HDLC", line, (*prober).dlms},
		{"IEC 62056-21 sign-on", serial.Mode{Baud: 300, DataBits: 7, Parity: serial.EvenParity}, (*prober).signOn},
		{"Spinel RCP", radio, (*prober).spinel},
		{"EZSP over ASH", radio, (*prober).ash},
		{"console", radio, (*prober).console},
	}
}

func newSerialProbeCommand() *cobra.Command {
	asJSON := false
	c := &cobra.Command{
		Use:   "probe PORT",
		Short: "Find out what answers on a port",
		Long: `probe asks, in this order, for DLMS over HDLC (SNRM, and if that works the logical
device name as the public client), for an IEC 62056-21 sign-on, for a Spinel RCP, for
an EZSP dongle (which this resets), and for a console (which gets an empty line). A
baud rate in PORT is used instead of 9600 and 115200. It stops at the first answer.`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			at, err := findPort(args[0])
			if err != nil {
				return err
			}
			f, err := probe(c.Context(), at, c.ErrOrStderr())
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(f)
			}
			fmt.Fprintf(c.OutOrStdout(), "%s at %s\n", f.What, f.Mode)
			for _, k := range slices.Sorted(maps.Keys(f.Details)) {
				fmt.Fprintf(c.OutOrStdout(), "  %s: %s\n", k, f.Details[k])
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "JSON instead of text")
	return c
}

func probe(ctx context.Context, at serial.Location, log io.Writer) (*finding, error) {
	list := attempts(at.Mode)
	port, err := openPort(at, list[0].mode)
	if err != nil {
		return nil, err
	}
	defer port.Close() //nolint:errcheck // it was only read
	var tried []string
	for _, a := range list {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		fmt.Fprintf(log, "asking for %s at %s\n", a.what, a.mode)
		if err := port.SetMode(a.mode); err != nil {
			return nil, err
		}
		p := &prober{ctx: ctx, port: port, log: log}
		p.listen(100 * time.Millisecond) // what is left of the last attempt
		f, err := a.try(p)
		switch {
		case f != nil:
			if f.Mode == "" {
				f.Mode = a.mode.String()
			}
			return f, nil
		case errors.Is(err, serial.ErrUnplugged):
			return nil, err
		}
		tried = append(tried, a.what+" at "+a.mode.String())
	}
	return nil, dlmsError{fmt.Errorf("nothing answers on %s: tried %s. Check cable, power, and the speed: serial:…?baud=…", port, strings.Join(tried, ", ")), exitSilent}
}

// listen gives what comes in a time.
func (p *prober) listen(d time.Duration) []byte {
	var got []byte
	buf := make([]byte, 256)
	end := time.Now().Add(d)
	for len(got) < 4096 {
		if p.port.SetReadDeadline(end) != nil {
			return got
		}
		n, err := p.port.Read(buf)
		got = append(got, buf[:n]...)
		if err != nil {
			break
		}
	}
	_ = p.port.SetReadDeadline(time.Time{})
	return got
}

// lent is a port that its user may close without closing it.
type lent struct {
	serial.Port
	ended chan struct{}
}

// Close ends the reading, and nothing else.
func (l lent) Close() error { return l.SetReadDeadline(time.Unix(1, 0)) }

func (l lent) Read(b []byte) (int, error) {
	n, err := l.Port.Read(b)
	if err != nil {
		close(l.ended)
	}
	return n, err
}

func (p *prober) dlms() (*finding, error) {
	port := lent{p.port, make(chan struct{})}
	line := client.NewHDLC(port, hdlc.ClientConfig{ResponseTimeout: 1500 * time.Millisecond, Retries: -1}, nil)
	defer func() {
		_ = line.Close()
		<-port.ended
		_ = p.port.SetReadDeadline(time.Time{})
	}()
	link, err := line.Link(hdlc.Client(hdlc.ClientPublic), hdlc.Server1(1))
	if err != nil {
		return nil, err
	}
	details := map[string]string{}
	c, err := client.Associate(p.ctx, link, client.Config{Timeout: 5 * time.Second})
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, serial.ErrUnplugged):
		if s, ok := link.(interface{ Stats() hdlc.ClientStats }); !ok || s.Stats().Frames == 0 {
			return nil, err
		}
		details["association"] = "none: frames come, and no answer to an association"
	case errors.Is(err, hdlc.ErrRefused):
		details["connection"] = "refused (DM): another client may hold it"
	case err != nil:
		details["association"] = err.Error()
	default:
		if name, err := c.GetBytes(p.ctx, cosem.Attribute{Class: 1, Instance: cosem.MustOBIS("0-0:42.0.0.255"), ID: 2}); err == nil {
			details["logical device name"] = printableOrHex(name)
		} else {
			details["logical device name"] = err.Error()
		}
		_ = c.Release(p.ctx)
	}
	details["server"], details["client"] = "1", "16"
	_ = link.Close()
	return &finding{What: "dlms-hdlc", Details: details}, nil
}

func printableOrHex(b []byte) string {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return fmt.Sprintf("% X", b)
		}
	}
	return string(b)
}

func (p *prober) signOn() (*finding, error) {
	r, err := signon.Dial(p.ctx, p.port, func(f optical.Format) error { return p.port.SetMode(session.ModeOf(f)) },
		optical.ClientConfig{Purpose: optical.HDLC, Tries: 1})
	if r.Identification == (optical.Identification{}) {
		return nil, err
	}
	f := &finding{What: "sign-on", Mode: optical.SignOn.String(), Details: map[string]string{
		"identification": r.Identification.String(), "maker": r.Identification.Maker, "IEC 62056-21 mode": string(r.Identification.Mode()),
		"baud offered": fmt.Sprint(r.Identification.Baud()),
	}}
	switch {
	case errors.Is(err, optical.ErrNoHDLC):
		f.Details["HDLC"] = "no: the meter has a readout only"
	case err != nil:
		f.Details["HDLC"] = err.Error()
	default:
		f.Details["HDLC"] = "no answer at " + r.Format.String()
		if found, _ := p.dlms(); found != nil {
			f.Details["HDLC"] = "yes, at " + r.Format.String() + ": open it with modee=1"
			for k, v := range found.Details {
				f.Details[k] = v
			}
		}
	}
	return f, nil
}

func (p *prober) spinel() (*finding, error) {
	details := map[string]string{}
	for i, prop := range []spinel.Property{spinel.PropProtocolVersion, spinel.PropNCPVersion, spinel.PropHardwareAddress} {
		raw, err := spinel.Frame{Transaction: uint8(i + 1), Command: spinel.CommandGet, Property: prop}.AppendBinary(nil)
		if err != nil {
			return nil, err
		}
		if _, err := p.port.Write(spinel.AppendHDLC([]byte{0x7E}, raw)); err != nil {
			return nil, err
		}
		rest := p.listen(600 * time.Millisecond)
		var d spinel.Decoder
		for len(rest) > 0 {
			frame, n, _ := d.Feed(rest)
			rest = rest[n:]
			f, _, err := spinel.ParseFrame(frame)
			if frame == nil || err != nil || f.Command != spinel.CommandIs || f.Property != prop {
				continue
			}
			switch prop {
			case spinel.PropNCPVersion:
				details["version"], _, _ = spinel.ParseText(f.Value)
			case spinel.PropHardwareAddress:
				if a, _, err := spinel.ParseEUI64(f.Value); err == nil {
					details["EUI-64"] = a.String()
				}
			default:
				major, n, _ := spinel.ParsePacked(f.Value)
				minor, _, _ := spinel.ParsePacked(f.Value[min(n, len(f.Value)):])
				details["protocol"] = fmt.Sprintf("%d.%d", major, minor)
			}
		}
		if len(details) == 0 {
			return nil, nil
		}
	}
	return &finding{What: "spinel", Details: details}, nil
}

// ash resets a co-processor and asks who it is.
func (p *prober) ash() (*finding, error) {
	over := false
	var why error
	h := ncp.NewHost(ncp.HostConfig{Notify: func(_ time.Time, e ncp.HostEvent) {
		over, why = over || e.Kind == ncp.Identified || e.Kind == ncp.Failed, e.Err
	}})
	end := time.Now().Add(2500 * time.Millisecond)
	if err := h.Start(time.Now()); err != nil {
		return nil, err
	}
	defer p.port.SetReadDeadline(time.Time{}) //nolint:errcheck // an unplugged port tells so at the next call
	buf := make([]byte, 256)
	for !over && p.ctx.Err() == nil && time.Now().Before(end) {
		if out := h.Output(); len(out) > 0 {
			if _, err := p.port.Write(out); err != nil {
				return nil, err
			}
		}
		if err := p.port.SetReadDeadline(end); err != nil {
			return nil, err
		}
		n, err := p.port.Read(buf)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, err
		}
		h.Input(time.Now(), buf[:n])
		h.Advance(time.Now())
	}
	if out := h.Output(); len(out) > 0 {
		_, _ = p.port.Write(out) // the last acknowledgement
	}
	s := h.Stick()
	if !h.WasReset() {
		return nil, nil
	}
	details := map[string]string{"reset": s.Reset.String()}
	switch {
	case s.EUI != wire.EUI64{}:
		details["EUI-64"] = s.EUI.String()
		details["firmware"] = fmt.Sprintf("EmberZNet %d.%d.%d build %d", s.Release.Major, s.Release.Minor, s.Release.Patch, s.Release.Build)
		fallthrough
	case s.Protocol != 0:
		details["EZSP version"] = fmt.Sprint(s.Protocol)
		if why != nil {
			details["EZSP"] = why.Error()
		}
	default:
		details["EZSP"] = "no answer: it is a co-processor with other firmware"
	}
	return &finding{What: "ezsp-ash", Details: details}, nil
}

func (p *prober) console() (*finding, error) {
	if _, err := p.port.Write([]byte("\r\n")); err != nil {
		return nil, err
	}
	got := p.listen(time.Second)
	text := 0
	for _, c := range got {
		if c >= ' ' && c <= '~' || c == '\r' || c == '\n' || c == '\t' || c == 0x1B {
			text++
		}
	}
	if text < 3 || text*10 < len(got)*9 {
		return nil, nil
	}
	return &finding{What: "console", Details: map[string]string{"says": fmt.Sprintf("%.200q", got)}}, nil
}
