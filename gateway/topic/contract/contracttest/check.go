// Package contracttest holds messages against the schema of the contract, for tests of whoever sends or receives some.
package contracttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"smets1/gateway/topic"
	"smets1/gateway/topic/contract"
)

var compiler = sync.OnceValue(func() *jsonschema.Compiler {
	c := jsonschema.NewCompiler()
	b, err := json.Marshal(contract.JSONSchema(nil))
	if err != nil {
		panic(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		panic(err)
	}
	c.AssertFormat()
	if err := c.AddResource(contract.SchemaID, doc); err != nil {
		panic(err)
	}
	return c
})

var (
	mu       sync.Mutex
	compiled = map[string]*jsonschema.Schema{}
)

// Valid holds a payload against a definition of the schema.
func Valid(definition string, payload []byte) error {
	mu.Lock()
	defer mu.Unlock()
	s := compiled[definition]
	if s == nil {
		var err error
		if s, err = compiler().Compile(contract.SchemaID + "#/$defs/" + definition); err != nil {
			return err
		}
		compiled[definition] = s
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(payload))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

var payloads = map[topic.Kind]string{
	topic.KindBridgeState: "BridgeState", topic.KindBridgeInfo: "BridgeInfo", topic.KindBridgeRefused: "Result", topic.KindHubState: "HubState",
	topic.KindDeviceState: "DeviceState", topic.KindEvent: "Event", topic.KindTelemetry: "Telemetry", topic.KindReply: "Result",
}

// Sent holds what a gateway sent against the contract: its topic, its payload and, of a command that is done, the result of its
// verb. An empty payload removes what was retained.
func Sent(at string, payload []byte) error {
	a, err := parse(at)
	if err != nil {
		return err
	}
	definition, ok := payloads[a.Kind]
	if !ok {
		return fmt.Errorf("a gateway does not send on %s", at)
	}
	if len(payload) == 0 {
		return nil
	}
	if err := Valid(definition, payload); err != nil {
		return fmt.Errorf("%s: %w\n%s", at, err, payload)
	}
	var r topic.Result
	if definition != "Result" || json.Unmarshal(payload, &r) != nil || r.Status != topic.StatusDone || len(r.Result) == 0 {
		return nil
	}
	if info, known := r.Verb.Info(); known && (info.Fleet || !r.Hub.IsZero()) {
		definition = "result~1" + string(r.Verb)
	} else {
		definition = "ManyResult"
	}
	if err := Valid(definition, r.Result); err != nil {
		return fmt.Errorf("%s: result of %s: %w\n%s", at, r.Verb, err, r.Result)
	}
	return nil
}

// parse takes a topic of any fleet apart.
func parse(at string) (topic.Address, error) {
	rest, ok := bytes.CutPrefix([]byte(at), []byte(topic.Prefix+"/"))
	fleet, _, found := bytes.Cut(rest, []byte("/"))
	if !ok || !found {
		return topic.Address{}, fmt.Errorf("%s is no topic of the contract", at)
	}
	tree, err := topic.NewTree(string(fleet))
	if err != nil {
		return topic.Address{}, err
	}
	return tree.Parse(at)
}
