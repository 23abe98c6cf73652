//go:build interop

package client

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/dlms/server"
	"smets1/transport/serial"
)

// listen serves a site on a TCP port of loopback, with as many connections as come.
func (s *site) listen(t *testing.T, framing string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serve(conn, s.machine(framing), &s.mu)
		}
	}()
	return "tcp://" + l.Addr().String()
}

// datagrams serves a site on a UDP port of loopback.
func (s *site) datagrams(t *testing.T) string {
	t.Helper()
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		var from net.Addr
		g := server.NewDatagrams(server.StreamConfig{Host: s.host, Forward: s.forward}, func(_ uint64, b []byte) {
			_, _ = l.WriteTo(b, from)
		})
		buf := make([]byte, 4096)
		for {
			n, addr, err := l.ReadFrom(buf)
			if err != nil {
				return
			}
			s.mu.Lock()
			from = addr
			g.Input(time.Now(), 1, buf[:n])
			s.mu.Unlock()
		}
	}()
	return "udp://" + l.LocalAddr().String()
}

type plan map[string]any

// run gives a plan to one of the scripts and fails with what it printed.
func (p plan) run(t *testing.T, script string) {
	t.Helper()
	python, folder := interopPython(t)
	raw, err := json.Marshal(p)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, filepath.Join(folder, script), "-")
	cmd.Stdin = bytes.NewReader(raw)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s\nplan %s", out, raw)
	require.Contains(t, string(out), `"ok": true`)
}

func step(do string, pairs ...any) map[string]any {
	m := map[string]any{"do": do}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	return m
}

func rowsFrom(first, n int) [][]any {
	rows := make([][]any, n)
	for i := range rows {
		at := profileAt.Add(time.Duration(first+i) * 30 * time.Minute)
		rows[i] = []any{at.Format("2006-01-02T15:04:05+00:00"), 1000 + first + i}
	}
	return rows
}

const profileOBIS = "1.0.99.1.0.255"

// readSteps read what the meter of meter_test.go holds.
func readSteps() []map[string]any {
	long := make([]byte, 600)
	for i := range long {
		long[i] = byte(i)
	}
	return []map[string]any{
		step("clock", "expect", "2024-06-01T12:00:00+00:00"),
		step("read", "class", 1, "obis", "0.0.42.0.0.255", "attribute", 2, "expect", fmt.Sprintf("%X", "SME0000000000077")),
		step("register", "obis", "1.0.1.8.0.255", "expect", map[string]any{"value": 123456, "unit": 30}),
		step("read", "class", 1, "obis", "0.0.96.2.0.255", "attribute", 2, "expect", strings.ToUpper(hex.EncodeToString(long))),
		step("profile_columns", "obis", profileOBIS, "expect", [][]any{{8, "0.0.1.0.0.255", 2, 0}, {3, "1.0.1.8.0.255", 2, 0}}),
		step("profile_all", "obis", profileOBIS, "expect", rowsFrom(0, 48)),
		step("profile_range", "obis", profileOBIS, "from", "2024-06-01T01:00:00+00:00", "to", "2024-06-01T02:00:00+00:00", "expect", rowsFrom(2, 3)),
		step("set_clock", "value", "2024-06-02T13:00:00+00:00"),
		step("clock", "expect", "2024-06-02T13:00:00+00:00"),
		step("list", "items", []map[string]any{
			{"class": 1, "obis": "0.0.96.1.0.255", "attribute": 2}, {"class": 3, "obis": "1.0.1.8.0.255", "attribute": 2},
		}, "expect", []any{fmt.Sprintf("%X", "SME55667788"), 123456}),
	}
}

// guruxSteps add what the Gurux client does beyond.
func guruxSteps(association bool) []map[string]any {
	steps := append(readSteps(),
		step("profile_entry", "obis", profileOBIS, "from", 5, "count", 5, "expect", rowsFrom(4, 5)),
		step("write", "class", 1, "obis", "0.0.96.1.0.255", "attribute", 2, "type", "octet_string", "value", strings.Repeat("AB", 2000)),
		step("read", "class", 1, "obis", "0.0.96.1.0.255", "attribute", 2, "expect", strings.Repeat("AB", 2000)),
		step("write", "class", 3, "obis", "1.0.1.8.0.255", "attribute", 2, "type", "uint32", "value", 1, "expect_error", "Read-Write denied", "fatal", false),
		step("method", "class", 3, "obis", "1.0.1.8.0.255", "method", 1),
		step("read", "class", 3, "obis", "1.0.1.8.0.255", "attribute", 2, "expect", 0),
		step("image", "image", strings.Repeat("0102030405", 40), "identifier", "image-1", "activate", true, "expect", map[string]any{"status": 6}),
	)
	if association {
		steps = append(steps, step("association", "expect", []string{
			"1/0.0.42.0.0.255", "1/0.0.43.1.0.255", "1/0.0.96.1.0.255", "1/0.0.96.2.0.255", "15/0.0.40.0.0.255",
			"18/0.0.44.0.0.255", "3/1.0.1.8.0.255", "64/0.0.43.0.0.255", "7/1.0.99.1.0.255", "8/0.0.1.0.0.255",
		}))
	}
	return steps
}

func cipherPlan(more ...any) map[string]any {
	m := map[string]any{"system_title": "534D450000000001", "guek": interopGUEK, "gak": interopGAK, "counter": 1}
	for i := 0; i < len(more); i += 2 {
		m[more[i].(string)] = more[i+1]
	}
	return m
}

var secretHex = hex.EncodeToString([]byte("secret"))

// TestInteropGuruxClient has the Gurux client read our meter in every way it can.
func TestInteropGuruxClient(t *testing.T) {
	for _, tt := range []struct {
		name string
		plan plan
	}{
		{"none", plan{"client": sapPublic}},
		{"none, small PDU, service blocks", plan{"client": sapPublic, "max_pdu": 128}},
		{"lls", plan{"client": sapLLS, "auth": "lls", "password": secretHex}},
		{"hls2", plan{"client": sapHLS2, "auth": "hls2", "password": hex.EncodeToString([]byte(hls2Secret))}},
		{"hls3", plan{"client": sapMD5, "auth": "hls3", "password": secretHex}},
		{"hls4", plan{"client": sapSHA1, "auth": "hls4", "password": secretHex}},
		{"hls5, ciphered", plan{"client": sapManage, "auth": "hls5", "ciphering": cipherPlan()}},
		{"hls5, ciphered, dedicated", plan{"client": sapManage, "auth": "hls5", "ciphering": cipherPlan("dedicated_key", "AABBCCDDEEFF00112233445566778899")}},
		{"hls5, counter from the public client", plan{"client": sapManage, "auth": "hls5", "ciphering": cipherPlan(), "counter_from": map[string]any{"client": 16}}},
	} {
		for _, framing := range []string{"wrapper", "hdlc"} {
			t.Run(tt.name+"/"+framing, func(t *testing.T) {
				meter, s := newMeter(t)
				home := &site{host: server.Devices{meter}}
				p := plan{"target": home.listen(t, framing), "framing": framing, "server": 1, "steps": guruxSteps(tt.plan["client"] != sapPublic)}
				for k, v := range tt.plan {
					p[k] = v
				}
				p.run(t, "gurux_client.py")
				home.look(func() { require.Len(t, s.image, 200) })
			})
		}
	}
}

// TestInteropGuruxRefused: what the Gurux client sees of our refusals.
func TestInteropGuruxRefused(t *testing.T) {
	meter, _ := newMeter(t)
	home := &site{host: server.Devices{meter}}
	target := home.listen(t, "wrapper")
	plan{"target": target, "client": sapLLS, "auth": "lls", "password": "00", "expect_open_error": "Authentication failure"}.run(t, "gurux_client.py")
	plan{"target": target, "client": sapPublic, "steps": []any{
		step("read", "class", 1, "obis", "0.0.96.9.9.255", "attribute", 2, "expect_error", "undefined object", "fatal", false),
		step("clock", "expect", "2024-06-01T12:00:00+00:00"),
	}}.run(t, "gurux_client.py")
}

// TestInteropGuruxUDP reads over datagrams.
func TestInteropGuruxUDP(t *testing.T) {
	meter, _ := newMeter(t)
	home := &site{host: server.Devices{meter}}
	plan{"target": home.datagrams(t), "client": sapManage, "auth": "hls5", "ciphering": cipherPlan(), "steps": readSteps()}.run(t, "gurux_client.py")
}

// TestInteropGuruxPTY reads over HDLC on a pty that stands for a USB serial cable.
func TestInteropGuruxPTY(t *testing.T) {
	meter, _ := newMeter(t)
	home := &site{host: server.Devices{meter}}
	cable, err := serial.NewPTY()
	require.NoError(t, err)
	t.Cleanup(func() { _ = cable.Close() })
	go serve(cable, home.machine("hdlc"), &home.mu)
	plan{
		"target": "serial://" + cable.Path() + "?baud=9600", "framing": "hdlc", "client": sapManage, "auth": "hls5",
		"ciphering": cipherPlan(), "steps": readSteps(),
	}.run(t, "gurux_client.py")
}

// TestInteropGuruxGateway reads two meters behind a hub by the gateway prefix, and the hub itself.
func TestInteropGuruxGateway(t *testing.T) {
	for _, framing := range []string{"wrapper", "hdlc"} {
		t.Run(framing, func(t *testing.T) {
			front, _ := newMeter(t)
			esme, _ := newMeter(t)
			gsme, _ := newMeter(t)
			home := &site{host: server.Devices{front}, forward: &hub{meters: map[string]*server.Device{
				"\x00\xDB\x12\x34\x56\x78\x90\xA0": esme, "\x00\xDB\x12\x34\x56\x78\x90\xA1": gsme,
			}}}
			target := home.listen(t, framing)
			base := func() plan {
				return plan{"target": target, "framing": framing, "client": sapManage, "auth": "hls5", "ciphering": cipherPlan(), "steps": guruxSteps(true)}
			}
			base().run(t, "gurux_client.py")
			for _, eui := range []string{"00DB1234567890A0", "00DB1234567890A1"} {
				p := base()
				p["gateway"] = map[string]any{"network": 1, "address": eui}
				p.run(t, "gurux_client.py")
			}
		})
	}
}

// TestInteropGuruxKeyTransfer changes a key by the Gurux client, and opens the meter under the new one with ours and theirs.
func TestInteropGuruxKeyTransfer(t *testing.T) {
	meter, _ := newMeter(t)
	home := &site{host: server.Devices{meter}}
	target := home.listen(t, "wrapper")
	const fresh = "0F0E0D0C0B0A09080706050403020100"
	plan{"target": target, "client": sapManage, "auth": "hls5", "ciphering": cipherPlan(), "steps": []any{
		step("key_transfer", "kek", "00112233445566778899AABBCCDDEEFF", "keys", []any{map[string]any{"id": 0, "key": fresh}}),
	}, "release": false}.run(t, "gurux_client.py")
	plan{"target": target, "client": sapManage, "auth": "hls5", "ciphering": cipherPlan("counter", 500, "guek", fresh),
		"steps": []any{step("clock", "expect", "2024-06-01T12:00:00+00:00")}}.run(t, "gurux_client.py")
	cfg := managed(t)
	cfg.Keys.GUEK, cfg.Counter = testKey(t, fresh), CountFrom(1000)
	c, err := Associate(t.Context(), connect(t, home.dial(t, "wrapper"), "wrapper", sapManage), cfg)
	require.NoError(t, err)
	_, _, err = c.Clock(t.Context())
	require.NoError(t, err)
}

// TestInteropDLMSCosem has the u9n client read our meter where it goes: no general blocks, no ded-, no rows by entry.
func TestInteropDLMSCosem(t *testing.T) {
	for _, tt := range []struct {
		name string
		plan plan
	}{
		{"none", plan{"client": sapPublic}},
		{"none, small PDU", plan{"client": sapPublic, "max_pdu": 128}},
		{"lls", plan{"client": sapLLS, "auth": "lls", "password": secretHex}},
		{"hls2", plan{"client": sapHLS2, "auth": "hls2", "password": hex.EncodeToString([]byte(hls2Secret))}},
		{"hls5, ciphered", plan{"client": sapManage, "auth": "hls5", "ciphering": cipherPlan()}},
		{"hls5, counter from the public client", plan{"client": sapManage, "auth": "hls5", "ciphering": cipherPlan(), "counter_from": map[string]any{"client": 16}}},
	} {
		for _, framing := range []string{"wrapper", "hdlc"} {
			if framing == "hdlc" && tt.plan["counter_from"] != nil {
				continue // its HDLC line cannot be opened twice
			}
			t.Run(tt.name+"/"+framing, func(t *testing.T) {
				meter, _ := newMeter(t)
				home := &site{host: server.Devices{meter}}
				steps := readSteps()
				p := plan{"framing": framing, "server": 1, "steps": steps}
				for k, v := range tt.plan {
					p[k] = v
				}
				p["target"] = home.listen(t, framing)
				p.run(t, "dlmscosem_client.py")
			})
		}
	}
}
