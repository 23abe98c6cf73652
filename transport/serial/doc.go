// Package serial opens serial lines: one [Port] interface over several drivers.
//
//	bugst    go.bug.st/serial, the default. Works wherever that library does. One thread for each port; at most some
//	         150 ports, as it cannot handle descriptors of 1024 and more.
//	tarm     github.com/tarm/serial, Linux only: for labs that are qualified on it. One thread for each port; only the usual
//	         baud rates; no control lines and no break; opens the port again to change the mode.
//	native   Linux only: ioctl and the runtime's poller. No thread per port, any number of ports.
//
// All drivers behave the same, whatever their libraries do: bytes pass unchanged, deadlines are exact and give an
// os.ErrDeadlineExceeded, a write is whole or an error, Close ends a pending Read at once (os.ErrClosed), an unplugged
// device is an [ErrUnplugged] that names the port, and a port that someone else has open is [ErrBusy].
//
// Choose bugst. Choose tarm if the other two fail where an old program on tarm works, native for more than a hundred
// ports.
//
// A port is opened by path or by URL. /dev/ttyUSB3 is whatever was plugged in fourth, so a URL names a device by what it
// keeps ([Directory]): the links that udev makes, its USB serial number and interface, or an alias that the lab has given:
//
//	serial:///dev/serial/by-id/usb-FTDI_…-if00-port0?baud=9600&mode=8N1&driver=native
//	serial://usb?serial=A50285BI&interface=0
//	serial://alias/bench-3
//
// [NewPTY] makes a pseudo-terminal: its Path opens like any port, and the other end is in our hands. A pty passes bytes
// of 8 bits without delay whatever the mode says; who wants to model 7-bit characters or a slow line does so above it.
//
// Deadlines are of the machine's clock, as those of package net are.
package serial
