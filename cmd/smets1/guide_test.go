package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestGuide runs the commands of docs/guide.md in their order, so that the guide cannot tell of commands that do not work. Those on the
// results of a whole demo are left to the person who reads it; they are held to be commands that exist.
func TestGuide(t *testing.T) {
	b, err := os.ReadFile("../../docs/guide.md")
	require.NoError(t, err)
	data, err := filepath.Abs("../../testdata")
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.Symlink(data, filepath.Join(dir, "testdata")))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "rehearsal"), 0o755))
	t.Chdir(dir)
	ran := 0
	for _, line := range strings.Split(strings.ReplaceAll(string(b), "\\\n", " "), "\n") {
		command, ok := strings.CutPrefix(line, "    smets1 ")
		if !ok {
			continue
		}
		args := strings.Fields(command)
		if strings.Contains(command, "rehearsal/run") {
			c, _, err := newRootCommand().Find(args)
			require.NoError(t, err, line)
			require.Equal(t, args[min(1, len(args)-1)] == c.Name() || args[0] == c.Name(), true, line)
			continue
		}
		ran++
		out, errs, code := typed(t, args...)
		require.Zero(t, code, "%s\n%s%s", line, out, errs)
	}
	require.Greater(t, ran, 12)
}
