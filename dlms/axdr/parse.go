package axdr

const (
	defaultDepth = 16
	defaultCells = 1 << 18
)

// Limits bound what Parse builds from input. They are ours: the standard has none.
type Limits struct {
	// Depth is how many containers may be inside one another. Zero means 16,
	// which is also the most that is taken.
	Depth int
	// Cells is how many Values one Parse may build. Zero means 262,144, which
	// holds a year of half-hours with ten columns.
	Cells int
}

func (l Limits) withDefaults() Limits {
	if l.Depth <= 0 || l.Depth > defaultDepth {
		l.Depth = defaultDepth
	}
	if l.Cells <= 0 {
		l.Cells = defaultCells
	}
	return l
}

// Parse decodes the Data at the start of b and says how many bytes it took.
// The strings of the Value alias b.
func Parse(b []byte) (v Value, n int, err error) { return Limits{}.Parse(b) }

// ParseAll decodes b, which must be one Data and nothing after it.
func ParseAll(b []byte) (Value, error) {
	v, n, err := Parse(b)
	if err == nil && n != len(b) {
		return Value{}, &Error{Offset: n, What: "bytes after the data", Err: ErrLength}
	}
	return v, err
}

// Parse decodes the Data at the start of b within the limits.
func (l Limits) Parse(b []byte) (v Value, n int, err error) {
	l = l.withDefaults()
	p := parser{b: b, depth: l.Depth, cells: l.Cells}
	v, err = p.data(0)
	if err != nil {
		return Value{}, 0, err
	}
	return v, p.off, nil
}

// parser builds Values. Memory is bounded twice: elements announced by counts
// are paid for with a byte of input each (owed never exceeds what is left),
// and all Values together with cells, which is what holds compact arrays whose
// elements may cost no input.
type parser struct {
	b     []byte
	off   int
	depth int
	cells int
	owed  int
}

func (p *parser) fail(what string, err error) error {
	return &Error{Offset: p.off, What: what, Err: err}
}

func (p *parser) data(depth int) (Value, error) {
	if depth > p.depth {
		return Value{}, p.fail("depth of nesting", ErrLimit)
	}
	if p.off >= len(p.b) {
		return Value{}, p.fail("data", ErrTruncated)
	}
	tag := Tag(p.b[p.off])
	if !tag.Valid() {
		return Value{}, p.fail("data", ErrTag)
	}
	p.off++
	switch tag {
	case TagArray, TagStructure:
		count, err := p.length(tag)
		if err != nil {
			return Value{}, err
		}
		if count > len(p.b)-p.off-p.owed {
			return Value{}, p.fail(tag.String(), ErrTruncated)
		}
		items, err := p.alloc(count)
		if err != nil {
			return Value{}, err
		}
		p.owed += count
		for i := range items {
			p.owed--
			if items[i], err = p.data(depth + 1); err != nil {
				return Value{}, err
			}
		}
		return Value{Tag: tag, Items: items}, nil
	case TagCompactArray:
		return p.compact(depth)
	default:
	}
	return p.content(tag)
}

// alloc makes room for n Values out of the budget.
func (p *parser) alloc(n int) ([]Value, error) {
	if n > p.cells {
		return nil, p.fail("number of elements", ErrLimit)
	}
	p.cells -= n
	if n == 0 {
		return nil, nil
	}
	return make([]Value, n), nil
}

func (p *parser) length(tag Tag) (int, error) {
	v, n, err := parseLength(p.b[p.off:])
	if err != nil {
		return 0, p.fail(tag.String(), err)
	}
	p.off += n
	return v, nil
}

// content decodes what follows the tag of a simple type.
func (p *parser) content(tag Tag) (Value, error) {
	size := tag.fixedSize()
	num := uint64(0)
	if size == sizeVariable {
		length, err := p.length(tag)
		if err != nil {
			return Value{}, err
		}
		size = length
		if tag == TagBitString {
			num = uint64(length)
			size = length/8 + (length%8+7)/8
		}
	}
	if size > len(p.b)-p.off {
		return Value{}, p.fail(tag.String(), ErrTruncated)
	}
	raw := p.b[p.off : p.off+size : p.off+size]
	p.off += size
	switch tag {
	case TagBitString, TagOctetString, TagVisibleString, TagUTF8, TagDateTime, TagDate, TagTime:
		if len(raw) == 0 {
			raw = nil
		}
		return Value{Tag: tag, Num: num, Bytes: raw}, nil
	case TagBool:
		return Bool(raw[0] != 0), nil
	default:
	}
	return Value{Tag: tag, Num: number(tag, raw)}, nil
}
