package document

// CommissioningOutcome is how the commissioning of a home ended.
type CommissioningOutcome string

// The outcomes of a Commissioning Outcome File.
const (
	Commissioned          CommissioningOutcome = "Commissioned"
	PartiallyCommissioned CommissioningOutcome = "PartiallyCommissioned" // electricity only
	CommissioningFailed   CommissioningOutcome = "Failed"
	NotAttempted          CommissioningOutcome = "NotAttempted"
)

// OutcomeBody is the body of the Commissioning Outcome File, COF, from CP.
type OutcomeBody struct {
	Installation []InstallationOutcome `rule:"occurs 1 10000"`
}

// InstallationOutcome is the end of one home's migration day.
type InstallationOutcome struct {
	InstallationID   EUI
	Outcome          CommissioningOutcome `rule:"enum Commissioned PartiallyCommissioned Failed NotAttempted"`
	DateCommissioned *Instant             `xml:",omitempty"`
	Device           []DeviceOutcome      `xml:",omitempty" rule:"occurs 0 17"`
	Error            []InstallationError  `xml:",omitempty" rule:"occurs 0 100"`
}

// DeviceOutcome is a device's state in the inventory; the statuses are those of DUIS v5.4 (published).
type DeviceOutcome struct {
	DeviceID     EUI
	DeviceStatus DeviceStatus `rule:"enum Pending Whitelisted InstalledNotCommissioned Commissioned Decommissioned Withdrawn Suspended Recovery Recovered"`
}

// DeviceStatus is a device's state in the inventory (published: DUIS v5.4).
type DeviceStatus string

// The states that a migration meets.
const (
	DevicePending      DeviceStatus = "Pending"
	DeviceWhitelisted  DeviceStatus = "Whitelisted"
	DeviceInstalled    DeviceStatus = "InstalledNotCommissioned"
	DeviceCommissioned DeviceStatus = "Commissioned"
	DeviceWithdrawn    DeviceStatus = "Withdrawn"
)

func (OutcomeBody) kind() Kind { return KindCOF }

func (b OutcomeBody) ids() []EUI {
	out := make([]EUI, len(b.Installation))
	for i := range b.Installation {
		out[i] = b.Installation[i].InstallationID
	}
	return out
}
