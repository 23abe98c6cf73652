package document

import (
	"fmt"
	"io"
	"strconv"
)

// Device is one device of an installation.
type Device struct {
	Type                DeviceType
	ID                  EUI
	Manufacturer, Model string
	Hardware            string
	Firmware            string
	Serial              string
	Variant             string // ESME only: A, B or C
	MPxN                MPxN   // meters only
	ExportMPAN          MPxN   // ESME only, may be empty
	Supplier            EUI    // meters only
	NetworkOperator     EUI    // meters only
	Status              Status // meters only
	PaymentMode         PaymentMode
}

// Meter reports whether the device is an electricity or gas meter.
func (d Device) Meter() bool { return d.Type == ESME || d.Type == GSME }

// Fuel gives what a meter measures; empty for other devices.
func (d Device) Fuel() Fuel {
	switch d.Type {
	case ESME:
		return Electricity
	case GSME:
		return Gas
	}
	return ""
}

func (d Device) model() Model { return Model{d.Manufacturer, d.Model, d.Firmware} }

// SIM is the hub's subscription.
type SIM struct {
	ICCID, IMSI, MSISDN string
}

// Installation is one home of the portfolio (the file is ours: one row per home).
type Installation struct {
	Line          int // of the portfolio file
	ID            EUI // the hub's EUI-64, or an allocated one
	GroupID       string
	Cohort        string // IOC, MOC or FOC
	S1SP          string
	CommsProvider string
	SIM           SIM
	WakeUp        string // None, SMS or SMSx2
	Attempts      int    // failed migration attempts so far
	Exclusion     string // excluded category; empty means none
	Devices       []Device
}

// Device finds the first device of a type.
func (i *Installation) Device(t DeviceType) (Device, bool) {
	for _, d := range i.Devices {
		if d.Type == t {
			return d, true
		}
	}
	return Device{}, false
}

// Display finds the home's display, whatever its type.
func (i *Installation) Display() (Device, bool) {
	for _, d := range i.Devices {
		if d.Type == PPMID || d.Type == IHD || d.Type == CAD {
			return d, true
		}
	}
	return Device{}, false
}

// Meters gives the meters, electricity first.
func (i *Installation) Meters() []Device {
	var out []Device
	for _, t := range []DeviceType{ESME, GSME} {
		if d, ok := i.Device(t); ok {
			out = append(out, d)
		}
	}
	return out
}

// Status is Active when any meter is active: then its supplier must authorise (ours, after
// the rule that the status is per meter).
func (i *Installation) Status() Status {
	for _, d := range i.Meters() {
		if d.Status == Active {
			return Active
		}
	}
	return Dormant
}

// Combination gives the home's key into the eligible product combinations list. A CAD is not
// part of it.
func (i *Installation) Combination() Combination {
	c := Combination{CommsProvider: i.CommsProvider}
	for _, d := range i.Devices {
		switch d.Type {
		case CHF:
			c.CHF = d.model()
		case ESME:
			c.ESME = d.model()
		case GSME:
			c.GSME = d.model()
		case PPMID, IHD:
			c.Display = d.model()
		case GPF, CAD: // a gas proxy is a function of the hub
		}
	}
	return c
}

// Portfolio is every installation that a campaign may touch.
type Portfolio struct {
	Installations []Installation
	byID          map[EUI]int
	byDevice      map[EUI]int
}

// NewPortfolio makes a portfolio and its look-ups.
func NewPortfolio(in []Installation) *Portfolio {
	p := &Portfolio{Installations: in, byID: make(map[EUI]int, len(in)), byDevice: make(map[EUI]int, 3*len(in))}
	for i := range in {
		p.byID[in[i].ID] = i
		for _, d := range in[i].Devices {
			p.byDevice[d.ID] = i
		}
	}
	return p
}

// Installation finds a home by its id.
func (p *Portfolio) Installation(id EUI) (*Installation, bool) {
	i, ok := p.byID[id]
	if !ok {
		return nil, false
	}
	return &p.Installations[i], true
}

// ByDevice finds the home of a device.
func (p *Portfolio) ByDevice(id EUI) (*Installation, bool) {
	i, ok := p.byDevice[id]
	if !ok {
		return nil, false
	}
	return &p.Installations[i], true
}

// ReadPortfolio reads the portfolio from CSV.
func ReadPortfolio(specs *Specs, file string, src io.Reader) (*Portfolio, Problems) {
	t, err := NewTable(specs, "PORTFOLIO", file)
	if err != nil {
		return nil, Problems{specs.Problem(file, 0, "", "XDF02", err.Error()+".")}
	}
	var out []Installation
	seen := map[EUI]int{}
	points := map[MPxN]int{}
	for row := range t.Rows(src) {
		in := Installation{
			Line: row.Line, ID: row.EUI("InstallationID"), GroupID: row.Get("GroupID"), Cohort: row.Get("Cohort"), S1SP: row.Get("S1SP"),
			CommsProvider: row.Get("CommsProvider"), SIM: SIM{row.Get("ICCID"), row.Get("IMSI"), row.Get("MSISDN")},
			WakeUp: row.Get("WakeUp"), Attempts: row.Int("Attempts"), Exclusion: row.Get("Exclusion"),
		}
		if t.portfolioDevices(row, &in) && t.portfolioUnique(&in, seen, points) {
			out = append(out, in)
		}
	}
	if t.ps.FileFailed() {
		return nil, t.ps
	}
	return NewPortfolio(out), t.ps
}

// portfolioGroups are the columns of each device: those that make the device present, those
// that must then be filled, and those that may be.
var portfolioGroups = []struct {
	role           string
	must, may      []string
	meterPoint     string
	fixed          DeviceType
	typeFromColumn string
}{
	{role: "CHF", fixed: CHF, must: []string{"CHFDeviceID", "CHFManufacturer", "CHFModel", "CHFFirmware"}, may: []string{"CHFHardware", "CHFSerialNumber"}},
	{role: "ESME", fixed: ESME, meterPoint: "MPAN", must: []string{"ESMEDeviceID", "ESMEManufacturer", "ESMEModel", "ESMEFirmware", "MPAN", "ESMESupplierID", "ESMENetworkOperatorID", "ESMEStatus", "ESMEPaymentMode"},
		may: []string{"ESMEHardware", "ESMESerialNumber", "ESMEVariant", "ExportMPAN"}},
	{role: "GSME", fixed: GSME, meterPoint: "MPRN", must: []string{"GSMEDeviceID", "GSMEManufacturer", "GSMEModel", "GSMEFirmware", "MPRN", "GSMESupplierID", "GSMENetworkOperatorID", "GSMEStatus", "GSMEPaymentMode"},
		may: []string{"GSMEHardware", "GSMESerialNumber"}},
	{role: "Display", typeFromColumn: "DisplayType", must: []string{"DisplayDeviceID", "DisplayType", "DisplayManufacturer", "DisplayModel", "DisplayFirmware"}},
}

func (t *Table) portfolioDevices(row Row, in *Installation) bool {
	good := true
	for _, g := range portfolioGroups {
		filled, empty := "", ""
		for _, f := range g.must {
			if row.Get(f) == "" {
				empty = f
			} else {
				filled = f
			}
		}
		for _, f := range g.may {
			if row.Get(f) != "" {
				filled = f
			}
		}
		if filled == "" {
			continue
		}
		if empty != "" {
			t.Report(row.Line, empty, "XDF05", fmt.Sprintf("%s is filled, so this cell must be too.", t.heading(filled)))
			good = false
			continue
		}
		d := Device{
			Type: g.fixed, ID: row.EUI(g.role + "DeviceID"), Manufacturer: row.Get(g.role + "Manufacturer"), Model: row.Get(g.role + "Model"),
			Hardware: row.Get(g.role + "Hardware"), Firmware: row.Get(g.role + "Firmware"), Serial: row.Get(g.role + "SerialNumber"),
			Variant: row.Get(g.role + "Variant"), Supplier: row.EUI(g.role + "SupplierID"), NetworkOperator: row.EUI(g.role + "NetworkOperatorID"),
			Status: Status(row.Get(g.role + "Status")), PaymentMode: PaymentMode(row.Get(g.role + "PaymentMode")),
		}
		if g.meterPoint != "" {
			d.MPxN = MPxN(row.Get(g.meterPoint))
		}
		if g.typeFromColumn != "" {
			d.Type = DeviceType(row.Get(g.typeFromColumn))
		}
		if g.fixed == ESME {
			d.ExportMPAN = MPxN(row.Get("ExportMPAN"))
		}
		in.Devices = append(in.Devices, d)
	}
	if good && len(in.Meters()) == 0 {
		t.Report(row.Line, "ESMEDeviceID", "XDF05", "The home has no meter; fill the columns of an electricity or a gas meter.")
		good = false
	}
	return good
}

func (t *Table) portfolioUnique(in *Installation, seen map[EUI]int, points map[MPxN]int) bool {
	if line, twice := seen[in.ID]; twice && line != in.Line {
		t.Report(in.Line, "InstallationID", "XDF04", fmt.Sprintf("%s is on line %d already.", in.ID, line))
		return false
	}
	here := map[EUI]bool{}
	for _, d := range in.Devices {
		role := string(d.Type)
		if !d.Meter() && d.Type != CHF {
			role = "Display"
		}
		line, twice := seen[d.ID]
		if here[d.ID] {
			line, twice = in.Line, true
		}
		if twice {
			t.Report(in.Line, role+"DeviceID", "XDF04", fmt.Sprintf("Device %s is on line %d already.", d.ID, line))
			return false
		}
		here[d.ID] = true
		if line, twice := points[d.MPxN]; twice && d.MPxN != "" {
			col := "MPAN"
			if d.Type == GSME {
				col = "MPRN"
			}
			t.Report(in.Line, col, "XDF04", fmt.Sprintf("Meter point %s is on line %d already.", d.MPxN, line))
			return false
		}
	}
	seen[in.ID] = in.Line
	for _, d := range in.Devices {
		seen[d.ID] = in.Line
		if d.MPxN != "" {
			points[d.MPxN] = in.Line
		}
	}
	return true
}

// WritePortfolio writes the portfolio as [ReadPortfolio] reads it. Homes with more than one
// display cannot be written: the columns have room for one.
func WritePortfolio(w io.Writer, specs *Specs, p *Portfolio) error {
	l, err := specs.Layout("PORTFOLIO")
	if err != nil {
		return err
	}
	var fault error
	err = WriteTable(w, specs, "PORTFOLIO", func(yield func([]string) bool) {
		for i := range p.Installations {
			cells, err := portfolioCells(l, &p.Installations[i])
			if err != nil {
				fault = err
				return
			}
			if !yield(cells) {
				return
			}
		}
	})
	if fault != nil {
		return fault
	}
	return err
}

func portfolioCells(l *Layout, in *Installation) ([]string, error) {
	v := map[string]string{
		"InstallationID": in.ID.String(), "GroupID": in.GroupID, "Cohort": in.Cohort, "S1SP": in.S1SP, "CommsProvider": in.CommsProvider,
		"ICCID": in.SIM.ICCID, "IMSI": in.SIM.IMSI, "MSISDN": in.SIM.MSISDN, "WakeUp": in.WakeUp,
		"Attempts": strconv.Itoa(in.Attempts), "Exclusion": in.Exclusion,
	}
	for _, d := range in.Devices {
		role := string(d.Type)
		switch d.Type {
		case PPMID, IHD, CAD:
			role = "Display"
			v["DisplayType"] = string(d.Type)
		case ESME:
			v["MPAN"], v["ExportMPAN"] = string(d.MPxN), string(d.ExportMPAN)
		case GSME:
			v["MPRN"] = string(d.MPxN)
		case GPF:
			continue // a function of the hub, allocated at migration
		case CHF:
		}
		if v[role+"DeviceID"] != "" {
			return nil, fmt.Errorf("installation %s has two devices of kind %s; the portfolio has columns for one", in.ID, role)
		}
		v[role+"DeviceID"] = d.ID.String()
		v[role+"Manufacturer"], v[role+"Model"], v[role+"Firmware"] = d.Manufacturer, d.Model, d.Firmware
		v[role+"Hardware"], v[role+"SerialNumber"], v[role+"Variant"] = d.Hardware, d.Serial, d.Variant
		v[role+"SupplierID"], v[role+"NetworkOperatorID"] = euiText(d.Supplier), euiText(d.NetworkOperator)
		v[role+"Status"], v[role+"PaymentMode"] = string(d.Status), string(d.PaymentMode)
	}
	return l.cells(v), nil
}
