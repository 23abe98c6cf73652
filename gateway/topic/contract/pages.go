package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"smets1/gateway/topic"
)

// Files makes everything that lies in docs/mqtt, by file name.
func Files(docs Docs) (map[string][]byte, error) {
	out := map[string][]byte{}
	for name, v := range map[string]any{"schema.json": JSONSchema(docs), "asyncapi.json": AsyncAPI()} {
		b, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			return nil, err
		}
		out[name] = append(b, '\n')
	}
	examples := Examples()
	for _, v := range topic.Verbs() {
		e, ok := examples[v.Verb]
		if !ok {
			return nil, fmt.Errorf("contract: verb %s has no example", v.Verb)
		}
		page, err := verbPage(docs, v, e)
		if err != nil {
			return nil, fmt.Errorf("contract: page of %s: %w", v.Verb, err)
		}
		out[fileOf(v.Verb)] = page
	}
	out["README.md"] = index()
	return out, nil
}

func fileOf(v topic.Verb) string { return "verb-" + strings.ReplaceAll(string(v), ".", "-") + ".md" }

func index() []byte {
	var b bytes.Buffer
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("# The MQTT contract\n")
	p("Made from the Go types of `gateway/topic` (`go test ./gateway/topic/contract -run TestDocs -update`); do not edit. Rules of sending and answering are in")
	p("[operations.md](../operations.md) and in the package comment of `gateway/topic`. For programs: [schema.json](schema.json) (JSON Schema 2020-12) and")
	p("[asyncapi.json](asyncapi.json) (AsyncAPI 3.0). The whole contract is ours.\n")
	p("## Topics\n\nAll below `%s/<fleet>/`.\n", topic.Prefix)
	p("| topic | gateway | QoS | retained | payload |\n| --- | --- | --- | --- | --- |")
	for _, c := range channels() {
		if c.in {
			continue
		}
		p("| `%s` | sends | %d | %s | %s |", c.address, c.qos, yes(c.retained), strings.Join(c.messages, ", "))
	}
	p("| `hub/{hub}/cmd/<verb>` | receives | 1 | never | Command for one hub and the devices behind it |")
	p("| `bridge/many/<verb>` | receives | 1 | never | Command with `select`, for many hubs; the result is a ManyResult |")
	p("| `bridge/req/<verb>` | receives | 1 | never | Command for the fleet |")
	p("\n## Verbs\n\n| verb | for | roles | changes | |\n| --- | --- | --- | --- | --- |")
	for _, v := range topic.Verbs() {
		p("| [`%s`](%s) | %s | %s | %s | %s |", v.Verb, fileOf(v.Verb), forWhom(v), rolesOf(v), changes(v), v.Sentence)
	}
	p("\n## Codes\n\nStable: a code keeps its meaning. *Again* says that the same command under a new id may succeed later with nothing changed by a person.\n")
	p("| code | ends as | again | meaning |\n| --- | --- | --- | --- |")
	for _, c := range topic.Codes() {
		p("| `%s` | %s | %s | %s |", c.Code, c.Status, yes(c.Retryable), c.Sentence)
	}
	p("\n## Values\n\nA COSEM value is `{\"type\":…,\"value\":…}`: numbers for integers and enums, decimal digits in a string for 64 bits, true and false, hexadecimal digits for")
	p("octet-string and dates, text for strings (`hex` where octets are not UTF-8), 0 and 1 for bit-string, a list for array and structure.")
	return b.Bytes()
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

func forWhom(v topic.VerbInfo) string {
	if v.Fleet {
		return "fleet"
	}
	return "hub, many"
}

func changes(v topic.VerbInfo) string {
	switch {
	case v.Irreversible:
		return "cannot be undone"
	case v.Mutates:
		return "yes"
	}
	return ""
}

func rolesOf(v topic.VerbInfo) string {
	var s []string
	for _, r := range v.Roles {
		s = append(s, string(r))
	}
	return strings.Join(s, ", ")
}

func verbPage(docs Docs, v topic.VerbInfo, e Example) ([]byte, error) {
	c, err := e.Command(v)
	if err != nil {
		return nil, err
	}
	command, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return nil, err
	}
	r := topic.EndedBy(c, nil, noon)
	if r.Result, err = json.Marshal(e.Result); err != nil {
		return nil, err
	}
	result, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("# %s\n\n%s\n", v.Verb, v.Sentence)
	tree, _ := topic.NewTree("lab")
	p("| | |\n| --- | --- |\n| topic | `%s` |", c.Topic(tree))
	if !v.Fleet {
		p("| for many homes | `%s`, with `select` |", tree.ManyCommand(v.Verb))
	}
	p("| roles | %s |", rolesOf(v))
	switch {
	case v.Query:
		p("| kept | no: the node answers at once, of what it knows |")
	case v.Irreversible:
		p("| kept | intent, start and result, synced. It has a step that cannot be undone: real hubs need a `permit` |")
	default:
		p("| kept | intent and result |")
	}
	p("| changes | %s |\n", map[bool]string{true: "the hub: its revision grows", false: "nothing"}[v.Mutates])
	if doc := docs.Type(reflect.TypeOf(v.Args).Name()); doc != "" {
		p("%s\n", doc)
	}
	p("## Arguments\n")
	members(p, docs, reflect.TypeOf(v.Args), map[string]bool{})
	p("## Result\n")
	members(p, docs, reflect.TypeOf(v.Result), map[string]bool{})
	p("## Example\n\n```json\n%s\n```\n\nmay be answered on `%s` with\n\n```json\n%s\n```\n", command, c.Reply, result)
	to := "fleet"
	if !v.Fleet {
		to = c.Hub.String()
	}
	line := fmt.Sprintf("smets1 mqtt send %s %s", to, v.Verb)
	if c.Device != "" {
		line += " --device " + string(c.Device)
	}
	if args := string(c.Args); args != "{}" && args != "" {
		line += " '" + args + "'"
	}
	p("From a terminal: `%s`", line)
	return b.Bytes(), nil
}

// members writes the members of a type, and those of the types in it.
func members(p func(string, ...any), docs Docs, t reflect.Type, seen map[string]bool) {
	fs := fields(t)
	if len(fs) == 0 {
		p("None.\n")
		return
	}
	p("| member of %s | type | | meaning |\n| --- | --- | --- | --- |", t.Name())
	var inner []reflect.Type
	for _, f := range fs {
		name, in := typeName(f.Type)
		if in != nil && !seen[in.Name()] {
			seen[in.Name()] = true
			inner = append(inner, in)
		}
		optional := ""
		if f.Optional {
			optional = "may be absent"
		}
		p("| `%s` | %s | %s | %s |", f.Name, name, optional, docs.Field(f.Owner, f.Go))
	}
	p("")
	for _, in := range inner {
		members(p, docs, in, seen)
	}
}

// typeName names a type for people, and gives the struct in it whose members are worth a table.
func typeName(t reflect.Type) (string, reflect.Type) {
	switch t.Kind() {
	case reflect.Pointer:
		return typeName(t.Elem())
	case reflect.Slice:
		if t == reflect.TypeFor[json.RawMessage]() {
			return "any JSON", nil
		}
		name, in := typeName(t.Elem())
		return "list of " + name, in
	case reflect.Map:
		name, in := typeName(t.Elem())
		return "object of " + name, in
	}
	m := maker{defs: Schema{}}
	if s, ok := m.special(t); ok {
		switch {
		case s["format"] != nil:
			return "time", nil
		case t.Name() == "Value":
			return "value", nil
		}
		return t.Name(), nil
	}
	switch t.Kind() {
	case reflect.Struct:
		return t.Name(), t
	case reflect.Float64:
		return "number", nil
	case reflect.Bool:
		return "true or false", nil
	case reflect.String:
		return "text", nil
	default:
		return "integer", nil
	}
}
