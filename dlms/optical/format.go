package optical

import (
	"fmt"
	"math/bits"
	"time"
)

// Format is the speed and character format of the line.
type Format struct {
	Baud int  // bits per second
	Text bool // seven bits, even parity, one stop bit; else eight bits, no parity, one stop bit
}

// SignOn is how every conversation starts.
var SignOn = Format{300, true}

// String is like "300 7E1".
func (f Format) String() string {
	if f.Text {
		return fmt.Sprintf("%d 7E1", f.Baud)
	}
	return fmt.Sprintf("%d 8N1", f.Baud)
}

// Time is how long n characters take: both formats have ten bits a character.
func (f Format) Time(n int) time.Duration {
	return time.Duration(n) * 10 * time.Second / time.Duration(f.Baud)
}

// AppendParity appends characters of seven bits with their even parity in bit 7.
func AppendParity(dst, text []byte) []byte {
	for _, c := range text {
		c &= 0x7F
		dst = append(dst, c|byte(bits.OnesCount8(c)&1)<<7)
	}
	return dst
}

// StripParity takes bit 7 off; ok is false when the parity is odd.
func StripParity(c byte) (text byte, ok bool) { return c & 0x7F, bits.OnesCount8(c)&1 == 0 }

var speeds = [...]int{300, 600, 1200, 2400, 4800, 9600, 19200}

// speedChar is the fastest speed that is at most baud.
func speedChar(baud int) byte {
	for i := len(speeds) - 1; i > 0; i-- {
		if speeds[i] <= baud {
			return '0' + byte(i)
		}
	}
	return '0'
}

func baudOf(z byte) int {
	if z >= '0' && int(z-'0') < len(speeds) {
		return speeds[z-'0']
	}
	return 0
}
