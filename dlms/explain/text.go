package explain

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Style says how an Explanation is written.
type Style struct {
	// Secrets shows passwords and keys. Zero: they are covered.
	Secrets bool
	// Clauses adds the clause to lines where it is another one than before.
	Clauses bool
}

const (
	rowBytes = 8
	redacted = "redacted"
)

// String is the explanation as text, without secrets, with clauses.
func (e *Explanation) String() string {
	var s strings.Builder
	_ = e.Write(&s, Style{Clauses: true})
	return s.String()
}

// Write writes a line for every field: offset, bytes, name and meaning, clause.
// What was deciphered or put together is written where it was, each layer under
// a letter of its own. Problems stand at the end.
func (e *Explanation) Write(to io.Writer, style Style) error {
	var s strings.Builder
	layer, clause := 0, ""
	for _, f := range e.Fields {
		if f.Layer != layer {
			layer = f.Layer
			if layer > 0 {
				fmt.Fprintf(&s, "%s --- %s, %d bytes\n", prefix(layer), e.Layers[layer].Name, len(e.Layers[layer].Bytes))
			}
		}
		f.write(&s, style, clause)
		clause = f.Clause
	}
	for _, p := range e.Problems {
		fmt.Fprintf(&s, "wrong at %s%04X: %s\n", prefix(p.Layer), p.Offset, p.Text)
	}
	_, err := io.WriteString(to, s.String())
	return err
}

// prefix tells the layers apart: none for the message, then a:, b: and so on.
func prefix(layer int) string {
	if layer == 0 {
		return ""
	}
	s := ""
	for layer--; ; layer = layer/26 - 1 {
		s = string(rune('a'+layer%26)) + s
		if layer < 26 {
			return s + ":"
		}
	}
}

func (f *Field) write(s *strings.Builder, style Style, before string) {
	hide := f.Secret && !style.Secrets
	meaning := strings.Repeat("  ", f.Depth) + f.Name
	switch {
	case hide:
		meaning += ": " + redacted
	case f.Value != "":
		meaning += ": " + f.Value
	}
	if style.Clauses && f.Clause != before && f.Name != NotExplained {
		meaning += "  [" + f.Clause + "]"
	}
	for at := 0; at < len(f.Bytes); at += rowBytes {
		row := f.Bytes[at:min(at+rowBytes, len(f.Bytes))]
		text := fmt.Sprintf("% X", row)
		if hide {
			text = strings.TrimSuffix(strings.Repeat("** ", len(row)), " ")
		}
		line := fmt.Sprintf("%s%04X  %-*s  %s", prefix(f.Layer), f.Offset+at, 3*rowBytes-1, text, meaning)
		s.WriteString(strings.TrimRight(line, " ") + "\n")
		meaning = ""
	}
}

type jsonField struct {
	Layer  int    `json:"layer"`
	Offset int    `json:"offset"`
	Bytes  string `json:"bytes"`
	Depth  int    `json:"depth"`
	Name   string `json:"name"`
	Value  string `json:"value,omitempty"`
	Clause string `json:"clause,omitempty"`
	Secret bool   `json:"secret,omitempty"`
}

type jsonProblem struct {
	Layer  int    `json:"layer"`
	Offset int    `json:"offset"`
	Text   string `json:"text"`
}

type jsonExplanation struct {
	Form     string        `json:"form"`
	Layers   []string      `json:"layers"`
	Fields   []jsonField   `json:"fields"`
	Problems []jsonProblem `json:"problems"`
}

// JSON is the explanation as JSON, secrets covered unless the style shows them.
// Bytes are in hexadecimal.
func (e *Explanation) JSON(style Style) ([]byte, error) {
	out := jsonExplanation{Form: e.Form.String(), Fields: []jsonField{}, Problems: []jsonProblem{}}
	for _, l := range e.Layers {
		out.Layers = append(out.Layers, l.Name)
	}
	for _, f := range e.Fields {
		j := jsonField{f.Layer, f.Offset, hexBytes(f.Bytes), f.Depth, f.Name, f.Value, f.Clause, f.Secret}
		if f.Secret && !style.Secrets {
			j.Bytes, j.Value = redacted, ""
		}
		out.Fields = append(out.Fields, j)
	}
	for _, p := range e.Problems {
		out.Problems = append(out.Problems, jsonProblem{p.Layer, p.Offset, p.Text})
	}
	return json.MarshalIndent(out, "", "  ")
}
