package client

import (
	"context"
	"fmt"

	"smets1/dlms/acse"
	"smets1/dlms/apdu"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/security"
)

// Associate opens an association on a link. On failure the link is left as it is, for another attempt or to be closed.
func Associate(ctx context.Context, link Link, cfg Config) (*Client, error) {
	c := newClient(link, cfg)
	if err := c.check(); err != nil {
		return nil, err
	}
	if err := c.associate(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// check refuses configurations that cannot work, before anything is sent.
func (c *Client) check() error {
	cfg := &c.cfg
	m := cfg.Mechanism
	needTitle := cfg.ciphered() || m == security.MechanismGMAC || m == security.MechanismSHA256 || m == security.MechanismECDSA
	switch {
	case m > security.MechanismECDSA:
		return fmt.Errorf("client: Config.Mechanism: %v", m)
	case needTitle && cfg.SystemTitle.IsZero():
		return fmt.Errorf("client: Config.SystemTitle is needed for ciphering and %v", m)
	case cfg.MaxPDU < apdu.MinPDU:
		return fmt.Errorf("client: Config.MaxPDU is %d, the least is %d", cfg.MaxPDU, apdu.MinPDU)
	case cfg.Dedicated && !cfg.ciphered():
		return fmt.Errorf("client: Config.Dedicated needs ciphering: a dedicated key in the clear protects nothing")
	case (m == security.MechanismLLS || m == security.MechanismHLS || m == security.MechanismMD5 ||
		m == security.MechanismSHA1 || m == security.MechanismSHA256) && cfg.Secret.IsZero():
		return fmt.Errorf("client: Config.Secret is needed for %v", m)
	}
	if err := c.checkGeneral(); err != nil {
		return err
	}
	if cfg.ciphered() || m == security.MechanismGMAC {
		cipher, err := cfg.Keys.Cipher(cfg.Suite)
		if err != nil {
			return fmt.Errorf("client: Config.Keys: %w", err)
		}
		c.cipher = cipher
	}
	return nil
}

func (c *Client) associate(ctx context.Context) error {
	request, dedicated, err := c.request(ctx)
	if err != nil {
		return err
	}
	response, initiate, err := c.open(ctx, request)
	if err != nil {
		return err
	}
	c.conformance = initiate.Conformance & c.cfg.Conformance
	c.serverPDU = initiate.MaxPDU
	if c.cfg.Mechanism.IsHLS() {
		if err := c.prove(ctx, response); err != nil {
			return err
		}
	}
	// Servers know the dedicated key from now on; before, in the exchange of HLS answers, some do not.
	c.dedicated = dedicated
	return nil
}

// request builds the AARQ, and the dedicated cipher that it proposes.
func (c *Client) request(ctx context.Context) (request []byte, dedicated *security.Cipher, err error) {
	cfg := &c.cfg
	initiate := apdu.InitiateRequest{Version: apdu.DLMSVersion, Conformance: cfg.Conformance, MaxPDU: cfg.MaxPDU}
	if cfg.Dedicated {
		key, err := security.GenerateKey(cfg.Random, cfg.Suite)
		if err != nil {
			return nil, nil, fmt.Errorf("client: dedicated key: %w", err)
		}
		if dedicated, err = security.NewCipher(cfg.Suite, key, cfg.Keys.GAK); err != nil {
			return nil, nil, fmt.Errorf("client: dedicated key: %w", err)
		}
		initiate.DedicatedKey = apdu.NewSecret(key.Reveal())
	}
	user, err := initiate.AppendBinary(nil)
	if err != nil {
		return nil, nil, err
	}
	if user, err = c.protectInitiate(ctx, user); err != nil {
		return nil, nil, err
	}
	aarq := acse.AARQ{Context: acse.ContextLN, UserInformation: user}
	if cfg.ciphered() {
		aarq.Context = acse.ContextLNCiphered
	}
	if !cfg.SystemTitle.IsZero() {
		aarq.CallingAPTitle = cfg.SystemTitle[:]
	}
	if cfg.UserID != 0 {
		aarq.CallingAEInvocationID = acse.UserID(int32(cfg.UserID))
	}
	if cfg.Mechanism != security.MechanismNone {
		aarq.Requirements = true
		aarq.Mechanism = acse.Named(acse.Mechanism(cfg.Mechanism))
		if cfg.Mechanism == security.MechanismLLS {
			aarq.Authentication = acse.Characters(cfg.Secret.Reveal())
		} else {
			if c.challenge, err = security.NewChallenge(cfg.Random, cfg.Mechanism, 0); err != nil {
				return nil, nil, fmt.Errorf("client: %w", err)
			}
			aarq.Authentication = acse.Characters(c.challenge)
		}
	}
	request, err = aarq.AppendBinary(nil)
	return request, dedicated, err
}

// protectInitiate ciphers an initiate request for the user-information of AARQ and RLRQ.
func (c *Client) protectInitiate(ctx context.Context, user []byte) ([]byte, error) {
	if !c.cfg.ciphered() {
		return user, nil
	}
	ic, err := c.nextCounter(ctx)
	if err != nil {
		return nil, err
	}
	sc := security.NewControl(c.cfg.Suite, c.cfg.opening())
	return c.cipher.AppendService(nil, byte(apdu.TagGloInitiateRequest), c.cfg.SystemTitle, sc, ic, user)
}

// open sends the AARQ and reads what comes back.
func (c *Client) open(ctx context.Context, request []byte) (acse.AARE, apdu.InitiateResponse, error) {
	var none apdu.InitiateResponse
	answer, err := c.once(ctx, request)
	for range maxStale {
		if err != nil {
			return acse.AARE{}, none, c.lose(err)
		}
		switch apdu.Tag(answer[0]) {
		case acse.TagAARE:
			return c.accept(answer)
		case apdu.TagException:
			return acse.AARE{}, none, c.exception(answer)
		case apdu.TagConfirmedServiceError:
			e, _, err := apdu.ParseConfirmedServiceError(answer)
			if err != nil {
				return acse.AARE{}, none, c.lose(err)
			}
			return acse.AARE{}, none, &AssociationError{Mechanism: c.cfg.Mechanism, Ciphered: c.cfg.ciphered(), Initiate: &e}
		default:
			// Something that an earlier association on this line is still owed.
			answer, err = c.listen(ctx)
		}
	}
	return acse.AARE{}, none, c.lose(fmt.Errorf("client: %d APDUs came, none of them an association response: %w", maxStale, ErrProtocol))
}

// accept reads an AARE. Its slices alias the link's memory, so what is kept is copied.
func (c *Client) accept(answer []byte) (acse.AARE, apdu.InitiateResponse, error) {
	var none apdu.InitiateResponse
	response, _, err := acse.ParseAARE(append([]byte(nil), answer...))
	if err != nil {
		return response, none, c.lose(fmt.Errorf("client: %w", err))
	}
	refused := &AssociationError{Mechanism: c.cfg.Mechanism, Ciphered: c.cfg.ciphered(), Response: &response}
	if len(response.RespondingAPTitle) > 0 {
		title, err := security.TitleFrom(response.RespondingAPTitle)
		if err != nil {
			return response, none, c.lose(fmt.Errorf("client: association response: %w", err))
		}
		if !c.cfg.ServerTitle.IsZero() && title != c.cfg.ServerTitle {
			refused.Err = fmt.Errorf("%w: it is %v, expected %v: is the address right?", ErrOtherServer, title, c.cfg.ServerTitle)
			return response, none, refused
		}
		c.serverTitle = title
	}
	user := response.UserInformation
	if len(user) > 0 && apdu.Tag(user[0]).IsCiphered() {
		plain, _, err := c.unprotectAs(user, c.cfg.opening())
		if err != nil {
			if response.Result != acse.ResultAccepted {
				return response, none, refused // the refusal says more than its protection
			}
			refused.Err = err
			return response, none, refused
		}
		user = append([]byte(nil), plain...)
	} else if c.cfg.ciphered() && response.Result == acse.ResultAccepted {
		refused.Err = fmt.Errorf("the initiate response: %w", ErrUnprotected)
		return response, none, refused
	}
	if len(user) > 0 && apdu.Tag(user[0]) == apdu.TagConfirmedServiceError {
		if e, _, err := apdu.ParseConfirmedServiceError(user); err == nil {
			refused.Initiate = &e
		}
	}
	if response.Result != acse.ResultAccepted || refused.Initiate != nil {
		return response, none, refused
	}
	if response.Context.ShortNames() {
		refused.Err = fmt.Errorf("the server opened an association with short names: %w", ErrProtocol)
		return response, none, refused
	}
	initiate, _, err := apdu.ParseInitiateResponse(user)
	if err != nil {
		refused.Err = err
		return response, none, refused
	}
	return response, initiate, nil
}

// prove does passes 3 and 4 of HLS: each side shows that it knows the secret.
func (c *Client) prove(ctx context.Context, response acse.AARE) error {
	cfg := &c.cfg
	failed := func(err error) error {
		return &AssociationError{Mechanism: cfg.Mechanism, Ciphered: cfg.ciphered(), Err: err}
	}
	h := security.Handshake{
		Mechanism: cfg.Mechanism, Own: cfg.SystemTitle, Peer: c.serverTitle,
		OwnChallenge: c.challenge, PeerChallenge: response.Authentication.Bytes(),
		Secret: cfg.Secret, Cipher: c.cipher, SigningKey: cfg.SigningKey, PeerKey: cfg.ServerKey,
	}
	if err := h.Check(); err != nil {
		return failed(err)
	}
	if cfg.Mechanism == security.MechanismGMAC {
		ic, err := cfg.Counter.Next(ctx)
		if err != nil {
			return fmt.Errorf("client: no invocation counter: %w", err)
		}
		h.Counter = ic
	}
	answer, err := h.Answer()
	if err != nil {
		return failed(err)
	}
	reply := cosem.Method{Class: cosem.ClassAssociationLN, Instance: cosem.CurrentAssociation, ID: 1}
	raw, err := c.action(ctx, reply, axdr.AppendOctetString(nil, answer))
	if err != nil {
		return failed(err)
	}
	v, err := axdr.ParseAll(raw)
	if err != nil {
		return failed(fmt.Errorf("the server's answer: %w", err))
	}
	proof, err := v.AsBytes()
	if err != nil {
		return failed(fmt.Errorf("the server's answer: %w", err))
	}
	// The counter in a GMAC answer is not held against ServerCounter: servers take it before the one of the ciphered
	// APDU around it, or after.
	if _, err := h.Verify(proof); err != nil {
		return failed(err)
	}
	return nil
}

// Release ends the association and closes the link, which stays usable for another association; the line stays open. It
// is done in any case; the error says what went wrong on the way. A client that was lost or released before has nothing
// to release, and closes the link only. So does one directly on HDLC, where disconnecting ends the association too
// (Gurux Python 1.0.203 answers a release request there without LLC bytes, which is no APDU at all).
func (c *Client) Release(ctx context.Context) error {
	if err := c.begin(ctx); err != nil {
		if closing := c.link.Close(); c.Err() == nil {
			return closing
		}
		return nil
	}
	defer c.end()
	var err error
	if _, ok := c.link.(associationEnder); !ok {
		err = c.release(ctx)
	}
	_ = c.lose(ErrReleased)
	if closing := c.link.Close(); err == nil {
		err = closing
	}
	return err
}

// associationEnder is a Link whose Close ends the association at the server.
type associationEnder interface{ endsAssociation() }

func (c *Client) release(ctx context.Context) error {
	request := acse.RLRQ{HasReason: true, Reason: acse.ReasonNormal}
	if c.cfg.ciphered() {
		// A server must refuse a release that anyone could have sent (CTT SYMSEC_REL_N1).
		user, err := apdu.InitiateRequest{
			Version: apdu.DLMSVersion, Conformance: c.cfg.Conformance, MaxPDU: c.cfg.MaxPDU,
		}.AppendBinary(nil)
		if err != nil {
			return err
		}
		if request.UserInformation, err = c.protectInitiate(ctx, user); err != nil {
			return err
		}
	}
	out, err := request.AppendBinary(nil)
	if err != nil {
		return err
	}
	answer, err := c.once(ctx, out)
	for range maxStale {
		if err != nil {
			return fmt.Errorf("client: release: %w", err)
		}
		switch apdu.Tag(answer[0]) {
		case acse.TagRLRE:
			// What is in it changes nothing, and what real servers put there cannot be trusted: Gurux writes the length
			// too short by the user-information, openspodes sends 63 01 00.
			return nil
		case apdu.TagException:
			// It holds no association for us (any more), which is what was asked for.
			return nil
		default:
			answer, err = c.listen(ctx)
		}
	}
	return fmt.Errorf("client: release: no answer among %d APDUs: %w", maxStale, ErrProtocol)
}

// ReadCounter asks a server, as the public client and in the clear, for the invocation counter that it accepted last from
// the client whose counters it keeps under name; the zero name is 0-0:43.1.0.255. Go on above it: CountFrom(counter + 1).
// The link must be one with the public client's address (16). Of cfg only timeouts, sizes and Random are used. Anyone on
// the way can forge the answer; too high a value wastes counters, too low a one makes the server refuse.
func ReadCounter(ctx context.Context, link Link, name cosem.OBIS, cfg Config) (uint32, error) {
	if name == (cosem.OBIS{}) {
		name = cosem.InvocationCounter
	}
	c, err := Associate(ctx, link, Config{MaxPDU: cfg.MaxPDU, Timeout: cfg.Timeout, Clock: cfg.Clock, Random: cfg.Random})
	if err != nil {
		return 0, err
	}
	v, err := c.GetUint(ctx, cosem.Attribute{Class: cosem.ClassData, Instance: name, ID: 2})
	_ = c.Release(ctx) // the counter is here; what else is wrong with the line shows when it is used next
	if err == nil && v > uint64(security.CounterMax) {
		err = fmt.Errorf("client: invocation counter %v reads %d, which is none: %w", name, v, ErrProtocol)
	}
	return uint32(v), err
}
