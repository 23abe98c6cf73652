package serial

import (
	"fmt"
	"strconv"
	"strings"
)

// Parity is a parity setting, by its letter.
type Parity byte

// The parities.
const (
	NoParity   Parity = 'N'
	EvenParity Parity = 'E'
	OddParity  Parity = 'O'
)

// Mode is the speed and format of a line. Zero fields mean 9600 8N1.
type Mode struct {
	Baud     int    // bits per second; 0 means 9600
	DataBits int    // 5 to 8; 0 means 8
	Parity   Parity // 0 means none
	StopBits int    // 1 or 2; 0 means 1
}

func (m Mode) check() (Mode, error) {
	if m.Baud == 0 {
		m.Baud = 9600
	}
	if m.DataBits == 0 {
		m.DataBits = 8
	}
	if m.Parity == 0 {
		m.Parity = NoParity
	}
	if m.StopBits == 0 {
		m.StopBits = 1
	}
	switch {
	case m.Baud < 50 || m.Baud > 4_000_000:
		return m, fmt.Errorf("serial: baud rate %d: use 50 to 4000000", m.Baud)
	case m.DataBits < 5 || m.DataBits > 8:
		return m, fmt.Errorf("serial: %d data bits: use 5 to 8", m.DataBits)
	case m.Parity != NoParity && m.Parity != EvenParity && m.Parity != OddParity:
		return m, fmt.Errorf("serial: parity %q: use N, E or O", rune(m.Parity))
	case m.StopBits != 1 && m.StopBits != 2:
		return m, fmt.Errorf("serial: %d stop bits: use 1 or 2", m.StopBits)
	}
	return m, nil
}

// WithDefaults fills in what zero means.
func (m Mode) WithDefaults() Mode {
	m, _ = m.check()
	return m
}

// OpticalMode is the mode of an optical port (IEC 62056-21): 7E1 while it carries text, then 8N1.
func OpticalMode(baud int, text bool) Mode {
	if text {
		return Mode{Baud: baud, DataBits: 7, Parity: EvenParity, StopBits: 1}
	}
	return Mode{Baud: baud, DataBits: 8, StopBits: 1}
}

// String is like "9600 8N1".
func (m Mode) String() string {
	m, err := m.check()
	if err != nil {
		return fmt.Sprintf("invalid mode %d/%d/%q/%d", m.Baud, m.DataBits, rune(m.Parity), m.StopBits)
	}
	return fmt.Sprintf("%d %d%c%d", m.Baud, m.DataBits, m.Parity, m.StopBits)
}

// BitsPerByte is how many bit times a character takes, with its start bit.
func (m Mode) BitsPerByte() int {
	m, _ = m.check()
	n := 1 + m.DataBits + m.StopBits
	if m.Parity != NoParity {
		n++
	}
	return n
}

// ParseMode reads "9600 8N1", "9600" or "8N1".
func ParseMode(s string) (Mode, error) {
	var m Mode
	for _, f := range strings.Fields(s) {
		var err error
		if len(f) == 3 && strings.ContainsAny(f[1:2], "NEOneo") {
			err = m.setFormat(f)
		} else {
			err = m.setBaud(f)
		}
		if err != nil {
			return Mode{}, err
		}
	}
	if m == (Mode{}) {
		return m, fmt.Errorf("serial: mode %q: want something like \"9600 8N1\"", s)
	}
	return m.check()
}

func (m *Mode) setFormat(s string) error {
	if len(s) != 3 {
		return fmt.Errorf("serial: format %q: want something like 8N1", s)
	}
	m.DataBits, m.StopBits = int(s[0])-'0', int(s[2])-'0'
	m.Parity = Parity(strings.ToUpper(s[1:2])[0])
	if m.DataBits == 0 || m.StopBits == 0 {
		return fmt.Errorf("serial: format %q: want something like 8N1", s)
	}
	_, err := m.check()
	return err
}

func (m *Mode) setBaud(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n == 0 {
		return fmt.Errorf("serial: baud rate %q: want a number such as 9600", s)
	}
	m.Baud = n
	_, err = m.check()
	return err
}
