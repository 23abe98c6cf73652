package security

import "fmt"

// Policy says which protection requests and responses must carry. Its bits are those of attribute security_policy of the
// security setup, class 64, version 1 (Blue Book; published). [PolicyV0] translates the enumeration of version 0.
type Policy uint8

// Bits of Policy.
const (
	RequestAuthenticated  Policy = 0x04
	RequestEncrypted      Policy = 0x08
	RequestSigned         Policy = 0x10
	ResponseAuthenticated Policy = 0x20
	ResponseEncrypted     Policy = 0x40
	ResponseSigned        Policy = 0x80

	policyV0Mask = RequestAuthenticated | RequestEncrypted | ResponseAuthenticated | ResponseEncrypted
)

// PolicyV0 translates a version 0 policy: 0 none, 1 all messages authenticated, 2 encrypted, 3 both.
func PolicyV0(v uint8) (Policy, error) {
	switch v {
	case 0:
		return 0, nil
	case 1:
		return RequestAuthenticated | ResponseAuthenticated, nil
	case 2:
		return RequestEncrypted | ResponseEncrypted, nil
	case 3:
		return policyV0Mask, nil
	}
	return 0, fmt.Errorf("security: policy %d is not defined in version 0: use 0 none, 1 authenticated, 2 encrypted, 3 both", v)
}

// PolicyV1 checks a version 1 policy: bits 0 and 1 are reserved.
func PolicyV1(v uint8) (Policy, error) {
	if v&0x03 != 0 {
		return 0, fmt.Errorf("security: policy %02X has reserved bits set: use bits 04 to 80", v)
	}
	return Policy(v), nil
}

// V0 is the version 0 value of the policy, if it has one.
func (p Policy) V0() (uint8, error) {
	for v := range uint8(4) {
		if q, _ := PolicyV0(v); q == p {
			return v, nil
		}
	}
	return 0, fmt.Errorf("security: policy %02X has no version 0 value", uint8(p))
}

// Request is the protection that requests need at least.
func (p Policy) Request() Protection { return Protection(p>>2) & (ProtectBoth | ProtectSign) }

// Response is the protection that responses need at least.
func (p Policy) Response() Protection { return Protection(p>>5) & (ProtectBoth | ProtectSign) }

// Strengthens tells whether p asks for everything that old asks for: security_activate may only strengthen.
func (p Policy) Strengthens(old Policy) bool { return p&old == old }

// CheckRequest refuses a request with less protection than the policy asks for.
func (p Policy) CheckRequest(got Protection) error { return check("request", p.Request(), got) }

// CheckResponse refuses a response with less protection than the policy asks for.
func (p Policy) CheckResponse(got Protection) error { return check("response", p.Response(), got) }

func check(what string, need, got Protection) error {
	if got&need != need {
		return &PolicyError{What: what, Need: need, Got: got}
	}
	return nil
}

// PolicyError is an APDU with too little protection.
type PolicyError struct {
	What      string // "request" or "response"
	Need, Got Protection
}

// Error says what is missing.
func (e *PolicyError) Error() string {
	return fmt.Sprintf("security: %s is %v, the security policy asks for %v", e.What, e.Got, e.Need)
}
