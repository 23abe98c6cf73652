package cosem

import (
	"fmt"
	"strings"
)

// Conformance is the set of services a side can do: 24 bits, held with bit 0
// of the standard as the most significant bit (0x800000), so the three bytes
// on the wire read as one big-endian number (IEC 62056-5-3, published).
type Conformance uint32

// The conformance bits; the number in the comment is the standard's.
const (
	ConfGeneralProtection    Conformance = 1 << (23 - 1)  // 1
	ConfGeneralBlockTransfer Conformance = 1 << (23 - 2)  // 2
	ConfRead                 Conformance = 1 << (23 - 3)  // 3, short names
	ConfWrite                Conformance = 1 << (23 - 4)  // 4, short names
	ConfUnconfirmedWrite     Conformance = 1 << (23 - 5)  // 5, short names
	ConfDeltaValueEncoding   Conformance = 1 << (23 - 6)  // 6
	ConfAttribute0Set        Conformance = 1 << (23 - 8)  // 8
	ConfPriority             Conformance = 1 << (23 - 9)  // 9
	ConfAttribute0Get        Conformance = 1 << (23 - 10) // 10
	ConfBlockTransferGet     Conformance = 1 << (23 - 11) // 11
	ConfBlockTransferSet     Conformance = 1 << (23 - 12) // 12
	ConfBlockTransferAction  Conformance = 1 << (23 - 13) // 13
	ConfMultipleReferences   Conformance = 1 << (23 - 14) // 14
	ConfInformationReport    Conformance = 1 << (23 - 15) // 15, short names
	ConfDataNotification     Conformance = 1 << (23 - 16) // 16
	ConfAccess               Conformance = 1 << (23 - 17) // 17
	ConfParameterizedAccess  Conformance = 1 << (23 - 18) // 18, short names
	ConfGet                  Conformance = 1 << (23 - 19) // 19
	ConfSet                  Conformance = 1 << (23 - 20) // 20
	ConfSelectiveAccess      Conformance = 1 << (23 - 21) // 21
	ConfEventNotification    Conformance = 1 << (23 - 22) // 22
	ConfAction               Conformance = 1 << 0         // 23
	conformanceMask          Conformance = 1<<24 - 1
	conformanceBits                      = 24
)

var conformanceNames = [conformanceBits]string{
	0: "reserved-0", 1: "general-protection", 2: "general-block-transfer", 3: "read", 4: "write",
	5: "unconfirmed-write", 6: "delta-value-encoding", 7: "reserved-7",
	8: "attribute0-supported-with-set", 9: "priority-mgmt-supported", 10: "attribute0-supported-with-get",
	11: "block-transfer-with-get-or-read", 12: "block-transfer-with-set-or-write", 13: "block-transfer-with-action",
	14: "multiple-references", 15: "information-report", 16: "data-notification", 17: "access",
	18: "parameterized-access", 19: "get", 20: "set", 21: "selective-access", 22: "event-notification", 23: "action",
}

// ConformanceOf decodes three bytes; b must have them.
func ConformanceOf(b []byte) Conformance {
	return Conformance(b[0])<<16 | Conformance(b[1])<<8 | Conformance(b[2])
}

// AppendTo appends the three bytes.
func (c Conformance) AppendTo(b []byte) []byte { return append(b, byte(c>>16), byte(c>>8), byte(c)) }

// Has reports whether every bit of want is set.
func (c Conformance) Has(want Conformance) bool { return c&want == want }

// Names lists the set bits by the standard's names, in its order.
func (c Conformance) Names() []string {
	var names []string
	for bit, name := range conformanceNames {
		if c&(1<<(conformanceBits-1-bit)) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// String gives the six hexadecimal digits of the wire and the names.
func (c Conformance) String() string {
	return fmt.Sprintf("%06X{%s}", uint32(c&conformanceMask), strings.Join(c.Names(), ","))
}
