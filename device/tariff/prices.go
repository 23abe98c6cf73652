package tariff

// The sizes of the tables (published: the ceilings of the DUIS response schema).
const (
	Registers   = 48 // time of use registers of an ESME
	Blocks      = 4  // of block pricing
	BlockTiers  = 8  // registers that block pricing goes with
	SecondTiers = 4  // registers of the second element
)

// Prices of a tariff, in millipence for 1000 units of energy (kWh). A loaded Prices
// is shared: do not change it.
type Prices struct {
	// Standing is the standing charge in millipence a day.
	Standing int64
	// TOU is the price of each register; one that is not there costs what the first does.
	TOU []int64
	// Block is the price of each block of each register, where Thresholds are given.
	Block [Blocks][]int64
	// Thresholds of a register divide what is used in a billing period, in units of
	// energy, into blocks. Registers beyond them, and none at all, have no blocks.
	Thresholds [][Blocks - 1]int64
}

// Blocked reports whether a register is priced by blocks.
func (p *Prices) Blocked(register uint8) bool {
	return register >= 1 && int(register) <= len(p.Thresholds)
}

// Unit is what 1000 units of energy cost in a register, and in which block.
func (p *Prices) Unit(register uint8, block int) int64 {
	list := p.TOU
	if p.Blocked(register) {
		list = p.Block[block]
	}
	switch {
	case int(register) <= len(list) && register > 0:
		return list[register-1]
	case len(list) > 0:
		return list[0]
	default:
		return 0
	}
}

// BlockOf is the block in which the next unit of a register is, and how many units
// it has left, after so many in the billing period. The last block has no end.
func (p *Prices) BlockOf(register uint8, used int64) (block int, left int64) {
	const endless = 1 << 62
	if !p.Blocked(register) {
		return 0, endless
	}
	for i, t := range p.Thresholds[register-1] {
		if used < t {
			return i, t - used
		}
	}
	return Blocks - 1, endless
}
