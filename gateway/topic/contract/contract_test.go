package contract_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/gateway/topic"
	"smets1/gateway/topic/contract"
	"smets1/gateway/topic/contract/contracttest"
)

var update = flag.Bool("update", false, "write docs/mqtt anew")

const docsDir = "../../../docs/mqtt"

// What lies in docs/mqtt is what the types say, and nothing else lies there.
func TestDocs(t *testing.T) {
	docs, err := contract.ReadDocs(os.DirFS(".."))
	require.NoError(t, err)
	files, err := contract.Files(docs)
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.RemoveAll(docsDir))
		require.NoError(t, os.MkdirAll(docsDir, 0o755))
		for name, b := range files {
			require.NoError(t, os.WriteFile(filepath.Join(docsDir, name), b, 0o644))
		}
	}
	there, err := os.ReadDir(docsDir)
	require.NoError(t, err)
	require.Len(t, there, len(files), "docs/mqtt: go test ./gateway/topic/contract -run TestDocs -update")
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(docsDir, name))
		require.NoError(t, err)
		require.Equal(t, string(want), string(got), "docs/mqtt/%s is stale: go test ./gateway/topic/contract -run TestDocs -update", name)
	}
}

// The example of each verb is a command that the gateway would take, and a result that a client would.
func TestExamples(t *testing.T) {
	tree, err := topic.NewTree("lab")
	require.NoError(t, err)
	examples := contract.Examples()
	for _, v := range topic.Verbs() {
		e, ok := examples[v.Verb]
		require.True(t, ok, "%s has no example", v.Verb)
		require.NotEmpty(t, v.Roles, "%s: nobody may ask for it", v.Verb)
		require.IsType(t, v.Args, e.Args, v.Verb)
		require.IsType(t, v.Result, e.Result, v.Verb)
		c, err := e.Command(v)
		require.NoError(t, err)
		payload, err := c.Marshal()
		require.NoError(t, err)
		require.NoError(t, contracttest.Valid("Command", payload))
		require.NoError(t, contracttest.Valid("args~1"+string(v.Verb), c.Args))
		a, err := tree.Parse(c.Topic(tree))
		require.NoError(t, err)
		got, err := tree.ParseCommand(a, payload, topic.Limits{})
		require.NoError(t, err)
		require.Equal(t, c, got)
		r := topic.EndedBy(c, nil, c.Deadline)
		r.Result, err = json.Marshal(e.Result)
		require.NoError(t, err)
		b, err := r.Marshal()
		require.NoError(t, err)
		require.NoError(t, contracttest.Sent(c.Reply, b), v.Verb)
	}
}

func TestASchemaRefusesWhatIsWrong(t *testing.T) {
	for _, bad := range []string{`{}`, `{"schema":1,"status":"perhaps","time":"2026-11-24T12:00:00Z"}`, `{"schema":"1","status":"done","time":"2026-11-24T12:00:00Z"}`, `{"schema":1,"status":"done","time":"noon"}`} {
		require.Error(t, contracttest.Sent("smets1/v1/lab/rsp/x", []byte(bad)), bad)
	}
	require.NoError(t, contracttest.Sent("smets1/v1/lab/rsp/x", []byte(`{"schema":1,"status":"done","time":"2026-11-24T12:00:00Z","new":1}`)))
	require.Error(t, contracttest.Sent("smets1/v1/lab/rsp/x", []byte(`{"schema":1,"verb":"wake","hub":"00-DB-12-34-56-78-90-A0","status":"done","time":"2026-11-24T12:00:00Z","result":{"attempts":"1"}}`)))
	require.Error(t, contracttest.Sent("smets1/v1/lab/hub/00-DB-12-34-56-78-90-A0/cmd/wake", []byte(`{}`)), "a gateway sends no commands")
	require.Error(t, contracttest.Sent("elsewhere", nil))
}
