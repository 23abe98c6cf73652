package ctt

import (
	"bytes"
	"fmt"
	"time"

	"smets1/dlms/apdu"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/hdlc"
	"smets1/dlms/security"
	"smets1/dlms/server"
)

// Client SAPs of the reference meter.
const (
	ClientPublic     uint16 = 0x10
	ClientReader     uint16 = 0x11 // LLS, reads and writes
	ClientOpen       uint16 = 0x02 // HLS GMAC, ciphered, no policy
	ClientManagement uint16 = 0x01 // HLS GMAC, ciphered, both protections required
	ClientDigest     uint16 = 0x12 // HLS SHA-256, plain
)

// Indices of the reference model's associations.
const (
	public = iota
	reader
	open
	management
	digest
)

// Reference is a meter served by this module in memory: the target the cases are checked with, and a meter for tests
// and benchmarks.
type Reference struct {
	Device  *server.Device
	Keyring *server.Keyring
	Keys    security.KeySet
	// Now is its time.
	Now time.Time

	note     uint32
	switched bool
	mode     uint8
	rows     int
	link     uint64
	image    server.Bank
}

// referenceStart is the reference meter's time at first.
var referenceStart = time.Date(2024, time.March, 1, 12, 0, 0, 0, time.UTC)

// titles of the reference meter and its client.
var (
	referenceTitle = security.SystemTitle{'S', 'M', '1', 0, 0, 0, 0, 1}
	clientTitle    = security.SystemTitle{'M', 'M', 'M', 0, 0, 0, 0, 1}
)

// counting is a source of bytes for challenges that never repeat, and that tests can foretell.
type counting struct{ n byte }

func (c *counting) Read(b []byte) (int, error) {
	for i := range b {
		c.n += 7
		b[i] = c.n
	}
	return len(b), nil
}

// referenceModel is shared by all reference meters.
var referenceModel = server.MustModel(referenceConfig())

func referenceConfig() server.Config {
	r, rw := server.Read, server.ReadWrite
	everyone := server.All(r)
	writers := server.Rights{public: r, reader: rw, open: rw, management: rw, digest: rw}
	keepers := server.Rights{open: rw, management: rw}
	of := server.State[*Reference]
	obis := cosem.MustOBIS
	clock := cosem.Attribute{Class: cosem.ClassClock, Instance: obis("0-0:1.0.0.255"), ID: 2}
	energy := cosem.Attribute{Class: cosem.ClassRegister, Instance: obis("1-0:1.8.0.255"), ID: 2}
	wh := server.ScalerUnit{Unit: cosem.UnitWattHour}
	return server.Config{
		Name: "reference",
		Associations: []server.Association{
			public:     {Name: "public", Client: ClientPublic, Instance: obis("0-0:40.0.1.255"), Conformance: server.DefaultConformance},
			reader:     {Name: "reader", Client: ClientReader, Instance: obis("0-0:40.0.2.255"), Mechanism: security.MechanismLLS, ChangeSecret: true},
			open:       {Name: "open", Client: ClientOpen, Instance: obis("0-0:40.0.3.255"), Mechanism: security.MechanismGMAC, Ciphered: true},
			management: {Name: "management", Client: ClientManagement, Instance: obis("0-0:40.0.4.255"), Mechanism: security.MechanismGMAC, Ciphered: true, Policy: 0x6C},
			digest:     {Name: "digest", Client: ClientDigest, Instance: obis("0-0:40.0.5.255"), Mechanism: security.MechanismSHA256},
		},
		AssociationVersion: 2,
		Objects: []server.Object{
			server.LogicalDeviceName(everyone, func(*server.Call) string { return "SM1REFERENCE0001" }),
			server.SAPAssignment(everyone, func(*server.Call) []server.SAP { return []server.SAP{{SAP: 1, Name: "SM1REFERENCE0001"}} }),
			server.InvocationCounter(0, everyone, func(c *server.Call) uint32 { return of(c).Keyring.RxHighest() }),
			server.Clock(clock.Instance, server.ClockConfig{
				Access:  writers,
				Time:    func(c *server.Call) axdr.DateTime { return axdr.DateTimeOf(c.Now) },
				SetTime: func(*server.Call, axdr.DateTime) error { return nil },
			}),
			server.Register(energy.Instance, server.Value{Access: everyone, Get: server.Uint32(func(*server.Call) uint32 { return 123456 })}, wh, server.Method{}),
			server.ExtendedRegister(obis("1-0:1.6.0.255"), server.Value{Access: everyone, Get: server.Uint32(func(*server.Call) uint32 { return 2300 })},
				server.ScalerUnit{Unit: cosem.UnitWatt}, server.Fixed(axdr.Null()), server.DateTime(func(*server.Call) axdr.DateTime { return axdr.DateTimeOf(referenceStart) }), server.Method{}),
			server.Data(obis("0-0:96.2.0.255"), server.Value{
				Type: axdr.TagUint32, Access: writers,
				Get: server.Uint32(func(c *server.Call) uint32 { return of(c).note }),
				Set: server.SetInteger(func(c *server.Call, v int64) error {
					of(c).note = uint32(v)
					return nil
				}),
			}),
			server.Profile(obis("1-0:99.1.0.255"), server.ProfileConfig{
				Access: everyone, Period: 30 * time.Minute, Capacity: 1000,
				Columns: []server.Column{{Attribute: clock}, {Attribute: energy}},
				Rows:    func(c *server.Call) server.Rows { return of(c) },
			}),
			server.ScriptTable(obis("0-0:10.0.106.255"), writers, []server.Script{{ID: 1, Actions: []server.Action{{
				Execute: true, Class: cosem.ClassDisconnectControl, Instance: obis("0-0:96.3.10.255"), Index: 1, Parameter: axdr.Int8(0),
			}}}}),
			server.DisconnectControl(obis("0-0:96.3.10.255"), writers, func(c *server.Call) server.Disconnector { return of(c) }),
			server.ImageTransfer(server.Rights{open: rw, management: rw}, func(c *server.Call) server.ImageBank { return &of(c).image }),
			server.SecuritySetup(obis("0-0:43.0.0.255"), keepers),
			server.KeyChange(keepers),
		},
	}
}

// Entries of the reference profile: half hours before noon.

// Len of the profile.
func (m *Reference) Len(*server.Call) int { return m.rows }

// Time of an entry.
func (m *Reference) Time(_ *server.Call, i int) time.Time {
	return referenceStart.Add(time.Duration(i-m.rows) * 30 * time.Minute)
}

// Append a column of an entry.
func (m *Reference) Append(c *server.Call, i, column int, dst []byte) ([]byte, error) {
	if column == 0 {
		return axdr.AppendDateTime(dst, axdr.DateTimeOf(m.Time(c, i))), nil
	}
	return axdr.AppendUint32(dst, uint32(1000+i*7)), nil
}

// The switch of the reference meter.

// Output is the switch's state.
func (m *Reference) Output() bool { return !m.switched }

// State of the disconnect control.
func (m *Reference) State() uint8 {
	if m.switched {
		return 0
	}
	return 1
}

// Mode of the disconnect control.
func (m *Reference) Mode() uint8 { return m.mode }

// SetMode of the disconnect control.
func (m *Reference) SetMode(_ time.Time, v uint8) error {
	m.mode = v
	return nil
}

// Disconnect the supply.
func (m *Reference) Disconnect(time.Time) error {
	m.switched = true
	return nil
}

// Reconnect the supply.
func (m *Reference) Reconnect(time.Time) error {
	m.switched = false
	return nil
}

// NewReference makes a meter. A window makes its key changes supervised; zero changes keys at once.
func NewReference(window time.Duration) *Reference {
	m := &Reference{Now: referenceStart, rows: 48}
	key := func(b byte) security.Key {
		k, err := security.NewKey(bytes.Repeat([]byte{b}, 16))
		if err != nil {
			panic(err)
		}
		return k
	}
	m.Keys = security.KeySet{GUEK: key(1), GAK: key(2), KEK: key(3), GBEK: key(4)}
	m.Keyring = server.NewKeyring(server.KeyringConfig{
		Title: referenceTitle, Keys: m.Keys, Window: window,
		Secrets: []security.Secret{reader: security.NewSecret([]byte("12345678")), digest: security.NewSecret([]byte("a secret of the digest"))},
	})
	m.image = server.Bank{
		Size:    64,
		Check:   func(_ time.Time, id, image []byte) (server.ImageInfo, error) { return checkImage(id, image) },
		Install: func(time.Time, []byte) error { return nil },
	}
	m.Device = &server.Device{Model: referenceModel, State: m, Security: m.Keyring, Rand: &counting{}}
	return m
}

// checkImage accepts images that begin with "GOOD".
func checkImage(id, image []byte) (server.ImageInfo, error) {
	if !bytes.HasPrefix(image, []byte("GOOD")) {
		return server.ImageInfo{}, fmt.Errorf("ctt: image %q does not begin with GOOD", id)
	}
	return server.ImageInfo{Size: uint32(len(image)), Identification: id}, nil
}

// Management are the credentials of the management client.
func (m *Reference) Management() Credentials {
	return Credentials{
		Client: ClientManagement, Mechanism: security.MechanismGMAC, Ciphered: true, Title: clientTitle, Keys: m.Keys, Protection: security.ProtectBoth,
	}
}

// Target describes the meter, over links in memory.
func (m *Reference) Target() *Target {
	strict := m.Management()
	open := strict
	open.Client = ClientOpen
	obis := cosem.MustOBIS
	return &Target{
		Name: "reference",
		Dial: func(client uint16) (Conn, error) {
			m.link++
			return &direct{m: m, peer: server.Peer{Link: m.link, Client: client}}, nil
		},
		Line: func() (Line, error) {
			return &memoryLine{m: m, line: server.NewLine(server.LineConfig{
				Host: server.Devices{m.Device}, Link: 1 << 40,
				HDLC: hdlc.ServerConfig{Params: hdlc.Params{InfoTransmit: 512, InfoReceive: 512, WindowTransmit: 3, WindowReceive: 3}},
			})}, nil
		},
		Physical: 17,
		Public:   Credentials{Client: ClientPublic},
		Low:      &Credentials{Client: ClientReader, Mechanism: security.MechanismLLS, Secret: security.NewSecret([]byte("12345678"))},
		Open:     &open, Strict: &strict,
		Writable:       Value{Attribute: cosem.Attribute{Class: cosem.ClassData, Instance: obis("0-0:96.2.0.255"), ID: 2}, Data: axdr.AppendUint32(nil, 42)},
		ReadOnly:       cosem.Attribute{Class: cosem.ClassRegister, Instance: obis("1-0:1.8.0.255"), ID: 2},
		Profile:        cosem.Attribute{Class: cosem.ClassProfileGeneric, Instance: obis("1-0:99.1.0.255"), ID: 2},
		SecuritySetup:  obis("0-0:43.0.0.255"),
		MayRaisePolicy: true,
		Push: func() ([]byte, error) {
			return m.Device.Notification(m.Now, server.Notification{InvokeID: 1, Attributes: []cosem.Attribute{
				{Class: cosem.ClassRegister, Instance: obis("1-0:1.8.0.255"), ID: 2},
			}})
		},
	}
}

// direct calls the device.
type direct struct {
	m    *Reference
	peer server.Peer
}

// Exchange serves one APDU.
func (d *direct) Exchange(b []byte) ([]byte, error) {
	reply := d.m.Device.Serve(d.m.Now, d.peer, b, nil)
	if len(reply) > 0 && apdu.Tag(reply[0]) == apdu.TagGeneralBlockTransfer {
		return nil, failf("general block transfer came, which was not negotiated")
	}
	return reply, nil
}

// Close drops the link.
func (d *direct) Close() error {
	d.m.Device.Disconnect(d.peer.Link)
	return nil
}

// memoryLine is an HDLC line in memory.
type memoryLine struct {
	m    *Reference
	line *server.Line
}

// Exchange gives the line bytes.
func (l *memoryLine) Exchange(b []byte) ([]byte, error) {
	l.line.Input(l.m.Now, b)
	return append([]byte(nil), l.line.Output()...), nil
}

// Wait lets time pass.
func (l *memoryLine) Wait(seconds int) error {
	l.m.Now = l.m.Now.Add(time.Duration(seconds) * time.Second)
	l.line.Tick(l.m.Now)
	if b := l.line.Output(); len(b) > 0 {
		return failf("% X came unasked", b)
	}
	return nil
}

// Close drops the line.
func (l *memoryLine) Close() error {
	l.line.Close()
	return nil
}
