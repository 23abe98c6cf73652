package axdr

import (
	"encoding/binary"
	"fmt"
	"math"
)

// A compact-array (published in IEC 62056-5-3; recalled here) sends one type
// description and then the elements without tags:
//
//	13 | type | length in bytes | element element …
//
//	type: the tag of a simple type
//	      01 count(2) type      an array of exactly count elements
//	      02 n type…            a structure of n elements
//
// A Value holds the encoded description in Bytes and the elements in Items, as
// if they had come with their tags.

// CompactArray is a compact-array of items whose description is taken from the
// first item. It fails if there is none or the others differ in shape.
func CompactArray(items ...Value) (Value, error) {
	if len(items) == 0 {
		return Value{}, fmt.Errorf("axdr: compact-array needs an element to describe: %w", ErrLength)
	}
	desc, err := appendDescription(nil, items[0], 0)
	if err != nil {
		return Value{}, err
	}
	v := Value{Tag: TagCompactArray, Bytes: desc, Items: items}
	if _, err := v.appendCompact(nil); err != nil {
		return Value{}, err
	}
	return v, nil
}

// CompactArrayOf is a compact-array with an explicit encoded type description,
// which an empty one needs too.
func CompactArrayOf(description []byte, items ...Value) Value {
	return Value{Tag: TagCompactArray, Bytes: description, Items: items}
}

// appendDescription appends the type description that fits v.
func appendDescription(b []byte, v Value, depth int) ([]byte, error) {
	if depth > defaultDepth {
		return b, fmt.Errorf("axdr: compact-array nested more than %d deep: %w", defaultDepth, ErrLimit)
	}
	var err error
	switch v.Tag {
	case TagArray:
		if len(v.Items) == 0 || len(v.Items) > math.MaxUint16 {
			return b, fmt.Errorf("axdr: array of %d elements inside a compact-array: %w", len(v.Items), ErrLength)
		}
		b = append(b, byte(TagArray))
		b = binary.BigEndian.AppendUint16(b, uint16(len(v.Items)))
		return appendDescription(b, v.Items[0], depth+1)
	case TagStructure:
		b = AppendLength(append(b, byte(TagStructure)), len(v.Items))
		for _, item := range v.Items {
			if b, err = appendDescription(b, item, depth+1); err != nil {
				return b, err
			}
		}
		return b, nil
	case TagCompactArray:
		return b, fmt.Errorf("axdr: compact-array inside a compact-array: %w", ErrTag)
	default:
	}
	if !v.Tag.Valid() {
		return b, fmt.Errorf("axdr: %s: %w", v.Tag, ErrTag)
	}
	return append(b, byte(v.Tag)), nil
}

// appendCompact appends what follows the tag of a compact-array.
func (v Value) appendCompact(b []byte) ([]byte, error) {
	if n, err := skipType(v.Bytes, 0, 1); err != nil {
		return b, err
	} else if n != len(v.Bytes) {
		return b, fmt.Errorf("axdr: %d bytes after the type description: %w", len(v.Bytes)-n, ErrLength)
	}
	var contents []byte
	for i, item := range v.Items {
		before := len(contents)
		var err error
		if contents, _, err = item.appendPacked(contents, v.Bytes, 0); err != nil {
			return b, fmt.Errorf("axdr: element %d of compact-array: %w", i, err)
		}
		if len(contents) == before {
			// Elements without content cannot be counted by a receiver.
			return b, fmt.Errorf("axdr: element %d of compact-array has no content: %w", i, ErrValue)
		}
	}
	b = append(b, v.Bytes...)
	return append(AppendLength(b, len(contents)), contents...), nil
}

// appendPacked appends v without tags as the description at desc[at:] says,
// and returns where the description of the next element begins.
func (v Value) appendPacked(b, desc []byte, at int) ([]byte, int, error) {
	tag := Tag(desc[at])
	if v.Tag != tag {
		return b, at, &TypeError{Got: v.Tag, Want: tag.String()}
	}
	at++
	var err error
	switch tag {
	case TagArray:
		count := int(binary.BigEndian.Uint16(desc[at:]))
		at += 2
		if count != len(v.Items) {
			return b, at, fmt.Errorf("array of %d elements where the type description says %d: %w", len(v.Items), count, ErrLength)
		}
		for _, item := range v.Items {
			if b, _, err = item.appendPacked(b, desc, at); err != nil {
				return b, at, err
			}
		}
		n, err := skipType(desc, at, 0)
		return b, at + n, err
	case TagStructure:
		count, n, err := parseLength(desc[at:])
		if err != nil {
			return b, at, err
		}
		at += n
		if count != len(v.Items) {
			return b, at, fmt.Errorf("structure of %d elements where the type description says %d: %w", len(v.Items), count, ErrLength)
		}
		for _, item := range v.Items {
			if b, at, err = item.appendPacked(b, desc, at); err != nil {
				return b, at, err
			}
		}
		return b, at, nil
	default:
	}
	b, err = v.appendContent(b)
	return b, at, err
}

// compact decodes what follows the tag of a compact-array.
func (p *parser) compact(depth int) (Value, error) {
	n, err := skipType(p.b, p.off, depth+1)
	if err != nil {
		return Value{}, err
	}
	desc := p.b[p.off : p.off+n : p.off+n]
	p.off += n
	size, err := p.length(TagCompactArray)
	if err != nil {
		return Value{}, err
	}
	if size > len(p.b)-p.off-p.owed {
		return Value{}, p.fail(TagCompactArray.String(), ErrTruncated)
	}
	// The elements are read by a parser that sees the contents only, so none
	// of them can reach past their end.
	inner := parser{b: p.b[:p.off+size], off: p.off, depth: p.depth, cells: p.cells}
	var items []Value
	for inner.off < len(inner.b) {
		if inner.cells < 1 {
			return Value{}, inner.fail("number of elements", ErrLimit)
		}
		inner.cells--
		before := inner.off
		item, _, err := inner.packed(desc, 0, depth+1)
		if err != nil {
			return Value{}, err
		}
		if inner.off == before {
			return Value{}, inner.fail("element of compact-array without content", ErrValue)
		}
		items = append(items, item)
	}
	p.off, p.cells = inner.off, inner.cells
	return Value{Tag: TagCompactArray, Bytes: desc, Items: items}, nil
}

// packed decodes one element without tags as the description at desc[at:]
// says, and returns where the description of the next element begins.
func (p *parser) packed(desc []byte, at, depth int) (Value, int, error) {
	if depth > p.depth {
		return Value{}, at, p.fail("depth of nesting", ErrLimit)
	}
	tag := Tag(desc[at])
	at++
	switch tag {
	case TagArray:
		count := int(binary.BigEndian.Uint16(desc[at:]))
		at += 2
		items, err := p.alloc(count)
		if err != nil {
			return Value{}, at, err
		}
		for i := range items {
			if items[i], _, err = p.packed(desc, at, depth+1); err != nil {
				return Value{}, at, err
			}
		}
		n, err := skipType(desc, at, 0)
		return Value{Tag: tag, Items: items}, at + n, err
	case TagStructure:
		count, n, err := parseLength(desc[at:])
		if err != nil {
			return Value{}, at, p.fail("type description", err)
		}
		at += n
		items, err := p.alloc(count)
		if err != nil {
			return Value{}, at, err
		}
		for i := range items {
			if items[i], at, err = p.packed(desc, at, depth+1); err != nil {
				return Value{}, at, err
			}
		}
		return Value{Tag: tag, Items: items}, at, nil
	default:
	}
	v, err := p.content(tag)
	return v, at, err
}
