package security

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"smets1/internal/wire"
)

// InstallCode is the code on a device's label from which its preconfigured link key is made: 6, 8, 12 or 16 octets and a
// CRC (ZigBee Smart Energy, clause 5.4.8.1; published). It opens the home to whoever reads it, so it prints as "redacted".
//
//	label     code(6|8|12|16) crc(2, CRC-16/X.25, low octet first)
//	link key  AES-MMO(code || crc)
type InstallCode struct{ secret }

// ErrInstallCode: what was given is no install code. Errors never repeat the code.
var ErrInstallCode = errors.New("not an install code: want 6, 8, 12 or 16 octets and a matching CRC-16, as on the label")

func installCodeLength(n int) bool { return n == 6 || n == 8 || n == 12 || n == 16 }

// NewInstallCode makes an install code of code without CRC.
func NewInstallCode(code []byte) (InstallCode, error) {
	if !installCodeLength(len(code)) {
		return InstallCode{}, fmt.Errorf("security: %d octets without CRC: %w", len(code), ErrInstallCode)
	}
	b := append([]byte(nil), code...)
	return InstallCode{secret{m: newMaterial(binary.LittleEndian.AppendUint16(b, wire.CRC16X25(b)))}}, nil
}

// ParseInstallCode reads the label: hexadecimal digits of code and CRC, in groups parted by spaces or hyphens as printed.
func ParseInstallCode(label string) (InstallCode, error) {
	b, err := hex.DecodeString(strings.NewReplacer(" ", "", "-", "").Replace(label))
	if err != nil || len(b) < 2 {
		return InstallCode{}, fmt.Errorf("security: label is not hexadecimal: %w", ErrInstallCode)
	}
	c, err := NewInstallCode(b[:len(b)-2])
	if err != nil {
		return InstallCode{}, err
	}
	if wire.CRC16X25(b[:len(b)-2]) != binary.LittleEndian.Uint16(b[len(b)-2:]) {
		return InstallCode{}, fmt.Errorf("security: the CRC does not match, a digit is wrong: %w", ErrInstallCode)
	}
	return c, nil
}

// GenerateInstallCode reads a fresh code of n octets (6, 8, 12 or 16; GB devices have 16) from r.
func GenerateInstallCode(r io.Reader, n int) (InstallCode, error) {
	if !installCodeLength(n) {
		return InstallCode{}, fmt.Errorf("security: %d octets without CRC: %w", n, ErrInstallCode)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return InstallCode{}, fmt.Errorf("security: no randomness for an install code: %w", err)
	}
	return NewInstallCode(b)
}

// LinkKey is the preconfigured trust centre link key. The zero code has the zero Key.
func (c InstallCode) LinkKey() Key {
	if c.IsZero() {
		return Key{}
	}
	return keyOf(Hash(c.m.bytes()))
}
