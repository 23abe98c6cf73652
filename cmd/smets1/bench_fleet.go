package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"smets1/cmd/internal/lab"
	"smets1/device/fleet"
	"smets1/dlms/axdr"
	"smets1/dlms/client"
	"smets1/dlms/cosem"
	"smets1/dlms/security"
	"smets1/firmware"
	"smets1/gateway/broker"
	"smets1/gateway/keystore"
	"smets1/gateway/topic"
	"smets1/internal/clock"
	"smets1/internal/wire"
	"smets1/migration/engine"
)

// What is asked of hubs: anybody may read the name, the management client the rest.
var (
	benchName     = cosem.Attribute{Class: cosem.ClassData, Instance: cosem.OBIS{0, 0, 42, 0, 0, 255}, ID: 2}
	benchSerial   = cosem.Attribute{Class: cosem.ClassData, Instance: cosem.OBIS{0, 0, 96, 1, 0, 255}, ID: 2}
	benchEndpoint = cosem.Attribute{Class: cosem.ClassAutoConnect, Instance: cosem.OBIS{0, 0, 2, 1, 0, 255}, ID: 6}
	benchTitle    = security.SystemTitle{'B', 'E', 'N', 0, 0, 0, 0, 1}
)

// benchHub is a hub that clients talk to.
type benchHub struct {
	name    string
	address string
	eui     wire.EUI64
	keys    security.KeySet
}

// benchHubs gives hubs of a fleet of any size with their keys, which a smaller fleet has
// the same.
func benchHubs(ctx context.Context, f *fleet.Fleet, n int) ([]benchHub, error) {
	m, err := benchManifest(n, false, true)
	if err != nil {
		return nil, err
	}
	small, err := fleet.Open(ctx, m, fleet.Options{Shards: 1})
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := errors.Join(small.Handover(&b, "bench"), small.Close()); err != nil {
		return nil, err
	}
	h, err := keystore.ParseHandover(b.Bytes())
	if err != nil {
		return nil, err
	}
	keys := map[wire.EUI64]security.KeySet{}
	for _, d := range h.Devices {
		keys[d.EUI] = d.Keys
	}
	var hubs []benchHub
	for e := range f.Inventory() {
		hubs = append(hubs, benchHub{e.Name, strings.TrimPrefix(e.Address, "tcp://"), e.Devices[0].EUI, keys[e.Devices[0].EUI]})
		if len(hubs) == n {
			break
		}
	}
	return hubs, nil
}

// benchClient is a connection with an association.
type benchClient struct {
	*client.Client
	wrapper *client.Wrapper
}

var benchCounter atomic.Uint32 // of all clients, so that none repeats one

func (h *benchHub) dial(ctx context.Context, gateway string, ciphered bool) (*benchClient, error) {
	address := h.address
	if gateway != "" {
		address = gateway
	}
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	c := &benchClient{wrapper: client.NewWrapper(nc)}
	sap, cfg := uint16(0x10), client.Config{}
	if ciphered {
		sap = 1
		cfg = client.Config{
			Mechanism: security.MechanismGMAC, Keys: h.keys, SystemTitle: benchTitle,
			Counter: client.CountFrom(benchCounter.Add(1) * 1_000_000),
		}
	}
	link := c.wrapper.Link(sap, 1)
	if gateway != "" {
		link = client.Behind(link, 1, h.eui[:])
	}
	if c.Client, err = client.Associate(ctx, link, cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", h.name, err), c.wrapper.Close())
	}
	return c, nil
}

// crowd is clients that are connected.
type crowd []struct{ do, done func() error }

// opener connects client i: do is one request of it, done ends it.
type opener func(i int) (do, done func() error, err error)

// gather connects clients. The first request of each is not like the others, and is not measured.
func gather(clients int, open opener) (crowd, error) {
	var c crowd
	for i := range clients {
		do, done, err := open(i)
		if err != nil {
			return nil, errors.Join(err, c.leave())
		}
		c = append(c, struct{ do, done func() error }{do, done})
		if err := do(); err != nil {
			return nil, errors.Join(err, c.leave())
		}
	}
	return c, nil
}

func (c crowd) leave() (err error) {
	for _, w := range c {
		err = errors.Join(err, w.done())
	}
	return err
}

// run has all clients ask as often as they can for a time, and gives how often they did and how long that took.
func (c crowd) run(ctx context.Context, d time.Duration) (count int64, took float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var sum atomic.Int64
	var group sync.WaitGroup
	errs := make(chan error, len(c))
	began := clock.Real().Now()
	for _, w := range c {
		group.Go(func() {
			for n := int64(0); ; n++ {
				if ctx.Err() != nil {
					sum.Add(n)
					return
				}
				if err := w.do(); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	group.Wait()
	took = seconds(began)
	close(errs)
	return sum.Load(), took, <-errs
}

// turns is into how many parts a measurement is cut: requests and echoes take turns, so that
// whatever else the machine does meets both.
const turns = 4

// beside measures something with as many clients as are wanted, and echoes with as many beside it, each for half the
// budget.
func (o *benchOptions) beside(ctx context.Context, clients int, open opener) (rate, echo float64, err error) {
	l, err := listenEcho(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	echoes, err := gather(clients, l.open(ctx))
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, echoes.leave()) }()
	asked, err := gather(clients, open)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, asked.leave()) }()
	var n, m int64
	var took, echoTook float64
	for range turns {
		k, t, err := asked.run(ctx, o.budget/2/turns)
		if err != nil {
			return 0, 0, err
		}
		n, took = n+k, took+t
		if k, t, err = echoes.run(ctx, o.budget/2/turns); err != nil {
			return 0, 0, err
		}
		m, echoTook = m+k, echoTook+t
	}
	return float64(n) / took, float64(m) / echoTook, nil
}

// requests measures one kind of request to as many hubs as there are clients.
func (o *benchOptions) requests(ctx context.Context, hubs []benchHub, clients int, gateway string, ciphered bool, request func(ctx context.Context, c *client.Client) error) (rate, echo float64, err error) {
	return o.beside(ctx, clients, func(i int) (do, done func() error, err error) {
		c, err := hubs[i%len(hubs)].dial(ctx, gateway, ciphered)
		if err != nil {
			return nil, nil, err
		}
		return func() error { return request(ctx, c.Client) }, c.wrapper.Close, nil
	})
}

func getName(ctx context.Context, c *client.Client) error {
	_, err := c.Get(ctx, benchName)
	return err
}
func getSerial(ctx context.Context, c *client.Client) error {
	_, err := c.Get(ctx, benchSerial)
	return err
}
func setEndpoint(ctx context.Context, c *client.Client) error {
	return c.SetAxdr(ctx, benchEndpoint, axdr.Array(axdr.Octets([]byte("s1sp.example:4059"))))
}

// echoSize is how long a ciphered GET is and its reply, or about so.
const echoSize = 44

// echoServer sends back what it gets.
type echoServer struct {
	net.Listener
	serving sync.WaitGroup
}

func listenEcho(ctx context.Context) (*echoServer, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	e := &echoServer{Listener: l}
	e.serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			e.serving.Go(func() { echo(c) })
		}
	})
	return e, nil
}

func echo(c net.Conn) {
	defer c.Close() //nolint:errcheck // whoever closed first, it is closed
	b := make([]byte, 4096)
	for {
		n, err := c.Read(b)
		if err != nil {
			return
		}
		if _, err := c.Write(b[:n]); err != nil {
			return
		}
	}
}

func (e *echoServer) close() error {
	err := e.Close()
	e.serving.Wait()
	return err
}

func (e *echoServer) open(ctx context.Context) opener {
	return func(int) (do, done func() error, err error) {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", e.Addr().String())
		if err != nil {
			return nil, nil, err
		}
		b := make([]byte, echoSize)
		return func() error {
			if _, err := c.Write(b); err != nil {
				return err
			}
			_, err := io.ReadFull(c, b)
			return err
		}, c.Close, nil
	}
}

// fleet measures a fleet of some size: how soon it is there, what a home costs, and what it
// answers.
func (o *benchOptions) fleet(ctx context.Context, homes int) (r benchFleet, err error) {
	r.Homes = homes
	m, err := benchManifest(homes, false, true)
	if err != nil {
		return r, err
	}
	before := liveHeap()
	began := clock.Real().Now()
	f, err := fleet.Open(ctx, m, fleet.Options{Clock: clock.NewStepped(m.StartTime()), ByHand: true, HAN: fleet.HANMemory, Listen: true, Port: -1})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	names := []string{"foc-0001", fmt.Sprintf("foc-%04d", (homes+1)/2), fmt.Sprintf("foc-%04d", homes)}
	for _, name := range names {
		if err := answers(ctx, f, name); err != nil {
			return r, err
		}
	}
	r.Start = seconds(began)
	rest := 5 * time.Minute
	if err := f.Run(ctx, f.Manifest().StartTime().Add(rest)); err != nil {
		return r, err
	}
	atRest := liveHeap()
	r.Rest = max(atRest-before, 0) / float64(homes)
	r.Goroutines = runtime.NumGoroutine()

	hubs, err := benchHubs(ctx, f, min(homes, max(o.clients, 500)))
	if err != nil {
		return r, err
	}
	held := liveHeap()
	for i := range hubs {
		c, err := hubs[i].dial(ctx, "", true)
		if err != nil {
			return r, err
		}
		if err := errors.Join(setEndpoint(ctx, c.Client), c.wrapper.Close()); err != nil {
			return r, err
		}
	}
	for f.Counts().Conns > 0 {
		if err := clock.Real().Sleep(ctx, time.Millisecond); err != nil {
			return r, err
		}
	}
	if err := f.Run(ctx, f.Manifest().StartTime().Add(2*rest)); err != nil {
		return r, err
	}
	if n := f.Counts().Awake; n > 0 {
		return r, fmt.Errorf("%d homes do not rest", n)
	}
	r.Talked = max(liveHeap()-held, 0) / float64(len(hubs))

	if r.Plain, r.PlainEcho, err = o.requests(ctx, hubs, o.clients, "", false, getName); err != nil {
		return r, err
	}
	r.Ciphered, r.CipheredEcho, err = o.requests(ctx, hubs, o.clients, "", true, getSerial)
	return r, err
}

// answers tells whether a home is there.
func answers(ctx context.Context, f *fleet.Fleet, name string) error {
	nc, err := f.Dial(name)
	if err != nil {
		return err
	}
	w := client.NewWrapper(nc)
	c, err := client.Associate(ctx, w.Link(0x10, 1), client.Config{})
	if err == nil {
		err = getName(ctx, c)
	}
	return errors.Join(err, w.Close())
}

// traffic measures requests of several kinds to a fleet.
func (o *benchOptions) traffic(ctx context.Context) (r []benchTraffic, err error) {
	m, err := benchManifest(10_000, false, true)
	if err != nil {
		return nil, err
	}
	f, err := fleet.Open(ctx, m, fleet.Options{Clock: clock.NewScaled(m.StartTime(), 1), HAN: fleet.HANMemory, Listen: true, Port: -1, Gateway: "127.0.0.1:0"})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	hubs, err := benchHubs(ctx, f, max(o.clients, 100))
	if err != nil {
		return nil, err
	}
	gateway := f.GatewayAddr().String()
	for _, k := range []struct {
		what     string
		gateway  string
		ciphered bool
		request  func(context.Context, *client.Client) error
	}{
		{"GET", "", false, getName}, {"GET, ciphered", "", true, getSerial}, {"GET, ciphered, one port", gateway, true, getSerial},
		{"SET, ciphered", "", true, setEndpoint},
	} {
		for _, n := range []int{1, o.clients} {
			rate, echo, err := o.requests(ctx, hubs, n, k.gateway, k.ciphered, k.request)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", k.what, err)
			}
			r = append(r, benchTraffic{k.what, n, rate, echo})
		}
	}
	return r, nil
}

// commands measures commands that go the whole way: over MQTT to a gateway, onto its
// disk, to the hub and back.
func (o *benchOptions) commands(ctx context.Context) (r benchTraffic, err error) {
	r.What, r.Clients = "command over MQTT", o.clients
	dir, err := os.MkdirTemp("", "smets1-bench-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	m, err := benchManifest(200, false, true)
	if err != nil {
		return r, err
	}
	root, err := keystore.RootFile(filepath.Join(dir, "root.key"))
	if err != nil {
		return r, err
	}
	b, err := broker.Start(ctx, broker.Config{StateDir: filepath.Join(dir, "nats"), Listen: "127.0.0.1:0"})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	store, err := b.Store()
	if err != nil {
		return r, err
	}
	c := clock.NewScaled(m.StartTime(), 1)
	f, err := fleet.Open(ctx, m, fleet.Options{Clock: c, HAN: fleet.HANMemory, Listen: true, Port: -1})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	library, err := firmware.OpenLibrary(filepath.Join(dir, "firmware"))
	if err != nil {
		return r, err
	}
	hubs := lab.Hubs(f)
	g, err := lab.StartGateway(ctx, lab.GatewayConfig{
		Broker: b.URL(), Fleet: "bench", Node: "gateway-1", Store: store, Root: root, Clock: c, Library: library, Hubs: hubs,
		Waker: waker{f}, Factor: 1, Version: version(),
	}, func(keys *keystore.Store) error { return lab.Handover(ctx, f, keys, "bench", c.Now()) })
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, g.Close(context.WithoutCancel(ctx))) }()
	remote, err := engine.Dial(ctx, engine.RemoteConfig{Broker: b.URL(), Fleet: "bench", Client: "bench"})
	if err != nil {
		return r, err
	}
	defer remote.Close()
	if err := remote.AwaitGateway(ctx); err != nil {
		return r, err
	}
	r.Clients = min(len(hubs), o.clients)
	r.Rate, r.Echo, err = o.beside(ctx, r.Clients, func(i int) (do, done func() error, err error) {
		return func() error {
			cmd, err := topic.NewCommand("bench-"+rand.Text(), hubs[i].EUI, topic.Identify, topic.IdentifyArgs{})
			if err != nil {
				return err
			}
			cmd.Device = topic.CHF
			r, err := remote.Call(ctx, cmd, nil)
			if err == nil && r.Status != topic.StatusDone {
				err = resultError{r}
			}
			return err
		}, func() error { return nil }, nil
	})
	return r, err
}

// days measures what homes do by themselves.
func (o *benchOptions) days(ctx context.Context, d *benchDays) (err error) {
	m, err := benchManifest(d.Homes, true, d.Displays)
	if err != nil {
		return err
	}
	before := liveHeap()
	began := clock.Real().Now()
	f, err := fleet.Open(ctx, m, fleet.Options{Clock: clock.NewStepped(m.StartTime()), ByHand: true, HAN: d.HAN})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	d.Start = seconds(began)
	began = clock.Real().Now()
	virtual, took := time.Duration(0), 0.0
	for took < o.budget.Seconds() && virtual < 24*time.Hour {
		virtual += 30 * time.Minute
		if err := f.Run(ctx, m.StartTime().Add(virtual)); err != nil {
			return err
		}
		took = seconds(began)
	}
	days := virtual.Hours() / 24
	d.DayTakes = took / days
	d.HomeDays = float64(d.Homes) * days / took * 60
	frames := float64(f.Frames())
	d.Frames, d.PerDay = frames/took, frames/days/float64(d.Homes)
	d.Bytes = max(liveHeap()-before, 0) / float64(d.Homes)
	return nil
}
