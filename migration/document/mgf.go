package document

// GroupBody is the body of the Migration Group File, MGF: what the S1SP of a cohort needs.
// It holds the same installations as the common file, in the same order, and no key material.
type GroupBody struct {
	Installation []GroupInstallation `rule:"occurs 1 10000"`
}

// GroupInstallation is one home as the S1SP must reach it (ours).
type GroupInstallation struct {
	InstallationID EUI
	SIM            GroupSIM
	WAN            GroupWAN
	WakeUp         string `rule:"enum None SMS SMSx2"`
	Hub            GroupHub
	HAN            *GroupHAN    `xml:",omitempty"`
	DLMS           *GroupDLMS   `xml:",omitempty"`
	Prepay         *GroupPrepay `xml:",omitempty"` // prepayment homes
	KeyRef         []KeyRef     `xml:",omitempty" rule:"occurs 0 64"`
	ConfigDigest   Digest       // of the read-back configuration snapshot
}

// GroupSIM is the hub's subscription.
type GroupSIM struct {
	ICCID  string `rule:"pattern [0-9]{18,22}"`
	IMSI   string `xml:",omitempty" rule:"pattern [0-9]{14,15}"`
	MSISDN string `xml:",omitempty" rule:"pattern [0-9]{7,15}"`
}

// GroupWAN is where the hub is reached now and whither it will be pointed; host:port.
type GroupWAN struct {
	APN             string `xml:",omitempty" rule:"text 1 100"`
	CurrentEndpoint string `rule:"text 1 260"`
	TargetEndpoint  string `rule:"text 1 260"`
}

// GroupHub is the hub as a piece of hardware.
type GroupHub struct {
	SerialNumber    string `xml:",omitempty" rule:"text 1 20"`
	HardwareVersion string `xml:",omitempty" rule:"text 1 20"`
}

// GroupHAN is the home area network.
type GroupHAN struct {
	PANID          string `rule:"pattern [0-9A-F]{4}"`
	Channel        int    // 11 to 26 in the 2.4 GHz band
	TrustCentreEUI EUI
}

// GroupDLMS is how the devices are addressed where they speak DLMS.
type GroupDLMS struct {
	ServerAddress int
	ClientID      int
	FrameCounter  uint64
}

// GroupPrepay is the prepayment state that must go on without a gap.
type GroupPrepay struct {
	Currency        string `rule:"pattern [A-Z]{3}"`
	LastUTRNCounter uint64
	MeterBalance    int64 // millipence
}

// KeyRef names a block of the encrypted file: for which device and use it is.
type KeyRef struct {
	DeviceID EUI      `xml:"deviceID,attr"`
	KeyUsage KeyUsage `xml:"keyUsage,attr" rule:"enum Transport Authentication Critical Prepay HAN"`
	Ref      string   `xml:",chardata" rule:"pattern [A-Za-z0-9._-]{1,64}"`
}

func (GroupBody) kind() Kind { return KindMGF }

func (b GroupBody) ids() []EUI {
	out := make([]EUI, len(b.Installation))
	for i := range b.Installation {
		out[i] = b.Installation[i].InstallationID
	}
	return out
}
