package lab

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"smets1/device/fleet"
	"smets1/gateway/session"
)

// FleetWaker is the message centre of virtual homes.
func FleetWaker(f *fleet.Fleet) session.Waker { return fleetWaker{f} }

type fleetWaker struct{ fleet *fleet.Fleet }

// Wake implements session.Waker.
func (w fleetWaker) Wake(ctx context.Context, msisdn string) error { return w.fleet.SMS(ctx, msisdn) }

// smsTimeout is how long a program may take to send a message.
const smsTimeout = 30 * time.Second

// CommandWaker sends text messages by a program, to which the number is given as
// its last argument.
func CommandWaker(command []string) session.Waker { return commandWaker(command) }

type commandWaker []string

// Wake implements session.Waker.
func (w commandWaker) Wake(ctx context.Context, msisdn string) error {
	ctx, cancel := context.WithTimeout(ctx, smsTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, w[0], append(slices.Clone(w[1:]), msisdn)...)
	cmd.WaitDelay = time.Second // for what it started and left behind
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		err = errors.Join(err, ctx.Err())
	}
	text := strings.TrimSpace(string(out))
	return fmt.Errorf("text message by %s: %w: %.200s", w[0], err, text)
}
