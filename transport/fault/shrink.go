package fault

import "context"

// Shrink finds a smallest part of what struck that still makes a run fail: without any one fault of it, the run is good.
// fails runs the plan that it is given, from the start, and tells whether it failed. The result is nil if all the faults
// together do not make it fail: then the run does not depend on them alone.
//
// It takes away halves first and single faults last (delta debugging), so it runs about n·log n plans at worst and 2·log n
// when one fault is to blame.
func Shrink(ctx context.Context, fired []Fault, fails func(context.Context, Plan) (bool, error)) (*Plan, error) {
	run := func(part []Fault) (bool, error) {
		if err := ctx.Err(); err != nil {
			return false, context.Cause(ctx)
		}
		return fails(ctx, Plan{Faults: part})
	}
	if bad, err := run(fired); err != nil || !bad {
		return nil, err
	}
	for parts := 2; len(fired) > 1; {
		reduced := false
		size := (len(fired) + parts - 1) / parts
		for start := 0; start < len(fired); start += size {
			end := min(start+size, len(fired))
			without := append(append([]Fault(nil), fired[:start]...), fired[end:]...)
			bad, err := run(without)
			if err != nil {
				return nil, err
			}
			if bad {
				fired, reduced = without, true
				parts = max(parts-1, 2)
				break
			}
		}
		if !reduced {
			if size == 1 {
				break
			}
			parts = min(parts*2, len(fired))
		}
	}
	if len(fired) == 1 {
		// Perhaps it needs none at all.
		if bad, err := run(nil); err != nil {
			return nil, err
		} else if bad {
			fired = nil
		}
	}
	return &Plan{Faults: fired}, nil
}
