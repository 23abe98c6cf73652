//go:build unix

package serial

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// tree is a file system with the files of sysfs, udev and /proc that a Directory reads.
type tree struct {
	t    *testing.T
	root string
}

func (f tree) write(path, text string) {
	path = filepath.Join(f.root, path)
	require.NoError(f.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(f.t, os.WriteFile(path, []byte(text+"\n"), 0o600))
}

func (f tree) link(path, target string) {
	path = filepath.Join(f.root, path)
	require.NoError(f.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(f.t, os.Symlink(target, path))
}

const usbRoot = "sys/devices/pci0000:00/0000:00:14.0/usb1"

func (f tree) usb(socket, vid, pid, serial, product string) {
	dir := usbRoot + "/" + socket
	f.write(dir+"/idVendor", vid)
	f.write(dir+"/idProduct", pid)
	f.write(dir+"/product", product)
	f.write(dir+"/manufacturer", "Maker")
	if serial != "" {
		f.write(dir+"/serial", serial)
	}
}

// port puts a tty of a driver at an interface of a USB device. A usb-serial driver has a device of its own in between.
func (f tree) port(socket, iface, tty, driver string, between bool) {
	dir := usbRoot + "/" + socket + "/" + socket + ":1." + iface
	f.write(dir+"/bInterfaceNumber", "0"+iface)
	if between {
		dir += "/" + tty
	}
	f.write(dir+"/tty/"+tty+"/dev", "188:0")
	f.link(dir+"/tty/"+tty+"/device", filepath.Join(f.root, dir))
	f.link(dir+"/driver", "/somewhere/drivers/"+driver)
	f.link("sys/class/tty/"+tty, filepath.Join(f.root, dir, "tty", tty))
	f.write("dev/"+tty, "")
}

func bench(t *testing.T) Directory {
	f := tree{t, t.TempDir()}
	f.usb("1-1.2", "0403", "6010", "FT42", "Dual RS232")
	f.port("1-1.2", "0", "ttyUSB0", "ftdi_sio", true)
	f.port("1-1.2", "1", "ttyUSB10", "ftdi_sio", true)
	f.usb("1-3", "1366", "0105", "683000001", "J-Link")
	f.port("1-3", "2", "ttyACM0", "cdc_acm", false)
	// Two of a make that gives all its devices the same serial number, and two of one that gives none.
	for i, socket := range []string{"1-4.1", "1-4.2"} {
		f.usb(socket, "10c4", "ea60", "0001", "CP2102 USB to UART")
		f.port(socket, "0", "ttyUSB"+string(rune('2'+i)), "cp210x", true)
	}
	for i, socket := range []string{"1-5.1", "1-5.2"} {
		f.usb(socket, "1a86", "7523", "", "USB Serial")
		f.port(socket, "0", "ttyUSB"+string(rune('4'+i)), "ch341", true)
	}
	f.link("dev/serial/by-id/usb-FTDI_Dual_RS232_FT42-if00-port0", "../../ttyUSB0")
	f.link("dev/serial/by-id/usb-FTDI_Dual_RS232_FT42-if01-port0", "../../ttyUSB10")
	f.link("dev/serial/by-id/usb-SEGGER_J-Link_683000001-if02", "../../ttyACM0")
	f.link("dev/serial/by-id/usb-Silicon_Labs_CP2102_0001-if00-port0", "../../ttyUSB3")
	f.link("dev/serial/by-path/pci-0000:00:14.0-usb-0:4.1:1.0-port0", "../../ttyUSB2")
	f.link("dev/serial/by-path/pci-0000:00:14.0-usb-0:4.2:1.0-port0", "../../ttyUSB3")
	f.link("dev/gas-bench", "ttyACM0")
	// A UART on the board, one that is not there, and a console.
	f.write("sys/devices/pnp0/00:01/tty/ttyS0/type", "4")
	f.link("sys/devices/pnp0/00:01/tty/ttyS0/device", filepath.Join(f.root, "sys/devices/pnp0/00:01"))
	f.link("sys/class/tty/ttyS0", filepath.Join(f.root, "sys/devices/pnp0/00:01/tty/ttyS0"))
	f.write("sys/devices/platform/serial8250/tty/ttyS1/type", "0")
	f.link("sys/devices/platform/serial8250/tty/ttyS1/device", filepath.Join(f.root, "sys/devices/platform/serial8250"))
	f.link("sys/class/tty/ttyS1", filepath.Join(f.root, "sys/devices/platform/serial8250/tty/ttyS1"))
	f.write("sys/devices/virtual/tty/tty0/dev", "4:0")
	f.link("sys/class/tty/tty0", filepath.Join(f.root, "sys/devices/virtual/tty/tty0"))
	f.write("proc/1234/comm", "minicom")
	f.link("proc/1234/fd/3", "/dev/ttyACM0")
	f.link("proc/1234/fd/4", "/dev/ttyACM0")
	f.link("proc/1234/fd/5", "/dev/null")
	return Directory{Root: f.root, Aliases: map[string]string{
		"bench-3": "serial://usb?serial=FT42&interface=1&baud=300&mode=7E1",
		"jlink":   "serial:///dev/gas-bench?driver=native",
		"loop":    "serial://alias/bench-3",
	}}
}

func TestList(t *testing.T) {
	ports, err := bench(t).List()
	require.NoError(t, err)
	var nodes []string
	for _, p := range ports {
		nodes = append(nodes, p.Node)
	}
	require.Equal(t, []string{"/dev/ttyACM0", "/dev/ttyS0", "/dev/ttyUSB0", "/dev/ttyUSB2", "/dev/ttyUSB3", "/dev/ttyUSB4", "/dev/ttyUSB5", "/dev/ttyUSB10"}, nodes)
	require.Equal(t, Info{
		Node: "/dev/ttyACM0", Driver: "cdc_acm",
		USB:  &USBInfo{VID: "1366", PID: "0105", Serial: "683000001", Manufacturer: "Maker", Product: "J-Link", Interface: 2, Path: "1-3"},
		ByID: []string{"/dev/serial/by-id/usb-SEGGER_J-Link_683000001-if02"}, Links: []string{"/dev/gas-bench"},
		Alias: []string{"jlink"}, InUse: []string{"minicom (1234)"},
	}, ports[0])
	require.Nil(t, ports[1].USB)
	require.Equal(t, []string{"serial:///dev/ttyS0"}, ports[1].Names())
	require.Equal(t, []string{"bench-3"}, ports[7].Alias)
	require.Equal(t, 1, ports[7].USB.Interface)
	require.Equal(t, []string{"serial://usb?interface=0&path=1-5.1"}, ports[5].Names())
}

func TestResolve(t *testing.T) {
	d := bench(t)
	for url, want := range map[string]Location{
		"serial://usb?serial=FT42&interface=0&baud=9600":                                {Name: "/dev/ttyUSB0", Mode: Mode{Baud: 9600}},
		"serial://usb?serial=683000001":                                                 {Name: "/dev/ttyACM0"},
		"serial://usb?vid=1A86&path=1-5.2":                                              {Name: "/dev/ttyUSB5"},
		"serial://alias/bench-3":                                                        {Name: "/dev/ttyUSB10", Mode: Mode{300, 7, EvenParity, 1}},
		"serial://alias/bench-3?baud=1200":                                              {Name: "/dev/ttyUSB10", Mode: Mode{1200, 7, EvenParity, 1}},
		"serial://alias/jlink?modee=1&maxbaud=9600":                                     {Driver: Native, Name: "/dev/gas-bench", SignOn: true, MaxBaud: 9600},
		"serial:///dev/serial/by-id/usb-FTDI_Dual_RS232_FT42-if01-port0":                {Name: "/dev/serial/by-id/usb-FTDI_Dual_RS232_FT42-if01-port0"},
		"serial:///dev/serial/by-path/pci-0000:00:14.0-usb-0:4.2:1.0-port0?driver=tarm": {Driver: Tarm, Name: "/dev/serial/by-path/pci-0000:00:14.0-usb-0:4.2:1.0-port0"},
		"serial:///dev/pts/7":                                                           {Name: "/dev/pts/7"},
		"serial:COM3":                                                                   {Name: "COM3"},
	} {
		l, err := ParseURL(url)
		require.NoError(t, err)
		l, err = d.Resolve(l)
		require.NoError(t, err, url)
		require.Equal(t, want, l, url)
	}
}

func TestResolveRefuses(t *testing.T) {
	d := bench(t)
	for _, tt := range []struct {
		url   string
		kind  error
		wants []string // in the message
	}{
		{"serial:///dev/ttyUSB0", ErrUnstable, []string{
			"/dev/ttyUSB0 (0403:6010 Maker Dual RS232, serial FT42, interface 0, socket 1-1.2)",
			"serial:///dev/serial/by-id/usb-FTDI_Dual_RS232_FT42-if00-port0", "serial://usb?interface=0&serial=FT42",
		}},
		{"serial:///dev/ttyUSB9", ErrUnstable, nil},
		{"serial://usb?serial=FT42", ErrAmbiguous, []string{"/dev/ttyUSB0", "/dev/ttyUSB10", "interface=0", "interface=1"}},
		{"serial://usb?vid=1a86", ErrAmbiguous, []string{"path=1-5.1", "path=1-5.2"}},
		// The link is there, and there are two that it could mean.
		{"serial:///dev/serial/by-id/usb-Silicon_Labs_CP2102_0001-if00-port0", ErrAmbiguous, []string{"by-path/pci-0000:00:14.0-usb-0:4.1:1.0-port0", "/dev/ttyUSB3"}},
		{"serial:///dev/serial/by-id/usb-gone", ErrNoPort, []string{"these are:", "683000001"}},
		{"serial://usb?serial=ft42", ErrNoPort, []string{"serial FT42"}},
		{"serial://alias/loop", nil, []string{"alias that leads to an alias"}},
		{"serial://alias/none", nil, []string{`no alias "none"`}},
	} {
		l, err := ParseURL(tt.url)
		require.NoError(t, err)
		_, err = d.Resolve(l)
		require.Error(t, err, tt.url)
		if tt.kind != nil {
			require.ErrorIs(t, err, tt.kind, tt.url)
		}
		for _, w := range tt.wants {
			require.ErrorContains(t, err, w)
		}
	}
	_, err := Directory{Root: t.TempDir()}.List()
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestAliasFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ports.yaml")
	t.Setenv("SMETS1_PORTS", file)
	_, err := ThisMachine()
	require.ErrorIs(t, err, os.ErrNotExist)
	for text, wrong := range map[string]string{
		"hub: serial:///dev/serial/by-id/x?baud=9600\n": "",
		"- 1":                          "want lines such as",
		"hub: /dev/x":                  "alias hub",
		"hub: serial:///dev/ttyUSB1":   "leads to a device",
		"hub: serial://alias/other":    "leads to a device",
		"hub: serial:///dev/x?speed=1": "unknown parameter",
	} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		d, err := ThisMachine()
		if wrong != "" {
			require.ErrorContains(t, err, wrong)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, map[string]string{"hub": "serial:///dev/serial/by-id/x?baud=9600"}, d.Aliases)
	}
}

// Unplugged and plugged in elsewhere, a device keeps its alias.
func TestAliasFollowsTheDevice(t *testing.T) {
	d := bench(t)
	l := Location{Alias: "bench-3"}
	now, err := d.Resolve(l)
	require.NoError(t, err)
	require.Equal(t, "/dev/ttyUSB10", now.Name)
	require.NoError(t, os.Remove(filepath.Join(d.Root, "sys/class/tty/ttyUSB10")))
	_, err = d.Resolve(l)
	require.ErrorIs(t, err, ErrNoPort)
	f := tree{t, d.Root}
	f.usb("1-7", "0403", "6010", "FT42", "Dual RS232")
	f.port("1-7", "1", "ttyUSB11", "ftdi_sio", true)
	now, err = d.Resolve(l)
	require.NoError(t, err)
	require.Equal(t, "/dev/ttyUSB11", now.Name)
}
