package config

import (
	"fmt"
	"io"
	"reflect"
	"strings"
)

// Explain writes every key with its meaning, default, variable and flag, as a
// file that sets each to its default: it can be saved and edited.
func Explain(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# Every setting of smets1d, with its default. A file needs only what differs.\n" +
		"# Over the file go environment variables, over those the flags.\n")
	for _, k := range fields("", reflect.TypeFor[Config]()) {
		explainKey(&b, k, 0)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func explainKey(b *strings.Builder, k Key, depth int) {
	indent := strings.Repeat("  ", depth)
	if depth == 0 {
		b.WriteString("\n")
	}
	for _, line := range wrap(k.Doc, 90) {
		fmt.Fprintf(b, "%s# %s\n", indent, line)
	}
	if len(k.Words) > 0 {
		fmt.Fprintf(b, "%s# One of: %s.\n", indent, strings.Join(k.Words, ", "))
	}
	if env := k.Env(); env != "" {
		fmt.Fprintf(b, "%s# %s  --%s\n", indent, env, k.Flag())
	}
	switch {
	case k.Group && k.List:
		fmt.Fprintf(b, "%s%s: []\n", indent, name(k.Path))
		indent += "# "
		for i, in := range k.inside() {
			var item strings.Builder
			explainKey(&item, in, 1)
			text := item.String()
			if i == 0 {
				// The hyphen of the entry stands before its first key.
				at := strings.LastIndex(strings.TrimSuffix(text, "\n"), "\n") + 1
				text = text[:at] + "- " + strings.TrimPrefix(text[at:], "  ")
			}
			for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
				fmt.Fprintf(b, "%s%s\n", indent, line)
			}
		}
	case k.Group:
		fmt.Fprintf(b, "%s%s:\n", indent, name(k.Path))
		for _, in := range k.inside() {
			explainKey(b, in, depth+1)
		}
	case k.List:
		fmt.Fprintf(b, "%s%s: []\n", indent, name(k.Path))
	case k.Default == "":
		fmt.Fprintf(b, "%s%s:\n", indent, name(k.Path))
	default:
		fmt.Fprintf(b, "%s%s: %s\n", indent, name(k.Path), k.Default)
	}
}

// wrap breaks a text into lines of about so many characters.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case len(line)+1+len(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
