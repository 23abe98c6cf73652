package acse

// Tags of the elements of the AARQ.
const (
	tagCalledAPTitle         = 0xA2
	tagCalledAEQualifier     = 0xA3
	tagCalledAPInvocationID  = 0xA4
	tagCalledAEInvocationID  = 0xA5
	tagCallingAPTitle        = 0xA6
	tagCallingAEQualifier    = 0xA7
	tagCallingAPInvocationID = 0xA8
	tagCallingAEInvocationID = 0xA9
	tagSenderRequirements    = 0x8A
	tagCallingMechanism      = 0x8B
	tagCallingAuthentication = 0xAC
)

// AARQ asks for an association (published). Fields that are empty or not set
// are not sent.
type AARQ struct {
	ProtocolVersion Version
	Context         Context
	ForeignContext  []byte // with ContextUnknown: the object identifier that was sent

	CalledAPTitle        []byte
	CalledAEQualifier    []byte
	CalledAPInvocationID ID
	CalledAEInvocationID ID

	CallingAPTitle        []byte // the system title of the client, 8 bytes
	CallingAEQualifier    []byte // the certificate of the client for suites 1 and 2
	CallingAPInvocationID ID
	CallingAEInvocationID ID // the user id

	// Requirements is the authentication bit of the sender-acse-requirements.
	Requirements   bool
	Mechanism      MechanismName
	Authentication Authentication // password, or the challenge of the client

	ImplementationInformation []byte
	UserInformation           []byte // the InitiateRequest, plain or ciphered
}

// AppendBinary appends the APDU. It never fails.
func (p AARQ) AppendBinary(b []byte) ([]byte, error) {
	return appendAPDU(b, TagAARQ, p.appendElements), nil
}

func (p AARQ) appendElements(b []byte) []byte {
	b = appendVersion(b, p.ProtocolVersion)
	b = appendContext(b, p.Context, p.ForeignContext)
	b = appendOctets(b, tagCalledAPTitle, p.CalledAPTitle)
	b = appendOctets(b, tagCalledAEQualifier, p.CalledAEQualifier)
	b = appendID(b, tagCalledAPInvocationID, p.CalledAPInvocationID)
	b = appendID(b, tagCalledAEInvocationID, p.CalledAEInvocationID)
	b = appendOctets(b, tagCallingAPTitle, p.CallingAPTitle)
	b = appendOctets(b, tagCallingAEQualifier, p.CallingAEQualifier)
	b = appendID(b, tagCallingAPInvocationID, p.CallingAPInvocationID)
	b = appendID(b, tagCallingAEInvocationID, p.CallingAEInvocationID)
	b = appendRequirements(b, tagSenderRequirements, p.Requirements)
	b = appendMechanism(b, tagCallingMechanism, p.Mechanism)
	b = appendAuthentication(b, tagCallingAuthentication, p.Authentication)
	if len(p.ImplementationInformation) > 0 {
		b = appendTLV(b, tagImplementationInfo, p.ImplementationInformation)
	}
	return appendUserInformation(b, p.UserInformation)
}

// appendAPDU appends an APDU around its elements. They are written behind room
// for a short length, and moved up in the rare case that it must be longer.
func appendAPDU(b []byte, tag byte, elements func([]byte) []byte) []byte {
	b = append(b, tag, 0)
	start := len(b)
	b = elements(b)
	length := len(b) - start
	if length < berLong {
		b[start-1] = byte(length)
		return b
	}
	var header [1 + maxLengthBytes]byte
	size := len(appendLength(header[:0], length))
	b = append(b, header[:size-1]...)
	copy(b[start-1+size:], b[start:start+length])
	copy(b[start-1:], header[:size])
	return b
}

// ParseAARQ decodes the APDU at the start of b; the slices alias b. A foreign
// context or mechanism is no error here: the answer to it is an AARE.
func ParseAARQ(b []byte) (p AARQ, n int, err error) {
	s := scanner{apdu: "AARQ", b: b}
	s.begin(TagAARQ)
	for s.more() {
		tag, content := s.next()
		if s.err == nil {
			p.element(&s, tag, content)
		}
	}
	if s.err == nil && !s.has(tagContextName) {
		s.fail("application-context-name", ErrMissing)
	}
	if s.err != nil {
		return AARQ{}, 0, s.err
	}
	return p, s.off, nil
}

func (p *AARQ) element(s *scanner, tag byte, content []byte) {
	switch tag {
	case tagProtocolVersion:
		p.ProtocolVersion = s.version(content)
	case tagContextName:
		p.Context, p.ForeignContext = s.context(content)
	case tagCalledAPTitle:
		p.CalledAPTitle = s.octets(content, "called-AP-title")
	case tagCalledAEQualifier:
		p.CalledAEQualifier = s.octets(content, "called-AE-qualifier")
	case tagCalledAPInvocationID:
		p.CalledAPInvocationID = s.id(content, "called-AP-invocation-id")
	case tagCalledAEInvocationID:
		p.CalledAEInvocationID = s.id(content, "called-AE-invocation-id")
	case tagCallingAPTitle:
		p.CallingAPTitle = s.octets(content, "calling-AP-title")
	case tagCallingAEQualifier:
		p.CallingAEQualifier = s.octets(content, "calling-AE-qualifier")
	case tagCallingAPInvocationID:
		p.CallingAPInvocationID = s.id(content, "calling-AP-invocation-id")
	case tagCallingAEInvocationID:
		p.CallingAEInvocationID = s.id(content, "calling-AE-invocation-id")
	case tagSenderRequirements:
		p.Requirements = s.requirements(content)
	case tagCallingMechanism:
		p.Mechanism = s.mechanism(content)
	case tagCallingAuthentication:
		p.Authentication = s.authentication(content)
	case tagImplementationInfo:
		p.ImplementationInformation = content
	case tagUserInformation:
		p.UserInformation = s.octets(content, "user-information")
	}
}
