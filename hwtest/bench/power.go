package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"smets1/internal/clock"
)

// Power is how the power of a hub is switched. At most one way is given.
type Power struct {
	// Uhubctl switches a port of a USB hub that can (few can: see its README) with the program uhubctl.
	Uhubctl *struct {
		Location string `yaml:"location"`
		Port     int    `yaml:"port"`
	} `yaml:"uhubctl"`
	// Sysfs is the file disable of a USB port: /sys/bus/usb/devices/1-1:1.0/1-1-port2/disable (Linux 6).
	Sysfs string `yaml:"sysfs"`
	// HTTP are URLs of a relay that are fetched.
	HTTP *struct {
		Off string `yaml:"off"`
		On  string `yaml:"on"`
	} `yaml:"http"`
	// Command are programs with their arguments.
	Command *struct {
		Off []string `yaml:"off"`
		On  []string `yaml:"on"`
	} `yaml:"command"`
	// Ask has a person do it.
	Ask bool `yaml:"ask"`
}

func (p *Power) check() error {
	n := 0
	for _, given := range []bool{p.Uhubctl != nil, p.Sysfs != "", p.HTTP != nil, p.Command != nil, p.Ask} {
		if given {
			n++
		}
	}
	switch {
	case n > 1:
		return errors.New("power: want one of uhubctl, sysfs, http, command and ask")
	case p.Uhubctl != nil && (p.Uhubctl.Location == "" || p.Uhubctl.Port < 1):
		return errors.New("power: uhubctl: want the location of the USB hub (1-1) and a port from 1")
	case p.HTTP != nil && (p.HTTP.Off == "" || p.HTTP.On == ""):
		return errors.New("power: http: want a URL for off and one for on")
	case p.Command != nil && (len(p.Command.Off) == 0 || len(p.Command.On) == 0):
		return errors.New("power: command: want a program for off and one for on")
	}
	return nil
}

// ErrNoPower: there is no way to switch the power.
var ErrNoPower = errors.New("the inventory names no way to switch the power of this hub (power: uhubctl, sysfs, http, command or ask)")

// Can tells whether the power can be switched.
func (p *Power) Can() bool {
	return p.Uhubctl != nil || p.Sysfs != "" || p.HTTP != nil || p.Command != nil || p.Ask
}

// Switcher does it.
type Switcher struct {
	Power
	Clock clock.Clock
	// Present tells whether the hub's port is there; nil when that cannot be seen, as over TCP.
	Present func() (bool, error)
	// Prompt asks a person to do something and waits until they say it is done.
	Prompt func(ctx context.Context, what string) error
	// Patience is how long the port may take to vanish and to come back. Zero means 30 s.
	Patience time.Duration
}

// Cycle takes the power away for a time. Where the port can be seen, it must vanish and come back: a switch that
// switches nothing is an error.
func (s *Switcher) Cycle(ctx context.Context, off time.Duration) error {
	if !s.Can() {
		return ErrNoPower
	}
	if err := s.set(ctx, false); err != nil {
		return err
	}
	seen := s.until(ctx, false, "the power was switched off, and the port is still there: does this switch cut the power of the hub?")
	slept := s.Clock.Sleep(ctx, off)
	// The power comes back whatever went wrong.
	back := s.set(context.WithoutCancel(ctx), true)
	if err := errors.Join(seen, slept, back); err != nil {
		return err
	}
	return s.until(ctx, true, "the power was switched on, and the port did not come back")
}

func (s *Switcher) set(ctx context.Context, on bool) error {
	word := map[bool]string{false: "off", true: "on"}[on]
	switch {
	case s.Uhubctl != nil:
		return execute(ctx, []string{"uhubctl", "--location", s.Uhubctl.Location, "--ports", strconv.Itoa(s.Uhubctl.Port), "--action", word})
	case s.Sysfs != "":
		value := map[bool]string{false: "1", true: "0"}[on]
		if err := os.WriteFile(s.Sysfs, []byte(value), 0); err != nil {
			return fmt.Errorf("power %s: %w", word, err)
		}
		return nil
	case s.HTTP != nil:
		target := s.HTTP.Off
		if on {
			target = s.HTTP.On
		}
		return fetch(ctx, target)
	case s.Command != nil:
		if on {
			return execute(ctx, s.Command.On)
		}
		return execute(ctx, s.Command.Off)
	}
	if s.Prompt == nil {
		return errors.New("power: a person has to do it, and there is none to ask here")
	}
	return s.Prompt(ctx, "switch the power of the hub "+word)
}

func execute(ctx context.Context, argv []string) error {
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("power: %s: %w: %s", strings.Join(argv, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

func fetch(ctx context.Context, target string) error {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return fmt.Errorf("power: %w", err)
	}
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		return fmt.Errorf("power: %w", err)
	}
	defer r.Body.Close() //nolint:errcheck // nothing more is wanted of it
	if r.StatusCode/100 != 2 {
		text, _ := io.ReadAll(io.LimitReader(r.Body, 200)) // for a person; the status says enough
		return fmt.Errorf("power: %s answered %s %s", target, r.Status, text)
	}
	return nil
}

// until waits for the port to be there or not.
func (s *Switcher) until(ctx context.Context, there bool, otherwise string) error {
	if s.Present == nil {
		return nil
	}
	patience := s.Patience
	if patience == 0 {
		patience = 30 * time.Second
	}
	for end := s.Clock.Now().Add(patience); ; {
		is, err := s.Present()
		if err != nil {
			return err
		}
		if is == there {
			return nil
		}
		if !s.Clock.Now().Before(end) {
			return fmt.Errorf("power: %s", otherwise)
		}
		if err := s.Clock.Sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}
