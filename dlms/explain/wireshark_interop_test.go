//go:build interop

package explain_test

import (
	"encoding/json"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/dlms/explain"
	"smets1/dlms/hdlc"
	"smets1/internal/clock"
	"smets1/transport/capture"
)

// record writes a capture with the dialogues of the vectors, each on a line or
// connection of its own.
func record(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "dlms.pcapng")
	clk := clock.NewStepped(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC))
	w, err := capture.Create(path, clk)
	require.NoError(t, err)
	var d transcript
	load(t, "transcripts/hdlc_ciph.json", &d)
	line := w.NewLine("hdlc_ciph")
	for _, f := range d.Frames {
		line.Bytes(direction(f.Dir), unhex(t, f.Hex))
		clk.Advance(time.Millisecond)
	}
	// An APDU in three segments, and a frame with a wrong check sequence.
	apdu := unhex(t, "E6E600 C001C100070100630100FF0201010204020412000809060000010000FF0F02120000090C07E90A0104000000000000FF090C07E90A0204000000000000FF0100")
	for i, part := range [][]byte{apdu[:20], apdu[20:40], apdu[40:]} {
		b, err := hdlc.Frame{
			Destination: hdlc.Server2(1, 17), Source: hdlc.Client(16), Segmented: i < 2, Info: part,
			Control: hdlc.Control{Kind: hdlc.I, NS: uint8(i), Final: true},
		}.AppendBinary(nil)
		require.NoError(t, err)
		line.Bytes(capture.Outbound, b)
		clk.Advance(time.Millisecond)
	}
	line.Bytes(capture.Inbound, unhex(t, "7EA00703219300007E"))
	line.Flush()

	load(t, "transcripts/wrap_ciph.json", &d)
	conn := w.NewConn(capture.ConnConfig{Name: "wrap_ciph"})
	for _, f := range d.Frames {
		b := unhex(t, f.Hex)
		// Streams cut where they like.
		conn.Bytes(direction(f.Dir), b[:len(b)/2])
		conn.Bytes(direction(f.Dir), b[len(b)/2:])
		clk.Advance(time.Millisecond)
	}
	conn.Close()
	udp := w.NewConn(capture.ConnConfig{Name: "udp", Datagrams: true, Local: netip.MustParseAddrPort("192.0.2.9:50000"), Remote: netip.MustParseAddrPort("192.0.2.10:4059")})
	udp.Bytes(capture.Outbound, unhex(t, "0001 0010 0001 0018 E6010800DB1234567890A0 C001C100080000010000FF0200"))
	udp.Bytes(capture.Inbound, unhex(t, "0001 0001 0010 000E E7010800DB1234567890A0 D80103"))
	udp.Close()
	require.NoError(t, w.Close())
	return path
}

func direction(dir string) capture.Direction {
	if dir == "client" {
		return capture.Outbound
	}
	return capture.Inbound
}

// tshark dissects a capture with the script and gives the fields of the packets that have any.
func tshark(t *testing.T, path string, fields ...string) []map[string][]string {
	t.Helper()
	tool, err := exec.LookPath("tshark")
	require.NoError(t, err, "tshark is missing: run make interop")
	script, err := filepath.Abs(luaScript)
	require.NoError(t, err)
	args := []string{"-X", "lua_script:" + script, "-r", path, "-T", "json"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	cmd := exec.Command(tool, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	require.NotContains(t, stderr.String(), "Lua", stderr.String())
	var packets []struct {
		Source struct {
			Layers map[string][]string `json:"layers"`
		} `json:"_source"`
	}
	require.NoError(t, json.Unmarshal(out, &packets))
	var got []map[string][]string
	for _, p := range packets {
		if len(p.Source.Layers) > 0 {
			got = append(got, p.Source.Layers)
		}
	}
	return got
}

// tshark with the script in docs sees in a capture of ours what is there.
func TestInteropWireshark(t *testing.T) {
	path := record(t)
	all := tshark(t, path,
		"dlms.name", "dlms.hdlc.kind", "dlms.hdlc.fcs_ok", "dlms.hdlc.segment", "dlms.hdlc.reassembled", "dlms.logical_name", "dlms.hdlc.destination",
		"dlms.wrapper.source", "dlms.wrapper.destination", "dlms.invocation_counter", "dlms.gateway.address", "dlms.exception.service",
		"dlms.block.number", "dlms.hdlc.parameter", "_ws.lua.error",
	)
	var names []string
	count := map[string]int{}
	for _, p := range all {
		require.Empty(t, p["_ws.lua.error"])
		names = append(names, p["dlms.name"]...)
		for _, k := range p["dlms.hdlc.kind"] {
			count[k]++
		}
		for _, ok := range p["dlms.hdlc.fcs_ok"] {
			count["fcs "+ok]++
		}
		if p["dlms.hdlc.reassembled"] != nil && p["dlms.hdlc.destination"][0] == "1/17" {
			require.Equal(t, []string{"67"}, p["dlms.hdlc.reassembled"])
			require.Equal(t, []string{"3, the last"}, p["dlms.hdlc.segment"])
			require.Equal(t, []string{"get-request-normal"}, p["dlms.name"])
			require.Equal(t, []string{"1-0:99.1.0.255"}, p["dlms.logical_name"])
			count["reassembled"]++
		}
	}
	require.Equal(t, 1, count["reassembled"])
	require.Equal(t, 1, count["fcs 0"]+count["fcs False"])
	require.Positive(t, count["SNRM"])
	require.Positive(t, count["UA"])
	require.Positive(t, count["RR"])

	// Every APDU of the dialogue over TCP is there by its name, in order: what this package says of them.
	var want []string
	var d transcript
	load(t, "transcripts/wrap_ciph.json", &d)
	for _, f := range d.Frames {
		want = append(want, nameOf(unhex(t, f.Hex)[8:]))
	}
	require.Equal(t, want, names[len(names)-len(want)-4:len(names)-4])
	require.Equal(t, []string{"gateway-request", "get-request-normal", "gateway-response", "exception-response"}, names[len(names)-4:])
	last := all[len(all)-1]
	require.Equal(t, []string{"1"}, last["dlms.wrapper.source"])
	require.Equal(t, []string{"16"}, last["dlms.wrapper.destination"])
	require.Equal(t, []string{"3"}, last["dlms.exception.service"])
	require.Equal(t, "00db1234567890a0", strings.ToLower(strings.NewReplacer(":", "", "-", "").Replace(last["dlms.gateway.address"][0])))
}

// nameOf is the name of the APDU at the start of b, as this package has it.
func nameOf(b []byte) string {
	for _, f := range explain.New(explain.Options{Form: explain.APDU}).Explain(b).Fields {
		if f.Name == "APDU" {
			return f.Value
		}
	}
	return ""
}
