package server_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/dlms/acse"
	"smets1/dlms/apdu"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/server"
)

func TestUsers(t *testing.T) {
	var users []server.User
	d := &server.Device{Model: server.MustModel(server.Config{
		AssociationVersion: 2,
		Associations:       []server.Association{{Client: 16, EditUsers: true, Users: func(*server.Device) *[]server.User { return &users }}},
	})}
	x := &client{t: t, d: d, peer: server.Peer{Client: 16}, c: public(), limit: 1024}
	x.open(0, everyBit)
	user := func(id uint8, name string) []byte {
		b := axdr.AppendStructureHeader(nil, 2)
		return axdr.AppendVisibleString(axdr.AppendUint8(b, id), name)
	}
	method := func(id int8) cosem.Method { return cosem.Method{Class: 15, Instance: objects.Instance, ID: id} }
	attribute := objects
	attribute.ID = 11
	require.Equal(t, user(0, ""), x.get(attribute, apdu.Selection{}).Data)
	for _, u := range [][]byte{user(7, "installer"), user(9, "reader"), user(7, "fitter")} {
		require.Equal(t, cosem.ActionSuccess, x.action(method(5), u).Result)
	}
	attribute.ID = 10
	require.Equal(t, append(append(axdr.AppendArrayHeader(nil, 2), user(7, "fitter")...), user(9, "reader")...), x.get(attribute, apdu.Selection{}).Data)
	require.Equal(t, cosem.ActionObjectUndefined, x.action(method(6), user(9, "writer")).Result)
	require.Equal(t, cosem.ActionSuccess, x.action(method(6), user(9, "reader")).Result)
	require.Equal(t, cosem.ActionTypeUnmatched, x.action(method(6), axdr.AppendUint8(nil, 9)).Result)

	// From now on the AARQ has to name a user of the list.
	ask := func(id acse.ID) acse.AARE {
		q, _, err := acse.ParseAARQ(x.aarq(0, everyBit))
		require.NoError(t, err)
		q.CallingAEInvocationID = id
		b, err := q.AppendBinary(nil)
		require.NoError(t, err)
		r, _, err := acse.ParseAARE(x.raw(b))
		require.NoError(t, err)
		return r
	}
	for _, id := range []acse.ID{{}, acse.UserID(9), acse.UserID(263), acse.UserID(-249)} {
		r := ask(id)
		require.Equal(t, acse.ResultRejectedPermanent, r.Result)
		require.Equal(t, acse.DiagnosticCallingAEInvocationID, r.Diagnostic)
	}
	require.NoError(t, ask(acse.UserID(7)).Err())
	attribute.ID = 11
	require.Equal(t, user(7, "fitter"), x.get(attribute, apdu.Selection{}).Data)
}
