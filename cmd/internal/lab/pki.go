package lab

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"

	"smets1/dlms/security"
)

// PKISource gives the octets from which a state folder's simulator authority
// is drawn: the same at each start, and known to nobody without the root key.
func PKISource(root security.Key) (io.Reader, error) {
	seed, err := hkdf.Key(sha256.New, root.Reveal(), nil, "smets1 simulator authority", 32)
	if err != nil {
		return nil, fmt.Errorf("simulator authority: %w", err)
	}
	return rand.NewChaCha8([32]byte(seed)), nil
}
