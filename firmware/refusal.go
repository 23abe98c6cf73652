package firmware

import "fmt"

// Reason is why a device refuses an image. It is an error, so that
// errors.Is(err, firmware.WrongModel) asks for one.
type Reason uint8

// The reasons. The numbers are ours; a device shows them to its reader.
const (
	Malformed Reason = iota + 1
	WrongType
	WrongManufacturer
	WrongModel
	WrongHardware
	OlderVersion
	TooBig
	BadDigest
	UnknownSigner
	BadSignature
	WrongDevice
)

var reasons = [...]struct{ code, text string }{
	Malformed:         {"malformed", "the image is not of a format the device reads"},
	WrongType:         {"wrong-type", "the image is for another type of device"},
	WrongManufacturer: {"wrong-manufacturer", "the image is for another manufacturer's device"},
	WrongModel:        {"wrong-model", "the image is for another model"},
	WrongHardware:     {"wrong-hardware", "the image does not fit the hardware revision"},
	OlderVersion:      {"older-version", "the image is older than what the device runs"},
	TooBig:            {"too-big", "the image does not fit the device's store"},
	BadDigest:         {"bad-digest", "the payload does not match its digest: the image is corrupt"},
	UnknownSigner:     {"unknown-signer", "the device does not trust the signer"},
	BadSignature:      {"bad-signature", "the signature does not match"},
	WrongDevice:       {"wrong-device", "the image is for one other device"},
}

// Code is a stable word for the reason.
func (r Reason) Code() string {
	if int(r) < len(reasons) && reasons[r].code != "" {
		return reasons[r].code
	}
	return fmt.Sprintf("reason-%d", uint8(r))
}

// Error gives the reason as a sentence.
func (r Reason) Error() string {
	if int(r) < len(reasons) && reasons[r].text != "" {
		return reasons[r].text
	}
	return fmt.Sprintf("unknown reason %d", uint8(r))
}

// Refusal is a device's no to an image, with what it found and wanted.
type Refusal struct {
	Reason Reason
	Have   string
	Want   string
}

// Error implements error.
func (e *Refusal) Error() string {
	return fmt.Sprintf("firmware refused: %v (have %s, want %s)", e.Reason, e.Have, e.Want)
}

// Unwrap gives the Reason.
func (e *Refusal) Unwrap() error { return e.Reason }

// Device is what a device holds against an image.
type Device struct {
	Type         DeviceType
	Manufacturer string
	Model        string
	Hardware     uint16
	Version      string // what it runs; empty takes any
	MaxSize      int    // of the encoded image in octets; zero means MaxPayload
	Rollback     bool   // take older versions too
	Signers      Signers
}

// Check is the judgement of a device on an encoded image: the image, or a
// *Refusal. Octets after the image are Malformed. The version in use is
// accepted again, so that a repeated activation does no harm.
func Check(b []byte, d Device) (Image, error) {
	if most := max(d.MaxSize, 0); len(b) > most && most > 0 || len(b) > 2*MaxPayload {
		return Image{}, &Refusal{TooBig, fmt.Sprintf("%d octets", len(b)), fmt.Sprintf("at most %d", most)}
	}
	m, n, err := ParseImage(b)
	if err != nil {
		return Image{}, &Refusal{Malformed, err.Error(), "an image of format 1"}
	}
	if n != len(b) {
		return Image{}, &Refusal{Malformed, fmt.Sprintf("%d octets", len(b)), fmt.Sprintf("%d by its header", n)}
	}
	if err := m.Verify(d.Signers); err != nil {
		return Image{}, err
	}
	if err := m.Fits(d); err != nil {
		return Image{}, err
	}
	return m, nil
}

// Fits checks what the header says against the device, without digest and
// signature: the early refusal, before the payload is there.
func (h *Header) Fits(d Device) error {
	switch {
	case h.Type != d.Type:
		return &Refusal{WrongType, h.Type.String(), d.Type.String()}
	case h.Manufacturer != d.Manufacturer:
		return &Refusal{WrongManufacturer, h.Manufacturer, d.Manufacturer}
	case h.Model != d.Model:
		return &Refusal{WrongModel, h.Model, d.Model}
	case d.Hardware < h.HardwareFrom || d.Hardware > h.HardwareTo:
		return &Refusal{WrongHardware, fmt.Sprintf("%d to %d", h.HardwareFrom, h.HardwareTo), fmt.Sprint(d.Hardware)}
	case !d.Rollback && CompareVersions(h.Version, d.Version) < 0:
		return &Refusal{OlderVersion, h.Version, d.Version + " or newer"}
	case d.MaxSize > 0 && h.Size() > d.MaxSize:
		return &Refusal{TooBig, fmt.Sprintf("%d octets", h.Size()), fmt.Sprintf("at most %d", d.MaxSize)}
	}
	return nil
}
