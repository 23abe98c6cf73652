// Package upgrade brings a device to a firmware image, step by step, over a
// small interface, and can stop and go on at any point.
//
//	read version ── already there ──────────────────────────────▶ done
//	     │
//	ask what the device holds ── our image, verified ──▶ activate
//	     │          └─────────── our image, in part ───▶ send the missing
//	initiate ▶ send blocks ▶ ask for missing ▶ verify ▶ activate ▶ reboot ▶ read version
//
// The device is asked first, always: the [Checkpoint] says what was intended,
// the device says what is so. The image is judged by the device; this package
// reports its refusal with its reason. An activation that may have happened is
// never repeated before the version in use and the status have been read.
package upgrade

import (
	"context"
	"fmt"
)

// Status is image_transfer_status, attribute 6 of class 18 (Blue Book,
// Image transfer).
type Status uint8

// The states of an image transfer.
const (
	NotInitiated        Status = 0
	Initiated           Status = 1
	VerifyInitiated     Status = 2
	VerifyOK            Status = 3
	VerifyFailed        Status = 4
	ActivationInitiated Status = 5
	ActivationOK        Status = 6
	ActivationFailed    Status = 7
)

var statusNames = [...]string{
	"not initiated", "initiated", "verification initiated", "verification successful", "verification failed",
	"activation initiated", "activation successful", "activation failed",
}

// String gives the name of the Blue Book.
func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return fmt.Sprintf("status %d", uint8(s))
}

// Staged is what a device says it holds ready for activation.
type Staged struct {
	Size       uint32 // octets
	Identifier []byte // as given at Initiate
	Signature  []byte
}

// Target is the device that gets an image: class 18 over DLMS, or another way
// with the same steps. A method returns when the device has answered.
//
// An error that is a *RefusedError is the device's no and ends the upgrade.
// Any other may be a lost message: the sequence asks the device how things
// stand and goes on, Config.Attempts times in a row.
type Target interface {
	// Version is the firmware version in use.
	Version(ctx context.Context) (string, error)
	// Enabled reports whether the device takes images at all.
	Enabled(ctx context.Context) (bool, error)
	// BlockSize is how many octets a block has; the last may be shorter.
	BlockSize(ctx context.Context) (int, error)
	// Status is where the transfer stands.
	Status(ctx context.Context) (Status, error)
	// Initiate makes the device forget any image and expect this one.
	Initiate(ctx context.Context, identifier []byte, size int) error
	// FirstMissing is the number of the first block the device lacks, from
	// zero; the number of blocks if it has all.
	FirstMissing(ctx context.Context) (int, error)
	// Send hands over one block.
	Send(ctx context.Context, number int, block []byte) error
	// Verify starts the device's own check of the image. It may return
	// before the check is over.
	Verify(ctx context.Context) error
	// Staged is what the device holds ready; empty if it does not say.
	Staged(ctx context.Context) ([]Staged, error)
	// Activate starts the switch to the image. It may return before it is over.
	Activate(ctx context.Context) error
	// AwaitRestart returns when the device answers again after Activate.
	AwaitRestart(ctx context.Context) error
	// Reason is why the device refused last, in its words; empty if it does
	// not say.
	Reason(ctx context.Context) (string, error)
}
