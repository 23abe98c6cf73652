package document

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestInspect(t *testing.T) {
	w := newWorld(t)
	for k, a := range w.everyFile(t) {
		in, ps := Inspect(w.specs, XMLLimits{}, a)
		require.Empty(t, ps, k)
		require.True(t, in.Signed)
		require.Equal(t, w.set, in.Header.FileSetID)
		require.NotEmpty(t, in.Installations)
		require.Equal(t, w.portfolio.Installations[0].ID, in.Installations[0].InstallationID)
		require.Empty(t, w.opener().Check(a, w.now), k)

		// What only a signature protects is not seen here, and is seen by who checks it.
		b := NewArtefact(a.Name, bytes.Replace(a.Data, []byte("<S1SP>CGI"), []byte("<S1SP>CGJ"), 1))
		_, ps = Inspect(w.specs, XMLLimits{}, b)
		require.Empty(t, ps)
		require.Equal(t, []string{"XCV02"}, w.opener().Check(b, w.now).Codes())

		c := NewArtefact(a.Name, bytes.Replace(a.Data, []byte("<GroupID>AA"), []byte("<GroupID>A1"), 1))
		_, ps = Inspect(w.specs, XMLLimits{}, c)
		require.Equal(t, "/MigrationFile/Header/GroupID XCV01", ps[0].Column+" "+ps[0].Code)
		_, ps = Inspect(w.specs, XMLLimits{}, NewArtefact("x.xml", a.Data))
		require.Equal(t, []string{"XDF06"}, ps.Codes())
		require.Equal(t, []string{"XDF06"}, w.opener().Check(NewArtefact("x.xml", a.Data), w.now).Codes())
	}
	every := w.everyFile(t)
	in, ps := Inspect(w.specs, XMLLimits{}, every[KindCOF])
	require.Empty(t, ps)
	require.Equal(t, "MA110", in.Installations[1].Error[0].Code)
	other := NewArtefact(every[KindMCF].Name, every[KindCOF].Data)
	_, ps = Inspect(w.specs, XMLLimits{}, other)
	require.Equal(t, []string{"XCV01"}, ps.Codes())
}
