//go:build interop

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Programs in Python and Node that nobody here helped migrate a home each, over MQTT alone, and once more under the same run: then nothing
// is done, and they say the same.
func TestInteropExamplesMigrateAHome(t *testing.T) {
	python := os.Getenv("SMETS1_INTEROP_PYTHON")
	require.NotEmpty(t, python, "set SMETS1_INTEROP_PYTHON: run make interop")
	modules := os.Getenv("SMETS1_INTEROP_MQTTJS")
	require.NotEmpty(t, modules, "set SMETS1_INTEROP_MQTTJS: run make interop")
	node := t.TempDir() // a module is looked for from the folder of who imports it
	b, err := os.ReadFile(filepath.Join("..", "..", "examples", "node", "migrate_home.mjs"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(node, "migrate_home.mjs"), b, 0o600))
	require.NoError(t, os.Symlink(modules, filepath.Join(node, "node_modules")))
	for name, program := range map[string][]string{
		"python": {python, filepath.Join("..", "..", "examples", "python", "migrate_home.py")},
		"node":   {tool(t, "node"), filepath.Join(node, "migrate_home.mjs")},
	} {
		t.Run(name, func(t *testing.T) {
			url, hub := gatewayOf(t)
			var said string
			for range 2 {
				args := append(program[1:len(program):len(program)], "--broker", url[len("tcp://"):], "--hub", hub.String())
				out, err := exec.Command(program[0], args...).CombinedOutput()
				require.NoError(t, err, "%s", out)
				require.Contains(t, string(out), "migrated "+hub.String())
				said += string(out)
			}
			require.Contains(t, said, "old keys refused")
		})
	}
}
