package mac

import "time"

// Timing of the 2.4 GHz O-QPSK PHY at 250 kbit/s (IEEE 802.15.4-2006, clauses 6.4.2, 7.4.2 and 7.5.1; recalled).
const (
	Symbol            = 16 * time.Microsecond
	Octet             = 2 * Symbol
	phyHeader         = 6 // preamble, start of frame delimiter and length, in octets
	Turnaround        = 12 * Symbol
	AckWait           = 54 * Symbol
	UnitBackoff       = 20 * Symbol
	MinBE             = 3
	MaxBE             = 5
	MaxCSMABackoffs   = 4
	MaxFrameRetries   = 3
	BaseSuperframe    = 960 * Symbol
	IndirectPersist   = 7680 * time.Millisecond // macTransactionPersistenceTime of ZigBee
	ResponseWait      = 32 * BaseSuperframe
	BeaconScanDefault = BaseSuperframe * (1<<3 + 1) // 138 ms: scan duration exponent 3
)

// Airtime is how long a PSDU of n octets (FCS included) occupies the channel.
func Airtime(n int) time.Duration { return time.Duration(phyHeader+n) * Octet }
