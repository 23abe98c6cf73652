package document

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFileOfAHundredHomes writes and reads a file of 7,000 elements, far beyond the thousand elements at which the signature
// library's own verifier stops.
func TestFileOfAHundredHomes(t *testing.T) {
	w := newWorld(t)
	body := CommonBody{}
	for i := range 100 {
		in := w.mcf.Installation[0]
		in.Device = append([]CommonDevice{}, in.Device...)
		in.InstallationID = EUI{1, 2, 3, 4, 5, 6, byte(i >> 8), byte(i)}
		for j := range in.Device {
			in.Device[j].DeviceID = EUI{1, 2, 3, 4, byte(j + 1), 6, byte(i >> 8), byte(i)}
		}
		body.Installation = append(body.Installation, in)
	}
	a, err := Issue(w.header(w.cp), body, w.rp)
	require.NoError(t, err)
	f, ps := Open[CommonBody](w.opener(), a, w.now)
	require.Empty(t, ps)
	require.Equal(t, body, f.Body)
}

func BenchmarkReadPortfolio(b *testing.B) {
	w := newWorld(b)
	var one bytes.Buffer
	require.NoError(b, WritePortfolio(&one, w.specs, w.portfolio))
	b.SetBytes(int64(one.Len()))
	for b.Loop() {
		if _, ps := ReadPortfolio(w.specs, "portfolio.csv", bytes.NewReader(one.Bytes())); ps != nil {
			b.Fatal(ps)
		}
	}
}
