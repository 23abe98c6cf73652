package topic_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/gateway/topic"
	"smets1/internal/wire"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

const commandJSON = `{"schema":1,"id":"camp/00-DB-12-34-56-78-90-A0/3","reply":"smets1/v1/lab/rsp/engine","device":"gsme",` +
	`"args":{"timeout_seconds":30},"deadline":"2026-11-24T12:00:00Z","expect":7}`

func aCommand() topic.Command {
	c, err := topic.NewCommand("camp/00-DB-12-34-56-78-90-A0/3", hub, topic.Wake, topic.WakeArgs{TimeoutSeconds: 30})
	if err != nil {
		panic(err)
	}
	n := uint64(7)
	c.Reply, c.Device, c.Deadline, c.Expect = tree.Reply("engine"), topic.GSME, noon, &n
	return c
}

func TestCommandBytes(t *testing.T) {
	c := aCommand()
	b, err := c.Marshal()
	require.NoError(t, err)
	require.Equal(t, commandJSON, string(b))
	a, err := tree.Parse(c.Topic(tree))
	require.NoError(t, err)
	got, err := tree.ParseCommand(a, b, topic.Limits{})
	require.NoError(t, err)
	require.Equal(t, c, got)
	var args topic.WakeArgs
	require.NoError(t, got.DecodeArgs(&args))
	require.EqualValues(t, 30, args.TimeoutSeconds)
	c.Deadline = noon.In(time.FixedZone("BST", 3600))
	b, err = c.Marshal()
	require.NoError(t, err)
	require.Equal(t, commandJSON, string(b), "times are in UTC")
	fleet, err := topic.NewCommand("x", wire.EUI64{}, topic.FleetList, nil)
	require.NoError(t, err)
	require.Equal(t, tree.FleetCommand(topic.FleetList), fleet.Topic(tree))
}

func TestCommandIsTolerant(t *testing.T) {
	a := topic.Address{Kind: topic.KindHubCommand, Hub: hub, Verb: topic.Wake}
	for _, payload := range []string{`{"id":"a"}`, ` {"id":"a","args":null,"deadline":null,"expect":null,"device":""}`, `{"id":"a","args":{},"new":{"x":[1,2]},"schema":1}`} {
		c, err := tree.ParseCommand(a, []byte(payload), topic.Limits{})
		require.NoError(t, err, payload)
		require.Equal(t, "a", c.ID)
		require.Equal(t, 1, c.Schema)
		require.Equal(t, topic.Wake, c.Verb)
	}
	c, err := tree.ParseCommand(a, []byte(`{"id":"a","Hub":"00-00-00-00-00-00-00-01","hub":"00-00-00-00-00-00-00-01","verb":"keys.takeover"}`), topic.Limits{})
	require.NoError(t, err)
	require.Equal(t, hub, c.Hub, "hub and verb come from the topic alone")
	require.Equal(t, topic.Wake, c.Verb)
}

// The sender of what cannot be understood is known if it can be.
func TestCommandTruncatedAtEveryByte(t *testing.T) {
	a := topic.Address{Kind: topic.KindHubCommand, Hub: hub, Verb: topic.Wake}
	for i := range commandJSON {
		c, err := tree.ParseCommand(a, []byte(commandJSON[:i]), topic.Limits{})
		code, msg := topic.CodeOf(err)
		require.Equal(t, topic.CodeBadJSON, code, "%d bytes", i)
		require.NotEmpty(t, msg.Do)
		require.Equal(t, topic.Command{Schema: 1, Hub: hub, Verb: topic.Wake}, c)
	}
	c, err := tree.ParseCommand(a, []byte(strings.Replace(commandJSON, `"gsme"`, `"kettle"`, 1)), topic.Limits{})
	require.Error(t, err)
	require.Equal(t, aCommand().ID, c.ID)
	require.Equal(t, aCommand().Reply, c.Reply)
}

func TestLimits(t *testing.T) {
	l := topic.Limits{Size: 20, Depth: 3}
	for payload, code := range map[string]topic.Code{
		`[[[]]]`:                topic.CodeOK,
		`[[[[]]]]`:              topic.CodeTooBig,
		`{"a":{"b":[0]}}`:       topic.CodeOK,
		`"[[[[[[[[["`:           topic.CodeOK,
		`"\"[[[[[[[["`:          topic.CodeOK,
		`"\\"`:                  topic.CodeOK,
		`"\\"[[[[`:              topic.CodeTooBig,
		`"012345678901234567"`:  topic.CodeOK,
		`"0123456789012345678"`: topic.CodeTooBig,
		``:                      topic.CodeBadJSON,
		"\xff":                  topic.CodeBadJSON,
		`]]]`:                   topic.CodeBadJSON,
	} {
		got, _ := topic.CodeOf(l.Check([]byte(payload)))
		require.Equal(t, code, got, payload)
	}
}

func TestResultBytes(t *testing.T) {
	r := topic.EndedBy(aCommand(), topic.NewError(topic.CodeHANSilent, "no answer in 20 s", "gas meter", "wait for its wake-up"), noon)
	r.Revision, r.Progress, r.Result = 3, &topic.Progress{Step: "han", Done: 1, Total: 2}, json.RawMessage(`{"devices":[]}`)
	b, err := r.Marshal()
	require.NoError(t, err)
	require.Equal(t, `{"schema":1,"id":"camp/00-DB-12-34-56-78-90-A0/3","hub":"00-DB-12-34-56-78-90-A0","verb":"wake","device":"gsme","status":"failed",`+
		`"code":"han-silent","retryable":true,"message":{"what":"no answer in 20 s","where":"gas meter","do":"wait for its wake-up"},"revision":3,`+
		`"progress":{"step":"han","done":1,"total":2},"result":{"devices":[]},"time":"2026-11-24T12:00:00Z"}`, string(b))
	got, err := topic.ParseResult(b, topic.Limits{})
	require.NoError(t, err)
	require.Equal(t, r, got)
	require.EqualError(t, got.Err(), "han-silent: no answer in 20 s (gas meter): wait for its wake-up")
	require.NoError(t, topic.EndedBy(aCommand(), nil, noon).Err())
	for i := range b {
		_, err := topic.ParseResult(b[:i], topic.Limits{})
		require.Error(t, err)
	}
	_, err = topic.ParseResult([]byte(`{"status":"perhaps"}`), topic.Limits{})
	require.ErrorContains(t, err, "perhaps")
	_, err = topic.ParseResult([]byte(`{"schema":2,"status":"done"}`), topic.Limits{})
	require.Error(t, err)
}

func TestCodes(t *testing.T) {
	seen := map[topic.Code]bool{}
	for _, c := range topic.Codes() {
		require.Regexp(t, `^[a-z]+(-[a-z]+)*$`, string(c.Code))
		require.False(t, seen[c.Code], "%s twice", c.Code)
		seen[c.Code] = true
		require.Regexp(t, `^[A-Z].*\.$`, c.Sentence)
		require.True(t, c.Status.Final())
		require.Equal(t, c, c.Code.Info())
		require.Equal(t, c.Retryable, c.Code.Retryable())
	}
	for _, code := range declaredCodes(t) {
		require.True(t, seen[topic.Code(code)], "code %s is not in the table", code)
	}
	require.Equal(t, topic.StatusFailed, topic.Code("from the future").Info().Status)
	for want, err := range map[topic.Code]error{
		topic.CodeOK:        nil,
		topic.CodeTimeout:   fmt.Errorf("read: %w", os.ErrDeadlineExceeded),
		topic.CodeCancelled: context.Canceled,
		topic.CodeInternal:  errors.New("?"),
		topic.CodeNoWAN:     fmt.Errorf("wake: %w", topic.Wrap(topic.CodeNoWAN, os.ErrDeadlineExceeded, "", "")),
	} {
		got, _ := topic.CodeOf(err)
		require.Equal(t, want, got)
		require.Equal(t, want, topic.OutcomeOf(err).Code)
	}
	require.NoError(t, topic.Outcome{Code: topic.CodeOK}.Err())
	require.Error(t, topic.Outcome{Code: topic.CodeClock}.Err())
	require.ErrorIs(t, topic.Wrap(topic.CodeNoWAN, os.ErrDeadlineExceeded, "", ""), os.ErrDeadlineExceeded)
}

// declaredCodes reads the constants from the source, so that none can be forgotten in the table.
func declaredCodes(t *testing.T) (codes []string) {
	t.Helper()
	b, err := os.ReadFile("code.go")
	require.NoError(t, err)
	for line := range strings.SplitSeq(string(b), "\n") {
		if f := strings.Fields(line); len(f) == 4 && strings.HasPrefix(f[0], "Code") && f[1] == "Code" && f[2] == "=" {
			codes = append(codes, strings.Trim(f[3], `"`))
		}
	}
	require.Greater(t, len(codes), 30)
	return codes
}

// Each verb's arguments and results go through JSON and come back, empty and full.
func TestVerbs(t *testing.T) {
	seen := map[topic.Verb]bool{}
	for _, v := range topic.Verbs() {
		require.NoError(t, topic.CheckVerb(string(v.Verb)))
		require.False(t, seen[v.Verb], "no name is both of a hub and of the fleet")
		seen[v.Verb] = true
		got, ok := v.Verb.Info()
		require.True(t, ok)
		require.Equal(t, v, got)
		require.False(t, v.Query && v.Mutates)
		require.False(t, v.Irreversible && !v.Mutates)
		for _, x := range []any{v.Args, v.Result} {
			for _, filled := range []bool{false, true} {
				p := reflect.New(reflect.TypeOf(x))
				if filled {
					fill(p.Elem())
				}
				b, err := json.Marshal(p.Interface())
				require.NoError(t, err, "%T", x)
				back := reflect.New(reflect.TypeOf(x))
				require.NoError(t, json.Unmarshal(b, back.Interface()), "%T %s", x, b)
				require.Equal(t, p.Interface(), back.Interface(), "%s", b)
			}
		}
	}
	_, ok := topic.Verb("explode").Info()
	require.False(t, ok)
}

// fill gives every field a value.
func fill(v reflect.Value) {
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = noon
		return
	case *json.RawMessage:
		*x = json.RawMessage(`{"x":1}`)
		return
	case *topic.Value:
		*x = topic.Int(topic.DoubleLongUnsigned, 5)
		return
	case *topic.Device:
		*x = topic.GSME
		return
	case *wire.EUI64:
		*x = hub
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0))
		fill(v.Index(1))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(1.5)
	case reflect.Int, reflect.Int8:
		v.SetInt(7)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(7)
	}
}

func TestStates(t *testing.T) {
	birth := topic.BridgeState{Session: "2", State: topic.Online}
	later := topic.BridgeState{Session: "2", State: topic.Online, Sequence: 5}
	will := topic.BridgeState{Session: "2", State: topic.Offline}
	old := topic.BridgeState{Session: "1", State: topic.Offline, Sequence: 99}
	require.True(t, later.Supersedes(birth))
	require.False(t, birth.Supersedes(later))
	require.True(t, will.Supersedes(later))
	require.False(t, later.Supersedes(will))
	require.False(t, old.Supersedes(birth))
	require.True(t, birth.Supersedes(old))
	for _, s := range []topic.Status{topic.StatusAccepted, topic.StatusRunning} {
		require.True(t, s.Known())
		require.False(t, s.Final())
	}
}

func FuzzPayload(f *testing.F) {
	f.Add([]byte(commandJSON))
	b, _ := topic.EndedBy(aCommand(), errors.New("x"), noon).Marshal()
	f.Add(b)
	for _, v := range []any{
		topic.BridgeState{Schema: 1, Node: "n"}, topic.BridgeInfo{Schema: 1}, topic.HubState{Schema: 1, Hub: hub, State: topic.Ready},
		topic.DeviceState{Schema: 1, Device: topic.ESME}, topic.Event{Schema: 1, Class: "x"}, topic.Telemetry{Schema: 1},
	} {
		b, _ := json.Marshal(v)
		f.Add(b)
	}
	l := topic.Limits{Size: 4096, Depth: 8}
	a := topic.Address{Kind: topic.KindHubCommand, Hub: hub, Verb: topic.Read}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := tree.ParseCommand(a, b, l)
		require.Equal(t, hub, c.Hub)
		require.True(t, c.ID == "" || topic.CheckID(c.ID) == nil)
		require.True(t, c.Reply == "" || strings.HasPrefix(c.Reply, tree.Root()+"/rsp/"))
		if err != nil {
			code, _ := topic.CodeOf(err)
			require.NotEqual(t, topic.CodeInternal, code)
		} else {
			again, err := c.Marshal()
			require.NoError(t, err)
			back, err := tree.ParseCommand(a, again, topic.Limits{})
			require.NoError(t, err)
			require.Equal(t, c.ID, back.ID)
			require.Equal(t, c.Reply, back.Reply)
			require.True(t, c.Deadline.Equal(back.Deadline))
			require.NoError(t, same(c, back))
		}
		if r, err := topic.ParseResult(b, l); err == nil {
			require.True(t, r.Status.Known())
			_, err := r.Marshal()
			require.NoError(t, err)
		}
		_, _ = topic.ParseBridgeState(b, l)
		_, _ = topic.ParseBridgeInfo(b, l)
		_, _ = topic.ParseHubState(b, l)
		_, _ = topic.ParseDeviceState(b, l)
		_, _ = topic.ParseEvent(b, l)
		_, _ = topic.ParseTelemetry(b, l)
	})
}

// same compares what a second trip must keep.
func same(a, b topic.Command) error {
	if a.Device != b.Device || (a.Expect == nil) != (b.Expect == nil) || a.Expect != nil && *a.Expect != *b.Expect {
		return fmt.Errorf("%+v became %+v", a, b)
	}
	return nil
}
