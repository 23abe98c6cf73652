//go:build interop

package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/device/fleet"
	"smets1/device/profile"
	"smets1/firmware"
	"smets1/internal/clock"
	"smets1/internal/wire"
)

// gurux-dlms brings an electricity meter behind a hub to another firmware version by
// image transfer, and to other keys by global key change: the association under
// the new keys is accepted, under the old ones refused.
func TestInteropGuruxUpgradesAMeterAndChangesItsKeys(t *testing.T) {
	m, err := fleet.ParseManifest("fleet.yaml", []byte("schema: 1\nname: one\nseed: 3\nstart: 2019-07-15T07:00:00Z\nhomes: [{name: home, profile: foc-mesh, fuel: electricity, firmware: {esme: first}}]\n"))
	require.NoError(t, err)
	clk := clock.NewScaled(m.StartTime(), 8)
	f, err := fleet.Open(t.Context(), m, fleet.Options{Clock: clk, Listen: true, Port: -1})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	var handover bytes.Buffer
	require.NoError(t, f.Handover(&handover, "SMSO"))
	var keys struct {
		Devices []struct {
			EUI  wire.EUI64 `json:"eui"`
			Type string     `json:"type"`
			GUEK string     `json:"guek"`
			GAK  string     `json:"gak"`
			KEK  string     `json:"kek"`
		} `json:"devices"`
	}
	require.NoError(t, json.Unmarshal(handover.Bytes(), &keys))
	var address string
	for e := range f.Inventory() {
		wakeHome(t, f, clk, e)
		address = e.Address
	}
	for _, k := range keys.Devices {
		if k.Type != "esme" {
			continue
		}
		plan := func(guek, gak string, more map[string]any, steps ...map[string]any) map[string]any {
			p := map[string]any{
				"target": address, "client": 1, "server": 1, "auth": "hls5", "timeout": 20, "release": false,
				"counter_from": map[string]any{"client": 16, "obis": "0.0.43.1.0.255"},
				"ciphering":    map[string]any{"system_title": "4D53310000000009", "guek": guek, "gak": gak, "security": "both"},
				"gateway":      map[string]any{"network": 1, "address": hex.EncodeToString(k.EUI[:])},
				"steps":        steps,
			}
			for name, v := range more {
				p[name] = v
			}
			return p
		}
		p, _ := profile.Builtin().Get("foc-mesh")
		d := &p.ESME
		image, err := firmware.SimulatedRelease(firmware.Header{
			Type: firmware.ESME, Manufacturer: d.Manufacturer, Model: d.Model, HardwareFrom: d.Hardware, HardwareTo: d.Hardware, Version: d.Newest(),
		}, 1500)
		require.NoError(t, err)
		// A damaged one first: the meter takes every block and refuses the whole.
		damaged := bytes.Clone(image)
		damaged[len(damaged)/2] ^= 1
		transfer := func(b []byte, activate any) map[string]any {
			return map[string]any{"do": "image", "image": hex.EncodeToString(b), "identifier": "gurux", "activate": activate}
		}
		version := map[string]any{"do": "read", "class": 1, "obis": "1.0.0.2.0.255", "attribute": 2}
		got := gurux(t, plan(k.GUEK, k.GAK, nil, transfer(damaged, false), version))
		require.EqualValues(t, 4, got[2]["value"].(map[string]any)["status"], "verification failed")
		before := got[3]["value"]
		leave := plan(k.GUEK, k.GAK, nil, transfer(image, "leave"))
		got = gurux(t, leave)
		require.EqualValues(t, 3, got[2]["value"].(map[string]any)["status"], "verification successful")
		clk.Advance(5 * time.Minute) // it restarts, and the new image confirms itself
		got = gurux(t, plan(k.GUEK, k.GAK, nil, version, map[string]any{"do": "read", "class": 18, "obis": "0.0.44.0.0.255", "attribute": 6}))
		require.NotEqual(t, before, got[2]["value"])
		require.Equal(t, strings.ToUpper(hex.EncodeToString([]byte(d.Newest()))), got[2]["value"])
		require.EqualValues(t, 6, got[3]["value"], "activation successful")

		const guek, gak, kek = "A0A1A2A3A4A5A6A7A8A9AAABACADAEAF", "B0B1B2B3B4B5B6B7B8B9BABBBCBDBEBF", "C0C1C2C3C4C5C6C7C8C9CACBCCCDCECF"
		gurux(t, plan(k.GUEK, k.GAK, nil, map[string]any{"do": "key_transfer", "kek": k.KEK, "keys": []map[string]any{
			{"id": 0, "key": guek}, {"id": 2, "key": gak}, {"id": 3, "key": kek},
		}}))
		gurux(t, plan(guek, gak, nil, version, map[string]any{"do": "method", "class": 8300, "obis": "0.0.128.43.0.255", "method": 1}))
		gurux(t, plan(guek, gak, nil, version))
		refused := gurux(t, plan(k.GUEK, k.GAK, map[string]any{"expect_open_error": ""}, version))
		require.NotEmpty(t, refused[len(refused)-1]["error"])
	}
}
