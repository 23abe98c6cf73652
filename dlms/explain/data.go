package explain

import (
	"fmt"
	"strings"

	"smets1/dlms/axdr"
)

const (
	maxDataDepth = 16
	maxText      = 96 // characters of a value that are shown
	maxCells     = 1 << 18
)

// data explains one A-XDR Data.
func (w *walker) data(name string) { w.dataAt(name, 0) }

func (w *walker) dataAt(name string, depth int) {
	c, ok := w.peek()
	if !ok {
		w.take(1, name)
		return
	}
	tag := axdr.Tag(c)
	switch {
	case !tag.Valid():
		w.fail("%02X is not the tag of a Data", c)
	case depth > maxDataDepth:
		w.fail("more than %d containers inside one another", maxDataDepth)
	case tag == axdr.TagArray, tag == axdr.TagStructure:
		w.container(name, tag, depth)
	case tag == axdr.TagCompactArray:
		w.compactArray(name)
	default:
		w.simple(name, tag)
	}
}

func (w *walker) container(name string, tag axdr.Tag, depth int) {
	n, size, err := parseLength(w.rest()[1:])
	if err != "" {
		w.take(1, name)
		w.say("%s", tag)
		w.fail("number of elements: %s", err)
		return
	}
	w.take(1+size, name)
	w.say("%s of %d", tag, n)
	if n > len(w.rest()) {
		w.fail("%s of %d elements, and %d bytes are left: each takes one at least", tag, n, len(w.rest()))
		return
	}
	w.inside(func() {
		for i := 0; i < n && !w.failed; i++ {
			w.dataAt(fmt.Sprintf("[%d]", i+1), depth+1)
		}
	})
}

// simple explains a type without elements: one field, tag and length included.
func (w *walker) simple(name string, tag axdr.Tag) {
	v, n, err := axdr.Parse(w.rest())
	if err == nil {
		w.take(n, name)
		w.say("%s", describe(v))
		return
	}
	// It ends too early: show what is there.
	w.take(1, name)
	w.say("%s", tag)
	switch tag {
	case axdr.TagOctetString, axdr.TagVisibleString, axdr.TagUTF8:
		n := w.length("length", "bytes")
		w.take(n, tag.String())
	case axdr.TagBitString:
		n := w.length("length", "bits")
		w.take(n/8+(n%8+7)/8, tag.String())
	default:
		w.take(sizeOf(tag), tag.String())
	}
	if !w.failed {
		w.fail("%v", err)
	}
}

// sizeOf is the content length of a type that always has the same.
func sizeOf(t axdr.Tag) int {
	var zero [16]byte
	b := append([]byte{byte(t)}, zero[:]...)
	n, err := axdr.Skip(b)
	if err != nil {
		return 1
	}
	return n - 1
}

func describe(v axdr.Value) string {
	text := v.Text()
	switch v.Tag {
	case axdr.TagNull, axdr.TagDontCare:
		return v.Tag.String()
	case axdr.TagOctetString:
		if hint := v.Hint(); hint != "" {
			text = hint
		}
		return fmt.Sprintf("octet-string of %d: %s", len(v.Bytes), clip(text))
	case axdr.TagBitString:
		return fmt.Sprintf("bit-string of %d: %s", v.Num, clip(text))
	case axdr.TagVisibleString, axdr.TagUTF8:
		return fmt.Sprintf("%s of %d: %s", v.Tag, len(v.Bytes), clip(text))
	default:
	}
	return fmt.Sprintf("%s %s", v.Tag, clip(text))
}

func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText], "") + "…"
}

// compactArray explains tag, type description and contents.
func (w *walker) compactArray(name string) {
	// A few bytes can stand for many elements: all of a message share one budget.
	v, n, err := axdr.Limits{Cells: max(1, maxCells-w.out.cells)}.Parse(w.rest())
	w.out.cells += cells(v)
	if err != nil {
		w.take(1, name)
		w.say("compact-array")
		w.fail("%v", err)
		return
	}
	content := n - 1 - len(v.Bytes)
	_, size, _ := parseLength(w.rest()[1+len(v.Bytes):])
	w.take(1, name)
	w.say("compact-array of %d", len(v.Items))
	w.inside(func() {
		w.take(len(v.Bytes), "type of the elements")
		w.say("%s", description(v.Bytes))
		w.take(size, "length of the contents")
		w.say("%d bytes", content-size)
		w.take(content-size, "contents")
		w.say("%s", clip(v.Text()))
	})
}

func cells(v axdr.Value) int {
	n := len(v.Items)
	for _, item := range v.Items {
		n += cells(item)
	}
	return n
}

// description puts a type description into words.
func description(b []byte) string {
	s, _ := describeType(b, 0)
	return clip(s)
}

func describeType(b []byte, depth int) (string, []byte) {
	if len(b) == 0 || depth > maxDataDepth {
		return "…", nil
	}
	tag, b := axdr.Tag(b[0]), b[1:]
	switch tag {
	case axdr.TagArray:
		if len(b) < 2 {
			return "…", nil
		}
		n := int(b[0])<<8 | int(b[1])
		inner, rest := describeType(b[2:], depth+1)
		return fmt.Sprintf("array of %d %s", n, inner), rest
	case axdr.TagStructure:
		n, size, err := parseLength(b)
		if err != "" {
			return "…", nil
		}
		b = b[size:]
		var parts []string
		for range n {
			if len(b) == 0 {
				break
			}
			var part string
			part, b = describeType(b, depth+1)
			parts = append(parts, part)
		}
		return "structure{" + strings.Join(parts, ", ") + "}", b
	default:
	}
	return tag.String(), b
}
