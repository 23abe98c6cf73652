package document

// ViabilityBody is the body of the S1SP Viability File, SVF: device testing, from S1SP to CP.
type ViabilityBody struct {
	Installation []Viability `rule:"occurs 1 10000"`
}

// Viability is what the device tests of one home gave.
type Viability struct {
	InstallationID EUI
	Outcome        Outcome             `rule:"enum Pass Fail"`
	Device         []DeviceViability   `xml:",omitempty" rule:"occurs 0 17"`
	Error          []InstallationError `xml:",omitempty" rule:"occurs 0 100"`
}

// DeviceViability lists the tests of one device.
type DeviceViability struct {
	DeviceID EUI
	Check    []ViabilityCheck `rule:"occurs 1 32"`
}

// ViabilityCheck is one test.
type ViabilityCheck struct {
	Name       string  `rule:"text 1 40"`
	Outcome    Outcome `rule:"enum Pass Fail"`
	DurationMs uint64
}

func (ViabilityBody) kind() Kind { return KindSVF }

func (b ViabilityBody) ids() []EUI {
	out := make([]EUI, len(b.Installation))
	for i := range b.Installation {
		out[i] = b.Installation[i].InstallationID
	}
	return out
}
