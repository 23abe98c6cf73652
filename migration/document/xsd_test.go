package document

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the shipped schemas and the stored examples anew")

// TestShippedSchemas holds the shipped schemas against the types they are made from.
func TestShippedSchemas(t *testing.T) {
	for kind := range bodies {
		want, err := XSD(kind)
		require.NoError(t, err)
		path := filepath.Join("xsd", string(kind)+".xsd")
		if *update {
			require.NoError(t, os.WriteFile(path, want, 0o644))
		}
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, string(want), string(got), "%s: run go test ./migration/document -run Schemas -update", path)
	}
	_, err := XSD(KindMA)
	require.Error(t, err)
}
