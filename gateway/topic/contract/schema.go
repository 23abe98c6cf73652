// Package contract writes the MQTT contract of package topic down for others: as JSON Schema 2020-12, as AsyncAPI 3.0, and as a page for each
// verb, all made from the Go types and their comments. What lies in docs/mqtt is its output, which a test holds up to date:
//
//	go test ./gateway/topic/contract -run TestDocs -update
package contract

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"smets1/gateway/topic"
	"smets1/internal/wire"
)

// Schema is a JSON Schema, or a part of one.
type Schema map[string]any

// SchemaID is what the schema calls itself.
const SchemaID = "https://smets1.invalid/mqtt/v1/schema.json"

const euiPattern = "^([0-9A-F]{2}-){7}[0-9A-F]{2}$"

// messages are the payloads of the contract.
var messages = []any{
	topic.Command{}, topic.Result{}, topic.BridgeState{}, topic.BridgeInfo{}, topic.HubState{}, topic.DeviceState{}, topic.Event{}, topic.Telemetry{}, topic.ManyResult{},
}

// maker makes the definitions of types.
type maker struct {
	defs Schema
	docs Docs
}

// JSONSchema makes the schema of all payloads, arguments and results. The definitions are named after the Go types; those of a verb's
// arguments and result also stand under "args/<verb>" and "result/<verb>".
func JSONSchema(docs Docs) Schema {
	m := maker{defs: Schema{}, docs: docs}
	for _, v := range messages {
		m.of(reflect.TypeOf(v))
	}
	for _, v := range topic.Verbs() {
		m.defs["args/"+string(v.Verb)] = m.of(reflect.TypeOf(v.Args))
		m.defs["result/"+string(v.Verb)] = m.of(reflect.TypeOf(v.Result))
	}
	return Schema{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SchemaID,
		"title":       "Payloads of smets1 over MQTT, version 1",
		"description": "Members that are not named here may be there, and are to be ignored.",
		"$defs":       m.defs,
	}
}

func ref(name string) Schema { return Schema{"$ref": "#/$defs/" + strings.ReplaceAll(name, "/", "~1")} }

func words[T ~string](all ...T) Schema {
	list := make([]string, len(all))
	for i, w := range all {
		list[i] = string(w)
	}
	return Schema{"type": "string", "enum": list}
}

// special are the types that are not what their fields say.
func (m *maker) special(t reflect.Type) (Schema, bool) {
	switch t {
	case reflect.TypeFor[time.Time]():
		return Schema{"type": "string", "format": "date-time"}, true
	case reflect.TypeFor[wire.EUI64]():
		return Schema{"type": "string", "pattern": euiPattern}, true
	case reflect.TypeFor[topic.Device]():
		return Schema{"type": "string", "pattern": "^(|chf|esme|gsme|ihd|" + euiPattern[1:len(euiPattern)-1] + ")$"}, true
	case reflect.TypeFor[json.RawMessage]():
		return Schema{}, true
	case reflect.TypeFor[topic.Status]():
		return words(topic.StatusAccepted, topic.StatusRunning, topic.StatusDone, topic.StatusFailed, topic.StatusRejected, topic.StatusInDoubt), true
	case reflect.TypeFor[topic.Condition]():
		return words(topic.Init, topic.Ready, topic.Sleeping, topic.Lost, topic.Alert), true
	case reflect.TypeFor[topic.Code]():
		return Schema{"type": "string", "pattern": "^[a-z]+(-[a-z]+)*$", "description": "A code of the table; a later version may have more."}, true
	case reflect.TypeFor[topic.Value]():
		if m.defs["Value"] == nil {
			m.defs["Value"] = valueSchema()
		}
		return ref("Value"), true
	}
	return nil, false
}

func valueSchema() Schema {
	var names []string
	for n := range 256 {
		if s := topic.ValueType(n).String(); !strings.HasPrefix(s, "type-") {
			names = append(names, s)
		}
	}
	return Schema{
		"type": "object", "required": []string{"type"}, "description": "A COSEM value without loss; the forms of value are in the README.",
		"properties": Schema{"type": Schema{"enum": names}, "value": Schema{}, "hex": Schema{"type": "string", "pattern": "^([0-9a-fA-F]{2})*$"}},
	}
}

// of gives the schema of a type; structs become definitions.
func (m *maker) of(t reflect.Type) Schema {
	if s, ok := m.special(t); ok {
		return s
	}
	switch t.Kind() {
	case reflect.Pointer:
		return m.of(t.Elem())
	case reflect.Struct:
		if m.defs[t.Name()] == nil {
			m.defs[t.Name()] = Schema{} // it may hold itself
			m.defs[t.Name()] = m.object(t)
		}
		return ref(t.Name())
	case reflect.Slice:
		return Schema{"type": []string{"array", "null"}, "items": m.of(t.Elem())}
	case reflect.Map:
		return Schema{"type": []string{"object", "null"}, "additionalProperties": m.of(t.Elem())}
	case reflect.Bool:
		return Schema{"type": "boolean"}
	case reflect.String:
		return Schema{"type": "string"}
	case reflect.Float64:
		return Schema{"type": "number"}
	case reflect.Int, reflect.Int8, reflect.Int64:
		return Schema{"type": "integer"}
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return Schema{"type": "integer", "minimum": 0}
	}
	panic(fmt.Sprintf("contract: no schema for %s", t)) // a mistake in package topic, which a test finds
}

func (m *maker) object(t reflect.Type) Schema {
	properties, required := Schema{}, []string{}
	for _, f := range fields(t) {
		s := m.of(f.Type)
		if doc := m.docs.Field(f.Owner, f.Go); doc != "" {
			s = with(s, "description", doc)
		}
		properties[f.Name] = s
		if !f.Optional {
			required = append(required, f.Name)
		}
	}
	s := Schema{"type": "object", "properties": properties}
	if len(required) > 0 {
		s["required"] = required
	}
	if doc := m.docs.Type(t.Name()); doc != "" {
		s["description"] = doc
	}
	return s
}

func with(s Schema, key string, value any) Schema {
	out := Schema{key: value}
	for k, v := range s {
		out[k] = v
	}
	return out
}

// field is a member of a payload.
type field struct {
	Name, Go, Owner string
	Type            reflect.Type
	Optional        bool
}

// fields lists the members of a struct, those of embedded ones in their place.
func fields(t reflect.Type) (out []field) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		switch {
		case f.Anonymous && tag == "":
			out = append(out, fields(f.Type)...)
		case tag == "-" || !f.IsExported():
		default:
			name, options, _ := strings.Cut(tag, ",")
			out = append(out, field{name, f.Name, t.Name(), f.Type, strings.Contains(options, "omitzero")})
		}
	}
	return out
}
