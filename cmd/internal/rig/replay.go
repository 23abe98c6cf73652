package rig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"smets1/cmd/internal/lab"
	"smets1/device/fleet"
	"smets1/gateway/session"
	"smets1/hwtest/scenario"
	"smets1/internal/clock"
	"smets1/transport/trace"
)

// Replay is a trace in the place of the scenario's home. The gateway draws its challenges as it did when the trace was
// recorded, and counts from where it counted then. What a scenario does that depends on the time, such as setting a
// clock, does not repeat: the trace says so at the byte where it differs.
func Replay(ctx context.Context, s *scenario.Scenario, path string, o Options) (_ *Rig, err error) {
	t, err := trace.Load(path)
	if err != nil {
		return nil, err
	}
	header := map[string]string{}
	for _, h := range t.Header {
		if k, v, ok := strings.Cut(h, ": "); ok {
			header[k] = v
		}
	}
	if was := header["scenario"]; was != s.Name {
		return nil, fmt.Errorf("%s: is a recording of scenario %q, not of %s", path, was, s.Name)
	}
	at, err := time.Parse(time.RFC3339Nano, header["clock"])
	if err != nil {
		return nil, fmt.Errorf("%s: the header says clock: %q, which is no time: record it anew", path, header["clock"])
	}
	if o.Seed, err = strconv.ParseUint(header["seed"], 10, 64); err != nil {
		return nil, fmt.Errorf("%s: the header says seed: %q, which is no number: record it anew", path, header["seed"])
	}
	link := "wrapper"
	if header["target"] == "pty" {
		link = "hdlc"
	}
	m, err := manifest(s, link)
	if err != nil {
		return nil, err
	}
	if o.Speed == 0 {
		o.Speed = 60
	}
	scaled := clock.NewScaled(at, o.Speed)
	// The home itself is not there: only what its operator has on file of it.
	r := &Rig{name: "replay:" + path, clk: scaled, scaled: scaled}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	if r.fleet, err = fleet.Open(ctx, m, fleet.Options{Clock: clock.NewStepped(m.StartTime())}); err != nil {
		return nil, err
	}
	r.close = append(r.close, r.fleet.Close)
	e := first(r.fleet)
	r.home = e.Name
	hub := lab.HubOf(e)
	hub.Wake = "" // whoever recorded it has woken it
	r.replay = trace.NewReplay(t, trace.Config{Clock: scaled, NoModes: true, Name: path})
	hub.Address = "tcp://trace:4059"
	if link == "hdlc" {
		hub.Address = "tcp+hdlc://trace:4059"
	}
	r.differs = make(chan error, 1)
	played := func(context.Context, string) (io.ReadWriteCloser, error) { return &played{r.replay, r.differs}, nil }
	sc := session.Config{Openers: map[string]session.Opener{"tcp": played, "tcp+hdlc": played}}
	o.Record = nil
	if err := r.begin(ctx, s, o, hub, sc); err != nil {
		return nil, err
	}
	if err := lab.Handover(ctx, r.fleet, r.desk.keys, "SMSO", r.clk.Now()); err != nil {
		return nil, err
	}
	return r, r.describe(e)
}

// played is a line that is closed and opened again as the recorded one was: the trace goes on. The first difference ends
// the scenario, where a gateway would only try again.
type played struct {
	*trace.Replay
	differs chan<- error
}

func (p *played) Close() error { return nil }

func (p *played) Read(b []byte) (int, error) {
	n, err := p.Replay.Read(b)
	return n, p.look(err)
}

func (p *played) Write(b []byte) (int, error) {
	n, err := p.Replay.Write(b)
	return n, p.look(err)
}

func (p *played) look(err error) error {
	var m *trace.MismatchError
	if errors.As(err, &m) {
		select {
		case p.differs <- err:
		default:
		}
	}
	return err
}

func dialTCP(ctx context.Context, address string) (io.ReadWriteCloser, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", u.Host)
}
