package plan

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/migration/document"
)

func supplier(n byte) document.EUI { return document.EUI{0x90, 0xB3, 0xD5, 0x1F, 0x30, 1, 0, n} }

func allocated(shares []Share) []int {
	out := make([]int, len(shares))
	for i, s := range shares {
		out[i] = s.Allocated
	}
	return out
}

// The worked examples of the methodology's reference, and the edges of each branch.
func TestAllocate(t *testing.T) {
	abcd := []int{50, 300, 1200, 600}
	for _, tc := range []struct {
		name     string
		capacity int
		demand   []int
		want     []int
		reason   document.AllocationReason // of the last
	}{
		{"all demand fits", 3000, abcd, []int{50, 300, 1200, 600}, document.ReasonMet},
		{"exactly fits", 2150, abcd, []int{50, 300, 1200, 600}, document.ReasonMet},
		{"flat part and proportion", 1000, abcd, []int{50, 172, 497, 281}, document.ReasonScaled},
		{"water-filling", 250, abcd, []int{50, 67, 67, 66}, document.ReasonFlatScaled},
		{"the flat parts exactly", 350, abcd, []int{50, 100, 100, 100}, document.ReasonScaled},
		{"one more than the flat parts", 351, abcd, []int{50, 100, 101, 100}, document.ReasonScaled},
		{"one less than the flat parts", 349, abcd, []int{50, 100, 100, 99}, document.ReasonFlatScaled},
		{"fewer than suppliers", 2, abcd, []int{1, 1, 0, 0}, document.ReasonNoCapacity},
		{"nothing", 0, abcd, []int{0, 0, 0, 0}, document.ReasonNoCapacity},
		{"tie of remainders goes to the lower identity", 301, []int{200, 200, 200}, []int{101, 100, 100}, document.ReasonScaled},
		{"no demand", 500, []int{0, 0}, []int{0, 0}, document.ReasonMet},
		{"nobody", 500, nil, []int{}, ""},
		{"one", 40, []int{1000}, []int{40}, document.ReasonFlatScaled},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var in []Demand
			for i, d := range tc.demand {
				in = append(in, Demand{supplier(byte(i + 1)), d})
			}
			got, err := Allocate(tc.capacity, DMin, in)
			require.NoError(t, err)
			require.Equal(t, tc.want, allocated(got))
			if len(got) > 0 {
				require.Equal(t, tc.reason, got[len(got)-1].Reason)
			}
		})
	}
}

func TestAllocateRefuses(t *testing.T) {
	_, err := Allocate(10, DMin, []Demand{{supplier(1), 5}, {supplier(2), 5}, {supplier(1), 5}})
	require.ErrorIs(t, err, ErrTwice)
	_, err = Allocate(10, DMin, []Demand{{supplier(1), -1}})
	require.ErrorContains(t, err, "-1")
	_, err = Allocate(-1, DMin, nil)
	require.Error(t, err)
	_, err = Allocate(1, -1, nil)
	require.Error(t, err)
	_, err = Allocate(1, 1, []Demand{{supplier(1), maxUnits + 1}})
	require.Error(t, err)
	got, err := Allocate(maxUnits, DMin, []Demand{{supplier(1), maxUnits}, {supplier(2), maxUnits}})
	require.NoError(t, err, "the product does not fit into 64 bits and is right all the same")
	require.Equal(t, []int{maxUnits / 2, maxUnits / 2}, allocated(got))
}

// TestAllocateProperties holds every property of the methodology's reference against many cases of one seed.
func TestAllocateProperties(t *testing.T) {
	rng := rand.New(rand.NewPCG(64, 4))
	cases := 60_000
	if testing.Short() {
		cases = 5_000
	}
	sizes := []int{1, 3, 120, 400, 5000}
	for c := range cases {
		n := 1 + rng.IntN(7)
		size := sizes[rng.IntN(len(sizes))]
		in := make([]Demand, n)
		sum, flat := 0, 0
		dmin := []int{0, 1, 100, 1000}[rng.IntN(4)]
		for i := range in {
			in[i] = Demand{supplier(byte(i)), rng.IntN(size + 1)}
			sum += in[i].Units
			flat += min(in[i].Units, dmin)
		}
		capacity := rng.IntN(sum*5/4 + 2)
		got, err := Allocate(capacity, dmin, in)
		require.NoError(t, err)

		total := 0
		for i, s := range got {
			total += s.Allocated
			if s.Supplier != in[i].Supplier || s.Allocated < 0 || s.Allocated > in[i].Units || s.Allocated != s.Flat+s.ProRata || s.Flat > min(in[i].Units, dmin) {
				require.Failf(t, "bounds", "case %d: capacity %d of %v gives %+v", c, capacity, in, got)
			}
			if capacity >= flat && s.Allocated < min(in[i].Units, dmin) {
				require.Failf(t, "flat part", "case %d: capacity %d of %v gives %+v", c, capacity, in, got)
			}
		}
		require.Equal(t, min(capacity, sum), total, "case %d: capacity %d of %v", c, capacity, in)

		// The order of the rows does not matter.
		shuffled := append([]Demand{}, in...)
		rng.Shuffle(n, func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		again, err := Allocate(capacity, dmin, shuffled)
		require.NoError(t, err)
		require.Equal(t, got, again)

		// Asking for more never gives less.
		i := rng.IntN(n)
		more := append([]Demand{}, in...)
		more[i].Units += 1 + rng.IntN(size+1)
		raised, err := Allocate(capacity, dmin, more)
		require.NoError(t, err)
		require.GreaterOrEqual(t, raised[i].Allocated, got[i].Allocated, "case %d: capacity %d of %v, then %v", c, capacity, in, more)
	}
}

func BenchmarkAllocate(b *testing.B) {
	in := make([]Demand, 60)
	for i := range in {
		in[i] = Demand{supplier(byte(i)), 40 + 37*i}
	}
	for b.Loop() {
		if _, err := Allocate(20_000, DMin, in); err != nil {
			b.Fatal(err)
		}
	}
}
