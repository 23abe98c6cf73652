package firmware

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"math/rand/v2"
	"sync"
)

// SimulatorSigner names the key of SimulatorKey in headers.
const SimulatorSigner = "X-SIMULATOR-NOT-A-SECRET"

// SimulatorKey signs the releases of simulated devices. Anybody can compute
// it from this source: never let a real device trust it.
var SimulatorKey = sync.OnceValue(func() *ecdsa.PrivateKey {
	d := sha256.Sum256([]byte("smets1 simulator firmware signing key: public, for simulated devices only"))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:])
	if err != nil {
		panic(err) // the constant above is a valid scalar
	}
	return key
})

// SimulatorSigners is what simulated devices trust.
func SimulatorSigners() Signers {
	return Signers{SimulatorSigner: &SimulatorKey().PublicKey}
}

// SimulatedPayload makes the payload of a simulated release: size octets that
// depend on header fields and size alone, so that a release of a manifest is
// the same on every machine.
func SimulatedPayload(h Header, size int) []byte {
	seed := sha256.New()
	for _, s := range []string{h.Type.String(), h.Manufacturer, h.Model, h.Version} {
		seed.Write([]byte{byte(len(s))})
		seed.Write([]byte(s))
	}
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte(seed.Sum(nil))).Read(b) // never fails
	return b
}

// SimulatedRelease makes and signs the whole image of a simulated release.
// The signer in h is replaced.
func SimulatedRelease(h Header, size int) ([]byte, error) {
	h.Signer = SimulatorSigner
	return Sign(h, SimulatedPayload(h, size), SimulatorKey())
}

// dud is how the payload of an image begins that verifies and does not work.
const dud = "DOES NOT START"

// Dud reports whether a simulated device that starts from a payload never
// confirms that it works, so that its boot loader goes back to the image before.
func Dud(payload []byte) bool { return bytes.HasPrefix(payload, []byte(dud)) }

// SimulatedDud is SimulatedRelease of an image that verifies and does not work.
func SimulatedDud(h Header, size int) ([]byte, error) {
	h.Signer = SimulatorSigner
	b := SimulatedPayload(h, max(size, len(dud)))
	copy(b, dud)
	return Sign(h, b, SimulatorKey())
}
