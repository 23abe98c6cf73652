// Package keystore keeps the keys of devices on disk, sealed, and the
// invocation counters that go with them.
//
// A device has up to three key sets, its generations:
//
//	pending    made, about to be given to the device or just given
//	current    opens the device, as far as is known
//	previous   opened it before the last change; kept until the next one succeeds
//
// A set moves by Stage (makes it pending), Promote (pending becomes current,
// current becomes previous) and Drop (pending goes). Promote wants pending to
// have opened the device, Drop wants another set to have done so: nothing
// deletes the last key that is known to work.
//
// # At rest
//
// A record is a format octet 1, a random nonce of 24 octets and the
// XChaCha20-Poly1305 box of its JSON, under a key derived (HKDF-SHA-256) from
// the root key; the record's name is additional data, so that a record copied
// to another name does not open. An old copy of the same record does open:
// who can write to the disk can set the store back, which the counters of
// the device then show.
//
//	root                  the fingerprint of the root key, in clear, and a sealed check
//	device/<EUI>          the generations of a device
//	counter/<GUEK>        first invocation counter not yet reserved, by fingerprint of the key
//	import/<id>/…         an import under way
//
// Counters are reserved in blocks, on disk before the first is used; after a
// restart the rest of the block is skipped. They belong to the key and not to
// the device or generation, so that no two messages share key and nonce even
// if two devices were given the same key, or an old set comes back.
package keystore
