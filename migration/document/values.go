package document

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"smets1/internal/wire"
)

// EUI is the identity of a party or a device, `70-B3-D5-1F-30-00-A0-08` in every file.
type EUI = wire.EUI64

// Fuel is what a meter measures.
type Fuel string

// The fuels, as files spell them.
const (
	Electricity Fuel = "E"
	Gas         Fuel = "G"
)

// PaymentMode is how the consumer pays.
type PaymentMode string

// The payment modes, as files spell them.
const (
	Credit     PaymentMode = "Credit"
	Prepayment PaymentMode = "Prepayment"
)

// Status says who starts the migration of a meter: its supplier (active) or DCC (dormant).
type Status string

// The statuses, as files spell them.
const (
	Active  Status = "Active"
	Dormant Status = "Dormant"
)

// DeviceType is the kind of a device, with the names of the DUIS v5.4 enumeration (published)
// less HCALCS, which SMETS1 does not know.
type DeviceType string

// The device types of a SMETS1 home.
const (
	CHF   DeviceType = "CHF"
	ESME  DeviceType = "ESME"
	GSME  DeviceType = "GSME"
	GPF   DeviceType = "GPF"
	PPMID DeviceType = "PPMID"
	IHD   DeviceType = "IHD"
	CAD   DeviceType = "CAD"
)

// Date is a day of the civil calendar, without a time and without a zone.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// ParseDate reads `2019-07-15`.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return Date{}, fmt.Errorf("%q is not a date of the calendar; write it as 2019-07-15", s)
	}
	return DateOf(t), nil
}

// DateOf gives the day of t in t's own location.
func DateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date{y, m, d}
}

// IsZero reports whether no date was set.
func (d Date) IsZero() bool { return d == Date{} }

// String gives `2019-07-15`, and nothing for the zero date.
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, int(d.Month), d.Day)
}

// Time gives the first instant of the day in UTC.
func (d Date) Time() time.Time {
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC)
}

// AddDays moves the date by n days, back when n is negative.
func (d Date) AddDays(n int) Date { return DateOf(d.Time().AddDate(0, 0, n)) }

// Compare gives -1, 0 or 1 as d is before, equal to or after e.
func (d Date) Compare(e Date) int { return d.Time().Compare(e.Time()) }

// Before reports whether d is earlier than e.
func (d Date) Before(e Date) bool { return d.Compare(e) < 0 }

// After reports whether d is later than e.
func (d Date) After(e Date) bool { return d.Compare(e) > 0 }

// MarshalText writes the date as [Date.String] does.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what [Date.MarshalText] wrote.
func (d *Date) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*d = Date{}
		return nil
	}
	v, err := ParseDate(string(b))
	if err != nil {
		return err
	}
	*d = v
	return nil
}

// MPxN is a meter point number: an MPAN core (electricity) or an MPRN (gas), digits only.
type MPxN string

// mpanWeights are the primes of the MPAN check digit (recalled from the industry's data catalogue).
var mpanWeights = [12]int{3, 5, 7, 13, 17, 19, 23, 29, 31, 37, 41, 43}

// MPANCheckDigit computes the thirteenth digit from the first twelve: the sum of the digits
// weighted by primes, modulo 11, modulo 10.
func MPANCheckDigit(first12 string) (byte, error) {
	if len(first12) != 12 || !digits(first12) {
		return 0, fmt.Errorf("%q is not the twelve digits that an MPAN check digit is computed from", first12)
	}
	sum := 0
	for i, w := range mpanWeights {
		sum += int(first12[i]-'0') * w
	}
	return byte('0' + sum%11%10), nil
}

// ParseMPAN reads the thirteen digits of an MPAN core and verifies the check digit.
func ParseMPAN(s string) (MPxN, error) {
	if len(s) != 13 || !digits(s) {
		return "", fmt.Errorf("%q is not an MPAN: it has thirteen digits and nothing else", s)
	}
	want, err := MPANCheckDigit(s[:12])
	if err != nil {
		return "", err
	}
	if s[12] != want {
		return "", fmt.Errorf("%q is not an MPAN: its last digit is %c and the check (modulus 11) gives %c", s, s[12], want)
	}
	return MPxN(s), nil
}

// ParseMPRN reads the six to ten digits of an MPRN.
func ParseMPRN(s string) (MPxN, error) {
	if len(s) < 6 || len(s) > 10 || !digits(s) {
		return "", fmt.Errorf("%q is not an MPRN: it has six to ten digits and nothing else", s)
	}
	return MPxN(s), nil
}

// ParseMPxN reads the meter point number of a fuel.
func ParseMPxN(f Fuel, s string) (MPxN, error) {
	switch f {
	case Electricity:
		return ParseMPAN(s)
	case Gas:
		return ParseMPRN(s)
	}
	return "", fmt.Errorf("a meter point number cannot be read for fuel %q", f)
}

// Serial is the serial number of a certificate in decimal, at most 20 octets (RFC 5280, 4.1.2.2).
type Serial string

var errSerial = errors.New("a certificate serial number is 1 to 49 decimal digits without a leading zero")

// ParseSerial reads a decimal serial number.
func ParseSerial(s string) (Serial, error) {
	if s == "" || len(s) > 49 || !digits(s) || strings.HasPrefix(s, "0") {
		return "", fmt.Errorf("%q: %w", s, errSerial)
	}
	return Serial(s), nil
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
