package fleet

import (
	"bytes"
	"context"
	"math/rand"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/device/core"
	"smets1/device/profile"
	"smets1/dlms/client"
	"smets1/dlms/cosem"
	"smets1/dlms/hdlc"
	"smets1/dlms/security"
	"smets1/internal/clock"
	"smets1/internal/wire"
	"smets1/transport/serial"
)

const demoFile = "../../testdata/migration/demo/fleet.yaml"

func demo(t testing.TB) *Manifest {
	t.Helper()
	m, err := LoadManifest(demoFile)
	require.NoError(t, err)
	return m
}

// world is a fleet on a stepped clock. The clock goes by itself to what is due in the
// next half minute: frames on the HAN, messages, time-outs. Restarts and windows are for
// the test to await.
type world struct {
	t     *testing.T
	m     *Manifest
	clock *clock.Stepped
	nv    core.NV
	last  *client.Wrapper
	*Fleet
}

func open(t *testing.T, m *Manifest, o Options) *world {
	t.Helper()
	w := &world{t: t, m: m, clock: clock.NewStepped(m.start), nv: o.NV}
	o.Clock = w.clock
	if o.NV == nil {
		w.nv = &core.Memory{}
		o.NV = w.nv
	}
	f, err := Open(t.Context(), m, o)
	require.NoError(t, err)
	w.Fleet = f
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(100 * time.Microsecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				now := w.clock.Now()
				if at, ok := w.clock.Next(); ok && at.Sub(now) < 30*time.Second {
					w.clock.Advance(at.Sub(now))
				}
			}
		}
	}()
	t.Cleanup(func() { close(done); <-stopped; require.NoError(t, f.Close()) })
	return w
}

// restart is a kill -9: the fleet ends without a word, another starts on what is durable.
func (w *world) restart(o Options) *world {
	w.t.Helper()
	o.NV = w.nv
	n := open(w.t, w.m, o)
	n.clock.Advance(w.clock.Now().Sub(n.clock.Now()))
	return n
}

// wake sends the messages that a home's hub needs.
func (w *world) wake(name string) {
	w.t.Helper()
	e := w.named(name)
	for range map[string]int{"none": 0, "sms": 1, "smsx2": 2}[e.WakeUp] {
		require.NoError(w.t, w.SMS(w.t.Context(), e.MSISDN))
	}
	require.Eventually(w.t, func() bool {
		s, err := w.Status(name)
		return err == nil && s.Awake
	}, 5*time.Second, time.Millisecond)
}

func (w *world) named(name string) Entry {
	w.t.Helper()
	for e := range w.Inventory() {
		if e.Name == name {
			return e
		}
	}
	w.t.Fatalf("no home %s", name)
	return Entry{}
}

// link opens the way to a device of a home: "hub", "esme" or "gsme". It ends the
// connection of the link before.
func (w *world) link(name, device string, sap uint16) client.Link {
	w.t.Helper()
	nc, err := w.Dial(name)
	require.NoError(w.t, err)
	return w.over(nc, name, device, sap)
}

func (w *world) over(nc net.Conn, name, device string, sap uint16) client.Link {
	if w.last != nil {
		_ = w.last.Close()
	}
	wr := client.NewWrapper(nc)
	w.last = wr
	w.t.Cleanup(func() { _ = wr.Close() })
	l := wr.Link(sap, 1)
	if device == "hub" {
		return l
	}
	e := w.device(name, device).EUI
	return client.Behind(l, 1, e[:])
}

func (w *world) device(name, device string) EntryDevice {
	w.t.Helper()
	if device == "hub" {
		device = "chf"
	}
	for _, d := range w.named(name).Devices {
		if d.Type == device {
			return d
		}
	}
	w.t.Fatalf("no %s in %s", device, name)
	return EntryDevice{}
}

var clientTitle = security.SystemTitle{'X', 'X', 'X', 0, 0, 0, 0, 1}

func (w *world) associate(l client.Link, keys security.KeySet, c client.Counter) (*client.Client, error) {
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	return client.Associate(ctx, l, client.Config{
		Mechanism: security.MechanismGMAC, Keys: keys, SystemTitle: clientTitle, Counter: c,
	})
}

func (w *world) manage(name, device string, c client.Counter) *client.Client {
	w.t.Helper()
	cl, err := w.associate(w.link(name, device, 1), w.m.keys(w.device(name, device).EUI), c)
	require.NoError(w.t, err)
	return cl
}

func TestDemoManifest(t *testing.T) {
	m := demo(t)
	require.GreaterOrEqual(t, m.Len(), 24)
	f, err := Open(t.Context(), m, Options{Clock: clock.NewStepped(m.start), PTYDir: t.TempDir()})
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	seen := map[string]int{}
	unique := map[string]string{}
	for e := range f.Inventory() {
		seen[e.Cohort]++
		seen[e.WakeUp]++
		for _, s := range []string{e.Name, e.Address, e.ICCID, e.IMSI, e.MSISDN} {
			require.Empty(t, unique[s], "%s twice", s)
			unique[s] = e.Name
		}
		if len(e.Devices) == 3 {
			seen["electricity only"]++
		}
		for _, d := range e.Devices {
			seen[d.Status]++
			seen[d.Payment]++
			for _, s := range []string{d.EUI.String(), d.Type + d.Serial, d.MPxN, d.ExportMPAN} {
				require.Empty(t, unique[s], "%s twice", s)
				if s != "" {
					unique[s] = e.Name
				}
			}
			got, err := f.Entry(d.EUI)
			require.NoError(t, err)
			require.Equal(t, e, got)
			if d.Type == "esme" {
				require.Len(t, d.MPxN, 13)
				require.Equal(t, d.MPxN, mpanOf(mustUint(t, d.MPxN[2:12]), uint32(mustUint(t, d.MPxN[:2]))-10))
			}
			if d.Type == "gsme" {
				require.Regexp(t, `^[1-9]\d{9}$`, d.MPxN)
			}
		}
		i, ok := m.findSubscriber(e.MSISDN)
		require.True(t, ok)
		require.Equal(t, e.Name, m.spec(i).name)
	}
	for _, k := range []string{"IOC", "MOC", "FOC", "none", "sms", "smsx2", "electricity only", "active", "dormant", "credit", "prepayment"} {
		require.NotZero(t, seen[k], k)
	}
	require.True(t, strings.HasPrefix(f.entry(0).Address, "serial:///"), f.entry(0).Address)
	require.Equal(t, "tcp://127.83.0.2:4059", f.entry(1).Address)
	_, err = f.Entry(wire.MustEUI64("00-DB-12-34-FF-FF-FF-FF"))
	require.ErrorIs(t, err, ErrNoHome)
	require.ErrorIs(t, f.SMS(t.Context(), "+447700900000"), ErrNoHome)
	_, err = f.Dial("nobody")
	require.ErrorIs(t, err, ErrNoHome)
}

func mustUint(t *testing.T, s string) uint64 {
	t.Helper()
	var n uint64
	for _, c := range s {
		require.True(t, c >= '0' && c <= '9', s)
		n = n*10 + uint64(c-'0')
	}
	return n
}

// The same manifest gives the same homes; another seed gives others; more homes leave
// those there were as they are.
func TestDeterminism(t *testing.T) {
	dump := func(m *Manifest) (string, map[string]Entry) {
		f, err := Open(t.Context(), m, Options{Clock: clock.NewStepped(m.start)})
		require.NoError(t, err)
		defer func() { require.NoError(t, f.Close()) }()
		var b bytes.Buffer
		require.NoError(t, f.Handover(&b, "SMSO"))
		all := map[string]Entry{}
		for e := range f.Inventory() {
			all[e.Name] = e
			h, err := f.byName(e.Name)
			require.NoError(t, err)
			for _, u := range h.units() {
				b.Write(u.Record())
			}
			b.WriteString(h.esme.MPxN())
		}
		return b.String(), all
	}
	a, homes := dump(demo(t))
	b, _ := dump(demo(t))
	require.Equal(t, a, b)

	other := demo(t)
	other.Seed++
	c, _ := dump(other)
	require.NotEqual(t, a, c)

	grown := demo(t)
	require.NoError(t, grown.Resize(300))
	require.Equal(t, 300, grown.Len())
	_, more := dump(grown)
	require.Len(t, more, 300)
	for name, e := range homes {
		for i, d := range e.Devices[:2] {
			require.Equal(t, d.EUI, more[name].Devices[i].EUI, name)
			require.Equal(t, d.MPxN, more[name].Devices[i].MPxN, name)
		}
	}
	small := demo(t)
	require.NoError(t, small.Resize(len(small.Homes)))
	require.Error(t, small.Resize(3))
	require.Error(t, small.Resize(40), "nothing is left to grow")
}

// The same requests get the same answers, octet for octet: challenges, counters and
// ciphertext follow from the seed too.
func TestSameBytesOnTheWire(t *testing.T) {
	said := func() string {
		var b bytes.Buffer
		w := open(t, demo(t), Options{Tap: func(_ string, toHub bool, p []byte) {
			if !toHub {
				b.Write(p)
			}
		}})
		e := w.device("foc-clock-off", "hub").EUI
		cl, err := client.Associate(t.Context(), w.link("foc-clock-off", "hub", 1), client.Config{
			Mechanism: security.MechanismGMAC, Keys: w.m.keys(e), SystemTitle: clientTitle, Random: rand.New(rand.NewSource(1)),
		})
		require.NoError(t, err)
		_, _, err = cl.Clock(t.Context())
		require.NoError(t, err)
		require.NoError(t, w.Close())
		return b.String()
	}
	first := said()
	require.Greater(t, len(first), 100)
	require.Equal(t, first, said())
}

// A mix is dealt to within one home, and fields are dealt independently.
func TestMixIsDealtExactly(t *testing.T) {
	m := demo(t)
	require.NoError(t, m.Resize(1010))
	n, pre, both := 0, 0, 0
	dormant := 0
	for i := len(m.Homes); i < m.Len(); i++ {
		s := m.spec(i)
		if s.cohort != "moc" {
			continue
		}
		n++
		if s.prepay {
			pre++
		}
		if s.status == "dormant" {
			dormant++
		}
		if s.prepay && s.status == "dormant" {
			both++
		}
	}
	require.InDelta(t, float64(n)/3, pre, 1)
	require.InDelta(t, float64(n)/3, dormant, 1)
	require.Greater(t, both, 0)
	require.Less(t, both, pre)
}

func TestHandover(t *testing.T) {
	m := demo(t)
	f, err := Open(t.Context(), m, Options{Clock: clock.NewStepped(m.start)})
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	var b bytes.Buffer
	require.NoError(t, f.Handover(&b, "SMSO"))
	require.Contains(t, b.String(), `"format": "smets1-key-handover/1"`)
	i, _ := m.find("moc-wrong-key")
	s := m.spec(i)
	for role := range uint32(3) {
		e := s.eui(role)
		right := m.keys(e).GUEK.Reveal()
		if role == roleESME {
			require.NotContains(t, b.String(), hexOf(right))
			wrong := m.wrongKey(e)
			require.Contains(t, b.String(), hexOf(wrong.Reveal()))
		} else if role == roleHub || s.gas {
			require.Contains(t, b.String(), hexOf(right))
		}
	}
}

func hexOf(b []byte) string {
	const digits = "0123456789abcdef"
	var s strings.Builder
	for _, x := range b {
		s.WriteByte(digits[x>>4])
		s.WriteByte(digits[x&15])
	}
	return s.String()
}

func TestSMSWakesAHub(t *testing.T) {
	w := open(t, demo(t), Options{})
	name := "moc-prepayment"
	dead := func() {
		t.Helper()
		nc, err := w.Dial(name)
		require.NoError(t, err)
		n, err := nc.Read(make([]byte, 1))
		require.Zero(t, n)
		require.Error(t, err)
	}
	dead()
	require.NoError(t, w.SMS(t.Context(), w.named(name).MSISDN))
	require.Eventually(t, func() bool {
		s, err := w.Status(name)
		return err == nil && s.Messages == 1
	}, 5*time.Second, time.Millisecond)
	dead() // one is not enough
	require.NoError(t, w.SMS(t.Context(), "+"+w.named(name).MSISDN))
	require.Eventually(t, func() bool {
		s, err := w.Status(name)
		return err == nil && s.Awake
	}, 5*time.Second, time.Millisecond)
	require.Equal(t, 40*time.Second, w.clock.Now().Sub(w.m.start), "each takes the delay of the profile")
	l := w.link(name, "hub", 0x10)
	cl, err := client.Associate(t.Context(), l, client.Config{})
	require.NoError(t, err)
	_, _, err = cl.Clock(t.Context())
	require.NoError(t, err)
	p, _ := w.m.profiles.Get("moc-secure")
	w.clock.Advance(p.WAN.OnlineWindow) // nothing heard: it goes, and the connection with it
	_, _, err = cl.Clock(t.Context())
	require.Error(t, err)
	dead()

	require.NoError(t, w.SMS(t.Context(), w.named("ioc-no-wan").MSISDN))
	w.clock.Advance(time.Minute)
	s, err := w.Status("ioc-no-wan")
	require.NoError(t, err)
	require.False(t, s.Awake)
}

// Through the hub to both meters, with ciphering, and what the public client may see.
func TestGatewayToBothMeters(t *testing.T) {
	w := open(t, demo(t), Options{})
	const name = "foc-clock-off"
	ctx := t.Context()
	for _, device := range []string{"hub", "esme", "gsme"} {
		d := w.device(name, device)
		pub, err := client.Associate(ctx, w.link(name, device, 0x10), client.Config{})
		require.NoError(t, err, device)
		ldn, err := pub.GetString(ctx, cosem.Attribute{Class: cosem.ClassData, Instance: cosem.OBIS{0, 0, 42, 0, 0, 255}, ID: 2})
		require.NoError(t, err)
		require.Len(t, ldn, 16)
		at, _, err := pub.Clock(ctx)
		require.NoError(t, err)
		require.InDelta(t, -95, at.Sub(w.clock.Now()).Seconds(), 1.1, device)
		_, err = pub.GetString(ctx, cosem.Attribute{Class: cosem.ClassData, Instance: core.SerialName, ID: 2})
		require.Error(t, err, "the public client sees no serial number")

		cl := w.manage(name, device, client.CountFrom(1))
		fw := core.MeterFirmware
		if device == "hub" {
			fw = core.HubFirmware
		}
		for obis, want := range map[cosem.OBIS]string{
			core.SerialName: d.Serial, core.ManufacturerName: d.Manufacturer, core.ModelName: d.Model, fw: d.Firmware,
		} {
			got, err := cl.GetString(ctx, cosem.Attribute{Class: cosem.ClassData, Instance: obis, ID: 2})
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
		eui, err := cl.GetBytes(ctx, cosem.Attribute{Class: cosem.ClassData, Instance: core.EUIName, ID: 2})
		require.NoError(t, err)
		require.Equal(t, d.EUI[:], eui)
		if device != "hub" {
			got, err := cl.GetString(ctx, cosem.Attribute{Class: cosem.ClassData, Instance: core.MPxNName, ID: 2})
			require.NoError(t, err)
			require.Equal(t, d.MPxN, got)
		}
		require.NoError(t, cl.SetClock(ctx, w.clock.Now()))
		at, _, err = cl.Clock(ctx)
		require.NoError(t, err)
		require.InDelta(t, 0, at.Sub(w.clock.Now()).Seconds(), 1.1, device)
		require.NoError(t, cl.Release(ctx))
		highest, err := client.ReadCounter(ctx, w.link(name, device, 0x10), cosem.OBIS{0, 0, 43, 1, 0, 255}, client.Config{})
		require.NoError(t, err)
		require.Equal(t, cl.LastCounter(), highest)
	}
}

func TestHANFailures(t *testing.T) {
	w := open(t, demo(t), Options{})
	name := "moc-gas-silent"
	w.wake(name)
	before := w.clock.Now()
	_, err := client.Associate(t.Context(), w.link(name, "gsme", 0x10), client.Config{})
	require.ErrorContains(t, err, "service-not-allowed, other-reason")
	require.Equal(t, 20*time.Second, w.clock.Now().Sub(before), "the HAN timeout of the profile")
	_, err = client.Associate(t.Context(), w.link(name, "esme", 0x10), client.Config{})
	require.NoError(t, err)

	nc, err := w.Dial(name)
	require.NoError(t, err)
	raw := func(address string) string {
		req := append([]byte{0, 1, 0, 0x10, 0, 1, 0, 14, 0xE6, 1, 8}, address...)
		_, err := nc.Write(append(req, 0xC0, 0x01, 0xC1)[:8+14])
		require.NoError(t, err)
		b := make([]byte, 64)
		n, err := nc.Read(b)
		require.NoError(t, err)
		return hexOf(b[:n])
	}
	require.Equal(t, "000100010010000ee701084142434445464748d80201", raw("ABCDEFGH"), "nobody has this address")
	gas := w.device(name, "gsme").EUI
	require.Equal(t, "000100010010000ee70108"+hexOf(gas[:])+"d80103", raw(string(gas[:])))
	_ = nc.Close()
}

func TestSerialLineOnAPTY(t *testing.T) {
	dir := t.TempDir()
	w := open(t, demo(t), Options{PTYDir: dir})
	require.FileExists(t, filepath.Join(dir, "ioc-serial.tty"))
	require.Equal(t, "serial://"+dir+"/ioc-serial.tty?baud=9600&mode=8N1", w.named("ioc-serial").Address)

	port, err := serial.OpenURL(w.named("ioc-serial").Address)
	require.NoError(t, err)
	line := client.NewHDLC(port, hdlc.ClientConfig{}, nil)
	defer func() { require.NoError(t, line.Close()) }()
	// A cable does not sleep: no message is needed.
	for _, device := range []string{"hub", "esme"} {
		l, err := line.Link(hdlc.Address{Upper: 1, Size: 1}, hdlc.Address{Upper: 1, Size: 1})
		require.NoError(t, err)
		e := w.device("ioc-serial", device).EUI
		over := l
		if device != "hub" {
			over = client.Behind(l, 1, e[:])
		}
		cl, err := w.associate(over, w.m.keys(e), client.CountFrom(1))
		require.NoError(t, err, device)
		got, err := cl.GetString(t.Context(), cosem.Attribute{Class: cosem.ClassData, Instance: core.SerialName, ID: 2})
		require.NoError(t, err)
		require.Equal(t, w.device("ioc-serial", device).Serial, got)
		require.NoError(t, l.Close())
	}
}

func TestProfilesOfTheRepositoryAreUsed(t *testing.T) {
	m := demo(t)
	for _, n := range []string{"ioc-dlms", "moc-secure", "foc-mesh"} {
		p, ok := m.profiles.Get(n)
		require.True(t, ok)
		require.NotEqual(t, profile.Cohort(""), p.Cohort)
	}
}
