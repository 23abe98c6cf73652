// Command flow writes docs/process-flow.md from the lifecycle's own table.
package main

import (
	"fmt"
	"os"

	"smets1/migration/lifecycle"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: flow FILE")
		os.Exit(2)
	}
	if err := os.WriteFile(os.Args[1], []byte(lifecycle.Page()), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
