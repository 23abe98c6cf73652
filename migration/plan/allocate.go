package plan

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"smets1/migration/document"
)

// DMin is the flat allocation: installations a day that a supplier gets before anything is shared in proportion (published
// beside the methodology, so a parameter of [Allocate] and not a constant of it).
const DMin = 100

// Demand is what one supplier asks for on a day.
type Demand struct {
	Supplier document.EUI
	Units    int // installations
}

// Share is what one supplier gets on a day. Allocated is Flat + ProRata.
type Share struct {
	Supplier  document.EUI
	Demand    int
	Allocated int
	Flat      int
	ProRata   int
	Reason    document.AllocationReason
}

// Allocate shares the capacity of a day (ours, around the published flat allocation):
//
//  1. what all ask for fits: everybody gets it;
//  2. else everybody gets the flat part, the lesser of demand and dmin;
//  3. if even the flat parts do not fit, capacity is poured evenly: all are raised together up to their flat part,
//     and what cannot be divided goes one each in ascending order of supplier;
//  4. else what is left after the flat parts is shared in proportion to what each asked beyond it, rounded down;
//  5. and the units that rounding left go to the largest remainders, ties in ascending order of supplier.
//
// The shares come in ascending order of supplier, whatever the order of the demand. A supplier that appears twice, or a
// negative number, is an error.
func Allocate(capacity, dmin int, demand []Demand) ([]Share, error) {
	if capacity < 0 || dmin < 0 {
		return nil, fmt.Errorf("plan: capacity %d and flat allocation %d must not be negative", capacity, dmin)
	}
	shares := make([]Share, len(demand))
	sum, flat := 0, 0
	for i, d := range demand {
		if d.Units < 0 || d.Units > maxUnits {
			return nil, fmt.Errorf("plan: demand of %s is %d; 0 to %d is wanted", d.Supplier, d.Units, maxUnits)
		}
		shares[i] = Share{Supplier: d.Supplier, Demand: d.Units}
		sum += d.Units
		flat += min(d.Units, dmin)
	}
	slices.SortFunc(shares, func(a, b Share) int { return bytes.Compare(a.Supplier[:], b.Supplier[:]) })
	for i := 1; i < len(shares); i++ {
		if shares[i].Supplier == shares[i-1].Supplier {
			return nil, fmt.Errorf("plan: %w: %s", ErrTwice, shares[i].Supplier)
		}
	}
	switch {
	case sum <= capacity:
		for i := range shares {
			s := &shares[i]
			s.Flat = min(s.Demand, dmin)
			s.ProRata = s.Demand - s.Flat
		}
	case flat > capacity:
		pour(shares, capacity, dmin)
	default:
		proportion(shares, capacity-flat, sum-flat, dmin)
	}
	for i := range shares {
		shares[i].finish(dmin)
	}
	return shares, nil
}

// maxUnits keeps every sum and product of this package within 64 bits.
const maxUnits = 1 << 40

// ErrTwice means that a supplier asked twice for the same day.
var ErrTwice = errors.New("a supplier asks twice for one day")

func (s *Share) finish(dmin int) {
	s.Allocated = s.Flat + s.ProRata
	switch {
	case s.Allocated == s.Demand:
		s.Reason = document.ReasonMet
	case s.Allocated == 0:
		s.Reason = document.ReasonNoCapacity
	case s.Flat < min(s.Demand, dmin):
		s.Reason = document.ReasonFlatScaled
	default:
		s.Reason = document.ReasonScaled
	}
}

// pour is integer water-filling: the level rises for all until the capacity is used, each stopping at its flat part.
func pour(shares []Share, capacity, dmin int) {
	byFlat := make([]*Share, len(shares))
	for i := range shares {
		byFlat[i] = &shares[i]
	}
	slices.SortStableFunc(byFlat, func(a, b *Share) int { return cmp.Compare(min(a.Demand, dmin), min(b.Demand, dmin)) })
	left := capacity
	for i, s := range byFlat {
		level := left / (len(byFlat) - i)
		want := min(s.Demand, dmin)
		if want > level {
			// From here on nobody reaches the flat part: the level is the same for all that are left.
			over := left % (len(byFlat) - i)
			rest := byFlat[i:]
			slices.SortFunc(rest, func(a, b *Share) int { return bytes.Compare(a.Supplier[:], b.Supplier[:]) })
			for n, r := range rest {
				r.Flat = level
				if n < over {
					r.Flat++
				}
			}
			return
		}
		s.Flat = want
		left -= want
	}
}

// proportion shares rest over what each asked beyond the flat part, whose sum is residual > rest.
func proportion(shares []Share, rest, residual, dmin int) {
	type part struct {
		at        int
		remainder uint64
	}
	parts := make([]part, 0, len(shares))
	left := rest
	for i := range shares {
		s := &shares[i]
		s.Flat = min(s.Demand, dmin)
		hi, lo := bits.Mul64(uint64(rest), uint64(s.Demand-s.Flat))
		quotient, remainder := bits.Div64(hi, lo, uint64(residual))
		s.ProRata = int(quotient)
		left -= s.ProRata
		parts = append(parts, part{i, remainder})
	}
	slices.SortStableFunc(parts, func(a, b part) int { return cmp.Compare(b.remainder, a.remainder) })
	for _, p := range parts[:left] {
		shares[p.at].ProRata++
	}
}
