package document

import (
	"fmt"
	"io"
	"strconv"
)

// demandForm is the demand template: the days of a period, with room for the figures (published: that there is a
// "SMETS1 Migration Demand Template"; its cells are ours).
var demandForm = form{
	document: "DC", sheet: "Demand", input: []string{"CommittedActive", "CommittedPrepay", "Comment"}, sums: []string{"CommittedActive", "CommittedPrepay"},
	codes: formCodes{undecodable: "XDM02", structure: "XDM08", header: "XDM03", cell: "XDM04"},
}

// WriteDemandTemplate writes the demand template for a commitment, whose figures are filled in already where they are not
// zero. Save it under the commitment's name with the extension xlsx, and [ReadDemand] reads it back.
func WriteDemandTemplate(w io.Writer, specs *Specs, d *Demand) error {
	l, err := specs.Layout("DC")
	if err != nil {
		return err
	}
	var records [][]string
	for _, r := range d.Rows {
		records = append(records, l.cells(r.values()))
	}
	return demandForm.write(w, specs, formText{
		title:   "SMETS1 migration demand",
		subject: fmt.Sprintf("Supplier %s, S1SP %s, reference %s, from %s. Keep the file name: %s", d.Name.EUI, d.Name.S1SP, d.Name.Reference, d.From(), d.Name.With(KindDC, "xlsx")),
		howto:   "Fill in the shaded cells: how many installations you will authorise each day, and how many of them are prepayment. Leave 0 for none. The total adds up by itself.",
	}, records)
}

// authorisationForm is the Excel form of a Migration Authorisation.
var authorisationForm = form{
	document: "MA", sheet: "Authorisation",
	input: []string{"Fuel", "MPxN", "DeviceID", "CHFDeviceID", "MeterSerialNumber", "SupplierUserID", "PaymentMode", "EarliestMigrationDate", "LatestMigrationDate",
		"NotifiedCriticalSupplierCertID", "NotifiedNonCriticalSupplierCertID", "ElectricityOnlyPermitted", "Withdraw"},
	codes: formCodes{undecodable: "XMA02", structure: "XMA04", header: "XMA04", cell: "XMA05"},
}

// WriteAuthorisationForm writes the Excel form of an authorisation: the rows given, and spare rows to fill in.
func WriteAuthorisationForm(w io.Writer, specs *Specs, name Name, rows []AuthorisationRow, spare int) error {
	l, err := specs.Layout("MA")
	if err != nil {
		return err
	}
	var records [][]string
	for _, r := range rows {
		records = append(records, l.cells(r.values()))
	}
	for range spare {
		records = append(records, l.cells(map[string]string{"RecordNo": strconv.Itoa(len(records) + 1)}))
	}
	return authorisationForm.write(w, specs, formText{
		title:   "SMETS1 migration authorisation",
		subject: fmt.Sprintf("Supplier %s, S1SP %s. Keep the file name: %s", name.EUI, name.S1SP, name.With(KindMA, "xlsx")),
		howto:   "One row for each meter that you authorise. Leave no row out; rows that stay empty at the end do not matter.",
	}, records)
}
