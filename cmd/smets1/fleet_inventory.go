package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"smets1/device/fleet"
	"smets1/internal/clock"
)

func newFleetInventoryCommand() *cobra.Command {
	var (
		format, pty string
		port        int
	)
	c := &cobra.Command{
		Use:   "inventory MANIFEST",
		Short: "List every device of a fleet, as its operator has it on file",
		Long: `inventory prints what the seed says: homes, addresses, EUI-64s, models, firmware,
MPxNs and SIMs. What commands have made of a home since is not in it. CSV has a
row per device, JSON an object per home, and hubs is what smets1d wants under that
key to reach homes that serve offers. Addresses are those of serve and smets1d with
the same port and folder.`,
		Example: `  smets1 fleet inventory fleet.yaml > devices.csv
  smets1 fleet inventory fleet.yaml --format json | jq -r '.devices[0].eui'
  smets1 fleet inventory fleet.yaml --format hubs --pty /tmp/lines >> smets1d.yaml`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) (err error) {
			write := writeInventoryCSV
			switch format {
			case "csv":
			case "json":
				write = writeInventoryJSON
			case "hubs":
				write = writeInventoryHubs
			default:
				return usageError{fmt.Errorf("--format %q: use csv, json or hubs", format)}
			}
			if pty != "" {
				if pty, err = filepath.Abs(pty); err != nil {
					return err
				}
			}
			f, err := openManifest(c.Context(), args[0], fleet.Options{Port: port})
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, f.Close()) }()
			return write(c.OutOrStdout(), f, pty)
		},
	}
	fl := c.Flags()
	fl.StringVar(&format, "format", "csv", "csv, json or hubs")
	fl.IntVar(&port, "port", 4059, "TCP port of the homes")
	fl.StringVar(&pty, "pty", "", "folder of the serial lines")
	return c
}

// entries gives the homes with the addresses that they will have when they are served.
func entries(f *fleet.Fleet, pty string) func(func(fleet.Entry) bool) {
	return func(yield func(fleet.Entry) bool) {
		for e := range f.Inventory() {
			if e.Address == "" && pty != "" {
				e.Address = "serial://" + pty + "/" + e.Name + ".tty?baud=9600&mode=8N1"
			}
			if !yield(e) {
				return
			}
		}
	}
}

func writeInventoryCSV(out io.Writer, f *fleet.Fleet, pty string) error {
	w := csv.NewWriter(out)
	rows := [][]string{{"home", "cohort", "profile", "address", "wake_up", "iccid", "imsi", "msisdn", "type", "eui", "manufacturer", "model",
		"hardware", "firmware", "serial", "mpxn", "export_mpan", "status", "payment", "supplier", "network_operator"}}
	for e := range entries(f, pty) {
		for _, d := range e.Devices {
			rows = append(rows, []string{e.Name, e.Cohort, e.Profile, e.Address, e.WakeUp, e.ICCID, e.IMSI, e.MSISDN, d.Type, d.EUI.String(), d.Manufacturer, d.Model,
				strconv.Itoa(int(d.Hardware)), d.Firmware, d.Serial, d.MPxN, d.ExportMPAN, d.Status, d.Payment, d.Supplier, d.NetworkOperator})
		}
		if err := w.WriteAll(rows); err != nil {
			return err
		}
		rows = rows[:0]
	}
	return nil
}

func writeInventoryJSON(out io.Writer, f *fleet.Fleet, pty string) error {
	enc := json.NewEncoder(out)
	for e := range entries(f, pty) {
		if err := enc.Encode(e); err != nil {
			return err
		}
	}
	return nil
}

// writeInventoryHubs writes the homes as hubs of a daemon that reaches them as it
// would real ones. serve keeps them awake, so there is no number to wake them by.
func writeInventoryHubs(out io.Writer, f *fleet.Fleet, pty string) error {
	var b strings.Builder
	b.WriteString("hubs:\n")
	for e := range entries(f, pty) {
		if e.Address == "" {
			fmt.Fprintf(&b, "  # %s has a serial line: give its folder by --pty\n", e.Name)
			continue
		}
		fmt.Fprintf(&b, "  - eui: %s # %s\n    address: %s\n    profile: %s\n    permit: [all] # it is virtual\n    devices:\n", e.Devices[0].EUI, e.Name, e.Address, e.Profile)
		for _, d := range e.Devices[1:] {
			fmt.Fprintf(&b, "      - {eui: %s, type: %s, model: %q}\n", d.EUI, d.Type, d.Model)
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func newFleetHandoverCommand() *cobra.Command {
	var owner, out string
	force := false
	c := &cobra.Command{
		Use:   "handover MANIFEST",
		Short: "Write the keys of a virtual fleet, as its operator hands them over",
		Long: `handover writes the keys with which the devices of a virtual fleet are born, in
clear, as the JSON that smets1 keys import and keys.import of smets1d read. They
follow from the seed and protect nothing. The file is for its owner's eyes only
all the same, as one of real keys must be.`,
		Example: "  smets1 fleet handover fleet.yaml --out handover.json",
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) (err error) {
			f, err := openManifest(c.Context(), args[0], fleet.Options{Clock: clock.Real()})
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, f.Close()) }()
			flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
			if force {
				flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
			}
			err = writeFile(out, flags, 0o600, func(w io.Writer) error { return f.Handover(w, owner) })
			if errors.Is(err, fs.ErrExist) {
				return usageError{fmt.Errorf("%s is there already: name another file by --out, or say --force", out)}
			}
			return err
		},
	}
	fl := c.Flags()
	fl.StringVar(&owner, "owner", "SMSO", "whose keys they are")
	fl.StringVar(&out, "out", "handover.json", "file to write, mode 0600")
	fl.BoolVar(&force, "force", false, "write over a file that is there")
	return c
}
