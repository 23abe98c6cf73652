package server

import (
	"time"

	"smets1/dlms/security"
)

// KeyVersion names one set of keys of a device, unique in the device's life. 0 is no set.
type KeyVersion uint32

// RxID names one invocation counter a device checks: one per key set, kind of key and sender.
type RxID struct {
	Version   KeyVersion
	Broadcast bool // the global broadcast key rather than the unicast key
	Client    security.SystemTitle
}

// Security is the security state of one device. The device's model implements it, or uses [Keyring]. Every method is
// called from within [Device.Serve] and takes effect at once; what must outlive a restart is the implementation's to
// keep.
type Security interface {
	// SystemTitle of the device.
	SystemTitle() security.SystemTitle
	// Versions appends the key sets that open the device now, the preferred one first. While a change of keys waits for
	// its commit there are two, and the AARQ (or the HLS answer) decides which one the association runs under.
	Versions(now time.Time, dst []KeyVersion) []KeyVersion
	// Keys of a set. False once it does not open the device (any more).
	Keys(now time.Time, v KeyVersion) (security.KeySet, bool)
	// Secret of the association with that index in the model: LLS password or HLS secret. The zero Secret fits nothing.
	Secret(association int) security.Secret
	// NextTx gives the next invocation counter under the set's keys. It never gives a value twice, across associations
	// and restarts.
	NextTx(v KeyVersion) (uint32, error)
	// RxExpected is the lowest counter acceptable from a sender.
	RxExpected(id RxID) uint32
	// RxAccept takes ic, which was found authentic and not below RxExpected, as seen.
	RxAccept(id RxID, ic uint32)
	// Policy is added to the policy of each association. It is what security_activate of class 64 raises.
	Policy() Policy
}

// KeyUpdate is one key that key_transfer brought, unwrapped.
type KeyUpdate struct {
	ID  security.KeyID
	Key security.Key
}

// KeyChanger is a [Security] that takes new keys and policies. [SecuritySetup] needs it.
type KeyChanger interface {
	Security
	// Transfer takes all updates or, with an error, none. v is the set the request's association runs under and under
	// which the reply will still be protected; the new keys may apply from the call of the returned function on, which
	// Serve makes after the reply is protected.
	Transfer(now time.Time, v KeyVersion, updates []KeyUpdate) (apply func(), err error)
	// Activate raises the policy.
	Activate(p Policy) error
}

// SecretChanger is a [Security] whose LLS passwords and HLS secrets can be replaced (class 15 attribute 7 and method
// 2).
type SecretChanger interface {
	SetSecret(association int, s security.Secret) error
}

// Opener is a [Security] that wants to know when an association was opened (after pass 3 with HLS) under a key set.
type Opener interface {
	Opened(now time.Time, v KeyVersion)
}

// Transactions is a [Security] that remembers the last transaction id of each client. The ids of general-signing, and of
// general-ciphering under keys made for one message, are what tells a new message from a repeated one; ids that are
// forgotten with the association would let a message be repeated in the next.
type Transactions interface {
	// LastTransaction of a client, without leading zeros; nil before the first.
	LastTransaction(client security.SystemTitle) []byte
	// SetLastTransaction keeps one. The bytes alias the request.
	SetLastTransaction(client security.SystemTitle, id []byte)
}

// SigningKeys is a [Security] with asymmetric keys: HLS mechanism 7, general-signing and key agreement of suites 1 and
// 2.
type SigningKeys interface {
	// SigningKey of the device.
	SigningKey() security.SigningKey
	// AgreementKey of the device.
	AgreementKey() security.AgreementKey
	// ClientKey verifies signatures of the client with that title. The zero key fits nothing.
	ClientKey(client security.SystemTitle) security.VerifyKey
	// ClientAgreement is the client's static public key x || y. Nil if there is none.
	ClientAgreement(client security.SystemTitle) []byte
}
