package document

import (
	"fmt"
	"io"
	"strconv"
)

// NoticeStatus says what a record of a migration notice does.
type NoticeStatus string

// The statuses. A change of supplier cancels the old supplier's record and makes a new one for the new
// supplier.
const (
	NoticeNew         NoticeStatus = "New"
	NoticeRescheduled NoticeStatus = "Rescheduled"
	NoticeCancelled   NoticeStatus = "Cancelled"
)

// MigrationNotice is one record of a dormant meter migration schedule notification, DMMS: DCC tells the
// supplier when a dormant meter will be migrated (existence published, columns ours).
type MigrationNotice struct {
	Fuel                Fuel
	MPxN                MPxN
	DeviceID            EUI
	CHFDeviceID         EUI // zero where the hub is notional
	Manufacturer, Model string
	Firmware            string
	PaymentMode         PaymentMode
	Planned             Date
	Attempt             int
	OtherFuelSupplier   EUI // zero where the home has one fuel
	Status              NoticeStatus
}

// Notice gives what the data checks need of a record that was sent to a supplier on a day; ok is false
// for a cancelled one.
func (n MigrationNotice) Notice(supplier EUI, sent Date) (notice Notice, ok bool) {
	return Notice{Meter: n.DeviceID, Supplier: supplier, Sent: sent, Planned: n.Planned}, n.Status != NoticeCancelled
}

// WriteMigrationNotices writes the records of one supplier; they are numbered in their order.
func WriteMigrationNotices(w io.Writer, specs *Specs, in []MigrationNotice) error {
	l, err := specs.Layout("DMMS")
	if err != nil {
		return err
	}
	return WriteTable(w, specs, "DMMS", func(yield func([]string) bool) {
		for i, n := range in {
			if !yield(l.cells(map[string]string{
				"RecordNo": strconv.Itoa(i + 1), "Fuel": string(n.Fuel), "MPxN": string(n.MPxN), "DeviceID": euiText(n.DeviceID),
				"CHFDeviceID": euiText(n.CHFDeviceID), "Manufacturer": n.Manufacturer, "Model": n.Model, "Firmware": n.Firmware,
				"PaymentMode": string(n.PaymentMode), "PlannedMigrationDate": n.Planned.String(), "Attempt": strconv.Itoa(n.Attempt),
				"OtherFuelSupplierID": euiText(n.OtherFuelSupplier), "Status": string(n.Status),
			})) {
				return
			}
		}
	})
}

// ReadMigrationNotices reads a notification.
func ReadMigrationNotices(specs *Specs, file string, src io.Reader) ([]MigrationNotice, Problems) {
	t, ps := openNamed(specs, "DMMS", KindDMMS, file)
	if ps != nil {
		return nil, ps
	}
	var out []MigrationNotice
	seen := map[EUI]int{}
	for row := range t.Rows(src) {
		n := MigrationNotice{
			Fuel: Fuel(row.Get("Fuel")), MPxN: MPxN(row.Get("MPxN")), DeviceID: row.EUI("DeviceID"), CHFDeviceID: row.EUI("CHFDeviceID"),
			Manufacturer: row.Get("Manufacturer"), Model: row.Get("Model"), Firmware: row.Get("Firmware"), PaymentMode: PaymentMode(row.Get("PaymentMode")),
			Planned: row.Date("PlannedMigrationDate"), Attempt: row.Int("Attempt"), OtherFuelSupplier: row.EUI("OtherFuelSupplierID"), Status: NoticeStatus(row.Get("Status")),
		}
		if line, twice := seen[n.DeviceID]; twice {
			t.Report(row.Line, "DeviceID", "XDF04", fmt.Sprintf("Meter %s is on line %d already.", n.DeviceID, line))
			continue
		}
		seen[n.DeviceID] = row.Line
		out = append(out, n)
	}
	if t.ps.FileFailed() {
		return nil, t.ps
	}
	return out, t.ps
}
