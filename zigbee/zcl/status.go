package zcl

import "fmt"

// Status is the result of a command (ZCL, table 2-12; published). It is an error when it is not Success.
type Status uint8

// The results.
const (
	Success                        Status = 0x00
	Failure                        Status = 0x01
	NotAuthorized                  Status = 0x7E
	ReservedFieldNotZero           Status = 0x7F
	MalformedCommand               Status = 0x80
	UnsupportedClusterCommand      Status = 0x81
	UnsupportedGeneralCommand      Status = 0x82
	UnsupportedManufacturerCluster Status = 0x83
	UnsupportedManufacturerGeneral Status = 0x84
	InvalidField                   Status = 0x85
	UnsupportedAttribute           Status = 0x86
	InvalidValue                   Status = 0x87
	ReadOnly                       Status = 0x88
	InsufficientSpace              Status = 0x89
	DuplicateExists                Status = 0x8A
	NotFound                       Status = 0x8B
	UnreportableAttribute          Status = 0x8C
	InvalidDataType                Status = 0x8D
	InvalidSelector                Status = 0x8E
	WriteOnly                      Status = 0x8F
	InconsistentStartupState       Status = 0x90
	DefinedOutOfBand               Status = 0x91
	InconsistentValue              Status = 0x92
	ActionDenied                   Status = 0x93
	Timeout                        Status = 0x94
	Abort                          Status = 0x95
	InvalidImage                   Status = 0x96
	WaitForData                    Status = 0x97
	NoImageAvailable               Status = 0x98
	RequireMoreImage               Status = 0x99
	NotificationPending            Status = 0x9A
	HardwareFailure                Status = 0xC0
	SoftwareFailure                Status = 0xC1
	CalibrationError               Status = 0xC2
	UnsupportedCluster             Status = 0xC3
	LimitReached                   Status = 0xC4
)

var statusText = map[Status][2]string{
	Success:                        {"SUCCESS", "done"},
	Failure:                        {"FAILURE", "the operation failed, or the frame lacked the link-key security the cluster needs"},
	NotAuthorized:                  {"NOT_AUTHORIZED", "the sender may not do this"},
	ReservedFieldNotZero:           {"RESERVED_FIELD_NOT_ZERO", "a reserved field is set"},
	MalformedCommand:               {"MALFORMED_COMMAND", "the command's fields do not fit"},
	UnsupportedClusterCommand:      {"UNSUP_CLUSTER_COMMAND", "the cluster has no such command here"},
	UnsupportedGeneralCommand:      {"UNSUP_GENERAL_COMMAND", "there is no such global command here"},
	UnsupportedManufacturerCluster: {"UNSUP_MANUF_CLUSTER_COMMAND", "the manufacturer's cluster command is not known here"},
	UnsupportedManufacturerGeneral: {"UNSUP_MANUF_GENERAL_COMMAND", "the manufacturer's global command is not known here"},
	InvalidField:                   {"INVALID_FIELD", "a field of the command has a value out of range"},
	UnsupportedAttribute:           {"UNSUPPORTED_ATTRIBUTE", "the device has no such attribute"},
	InvalidValue:                   {"INVALID_VALUE", "the value is out of range"},
	ReadOnly:                       {"READ_ONLY", "the attribute cannot be written"},
	InsufficientSpace:              {"INSUFFICIENT_SPACE", "the device has no room"},
	DuplicateExists:                {"DUPLICATE_EXISTS", "there is such an entry already"},
	NotFound:                       {"NOT_FOUND", "what was asked for is not there"},
	UnreportableAttribute:          {"UNREPORTABLE_ATTRIBUTE", "the attribute is never reported"},
	InvalidDataType:                {"INVALID_DATA_TYPE", "the attribute has another data type"},
	InvalidSelector:                {"INVALID_SELECTOR", "the structured attribute has no such member"},
	WriteOnly:                      {"WRITE_ONLY", "the attribute cannot be read"},
	InconsistentStartupState:       {"INCONSISTENT_STARTUP_STATE", "the start-up parameters contradict one another"},
	DefinedOutOfBand:               {"DEFINED_OUT_OF_BAND", "the attribute exists already by other means"},
	InconsistentValue:              {"INCONSISTENT", "the value contradicts others"},
	ActionDenied:                   {"ACTION_DENIED", "the sender may not do this now"},
	Timeout:                        {"TIMEOUT", "the exchange was aborted: no answer in time"},
	Abort:                          {"ABORT", "the upgrade was aborted"},
	InvalidImage:                   {"INVALID_IMAGE", "the image is corrupt or not for this device"},
	WaitForData:                    {"WAIT_FOR_DATA", "the server has no data yet: ask again later"},
	NoImageAvailable:               {"NO_IMAGE_AVAILABLE", "the server has no image for this device"},
	RequireMoreImage:               {"REQUIRE_MORE_IMAGE", "further images are needed before the upgrade"},
	NotificationPending:            {"NOTIFICATION_PENDING", "the answer follows in a notification"},
	HardwareFailure:                {"HARDWARE_FAILURE", "the device's hardware failed"},
	SoftwareFailure:                {"SOFTWARE_FAILURE", "the device's software failed"},
	CalibrationError:               {"CALIBRATION_ERROR", "the device is not calibrated"},
	UnsupportedCluster:             {"UNSUPPORTED_CLUSTER", "the endpoint has no such cluster"},
	LimitReached:                   {"LIMIT_REACHED", "a limit of the device is reached"},
}

// Name is the published name.
func (s Status) Name() string {
	if t, ok := statusText[s]; ok {
		return t[0]
	}
	return fmt.Sprintf("STATUS_%02X", uint8(s))
}

// Error names the status and says what it means.
func (s Status) Error() string {
	if t, ok := statusText[s]; ok {
		return "zcl: " + t[0] + ": " + t[1]
	}
	return fmt.Sprintf("zcl: status %02X (reserved)", uint8(s))
}
