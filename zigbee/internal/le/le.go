// Package le appends and reads the little-endian fields that every ZigBee layer
// shares: EUI-64s, which travel last octet first, and integers of 3, 5, 6 and 7
// octets, which encoding/binary does not have.
package le

import "smets1/internal/wire"

// AppendEUI64 appends e as it is sent over the air: last octet first.
func AppendEUI64(b []byte, e wire.EUI64) []byte {
	return append(b, e[7], e[6], e[5], e[4], e[3], e[2], e[1], e[0])
}

// EUI64 takes an EUI-64 in air order.
func EUI64(r *wire.Reader) (e wire.EUI64) {
	if b := r.Bytes(8); b != nil {
		for i := range e {
			e[i] = b[7-i]
		}
	}
	return e
}

// AppendUint appends the n low octets of v, lowest first.
func AppendUint(b []byte, v uint64, n int) []byte {
	for range n {
		b = append(b, byte(v))
		v >>= 8
	}
	return b
}

// Uint takes a number of n octets (0 to 8), lowest first.
func Uint(r *wire.Reader, n int) (v uint64) {
	for i, x := range r.Bytes(n) {
		v |= uint64(x) << (8 * i)
	}
	return v
}
