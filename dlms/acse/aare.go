package acse

// Tags of the elements of the AARE.
const (
	tagResult                   = 0xA2
	tagDiagnostic               = 0xA3
	tagRespondingAPTitle        = 0xA4
	tagRespondingAEQualifier    = 0xA5
	tagRespondingAPInvocationID = 0xA6
	tagRespondingAEInvocationID = 0xA7
	tagResponderRequirements    = 0x88
	tagRespondingMechanism      = 0x89
	tagRespondingAuthentication = 0xAA

	diagnosticUser     = 0xA1
	diagnosticProvider = 0xA2
)

// AARE answers an AARQ (published). Fields that are empty or not set are not sent.
type AARE struct {
	ProtocolVersion Version
	Context         Context
	ForeignContext  []byte
	Result          Result
	Diagnostic      Diagnostic

	RespondingAPTitle        []byte // the system title of the server, 8 bytes
	RespondingAEQualifier    []byte // the certificate of the server for suites 1 and 2
	RespondingAPInvocationID ID
	RespondingAEInvocationID ID

	// Requirements is the authentication bit of the responder-acse-requirements.
	Requirements   bool
	Mechanism      MechanismName
	Authentication Authentication // the challenge of the server

	ImplementationInformation []byte
	// UserInformation is the InitiateResponse or, where the initiate was
	// refused, a ConfirmedServiceError; plain or ciphered.
	UserInformation []byte
}

// Err is nil if the association was accepted, and otherwise a *RejectedError.
// With HLS an accepted association has DiagnosticAuthenticationRequired and is
// pending until both sides have proved themselves.
func (p AARE) Err() error {
	if p.Result == ResultAccepted {
		return nil
	}
	return &RejectedError{Result: p.Result, Diagnostic: p.Diagnostic}
}

// Pending reports whether the association is accepted but waits for passes 3 and 4 of HLS.
func (p AARE) Pending() bool {
	return p.Result == ResultAccepted && p.Diagnostic == DiagnosticAuthenticationRequired
}

// AppendBinary appends the APDU. It never fails.
func (p AARE) AppendBinary(b []byte) ([]byte, error) {
	return appendAPDU(b, TagAARE, p.appendElements), nil
}

func (p AARE) appendElements(b []byte) []byte {
	b = appendVersion(b, p.ProtocolVersion)
	b = appendContext(b, p.Context, p.ForeignContext)
	b = appendInteger(b, tagResult, int32(p.Result))
	source := byte(diagnosticUser)
	if p.Diagnostic.FromProvider() {
		source = diagnosticProvider
	}
	b = append(b, tagDiagnostic, 5, source, 3, berInteger, 1, p.Diagnostic.Code())
	b = appendOctets(b, tagRespondingAPTitle, p.RespondingAPTitle)
	b = appendOctets(b, tagRespondingAEQualifier, p.RespondingAEQualifier)
	b = appendID(b, tagRespondingAPInvocationID, p.RespondingAPInvocationID)
	b = appendID(b, tagRespondingAEInvocationID, p.RespondingAEInvocationID)
	b = appendRequirements(b, tagResponderRequirements, p.Requirements)
	b = appendMechanism(b, tagRespondingMechanism, p.Mechanism)
	b = appendAuthentication(b, tagRespondingAuthentication, p.Authentication)
	if len(p.ImplementationInformation) > 0 {
		b = appendTLV(b, tagImplementationInfo, p.ImplementationInformation)
	}
	return appendUserInformation(b, p.UserInformation)
}

// ParseAARE decodes the APDU at the start of b; the slices alias b.
func ParseAARE(b []byte) (p AARE, n int, err error) {
	s := scanner{apdu: "AARE", b: b}
	s.begin(TagAARE)
	for s.more() {
		tag, content := s.next()
		if s.err == nil {
			p.element(&s, tag, content)
		}
	}
	for _, must := range [...]struct {
		tag  byte
		name string
	}{
		{tagContextName, "application-context-name"}, {tagResult, "result"}, {tagDiagnostic, "result-source-diagnostic"},
	} {
		if s.err == nil && !s.has(must.tag) {
			s.fail(must.name, ErrMissing)
		}
	}
	if s.err != nil {
		return AARE{}, 0, s.err
	}
	return p, s.off, nil
}

func (p *AARE) element(s *scanner, tag byte, content []byte) {
	switch tag {
	case tagProtocolVersion:
		p.ProtocolVersion = s.version(content)
	case tagContextName:
		p.Context, p.ForeignContext = s.context(content)
	case tagResult:
		p.Result = Result(s.small(content, "result"))
	case tagDiagnostic:
		p.Diagnostic = s.diagnostic(content)
	case tagRespondingAPTitle:
		p.RespondingAPTitle = s.octets(content, "responding-AP-title")
	case tagRespondingAEQualifier:
		p.RespondingAEQualifier = s.octets(content, "responding-AE-qualifier")
	case tagRespondingAPInvocationID:
		p.RespondingAPInvocationID = s.id(content, "responding-AP-invocation-id")
	case tagRespondingAEInvocationID:
		p.RespondingAEInvocationID = s.id(content, "responding-AE-invocation-id")
	case tagResponderRequirements:
		p.Requirements = s.requirements(content)
	case tagRespondingMechanism:
		p.Mechanism = s.mechanism(content)
	case tagRespondingAuthentication:
		p.Authentication = s.authentication(content)
	case tagImplementationInfo:
		p.ImplementationInformation = content
	case tagUserInformation:
		p.UserInformation = s.octets(content, "user-information")
	}
}

// small reads an INTEGER from 0 to 127, as results and diagnostics are.
func (s *scanner) small(content []byte, element string) uint8 {
	v := s.integer(content, element)
	if s.err == nil && (v < 0 || v > 127) {
		s.fail(element, ErrValue)
		return 0
	}
	return uint8(v)
}

func (s *scanner) diagnostic(content []byte) Diagnostic {
	source, inner := s.inner(content, "result-source-diagnostic")
	d := Diagnostic(s.small(inner, "result-source-diagnostic"))
	switch {
	case s.err != nil:
		return 0
	case source == diagnosticProvider:
		return d | providerBit
	case source != diagnosticUser:
		s.fail("result-source-diagnostic", ErrTag)
	}
	return d
}
