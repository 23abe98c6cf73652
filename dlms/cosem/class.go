package cosem

import "fmt"

// ClassID identifies an interface class (Blue Book, published).
type ClassID uint16

// The interface classes that the class table describes.
const (
	ClassData                 ClassID = 1
	ClassRegister             ClassID = 3
	ClassExtendedRegister     ClassID = 4
	ClassDemandRegister       ClassID = 5
	ClassRegisterActivation   ClassID = 6
	ClassProfileGeneric       ClassID = 7
	ClassClock                ClassID = 8
	ClassScriptTable          ClassID = 9
	ClassSchedule             ClassID = 10
	ClassSpecialDays          ClassID = 11
	ClassAssociationSN        ClassID = 12
	ClassAssociationLN        ClassID = 15
	ClassSAPAssignment        ClassID = 17
	ClassImageTransfer        ClassID = 18
	ClassLocalPort            ClassID = 19
	ClassActivityCalendar     ClassID = 20
	ClassRegisterMonitor      ClassID = 21
	ClassSingleActionSchedule ClassID = 22
	ClassHDLCSetup            ClassID = 23
	ClassAutoConnect          ClassID = 29
	ClassDataProtection       ClassID = 30
	ClassPushSetup            ClassID = 40
	ClassTCPUDPSetup          ClassID = 41
	ClassIPv4Setup            ClassID = 42
	ClassGPRSSetup            ClassID = 45
	ClassGSMDiagnostic        ClassID = 47
	ClassCompactData          ClassID = 62
	ClassStatusMapping        ClassID = 63
	ClassSecuritySetup        ClassID = 64
	ClassParameterMonitor     ClassID = 65
	ClassArbitrator           ClassID = 68
	ClassDisconnectControl    ClassID = 70
	ClassLimiter              ClassID = 71
	ClassZigBeeSASStartup     ClassID = 101
	ClassZigBeeSASJoin        ClassID = 102
	ClassZigBeeSASAPS         ClassID = 103
	ClassZigBeeNetworkControl ClassID = 104
	ClassZigBeeTunnelSetup    ClassID = 105
	ClassAccount              ClassID = 111
	ClassCredit               ClassID = 112
	ClassCharge               ClassID = 113
	ClassTokenGateway         ClassID = 115
	ClassIEC62055Attributes   ClassID = 116
	ClassGBCSExtendedData     ClassID = 9000 // GBCS, published there
)

// String gives number and name, such as "3 Register".
func (c ClassID) String() string {
	if info, ok := LookupClass(c, latestVersion); ok {
		return fmt.Sprintf("%d %s", uint16(c), info.Name)
	}
	return fmt.Sprintf("%d", uint16(c))
}
