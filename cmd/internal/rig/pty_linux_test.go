package rig

import (
	"testing"

	"smets1/hwtest/scenario"
)

// Every shipped scenario passes behind a pseudo-terminal.
func TestShippedOnPTY(t *testing.T) {
	shipped(t, func(t *testing.T, s *scenario.Scenario) {
		passes(t, run(t, s, scenario.Options{}, func() (*Rig, error) { return PTY(t.Context(), s, Options{Dir: t.TempDir()}) }))
	})
}
