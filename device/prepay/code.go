package prepay

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// Kind is what a code asks for (published, Liberty 100 manual page 35; the fifth
// type is partly inferred there).
type Kind uint8

// The kinds of code.
const (
	Vend        Kind = 1 // adds credit
	Deduct      Kind = 2 // takes credit away
	SetBalance  Kind = 3 // sets the balance
	Supply      Kind = 4 // disconnects, or makes ready: Value is 0 or 1, Extra a time
	Engineering Kind = 5 // service at the meter: Value is one of the services
	VendTariff  Kind = 6 // adds credit, and sets the prices of registers 1 and 2
	Refund      Kind = 7 // takes the credit back, for the supplier to return
)

// The services of an engineering code.
const (
	ServiceDefaultMode = 1
	ServiceOpticalOn   = 2
	ServiceOpticalOff  = 3
	ServiceJoinOn      = 4
	ServiceJoinOff     = 5
	ServiceLeaveHAN    = 6
	ServiceClearLogs   = 7
)

// Token is what a code says.
type Token struct {
	Kind Kind
	// Value is in pence for kinds that move money.
	Value uint32
	// Counter makes a code good once. Each further code of a meter has a higher one.
	Counter uint32
	// Extra are up to two values of 39 bits in the further blocks of a code: seconds
	// since 1970, or prices in millipence.
	Extra []uint64
}

// Key makes the codes of one meter. It prints nothing of itself.
type Key struct{ b [16]byte }

// NewKey is a key of sixteen octets.
func NewKey(b [16]byte) Key { return Key{b} }

// String hides the key.
func (Key) String() string { return "prepay.Key(redacted)" }

// GoString hides the key.
func (k Key) GoString() string { return k.String() }

const (
	blockDigits = 20
	maxValue    = 1<<17 - 1
	maxCounter  = 1<<18 - 1
	maxExtra    = 1<<39 - 1
)

// MaxBlocks is how many blocks of 20 digits a code has at most.
const MaxBlocks = 3

// Code writes a token as digits: one block of 20, and one more for each value of Extra.
//
//	19 digits  63 bits, the most significant first
//	1 digit    check digit (Verhoeff)
//
//	first block    kind 4  value 17  counter 18  MAC 24
//	other blocks   extra 39  MAC 24
//
// The MAC is the head of an HMAC-SHA256 under the meter's key over all that comes
// before it, and how many blocks there are, so that no block can be exchanged or cut off.
func (k Key) Code(t Token) (string, error) {
	if t.Kind == 0 || t.Kind > Refund || t.Value > maxValue || t.Counter > maxCounter || len(t.Extra) > MaxBlocks-1 {
		return "", fmt.Errorf("prepay: kind %d, value %d, counter %d and %d further values make no code: up to %d, %d, %d and %d do",
			t.Kind, t.Value, t.Counter, len(t.Extra), Refund, maxValue, maxCounter, MaxBlocks-1)
	}
	var b strings.Builder
	head := uint64(t.Kind)<<35 | uint64(t.Value)<<18 | uint64(t.Counter)
	said := binary.BigEndian.AppendUint64([]byte{byte(len(t.Extra))}, head)
	k.block(&b, head, said)
	for _, x := range t.Extra {
		if x > maxExtra {
			return "", fmt.Errorf("prepay: the further value %d is over %d", x, uint64(maxExtra))
		}
		said = binary.BigEndian.AppendUint64(said, x)
		k.block(&b, x, said)
	}
	return b.String(), nil
}

func (k Key) block(b *strings.Builder, v uint64, said []byte) {
	digits := fmt.Sprintf("%019d", v<<24|k.mac(said))
	b.WriteString(digits)
	b.WriteByte('0' + verhoeff(digits))
}

func (k Key) mac(said []byte) uint64 {
	h := hmac.New(sha256.New, k.b[:])
	h.Write(said)
	return uint64(binary.BigEndian.Uint32(h.Sum(nil))) >> 8
}

// Errors of Parse, by the refusal they become.
var (
	ErrIncomplete = errors.New("prepay: a code has 20, 40 or 60 digits")
	ErrIncorrect  = errors.New("prepay: a digit of the code is wrong")
	ErrInvalid    = errors.New("prepay: the code is not for this meter")
)

// Parse reads a code as this meter does. Blanks and hyphens between digits do not count.
func (k Key) Parse(code string) (Token, error) {
	code = strings.NewReplacer(" ", "", "-", "").Replace(code)
	if len(code) == 0 || len(code)%blockDigits != 0 || len(code) > MaxBlocks*blockDigits {
		return Token{}, ErrIncomplete
	}
	var t Token
	said := []byte{byte(len(code)/blockDigits - 1)}
	for at := 0; at < len(code); at += blockDigits {
		v, err := number(code[at : at+blockDigits])
		if err != nil {
			return Token{}, err
		}
		said = binary.BigEndian.AppendUint64(said, v>>24)
		if v&(1<<24-1) != k.mac(said) {
			return Token{}, ErrInvalid
		}
		if v >>= 24; at > 0 {
			t.Extra = append(t.Extra, v)
			continue
		}
		t.Kind, t.Value, t.Counter = Kind(v>>35), uint32(v>>18)&maxValue, uint32(v)&maxCounter
	}
	if t.Kind == 0 || t.Kind > Refund {
		return Token{}, ErrInvalid
	}
	return t, nil
}

// number reads a block, whose last digit checks the others.
func number(block string) (v uint64, err error) {
	for i := range len(block) {
		if block[i] < '0' || block[i] > '9' {
			return 0, ErrIncorrect
		}
		if i < blockDigits-1 {
			v = v*10 + uint64(block[i]-'0') // 19 digits fit
		}
	}
	if block[blockDigits-1]-'0' != verhoeff(block[:blockDigits-1]) || v >= 1<<63 {
		return 0, ErrIncorrect
	}
	return v, nil
}

// Group writes a code in blocks of five digits, as it is displayed (published, Liberty 100 manual page 109).
func Group(code string) string {
	var b strings.Builder
	for i := range len(code) {
		if i > 0 && i%5 == 0 {
			b.WriteByte(' ')
		}
		b.WriteByte(code[i])
	}
	return b.String()
}

// verhoeff is the check digit over the dihedral group of ten elements (published): it
// finds any one wrong digit and any exchange of neighbours.
func verhoeff(digits string) byte {
	c := byte(0)
	for i := range len(digits) {
		// The check digit stands at position 0, so the last digit at 1.
		c = multiply(c, permute(i+1, digits[len(digits)-1-i]-'0'))
	}
	return invert(c)
}

// multiply is the product of the dihedral group: 0 to 4 turn, 5 to 9 mirror.
func multiply(a, b byte) byte {
	switch {
	case a < 5 && b < 5:
		return (a + b) % 5
	case a < 5:
		return (a+b-5)%5 + 5
	case b < 5:
		return (a-5+5-b)%5 + 5
	default:
		return (a - 5 + 5 - (b - 5)) % 5
	}
}

func invert(a byte) byte {
	if a > 0 && a < 5 {
		return 5 - a
	}
	return a
}

// permute applies the permutation of the scheme as often as a position says.
func permute(position int, d byte) byte {
	for range position % 8 {
		d = [10]byte{1, 5, 7, 6, 2, 8, 3, 0, 9, 4}[d]
	}
	return d
}
