package optical

import (
	"bytes"
	"errors"
	"fmt"
)

// Control characters of the protocol.
const (
	stx = 0x02
	etx = 0x03
	ack = 0x06
	nak = 0x15
)

// Errors of the parsers.
var (
	ErrTruncated      = errors.New("the message is not complete")
	ErrRequest        = errors.New("not a sign-on request (/?…!)")
	ErrIdentification = errors.New("not an identification (/XXXZ…)")
	ErrAcknowledge    = errors.New("not an acknowledgement (ACK V Z Y)")
	ErrReadout        = errors.New("not a readout")
	ErrBCC            = errors.New("the block check character is wrong")
)

// Request is the sign-on request (6.3.1).
type Request struct {
	Address string // device address, up to 32 characters; empty asks whoever is there
}

const maxAddress = 32

func printable(s string, refuse string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || bytes.IndexByte([]byte(refuse), s[i]) >= 0 {
			return false
		}
	}
	return true
}

// AppendBinary appends the request.
func (r Request) AppendBinary(b []byte) ([]byte, error) {
	if len(r.Address) > maxAddress || !printable(r.Address, "/?!") {
		return b, fmt.Errorf("optical: device address %q: use up to %d printable characters, none of them /, ? or ! as these end it", r.Address, maxAddress)
	}
	return append(append(append(b, "/?"...), r.Address...), "!\r\n"...), nil
}

// ParseRequest reads a request that starts at b[0].
func ParseRequest(b []byte) (r Request, n int, err error) {
	line, n, err := cut(b, maxAddress+5, ErrRequest)
	if err != nil {
		return r, 0, err
	}
	if len(line) < 3 || string(line[:2]) != "/?" || line[len(line)-1] != '!' {
		return r, 0, fmt.Errorf("optical: %w: %q", ErrRequest, line)
	}
	r.Address = string(line[2 : len(line)-1])
	if !printable(r.Address, "/?!") {
		return r, 0, fmt.Errorf("optical: %w: %q", ErrRequest, line)
	}
	return r, n, nil
}

// cut gives the line at the start of b without its CR LF, and its length with it.
func cut(b []byte, limit int, wrong error) (line []byte, n int, err error) {
	i := bytes.IndexByte(b[:min(len(b), limit)], '\n')
	switch {
	case i < 0 && len(b) < limit:
		return nil, 0, fmt.Errorf("optical: %w", ErrTruncated)
	case i < 1 || b[i-1] != '\r':
		return nil, 0, fmt.Errorf("optical: %w: no CR LF in %d bytes", wrong, min(len(b), limit))
	}
	return b[:i-1], i + 1, nil
}

// Mode is how a meter goes on after its identification.
type Mode byte

// The modes; C and E look alike but for the \2.
const (
	ModeA Mode = 'A' // readout at 300 baud
	ModeB Mode = 'B' // readout at another speed, without asking
	ModeC Mode = 'C' // readout or programming at the speed that is agreed on
	ModeD Mode = 'D' // readout at 2400 baud without a request
	ModeE Mode = 'E' // HDLC, or what mode C can do
)

// Identification is what a meter says of itself (6.3.2).
type Identification struct {
	Maker   string // three FLAG letters
	Speed   byte   // the character Z
	Escapes string // the characters W of each \W
	Text    string // up to 16 characters, the maker's own
}

const (
	maxIdentification = 64 // ours: with room for several escapes and meters that write more than 16 characters
	maxText           = 40 // ours
)

// Mode tells how the meter goes on.
func (i Identification) Mode() Mode {
	switch {
	case baudOf(i.Speed) != 0 && bytes.IndexByte([]byte(i.Escapes), '2') >= 0:
		return ModeE
	case baudOf(i.Speed) != 0:
		return ModeC // or D, which looks the same and was not asked
	case i.Speed >= 'A' && i.Speed <= 'F':
		return ModeB
	}
	return ModeA
}

// Baud is the speed that the meter offers; 300 in mode A.
func (i Identification) Baud() int {
	if i.Mode() == ModeB {
		return speeds[i.Speed-'A'+1]
	}
	return max(300, baudOf(i.Speed))
}

// Fast tells whether the meter reacts, and lets the client react, within 20 ms rather than 200 ms.
func (i Identification) Fast() bool {
	return len(i.Maker) == 3 && i.Maker[2] >= 'a' && i.Maker[2] <= 'z'
}

// String is the identification without its CR LF.
func (i Identification) String() string {
	b, err := i.AppendBinary(nil)
	if err != nil {
		return err.Error()
	}
	return string(b[:len(b)-2])
}

// AppendBinary appends the identification.
func (i Identification) AppendBinary(b []byte) ([]byte, error) {
	if len(i.Maker) != 3 || !letters(i.Maker) || i.Speed <= ' ' || i.Speed > '~' || i.Speed == '/' || i.Speed == '!' || i.Speed == '\\' ||
		!printable(i.Escapes, "/!\\") || len(i.Escapes) > 4 ||
		len(i.Text) > maxText || !printable(i.Text, "/!") || len(i.Text) > 0 && i.Text[0] == '\\' {
		return b, fmt.Errorf("optical: %w: maker %q, speed %q, escapes %q, text %q", ErrIdentification, i.Maker, i.Speed, i.Escapes, i.Text)
	}
	b = append(append(append(b, '/'), i.Maker...), i.Speed)
	for _, w := range []byte(i.Escapes) {
		b = append(b, '\\', w)
	}
	return append(append(b, i.Text...), "\r\n"...), nil
}

func letters(s string) bool {
	for _, c := range []byte(s) {
		if c|0x20 < 'a' || c|0x20 > 'z' {
			return false
		}
	}
	return true
}

// ParseIdentification reads an identification that starts at b[0].
func ParseIdentification(b []byte) (i Identification, n int, err error) {
	line, n, err := cut(b, maxIdentification, ErrIdentification)
	if err != nil {
		return i, 0, err
	}
	bad := fmt.Errorf("optical: %w: %q", ErrIdentification, line)
	if len(line) < 5 || line[0] != '/' {
		return i, 0, bad
	}
	i.Maker, i.Speed = string(line[1:4]), line[4]
	rest := line[5:]
	for len(rest) >= 2 && rest[0] == '\\' {
		i.Escapes += string(rest[1:2])
		rest = rest[2:]
	}
	i.Text = string(rest)
	if _, err := i.AppendBinary(nil); err != nil {
		return Identification{}, 0, bad
	}
	return i, n, nil
}

// Purpose is what the client wants after the sign-on.
type Purpose byte

// The purposes that are known here.
const (
	HDLC    Purpose = 2
	Readout Purpose = 0
)

// Acknowledge is the acknowledgement with the choice of speed (6.3.3).
type Acknowledge struct {
	Protocol byte // V: '0' normal, '1' secondary, '2' HDLC
	Speed    byte // Z
	Control  byte // Y: '0' readout, '1' programming, '2' binary
}

const acknowledgeLen = 6

// AppendBinary appends the acknowledgement.
func (a Acknowledge) AppendBinary(b []byte) ([]byte, error) {
	if !printable(string([]byte{a.Protocol, a.Speed, a.Control}), "") {
		return b, fmt.Errorf("optical: %w: %q %q %q", ErrAcknowledge, a.Protocol, a.Speed, a.Control)
	}
	return append(b, ack, a.Protocol, a.Speed, a.Control, '\r', '\n'), nil
}

// ParseAcknowledge reads an acknowledgement that starts at b[0].
func ParseAcknowledge(b []byte) (a Acknowledge, n int, err error) {
	want := [acknowledgeLen]byte{ack, 0, 0, 0, '\r', '\n'}
	for i, c := range b[:min(len(b), acknowledgeLen)] {
		if want[i] == 0 && c >= ' ' && c <= '~' {
			continue
		}
		if c != want[i] {
			return a, 0, fmt.Errorf("optical: %w: %q", ErrAcknowledge, b[:min(len(b), acknowledgeLen)])
		}
	}
	if len(b) < acknowledgeLen {
		return a, 0, fmt.Errorf("optical: %w", ErrTruncated)
	}
	return Acknowledge{b[1], b[2], b[3]}, acknowledgeLen, nil
}
