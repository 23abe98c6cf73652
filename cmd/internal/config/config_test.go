package config

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Each file in testdata/bad is refused, at the place and in the words that
// errors.txt has for it.
func TestBadConfigurations(t *testing.T) {
	dir := filepath.Join("testdata", "bad")
	text, err := os.ReadFile(filepath.Join(dir, "errors.txt"))
	require.NoError(t, err)
	require.NoError(t, os.Chmod(filepath.Join("testdata", "open-password"), 0o644))
	want := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if name, w, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t"); ok {
			want[name] = w
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	require.NoError(t, err)
	require.Len(t, files, len(want))
	require.GreaterOrEqual(t, len(files), 25)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			c, err := Load(Sources{File: file})
			require.Error(t, err)
			require.Nil(t, c)
			w := want[name]
			require.NotEmpty(t, w)
			if w[0] >= '0' && w[0] <= '9' {
				w = file + ":" + w
			}
			require.Contains(t, err.Error(), w)
			var all Errors
			require.ErrorAs(t, err, &all)
		})
	}
}

func TestDefaults(t *testing.T) {
	c, err := Load(Sources{})
	require.NoError(t, err)
	require.Equal(t, "state", c.State)
	require.Equal(t, "127.0.0.1:1883", c.Broker.Listen)
	require.Equal(t, 2*time.Hour, c.Sessions.Viability)
	require.Equal(t, 256, c.Queue.Concurrency)
	require.InDelta(t, 1, c.Homes.Speed, 0)
	require.Empty(t, c.Hubs)
}

const hubFile = `
state: st
broker: {listen: "127.0.0.1:0"}
hubs:
  - eui: 00-DB-12-34-56-78-90-A0
    address: serial:///dev/ttyUSB0?baud=9600
    wake: sms
    msisdn: +447700900123
    devices:
      - {eui: 00-DB-12-34-56-78-90-A1, type: esme}
  - eui: 00-DB-12-34-56-78-90-B0
    address: tcp://10.0.0.1:4059
sessions: {timeout: 45s}
keys:
log: {level: debug}
`

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestLayers(t *testing.T) {
	file := write(t, hubFile)
	s := Sources{
		File:    file,
		Environ: []string{"PATH=/bin", "SMETS1_CONFIG=x", "SMETS1_LOG_LEVEL=error", "SMETS1_QUEUE_MAX_QUEUED=7", "SMETS1_STATE=elsewhere", "SMETS1_SMS_COMMAND=send, --fast"},
		Flags:   map[string]string{"log-level": "warn"},
	}
	c, err := Load(s)
	require.NoError(t, err)
	require.Equal(t, "warn", c.Log.Level, "a flag goes over a variable")
	require.Equal(t, 7, c.Queue.MaxQueued)
	require.Equal(t, "elsewhere", c.State, "a path from the environment is as it is")
	require.Equal(t, []string{"send", "--fast"}, c.SMS.Command)
	require.Equal(t, 45*time.Second, c.Sessions.Timeout)
	require.Equal(t, time.Minute, c.Sessions.Idle, "what the file leaves out keeps its default")
	require.Len(t, c.Hubs, 2)
	require.Equal(t, "00-DB-12-34-56-78-90-A0", c.Hubs[0].EUI.String())
	require.Equal(t, "+447700900123", c.Hubs[0].MSISDN)
	require.Equal(t, "none", c.Hubs[1].Wake)
	require.Equal(t, "esme", c.Hubs[0].Devices[0].Type)

	c, err = Load(Sources{File: file})
	require.NoError(t, err)
	require.Equal(t, filepath.Join(filepath.Dir(file), "st"), c.State, "a path in a file is from its folder")
}

func TestVariablesAndFlagsAreNamedInErrors(t *testing.T) {
	for _, c := range []struct {
		s    Sources
		want string
	}{
		{Sources{Environ: []string{"SMETS1_BROKER_LISTN=x"}}, "SMETS1_BROKER_LISTN: no setting has this name: did you mean SMETS1_BROKER_LISTEN?"},
		{Sources{Environ: []string{"SMETS1_WHATEVER_ELSE=x"}}, "see smets1d config explain"},
		{Sources{Environ: []string{"SMETS1_QUEUE_CONCURRENCY=x"}}, `SMETS1_QUEUE_CONCURRENCY: queue.concurrency: "x" is not a whole number`},
		{Sources{Environ: []string{"SMETS1_BROKER_LISTEN=0.0.0.0:1"}}, "SMETS1_BROKER_LISTEN: broker.listen: "},
		{Sources{Flags: map[string]string{"homes-speed": "fast"}}, `--homes-speed: homes.speed: "fast" is not a number`},
		{Sources{Flags: map[string]string{"broker-url": "http://x"}}, "--broker-url: broker.url: "},
	} {
		_, err := Load(c.s)
		require.ErrorContains(t, err, c.want)
	}
	// The variable that holds the root key is no setting.
	_, err := Load(Sources{Environ: []string{"SMETS1_KEYS_ROOT_ENV=SMETS1_ROOT", "SMETS1_ROOT=00"}})
	require.ErrorContains(t, err, "keys.root-env")
	require.NotContains(t, err.Error(), "no setting has this name")
}

// All mistakes are told at once, in the order of the file.
func TestAllMistakesAtOnce(t *testing.T) {
	_, err := Load(Sources{File: write(t, "log: {level: x}\nbogus: 1\nqueue: {concurrency: x}\n")})
	var all Errors
	require.ErrorAs(t, err, &all)
	require.Len(t, all, 3)
	for i, e := range all {
		require.Equal(t, i+1, e.Where.Line)
	}
	_, err = Load(Sources{File: "nowhere.yaml"})
	require.ErrorIs(t, err, os.ErrNotExist)
}

// What explain prints can be saved: it is a file that changes nothing.
func TestExplainIsAConfiguration(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, Explain(&b))
	c, err := Load(Sources{File: write(t, b.String())})
	require.NoError(t, err)
	d, err := Load(Sources{})
	require.NoError(t, err)
	c.State = d.State                                              // looked for from the file's folder
	require.Equal(t, fmt.Sprintf("%+v", d), fmt.Sprintf("%+v", c)) // an empty list is as none
	for _, k := range Schema() {
		require.NotEmpty(t, k.Doc, "%s says nothing", k.Path)
		require.Contains(t, b.String(), name(k.Path)+":")
	}
}

func TestExampleIsGood(t *testing.T) {
	example := filepath.Join("..", "..", "..", "docs", "smets1d.example.yaml")
	b, err := os.ReadFile(example)
	require.NoError(t, err)
	// Beside the example stand the files that it names.
	dir := t.TempDir()
	path := filepath.Join(dir, "smets1d.yaml")
	require.NoError(t, os.WriteFile(path, b, 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "firmware"), 0o700))
	handover := `{"format":"smets1-key-handover/1","owner":"SMSO","devices":[{"eui":"00-DB-12-34-56-78-90-A0","type":"chf","key_version":1,` +
		`"guek":"000102030405060708090a0b0c0d0e0f","gak":"101112131415161718191a1b1c1d1e1f","kek":"202122232425262728292a2b2c2d2e2f","invocation_counter":0}]}`
	require.NoError(t, os.WriteFile(filepath.Join(dir, "handover.json"), []byte(handover), 0o600))
	c, err := Load(Sources{File: path})
	require.NoError(t, err)
	require.NotEmpty(t, c.Hubs)
}

func TestSecretIsNotPrinted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p")
	require.NoError(t, os.WriteFile(path, []byte("hunter2\n"), 0o600))
	s, err := ReadSecret(path)
	require.NoError(t, err)
	require.Equal(t, "hunter2", s.Reveal())
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", slog.Any("s", s))
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s %q", s, s, s, s, s), log.String(), fmt.Sprint(&s)} {
		require.NotContains(t, text, "hunter2")
	}
	require.NoError(t, os.Chmod(path, 0o640))
	_, err = ReadSecret(path)
	require.ErrorContains(t, err, "chmod 600")
	require.NoError(t, os.Chmod(path, 0o600))
	require.NoError(t, os.WriteFile(path, []byte("a\nb\n"), 0o600))
	_, err = ReadSecret(path)
	require.ErrorContains(t, err, "one line")
}

// Whatever the file has in it, reading it ends in a configuration or in errors
// with the name of the file.
func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "bad", "*.yaml"))
	require.NoError(f, err)
	for _, path := range files {
		b, err := os.ReadFile(path)
		require.NoError(f, err)
		f.Add(b)
	}
	f.Add([]byte(hubFile))
	var b bytes.Buffer
	require.NoError(f, Explain(&b))
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		p := file{name: "c.yaml", from: map[string]Where{}}
		p.parse(b)
		for _, e := range p.errs {
			require.Equal(t, "c.yaml", e.Where.File)
			require.NotEmpty(t, e.Reason)
		}
		var all Errors
		require.True(t, len(p.errs) == 0 || errors.As(error(p.errs), &all))
	})
}
