// Command demodata writes the documents and firmware images of
// testdata/migration/demo anew from the fleet manifest that is there.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"smets1/cmd/internal/lab"
	"smets1/device/fleet"
)

func main() {
	dir := filepath.Join("testdata", "migration", "demo")
	if len(os.Args) > 1 {
		dir = os.Args[1]
	}
	if err := run(dir); err != nil {
		fmt.Fprintf(os.Stderr, "demodata: %v\n", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	m, err := fleet.LoadManifest(filepath.Join(dir, lab.ManifestName))
	if err != nil {
		return err
	}
	f, err := fleet.Open(context.Background(), m, fleet.Options{})
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // nothing was changed
	for _, old := range []string{"MA*", "*.csv", filepath.Join(lab.FirmwareDir, "*.img")} {
		names, err := filepath.Glob(filepath.Join(dir, old))
		if err != nil {
			return err
		}
		for _, n := range names {
			if err := os.Remove(n); err != nil {
				return err
			}
		}
	}
	if err := lab.WriteInputs(dir, f); err != nil {
		return err
	}
	fmt.Printf("%s: documents for %d homes\n", dir, m.Len())
	return nil
}
