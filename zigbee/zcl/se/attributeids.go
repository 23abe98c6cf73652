package se

import "smets1/zigbee/zcl"

// Attributes of the general clusters that devices of a home name in code; all others are in [Attributes].
const (
	AttrZCLVersion          zcl.Attr = 0x0000
	AttrApplicationVersion  zcl.Attr = 0x0001
	AttrHWVersion           zcl.Attr = 0x0003
	AttrManufacturerName    zcl.Attr = 0x0004
	AttrModelIdentifier     zcl.Attr = 0x0005
	AttrDateCode            zcl.Attr = 0x0006
	AttrPowerSource         zcl.Attr = 0x0007
	AttrPhysicalEnvironment zcl.Attr = 0x0011 // on an ESI: 1 if a mirror can be had
	AttrSWBuildID           zcl.Attr = 0x4000

	AttrTime           zcl.Attr = 0x0000
	AttrTimeStatus     zcl.Attr = 0x0001
	AttrTimeZone       zcl.Attr = 0x0002
	AttrDstStart       zcl.Attr = 0x0003
	AttrDstEnd         zcl.Attr = 0x0004
	AttrDstShift       zcl.Attr = 0x0005
	AttrStandardTime   zcl.Attr = 0x0006
	AttrLocalTime      zcl.Attr = 0x0007
	AttrValidUntilTime zcl.Attr = 0x0009

	AttrKeepAliveBase   zcl.Attr = 0x0000 // minutes
	AttrKeepAliveJitter zcl.Attr = 0x0001 // seconds

	AttrKeyEstablishmentSuite zcl.Attr = 0x0000
	AttrCloseTunnelTimeout    zcl.Attr = 0x0000 // seconds

	AttrReportingStatus zcl.Attr = 0xFFFE // of every Smart Energy cluster: 0 pending, 1 complete
)

// Bits of the TimeStatus attribute.
const (
	TimeMaster             uint8  = 1 << 0
	TimeSynchronised       uint8  = 1 << 1
	TimeMasterZoneDst      uint8  = 1 << 2
	TimeSuperseding        uint8  = 1 << 3
	PowerSourceMains       uint8  = 1
	PowerSourceBattery     uint8  = 3
	MirrorCapacity         uint8  = 1 // PhysicalEnvironment of an ESI
	KeepAliveBaseDefault   uint8  = 10
	KeepAliveJitterDefault uint16 = 300
)

// Attributes of the OTA client.
const (
	AttrUpgradeServerID       zcl.Attr = 0x0000
	AttrFileOffset            zcl.Attr = 0x0001
	AttrCurrentFileVersion    zcl.Attr = 0x0002
	AttrCurrentStackVersion   zcl.Attr = 0x0003
	AttrDownloadedFileVersion zcl.Attr = 0x0004
	AttrImageUpgradeStatus    zcl.Attr = 0x0006
	AttrOTAManufacturer       zcl.Attr = 0x0007
	AttrOTAImageType          zcl.Attr = 0x0008
	AttrMinimumBlockPeriod    zcl.Attr = 0x0009 // ms
	AttrImageStamp            zcl.Attr = 0x000A
)

// UpgradeStatus is the value of ImageUpgradeStatus.
type UpgradeStatus uint8

// The states of an upgrade.
const (
	UpgradeNormal           UpgradeStatus = 0
	UpgradeDownloading      UpgradeStatus = 1
	UpgradeDownloaded       UpgradeStatus = 2
	UpgradeWaiting          UpgradeStatus = 3
	UpgradeCountDown        UpgradeStatus = 4
	UpgradeWaitForMoreFiles UpgradeStatus = 5
)

// Attributes of the Metering server.
const (
	AttrCurrentSummationDelivered      zcl.Attr = 0x0000
	AttrCurrentSummationReceived       zcl.Attr = 0x0001
	AttrCurrentMaxDemandDelivered      zcl.Attr = 0x0002
	AttrReadingSnapshotTime            zcl.Attr = 0x0007
	AttrDefaultUpdatePeriod            zcl.Attr = 0x000A // seconds
	AttrFastPollUpdatePeriod           zcl.Attr = 0x000B // seconds
	AttrProfileIntervalPeriod          zcl.Attr = 0x000F
	AttrSupplyStatus                   zcl.Attr = 0x0014
	AttrActiveRegisterTierDelivered    zcl.Attr = 0x0020
	AttrCurrentTier1SummationDelivered zcl.Attr = 0x0100 // further tiers in steps of 2
	AttrMeterStatus                    zcl.Attr = 0x0200
	AttrRemainingBatteryLife           zcl.Attr = 0x0201 // per cent
	AttrExtendedStatus                 zcl.Attr = 0x0204
	AttrRemainingBatteryDays           zcl.Attr = 0x0205
	AttrAmbientConsumption             zcl.Attr = 0x0207
	AttrUnitOfMeasure                  zcl.Attr = 0x0300
	AttrMultiplier                     zcl.Attr = 0x0301
	AttrDivisor                        zcl.Attr = 0x0302
	AttrSummationFormatting            zcl.Attr = 0x0303
	AttrDemandFormatting               zcl.Attr = 0x0304
	AttrHistoricalFormatting           zcl.Attr = 0x0305
	AttrMeteringDeviceType             zcl.Attr = 0x0306
	AttrSiteID                         zcl.Attr = 0x0307 // MPAN or MPRN
	AttrMeterSerialNumber              zcl.Attr = 0x0308
	AttrModuleSerialNumber             zcl.Attr = 0x030E
	AttrCustomerIDNumber               zcl.Attr = 0x0311
	AttrInstantaneousDemand            zcl.Attr = 0x0400
	AttrCurrentDayDelivered            zcl.Attr = 0x0401
	AttrPreviousDayDelivered           zcl.Attr = 0x0403
	AttrMaxPeriodsDelivered            zcl.Attr = 0x0500
	AttrFunctionalNotificationFlags    zcl.Attr = 0x0000 // of the client
)

// Values of UnitofMeasure; BCD is added to them for binary coded decimals.
const (
	UnitKWh         uint8 = 0x00
	UnitCubicMetres uint8 = 0x01
	UnitCubicFeet   uint8 = 0x02
	UnitMJ          uint8 = 0x0C
	UnitBCD         uint8 = 0x80
)

// Values of MeteringDeviceType. A mirror adds MirrorOffset, and MirrorUnallocated says that the mirror is free.
const (
	MeterElectric     uint8 = 0
	MeterGas          uint8 = 1
	MirrorOffset      uint8 = 127
	MirrorUnallocated uint8 = 0xFE
)

// Bits of the functional notification flags, by which a mirror tells a sleepy meter what waits for it (recalled from
// Smart Energy 1.2, table D-25).
const (
	NotifyNewOTA           uint32 = 1 << 0
	NotifyCBKEUpdate       uint32 = 1 << 1
	NotifyTimeSync         uint32 = 1 << 2
	NotifyStayAwakeHAN     uint32 = 1 << 4
	NotifyStayAwakeWAN     uint32 = 1 << 5
	NotifyNetworkKeyActive uint32 = 1 << 15
	NotifyDisplayMessage   uint32 = 1 << 16
	NotifyCancelMessages   uint32 = 1 << 17
	NotifyChangeSupply     uint32 = 1 << 18
	NotifyLocalChange      uint32 = 1 << 19
	NotifyFlowThreshold    uint32 = 1 << 20
	NotifyTunnelPending    uint32 = 1 << 21
	NotifyGetSnapshot      uint32 = 1 << 22
	NotifyGetSampledData   uint32 = 1 << 23
)

// Attributes of the Price, Prepayment and Device Management servers that devices name in code.
const (
	AttrConversionFactor      zcl.Attr = 0x0302
	AttrConversionFactorDigit zcl.Attr = 0x0303
	AttrCalorificValue        zcl.Attr = 0x0304
	AttrCalorificValueUnit    zcl.Attr = 0x0305
	AttrCalorificValueDigit   zcl.Attr = 0x0306

	AttrPaymentControl           zcl.Attr = 0x0000
	AttrCreditRemaining          zcl.Attr = 0x0001
	AttrEmergencyCreditRemaining zcl.Attr = 0x0002
	AttrCreditStatus             zcl.Attr = 0x0003
	AttrAccumulatedDebt          zcl.Attr = 0x0005
	AttrTotalCreditAdded         zcl.Attr = 0x0020
	AttrCutOffValue              zcl.Attr = 0x0040

	AttrProviderID   zcl.Attr = 0x0100
	AttrProviderName zcl.Attr = 0x0101
)
