// Package sessiontest has a home for tests of the near side: a hub with meters
// behind it, served by dlms/server on a line in memory, and a clock on which
// nobody really waits. It follows the rules of the devices as far as the gateway
// can see them; the devices themselves are on the far side, which the near side does
// not import.
package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"time"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/security"
	"smets1/dlms/server"
	"smets1/firmware"
	"smets1/gateway/keystore"
	"smets1/internal/clock"
	"smets1/internal/wire"
)

// Start is when tests begin.
var Start = time.Date(2019, 4, 7, 10, 0, 0, 0, time.UTC)

// Clock stands still but for its sleeps, which take no time of the test's.
type Clock struct{ *clock.Stepped }

// NewClock gives a clock at Start.
func NewClock() Clock { return Clock{clock.NewStepped(Start)} }

// Sleep moves the clock on by d.
func (c Clock) Sleep(ctx context.Context, d time.Duration) error {
	c.Advance(d)
	return ctx.Err()
}

// Home is a hub and the devices behind it.
type Home struct {
	Clock Clock

	mu      sync.Mutex
	Hub     *Unit
	Meters  []*Unit
	conns   map[*conn]struct{}
	links   uint64
	asleep  bool
	sms     int
	needSMS int
	dials   int
	drop    int // requests until the line breaks; zero: never
}

// Unit is one device.
type Unit struct {
	Supply Supply // of a meter
	home   *Home
	EUI    wire.EUI64
	Type   firmware.DeviceType
	Born   security.KeySet
	Device server.Device
	Ring   *server.Keyring

	Maker, Model, Version, Serial, MPxN string
	Prepayment                          bool
	Endpoint                            []string

	Silent        bool          // behind the hub: its radio is broken
	CutAtKeyStage bool          // loses power once, after it took new keys
	Ahead         time.Duration // of its clock
	StuckClock    bool          // refuses to be set: stays where it is
	IgnoresPoint  bool          // takes a new endpoint and does not use it
	Activations   int
	Requests      int // AARQs and all else that reached it
	offUntil      time.Time
	reason        string
	bank          server.Bank
}

// Window is how long staged keys wait for their commit.
const Window = 2 * time.Minute

// Reboot is how long a device is away after a power cut or an activation.
const Reboot = 40 * time.Second

// Hardware revision of all units.
const Hardware = 3

// New gives a home with a hub, an electricity and a gas meter, all with keys of
// the owner SMSO.
func New(c Clock) *Home { return newHome(c, "00-DB-12-34-56-78-90-A") }

// Neighbour gives another home like that of New: other EUI-64s, and the very same keys, as a laboratory may have them.
func Neighbour(c Clock) *Home { return newHome(c, "00-DB-12-34-56-79-90-A") }

func newHome(c Clock, eui string) *Home {
	h := &Home{Clock: c, conns: map[*conn]struct{}{}}
	h.Hub = h.unit(wire.MustEUI64(eui+"0"), firmware.Hub, "HUB-1", "")
	h.Meters = []*Unit{
		h.unit(wire.MustEUI64(eui+"1"), firmware.ESME, "EM-1", "1200012345678"),
		h.unit(wire.MustEUI64(eui+"2"), firmware.GSME, "GM-1", "7654321098"),
	}
	return h
}

func (h *Home) unit(eui wire.EUI64, kind firmware.DeviceType, model, mpxn string) *Unit {
	set, err := keystore.Generate(rand.NewChaCha8([32]byte{eui[7]}), "SMSO", 1, Start)
	if err != nil {
		panic(err)
	}
	title, err := security.NewSystemTitle("XYZ", eui[:])
	if err != nil {
		panic(err)
	}
	u := &Unit{
		home: h, EUI: eui, Type: kind, Born: set.Keys, Maker: "X-ACME", Model: model, Version: "1.0", Serial: fmt.Sprintf("S%X", eui[5:]), MPxN: mpxn,
		Endpoint: []string{"smso.example:4059"},
	}
	u.bank = server.Bank{Size: 64, Check: u.check, Install: u.install}
	u.Ring = server.NewKeyring(server.KeyringConfig{Title: title, Keys: set.Keys, Window: Window})
	m, err := u.model()
	if err != nil {
		panic(err)
	}
	u.Device = server.Device{Model: m, State: u, Security: u.Ring, Rand: rand.NewChaCha8([32]byte{eui[7], 1})}
	return u
}

// Handover is the file with which the home's keys come to the gateway.
func (h *Home) Handover() keystore.Handover {
	f := keystore.Handover{Owner: "SMSO"}
	for _, u := range h.All() {
		f.Devices = append(f.Devices, keystore.HandoverDevice{
			EUI: u.EUI, Type: u.Type, Title: u.Ring.SystemTitle(), Version: 1, Keys: u.Born,
		})
	}
	return f
}

// All gives hub and meters.
func (h *Home) All() []*Unit { return append([]*Unit{h.Hub}, h.Meters...) }

// Sleep makes the hub unreachable until so many text messages came; a negative
// number is more than anybody sends.
func (h *Home) Sleep(messages int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asleep, h.needSMS, h.sms = true, messages, 0
	h.hangUp()
}

// Wake implements session.Waker.
func (h *Home) Wake(context.Context, string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sms++
	if h.needSMS >= 0 && h.sms >= h.needSMS {
		h.asleep = false
	}
	return nil
}

// Messages is how many text messages were sent since Sleep.
func (h *Home) Messages() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sms
}

// Dials is how often a line was opened.
func (h *Home) Dials() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.dials
}

// Lines is how many lines are open.
func (h *Home) Lines() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.conns)
}

// BreakAfter makes the line break, once, before the answer to the nth request from
// now.
func (h *Home) BreakAfter(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drop = n
}

// HangUp breaks all lines.
func (h *Home) HangUp() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hangUp()
}

func (h *Home) hangUp() {
	for c := range h.conns {
		_ = c.Close()
		c.stream.Close()
		delete(h.conns, c)
	}
}

// Do runs f while no request is served.
func (h *Home) Do(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
}

type conn struct {
	io.ReadWriteCloser
	stream framing
}

// framing is server.Stream or server.Line.
type framing interface {
	Input(now time.Time, b []byte)
	Output() []byte
	Close()
}

// Open implements session.Opener for the wrapper.
func (h *Home) Open(context.Context, string) (io.ReadWriteCloser, error) {
	return h.open(func() framing {
		return server.NewStream(server.StreamConfig{Host: server.Devices{&h.Hub.Device}, Forward: h, Link: h.links})
	})
}

// OpenHDLC implements session.Opener for HDLC.
func (h *Home) OpenHDLC(context.Context, string) (io.ReadWriteCloser, error) { return h.open(h.line) }

func (h *Home) line() framing {
	return server.NewLine(server.LineConfig{Host: server.Devices{&h.Hub.Device}, Forward: h, Link: h.links})
}

func (h *Home) open(make func() framing) (io.ReadWriteCloser, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dials++
	if h.asleep || h.Hub.off(h.Clock.Now()) {
		return nil, fmt.Errorf("connection refused: %w", os.ErrNotExist)
	}
	near, far := net.Pipe()
	h.attach(far, make)
	return near, nil
}

// Attach serves HDLC on the far end of a cable.
func (h *Home) Attach(cable io.ReadWriteCloser) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.attach(cable, h.line)
}

func (h *Home) attach(far io.ReadWriteCloser, make func() framing) {
	h.links++
	c := &conn{far, make()}
	h.conns[c] = struct{}{}
	go h.serve(c)
}

func (h *Home) serve(c *conn) {
	buf := make([]byte, 4096)
	for {
		n, err := c.Read(buf)
		if err != nil {
			h.Do(func() { delete(h.conns, c) })
			return
		}
		out, ok := h.input(c, buf[:n])
		if !ok {
			return
		}
		if len(out) > 0 {
			if _, err := c.Write(out); err != nil {
				return
			}
		}
	}
}

func (h *Home) input(c *conn, b []byte) (out []byte, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, open := h.conns[c]; !open {
		return nil, false
	}
	if h.drop > 0 {
		if h.drop--; h.drop == 0 {
			c.stream.Input(h.Clock.Now(), b) // it arrives; the answer does not
			h.hangUp()
			return nil, false
		}
	}
	h.Clock.Advance(100 * time.Millisecond)
	now := h.Clock.Now()
	if h.Hub.off(now) {
		h.hangUp()
		return nil, false
	}
	h.Hub.Requests++
	c.stream.Input(now, b)
	out = append(out, c.stream.Output()...)
	if h.Hub.after(now) {
		// Its last answer leaves, then the line is dead.
		_, _ = c.Write(out)
		h.hangUp()
		return nil, false
	}
	return out, true
}

// Forward implements server.Forwarder: the way to the meters.
func (h *Home) Forward(now time.Time, r server.Forwarded) {
	reply := []byte("\xD8\x02\x01")
	for _, u := range h.Meters {
		if u.EUI != wire.EUI64(r.Address) {
			continue
		}
		if u.Silent || u.off(now) {
			h.Clock.Advance(20 * time.Second)
			reply = []byte("\xD8\x01\x03")
			break
		}
		u.Requests++
		reply = u.Device.Serve(now, server.Peer{Link: 1, Client: r.Client, Single: true}, r.APDU, nil)
		u.after(now)
	}
	_ = r.From.Reply(now, r.Token, reply)
}

func (u *Unit) off(now time.Time) bool { return now.Before(u.offUntil) }

// after does what follows a request; true if the unit lost its power.
func (u *Unit) after(now time.Time) bool {
	if state, _, _ := u.Ring.Change(now); u.CutAtKeyStage && state == server.ChangeStaged {
		u.CutAtKeyStage = false
		u.PowerCut()
	}
	return u.off(now)
}

// PowerCut takes the power away for Reboot.
func (u *Unit) PowerCut() {
	u.offUntil = u.home.Clock.Now().Add(Reboot)
	u.Ring.PowerCut()
	u.Device.DropAll()
}

func (u *Unit) check(_ time.Time, id, image []byte) (server.ImageInfo, error) {
	m, err := firmware.Check(image, firmware.Device{
		Type: u.Type, Manufacturer: u.Maker, Model: u.Model, Hardware: Hardware, Version: u.Version, Signers: firmware.SimulatorSigners(),
	})
	if err != nil {
		u.reason = err.Error()
		return server.ImageInfo{}, err
	}
	return server.ImageInfo{Size: uint32(len(image)), Identification: id, Signature: m.Signature[:]}, nil
}

func (u *Unit) install(_ time.Time, image []byte) error {
	m, _, err := firmware.ParseImage(image)
	if err != nil {
		return err
	}
	u.Version = m.Version
	u.Activations++
	u.offUntil = u.home.Clock.Now().Add(Reboot)
	return nil
}

// Release makes a signed image for the unit.
func (u *Unit) Release(version string, size int) []byte {
	b, err := firmware.SimulatedRelease(firmware.Header{
		Type: u.Type, Manufacturer: u.Maker, Model: u.Model, HardwareTo: 9, Version: version,
	}, size)
	if err != nil {
		panic(err)
	}
	return b
}

func (u *Unit) model() (*server.Model, error) {
	public := server.Rights{server.Read, server.Read}
	private := server.Rights{0, server.Read}
	managed := server.Rights{0, server.ReadWrite}
	policy, err := security.PolicyV0(3)
	if err != nil {
		return nil, err
	}
	text := func(name string, get func() string) server.Object {
		return server.Data(cosem.MustOBIS(name), server.Value{Access: private, Get: server.Text(func(*server.Call) string { return get() })})
	}
	version := "1-0:0.2.0.255"
	if u.Type == firmware.Hub {
		version = "0-0:0.2.0.255"
	}
	keyChange := server.KeyChange(managed)
	keyChange.Instance = cosem.MustOBIS("0-0:128.43.0.255")
	objects := []server.Object{
		server.LogicalDeviceName(public, func(*server.Call) string { return "XYZ" + u.Model }),
		text("0-0:96.1.0.255", func() string { return u.Serial }),
		text("0-0:96.1.1.255", func() string { return u.Maker }),
		text("0-0:96.1.2.255", func() string { return u.Model }),
		text("0-0:96.1.3.255", func() string { return fmt.Sprint(Hardware) }),
		text(version, func() string { return u.Version }),
		text("0-0:128.44.0.255", func() string { return u.reason }),
		server.Data(cosem.MustOBIS("0-0:96.1.4.255"), server.Value{Access: private, Get: server.Octets(func(*server.Call) []byte { return u.EUI[:] })}),
		server.Clock(cosem.Clock, server.ClockConfig{
			Access: server.Rights{server.Read, server.ReadWrite},
			Time:   func(c *server.Call) axdr.DateTime { return axdr.DateTimeOf(c.Now.Add(u.Ahead)) },
			SetTime: func(c *server.Call, d axdr.DateTime) error {
				t, err := d.In(time.UTC)
				if err != nil {
					return err
				}
				if !u.StuckClock {
					u.Ahead = t.Sub(c.Now)
				}
				return nil
			},
			Shift: func(_ *server.Call, d time.Duration) error { u.Ahead += d; return nil },
		}),
		server.SecuritySetup(cosem.SecuritySetup, managed),
		keyChange,
		server.InvocationCounter(0, public, func(*server.Call) uint32 { return u.Ring.RxHighest() }),
		server.ImageTransfer(managed, func(*server.Call) server.ImageBank { return &u.bank }),
	}
	if u.Type == firmware.Hub {
		objects = append(objects,
			server.AutoConnect(cosem.MustOBIS("0-0:2.1.0.255"), server.AutoConnectConfig{
				Access: managed, Mode: 1,
				Destinations: func(*server.Call) []string { return u.Endpoint },
				SetDestinations: func(_ *server.Call, list []string) error {
					if !u.IgnoresPoint {
						u.Endpoint = list
					}
					return nil
				},
			}),
			server.Data(cosem.MustOBIS("0-0:128.96.0.255"), server.Value{Access: private, Get: func(_ *server.Call, dst []byte) ([]byte, error) {
				dst = axdr.AppendArrayHeader(dst, len(u.home.Meters))
				for _, m := range u.home.Meters {
					dst = axdr.AppendStructureHeader(dst, 3)
					dst = axdr.AppendOctetString(dst, m.EUI[:])
					dst = axdr.AppendEnum(dst, uint8(m.Type))
					dst = axdr.AppendOctetString(dst, []byte(m.Model))
				}
				return dst, nil
			}}))
	} else {
		reading := cosem.MustOBIS("1-0:1.8.0.255")
		objects = append(objects,
			server.Data(cosem.MustOBIS("0-0:94.44.34.11"), server.Value{
				Type: axdr.TagOctetString, Access: managed, Get: server.Text(func(*server.Call) string { return u.MPxN }),
				Set: server.SetOctets(func(_ *server.Call, v []byte) error {
					if len(v) == 0 {
						return cosem.TypeUnmatched
					}
					u.MPxN = string(v)
					return nil
				}),
			}),
			server.Data(cosem.MustOBIS("0-0:94.44.35.0"), server.Value{Access: private, Get: server.Enum(func(*server.Call) uint8 {
				if u.Prepayment {
					return 2
				}
				return 1
			})}),
			server.DisconnectControl(cosem.MustOBIS("0-0:96.3.10.255"), managed, func(*server.Call) server.Disconnector { return &u.Supply }),
			server.Register(reading, server.Value{Access: private, Get: server.Uint32(func(*server.Call) uint32 { return 12345 })},
				server.ScalerUnit{Scaler: -1, Unit: cosem.UnitWattHour}, server.Method{}),
			server.Profile(cosem.MustOBIS("1-0:99.1.0.255"), server.ProfileConfig{
				Access: private, Period: 30 * time.Minute, Capacity: 48,
				Columns: []server.Column{
					{Attribute: cosem.Attribute{Class: cosem.ClassClock, Instance: cosem.Clock, ID: 2}},
					{Attribute: cosem.Attribute{Class: cosem.ClassRegister, Instance: reading, ID: 2}},
				},
				Rows: func(*server.Call) server.Rows { return rows{} },
			}))
	}
	return server.NewModel(server.Config{
		Name: u.Model,
		Associations: []server.Association{
			{Name: "public", Client: 0x10, Mechanism: security.MechanismNone, Plain: true},
			{Name: "management", Client: 1, Mechanism: security.MechanismGMAC, Ciphered: true, Policy: policy, SecuritySetup: cosem.SecuritySetup},
		},
		Objects: objects,
	})
}

// rows are the half hours of the day before Start.
type rows struct{}

func (rows) Len(*server.Call) int { return 48 }

func (rows) Time(_ *server.Call, i int) time.Time {
	return Start.Add(-24*time.Hour + time.Duration(i+1)*30*time.Minute)
}

func (r rows) Append(c *server.Call, i, column int, dst []byte) ([]byte, error) {
	switch column {
	case 0:
		return axdr.AppendDateTime(dst, axdr.DateTimeOf(r.Time(c, i))), nil
	case 1:
		return axdr.AppendUint32(dst, uint32(100*i)), nil
	}
	return dst, errors.New("no such column")
}

// Supply is the switch of a meter; the zero value is on.
type Supply struct{ Off bool }

// Output implements server.Disconnector.
func (s *Supply) Output() bool { return !s.Off }

// State implements server.Disconnector.
func (s *Supply) State() uint8 {
	if s.Off {
		return 0
	}
	return 1
}

// Mode implements server.Disconnector.
func (s *Supply) Mode() uint8 { return 4 }

// SetMode implements server.Disconnector: it has one mode.
func (s *Supply) SetMode(time.Time, uint8) error { return cosem.ReadWriteDenied }

// Disconnect implements server.Disconnector.
func (s *Supply) Disconnect(time.Time) error {
	s.Off = true
	return nil
}

// Reconnect implements server.Disconnector.
func (s *Supply) Reconnect(time.Time) error {
	s.Off = false
	return nil
}
