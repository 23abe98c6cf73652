package server

import (
	"errors"
	"fmt"

	"smets1/dlms/cosem"
	"smets1/dlms/security"
)

// Policy is [security.Policy].
type Policy = security.Policy

// AnyClient as Association.Client lets any client SAP open the association.
const AnyClient uint16 = 0

// Association declares one association a client may open.
type Association struct {
	// Name, for messages.
	Name string
	// Client is the SAP of the client: 0x10 public, 0x01 management. [AnyClient] takes any.
	Client uint16
	// Instance is the logical name under which the association stands in the object list (0-0:40.0.1.255 and up). Zero
	// lists it only as the current association.
	Instance cosem.OBIS
	// Mechanism that authenticates the client. Two associations may share a client SAP if their mechanisms differ.
	Mechanism security.Mechanism
	// Ciphered accepts the application context LN with ciphering, Plain the one without. Neither means Plain.
	Ciphered, Plain bool
	// Suite of ciphered APDUs and of HLS.
	Suite security.Suite
	// Policy is the protection required in this association. It is joined with the device's own.
	Policy Policy
	// Conformance offered. Zero is [DefaultConformance].
	Conformance cosem.Conformance
	// MaxPDU is the longest APDU the server receives, and the longest it sends whatever the client could take. Zero is
	// 1024.
	MaxPDU uint16
	// Window is how many blocks of a general block transfer the server takes at once, up to 63. Zero is 1.
	Window uint8
	// SecuritySetup is the logical name of the security setup object, shown in attribute 9. Zero is none.
	SecuritySetup cosem.OBIS
	// Challenge is the length of the server's HLS challenge. Zero is 16, or 32 for ECDSA.
	Challenge int
	// ChangeSecret lets the client replace its password (attribute 7) or HLS secret (method 2).
	ChangeSecret bool
	// Users finds the list of users who may open the association, which the device keeps; class 15 shows it from version
	// 2. An AARQ names its user in calling-AE-invocation-id. Nil, or an empty list, lets everybody in.
	Users func(*Device) *[]User
	// EditUsers lets the client add and remove users (methods 5 and 6).
	EditUsers bool
	// Quirks make the association behave like a make of meter that differs from the rules.
	Quirks Quirks
}

// User of an association. The id is the client's to choose.
type User struct {
	ID   uint8
	Name string
}

// users of the association in a device.
func (a *Association) users(d *Device) []User {
	if a.Users == nil {
		return nil
	}
	return *a.Users(d)
}

// Quirks are ways of real servers that differ from the rules. The zero value has none.
type Quirks struct {
	// BlocksUnasked starts block transfer with get though it was not negotiated (Gurux servers do; verified).
	BlocksUnasked bool
	// PreferGBT cuts long replies with general block transfer where both that and service blocks were negotiated (Gurux
	// servers do; verified).
	PreferGBT bool
	// PlainRelease lets an RLRQ without protection end an association that requires protection (clients that release so
	// are common).
	PlainRelease bool
	// SilentUnassociated gives no answer to a service without an association (Gurux Java does; verified).
	SilentUnassociated bool
	// HideInaccessible leaves declared attributes and methods without any right out of the object list; the rules list
	// them with access 0.
	HideInaccessible bool
}

// DefaultConformance is everything this server does.
const DefaultConformance = cosem.ConfGeneralProtection | cosem.ConfGeneralBlockTransfer |
	cosem.ConfPriority | cosem.ConfAttribute0Get |
	cosem.ConfBlockTransferGet | cosem.ConfBlockTransferSet | cosem.ConfBlockTransferAction |
	cosem.ConfMultipleReferences | cosem.ConfAccess | cosem.ConfDataNotification |
	cosem.ConfGet | cosem.ConfSet | cosem.ConfSelectiveAccess | cosem.ConfEventNotification | cosem.ConfAction

// defaultMaxPDU is used where a declaration has none.
const defaultMaxPDU = 1024

// minPDU is the smallest APDU size an association can work with (published).
const minPDU = 12

// cipheringOverhead is what a service-specific ciphered APDU has beside its content: tag, length, security control,
// invocation counter and authentication tag.
const cipheringOverhead = 1 + 1 + 5 + 12

func (a *Association) check() error {
	if !a.Ciphered && !a.Plain {
		a.Plain = true
	}
	if a.Conformance == 0 {
		a.Conformance = DefaultConformance
	}
	if a.MaxPDU == 0 {
		a.MaxPDU = defaultMaxPDU
	}
	if a.MaxPDU < minPDU {
		return fmt.Errorf("max PDU %d: at least %d", a.MaxPDU, minPDU)
	}
	if a.Mechanism > security.MechanismECDSA {
		return fmt.Errorf("mechanism %d does not exist: 0 to 7", a.Mechanism)
	}
	if a.Suite > security.Suite2 {
		return fmt.Errorf("suite %d does not exist: 0 to 2", a.Suite)
	}
	if a.Window > 63 {
		return fmt.Errorf("window of %d blocks: at most 63", a.Window)
	}
	if a.Policy != 0 && !a.Ciphered {
		return errors.New("a security policy needs Ciphered")
	}
	if a.Policy.Request() != 0 && a.Plain {
		return errors.New("Plain would let clients evade the security policy: declare two associations")
	}
	return nil
}

// window of general block transfers.
func (a *Association) window() uint8 { return max(a.Window, 1) }
