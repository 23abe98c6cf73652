package bridge_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/stretchr/testify/require"

	"smets1/gateway/audit"
	"smets1/gateway/bridge"
	"smets1/gateway/broker"
	"smets1/gateway/job"
	"smets1/gateway/topic"
	"smets1/internal/wire"
)

func (c *client) ask(cmd topic.Command) topic.Result {
	c.t.Helper()
	c.command(cmd)
	return c.result(cmd.ID)
}

func TestJobsCancelResolve(t *testing.T) {
	url := brokerURL(t)
	running := make(chan struct{}, 2)
	startGateway(t, setup{url: url, handle: func(ctx context.Context, task *job.Task) (any, error) {
		if task.Verb == topic.KeysTakeover {
			return nil, topic.NewError(topic.CodeInDoubt, "?", "", "")
		}
		running <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	c := newClient(t, url, "engine", tree.Reply("test"))
	c.command(command("runs", hubA, topic.Wake, nil))
	c.command(command("waits", hubA, topic.Wake, nil))
	<-running
	c.until("acceptance", func(m message) bool {
		return bytes.Contains(m.payload, []byte(`"waits"`))
	})
	fleet := func(id string, v topic.Verb, args any) topic.Command { return command(id, wire.EUI64{}, v, args) }
	list := c.ask(fleet("l1", topic.FleetJobs, topic.JobsArgs{Limit: 1}))
	var page topic.JobsResult
	require.NoError(t, list.Decode(&page))
	require.Equal(t, 2, page.Total)
	require.Equal(t, "runs", page.Jobs[0].Result.ID)
	require.Equal(t, topic.StatusRunning, page.Jobs[0].Result.Status)
	after := page.Next
	page = topic.JobsResult{}
	require.NoError(t, c.ask(fleet("l2", topic.FleetJobs, topic.JobsArgs{Limit: 1, After: after})).Decode(&page))
	require.Equal(t, "waits", page.Jobs[0].Result.ID)
	require.Empty(t, page.Next)
	c.command(fleet("k1", topic.FleetCancel, topic.CancelArgs{ID: "waits"}))
	require.Equal(t, topic.CodeCancelled, c.result("waits").Code)
	c.command(fleet("k2", topic.FleetCancel, topic.CancelArgs{ID: "runs"}))
	require.Equal(t, topic.CodeCancelled, c.result("runs").Code)
	require.Equal(t, topic.CodeBadArgs, c.ask(fleet("k3", topic.FleetCancel, topic.CancelArgs{ID: "nobody"})).Code)

	require.Equal(t, topic.StatusInDoubt, c.ask(command("d", hubB, topic.KeysTakeover, topic.KeysTakeoverArgs{Owner: "x"})).Status)
	require.NoError(t, c.ask(fleet("l3", topic.FleetJobs, topic.JobsArgs{Which: topic.JobsInDoubt})).Decode(&page))
	require.Equal(t, "d", page.Jobs[0].Result.ID)
	require.Equal(t, topic.CodeBadArgs, c.ask(fleet("r0", topic.FleetResolve, topic.ResolveArgs{ID: "d", Outcome: "perhaps", Note: "n", By: "me"})).Code)
	require.Equal(t, topic.CodeBadArgs, c.ask(fleet("r1", topic.FleetResolve, topic.ResolveArgs{ID: "d", Outcome: "done"})).Code)
	require.Equal(t, topic.StatusDone, c.ask(fleet("r2", topic.FleetResolve, topic.ResolveArgs{ID: "d", Outcome: "done", Note: "looked", By: "me"})).Status)
	page = topic.JobsResult{}
	require.NoError(t, c.ask(fleet("l4", topic.FleetJobs, topic.JobsArgs{Which: topic.JobsInDoubt})).Decode(&page))
	require.Empty(t, page.Jobs)
}

func TestManyHomesOverMQTT(t *testing.T) {
	url := brokerURL(t)
	startGateway(t, setup{url: url, queue: job.Config{Select: func(topic.Selector) []wire.EUI64 { return []wire.EUI64{hubA, hubB} }}})
	c := newClient(t, url, "engine", tree.Reply("test"))
	cmd := command("m", wire.EUI64{}, topic.Wake, nil)
	cmd.Select = &topic.Selector{All: true}
	r := c.ask(cmd)
	require.Equal(t, topic.StatusDone, r.Status)
	var m topic.ManyResult
	require.NoError(t, r.Decode(&m))
	require.Equal(t, 2, m.Statuses[topic.StatusDone])
	cmd.ID, cmd.Select = "none", &topic.Selector{}
	require.Equal(t, topic.CodeBadArgs, c.ask(cmd).Code, "a forgotten selector does nothing")
}

func TestRoles(t *testing.T) {
	url := brokerURL(t)
	path := filepath.Join(t.TempDir(), audit.FileName)
	log, err := audit.Open(path)
	require.NoError(t, err)
	roles := map[string][]topic.Role{"test": {topic.Operator}, "both": {topic.Engineer, topic.Migration}}
	startGateway(t, setup{url: url, tune: func(c *bridge.Config) {
		c.Audit, c.Roles = log, func(client string) []topic.Role { return roles[client] }
	}})
	c := newClient(t, url, "engine", tree.Root()+"/rsp/+", tree.Root()+"/hub/+/evt/+")
	n := 0
	code := func(client string, v topic.Verb, args any) topic.Code {
		n++
		cmd := command(string(rune('a'+n)), hubA, v, args)
		cmd.Reply = tree.Reply(client)
		return c.ask(cmd).Code
	}
	require.Equal(t, topic.CodeOK, code("test", topic.Wake, nil))
	require.Equal(t, topic.CodeForbidden, code("test", topic.Write, topic.WriteArgs{Items: []topic.WriteItem{}}))
	require.Equal(t, topic.CodeForbidden, code("test", topic.KeysTakeover, topic.KeysTakeoverArgs{Owner: "x"}))
	require.Equal(t, topic.CodeForbidden, code("stranger", topic.Wake, nil))
	require.Equal(t, topic.CodeOK, code("both", topic.Write, topic.WriteArgs{Items: []topic.WriteItem{}}))
	require.Equal(t, topic.CodeOK, code("both", topic.KeysTakeover, topic.KeysTakeoverArgs{Owner: "x"}))
	cmd := command("many", wire.EUI64{}, topic.KeysTakeover, topic.KeysTakeoverArgs{Owner: "x"})
	cmd.Select = &topic.Selector{All: true}
	require.Equal(t, topic.CodeForbidden, c.ask(cmd).Code, "many homes need the role of their verb")
	cmd = command("silent", hubA, topic.Wake, nil)
	cmd.Reply = ""
	c.command(cmd)
	c.until("the refusal of a command without a reply topic", func(m message) bool {
		return bytes.Contains(m.payload, []byte(`"forbidden"`)) && bytes.Contains(m.payload, []byte("silent"))
	})
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	refused := 0
	_, err = audit.Verify(bytes.NewReader(b), func(e audit.Entry) error {
		require.Equal(t, audit.Forbidden, e.Action)
		refused++
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, 5, refused)
}

// The embedded broker holds each user to the topics of its roles, whatever name it gives for the answer.
func TestBrokerHoldsUsersToTheirRoles(t *testing.T) {
	password := broker.NewPassword("p")
	br, err := broker.Start(t.Context(), broker.Config{StateDir: t.TempDir(), Listen: "127.0.0.1:0", Users: []broker.User{
		{Name: "gateway", Password: password},
		{Name: "op", Password: password, Publish: tree.Publishes(topic.Operator), Subscribe: tree.Subscribes("op")},
	}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, br.Close()) })
	login := func(name string) func() (string, string) { return func() (string, string) { return name, "p" } }
	ran := make(chan topic.Verb, 8)
	startGateway(t, setup{url: br.URL(), tune: func(c *bridge.Config) { c.Credentials = login("gateway") }, handle: func(_ context.Context, task *job.Task) (any, error) {
		ran <- task.Verb
		return nil, nil
	}})
	results := make(chan topic.Result, 8)
	o := mqtt.NewClientOptions().AddBroker(br.URL()).SetClientID("op").SetCredentialsProvider(login("op"))
	c := mqtt.NewClient(o)
	require.True(t, c.Connect().WaitTimeout(patience))
	defer c.Disconnect(0)
	subscribe := func(filter string) byte {
		tok := c.Subscribe(filter, 1, func(_ mqtt.Client, m mqtt.Message) {
			if r, err := topic.ParseResult(m.Payload(), topic.Limits{}); err == nil {
				results <- r
			}
		})
		require.True(t, tok.WaitTimeout(patience))
		return tok.(*mqtt.SubscribeToken).Result()[filter]
	}
	require.LessOrEqual(t, subscribe(tree.Reply("op")), byte(1))
	require.LessOrEqual(t, subscribe(tree.HubStates()), byte(1))
	require.Equal(t, byte(0x80), subscribe(tree.Reply("other")), "the results of others")
	require.Equal(t, byte(0x80), subscribe(tree.HubCommands()), "the commands of others")
	for i, v := range []topic.Verb{topic.KeysTakeover, topic.Write, topic.ClockRead} {
		cmd := command(string(rune('a'+i)), hubA, v, topic.KeysTakeoverArgs{Owner: "x"})
		cmd.Reply = tree.Reply("op")
		payload, err := cmd.Marshal()
		require.NoError(t, err)
		require.True(t, c.Publish(cmd.Topic(tree), 1, false, payload).WaitTimeout(patience))
	}
	select {
	case r := <-results:
		require.Equal(t, topic.ClockRead, r.Verb)
	case <-time.After(patience):
		t.Fatal("a permitted command is not answered")
	}
	require.Equal(t, topic.ClockRead, <-ran, "what is not permitted does not reach the gateway")
	require.Empty(t, ran)
}
