package topic

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Schema is the schema number that this version writes and reads. A payload without one is read as 1.
const Schema = 1

// Limits bound a payload before it is decoded. Zero fields mean the defaults.
type Limits struct {
	Size  int // bytes; zero means 64 KiB
	Depth int // nested arrays and objects; zero means 24
}

// Default limits of an incoming payload.
const (
	DefaultSize  = 64 << 10
	DefaultDepth = 24
)

func (l Limits) size() int {
	if l.Size == 0 {
		return DefaultSize
	}
	return l.Size
}

func (l Limits) depth() int {
	if l.Depth == 0 {
		return DefaultDepth
	}
	return l.Depth
}

// Check tells whether a payload may be decoded: short enough, UTF-8, not nested too deep, well-formed JSON.
// It allocates nothing that depends on the payload. Errors are *Error with codes too-big and bad-json.
func (l Limits) Check(b []byte) error {
	if len(b) > l.size() {
		return NewError(CodeTooBig, fmt.Sprintf("the payload has %d bytes", len(b)), "payload", fmt.Sprintf("send at most %d", l.size()))
	}
	if !utf8.Valid(b) {
		return NewError(CodeBadJSON, "the payload is not UTF-8", "payload", "encode it as UTF-8")
	}
	depth, inString := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > l.depth() {
				return NewError(CodeTooBig, "the payload is nested too deep", fmt.Sprintf("payload, byte %d", i), fmt.Sprintf("nest at most %d deep", l.depth()))
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	if !json.Valid(b) {
		var v json.RawMessage
		return badJSON(json.Unmarshal(b, &v))
	}
	return nil
}

// decode checks the payload and decodes it into v; members that v does not have are ignored.
func (l Limits) decode(b []byte, v any) error {
	if err := l.Check(b); err != nil {
		return err
	}
	if t := bytes.TrimLeft(b, " \t\r\n"); t[0] != '{' {
		return NewError(CodeBadJSON, "the payload is not a JSON object", "payload", "send an object")
	}
	if err := json.Unmarshal(b, v); err != nil {
		return badJSON(err)
	}
	return nil
}

func badJSON(err error) error {
	where := "payload"
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		where = fmt.Sprintf("payload, byte %d", e.Offset)
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		where = fmt.Sprintf("payload, member %q", e.Field)
	}
	return Wrap(CodeBadJSON, err, where, "send JSON of the documented shape")
}

func checkSchema(n *int) error {
	switch *n {
	case 0:
		*n = Schema
	case Schema:
	default:
		return NewError(CodeBadSchema, fmt.Sprintf("schema %d is not known", *n), "payload, member \"schema\"", fmt.Sprintf("send schema %d", Schema))
	}
	return nil
}
