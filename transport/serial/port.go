package serial

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"
	"syscall"
	"time"
)

// Port is an open serial line. Read, Write, the setters and Close may be called at the same time from different
// goroutines.
type Port interface {
	// Read waits for at least one byte, until the read deadline.
	// Write returns once all bytes went to the operating system, or with how many did and why not the rest.
	// Close ends pending calls. It may abandon bytes that nobody takes.
	io.ReadWriteCloser
	// SetReadDeadline and SetWriteDeadline set the time at which pending and later calls give up with an error that is
	// os.ErrDeadlineExceeded. The zero time means never.
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
	// SetMode changes speed and format once the bytes already written are out.
	SetMode(Mode) error
	// String is the name the port was opened by.
	String() string
}

// ModemLines is what ports with control lines also are; ptys are not. Optical heads are often powered from these lines.
type ModemLines interface {
	SetDTR(bool) error
	SetRTS(bool) error
}

// Breaker is what ports that can send a break condition also are.
type Breaker interface {
	Break(time.Duration) error
}

// Names of the drivers.
const (
	Bugst  = "bugst"
	Tarm   = "tarm"
	Native = "native"

	// Default is the driver that an empty name means.
	Default = Bugst
)

var drivers = map[string]func(name string, m Mode) (Port, error){Bugst: openBugst, Tarm: openTarm, Native: openNative}

// Drivers lists the names of the drivers.
func Drivers() []string {
	names := make([]string, 0, len(drivers))
	for n := range drivers {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// Open opens the port called name with a driver; an empty driver means the default.
func Open(driver, name string, m Mode) (Port, error) {
	if driver == "" {
		driver = Default
	}
	open, ok := drivers[driver]
	if !ok {
		return nil, fmt.Errorf("serial: there is no driver %q: use one of %s", driver, strings.Join(Drivers(), ", "))
	}
	m, err := m.check()
	if err != nil {
		return nil, err
	}
	if name == "" {
		return nil, errors.New("serial: no port named: give a path such as /dev/serial/by-id/…")
	}
	p, err := open(name, m)
	if err != nil {
		return nil, &Error{Op: "open", Port: name, Err: err}
	}
	return p, nil
}

// uninterrupted does a call again that a signal has cut short: the runtime sends itself some, and waiting for the output to
// drain is long enough to meet one.
func uninterrupted(call func() error) error {
	for {
		if err := call(); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// Errors that Error wraps.
var (
	// ErrUnplugged: the device is gone.
	ErrUnplugged = errors.New("the device is gone: it was unplugged, or the other end of the pty was closed")
	// ErrBusy: another program, or this one, has the port open.
	ErrBusy = errors.New("the port is in use: close the program that has it open (fuser shows which)")
	// ErrDescriptors: the driver cannot use a descriptor as high as the next one would be.
	ErrDescriptors = errors.New("too many open files for driver bugst, which ends at descriptor 1000: use driver native")
)

// Error is a failure on a port.
type Error struct {
	Op   string // "open", "read", "write", "set mode" …
	Port string
	Err  error
}

// Error names the operation and the port.
func (e *Error) Error() string { return fmt.Sprintf("serial: %s %s: %v", e.Op, e.Port, e.Err) }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Timeout makes it a net.Error in spirit.
func (e *Error) Timeout() bool { return errors.Is(e.Err, os.ErrDeadlineExceeded) }
