package meter

import (
	"smets1/dlms/cosem"
)

// Message is what the supplier has to say, and a number that grows with each message.
func (m *Meter) Message() (text string, id uint32) {
	if m.extra == nil {
		return "", 0
	}
	return m.extra.message, m.extra.messageID
}

// Customer is the customer identification number.
func (m *Meter) Customer() string {
	if m.extra == nil {
		return ""
	}
	return m.extra.customer
}

func visible(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return len(s) <= maxMessage
}

func (m *Meter) setMessage(s string) error {
	if !visible(s) {
		return cosem.OtherReason
	}
	x := m.more()
	x.message = s
	x.messageID++
	m.Touch()
	return nil
}

// maxCustomer is the longest customer identification number (published, DUIS: ten digits).
const maxCustomer = 10

func (m *Meter) setCustomer(s string) error {
	if !visible(s) || len(s) > maxCustomer {
		return cosem.OtherReason
	}
	m.more().customer = s
	m.Touch()
	return nil
}
