package document

// CommonBody is the body of the Migration Common File, MCF: the same for every cohort.
type CommonBody struct {
	Installation []CommonInstallation `rule:"occurs 1 10000"`
}

// CommonInstallation is one home as its requesting party describes it.
type CommonInstallation struct {
	InstallationID   EUI
	Status           Status         `rule:"enum Active Dormant"`
	AuthorisationRef string         `xml:",omitempty" rule:"text 1 160"` // authorisation file name and line; needed when active
	CommsProvider    string         `rule:"text 1 30"`
	Device           []CommonDevice `rule:"occurs 2 17"` // 16 and the hub: an inventory answer holds 17 (published)
}

// CommonDevice is one device of the home. Lengths of manufacturer, model, firmware and SMETS
// version are those of the DUIS v5.4 inventory (published); the rest is ours.
type CommonDevice struct {
	DeviceID                          EUI
	DeviceType                        DeviceType  `rule:"enum ESME GSME GPF CHF PPMID IHD CAD"`
	Manufacturer                      string      `rule:"text 1 30"`
	Model                             string      `rule:"text 1 30"`
	FirmwareVersion                   string      `rule:"text 1 8"`
	SMETSVersion                      string      `rule:"text 1 20"`
	ESMEVariant                       string      `xml:",omitempty" rule:"enum A B C"`
	Notional                          bool        `xml:",omitempty"` // the function has no device of its own
	MPxN                              MPxN        `xml:",omitempty" rule:"text 1 13"`
	ExportMPAN                        MPxN        `xml:",omitempty" rule:"text 13 13"`
	MeterSerial                       string      `xml:",omitempty" rule:"text 1 20"`
	PaymentMode                       PaymentMode `xml:",omitempty" rule:"enum Credit Prepayment"`
	ResponsibleSupplierID             *EUI        `xml:",omitempty"` // meters: must be there
	NetworkOperatorID                 *EUI        `xml:",omitempty"`
	NotifiedCriticalSupplierCertID    Serial      `xml:",omitempty" rule:"pattern [1-9][0-9]{0,48}"`
	NotifiedNonCriticalSupplierCertID Serial      `xml:",omitempty" rule:"pattern [1-9][0-9]{0,48}"`
	NotifiedNetworkOperatorCertID     Serial      `xml:",omitempty" rule:"pattern [1-9][0-9]{0,48}"`
	EPCLEntryID                       string      `xml:",omitempty" rule:"text 1 30"` // hub: must be there
}

func (CommonBody) kind() Kind { return KindMCF }

func (b CommonBody) ids() []EUI {
	out := make([]EUI, len(b.Installation))
	for i := range b.Installation {
		out[i] = b.Installation[i].InstallationID
	}
	return out
}

// Combination gives the key into the eligible product combinations list.
func (in *CommonInstallation) Combination() Combination {
	c := Combination{CommsProvider: in.CommsProvider}
	for _, d := range in.Device {
		m := Model{d.Manufacturer, d.Model, d.FirmwareVersion}
		switch d.DeviceType {
		case CHF:
			c.CHF = m
		case ESME:
			c.ESME = m
		case GSME:
			c.GSME = m
		case PPMID, IHD:
			c.Display = m
		case GPF, CAD:
		}
	}
	return c
}

// smetsVersion is what SMETS1 devices carry unless the portfolio's successor says otherwise.
const smetsVersion = "SMETS1 V1.2"

// CommonFromPortfolio describes a home of the portfolio for an MCF. The authorisations tell the
// reference and the certificates of active meters; a nil coverage leaves them out. certs, which may be
// nil, tells certificates of dormant meters and network operators.
func CommonFromPortfolio(in *Installation, entryID string, day Date, cover *Coverage, certs *Certificates) CommonInstallation {
	out := CommonInstallation{InstallationID: in.ID, Status: in.Status(), CommsProvider: in.CommsProvider}
	for _, d := range in.Devices {
		c := CommonDevice{
			DeviceID: d.ID, DeviceType: d.Type, Manufacturer: d.Manufacturer, Model: d.Model, FirmwareVersion: d.Firmware,
			SMETSVersion: smetsVersion, ESMEVariant: d.Variant, MPxN: d.MPxN, ExportMPAN: d.ExportMPAN,
			MeterSerial: d.Serial, PaymentMode: d.PaymentMode,
		}
		if d.Type == CHF {
			c.EPCLEntryID = entryID
			c.MeterSerial = ""
		}
		if d.Meter() {
			supplier, operator := d.Supplier, d.NetworkOperator
			c.ResponsibleSupplierID, c.NetworkOperatorID = &supplier, &operator
			c.NotifiedNetworkOperatorCertID = certs.For(operator, NetworkOperatorRole, day)
			if row, ref, ok := cover.Covers(d.ID, day); ok {
				c.NotifiedCriticalSupplierCertID, c.NotifiedNonCriticalSupplierCertID = row.CriticalCert, row.NonCriticalCert
				if out.AuthorisationRef == "" {
					out.AuthorisationRef = ref
				}
			} else {
				s := certs.For(supplier, SupplierRole, day)
				c.NotifiedCriticalSupplierCertID, c.NotifiedNonCriticalSupplierCertID = s, s
			}
		}
		out.Device = append(out.Device, c)
	}
	return out
}
