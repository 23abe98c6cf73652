package session

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"smets1/device/profile"
	"smets1/dlms/security"
	"smets1/firmware"
	"smets1/gateway/keystore"
	"smets1/internal/clock"
	"smets1/internal/wire"
)

// Hub says how to reach a hub and what is behind it.
type Hub struct {
	EUI wire.EUI64
	// Address leads to the hub: tcp://host:port for the wrapper,
	// tcp+hdlc://host:port for HDLC over TCP, serial:///dev/…?baud=9600 for HDLC
	// over a serial line.
	Address string
	// Wake is what it takes to make the hub answer. Empty means none.
	Wake profile.Wake
	// MSISDN is where text messages go that wake it.
	MSISDN string
	// Profile names the device set, for addresses and sizes. Empty means the
	// common ones.
	Profile string
	// Devices are those behind the hub.
	Devices []Device
}

// Device is a device behind a hub.
type Device struct {
	EUI   wire.EUI64
	Type  firmware.DeviceType
	Model string
}

// Waker sends the text messages that wake hubs.
type Waker interface {
	// Wake sends one message. It returns when the message is on its way; when
	// it arrives, nobody tells.
	Wake(ctx context.Context, msisdn string) error
}

// Opener opens the line to an address. What it returns may be a net.Conn, a
// serial port or anything else with octets in order.
type Opener func(ctx context.Context, address string) (io.ReadWriteCloser, error)

// Config is what sessions have in common.
type Config struct {
	// Keys has the keys of all devices.
	Keys *keystore.Store
	// Title is the gateway's own system title.
	Title security.SystemTitle
	// Profiles are where Hub.Profile is looked up.
	Profiles profile.Set
	// Clock stamps and waits. Nil means the machine's.
	Clock clock.Clock
	// Waker sends text messages. Nil means that sleeping hubs stay asleep.
	Waker Waker
	// Openers by scheme of the address, in addition to tcp, tcp+hdlc and serial, or in their
	// place.
	Openers map[string]Opener
	// Random gives the challenges of associations. Nil means the machine's; a source that repeats makes a recorded
	// conversation repeat.
	Random io.Reader
	// Tap, if not nil, is put around each line, to record it.
	Tap func(hub wire.EUI64, address string, line io.ReadWriteCloser) io.ReadWriteCloser
	// Viability is how long to try to reach a hub. Zero means 2 hours.
	Viability time.Duration
	// Retry is the wait before the second attempt to reach a hub; it doubles up to
	// a minute. Zero means 5 s.
	Retry time.Duration
	// Resend is the wait before the text messages are sent again; it doubles,
	// since they cost and have a quota. Zero means 3 minutes.
	Resend time.Duration
	// Timeout is how long a hub may take to answer. Zero means 30 s. A device
	// behind it has the HAN timeout in addition.
	Timeout time.Duration
	// Idle is how long an unused line stays open. Zero means a minute, less
	// than zero closes it at once.
	Idle time.Duration
	// Log gets what an operator may want to know. Nil means nothing.
	Log *slog.Logger
}

func (c Config) withDefaults() (Config, error) {
	if c.Keys == nil {
		return c, fmt.Errorf("session: Config needs Keys")
	}
	if c.Title.IsZero() {
		return c, fmt.Errorf("session: Config needs a Title: the gateway's system title")
	}
	if c.Clock == nil {
		c.Clock = clock.Real()
	}
	set := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
	}
	set(&c.Viability, 2*time.Hour)
	set(&c.Retry, 5*time.Second)
	set(&c.Resend, 3*time.Minute)
	set(&c.Timeout, 30*time.Second)
	set(&c.Idle, time.Minute)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// addressing is what a profile says about a device's addresses.
type addressing struct {
	public, management uint16
	logical            uint16
	hanTimeout         time.Duration
}

func (c *Config) addressing(h *Hub, eui wire.EUI64) (addressing, error) {
	a := addressing{public: 0x10, management: 0x01, logical: 1, hanTimeout: 20 * time.Second}
	if h.Profile == "" {
		return a, nil
	}
	p, ok := c.Profiles.Get(h.Profile)
	if !ok {
		return a, fmt.Errorf("session: hub %s: there is no device profile %q: correct the hub's entry or load the profile", h.EUI, h.Profile)
	}
	a.hanTimeout = p.HAN.Timeout
	d := &p.Hub
	for _, behind := range h.Devices {
		if behind.EUI != eui {
			continue
		}
		switch {
		case behind.Type == firmware.ESME:
			d = &p.ESME
		case behind.Type == firmware.GSME && p.GSME != nil:
			d = p.GSME
		case behind.Type == firmware.IHD && p.IHD != nil:
			d = p.IHD
		}
	}
	if d.DLMS.LogicalDevice != 0 {
		a.logical, a.public, a.management = d.DLMS.LogicalDevice, d.DLMS.Clients.Public, d.DLMS.Clients.Management
	}
	return a, nil
}
