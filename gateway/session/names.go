package session

import "smets1/dlms/cosem"

// The logical names that the gateway asks devices for. Those with 128 are ours,
// as is the payment mode; the MPxN's is published by GBCS.
var (
	NameClock           = cosem.Clock
	NameHubFirmware     = cosem.MustOBIS("0-0:0.2.0.255")
	NameMeterFirmware   = cosem.MustOBIS("1-0:0.2.0.255")
	NameSerial          = cosem.MustOBIS("0-0:96.1.0.255")
	NameManufacturer    = cosem.MustOBIS("0-0:96.1.1.255")
	NameModel           = cosem.MustOBIS("0-0:96.1.2.255")
	NameHardware        = cosem.MustOBIS("0-0:96.1.3.255")
	NameEUI             = cosem.MustOBIS("0-0:96.1.4.255")
	NameMPxN            = cosem.MustOBIS("0-0:94.44.34.11")
	NamePaymentMode     = cosem.MustOBIS("0-0:94.44.35.0")
	NameAutoConnect     = cosem.MustOBIS("0-0:2.1.0.255")
	NameHANDevices      = cosem.MustOBIS("0-0:128.96.0.255")
	NameKeyChange       = cosem.MustOBIS("0-0:128.43.0.255")
	NameImageReason     = cosem.MustOBIS("0-0:128.44.0.255")
	NameProfileElectric = cosem.MustOBIS("1-0:99.1.0.255")
	NameProfileGas      = cosem.MustOBIS("7-0:99.1.0.255")
)

// ClassKeyChange is the class of the supervised key change (ours).
const ClassKeyChange cosem.ClassID = 8300

// value is attribute 2 of a Data object.
func value(name cosem.OBIS) cosem.Attribute {
	return cosem.Attribute{Class: cosem.ClassData, Instance: name, ID: 2}
}
