package document

// CommissioningBody is the body of the S1SP Commissioning File, SCF: the homes whose keys the
// S1SP has taken over, for CP to commission.
type CommissioningBody struct {
	Installation []Commissioning `rule:"occurs 1 10000"`
}

// Commissioning is one home that was taken over.
type Commissioning struct {
	InstallationID  EUI
	NotionalCHF     *EUI              `xml:",omitempty"` // allocated where the hub has no identity of its own
	NotionalGPF     *EUI              `xml:",omitempty"` // allocated for the gas proxy
	UTRNCounter     *uint64           `xml:",omitempty"` // prepayment: the highest used
	KeyTakeOverTime Instant           // when the last device committed
	Device          []TakenOverDevice `rule:"occurs 1 17"`
}

// TakenOverDevice is one device under its new keys.
type TakenOverDevice struct {
	DeviceID        EUI
	DeviceType      DeviceType `rule:"enum ESME GSME GPF CHF PPMID IHD CAD"`
	FirmwareVersion string     `rule:"text 1 8"` // as read back
	KeyCheckValue   string     `xml:",omitempty" rule:"pattern [0-9A-F]{6,64}"`
	KeyVersion      uint32
}

func (CommissioningBody) kind() Kind { return KindSCF }

func (b CommissioningBody) ids() []EUI {
	out := make([]EUI, len(b.Installation))
	for i := range b.Installation {
		out[i] = b.Installation[i].InstallationID
	}
	return out
}
