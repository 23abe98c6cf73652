package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/device/ihd"
)

// A consumer lives a day at the display of a running serve: credit runs out, a code is
// bought and entered, twice, and the supply is switched on by hand.
func TestFleetDisplay(t *testing.T) {
	manifest := filepath.Join(t.TempDir(), "fleet.yaml")
	require.NoError(t, os.WriteFile(manifest, []byte("schema: 1\nname: lab\nseed: 7\nstart: 2019-07-15T07:00:00Z\nhan: memory\nhomes:\n  - {name: paying, profile: moc-secure, payment: prepayment}\n  - {name: blind, profile: moc-secure, display: \"no\"}\n"), 0o600))
	_, errs, stop := background(t, "fleet", "serve", manifest, "--addresses=false", "--gateway", "127.0.0.1:0", "--control", "127.0.0.1:0", "--clock", "step", "--state", "")
	errs.until(t, "2 homes")
	at := ordersForm.FindStringSubmatch(errs.String())[1]
	on := func(args ...string) string {
		return must(t, append(append([]string{"fleet"}, args...), "--control", at)...)
	}
	screen := func() (s ihd.Screen) {
		require.NoError(t, json.Unmarshal([]byte(on("display", "paying", "--json")), &s))
		return s
	}
	text := on("display", "paying")
	for _, part := range []string{"paying  Secure Meters Pipit 500", "connected", "Monday 15 July 2019  0", "ELECTRICITY", "GAS", "this month", "credit £", "supply on"} {
		require.Contains(t, text, part)
	}
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		require.Len(t, []rune(line), 64, line)
	}
	first := screen()
	require.Equal(t, "prepayment", first.Electricity.Mode)
	on("step", "1440h")
	dark := screen()
	require.Equal(t, "off", dark.Electricity.Supply)
	require.Zero(t, dark.Electricity.Power)
	require.Equal(t, "available", dark.Electricity.Emergency)
	require.Contains(t, on("press", "paying", "emergency"), "emergency credit £10.00")
	require.Equal(t, "ready", screen().Electricity.Supply)

	code := strings.TrimSpace(on("vend", "paying", "--pence", "5000"))
	require.Regexp(t, `^\d{5}( \d{5}){3}$`, code)
	require.Contains(t, on("press", "paying", "code", code), "accepted; credit ")
	require.Contains(t, on("press", "paying", "code", code, "--display"), "duplicate")
	require.Contains(t, on("press", "paying", "on"), "the supply is on")
	on("step", "10m")
	lit := screen()
	require.Equal(t, "on", lit.Electricity.Supply)
	require.Positive(t, lit.Electricity.Power)
	require.Greater(t, lit.Electricity.Balance, dark.Electricity.Balance)
	require.Equal(t, "off", lit.Gas.Supply, "gas has an account of its own")
	require.Regexp(t, `^\d{5}( \d{5}){7}$`, strings.TrimSpace(on("vend", "paying", "--kind", "supply", "--value", "0", "--extra", "1600000000")))

	require.Equal(t, "cover opened\n", on("press", "paying", "cover"))

	require.Contains(t, mustNot(t, exitFailed, "fleet", "display", "blind", "--control", at), "has no display")
	require.Contains(t, mustNot(t, exitFailed, "fleet", "press", "paying", "jump", "--control", at), "there is no key")
	require.Contains(t, mustNot(t, exitFailed, "fleet", "press", "paying", "on", "--device", "hub", "--control", at), "esme or gsme")
	require.Contains(t, mustNot(t, exitUsage, "fleet", "press", "paying", "code", "--control", at), "code CODE")
	require.Contains(t, mustNot(t, exitUsage, "fleet", "vend", "paying", "--kind", "gift", "--control", at), "--kind")
	stop()
}
