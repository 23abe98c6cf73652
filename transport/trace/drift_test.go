package trace

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDrift(t *testing.T) {
	parse := func(s string) *Trace {
		tr, err := Parse(strings.NewReader(s))
		require.NoError(t, err)
		return tr
	}
	old := "= 9600 8N1\n0.000 > 01 02\n0.300 < 03 04\n1.000 > 05\n1.100 < 06\n"
	for _, tt := range []struct {
		name, now string
		want      []string
	}{
		{"same", old, nil},
		{"a little later", "= 9600 8N1\n0.000 > 01 02\n0.350 < 03 04\n1.000 > 05\n1.100 < 06\n", nil},
		{"masked", "= 9600 8N1\n0.000 > 01 02\n0.300 < 03 ??\n1.000 > 05\n1.100 < 06\n", nil},
		{"slower", "= 9600 8N1\n0.000 > 01 02\n0.900 < 03 04\n1.000 > 05\n1.100 < 06\n", []string{"line 3: the answer now comes after 900ms, was 300ms"}},
		{"another answer", "= 9600 8N1\n0.000 > 01 02\n0.300 < 03 07\n1.000 > 05\n1.100 < 06\n", []string{"line 3, byte 2: now 03 07, was line 3: 03 04"}},
		{"another question", "= 9600 8N1\n0.000 > 01\n0.300 < 09\n", []string{"line 2, byte 2: now 01, was line 2: 01 02"}},
		{"shorter", "= 9600 8N1\n0.000 > 01 02\n0.300 < 03 04\n1.000 > 05\n", []string{"the new recording ends before line 5 of the old: "}},
		{"longer", old + "2.000 ! unplug\n", []string{"line 6: the old recording ended here; now comes "}},
		{"another mode", "= 300 7E1\n0.000 > 01 02\n0.300 < 03 04\n1.000 > 05\n1.100 < 06\n", []string{`the line starts with "300 7E1", was "9600 8N1"`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Drift(parse(old), parse(tt.now))
			require.Len(t, got, len(tt.want))
			for i, w := range tt.want {
				require.Contains(t, got[i], w)
			}
		})
	}
}
