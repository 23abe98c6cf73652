package server_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/dlms/apdu"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/security"
	"smets1/dlms/server"
)

var (
	protection = cosem.MustOBIS("0-0:43.2.8.255")
	hiddenData = cosem.MustOBIS("0-0:96.9.9.255")
	textData   = cosem.MustOBIS("0-0:96.13.1.255")
	rowsOf     = cosem.MustOBIS("1-0:99.1.0.255")
	meterValue = cosem.MustOBIS("1-0:1.8.0.255")
)

// guarded is the state of a meter with a data protection object.
type guarded struct {
	text  []byte
	value uint32
	data  server.ProtectedData
}

type tenRows struct{}

func (tenRows) Len(*server.Call) int                      { return 10 }
func (tenRows) Time(_ *server.Call, i int) (at time.Time) { return time.Unix(int64(i)*1800, 0).UTC() }
func (tenRows) Append(_ *server.Call, i, _ int, dst []byte) ([]byte, error) {
	return axdr.AppendUint32(dst, uint32(i)), nil
}

// newGuarded is a suite 1 meter with its client, associated.
func newGuarded(t *testing.T) (*asymmetrical, *guarded) {
	t.Helper()
	x := newAsymmetrical(t)
	s := &guarded{text: []byte("before"), value: 77}
	all := server.All(server.ReadWrite)
	of := func(c *server.Call) *guarded { return server.State[*guarded](c) }
	x.d.State = s
	x.d.Model = server.MustModel(server.Config{
		Associations: []server.Association{{Client: 1, Mechanism: security.MechanismECDSA, Ciphered: true, Suite: security.Suite1, MaxPDU: 4096}},
		Objects: []server.Object{
			server.LogicalDeviceName(server.All(server.Read), func(*server.Call) string { return "SM1" }),
			server.Data(textData, server.Value{
				Access: all, Type: axdr.TagOctetString,
				Get: server.Octets(func(c *server.Call) []byte { return of(c).text }),
				Set: server.SetOctets(func(c *server.Call, b []byte) error { of(c).text = slices.Clone(b); return nil }),
			}),
			server.Data(hiddenData, server.Value{Get: server.Uint32(func(*server.Call) uint32 { return 1 })}),
			server.Register(meterValue, server.Value{
				Access: server.All(server.Read), Get: server.Uint32(func(c *server.Call) uint32 { return of(c).value }),
			}, cosem.ScalerUnit{Unit: cosem.UnitWattHour}, server.Method{
				Access: server.All(server.Execute), Do: server.Zero(func(c *server.Call) error { of(c).value = 0; return nil }),
			}),
			server.Profile(rowsOf, server.ProfileConfig{
				Access: server.All(server.Read), Columns: []server.Column{{Attribute: cosem.Attribute{Class: 3, Instance: meterValue, ID: 2}}},
				Period: 30 * time.Minute, Capacity: 10, Rows: func(*server.Call) server.Rows { return tenRows{} },
			}),
			server.DataProtection(protection, all, server.Kept[server.ProtectedData]{Of: func(c *server.Call) *server.ProtectedData { return &of(c).data }}),
		},
	})
	x.associate()
	return x, s
}

// do calls a method of the data protection object.
func (x *asymmetrical) do(id int8, arg []byte) (apdu.ActionResponse, error) {
	x.t.Helper()
	q, err := apdu.ActionRequestNormal{
		InvokeID: 0xC1, Method: cosem.Method{Class: cosem.ClassDataProtection, Instance: protection, ID: id}, Data: arg,
	}.AppendBinary(nil)
	require.NoError(x.t, err)
	reply := x.raw(q)
	r, _, err := apdu.ParseActionResponseNormal(reply)
	require.NoError(x.t, err, "%X", reply)
	return r.Response, r.Response.Result.Err()
}

// cover protects data as the client.
func (x *asymmetrical) cover(tx byte, use security.KeyUse, sign bool, ic uint32, b []byte) ([]apdu.Layer, []byte) {
	x.t.Helper()
	p, err := x.g.Seal(x.g.Header([]byte{tx}), use, security.ProtectBoth, ic, b)
	require.NoError(x.t, err)
	layers := []apdu.Layer{{Kind: apdu.LayerBoth, Header: p.GeneralHeader, Key: p.KeyInfo}}
	if !sign {
		return layers, p.Content
	}
	q, err := x.g.Sign(x.g.Header([]byte{tx}), p.Content)
	require.NoError(x.t, err)
	return append(layers, apdu.Layer{Kind: apdu.LayerSignature, Header: q.GeneralHeader}), append(slices.Clone(q.Content), q.Signature...)
}

// uncover opens what the meter returned: structure {layers, octet-string}.
func (x *asymmetrical) uncover(raw []byte) axdr.Value {
	x.t.Helper()
	r := axdr.NewReader(raw)
	r.Structure(2)
	layers := make([]apdu.Layer, r.Array())
	for i := range layers {
		layers[i] = apdu.ReadLayer(&r)
	}
	b := r.OctetString()
	require.NoError(x.t, r.Err())
	return x.peel(layers, b)
}

func (x *asymmetrical) peel(layers []apdu.Layer, b []byte) axdr.Value {
	x.t.Helper()
	for i := len(layers) - 1; i >= 0; i-- {
		l := layers[i]
		if l.Kind == apdu.LayerSignature {
			n := len(b) - security.Suite1.PointSize()
			require.NoError(x.t, x.g.Verify(apdu.GeneralSigning{GeneralHeader: l.Header, Content: b[:n], Signature: b[n:]}))
			b = b[:n]
			continue
		}
		_, plain, err := x.g.Open(apdu.GeneralCiphering{GeneralHeader: l.Header, KeyInfo: l.Key, Content: b})
		require.NoError(x.t, err)
		b = plain
	}
	v, err := axdr.ParseAll(b)
	require.NoError(x.t, err)
	return v
}

func object(class cosem.ClassID, name cosem.OBIS, id int8) apdu.ProtectedObject {
	return apdu.ProtectedObject{CaptureObject: cosem.CaptureObject{Attribute: cosem.Attribute{Class: class, Instance: name, ID: id}}}
}

func appendObjects(b []byte, objects ...apdu.ProtectedObject) []byte {
	b = axdr.AppendArrayHeader(b, len(objects))
	for _, o := range objects {
		b = o.AppendTo(b)
	}
	return b
}

func appendLayers(b []byte, layers []apdu.Layer) []byte {
	b = axdr.AppendArrayHeader(b, len(layers))
	for _, l := range layers {
		b = l.AppendTo(b)
	}
	return b
}

var everyUse = []security.KeyUse{security.UseGUEK, security.UseWrapped, security.UseOnePass, security.UseStaticUnified}

func TestDataProtection(t *testing.T) {
	x, s := newGuarded(t)
	rows := object(cosem.ClassProfileGeneric, rowsOf, 2)
	rows.Restriction, rows.From, rows.To = 2, axdr.AppendUint32(nil, 3), axdr.AppendUint32(nil, 4)
	tx := byte(1)
	for i, use := range everyUse {
		for _, sign := range []bool{false, true} {
			// What the client wants is told by parameters that a message of its own would have.
			want, _ := x.cover(tx, use, sign, 0, nil)
			arg := appendLayers(appendObjects(axdr.AppendStructureHeader(nil, 2), object(cosem.ClassData, textData, 2), rows), want)
			r, err := x.do(1, arg)
			require.NoError(t, err)
			v := x.uncover(r.Return.Data)
			require.Len(t, v.Items, 2)
			require.Equal(t, s.text, v.Items[0].Bytes)
			require.Len(t, v.Items[1].Items, 2)
			require.EqualValues(t, 2, v.Items[1].Items[0].Items[0].Num)

			tx++
			text := append([]byte("text "), tx)
			plain := axdr.AppendOctetString(axdr.AppendStructureHeader(nil, 1), text)
			layers, b := x.cover(tx, use, sign, uint32(100+10*i)+uint32(tx), plain)
			set := axdr.AppendOctetString(appendLayers(appendObjects(axdr.AppendStructureHeader(nil, 3), object(cosem.ClassData, textData, 2)), layers), b)
			damaged := slices.Clone(set)
			damaged[len(damaged)-1] ^= 1
			_, err = x.do(2, damaged)
			require.Error(t, err)
			require.NotEqual(t, text, s.text)
			_, err = x.do(2, set)
			require.NoError(t, err, "use %d, signed %v", use, sign)
			require.Equal(t, text, s.text)
			s.text = []byte("since")
			_, err = x.do(2, set)
			require.Error(t, err, "the same again")
			require.Equal(t, []byte("since"), s.text)

			tx++
			s.value = 5
			layers, b = x.cover(tx, use, sign, uint32(100+10*i)+uint32(tx), axdr.AppendInt8(nil, 0))
			call := axdr.AppendStructureHeader(nil, 3)
			call = axdr.AppendStructureHeader(call, 3)
			call = axdr.AppendInt8(axdr.AppendOctetString(axdr.AppendUint16(call, uint16(cosem.ClassRegister)), meterValue[:]), 1)
			call = axdr.AppendOctetString(appendLayers(call, layers), b)
			r, err = x.do(3, call)
			require.NoError(t, err)
			require.Equal(t, axdr.TagNull, x.uncover(r.Return.Data).Tag)
			require.Zero(t, s.value)
			tx++
		}
	}
}

// The buffer: what a head end reads and writes without knowing what is in it.
func TestDataProtectionBuffer(t *testing.T) {
	x, s := newGuarded(t)
	at := func(id int8) cosem.Attribute {
		return cosem.Attribute{Class: cosem.ClassDataProtection, Instance: protection, ID: id}
	}
	set := func(id int8, data []byte) cosem.Result {
		b, err := apdu.SetRequestNormal{InvokeID: 0xC1, Attribute: at(id), Data: data}.AppendBinary(nil)
		require.NoError(t, err)
		r, _, err := apdu.ParseSetResponseNormal(x.raw(b))
		require.NoError(t, err)
		return r.Result
	}
	get := func(id int8) apdu.GetResult {
		r, _, err := apdu.ParseGetResponseNormal(x.raw(getRequest(t, at(id), apdu.Selection{})))
		require.NoError(t, err)
		return r.Result
	}
	objects := appendObjects(nil, object(cosem.ClassData, textData, 2))
	layers, _ := x.cover(1, security.UseStaticUnified, true, 0, nil)
	require.Equal(t, cosem.Success, set(3, objects))
	require.Equal(t, cosem.Success, set(4, appendLayers(nil, layers)))
	require.Equal(t, objects, get(3).Data)
	require.Equal(t, appendLayers(nil, layers), get(4).Data)

	r := axdr.NewReader(get(2).Data)
	b := r.OctetString()
	require.NoError(t, r.Err())
	// The meter is the originator of what it sends.
	own := slices.Clone(layers)
	for i := range own {
		own[i].Header.Originator, own[i].Header.Recipient = layers[i].Header.Recipient, layers[i].Header.Originator
	}
	require.Equal(t, s.text, x.peel(own, b).Items[0].Bytes)

	layers, b = x.cover(2, security.UseStaticUnified, true, 0, axdr.AppendOctetString(axdr.AppendStructureHeader(nil, 1), []byte("after")))
	require.Equal(t, cosem.Success, set(5, appendLayers(nil, layers)))
	require.Equal(t, cosem.Success, set(2, axdr.AppendOctetString(nil, b)))
	require.Equal(t, []byte("after"), s.text)
	require.NotEqual(t, cosem.Success, set(2, axdr.AppendOctetString(nil, b)), "the same again")

	// Required protection: signatures on what is written and on what is read.
	require.Equal(t, cosem.Success, set(6, axdr.AppendEnum(nil, uint8(security.RequestSigned|security.ResponseSigned))))
	layers, b = x.cover(3, security.UseStaticUnified, false, 0, axdr.AppendOctetString(axdr.AppendStructureHeader(nil, 1), []byte("unsigned")))
	require.Equal(t, cosem.Success, set(4, appendLayers(nil, layers)))
	require.Equal(t, cosem.Success, set(5, appendLayers(nil, layers)))
	require.Equal(t, cosem.ReadWriteDenied, set(2, axdr.AppendOctetString(nil, b)))
	require.Equal(t, cosem.ReadWriteDenied, get(2).Result)
	require.Equal(t, []byte("after"), s.text)
	require.NotEqual(t, cosem.Success, set(6, axdr.AppendEnum(nil, 1)), "a reserved bit")
}

func TestDataProtectionRefusals(t *testing.T) {
	x, s := newGuarded(t)
	layers, _ := x.cover(1, security.UseWrapped, false, 0, nil)
	request := func(layers []apdu.Layer, objects ...apdu.ProtectedObject) []byte {
		return appendLayers(appendObjects(axdr.AppendStructureHeader(nil, 2), objects...), layers)
	}
	good := object(cosem.ClassData, textData, 2)
	indexed := good
	indexed.DataIndex = 1
	badRows := object(cosem.ClassProfileGeneric, rowsOf, 2)
	badRows.Restriction, badRows.From, badRows.To = 2, axdr.AppendUint8(nil, 1), axdr.AppendUint32(nil, 1)
	unknown := slices.Clone(layers)
	unknown[0].Kind = 9
	for name, arg := range map[string][]byte{
		"what is hidden":                     request(layers, object(cosem.ClassData, hiddenData, 2)),
		"what is not there":                  request(layers, object(cosem.ClassData, cosem.MustOBIS("9-9:9.9.9.255"), 2)),
		"itself":                             request(layers, object(cosem.ClassDataProtection, protection, 2)),
		"one element of it":                  request(layers, indexed),
		"rows by a number of the wrong type": request(layers, badRows),
		"a kind of layer that is none":       request(unknown, good),
		"more layers than a meter peels":     request(slices.Repeat(layers, 5), good),
		"not a structure":                    axdr.AppendUint8(nil, 1),
	} {
		_, err := x.do(1, arg)
		require.Error(t, err, name)
	}
	// Every cut of a good request is refused, and nothing comes of it.
	sealed, b := x.cover(2, security.UseWrapped, true, 0, axdr.AppendOctetString(axdr.AppendStructureHeader(nil, 1), []byte("after")))
	set := axdr.AppendOctetString(appendLayers(appendObjects(axdr.AppendStructureHeader(nil, 3), good), sealed), b)
	for n := range len(b) {
		short := axdr.AppendOctetString(appendLayers(appendObjects(axdr.AppendStructureHeader(nil, 3), good), sealed), b[:n])
		_, err := x.do(2, short)
		require.Error(t, err, "%d bytes", n)
	}
	require.Equal(t, []byte("before"), s.text)
	_, err := x.do(2, set)
	require.NoError(t, err)
	require.Equal(t, []byte("after"), s.text)
}
