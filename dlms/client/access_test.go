package client

import (
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/server"
)

// One request that reads, writes and calls; the same one by one where the server has no ACCESS service.
func TestAccess(t *testing.T) {
	absent := cosem.Attribute{Class: 1, Instance: cosem.MustOBIS("0-0:96.9.9.255"), ID: 2}
	items := []AccessItem{
		Reading(data2, Selection{}),
		Writing(data2, Selection{}, axdr.AppendOctetString(nil, []byte("changed"))),
		Reading(data2, Selection{}),
		Calling(method1, axdr.AppendInt8(nil, 0)),
		Reading(absent, Selection{}),
		Calling(cosem.Method{Class: 3, Instance: register, ID: 9}, nil),
		Reading(cosem.Attribute{Class: cosem.ClassProfileGeneric, Instance: profileName, ID: 2}, ByEntry(2, 3).selection()),
	}
	for _, tt := range []struct {
		name   string
		access bool
		maxPDU uint16
	}{{"one request", true, 0}, {"in blocks", true, 100}, {"one by one", false, 0}} {
		for _, stop := range []bool{false, true} {
			t.Run(tt.name, func(t *testing.T) {
				meter, s := newMeter(t)
				home := &site{host: server.Devices{meter}}
				cfg := managed(t)
				cfg.MaxPDU = tt.maxPDU
				if !tt.access {
					cfg.Conformance = DefaultConformance &^ cosem.ConfAccess
				}
				c, err := Associate(t.Context(), connect(t, home.dial(t, "wrapper"), "wrapper", sapManage), cfg)
				require.NoError(t, err)
				require.Equal(t, tt.access, c.Conformance().Has(cosem.ConfAccess))
				got, err := c.Access(t.Context(), stop, items...)
				require.NoError(t, err)
				require.Len(t, got, len(items))
				for i := range 4 {
					require.NoError(t, got[i].Err)
				}
				require.Equal(t, axdr.AppendOctetString(nil, []byte("SME55667788")), got[0].Data)
				require.Nil(t, got[1].Data)
				require.Equal(t, axdr.AppendOctetString(nil, []byte("changed")), got[2].Data)
				require.Nil(t, got[3].Data)
				home.look(func() { require.Zero(t, s.register) })
				require.ErrorIs(t, got[4].Err, cosem.ObjectUndefined)
				switch {
				case stop && tt.access:
					require.ErrorIs(t, got[6].Err, cosem.OtherReason)
				case stop:
					require.ErrorIs(t, got[6].Err, ErrNotTried)
				default:
					var action *ActionError
					require.ErrorAs(t, got[5].Err, &action)
					require.NoError(t, got[6].Err)
					rows, err := axdr.ParseAll(got[6].Data)
					require.NoError(t, err)
					require.Len(t, rows.Items, 2)
				}
				// The association goes on.
				_, err = c.Get(t.Context(), data2)
				require.NoError(t, err)
			})
		}
	}
}
