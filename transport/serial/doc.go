// Package serial opens serial lines: one [Port] interface over several drivers.
//
//	bugst    go.bug.st/serial, the default. Works wherever that library does. One thread for each port; at most some
//	         150 ports, as it cannot handle descriptors of 1024 and more.
//	native   Linux only: ioctl and the runtime's poller. No thread per port, any number of ports.
//
// All drivers behave the same, whatever their libraries do: bytes pass unchanged, deadlines are exact and give an
// os.ErrDeadlineExceeded, a write is whole or an error, Close ends a pending Read at once (os.ErrClosed), an unplugged
// device is an [ErrUnplugged] that names the port, and a port that someone else has open is [ErrBusy].
//
// A port is opened by path (better /dev/serial/by-id/… than /dev/ttyUSBn) or by URL:
//
//	serial:///dev/serial/by-id/usb-FTDI_…-if00-port0?baud=9600&mode=8N1&driver=native
//
// [NewPTY] makes a pseudo-terminal: its Path opens like any port, and the other end is in our hands. A pty passes bytes
// of 8 bits without delay whatever the mode says; who wants to model 7-bit characters or a slow line does so above it.
//
// Deadlines are of the machine's clock, as those of package net are.
package serial
