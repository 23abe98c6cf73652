package document

// Outcome is a verdict on an installation or a check.
type Outcome string

// The outcomes of validation files and viability checks.
const (
	Pass Outcome = "Pass"
	Fail Outcome = "Fail"
)

// FileError says why a whole file was refused. A validation file that carries one lists no installations.
type FileError struct {
	FileName string `rule:"text 1 128"`
	Code     string `rule:"pattern [A-Z0-9]{3,8}"`
	Detail   string `rule:"text 1 500"`
}

// InstallationError says what is wrong with one installation.
type InstallationError struct {
	Code     string `rule:"pattern [A-Z0-9]{3,8}"`
	DeviceID *EUI   `xml:",omitempty"`
	Detail   string `rule:"text 1 500"`
}

// CommonValidationBody is the body of the Migration Common Validation File, MCVF, from CP.
type CommonValidationBody struct {
	FileError    []FileError        `xml:",omitempty" rule:"occurs 0 16"`
	Installation []CommonValidation `xml:",omitempty" rule:"occurs 0 10000"`
}

// CommonValidation is CP's verdict on one installation.
type CommonValidation struct {
	InstallationID EUI
	Outcome        Outcome             `rule:"enum Pass Fail"`
	Error          []InstallationError `xml:",omitempty" rule:"occurs 0 100"`
}

// GroupValidationBody is the body of the Migration Group Validation File, MGVF, from S1SP.
type GroupValidationBody struct {
	FileError    []FileError       `xml:",omitempty" rule:"occurs 0 16"`
	Installation []GroupValidation `xml:",omitempty" rule:"occurs 0 10000"`
}

// GroupValidation is the verdict of S1SP, and of DCO for its part, on one installation.
type GroupValidation struct {
	InstallationID EUI
	Outcome        Outcome             `rule:"enum Pass Fail"`
	DCOOutcome     Outcome             `xml:",omitempty" rule:"enum Pass Fail"`
	Error          []InstallationError `xml:",omitempty" rule:"occurs 0 100"`
}

func (CommonValidationBody) kind() Kind { return KindMCVF }
func (GroupValidationBody) kind() Kind  { return KindMGVF }

func (b CommonValidationBody) ids() []EUI {
	out := make([]EUI, len(b.Installation))
	for i := range b.Installation {
		out[i] = b.Installation[i].InstallationID
	}
	return out
}

func (b GroupValidationBody) ids() []EUI {
	out := make([]EUI, len(b.Installation))
	for i := range b.Installation {
		out[i] = b.Installation[i].InstallationID
	}
	return out
}
