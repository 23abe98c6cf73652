package se

import (
	_ "embed" // the attribute table
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"smets1/zigbee/zcl"
)

//go:embed attributes.txt
var attributeText string

// Attribute is what is known of an attribute.
type Attribute struct {
	Cluster Cluster
	Client  bool // of the cluster's client, not its server
	ID      zcl.Attr
	Type    zcl.DataType
	Name    string // as in the standard, without spaces: CurrentSummationDelivered
}

// Table is a set of attributes. Use [Attributes] unless a file replaces the built-in one.
type Table struct {
	all []Attribute // by cluster, side and identifier
}

// Attributes is the built-in table: the attributes of all clusters of this package.
var Attributes = sync.OnceValue(func() *Table {
	t, err := ParseTable(attributeText)
	if err != nil {
		panic("se: built-in attribute table: " + err.Error()) // a test reads it
	}
	return t
})

func order(a, b Attribute) int {
	switch {
	case a.Cluster != b.Cluster:
		return int(a.Cluster) - int(b.Cluster)
	case a.Client != b.Client:
		if b.Client {
			return -1
		}
		return 1
	}
	return int(a.ID) - int(b.ID)
}

// Lookup finds an attribute by its identifier.
func (t *Table) Lookup(c Cluster, client bool, id zcl.Attr) (Attribute, bool) {
	i, ok := slices.BinarySearchFunc(t.all, Attribute{Cluster: c, Client: client, ID: id}, order)
	if !ok {
		return Attribute{}, false
	}
	return t.all[i], true
}

// Find finds an attribute by its name.
func (t *Table) Find(c Cluster, client bool, name string) (Attribute, bool) {
	for _, a := range t.Of(c, client) {
		if a.Name == name {
			return a, true
		}
	}
	return Attribute{}, false
}

// Of lists the attributes of one side of a cluster, by identifier.
func (t *Table) Of(c Cluster, client bool) []Attribute {
	from, _ := slices.BinarySearchFunc(t.all, Attribute{Cluster: c, Client: client}, order)
	to := from
	for to < len(t.all) && t.all[to].Cluster == c && t.all[to].Client == client {
		to++
	}
	return t.all[from:to:to]
}

// Len is how many attributes there are.
func (t *Table) Len() int { return len(t.all) }

// ErrTable: a line of an attribute table that means nothing.
var ErrTable = errors.New("not an attribute table")

// ParseTable reads a table in the form of attributes.txt, which explains itself in its first lines.
func ParseTable(text string) (*Table, error) {
	var t Table
	var at Attribute
	section := false
	for n, line := range strings.Split(text, "\n") {
		f := strings.Fields(line)
		fail := func(what string) error {
			return fmt.Errorf("se: line %d: %s in %q: %w", n+1, what, line, ErrTable)
		}
		switch {
		case len(f) == 0 || strings.HasPrefix(f[0], "#"):
			continue
		case len(f) != 3:
			return nil, fail("want three words")
		case f[0] == "cluster":
			id, err := strconv.ParseUint(f[1], 16, 16)
			if err != nil || f[2] != "server" && f[2] != "client" {
				return nil, fail("want a cluster identifier and server or client")
			}
			at = Attribute{Cluster: Cluster(id), Client: f[2] == "client"}
			section = true
			continue
		case !section:
			return nil, fail("attribute before the first cluster")
		}
		d, err := zcl.ParseDataType(f[1])
		if err != nil {
			return nil, fail("no data type")
		}
		at.Type = d
		if !t.expand(at, f[0], f[2]) {
			return nil, fail("want an identifier with at most two ranges, and a name with a number in braces for each")
		}
	}
	slices.SortFunc(t.all, order)
	for i := 1; i < len(t.all); i++ {
		if order(t.all[i-1], t.all[i]) == 0 {
			return nil, fmt.Errorf("se: %s has attribute %04X twice: %w", t.all[i].Cluster, uint16(t.all[i].ID), ErrTable)
		}
	}
	return &t, nil
}

// span is one range: count identifiers in steps.
type span struct{ step, count int }

// expand adds what one line stands for.
func (t *Table) expand(at Attribute, ids, name string) bool {
	parts := strings.Split(ids, "+")
	base, err := strconv.ParseUint(parts[0], 16, 16)
	if err != nil || len(parts) > 3 {
		return false
	}
	spans := [2]span{{0, 1}, {0, 1}}
	for i, p := range parts[1:] {
		step, count, ok := strings.Cut(p, "*")
		s, err1 := strconv.ParseUint(step, 16, 16)
		c, err2 := strconv.ParseUint(count, 10, 8)
		if !ok || err1 != nil || err2 != nil || s == 0 || c == 0 {
			return false
		}
		spans[i] = span{int(s), int(c)}
	}
	pieces, numbers, ok := braces(name)
	if !ok || len(numbers) != len(parts)-1 {
		return false
	}
	for i := range spans[0].count {
		for k := range spans[1].count {
			id := int(base) + i*spans[0].step + k*spans[1].step
			if id > 0xFFFF {
				return false
			}
			at.ID = zcl.Attr(id)
			at.Name = pieces[0]
			for n, offset := range [2]int{i, k} {
				if n < len(numbers) {
					at.Name += strconv.Itoa(numbers[n]+offset) + pieces[n+1]
				}
			}
			t.all = append(t.all, at)
		}
	}
	return true
}

// braces takes a name apart at its numbers in braces.
func braces(name string) (pieces []string, numbers []int, ok bool) {
	for {
		before, rest, found := strings.Cut(name, "{")
		pieces = append(pieces, before)
		if !found {
			return pieces, numbers, !strings.Contains(before, "}")
		}
		number, after, closed := strings.Cut(rest, "}")
		n, err := strconv.Atoi(number)
		if !closed || err != nil || n < 0 || n > 0xFFFF {
			return nil, nil, false
		}
		numbers, name = append(numbers, n), after
	}
}
