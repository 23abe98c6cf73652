package node

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/transport/radio/air"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
	"smets1/zigbee/zdp"
)

// report is a report that came, and when.
type report struct {
	at time.Duration
	a  []zcl.Attribute
}

// reporting home: a meter that reports to a hub.
type reportingHome struct {
	*home
	hub, meter *member
	reading    uint64
	status     uint64
	got        []report
	silent     []zcl.Attr
}

func newReportingHome(t *testing.T) *reportingHome {
	x := &reportingHome{home: newHome(t, air.Config{Seed: 1})}
	e := esi()
	e.Clusters[0] = &Cluster{Spec: &Spec{
		ID: se.Metering,
		Report: func(c *Call, a []zcl.Attribute) error {
			x.got = append(x.got, report{c.Now.Sub(start), append([]zcl.Attribute(nil), a...)})
			return nil
		},
		Silent: func(_ *Call, id zcl.Attr) { x.silent = append(x.silent, id) },
	}}
	m := &Endpoint{ID: 1, Device: se.DeviceMetering, Clusters: []*Cluster{{Spec: &Spec{ID: se.Metering, Server: true, Attributes: []Attribute{
		{ID: 0x0000, Type: zcl.Uint48, Reportable: true, Get: func(*Call) zcl.Value { return zcl.Unsigned(zcl.Uint48, x.reading) }},
		{ID: 0x0200, Type: zcl.Map8, Reportable: true, Get: func(*Call) zcl.Value { return zcl.Unsigned(zcl.Map8, x.status) }},
		{ID: 0x0300, Type: zcl.Enum8, Get: Fixed(zcl.Unsigned(zcl.Enum8, 0))},
	}}}}}
	all := x.begun(Config{Endpoints: []*Endpoint{e}}, Config{EUI: esmeEUI, Role: Router, Endpoints: []*Endpoint{m}})
	x.hub, x.meter = all[0], all[1]
	return x
}

// global sends a global command to the meter and gives the answer.
func (x *reportingHome) global(g zcl.Global) zcl.Global {
	x.t.Helper()
	var got *Response
	require.NoError(x.t, x.hub.Request(x.now, &Request{To: esmeEUI, Endpoint: 1, From: 1, Cluster: se.Metering, Global: g, Done: func(r Response) { got = &r }}))
	require.True(x.t, x.until(time.Minute, func() bool { return got != nil }))
	require.NoError(x.t, got.Err)
	return got.Global
}

func (x *reportingHome) bind() {
	x.t.Helper()
	done := false
	b := Binding{Source: esmeEUI, SourceEndpoint: 1, ClusterID: uint16(se.Metering), Mode: zdp.BindDevice, Destination: hubEUI, Endpoint: 1}
	require.NoError(x.t, x.hub.ZDP(x.now, esmeEUI, zdp.BindRequest{Binding: b}, func(m zdp.Command, err error) {
		require.NoError(x.t, err)
		require.Equal(x.t, zdp.StatusSuccess, m.(zdp.BindResponse).Status)
		done = true
	}))
	require.True(x.t, x.until(time.Minute, func() bool { return done }))
}

var meterReports = zcl.ConfigureReporting{Reports: []zcl.Reporting{
	{ID: 0x0000, Type: zcl.Uint48, Min: 5, Max: 60, Change: zcl.Unsigned(zcl.Uint48, 10)},
	{ID: 0x0200, Type: zcl.Map8, Min: 0, Max: 0},
}}

func TestConfiguredReports(t *testing.T) {
	x := newReportingHome(t)
	require.Empty(t, x.global(meterReports).(zcl.ConfigureReportingResponse).Failures)
	x.run(3 * time.Minute)
	require.Empty(t, x.got, "bound to nobody")
	x.bind()
	x.got = nil
	x.run(185 * time.Second)
	require.Len(t, x.got, 3, "every minute, though nothing changes")
	require.InDelta(t, 60, (x.got[1].at - x.got[0].at).Seconds(), 0.2)
	require.Len(t, x.got[0].a, 1)

	x.got = nil
	x.reading += 9
	x.run(5 * time.Second)
	require.Empty(t, x.got, "less than the change")
	x.reading++
	at := x.now.Sub(start)
	x.run(10 * time.Second)
	require.Len(t, x.got, 1)
	require.LessOrEqual(t, x.got[0].at-at, 6*time.Second)
	require.EqualValues(t, x.reading, x.got[0].a[0].Value.Num)

	x.got = nil
	x.status = 4
	x.meter.Changed(x.now, 1, se.Metering, true)
	x.run(time.Second)
	require.Len(t, x.got, 1, "at once")
	require.EqualValues(t, 0x0200, x.got[0].a[0].ID)

	// Two that are due at one time travel in one command.
	x.got, x.reading, x.status = nil, x.reading+100, 0
	x.run(10 * time.Second)
	require.NotEmpty(t, x.got)
	r := x.global(zcl.ReadReportingConfiguration{Keys: []zcl.ReportingKey{{ID: 0}, {ID: 0x0300}, {ID: 0x7777}, {Direction: zcl.Received, ID: 0}}}).(zcl.ReadReportingConfigurationResponse)
	require.Equal(t, meterReports.Reports[0], r.Results[0].Reporting)
	require.Equal(t, zcl.UnreportableAttribute, r.Results[1].Status)
	require.Equal(t, zcl.UnsupportedAttribute, r.Results[2].Status)
	require.Equal(t, zcl.NotFound, r.Results[3].Status)

	// They outlive a power cut.
	x.meter.proxy.n = nil
	x.run(10 * time.Second)
	x.power(x.meter)
	x.got = nil
	x.run(2 * time.Minute)
	require.NotEmpty(t, x.got)

	end := zcl.ConfigureReporting{Reports: []zcl.Reporting{
		{ID: 0, Type: zcl.Uint48, Max: 0xFFFF, Change: zcl.Unsigned(zcl.Uint48, 0)}, {ID: 0x0200, Type: zcl.Map8, Min: 0xFFFF},
	}}
	require.Empty(t, x.global(end).(zcl.ConfigureReportingResponse).Failures)
	x.got = nil
	x.reading, x.status = x.reading+100, 1
	x.run(5 * time.Minute)
	require.Empty(t, x.got)
}

func TestConfigureReportingRefuses(t *testing.T) {
	x := newReportingHome(t)
	f := x.global(zcl.ConfigureReporting{Reports: []zcl.Reporting{
		{ID: 0x7777, Type: zcl.Uint8, Change: zcl.Unsigned(zcl.Uint8, 1)},
		{ID: 0x0300, Type: zcl.Enum8},
		{ID: 0x0000, Type: zcl.Uint8, Change: zcl.Unsigned(zcl.Uint8, 1)},
		{ID: 0x0200, Type: zcl.Map8, Min: 10, Max: 5},
		{Direction: zcl.Received, ID: 0, Timeout: 5},
	}}).(zcl.ConfigureReportingResponse).Failures
	want := []zcl.Status{zcl.UnsupportedAttribute, zcl.UnreportableAttribute, zcl.InvalidDataType, zcl.InvalidValue, zcl.UnsupportedAttribute}
	require.Len(t, f, len(want))
	for i := range want {
		require.Equal(t, want[i], f[i].Status, i)
	}
}

// A report that is expected and does not come is told of; one that comes puts that off.
func TestReportsExpected(t *testing.T) {
	x := newReportingHome(t)
	done := false
	require.NoError(t, x.meter.Request(x.now, &Request{To: hubEUI, Endpoint: 1, From: 1, Cluster: se.Metering, FromServer: true,
		Global: zcl.ConfigureReporting{Reports: []zcl.Reporting{{Direction: zcl.Received, ID: 0, Timeout: 30}}},
		Done:   func(r Response) { require.NoError(t, r.Err); done = true }}))
	require.True(t, x.until(time.Minute, func() bool { return done }))
	require.Empty(t, x.global(meterReports).(zcl.ConfigureReportingResponse).Failures)
	x.bind()
	x.run(25 * time.Second)
	require.Empty(t, x.silent)
	x.run(10 * time.Second)
	require.Equal(t, []zcl.Attr{0}, x.silent)
	for range 8 {
		x.reading += 10
		x.run(10 * time.Second)
	}
	require.Len(t, x.silent, 1)
}

// Commands and attributes of a maker's own are kept apart from those of the standard.
func TestManufacturerSpecific(t *testing.T) {
	const maker = 0x1234
	h := newHome(t, air.Config{Seed: 1})
	own := uint64(5)
	var reported []zcl.Attribute
	e := &Endpoint{ID: 1, Device: se.DeviceMetering, Clusters: []*Cluster{{Spec: &Spec{
		ID: se.Metering, Server: true,
		Attributes: []Attribute{
			{ID: 0x0000, Type: zcl.Uint48, Get: Fixed(zcl.Unsigned(zcl.Uint48, 1))},
			{ID: 0x0000, Type: zcl.Uint16, Manufacturer: maker, Get: func(*Call) zcl.Value { return zcl.Unsigned(zcl.Uint16, own) },
				Set: func(_ *Call, v zcl.Value) error { own = v.Num; return nil }},
		},
		Commands: []Command{{ID: 0x00, Manufacturer: maker, Own: func(c *Call, p []byte) error {
			c.ReplyOwn(0x01, append([]byte{0xAA}, p...))
			return nil
		}}, {ID: 0x07, Manufacturer: maker, Own: func(*Call, []byte) error { return zcl.InvalidField }}},
	}}, {Spec: &Spec{ID: se.Metering, ReportOwn: func(_ *Call, a []zcl.Attribute) error { reported = append(reported, a...); return nil }}}}}
	hub := h.begun(Config{}, Config{EUI: esmeEUI, Role: Router, Endpoints: []*Endpoint{e}})[0]
	ask := func(r Request) Response {
		var got *Response
		r.To, r.Endpoint, r.From, r.Cluster = esmeEUI, 1, 1, se.Metering
		r.Done = func(x Response) { got = &x }
		require.NoError(t, hub.Request(h.now, &r))
		require.True(t, h.until(time.Minute, func() bool { return got != nil }))
		return *got
	}
	read := zcl.ReadAttributes{IDs: []zcl.Attr{0}}
	require.Equal(t, zcl.Uint48, ask(Request{Global: read}).Global.(zcl.ReadAttributesResponse).Attributes[0].Value.Type)
	require.EqualValues(t, 5, ask(Request{Global: read, Manufacturer: maker}).Global.(zcl.ReadAttributesResponse).Attributes[0].Value.Num)
	require.ErrorIs(t, ask(Request{Global: zcl.WriteAttributes{Attributes: []zcl.Attribute{{ID: 0, Value: zcl.Unsigned(zcl.Uint16, 6)}}}, Manufacturer: maker}).Err, nil)
	require.EqualValues(t, 6, own)
	d := ask(Request{Global: zcl.DiscoverAttributes{Most: 9}, Manufacturer: maker}).Global.(zcl.DiscoverAttributesResponse)
	require.Equal(t, []zcl.AttributeType{{ID: 0, Type: zcl.Uint16}}, d.Attributes)
	k := ask(Request{Global: zcl.DiscoverCommandsReceived{Most: 9}, Manufacturer: maker}).Global.(zcl.DiscoverCommandsReceivedResponse)
	require.Equal(t, []byte{0x00, 0x07}, k.Commands)

	require.Equal(t, []byte{0xAA, 1, 2}, ask(Request{Own: []byte{1, 2}, OwnID: 0, Manufacturer: maker, Answers: []uint8{1}}).Own)
	require.ErrorIs(t, ask(Request{Own: []byte{}, OwnID: 7, Manufacturer: maker}).Err, zcl.InvalidField)
	require.ErrorIs(t, ask(Request{Own: []byte{}, OwnID: 9, Manufacturer: maker}).Err, zcl.UnsupportedManufacturerCluster)
	require.ErrorIs(t, ask(Request{Own: []byte{}, OwnID: 0, Manufacturer: maker + 1}).Err, zcl.UnsupportedManufacturerCluster)
	require.ErrorIs(t, ask(Request{Global: zcl.ReadAttributes{IDs: []zcl.Attr{0}}, Manufacturer: maker + 1}).Err, zcl.UnsupportedManufacturerGeneral)
	require.ErrorIs(t, ask(Request{Command: se.GetProfile{}}).Err, zcl.UnsupportedClusterCommand, "number 0 of the standard is another")
	require.ErrorIs(t, hub.Request(h.now, &Request{To: esmeEUI, Endpoint: 1, From: 1, Cluster: se.Metering}), ErrNoCommand)

	var got *Response
	require.NoError(t, hub.Request(h.now, &Request{To: esmeEUI, Endpoint: 1, From: 1, Cluster: se.Metering, FromServer: true, Manufacturer: maker,
		Global: zcl.ReportAttributes{Attributes: []zcl.Attribute{{ID: 1, Value: zcl.Unsigned(zcl.Uint8, 3)}}}, Done: func(x Response) { got = &x }}))
	require.True(t, h.until(time.Minute, func() bool { return got != nil }))
	require.NoError(t, got.Err)
	require.Len(t, reported, 1)
}

// What is sent by the bindings reaches all that the cluster is bound to.
func TestRequestBound(t *testing.T) {
	x := newReportingHome(t)
	r := Request{From: 1, Cluster: se.Metering, FromServer: true, Global: zcl.ReportAttributes{Attributes: []zcl.Attribute{{ID: 0, Value: zcl.Unsigned(zcl.Uint48, 3)}}}, Quiet: true}
	require.Zero(t, x.meter.RequestBound(x.now, r))
	require.NoError(t, x.meter.Bind(x.now, Binding{SourceEndpoint: 1, ClusterID: uint16(se.Metering), Mode: zdp.BindDevice, Destination: hubEUI, Endpoint: 1}))
	require.NoError(t, x.meter.Bind(x.now, Binding{SourceEndpoint: 1, ClusterID: uint16(se.Metering), Mode: zdp.BindDevice, Destination: gsmeEUI, Endpoint: 1}))
	require.ErrorIs(t, x.meter.Bind(x.now, Binding{SourceEndpoint: 1, ClusterID: uint16(se.Metering), Mode: zdp.BindGroup, Group: 1}), zdp.StatusNotSupported)
	require.Equal(t, 1, x.meter.RequestBound(x.now, r), "the other is not on the network")
	x.run(time.Second)
	require.Len(t, x.got, 1)
}
