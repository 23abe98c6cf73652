package bridge_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/gateway/bridge"
	"smets1/gateway/job"
	"smets1/gateway/topic"
)

// hostile is a message that must have its code and no effect.
type hostile struct {
	at, payload string
	code        topic.Code
}

// hostiles are a hundred and more: sizes, depths, types, unicode, path tricks, replays of others' ids, wrong roles. Retained commands have a test of their own.
func hostiles() (all []hostile) {
	wake := tree.HubCommand(hubA, topic.Wake)
	add := func(code topic.Code, at string, payloads ...string) {
		for _, p := range payloads {
			all = append(all, hostile{at: at, payload: p, code: code})
		}
	}
	deep := func(open, end string, n int) string {
		return `{"id":"x","args":` + strings.Repeat(open, n) + strings.Repeat(end, n) + `}`
	}
	add(topic.CodeTooBig, wake, `{"id":"x","args":`+strings.Repeat(`{"a":`, 30)+"1"+strings.Repeat("}", 31), deep("[", "]", 25), deep("[", "]", 5000),
		`{"id":"x","args":{"a":"`+strings.Repeat("x", topic.DefaultSize)+`"}}`, strings.Repeat(" ", topic.DefaultSize+1), strings.Repeat("[", 30000))
	add(topic.CodeBadJSON, wake, ``, ` `, `null`, `true`, `0`, `"id"`, `[]`, `[{}]`, `{`, `}`, `{"id"}`, `{"id":}`, `{"id":"x"`, `{"id":"x",}`, `{'id':'x'}`, "{\"id\":\"x\"}\x00", "\xff\xfe", "\xef\xbb\xbf{\"id\":\"x\"}",
		`{"id":1}`, `{"id":["x"]}`, `{"id":{"x":1}}`, `{"id":"x","deadline":"noon"}`, `{"id":"x","deadline":5}`, `{"id":"x","expect":-1}`, `{"id":"x","expect":1.5}`, `{"id":"x","expect":"7"}`, `{"id":"x","expect":1e30}`,
		`{"id":"x","device":"kettle"}`, `{"id":"x","device":"ESME"}`, `{"id":"x","device":"../esme"}`, `{"id":"x","device":"00-db-12-34-56-78-90-a0"}`, `{"id":"x","device":7}`, `{"id":"x","schema":"1"}`, `{"id":"x","reply":7}`, `{"id":"x","priority":"high"}`, `{"id":"x","priority":1.5}`,
		`{"id":"x","device":"00-DB-12-34-56-78-90-A0-00"}`, `{"id":"x","deadline":"2026-13-45T00:00:00Z"}`)
	add(topic.CodeBadID, wake, `{}`, `{"id":""}`, `{"id":null}`, `{"id":" x"}`, `{"id":"a b"}`, `{"id":"a\u0000b"}`, `{"id":"a\nb"}`, `{"id":"ä"}`, `{"id":"\u202Eabc"}`, `{"id":"a#"}`, `{"id":"a*"}`, `{"id":"a;b"}`, `{"id":"a\\b"}`,
		`{"id":"`+strings.Repeat("i", topic.MaxID+1)+`"}`)
	add(topic.CodeBadReply, wake, `{"id":"x","reply":"elsewhere"}`, `{"id":"x","reply":"smets1/v1/other/rsp/me"}`, `{"id":"x","reply":"smets1/v1/lab/rsp/"}`, `{"id":"x","reply":"smets1/v1/lab/rsp/+"}`, `{"id":"x","reply":"smets1/v1/lab/rsp/#"}`,
		`{"id":"x","reply":"smets1/v1/lab/rsp/a/b"}`, `{"id":"x","reply":"smets1/v1/lab/bridge/n1/state"}`, `{"id":"x","reply":"smets1/v1/lab/hub/00-DB-12-34-56-78-90-A0/cmd/wake"}`, `{"id":"x","reply":"$SYS/broker"}`, `{"id":"x","reply":"smets1/v1/lab/rsp/../x"}`)
	add(topic.CodeBadSchema, wake, `{"id":"x","schema":2}`, `{"id":"x","schema":-1}`, `{"id":"x","schema":999999}`)
	add(topic.CodeBadArgs, wake, `{"id":"x","args":[]}`, `{"id":"x","args":"{}"}`, `{"id":"x","args":7}`, `{"id":"x","args":true}`, `{"id":"x","args":{"timeout_seconds":"long"}}`, `{"id":"x","args":{"timeout_seconds":[1]}}`, `{"id":"x","priority":10}`, `{"id":"x","priority":-10}`)
	for _, verb := range []string{"dance", "WAKE", "wake.", ".wake", "wake..now", "list", "snapshot", "-", "wäke", "keys-takeover", strings.Repeat("v", 41), "jobs", "cancel"} {
		add(topic.CodeUnknownVerb, tree.Root()+"/hub/"+hubA.String()+"/cmd/"+verb, `{"id":"x"}`)
	}
	for _, verb := range []string{"wake", "dance", "keys.takeover"} {
		add(topic.CodeUnknownVerb, tree.Root()+"/bridge/req/"+verb, `{"id":"x"}`)
	}
	for _, verb := range []string{"list", "dance", "clock", "jobs"} {
		add(topic.CodeUnknownVerb, tree.Root()+"/bridge/many/"+verb, `{"id":"x","select":{"all":true}}`)
	}
	add(topic.CodeBadArgs, tree.ManyCommand(topic.Wake), `{"id":"x"}`, `{"id":"x","select":null}`, `{"id":"x","select":{}}`, `{"id":"x","select":{"all":false}}`, `{"id":"x","select":{"all":true,"parallel":-1}}`, `{"id":"x","select":{"all":true,"parallel":100000}}`, `{"id":"x","select":{"all":true},"expect":3}`)
	add(topic.CodeBadID, tree.ManyCommand(topic.Wake), `{"id":"`+strings.Repeat("i", topic.MaxID-10)+`","select":{"all":true}}`)
	for _, hub := range []string{"00-db-12-34-56-78-90-a0", "00DB1234567890A0", "00-DB-12-34-56-78-90", "..", "all", "00-DB-12-34-56-78-90-A0-FF", "%2e%2e"} {
		add(topic.CodeBadTopic, tree.Root()+"/hub/"+hub+"/cmd/wake", `{"id":"x"}`)
	}
	add(topic.CodeBadTopic, tree.Root()+"/hub/"+hubA.String()+"/cmd/wake/now", `{"id":"x"}`)
	add(topic.CodeBadTopic, tree.Root()+"/hub/"+hubA.String()+"/cmd/"+strings.Repeat("a/", 120)+"b", `{"id":"x"}`)
	add(topic.CodeBadTopic, tree.Root()+"/bridge/req/list/all", `{"id":"x"}`)
	add(topic.CodeUnknownHub, tree.HubCommand(nowhere, topic.Wake), `{"id":"x"}`, `{"id":"x","hub":"`+hubA.String()+`"}`)
	add(topic.CodeIDReused, wake, `{"id":"taken","args":{"timeout_seconds":99}}`, `{"id":"taken","device":"gsme"}`)
	add(topic.CodeExpired, wake, `{"id":"x","deadline":"2001-01-01T00:00:00Z"}`)
	add(topic.CodeForbidden, tree.HubCommand(hubA, topic.KeysTakeover), `{"id":"x","args":{"owner":"me"}}`, `{"id":"x","reply":"smets1/v1/lab/rsp/stranger","args":{"owner":"me"}}`)
	add(topic.CodeForbidden, tree.HubCommand(hubA, topic.Write), `{"id":"x","args":{"items":[]}}`)
	return all
}

func TestHundredHostileMessages(t *testing.T) {
	all := hostiles()
	require.GreaterOrEqual(t, len(all), 100)
	url := brokerURL(t)
	c := newClient(t, url, "attacker", tree.Root()+"/rsp/+", tree.Root()+"/bridge/+/refused", tree.Root()+"/hub/+/evt/+")
	ran := make(chan string, len(all))
	startGateway(t, setup{url: url, handle: func(_ context.Context, task *job.Task) (any, error) {
		ran <- task.ID
		return nil, nil
	}, tune: func(c *bridge.Config) {
		c.Roles = func(client string) []topic.Role {
			if client == "stranger" {
				return nil
			}
			return []topic.Role{topic.Operator}
		}
	}})
	code := func(what string) topic.Code {
		var got topic.Result
		c.until("a refusal of "+what, func(m message) bool {
			payload := m.payload
			if strings.Contains(m.topic, "/evt/") {
				e := decode[topic.Event](t, payload)
				payload = e.Data
			}
			r, err := topic.ParseResult(payload, topic.Limits{Size: 1 << 20})
			got = r
			return err == nil && r.Status == topic.StatusRejected
		})
		return got.Code
	}
	require.Equal(t, topic.StatusDone, c.ask(command("taken", hubA, topic.Wake, nil)).Status)
	require.Equal(t, "taken", <-ran)
	var wrong []string
	for i, h := range all {
		c.send(h.at, []byte(h.payload), false)
		what := fmt.Sprintf("%d: %.120s on %.120s", i, h.payload, h.at)
		if got := code(what); got != h.code {
			wrong = append(wrong, fmt.Sprintf("%s is %s, not %s", what, got, h.code))
		}
	}
	require.Empty(t, wrong)
	require.Empty(t, ran, "none has an effect")
	require.Equal(t, topic.StatusDone, c.ask(command("alive", hubA, topic.Wake, nil)).Status)
}
