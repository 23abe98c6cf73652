package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"smets1/firmware"
)

// difference is what two files differ in.
type difference struct {
	Field string `json:"field"`
	Old   string `json:"old"`
	New   string `json:"new"`
}

func newFirmwareDiffCommand() *cobra.Command {
	asJSON, blockSize := false, 128
	c := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Show in what two images, OTA files or manifests differ",
		Long: `diff compares the headers field by field, and the firmware octet by octet: how
many differ, where the first is, and how many blocks of DLMS image transfer that
touches. The exit status is 0 if the files are the same, else 1.`,
		Example: `  smets1 firmware diff e1-1.9.img e1-2.0.img
  smets1 firmware diff --json --block-size 256 g1-1.0.ota g1-1.1.ota`,
		Args: usageArgs(cobra.ExactArgs(2)),
		RunE: func(c *cobra.Command, args []string) error {
			if blockSize <= 0 {
				return usageError{fmt.Errorf("--block-size %d: give a number above zero", blockSize)}
			}
			before, err := readFirmware(args[0])
			if err != nil {
				return err
			}
			after, err := readFirmware(args[1])
			if err != nil {
				return err
			}
			return printDifferences(c.OutOrStdout(), differences(before, after, blockSize), asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one line of JSON per difference")
	c.Flags().IntVar(&blockSize, "block-size", blockSize, "octets in a block")
	return c
}

func printDifferences(out io.Writer, all []difference, asJSON bool) error {
	if len(all) == 0 {
		if !asJSON {
			fmt.Fprintln(out, "the same")
		}
		return nil
	}
	e, w := json.NewEncoder(out), tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, d := range all {
		if asJSON {
			if err := e.Encode(d); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t→ %s\n", d.Field, d.Old, d.New)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return fmt.Errorf("%d differences", len(all))
}

func differences(a, b firmwareFile, blockSize int) []difference {
	var all []difference
	// Rows of one name, as those of elements, are compared in their order.
	ra, rb := numbered(a.rows()), numbered(b.rows())
	in := map[string]string{}
	for _, r := range rb {
		in[r.name] = r.value
	}
	had := map[string]bool{}
	for _, r := range ra {
		had[r.name] = true
		if v, ok := in[r.name]; !ok {
			all = append(all, difference{r.name, r.value, "–"})
		} else if v != r.value {
			all = append(all, difference{r.name, r.value, v})
		}
	}
	for _, r := range rb {
		if !had[r.name] {
			all = append(all, difference{r.name, "–", r.value})
		}
	}
	return append(all, payloadDifference(a.payload(), b.payload(), blockSize)...)
}

func numbered(rows []row) []row {
	seen := map[string]int{}
	for i := range rows {
		name := rows[i].name
		if seen[name]++; seen[name] > 1 {
			rows[i].name = fmt.Sprintf("%s (%d)", name, seen[name])
		}
	}
	return rows
}

func payloadDifference(a, b []byte, blockSize int) []difference {
	octets, first := 0, -1
	touched := map[int]bool{}
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || a[i] != b[i] {
			octets++
			touched[i/blockSize] = true
			if first < 0 {
				first = i
			}
		}
	}
	if octets == 0 {
		return nil
	}
	size := func(p []byte) string { return fmt.Sprintf("%d octets", len(p)) }
	return []difference{
		{"firmware", size(a), size(b)},
		{"octets that differ", "0", fmt.Sprintf("%d, the first at %d", octets, first)},
		{"blocks that differ", "0", fmt.Sprintf("%d of %d", len(touched), firmware.Blocks(max(len(a), len(b)), blockSize))},
	}
}
