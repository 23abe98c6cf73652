//go:build interop

package client

import (
	"bufio"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/hdlc"
	"smets1/dlms/security"
)

// These tests need the Python of an environment with testdata/interop/dlms/requirements.txt. They fail without it: a
// missing tool must not look like success.

func interopPython(t *testing.T) (python, folder string) {
	t.Helper()
	python = os.Getenv("SMETS1_INTEROP_PYTHON")
	require.NotEmpty(t, python, "set SMETS1_INTEROP_PYTHON to the interpreter that has testdata/interop/dlms/requirements.txt installed")
	folder, err := filepath.Abs("../../testdata/interop/dlms")
	require.NoError(t, err)
	return python, folder
}

const (
	interopGUEK = "000102030405060708090A0B0C0D0E0F"
	interopGAK  = "D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF"
)

func interopKeys(t *testing.T) (keys security.KeySet) {
	t.Helper()
	var err error
	keys.GUEK, err = security.ParseKey(interopGUEK)
	require.NoError(t, err)
	keys.GAK, err = security.ParseKey(interopGAK)
	require.NoError(t, err)
	return keys
}

// guruxServer starts the meter on the Gurux server and returns its address.
func guruxServer(t *testing.T, args ...string) string {
	t.Helper()
	python, folder := interopPython(t)
	cmd := exec.Command(python, append([]string{filepath.Join(folder, "gurux_server.py"), "--trace"}, args...)...)
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = stdin.Close() // it leaves when its standard input ends
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("gurux_server: %s", stderr.String())
		}
	})
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	require.NoError(t, err, "gurux_server did not start: %s", &stderr)
	var started struct{ Port int }
	require.NoError(t, json.Unmarshal(line, &started))
	return (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: started.Port}).String()
}

// TestInteropGuruxServer reads everything the Gurux meter has, in every way it can be opened.
func TestInteropGuruxServer(t *testing.T) {
	ciphered := []string{"--guek", interopGUEK, "--gak", interopGAK}
	for _, tt := range []struct {
		name string
		args []string
		sap  uint16
		cfg  func(t *testing.T) Config
	}{
		{"none", nil, 16, func(*testing.T) Config { return Config{} }},
		{"none in blocks", []string{"--max-pdu", "128", "--without-gbt"}, 16, func(*testing.T) Config { return Config{} }},
		{"lls", nil, 17, func(*testing.T) Config {
			return Config{Mechanism: security.MechanismLLS, Secret: security.NewSecret([]byte("Gurux"))}
		}},
		{"hls2", nil, 18, func(*testing.T) Config {
			return Config{Mechanism: security.MechanismHLS, Secret: security.NewSecret([]byte("Gurux"))}
		}},
		{"hls5 ciphered", ciphered, 1, func(t *testing.T) Config {
			return Config{
				Mechanism: security.MechanismGMAC, Keys: interopKeys(t), SystemTitle: security.SystemTitle{'S', 'M', 'E', 0, 0, 0, 0, 1},
			}
		}},
		{"hls5 general-glo in blocks", append([]string{"--max-pdu", "200", "--without-gbt"}, ciphered...), 1, func(t *testing.T) Config {
			return Config{
				Mechanism: security.MechanismGMAC, Keys: interopKeys(t), SystemTitle: security.SystemTitle{'S', 'M', 'E', 0, 0, 0, 0, 1},
				Wrapping: WrapGeneral, Counter: CountFrom(1000),
			}
		}},
	} {
		for _, framing := range []string{"wrapper", "hdlc"} {
			t.Run(tt.name+" "+framing, func(t *testing.T) {
				args := tt.args
				if framing == "hdlc" {
					args = append([]string{"--hdlc"}, args...)
				}
				conn, err := net.Dial("tcp", guruxServer(t, args...))
				require.NoError(t, err)
				var link Link
				if framing == "hdlc" {
					line := NewHDLC(conn, hdlc.ClientConfig{}, nil)
					t.Cleanup(func() { _ = line.Close() })
					link, err = line.Link(hdlc.Client(uint8(tt.sap)), hdlc.Server1(1))
					require.NoError(t, err)
				} else {
					line := NewWrapper(conn)
					t.Cleanup(func() { _ = line.Close() })
					link = line.Link(tt.sap, 1)
				}
				cfg := tt.cfg(t)
				cfg.Timeout = 5 * time.Second
				cfg.AnyInvokeID = true // it answers 1 for an undefined object
				readGuruxMeter(t, link, cfg)
			})
		}
	}
}

func readGuruxMeter(t *testing.T, link Link, cfg Config) {
	t.Helper()
	ctx := t.Context()
	c, err := Associate(ctx, link, cfg)
	require.NoError(t, err)

	at, _, err := c.Clock(ctx)
	require.NoError(t, err)
	require.Equal(t, time.Date(2024, 6, 1, 0, 0, 0, 0, time.UTC), at)
	require.NoError(t, c.SetClock(ctx, at.Add(time.Hour)))
	at, _, err = c.Clock(ctx)
	require.NoError(t, err)
	require.Equal(t, time.Date(2024, 6, 1, 1, 0, 0, 0, time.UTC), at)

	q, err := c.Register(ctx, cosem.ClassRegister, register)
	require.NoError(t, err)
	require.Equal(t, Quantity{123456, cosem.ScalerUnit{Unit: cosem.UnitWattHour}}, q)

	long, err := c.GetBytes(ctx, cosem.Attribute{Class: 1, Instance: cosem.MustOBIS("0-0:96.2.0.255"), ID: 2})
	require.NoError(t, err)
	require.Len(t, long, 600)
	require.EqualValues(t, 87, long[599])

	objects, err := c.Objects(ctx)
	require.NoError(t, err)
	require.Len(t, objects, 8)

	results, err := c.GetList(ctx, GetItem{Attribute: data2}, GetItem{Attribute: cosem.Attribute{Class: 3, Instance: register, ID: 2}})
	require.NoError(t, err)
	require.Equal(t, []Result{{Data: append([]byte{9, 11}, "GRX55667788"...)}, {Data: axdr.AppendUint32(nil, 123456)}}, results)

	require.NoError(t, c.Set(ctx, data2, axdr.AppendOctetString(nil, []byte("changed"))))
	s, err := c.GetString(ctx, data2)
	require.NoError(t, err)
	require.Equal(t, "changed", s)
	err = c.Set(ctx, cosem.Attribute{Class: 3, Instance: register, ID: 2}, axdr.AppendUint32(nil, 1))
	require.ErrorIs(t, err, cosem.ReadWriteDenied)
	_, err = c.Get(ctx, cosem.Attribute{Class: 1, Instance: cosem.MustOBIS("0-0:96.9.9.255"), ID: 2})
	require.ErrorIs(t, err, cosem.ObjectUndefined)

	profile := cosem.MustOBIS("1-0:99.1.0.255")
	first := time.Date(2024, 6, 1, 0, 0, 0, 0, time.UTC)
	want := func(from, n int, rows Rows) {
		t.Helper()
		i := from
		for row, err := range c.Profile(ctx, profile, rows) {
			require.NoError(t, err)
			require.Equal(t, first.Add(time.Duration(i)*30*time.Minute), row.Time)
			v, err := row.Cells[1].AsUint()
			require.NoError(t, err)
			require.EqualValues(t, 1000+i, v)
			i++
		}
		require.Equal(t, n, i-from)
	}
	want(0, 48, Rows{})
	want(2, 3, ByTime(first.Add(time.Hour), first.Add(2*time.Hour)))
	want(4, 5, ByEntry(5, 9))
	paged := ByEntry(1, 48)
	paged.Page = 7
	want(0, 48, paged)

	require.NoError(t, c.Release(ctx))
	_, _, err = c.Clock(ctx)
	require.ErrorIs(t, err, ErrReleased)
}
