package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"smets1/transport/serial"
)

func newSerialCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "serial",
		Short: "Serial ports: what is there, who answers, recording and replaying",
		Long: `serial is about hubs, optical probes and radio dongles on serial ports.

A PORT is a serial: URL, or a path. It names a device by what it keeps, and never
by ttyUSBn alone, which the next re-plug may give to another device:
  serial:///dev/serial/by-id/usb-FTDI_…-if00-port0?baud=9600&mode=8N1&driver=native
  serial://usb?serial=A50285BI&interface=0
  serial://alias/bench-3      (an alias of the file that SMETS1_PORTS names)

Parameters are baud, mode, driver (bugst, tarm or native), modee=1 (IEC 62056-21
sign-on before HDLC) and maxbaud.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newSerialListCommand(), newSerialProbeCommand(), newSerialRecordCommand(), newSerialReplayCommand(), newSerialConvertCommand(), newSerialReadoutCommand(), newSerialShrinkCommand())
	return c
}

// serialDirectory is where ports are looked up; a variable for tests.
var serialDirectory = serial.ThisMachine

// findPort reads a PORT and looks it up.
func findPort(s string) (serial.Location, error) {
	if !strings.HasPrefix(s, "serial:") {
		s = serial.Location{Name: s}.String()
	}
	l, err := serial.ParseURL(s)
	if err != nil {
		return l, usageError{err}
	}
	d, err := serialDirectory()
	if err != nil {
		return l, usageError{err}
	}
	l, err = d.Resolve(l)
	if err != nil {
		return l, usageError{err}
	}
	return l, nil
}

// openPort opens a port that was looked up.
func openPort(l serial.Location, m serial.Mode) (serial.Port, error) {
	p, err := serial.Open(l.Driver, l.Name, m)
	if err != nil {
		return nil, dlmsError{err, exitNoConnect}
	}
	return p, nil
}

func newSerialListCommand() *cobra.Command {
	asJSON := false
	c := &cobra.Command{
		Use:   "list",
		Short: "List the serial ports of this machine and how to name them",
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			d, err := serialDirectory()
			if err != nil {
				return usageError{err}
			}
			ports, err := d.List()
			if err != nil {
				return err
			}
			if asJSON {
				e := json.NewEncoder(c.OutOrStdout())
				e.SetIndent("", "  ")
				if ports == nil {
					ports = []serial.Info{}
				}
				return e.Encode(ports)
			}
			if len(ports) == 0 {
				return errors.New("no serial ports: check with lsusb and dmesg that the device is seen, and that its driver is loaded")
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "NODE\tVID:PID\tSERIAL\tIF\tPRODUCT\tDRIVER\tIN USE BY")
			for _, p := range ports {
				id, sn, iface, product := "-", "-", "-", "-"
				if u := p.USB; u != nil {
					id, iface = u.VID+":"+u.PID, fmt.Sprint(u.Interface)
					sn = dash(u.Serial)
					product = dash(strings.TrimSpace(u.Manufacturer + " " + u.Product))
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", p.Node, id, sn, iface, product, dash(p.Driver), dash(strings.Join(p.InUse, ", ")))
				for _, n := range p.Names() {
					fmt.Fprintf(w, "  %s\t\t\t\t\t\t\n", n)
				}
			}
			return w.Flush()
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "JSON instead of a table")
	return c
}
