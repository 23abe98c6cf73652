package ezsp

import "fmt"

// Command is the identifier of a command or callback.
type Command uint16

// The commands and callbacks (UG100; published). Those named Handler are callbacks.
const (
	CmdVersion                 Command = 0x00
	CmdAddEndpoint             Command = 0x02
	CmdGetExtendedValue        Command = 0x03
	CmdNop                     Command = 0x05
	CmdCallback                Command = 0x06
	CmdNoCallbacks             Command = 0x07
	CmdSetConcentrator         Command = 0x10
	CmdSetManufacturerCode     Command = 0x15
	CmdNetworkInit             Command = 0x17
	CmdNetworkState            Command = 0x18
	CmdStackStatusHandler      Command = 0x19
	CmdFormNetwork             Command = 0x1E
	CmdLeaveNetwork            Command = 0x20
	CmdPermitJoining           Command = 0x22
	CmdTrustCentreJoinHandler  Command = 0x24
	CmdGetEUI64                Command = 0x26
	CmdGetNodeID               Command = 0x27
	CmdGetNetworkParameters    Command = 0x28
	CmdSendUnicast             Command = 0x34
	CmdSendBroadcast           Command = 0x36
	CmdSendMulticast           Command = 0x38
	CmdMessageSentHandler      Command = 0x3F
	CmdIncomingMessageHandler  Command = 0x45
	CmdGetConfigurationValue   Command = 0x52
	CmdSetConfigurationValue   Command = 0x53
	CmdSetPolicy               Command = 0x55
	InvalidCommand             Command = 0x58
	CmdSetSourceRouteDiscovery Command = 0x5A
	CmdLookupNodeID            Command = 0x60
	CmdLookupEUI64             Command = 0x61
	CmdSetMulticastTableEntry  Command = 0x64
	CmdReadAndClearCounters    Command = 0x65
	CmdSetInitialSecurityState Command = 0x68
	CmdClearTransientLinkKeys  Command = 0x6B
	CmdSwitchNetworkKeyHandler Command = 0x6E
	CmdEraseKeyTableEntry      Command = 0x76
	CmdEcho                    Command = 0x81
	CmdMfglibStart             Command = 0x83
	CmdMfglibEnd               Command = 0x84
	CmdMfglibSendPacket        Command = 0x89
	CmdMfglibSetChannel        Command = 0x8A
	CmdMfglibGetChannel        Command = 0x8B
	CmdMfglibRxHandler         Command = 0x8E
	CmdSetRadioPower           Command = 0x99
	CmdGetValue                Command = 0xAA
	CmdSetValue                Command = 0xAB
	CmdClearKeyTable           Command = 0xB1
	CmdImportLinkKey           Command = 0x10E
	CmdExportLinkKeyByIndex    Command = 0x10F
	CmdImportTransientKey      Command = 0x111
	CmdExportKey               Command = 0x114
	CmdGetNetworkKeyInfo       Command = 0x116
)

var commandNames = map[Command]string{
	CmdVersion: "version", CmdAddEndpoint: "addEndpoint", CmdGetExtendedValue: "getExtendedValue", CmdNop: "nop", CmdCallback: "callback",
	CmdNoCallbacks: "noCallbacks", CmdSetConcentrator: "setConcentrator", CmdSetManufacturerCode: "setManufacturerCode", CmdNetworkInit: "networkInit",
	CmdNetworkState: "networkState", CmdStackStatusHandler: "stackStatusHandler", CmdFormNetwork: "formNetwork", CmdLeaveNetwork: "leaveNetwork",
	CmdPermitJoining: "permitJoining", CmdTrustCentreJoinHandler: "trustCenterJoinHandler", CmdGetEUI64: "getEui64", CmdGetNodeID: "getNodeId",
	CmdGetNetworkParameters: "getNetworkParameters", CmdSendUnicast: "sendUnicast", CmdSendBroadcast: "sendBroadcast", CmdSendMulticast: "sendMulticast",
	CmdMessageSentHandler: "messageSentHandler", CmdIncomingMessageHandler: "incomingMessageHandler", CmdGetConfigurationValue: "getConfigurationValue",
	CmdSetConfigurationValue: "setConfigurationValue", CmdSetPolicy: "setPolicy", InvalidCommand: "invalidCommand",
	CmdSetSourceRouteDiscovery: "setSourceRouteDiscoveryMode", CmdLookupNodeID: "lookupNodeIdByEui64", CmdLookupEUI64: "lookupEui64ByNodeId",
	CmdSetMulticastTableEntry: "setMulticastTableEntry", CmdReadAndClearCounters: "readAndClearCounters",
	CmdSetInitialSecurityState: "setInitialSecurityState", CmdClearTransientLinkKeys: "clearTransientLinkKeys",
	CmdSwitchNetworkKeyHandler: "switchNetworkKeyHandler", CmdEraseKeyTableEntry: "eraseKeyTableEntry", CmdEcho: "echo", CmdMfglibStart: "mfglibStart",
	CmdMfglibEnd: "mfglibEnd", CmdMfglibSendPacket: "mfglibSendPacket", CmdMfglibSetChannel: "mfglibSetChannel", CmdMfglibGetChannel: "mfglibGetChannel",
	CmdMfglibRxHandler: "mfglibRxHandler", CmdSetRadioPower: "setRadioPower", CmdGetValue: "getValue", CmdSetValue: "setValue",
	CmdClearKeyTable: "clearKeyTable", CmdImportLinkKey: "importLinkKey", CmdExportLinkKeyByIndex: "exportLinkKeyByIndex",
	CmdImportTransientKey: "importTransientKey", CmdExportKey: "exportKey", CmdGetNetworkKeyInfo: "getNetworkKeyInfo",
}

// String is the name in UG100, or the number.
func (c Command) String() string {
	if s, ok := commandNames[c]; ok {
		return s
	}
	return fmt.Sprintf("command %04X", uint16(c))
}

// Identifiers of values (getValue, setValue) and configuration (getConfigurationValue).
const (
	ValueVersionInfo  = 0x11
	ValueTokenWriting = 0x07
	ValueEndpoint     = 0x00 // of getExtendedValue: flags of an endpoint

	ConfigKeyTableSize = 0x1E

	PolicyTrustCentre = 0x00
	// AllowJoins is the bit of the trust centre policy that lets devices join that have a key.
	AllowJoins = 0x01
)

// NetworkState is the answer to networkState.
type NetworkState uint8

// The states.
const (
	NoNetwork NetworkState = 0
	OnNetwork NetworkState = 2
)

// NodeCoordinator is the node type of a coordinator.
const NodeCoordinator = 1

// Ways in which messages go and come.
const (
	OutgoingDirect    = 0
	OutgoingMulticast = 3
	OutgoingBroadcast = 6

	IncomingUnicast   = 0
	IncomingBroadcast = 4
)

// NoBinding stands for no entry of the binding or address table.
const NoBinding = 0xFF

// UnknownNode is the short address of a device that is not known.
const UnknownNode = 0xFFFE

// Counters is how many numbers readAndClearCounters gives.
const Counters = 42
