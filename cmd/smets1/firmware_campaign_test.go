package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/device/profile"
	"smets1/firmware"
	"smets1/gateway/topic"
)

// A campaign from the command line: manifests made by pack, shown as a plan, begun,
// followed to its end, and what came of the home.
func TestFirmwareCampaign(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.WriteFile(at("payload.bin"), make([]byte, 600), 0o600))
	library := firmware.NewLibrary()
	p, _ := profile.Builtin().Get("foc-mesh")
	for kind, d := range map[string]*profile.Device{"chf": &p.Hub, "esme": &p.ESME} {
		more := []string{}
		if kind == "esme" {
			more = []string{"--needs", "chf=" + p.Hub.Newest()}
		}
		hardware := strconv.Itoa(int(d.Hardware))
		must(t, append([]string{"firmware", "pack", "--simulator", "--type", kind, "--manufacturer", d.Manufacturer, "--model", d.Model, "--version", d.Newest(),
			"--hardware-from", hardware, "--hardware-to", hardware, "--release", at(kind + ".json"), at("payload.bin"), at(kind + ".img")}, more...)...)
		b, err := os.ReadFile(at(kind + ".img"))
		require.NoError(t, err)
		_, err = library.Put(b)
		require.NoError(t, err)
	}
	url, hub := gatewayWith(t, strings.Replace(oneHome, "fuel: dual", "fuel: electricity, firmware: {hub: first, esme: first}", 1), library)
	campaign := func(args ...string) []string {
		return append(append([]string{"firmware", "campaign"}, args...), "--broker", url)
	}
	start := []string{"start", "--id", "spring", "--releases", dir, "--to", "esme=" + p.ESME.Newest(), "--retry", "no-wan=3,1m"}

	plan := must(t, campaign(append(start, "--plan")...)...)
	require.Contains(t, plan, "planned")
	require.Less(t, strings.Index(plan, "1. chf"), strings.Index(plan, "2. esme"), "what the meter needs comes first:\n%s", plan)
	require.Empty(t, must(t, campaign("status")...), "nothing began")

	require.Contains(t, must(t, campaign(start...)...), "spring: running")
	require.Contains(t, must(t, campaign(start...)...), "spring: ", "again")
	require.Contains(t, mustNot(t, exitUsage, campaign("pause", "autumn")...), "there is no such campaign")
	var r topic.CampaignResult
	require.Eventually(t, func() bool {
		r = topic.CampaignResult{}
		require.NoError(t, json.Unmarshal([]byte(must(t, campaign("status", "spring", "--json")...)), &r))
		return r.Campaigns[0].State == "ended"
	}, 2*time.Minute, 200*time.Millisecond)
	require.Equal(t, 1, r.Campaigns[0].Done, "%+v", r)
	require.Equal(t, 2, r.Campaigns[0].Steps)
	var home topic.CampaignHome
	require.NoError(t, json.Unmarshal([]byte(must(t, campaign("homes", "spring", "--json")...)), &home))
	require.Equal(t, hub, home.Hub)
	require.Equal(t, p.ESME.Newest(), home.Plan[1].Result.To)
	require.Equal(t, firmware.SimulatorSigner, home.Plan[1].Result.Signer)
	require.Contains(t, must(t, campaign("homes", "spring")...), "step 2 of 2")
	require.Empty(t, must(t, campaign("homes", "spring", "--failed")...))
	mustNot(t, exitUsage, campaign("abort", "spring")...)
	mustNot(t, exitUsage, campaign(append(start, "--retry", "no-wan")...)...)
}
