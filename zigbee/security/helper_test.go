package security

import (
	"bytes"
	"io"
	"math/rand/v2"
)

func repeat(b byte, n int) []byte { return bytes.Repeat([]byte{b}, n) }

// fixed reads as the number b, big endian, however many octets are asked for at once.
type fixedReader []byte

func fixed(b []byte) io.Reader { return fixedReader(b) }

func (f fixedReader) Read(b []byte) (int, error) {
	clear(b)
	copy(b[len(b)-len(f):], f)
	return len(b), nil
}

// seeded is deterministic randomness for tests.
func seeded(seed byte) io.Reader { return rand.NewChaCha8([32]byte{seed}) }
