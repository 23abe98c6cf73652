package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"smets1/firmware"
	"smets1/zigbee/zcl/se"
)

// firmwareFile is a file of one of the kinds that the firmware commands know.
type firmwareFile interface {
	// inspect shows what the file says of itself.
	inspect(w io.Writer, asJSON bool, blockSize int) error
	// judge is the judgement of a device.
	judge(j judge) error
	// sign gives the file anew, signed.
	sign(s signing) ([]byte, error)
	// rows are what diff compares: names and values, in order.
	rows() []row
	// payload is the firmware itself; nil where there is none in the file.
	payload() []byte
}

// signing is what to sign with.
type signing struct {
	key       *ecdsa.PrivateKey
	signer    string
	simulator bool
	otaKey    string
	suite     uint8 // of the simulator's OTA signature
}

type row struct{ name, value string }

// readFirmware reads a file that is one image, OTA file or manifest and nothing more.
func readFirmware(path string) (firmwareFile, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, usageError{err}
	}
	f, err := parseFirmware(path, b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

func parseFirmware(path string, b []byte) (firmwareFile, error) {
	switch {
	case bytes.HasPrefix(bytes.TrimLeft(b, " \t\r\n"), []byte("{")):
		r, err := firmware.ParseRelease(b)
		return releaseFile{path, r}, err
	case bytes.HasPrefix(b, []byte{0x1E, 0xF1, 0xEE, 0x0B}):
		m, n, err := se.ParseOTAImage(b)
		if err == nil && n != len(b) {
			err = fmt.Errorf("%d octets follow the OTA file: cut them off", len(b)-n)
		}
		return otaFile{path, b, m}, err
	}
	m, n, err := firmware.ParseImage(b)
	if err == nil && n != len(b) {
		err = fmt.Errorf("%d octets follow the image: cut them off", len(b)-n)
	}
	return imageFile{path, b, m}, err
}

type imageFile struct {
	path  string
	bytes []byte
	image firmware.Image
}

func (f imageFile) report(blockSize int) imageReport {
	m := &f.image
	r := imageReport{
		File: f.path, SHA256: firmware.DigestOf(f.bytes).String(), Type: m.Type.String(), Manufacturer: m.Manufacturer, Model: m.Model,
		HardwareFrom: m.HardwareFrom, HardwareTo: m.HardwareTo, Version: m.Version, Signer: m.Signer,
		Signed: m.Signature != [len(m.Signature)]byte{}, Size: len(f.bytes), PayloadSize: m.PayloadSize, PayloadOK: sha256.Sum256(m.Payload) == m.PayloadSum,
	}
	if blockSize > 0 {
		r.BlockSize, r.Blocks = blockSize, firmware.Blocks(len(f.bytes), blockSize)
		r.LastBlock = len(firmware.Block(f.bytes, blockSize, r.Blocks-1))
	}
	return r
}

func (f imageFile) inspect(w io.Writer, asJSON bool, blockSize int) error {
	return f.report(blockSize).print(w, asJSON)
}

func (f imageFile) judge(j judge) error {
	if j.device == nil {
		return f.image.Verify(j.signers)
	}
	_, err := firmware.Check(f.bytes, *j.device)
	return err
}

func (f imageFile) sign(s signing) ([]byte, error) {
	if s.key == nil {
		return nil, errors.New("name a key by --key and --signer, or say --simulator")
	}
	h := f.image.Header
	h.Signer = s.signer
	return firmware.Sign(h, f.image.Payload, s.key)
}

func (f imageFile) rows() []row {
	m := &f.image
	return []row{
		{"kind", "image"}, {"for", fmt.Sprintf("%s %s %s", m.Type, m.Manufacturer, m.Model)},
		{"hardware", fmt.Sprintf("%d to %d", m.HardwareFrom, m.HardwareTo)}, {"version", m.Version}, {"signer", m.Signer},
		{"payload", fmt.Sprintf("%d octets, %x", m.PayloadSize, m.PayloadSum)}, {"signature", fmt.Sprintf("%x", m.Signature)},
	}
}

func (f imageFile) payload() []byte { return f.image.Payload }

type releaseFile struct {
	path    string
	release firmware.Release
}

// beside reads the image that a manifest names, in the manifest's folder.
func (f releaseFile) beside() ([]byte, error) {
	return os.ReadFile(filepath.Join(filepath.Dir(f.path), f.release.Image.Name))
}

func (f releaseFile) judge(j judge) error {
	image, err := f.beside()
	if err != nil {
		return usageError{fmt.Errorf("%s: the image that it names: %w", f.path, err)}
	}
	if err := f.release.Verify(j.signers, image); err != nil {
		return err
	}
	m, err := parseFirmware(f.release.Image.Name, image)
	if err != nil {
		return err
	}
	if i, ok := m.(imageFile); ok {
		if err := f.release.Describes(i.image.Header); err != nil {
			return err
		}
	}
	return m.judge(j)
}

func (f releaseFile) sign(s signing) ([]byte, error) {
	if s.key == nil {
		return nil, errors.New("name a key by --key and --signer, or say --simulator")
	}
	r := f.release
	if err := r.Sign(s.signer, s.key); err != nil {
		return nil, err
	}
	return r.Encode()
}

func (f releaseFile) payload() []byte { return nil }
