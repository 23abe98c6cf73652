package document

import (
	"fmt"
	"io"
	"strconv"
)

// FirmwareNotice is one record of a dormant meter firmware upgrade schedule notification, DMFW: DCC
// tells the supplier when a dormant meter will be upgraded (existence published, columns ours).
type FirmwareNotice struct {
	Fuel                     Fuel
	MPxN                     MPxN
	DeviceID                 EUI
	DeviceType               DeviceType // CHF, ESME or GSME
	Manufacturer, Model      string
	CurrentFirmware          string
	TargetFirmware           string
	PlannedStart, PlannedEnd Date
	Attempt                  int
	ContactEmail             string
}

// WriteFirmwareNotices writes the records of one supplier; they are numbered in their order.
func WriteFirmwareNotices(w io.Writer, specs *Specs, in []FirmwareNotice) error {
	l, err := specs.Layout("DMFW")
	if err != nil {
		return err
	}
	return WriteTable(w, specs, "DMFW", func(yield func([]string) bool) {
		for i, n := range in {
			if !yield(l.cells(map[string]string{
				"RecordNo": strconv.Itoa(i + 1), "Fuel": string(n.Fuel), "MPxN": string(n.MPxN), "DeviceID": euiText(n.DeviceID),
				"DeviceType": string(n.DeviceType), "Manufacturer": n.Manufacturer, "Model": n.Model,
				"CurrentFirmware": n.CurrentFirmware, "TargetFirmware": n.TargetFirmware,
				"PlannedStartDate": n.PlannedStart.String(), "PlannedEndDate": n.PlannedEnd.String(),
				"Attempt": strconv.Itoa(n.Attempt), "ContactEmail": n.ContactEmail,
			})) {
				return
			}
		}
	})
}

// ReadFirmwareNotices reads a notification.
func ReadFirmwareNotices(specs *Specs, file string, src io.Reader) ([]FirmwareNotice, Problems) {
	t, ps := openNamed(specs, "DMFW", KindDMFW, file)
	if ps != nil {
		return nil, ps
	}
	var out []FirmwareNotice
	seen := map[EUI]int{}
	for row := range t.Rows(src) {
		n := FirmwareNotice{
			Fuel: Fuel(row.Get("Fuel")), MPxN: MPxN(row.Get("MPxN")), DeviceID: row.EUI("DeviceID"), DeviceType: DeviceType(row.Get("DeviceType")),
			Manufacturer: row.Get("Manufacturer"), Model: row.Get("Model"), CurrentFirmware: row.Get("CurrentFirmware"), TargetFirmware: row.Get("TargetFirmware"),
			PlannedStart: row.Date("PlannedStartDate"), PlannedEnd: row.Date("PlannedEndDate"), Attempt: row.Int("Attempt"), ContactEmail: row.Get("ContactEmail"),
		}
		if line, twice := seen[n.DeviceID]; twice {
			t.Report(row.Line, "DeviceID", "XDF04", fmt.Sprintf("Device %s is on line %d already.", n.DeviceID, line))
			continue
		}
		seen[n.DeviceID] = row.Line
		if n.PlannedEnd.Before(n.PlannedStart) {
			t.Report(row.Line, "PlannedEndDate", "XDF05", fmt.Sprintf("The upgrade ends on %s, before it starts on %s.", n.PlannedEnd, n.PlannedStart))
			continue
		}
		if n.CurrentFirmware == n.TargetFirmware {
			t.Report(row.Line, "TargetFirmware", "XDF05", "The target firmware is the one that is installed already.")
			continue
		}
		out = append(out, n)
	}
	if t.ps.FileFailed() {
		return nil, t.ps
	}
	return out, t.ps
}
