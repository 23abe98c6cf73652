package client

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/security"
	"smets1/dlms/server"
)

// readMeter does with the meter of meter_test.go whatever a client can.
func readMeter(t *testing.T, c *Client, home *site, s *meterState) {
	t.Helper()
	ctx := t.Context()
	at, _, err := c.Clock(ctx)
	require.NoError(t, err)
	require.Equal(t, meterStart, at)
	require.NoError(t, c.SetClock(ctx, at.Add(time.Hour)))
	at, _, err = c.Clock(ctx)
	require.NoError(t, err)
	require.Equal(t, meterStart.Add(time.Hour), at)

	q, err := c.Register(ctx, cosem.ClassRegister, register)
	require.NoError(t, err)
	require.Equal(t, "123456 Wh", q.String())

	long, err := c.GetBytes(ctx, longData)
	require.NoError(t, err)
	home.look(func() { require.Equal(t, s.long, long) })
	longer := make([]byte, 3000)
	longer[2999] = 0xAA
	require.NoError(t, c.SetAxdr(ctx, longData, axdr.Octets(longer)))
	home.look(func() { require.Equal(t, longer, s.long) })
	long, err = c.GetBytes(ctx, longData)
	require.NoError(t, err)
	require.Equal(t, longer, long)

	objects, err := c.Objects(ctx)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(objects), 10)
	data, err := c.Objects(ctx, cosem.ClassData)
	require.NoError(t, err)
	require.Len(t, data, 4)

	results, err := c.GetList(ctx, GetItem{Attribute: data2}, GetItem{Attribute: longData},
		GetItem{Attribute: cosem.Attribute{Class: 1, Instance: cosem.MustOBIS("0-0:96.9.9.255"), ID: 2}})
	require.NoError(t, err)
	require.Len(t, results, 3)
	require.Equal(t, append([]byte{9, 11}, "SME55667788"...), results[0].Data)
	require.Len(t, results[1].Data, 3004)
	require.ErrorIs(t, results[2].Err, cosem.ObjectUndefined)

	failures, err := c.SetList(ctx,
		SetItem{Attribute: data2, Data: axdr.AppendOctetString(nil, []byte("changed"))},
		SetItem{Attribute: longData, Data: axdr.AppendOctetString(nil, longer[:2000])},
		SetItem{Attribute: longData, Data: axdr.AppendUint8(nil, 1)})
	require.NoError(t, err)
	require.NoError(t, failures[0])
	require.NoError(t, failures[1])
	require.ErrorIs(t, failures[2], cosem.TypeUnmatched)
	text, err := c.GetString(ctx, data2)
	require.NoError(t, err)
	require.Equal(t, "changed", text)

	want := func(from, n int, rows Rows) {
		t.Helper()
		i := from
		for row, err := range c.Profile(ctx, profileName, rows) {
			require.NoError(t, err)
			require.Equal(t, profileAt.Add(time.Duration(i)*30*time.Minute), row.Time)
			v, err := row.Cells[1].AsUint()
			require.NoError(t, err)
			require.EqualValues(t, 1000+i, v)
			i++
		}
		require.Equal(t, n, i-from)
	}
	want(0, 48, Rows{})
	want(2, 3, ByTime(profileAt.Add(time.Hour), profileAt.Add(2*time.Hour)))
	want(4, 5, ByEntry(5, 9))
	want(46, 2, ByEntry(47, 0))
	paged := ByEntry(1, 48)
	paged.Page = 7
	want(0, 48, paged)

	_, err = c.ActionAxdr(ctx, method1, axdr.Int8(0))
	require.NoError(t, err)
	home.look(func() { require.Zero(t, s.register) })
	_, err = c.ActionAxdr(ctx, cosem.Method{Class: 3, Instance: register, ID: 9}, axdr.Int8(0))
	var action *ActionError
	require.ErrorAs(t, err, &action)
	acted, err := c.ActionList(ctx, ActionItem{Method: method1, Data: axdr.AppendInt8(nil, 0)}, ActionItem{Method: cosem.Method{Class: 3, Instance: register, ID: 9}})
	require.NoError(t, err)
	require.NoError(t, acted[0].Err)
	require.Error(t, acted[1].Err)

	transferImage(t, c, home, s)
}

// transferImage does an image transfer, with blocks that may not fit into one APDU.
func transferImage(t *testing.T, c *Client, home *site, s *meterState) {
	t.Helper()
	ctx := t.Context()
	image := make([]byte, 1000)
	image[500] = 7
	transfer := func(id int8) cosem.Method {
		return cosem.Method{Class: cosem.ClassImageTransfer, Instance: cosem.ImageTransfer, ID: id}
	}
	size, err := c.GetUint(ctx, cosem.Attribute{Class: cosem.ClassImageTransfer, Instance: cosem.ImageTransfer, ID: 2})
	require.NoError(t, err)
	_, err = c.ActionAxdr(ctx, transfer(1), axdr.Structure(axdr.Octets([]byte("image")), axdr.Uint32(uint32(len(image)))))
	require.NoError(t, err)
	for i := 0; i*int(size) < len(image); i++ {
		block := image[i*int(size) : min((i+1)*int(size), len(image))]
		_, err = c.ActionAxdr(ctx, transfer(2), axdr.Structure(axdr.Uint32(uint32(i)), axdr.Octets(block)))
		require.NoError(t, err)
	}
	for _, id := range []int8{3, 4} {
		_, err = c.ActionAxdr(ctx, transfer(id), axdr.Int8(0))
		require.NoError(t, err)
	}
	home.look(func() { require.Equal(t, image, s.image) })
}

func TestServer(t *testing.T) {
	with := func(m security.Mechanism, more ...func(*Config)) Config {
		cfg := Config{Mechanism: m, Secret: security.NewSecret([]byte("secret"))}
		for _, f := range more {
			f(&cfg)
		}
		return cfg
	}
	titled := func(c *Config) { c.SystemTitle = clientTitle }
	small := func(c *Config) { c.MaxPDU = 100 }
	for _, tt := range []struct {
		name string
		sap  uint8
		cfg  Config
	}{
		{"public", sapPublic, Config{}},
		{"public, service blocks", sapPublic, Config{MaxPDU: 100, Conformance: DefaultConformance &^ cosem.ConfGeneralBlockTransfer}},
		{"public, general blocks only", sapPublic, Config{MaxPDU: 100, Conformance: DefaultConformance &^
			(cosem.ConfBlockTransferGet | cosem.ConfBlockTransferSet | cosem.ConfBlockTransferAction)}},
		{"public, no lists", sapPublic, Config{Conformance: DefaultConformance &^ cosem.ConfMultipleReferences}},
		{"lls", sapLLS, with(security.MechanismLLS)},
		{"hls2", sapHLS2, with(security.MechanismHLS, small, func(c *Config) { c.Secret = security.NewSecret([]byte(hls2Secret)) })},
		{"md5", sapMD5, with(security.MechanismMD5)},
		{"sha1", sapSHA1, with(security.MechanismSHA1)},
		{"sha256", sapSHA256, with(security.MechanismSHA256, titled)},
		{"gmac in the clear", sapGMAC, with(security.MechanismGMAC, titled, func(c *Config) { c.Keys, c.Plain = meterKeys(t), true })},
		{"ciphered", sapManage, managed(t)},
		{"ciphered, general-glo", sapManage, func() Config { c := managed(t); c.Wrapping = WrapGeneral; return c }()},
		{"ciphered, dedicated", sapManage, func() Config { c := managed(t); c.Dedicated = true; return c }()},
		{"ciphered, dedicated, general-ded", sapManage, func() Config { c := managed(t); c.Dedicated, c.Wrapping = true, WrapGeneral; return c }()},
		{"ciphered, general blocks only", sapManage, func() Config {
			c := managed(t)
			c.MaxPDU, c.Wrapping = 200, WrapGeneral
			c.Conformance = DefaultConformance &^ (cosem.ConfBlockTransferGet | cosem.ConfBlockTransferSet | cosem.ConfBlockTransferAction)
			return c
		}()},
	} {
		for _, framing := range []string{"wrapper", "hdlc"} {
			t.Run(tt.name+"/"+framing, func(t *testing.T) {
				meter, s := newMeter(t)
				home := &site{host: server.Devices{meter}}
				link := connect(t, home.dial(t, framing), framing, tt.sap)
				c, err := Associate(t.Context(), link, tt.cfg)
				require.NoError(t, err)
				readMeter(t, c, home, s)
				require.NoError(t, c.Release(t.Context()))
				require.ErrorIs(t, c.Release(t.Context()), nil)
				_, err = c.Get(t.Context(), data2)
				require.ErrorIs(t, err, ErrReleased)
				// The link serves again.
				cfg := tt.cfg
				cfg.Counter = CountFrom(100000)
				c, err = Associate(t.Context(), link, cfg)
				require.NoError(t, err)
				_, _, err = c.Clock(t.Context())
				require.NoError(t, err)
				require.NoError(t, c.Release(t.Context()))
			})
		}
	}
}

// The gateway prefix: a meter behind a hub, on one line with the hub itself, each with its own association.
func TestServerBehindHub(t *testing.T) {
	for _, framing := range []string{"wrapper", "hdlc"} {
		t.Run(framing, func(t *testing.T) {
			front, _ := newMeter(t)
			meter, s := newMeter(t)
			address := []byte{0, 0xDB, 0x12, 0x34, 0x56, 0x78, 0x90, 0xA0}
			h := &hub{meters: map[string]*server.Device{string(address): meter}}
			home := &site{host: server.Devices{front}, forward: h}
			link := connect(t, home.dial(t, framing), framing, sapManage)
			counter := CountFrom(1)
			cfg := managed(t)
			cfg.Counter = counter
			c, err := Associate(t.Context(), link, cfg)
			require.NoError(t, err)
			behind := managed(t)
			m, err := Associate(t.Context(), Behind(link, 1, address), behind)
			require.NoError(t, err)
			readMeter(t, m, home, s)
			require.NotZero(t, h.seen)
			_, _, err = c.Clock(t.Context())
			require.NoError(t, err)

			// Nobody with that address.
			_, err = Associate(t.Context(), Behind(link, 1, []byte{1, 2}), managed(t))
			var e *ExceptionError
			require.ErrorAs(t, err, &e)
			require.EqualValues(t, 2, e.Exception.State)
			require.EqualValues(t, 1, e.Exception.Service)
		})
	}
}

// Counters: too low a one is refused with the one expected, and the public client can ask.
func TestServerCounter(t *testing.T) {
	meter, _ := newMeter(t)
	home := &site{host: server.Devices{meter}}
	line := NewWrapper(home.dial(t, "wrapper"))
	t.Cleanup(func() { _ = line.Close() })
	ctx := t.Context()

	cfg := managed(t)
	cfg.Counter = CountFrom(5000)
	c, err := Associate(ctx, line.Link(sapManage, 1), cfg)
	require.NoError(t, err)
	_, _, err = c.Clock(ctx)
	require.NoError(t, err)
	require.NoError(t, c.Release(ctx))

	_, err = Associate(ctx, line.Link(sapManage, 1), managed(t))
	var e *ExceptionError
	require.ErrorAs(t, err, &e)
	expected, ok := e.ExpectedCounter()
	require.True(t, ok)
	require.EqualValues(t, c.LastCounter()+1, expected)
	require.ErrorContains(t, err, "ReadCounter")

	last, err := ReadCounter(ctx, line.Link(sapPublic, 1), cosem.OBIS{}, Config{})
	require.NoError(t, err)
	require.Equal(t, c.LastCounter(), last)
	cfg.Counter = CountFrom(last + 1)
	_, err = Associate(ctx, line.Link(sapManage, 1), cfg)
	require.NoError(t, err)
}

// What a client is told when something about its keys, secret or address is wrong.
func TestServerRefusals(t *testing.T) {
	other := testKey(t, "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF")
	for _, tt := range []struct {
		name string
		sap  uint8
		cfg  func(*Config)
		want string
	}{
		{"GUEK", sapManage, func(c *Config) { c.Keys.GUEK = other }, "Check the GAK and GUEK"},
		{"GAK", sapManage, func(c *Config) { c.Keys.GAK = other }, "Check the GAK and GUEK"},
		{"server title", sapManage, func(c *Config) { c.ServerTitle = clientTitle }, "is the address right?"},
		{"LLS password", sapLLS, func(c *Config) {
			*c = Config{Mechanism: security.MechanismLLS, Secret: security.NewSecret([]byte("wrong"))}
		}, "Check the secret and the client address"},
		{"HLS secret", sapMD5, func(c *Config) {
			*c = Config{Mechanism: security.MechanismMD5, Secret: security.NewSecret([]byte("wrong"))}
		}, "Check the secret and the client address"},
		{"GMAC key in the clear", sapGMAC, func(c *Config) { c.Keys.GAK, c.Plain = other, true }, "Check the GAK and GUEK"},
		{"none where it is needed", sapLLS, func(c *Config) { *c = Config{} }, "client: association (none) rejected-permanent"},
		{"another client", sapPublic, func(*Config) {}, "client: association (HLS GMAC, ciphered) rejected-permanent"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			meter, _ := newMeter(t)
			home := &site{host: server.Devices{meter}}
			link := connect(t, home.dial(t, "wrapper"), "wrapper", tt.sap)
			cfg := managed(t)
			tt.cfg(&cfg)
			_, err := Associate(t.Context(), link, cfg)
			require.ErrorContains(t, err, tt.want)
			require.NotContains(t, err.Error(), "wrong\"")
			// The line is good: the right keys go, with a counter above the failed attempt's.
			cfg = managed(t)
			cfg.Counter = CountFrom(100)
			good := link.(*wrapperLink).w.Link(sapManage, 1)
			_, err = Associate(t.Context(), good, cfg)
			require.NoError(t, err)
		})
	}
}

// New keys: the answer to the transfer is under the old ones (trap 10), the next association under the new.
func TestServerKeyTransfer(t *testing.T) {
	meter, _ := newMeter(t)
	home := &site{host: server.Devices{meter}}
	link := connect(t, home.dial(t, "wrapper"), "wrapper", sapManage)
	ctx := t.Context()
	c, err := Associate(ctx, link, managed(t))
	require.NoError(t, err)
	fresh := testKey(t, "0F0E0D0C0B0A09080706050403020100")
	wrapped, err := security.WrapKey(meterKeys(t).KEK, fresh)
	require.NoError(t, err)
	_, err = c.ActionAxdr(ctx, cosem.Method{Class: cosem.ClassSecuritySetup, Instance: cosem.SecuritySetup, ID: 2},
		axdr.Array(axdr.Structure(axdr.Enum(uint8(security.KeyGUEK)), axdr.Octets(wrapped))))
	require.NoError(t, err)
	cfg := managed(t)
	cfg.Counter = CountFrom(1000)
	_, err = Associate(ctx, link, cfg)
	require.Error(t, err)
	cfg.Keys.GUEK = fresh
	c, err = Associate(ctx, link, cfg)
	require.NoError(t, err)
	_, _, err = c.Clock(ctx)
	require.NoError(t, err)
}
