// Package pointtest holds the two paths of a device against each other. The package
// may change.
package pointtest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/device/core"
	"smets1/device/point"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/server"
	"smets1/zigbee/node"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

// Agree reads every attribute of every COSEM object of a device, and every ZigBee
// attribute of its points, and compares those that are one datum. It returns how many
// attributes it read of each, and how many it compared.
func Agree[D any](t testing.TB, d D, device *server.Device, points []point.Point[D], now time.Time) (objects, attributes, compared int) {
	t.Helper()
	seen := map[cosem.Attribute][]byte{}
	for _, o := range device.Model.Objects() {
		for _, a := range o.Attrs {
			if a.Get == nil || o.Class == cosem.ClassAssociationLN {
				continue
			}
			at := cosem.Attribute{Class: o.Class, Instance: o.Instance, ID: a.ID}
			b, err := device.Get(now, at, nil)
			require.NoError(t, err, "%v class %d attribute %d", o.Instance, o.Class, a.ID)
			size, err := axdr.Skip(b)
			require.NoError(t, err, "%v class %d attribute %d", o.Instance, o.Class, a.ID)
			require.Len(t, b, size, "%v class %d attribute %d", o.Instance, o.Class, a.ID)
			seen[at] = b
			objects++
		}
	}
	air := map[se.Cluster]map[zcl.Attr]zcl.Value{}
	for _, cluster := range point.Clusters(points) {
		air[cluster] = map[zcl.Attr]zcl.Value{}
		for _, a := range point.Attributes(points, cluster, func(*node.Call) D { return d }) {
			require.NotContains(t, air[cluster], a.ID, "cluster %04X attribute %04X is declared twice", uint16(cluster), uint16(a.ID))
			v := a.Get(&node.Call{Now: now})
			require.Equal(t, a.Type, v.Type)
			b, err := v.AppendTyped(nil)
			require.NoError(t, err, "cluster %04X attribute %04X", uint16(cluster), uint16(a.ID))
			again, n, err := zcl.ParseTyped(b)
			require.NoError(t, err)
			require.Len(t, b, n)
			require.Equal(t, v.Num, again.Num, "cluster %04X attribute %04X", uint16(cluster), uint16(a.ID))
			air[cluster][a.ID] = v
			attributes++
		}
	}
	for _, p := range points {
		if p.COSEM.Class == 0 {
			require.NotEmpty(t, p.ZigBee, "%s is seen nowhere", p.Name)
			continue
		}
		raw, ok := seen[p.COSEM.Attribute()]
		require.True(t, ok, "%s: %v is not an object of the model", p.Name, p.COSEM.Name)
		v, err := p.COSEM.Parse(raw)
		require.NoError(t, err, p.Name)
		for _, z := range p.ZigBee {
			want := z.Encode(v)
			got := air[z.Cluster][z.ID]
			require.Equal(t, want.Num, got.Num, "%s: by COSEM and by ZigBee", p.Name)
			require.Equal(t, string(want.Octets), string(got.Octets), "%s: by COSEM and by ZigBee", p.Name)
			compared++
		}
	}
	return objects, attributes, compared
}

// Listed holds the object list of the management association against the model: every
// object that has a right for it is there, with its class.
func Listed(t testing.TB, device *server.Device, now time.Time) int {
	t.Helper()
	raw, err := device.Get(now, cosem.Attribute{Class: cosem.ClassAssociationLN, Instance: cosem.OBIS{0, 0, 40, 0, 2, 255}, ID: 2}, nil)
	require.NoError(t, err)
	list, err := axdr.ParseAll(raw)
	require.NoError(t, err)
	there := map[cosem.OBIS]uint64{}
	for _, o := range list.Items {
		there[cosem.OBIS(o.Items[2].Bytes)] = o.Items[0].Num
	}
	n := 0
	for _, o := range device.Model.Objects() {
		for _, a := range o.Attrs {
			if a.Access[core.AssociationManagement] == 0 || o.Class == cosem.ClassAssociationLN {
				continue
			}
			require.EqualValues(t, o.Class, there[o.Instance], "%v", o.Instance)
			n++
			break
		}
	}
	return n
}
