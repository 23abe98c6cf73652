package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/device/fleet"
	"smets1/dlms/optical"
	"smets1/dlms/optical/signon"
	"smets1/gateway/session"
	"smets1/internal/clock"
	"smets1/internal/wire"
	"smets1/transport/fault"
	"smets1/transport/radio/air"
	"smets1/transport/serial"
	"smets1/zigbee/node/ncp"
	"smets1/zigbee/spinel"
)

// answering is a pty whose other end says something to each thing that it is sent.
func answering(t *testing.T, answer func(baud int, b []byte) []byte) string {
	t.Helper()
	p, err := serial.NewPTY()
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close() })
	go func() {
		buf := make([]byte, 1000)
		for {
			n, err := p.Read(buf)
			if err != nil {
				return
			}
			baud, _ := p.Baud()
			_, _ = p.Write(answer(baud, buf[:n]))
		}
	}()
	return p.Path()
}

// opticalHub is the hub of a home behind an optical port on a pty, which garbles until the speeds agree.
func opticalHub(t *testing.T, name string) (port string, at *fault.PTYCable) {
	t.Helper()
	m, err := fleet.ParseManifest("scripts.yaml", []byte(scriptFleet))
	require.NoError(t, err)
	f, err := fleet.Open(t.Context(), m, fleet.Options{Clock: clock.NewScaled(m.StartTime(), 50)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	pty, err := serial.NewPTY()
	require.NoError(t, err)
	cable := fault.NewPTYCable(pty, session.ModeOf(optical.SignOn))
	hub, err := signon.NewMeter(cable, func(f optical.Format) error { return cable.SetMode(session.ModeOf(f)) },
		optical.ServerConfig{Identification: optical.Identification{Maker: "SMe", Speed: '5', Escapes: "2", Text: "AS300P"}})
	require.NoError(t, err)
	inner, err := f.DialSerial(name)
	require.NoError(t, err)
	t.Cleanup(func() { _ = hub.Close(); _ = inner.Close() })
	go func() { _, _ = io.Copy(struct{ io.Writer }{inner}, struct{ io.Reader }{hub}) }()
	go func() { _, _ = io.Copy(struct{ io.Writer }{hub}, struct{ io.Reader }{inner}) }()
	return pty.Path(), cable
}

func lineHome(t *testing.T) string {
	t.Helper()
	m, err := fleet.ParseManifest("scripts.yaml", []byte(scriptFleet))
	require.NoError(t, err)
	f, err := fleet.Open(t.Context(), m, fleet.Options{})
	require.NoError(t, err)
	defer f.Close()
	for e := range f.Inventory() {
		if e.Name != "tcp" {
			return e.Name
		}
	}
	t.Fatal("no home with a serial line")
	return ""
}

// Our client reads a virtual hub through a pty, without a sign-on and with one, with every driver.
func TestSerialDLMS(t *testing.T) {
	b := newBench(t)
	name := lineHome(t)
	for _, driver := range serial.Drivers() {
		line := b.line + "&driver=" + driver
		if !strings.Contains(b.line, "?") {
			line = b.line + "?driver=" + driver
		}
		plain := must(t, "dlms", "read", line, "8/0-0:1.0.0.255/2")
		require.NotEmpty(t, plain)
		port, cable := opticalHub(t, name)
		signed := must(t, "dlms", "read", "serial://"+port+"?modee=1&driver="+driver, "8/0-0:1.0.0.255/2")
		require.NotEmpty(t, signed)
		// After the disconnection the port is back at 300 baud, for the next.
		require.Eventually(t, func() bool { return cable.Mode().Baud == 300 }, 5*time.Second, 10*time.Millisecond)
		must(t, "dlms", "read", "serial://"+port+"?modee=1&maxbaud=2400&driver="+driver, "8/0-0:1.0.0.255/2")
		if driver != serial.Native {
			continue
		}
		// Without a sign-on nobody answers.
		require.Contains(t, mustNot(t, exitSilent, "dlms", "read", "serial://"+port+"?baud=9600&driver="+driver, "--timeout", "1s", "8/0-0:1.0.0.255/2"), "No answer")
	}
}

func TestSerialProbe(t *testing.T) {
	probed := func(name, port string, check func(t *testing.T, f finding)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var f finding
			require.NoError(t, json.Unmarshal([]byte(must(t, "serial", "probe", "--json", port)), &f))
			check(t, f)
		})
	}
	b := newBench(t)
	probed("hdlc", b.line, func(t *testing.T, f finding) {
		require.Equal(t, "dlms-hdlc", f.What)
		require.Equal(t, "9600 8N1", f.Mode)
		require.NotEmpty(t, f.Details["logical device name"])
	})
	port, _ := opticalHub(t, lineHome(t))
	probed("sign-on", "serial://"+port, func(t *testing.T, f finding) {
		require.Equal(t, "sign-on", f.What)
		require.Equal(t, `/SMe5\2AS300P`, f.Details["identification"])
		require.Equal(t, "yes, at 9600 8N1: open it with modee=1", f.Details["HDLC"])
		require.NotEmpty(t, f.Details["logical device name"])
	})
	probed("spinel", answering(t, func(baud int, b []byte) []byte {
		var d spinel.Decoder
		frame, _, _ := d.Feed(b)
		q, _, err := spinel.ParseFrame(frame)
		if baud != 115200 || frame == nil || err != nil || q.Command != spinel.CommandGet {
			return nil
		}
		value := map[spinel.Property][]byte{
			spinel.PropProtocolVersion: {4, 3}, spinel.PropNCPVersion: []byte("RCP/1.0\x00"), spinel.PropHardwareAddress: {1, 2, 3, 4, 5, 6, 7, 8},
		}[q.Property]
		raw, _ := spinel.Is(q.Transaction, q.Property, value).AppendBinary(nil)
		return spinel.AppendHDLC(nil, raw)
	}), func(t *testing.T, f finding) {
		require.Equal(t, finding{"spinel", "115200 8N1", map[string]string{"protocol": "4.3", "version": "RCP/1.0", "EUI-64": "01-02-03-04-05-06-07-08"}}, f)
	})
	probed("ash", answering(t, func(baud int, b []byte) []byte {
		if baud == 115200 && string(b) == "\x1A\xC0\x38\xBC\x7E" {
			return []byte{0xC1, 0x02, 0x0B, 0x0A, 0x52, 0x7E}
		}
		return nil
	}), func(t *testing.T, f finding) {
		require.Equal(t, finding{"ezsp-ash", "115200 8N1", map[string]string{"reset": "software", "EZSP": "no answer: it is a co-processor with other firmware"}}, f)
	})
	stick := ncp.NewServer(ncp.ServerConfig{EUI: wire.MustEUI64("00-0D-6F-00-12-34-56-78")})
	stick.Attach(time.Now(), air.New(air.Config{}).Open(stick))
	probed("ezsp", answering(t, func(baud int, b []byte) []byte {
		if baud != 115200 {
			return nil
		}
		stick.Input(time.Now(), b)
		return stick.Output()
	}), func(t *testing.T, f finding) {
		require.Equal(t, finding{"ezsp-ash", "115200 8N1", map[string]string{
			"reset": "software", "EUI-64": "00-0D-6F-00-12-34-56-78", "firmware": "EmberZNet 7.4.0 build 0", "EZSP version": "13",
		}}, f)
	})
	probed("console", answering(t, func(baud int, b []byte) []byte {
		if baud == 115200 && string(b) == "\r\n" {
			return []byte("\r\nhub login: ")
		}
		return nil
	}), func(t *testing.T, f finding) {
		require.Equal(t, "console", f.What)
		require.Contains(t, f.Details["says"], "hub login:")
	})
	silent := answering(t, func(int, []byte) []byte { return nil })
	t.Run("silence", func(t *testing.T) {
		t.Parallel()
		said := mustNot(t, exitSilent, "serial", "probe", silent)
		require.Contains(t, said, "nothing answers on /dev/pts/")
	})
	require.Contains(t, mustNot(t, exitUsage, "serial", "probe", "/dev/ttyUSB0"), "another device")
	require.Contains(t, mustNot(t, exitNoConnect, "serial", "probe", "/dev/no-such-port"), "no such file")
}

func TestSerialList(t *testing.T) {
	root := t.TempDir()
	device := filepath.Join(root, "sys/devices/usb1/1-2/1-2:1.0")
	require.NoError(t, os.MkdirAll(filepath.Join(device, "tty/ttyACM0"), 0o755))
	for name, text := range map[string]string{"../idVendor": "1366", "../idProduct": "0105", "../serial": "683", "../product": "J-Link", "bInterfaceNumber": "00"} {
		require.NoError(t, os.WriteFile(filepath.Join(device, name), []byte(text+"\n"), 0o600))
	}
	require.NoError(t, os.Symlink(device, filepath.Join(device, "tty/ttyACM0/device")))
	require.NoError(t, os.MkdirAll(filepath.Join(root, "sys/class/tty"), 0o755))
	require.NoError(t, os.Symlink(filepath.Join(device, "tty/ttyACM0"), filepath.Join(root, "sys/class/tty/ttyACM0")))
	before := serialDirectory
	serialDirectory = func() (serial.Directory, error) { return serial.Directory{Root: root}, nil }
	defer func() { serialDirectory = before }()
	text := must(t, "serial", "list")
	require.Contains(t, text, "1366:0105")
	require.Contains(t, text, "serial://usb?interface=0&serial=683")
	var ports []serial.Info
	require.NoError(t, json.Unmarshal([]byte(must(t, "serial", "list", "--json")), &ports))
	require.Equal(t, "683", ports[0].USB.Serial)
	require.NoError(t, os.Remove(filepath.Join(root, "sys/class/tty/ttyACM0")))
	require.Contains(t, mustNot(t, exitFailed, "serial", "list"), "no serial ports")
	require.Equal(t, "[]\n", must(t, "serial", "list", "--json"))
}

// waitFor waits for a link and what it leads to.
func waitFor(t *testing.T, link string) {
	t.Helper()
	require.Eventually(t, func() bool { _, err := os.Stat(link); return err == nil }, 10*time.Second, 5*time.Millisecond)
}

// A program's conversation with a virtual hub is recorded, and plays again without the hub.
func TestSerialRecordAndReplay(t *testing.T) {
	b := newBench(t)
	dir := t.TempDir()
	file, link := filepath.Join(dir, "hub.trace"), filepath.Join(dir, "hub.tty")
	read := []string{"dlms", "read", "serial://" + link, "1/0-0:42.0.0.255/2"}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int, 1)
	go func() {
		_, _, code := runRoot(ctx, "serial", "record", b.line, "--out", file, "--pty", link)
		done <- code
	}()
	waitFor(t, link)
	said := must(t, read...)
	time.Sleep(100 * time.Millisecond) // for the goodbye to pass
	cancel()
	require.Equal(t, exitOK, <-done)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(text), "> 7e a0")

	replay := func(file string) (string, string, int) {
		type result struct {
			out, errs string
			code      int
		}
		end := make(chan result, 1)
		go func() {
			out, errs, code := runRoot(t.Context(), "serial", "replay", file, "--pty", link)
			end <- result{out, errs, code}
		}()
		waitFor(t, link)
		program, _, _ := runRoot(t.Context(), append(read, "--timeout", "2s")...)
		r := <-end
		return program + r.out, r.errs, r.code
	}
	out, errs, code := replay(file)
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, said)
	// One changed byte.
	lines := strings.Split(string(text), "\n")
	for i, l := range lines {
		if strings.Contains(l, " > 7e") {
			lines[i] = strings.Replace(l, "7e a0", "7e a1", 1)
			break
		}
	}
	bad := filepath.Join(dir, "bad.trace")
	require.NoError(t, os.WriteFile(bad, []byte(strings.Join(lines, "\n")), 0o600))
	_, errs, code = replay(bad)
	require.Equal(t, exitFailed, code)
	require.Regexp(t, `line \d+, byte 2: the trace has a1, and now came a0`, errs)

	pcap := filepath.Join(dir, "hub.pcapng")
	must(t, "serial", "convert", file, pcap)
	raw, err := os.ReadFile(pcap)
	require.NoError(t, err)
	require.Contains(t, string(raw), "\x7E\xA0")
	require.Contains(t, mustNot(t, exitUsage, "serial", "replay", pcap), "want a time")
	require.Contains(t, mustNot(t, exitUsage, "serial", "record", b.line), "--out")
}

// fleet serve offers a hub behind an optical port: a sign-on at 300 7E1, another speed, HDLC, and each character in its time.
func TestFleetServeOptical(t *testing.T) {
	dir := t.TempDir()
	manifest := filepath.Join(dir, "fleet.yaml")
	require.NoError(t, os.WriteFile(manifest, []byte(oneHome+"  - {name: head, profile: foc-mesh, fuel: electricity, link: optical}\n"), 0o600))
	out, errs, stop := background(t, "fleet", "serve", manifest, "--port", "0", "--pty", filepath.Join(dir, "lines"), "--pace", "--json")
	errs.until(t, "2 homes")
	var address string
	for d := json.NewDecoder(strings.NewReader(out.String())); d.More(); {
		var e fleet.Entry
		require.NoError(t, d.Decode(&e))
		if e.Name == "head" {
			address = e.Address
		}
	}
	require.Equal(t, "serial://"+filepath.Join(dir, "lines", "head.tty")+"?modee=1", address)
	began := time.Now()
	require.NotEmpty(t, must(t, "dlms", "read", address, "8/0-0:1.0.0.255/2"))
	// Request, identification, acknowledgement and its repetition have 30 characters at least, of 33 ms each.
	require.Greater(t, time.Since(began), time.Second)
	require.Contains(t, mustNot(t, exitSilent, "dlms", "read", strings.Replace(address, "modee=1", "baud=9600", 1), "--timeout", "1s", "8/0-0:1.0.0.255/2"), "No answer")
	require.Equal(t, exitOK, stop())
}

// A meter with a readout and nothing else, at its optical port on a pty.
func TestSerialReadout(t *testing.T) {
	data := optical.Data{{{Address: "0.0.0", Values: []optical.Value{{Text: "12345678"}}}}, {{Address: "1.8.0", Values: []optical.Value{{Text: "001234.5", Unit: "kWh"}}}}}
	const text = "0.0.0(12345678)\n1.8.0(001234.5*kWh)\n!\n"
	for name, speed := range map[string]byte{"mode A": 'Z', "mode B": 'E', "mode C": '5'} {
		t.Run(name, func(t *testing.T) {
			pty, err := serial.NewPTY()
			require.NoError(t, err)
			m, err := signon.NewMeter(pty, nil, optical.ServerConfig{
				Identification: optical.Identification{Maker: "SME", Speed: speed, Text: "OLD"}, Data: data,
			})
			require.NoError(t, err)
			t.Cleanup(func() { _ = m.Close() })
			go func() { _, _ = m.Read(make([]byte, 10)) }()
			file := filepath.Join(t.TempDir(), "meter.txt")
			must(t, "serial", "readout", pty.Path(), "--out", file)
			b, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, "/SME"+string(speed)+"OLD\n"+text, string(b))
		})
	}
	t.Run("mode D", func(t *testing.T) {
		b, err := optical.Push{Identification: optical.Identification{Maker: "SMe", Speed: '3', Text: "PUSH"}, Data: data}.AppendBinary(nil)
		require.NoError(t, err)
		pty, err := serial.NewPTY()
		require.NoError(t, err)
		t.Cleanup(func() { _ = pty.Close() })
		go func() { // the button is pressed once somebody listens, and once too early for all of it
			for range 1000 {
				if baud, err := pty.Baud(); err != nil || baud == 2400 {
					break
				}
				time.Sleep(5 * time.Millisecond)
			}
			time.Sleep(50 * time.Millisecond)
			_, _ = pty.Write(append([]byte("/2.7(3)\r\n!\r\n"), optical.AppendParity(nil, b)...))
		}()
		require.Equal(t, "/SMe3PUSH\n"+text, must(t, "serial", "readout", pty.Path(), "--push"))
	})
	silent := answering(t, func(int, []byte) []byte { return nil })
	require.Contains(t, mustNot(t, exitSilent, "serial", "readout", silent, "--push", "--timeout", "100ms"), "No answer")
}

// The faults that make a run fail are found among those that do not matter.
func TestSerialShrink(t *testing.T) {
	dir := t.TempDir()
	plan, out := filepath.Join(dir, "fired.yaml"), filepath.Join(dir, "small.yaml")
	var all []fault.Fault
	for i := range 20 {
		all = append(all, fault.Fault{Kind: fault.Lose, Direction: fault.In, At: []int64{int64(100 + i)}})
	}
	text, err := fault.Plan{Faults: all}.YAML()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(plan, text, 0o600))
	// The run fails when bytes 103 and 117 are both lost.
	must(t, "serial", "shrink", plan, "--out", out, "--", "sh", "-c", `! { grep -q 103 "{}" && grep -q 117 "$SMETS1_FAULTS"; }`)
	small, err := fault.Load(out)
	require.NoError(t, err)
	require.Equal(t, []fault.Fault{all[3], all[17]}, small.Faults)
	require.Contains(t, mustNot(t, exitFailed, "serial", "shrink", plan, "--", "true"), "does not depend on them")
	require.Contains(t, mustNot(t, exitFailed, "serial", "shrink", plan, "--", "sh", "-c", "exit 125"), "says nothing")
	mustNot(t, exitUsage, "serial", "shrink", plan)
	mustNot(t, exitUsage, "serial", "shrink", plan, "--", filepath.Join(dir, "no such program"))
	require.NoError(t, os.WriteFile(plan, []byte("faults: [{kind: lose, rate: 0.1}]"), 0o600))
	require.Contains(t, mustNot(t, exitUsage, "serial", "shrink", plan, "--", "true"), "by chance")
}
