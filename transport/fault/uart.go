package fault

import "smets1/transport/serial"

// Garble gives what a receiver in one mode makes of characters that were sent in another: the sender's bits are put on a
// wire, and the receiver looks at the wire where its own bits would be, as a UART does. Characters without the parity that
// the receiver wants are lost, as they are with Linux' IGNPAR; without parity a character whose stop bit is missing passes.
// The line is idle before and after.
func Garble(sent []byte, tx, rx serial.Mode) []byte {
	tx, rx = tx.WithDefaults(), rx.WithDefaults()
	if tx == rx {
		return sent
	}
	return receive(transmit(sent, tx), tx.Baud, rx)
}

// transmit gives the levels of the wire, one for each bit time.
func transmit(b []byte, m serial.Mode) []bool {
	wire := make([]bool, 0, len(b)*m.BitsPerByte())
	for _, c := range b {
		wire = append(wire, false)
		odd := false
		for i := range m.DataBits {
			bit := c>>i&1 != 0
			odd = odd != bit
			wire = append(wire, bit)
		}
		switch m.Parity {
		case serial.EvenParity:
			wire = append(wire, odd)
		case serial.OddParity:
			wire = append(wire, !odd)
		}
		for range m.StopBits {
			wire = append(wire, true)
		}
	}
	return wire
}

// receive reads the wire. A bit of the sender lasts m.Baud units of time, one of the receiver baud units.
func receive(wire []bool, baud int, m serial.Mode) (b []byte) {
	level := func(at int) bool {
		i := at / m.Baud
		return i >= len(wire) || wire[i]
	}
	for at := 0; at/m.Baud < len(wire); {
		// A character begins where the line goes down.
		i := at / m.Baud
		for i < len(wire) && wire[i] {
			i++
			at = i * m.Baud
		}
		if i >= len(wire) {
			break
		}
		sample := at + baud/2
		if level(sample) {
			at = sample // too short for a start bit
			continue
		}
		var c byte
		odd := false
		for k := range m.DataBits {
			sample += baud
			if level(sample) {
				c |= 1 << k
				odd = !odd
			}
		}
		good := true
		if m.Parity != serial.NoParity {
			sample += baud
			good = level(sample) == (odd == (m.Parity == serial.EvenParity))
		}
		sample += baud
		if stop := level(sample); m.Parity != serial.NoParity && !stop {
			good = false
		}
		if good {
			b = append(b, c)
		}
		at = sample
		// A line that is down at the stop bit must go up before a character can begin.
		for !level(at) && at/m.Baud < len(wire) {
			at = (at/m.Baud + 1) * m.Baud
		}
	}
	return b
}
