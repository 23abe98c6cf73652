package nwk

import (
	"errors"
	"fmt"

	"smets1/internal/wire"
	"smets1/zigbee/security"
)

// Frame is a NWK frame as received or to be sent.
type Frame struct {
	Header
	// Aux is the auxiliary header of a secured frame. Its Source must be known before Open: ZigBee PRO always carries it.
	Aux security.Aux
	// Payload is what follows the headers: of a secured frame before Open ciphertext and MIC, after it the plaintext.
	// A parsed one aliases the input.
	Payload []byte

	raw  []byte // the whole frame, nil once opened or if not parsed
	head int    // length of the header before Aux
}

// ErrNotSecured: the frame carries no auxiliary header, or is open already.
var ErrNotSecured = errors.New("frame is not secured, or was opened before")

// AppendBinary appends the frame as it is: the payload goes behind the headers unchanged. To secure a payload use Seal.
func (f Frame) AppendBinary(b []byte) ([]byte, error) {
	b, err := f.append(b)
	if err != nil {
		return b, err
	}
	if f.Secured {
		if b, err = f.Aux.AppendBinary(b); err != nil {
			return b, err
		}
	}
	return append(b, f.Payload...), nil
}

// Seal appends a frame whose payload is secured with aux and c. Header.Secured must be set. b must not overlap payload.
func Seal(b []byte, h *Header, aux *security.Aux, c *security.Cipher, payload []byte) ([]byte, error) {
	if !h.Secured {
		return b, fmt.Errorf("nwk: header without security bit: %w", ErrNotSecured)
	}
	start := len(b)
	b, err := h.append(b)
	if err != nil {
		return b, err
	}
	return security.SealFrame(b, start, aux, c, payload), nil
}

// ParseFrame reads a frame, which ends with b. Neither MIC nor counter is checked; see Open.
func ParseFrame(b []byte) (f Frame, n int, err error) {
	r := wire.NewReader(b)
	f.read(&r)
	f.head = r.Offset()
	if err := r.Err(); err != nil {
		return f, f.head, err
	}
	rest := b[f.head:]
	if f.Secured {
		var n int
		if f.Aux, n, err = security.ParseAux(rest); err != nil {
			return f, f.head + n, fmt.Errorf("nwk: auxiliary header: %w", err)
		}
		rest = rest[n:]
		if len(rest) < security.MICSize {
			return f, f.head + n, fmt.Errorf("nwk: secured payload of %d octets: %w", len(rest), wire.ErrTruncated)
		}
		f.raw = b
	}
	f.Payload = rest
	return f, len(b), nil
}

// Open checks and decrypts a secured frame in place; Payload is then the plaintext. The error wraps
// security.ErrAuthentication for a wrong key or an altered frame, whose content is lost then.
func (f *Frame) Open(c *security.Cipher) error {
	if f.raw == nil {
		return fmt.Errorf("nwk: %w", ErrNotSecured)
	}
	p, err := security.OpenFrame(f.raw, f.head, &f.Aux, c)
	f.raw = nil
	if err != nil {
		f.Payload = nil
		return fmt.Errorf("nwk: %w", err)
	}
	f.Payload = p
	return nil
}
