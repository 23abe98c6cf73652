package contract

import (
	"strings"

	"smets1/gateway/topic"
)

// channel is a row of the table of topics.
type channel struct {
	name, address string
	messages      []string
	qos           int
	retained      bool
	in            bool // the gateway receives
	summary       string
}

func channels() []channel {
	all := []channel{
		{"bridgeState", "bridge/{node}/state", []string{"BridgeState"}, 1, true, false, "Birth and last will of a node."},
		{"bridgeInfo", "bridge/{node}/info", []string{"BridgeInfo"}, 1, true, false, "What a node allows and can do."},
		{"bridgeRefused", "bridge/{node}/refused", []string{"Result"}, 1, false, false, "A refusal that has no reply topic and no hub."},
		{"hubState", "hub/{hub}/state", []string{"HubState"}, 1, true, false, "What is known of a hub; retained up to the count in the node's info."},
		{"deviceState", "hub/{hub}/device/{device}/state", []string{"DeviceState"}, 1, true, false, "What is known of a device behind a hub; retained as the hub's."},
		{"event", "hub/{hub}/evt/{class}", []string{"Event"}, 1, false, false, "What happened at a hub."},
		{"telemetry", "hub/{hub}/tlm/{device}", []string{"Telemetry"}, 0, false, false, "Readings of a device."},
		{"reply", "rsp/{client}", []string{"Result"}, 1, false, false, "The results of a client's commands: one subscription per client."},
	}
	for _, v := range topic.Verbs() {
		name := camel(string(v.Verb))
		if v.Fleet {
			all = append(all, channel{"fleet" + name, "bridge/req/" + string(v.Verb), []string{"command" + name}, 1, false, true, v.Sentence})
			continue
		}
		all = append(all,
			channel{"hub" + name, "hub/{hub}/cmd/" + string(v.Verb), []string{"command" + name}, 1, false, true, v.Sentence},
			channel{"many" + name, "bridge/many/" + string(v.Verb), []string{"command" + name}, 1, false, true, "For many homes: " + v.Sentence})
	}
	return all
}

func camel(s string) string {
	var b strings.Builder
	for _, w := range strings.FieldsFunc(s, func(r rune) bool { return r == '.' || r == '-' }) {
		b.WriteString(strings.ToUpper(w[:1]) + w[1:])
	}
	return b.String()
}

// AsyncAPI makes the description of all topics.
func AsyncAPI() map[string]any {
	chans, ops, msgs := map[string]any{}, map[string]any{}, map[string]any{}
	payload := func(def string) map[string]any {
		return map[string]any{"schemaFormat": "application/schema+json;version=draft-2020-12", "schema": Schema{"$ref": "schema.json#/$defs/" + def}}
	}
	for _, name := range []string{"BridgeState", "BridgeInfo", "HubState", "DeviceState", "Event", "Telemetry"} {
		msgs[name] = map[string]any{"contentType": "application/json", "payload": payload(name)}
	}
	id := map[string]any{"location": "$message.payload#/id"}
	msgs["Result"] = map[string]any{"contentType": "application/json", "payload": payload("Result"), "correlationId": id}
	for _, v := range topic.Verbs() {
		msgs["command"+camel(string(v.Verb))] = map[string]any{
			"contentType": "application/json", "summary": v.Sentence, "correlationId": id,
			"payload": map[string]any{"schemaFormat": "application/schema+json;version=draft-2020-12", "schema": Schema{
				"allOf": []Schema{{"$ref": "schema.json#/$defs/Command"}, {"properties": Schema{"args": Schema{"$ref": "schema.json#/$defs/args~1" + string(v.Verb)}}}},
			}},
		}
	}
	parameters := map[string]string{
		"node": "Name of a gateway.", "hub": "EUI-64 of a hub, like 00-DB-12-34-56-78-90-A0.", "device": "An EUI-64, or chf, esme, gsme, ihd.",
		"class": "Class of the event.", "client": "Name of a client.",
	}
	for _, c := range channels() {
		ch := map[string]any{"address": topic.Prefix + "/{fleet}/" + c.address, "summary": c.summary}
		ps := map[string]any{"fleet": map[string]any{"description": "Name of the fleet."}}
		for p, doc := range parameters {
			if strings.Contains(c.address, "{"+p+"}") {
				ps[p] = map[string]any{"description": doc}
			}
		}
		ch["parameters"] = ps
		refs := map[string]any{}
		for _, m := range c.messages {
			refs[m] = map[string]any{"$ref": "#/components/messages/" + m}
		}
		ch["messages"] = refs
		chans[c.name] = ch
		op := map[string]any{
			"action": "send", "channel": map[string]any{"$ref": "#/channels/" + c.name},
			"bindings": map[string]any{"mqtt": map[string]any{"qos": c.qos, "retain": c.retained, "bindingVersion": "0.2.0"}},
		}
		if c.in {
			op["action"] = "receive"
			op["reply"] = map[string]any{
				"address": map[string]any{"location": "$message.payload#/reply", "description": "rsp/<client> of the same fleet."},
				"channel": map[string]any{"$ref": "#/channels/reply"},
			}
		}
		ops[c.name] = op
	}
	return map[string]any{
		"asyncapi": "3.0.0",
		"info": map[string]any{
			"title": "smets1 over MQTT", "version": "1",
			"description": "The gateway's side: it receives commands and sends results, states, events and readings. Made from the Go types of gateway/topic.",
		},
		"defaultContentType": "application/json",
		"channels":           chans, "operations": ops, "components": map[string]any{"messages": msgs},
	}
}
