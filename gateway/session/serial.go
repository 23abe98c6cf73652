package session

import (
	"context"
	"errors"
	"io"

	"smets1/dlms/optical"
	"smets1/dlms/optical/signon"
	"smets1/transport/serial"
)

// openSerial opens a serial: address; with modee=1 it signs on before HDLC gets the line. The address is looked up each
// time, so a hub that was plugged in elsewhere is found again.
func openSerial(ctx context.Context, address string) (io.ReadWriteCloser, error) {
	at, err := serial.ParseURL(address)
	if err != nil {
		return nil, err
	}
	port, err := at.Open()
	if err != nil {
		return nil, err
	}
	if at.SignOn {
		if _, err := SignOn(ctx, port, at); err != nil {
			return nil, errors.Join(err, port.Close())
		}
	}
	return port, nil
}

// SignOn does the IEC 62056-21 sign-on that a location asks for and leaves the port in the format of HDLC.
func SignOn(ctx context.Context, port serial.Port, at serial.Location) (signon.Result, error) {
	start := at.OpeningMode()
	return signon.Dial(ctx, port, func(f optical.Format) error { return port.SetMode(ModeOf(f)) }, optical.ClientConfig{
		Purpose: optical.HDLC,
		MaxBaud: at.MaxBaud,
		Start:   optical.Format{Baud: start.Baud, Text: start.DataBits == 7},
		// A line that was opened with eight bits, on purpose, carries the parity in the eighth.
		SoftParity: start.DataBits == 8,
	})
}

// ModeOf is the mode of a port that has an optical format.
func ModeOf(f optical.Format) serial.Mode { return serial.OpticalMode(f.Baud, f.Text) }
