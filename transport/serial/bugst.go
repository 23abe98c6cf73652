package serial

import (
	"errors"
	"fmt"
	"os"
	"time"

	"go.bug.st/serial"
)

const (
	// The library waits with select, which panics from descriptor 1024 on.
	bugstDescriptors = 1000
	// The pump looks this often whether the port is being closed: the library closes the descriptor before it wakes its
	// readers, and a reader could then read from what has taken the descriptor's number.
	bugstPoll = 50 * time.Millisecond
)

// bugstLibrary is go.bug.st/serial as the pump wants it.
type bugstLibrary struct{ port serial.Port }

func openBugst(name string, m Mode) (Port, error) {
	l, err := acquire(name)
	if err != nil {
		return nil, err
	}
	if !descriptorsLeft(l, bugstDescriptors) {
		l.release()
		return nil, ErrDescriptors
	}
	port, err := serial.Open(name, bugstMode(m))
	if err != nil {
		l.release()
		return nil, bugstError(err)
	}
	// What came before we opened is nobody's.
	err = errors.Join(port.ResetInputBuffer(), port.SetReadTimeout(bugstPoll))
	if err != nil {
		_ = port.Close()
		l.release()
		return nil, bugstError(err)
	}
	lib := bugstLibrary{port}
	p := &breakPump{newPump(name, lib, l), lib}
	if _, err := port.GetModemStatusBits(); err == nil {
		return &modemPump{p}, nil
	}
	return p, nil
}

func bugstMode(m Mode) *serial.Mode {
	b := &serial.Mode{BaudRate: m.Baud, DataBits: m.DataBits, Parity: serial.NoParity, StopBits: serial.OneStopBit}
	switch m.Parity {
	case EvenParity:
		b.Parity = serial.EvenParity
	case OddParity:
		b.Parity = serial.OddParity
	}
	if m.StopBits == 2 {
		b.StopBits = serial.TwoStopBits
	}
	return b
}

func bugstError(err error) error {
	if err == nil {
		return nil
	}
	var pe *serial.PortError
	if errors.As(err, &pe) {
		switch pe.Code() {
		case serial.PortBusy:
			return ErrBusy
		case serial.PortClosed:
			return ErrUnplugged // we never use it after closing it ourselves
		case serial.PortNotFound:
			return os.ErrNotExist
		case serial.PermissionDenied:
			return os.ErrPermission
		}
	}
	if isGone(err) {
		return ErrUnplugged
	}
	return err
}

// Read makes an error of the panic that is left if another goroutine took descriptors while the port was opened.
func (l bugstLibrary) Read(b []byte) (n int, err error) {
	defer func() {
		if r := recover(); r != nil {
			n, err = 0, fmt.Errorf("%w (%v)", ErrDescriptors, r)
		}
	}()
	n, err = l.port.Read(b)
	return n, bugstError(err)
}

func (l bugstLibrary) Write(b []byte) (int, error) {
	n, err := l.port.Write(b)
	return n, bugstError(err)
}

func (l bugstLibrary) SetMode(m Mode) error {
	if err := uninterrupted(l.port.Drain); err != nil {
		return bugstError(err)
	}
	return bugstError(uninterrupted(func() error { return l.port.SetMode(bugstMode(m)) }))
}

func (l bugstLibrary) Break(d time.Duration) error { return bugstError(l.port.Break(d)) }
func (l bugstLibrary) SetDTR(on bool) error        { return bugstError(l.port.SetDTR(on)) }
func (l bugstLibrary) SetRTS(on bool) error        { return bugstError(l.port.SetRTS(on)) }
func (l bugstLibrary) DropOutput()                 { _ = l.port.ResetOutputBuffer() }
func (l bugstLibrary) Close() error                { return bugstError(l.port.Close()) }
