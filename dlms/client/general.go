package client

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"smets1/dlms/apdu"
	"smets1/dlms/security"
)

// party is this side of general-ciphering and general-signing.
func (c *Client) party() *security.General {
	return &security.General{
		Suite: c.cfg.Suite, Own: c.cfg.SystemTitle, Peer: c.serverTitle, Keys: c.cfg.Keys,
		AgreementKey: c.cfg.AgreementKey, PeerAgreement: c.cfg.ServerAgreement,
		SigningKey: c.cfg.SigningKey, PeerSigning: c.cfg.ServerKey, Rand: c.cfg.Random,
	}
}

// general tells whether APDUs travel in general-ciphering or general-signing.
func (c *Client) general() bool {
	return c.cfg.Wrapping == WrapCiphering || c.cfg.Protection&security.ProtectSign != 0
}

// nextTransaction is the next transaction id: nanoseconds of the clock, and more than the one before.
func (c *Client) nextTransaction() []byte {
	c.transaction = max(c.transaction+1, uint64(c.cfg.Clock.Now().UnixNano()))
	return binary.BigEndian.AppendUint64(nil, c.transaction)
}

// ours tells whether an answer is in the transaction of the last request.
func (c *Client) ours(id []byte) bool {
	return bytes.Equal(id, binary.BigEndian.AppendUint64(nil, c.transaction))
}

// protectGeneral ciphers and signs a request. The result is valid until the next call.
func (c *Client) protectGeneral(ctx context.Context, request []byte) ([]byte, error) {
	g := c.party()
	h := g.Header(c.nextTransaction())
	content := request
	both := c.cfg.Protection & security.ProtectBoth
	switch {
	case both == 0:
	case c.cfg.Wrapping == WrapCiphering:
		var ic uint32
		if c.cfg.KeyUse == security.UseGUEK {
			var err error
			if ic, err = c.nextCounter(ctx); err != nil {
				return nil, err
			}
		}
		p, err := g.Seal(h, c.cfg.KeyUse, both, ic, request)
		if err != nil {
			return nil, fmt.Errorf("client: %w", err)
		}
		if c.out, err = p.AppendBinary(c.out[:0]); err != nil {
			return nil, err
		}
		content = c.out
	default:
		var err error
		if content, err = c.protectSpecific(ctx, request); err != nil {
			return nil, err
		}
	}
	if c.cfg.Protection&security.ProtectSign == 0 {
		return content, nil
	}
	p, err := g.Sign(h, content)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	c.signed, err = p.AppendBinary(c.signed[:0])
	return c.signed, err
}

// verify checks a general-signing APDU and gives its content. A signed answer in the clear has no counter that would show
// it to be an old one come again: fresh tells that it is in the transaction of our request.
func (c *Client) verify(answer []byte) (content []byte, fresh bool, err error) {
	p, _, err := apdu.ParseGeneralSigning(answer)
	if err != nil {
		return nil, false, c.lose(err)
	}
	if len(p.Content) == 0 || apdu.Tag(p.Content[0]) == apdu.TagGeneralSigning {
		return nil, false, c.lose(fmt.Errorf("client: %v with no APDU in it: %w", apdu.TagGeneralSigning, ErrProtocol))
	}
	if err := c.party().Verify(p); err != nil {
		return nil, false, c.lose(fmt.Errorf("client: %v: %w", apdu.TagGeneralSigning, err))
	}
	return p.Content, c.ours(p.TransactionID), nil
}

// openGeneral opens a general-ciphering APDU. Under the GUEK its counter must rise; under a key that was made for it, it
// must be in the transaction of our request.
func (c *Client) openGeneral(answer []byte, need security.Protection) ([]byte, error) {
	p, _, err := apdu.ParseGeneralCiphering(answer)
	if err != nil {
		return nil, c.lose(err)
	}
	content, plain, err := c.party().Open(p)
	if err != nil {
		if errors.Is(err, security.ErrDecipher) {
			err = fmt.Errorf("%w: check Config.Keys and the keys that key agreement uses", err)
		}
		return nil, c.lose(fmt.Errorf("client: %v: %w", apdu.TagGeneralCiphering, err))
	}
	if missing := need &^ content.Control.Protection(); missing&security.ProtectAuth != 0 {
		return nil, c.lose(fmt.Errorf("client: %v with control byte %v: %w", apdu.TagGeneralCiphering, content.Control, ErrUnprotected))
	}
	if k := p.KeyInfo.Kind; k == apdu.KeyInfoNone || k == apdu.KeyInfoIdentified {
		err = c.cfg.ServerCounter.Accept(content.Counter)
	} else if !c.ours(p.TransactionID) {
		err = fmt.Errorf("transaction % X is not that of the request: %w", p.TransactionID, ErrProtocol)
	}
	if err != nil {
		return nil, c.lose(fmt.Errorf("client: %v from the server: %w", apdu.TagGeneralCiphering, err))
	}
	if len(plain) == 0 {
		return nil, c.lose(fmt.Errorf("client: %v with nothing in it: %w", apdu.TagGeneralCiphering, ErrProtocol))
	}
	return plain, nil
}

// generalOverhead is what general-ciphering and general-signing add to a request, at most: header with three empty
// fields, key information, and content.
func (c *Client) generalOverhead() int {
	const header = 1 + 9 + 2*9 + 2
	n, point := 0, c.cfg.Suite.PointSize()
	if c.cfg.Wrapping == WrapCiphering {
		n = header + 10 + max(2*point, c.cfg.Suite.KeySize()+8) + 3 + security.HeaderSize + security.TagSize
	}
	if c.cfg.Protection&security.ProtectSign != 0 {
		n += header + 3 + 3 + point
	}
	return n
}

// checkGeneral refuses a configuration that general-ciphering and general-signing cannot work with.
func (c *Client) checkGeneral() error {
	cfg := &c.cfg
	if cfg.Protection&security.ProtectSign != 0 && (cfg.SigningKey.IsZero() || cfg.ServerKey.IsZero()) {
		return errors.New("client: signing needs Config.SigningKey and Config.ServerKey")
	}
	if cfg.Wrapping != WrapCiphering {
		return nil
	}
	switch cfg.KeyUse {
	case security.UseGUEK:
	case security.UseWrapped:
		if cfg.Keys.KEK.IsZero() {
			return errors.New("client: wrapped keys need the KEK (Config.Keys.KEK)")
		}
	case security.UseOnePass, security.UseStaticUnified:
		if cfg.AgreementKey.IsZero() || len(cfg.ServerAgreement) != cfg.Suite.PointSize() || cfg.Suite.PointSize() == 0 {
			return fmt.Errorf("client: key agreement needs suite 1 or 2, Config.AgreementKey and Config.ServerAgreement (the server's public key, %d bytes)", cfg.Suite.PointSize())
		}
		if cfg.KeyUse == security.UseOnePass && (cfg.SigningKey.IsZero() || cfg.ServerKey.IsZero()) {
			return errors.New("client: one-pass key agreement needs Config.SigningKey and Config.ServerKey: the ephemeral public keys are signed")
		}
	default:
		return fmt.Errorf("client: Config.KeyUse %d: a request goes to one server, under the GUEK, a wrapped or an agreed key", cfg.KeyUse)
	}
	return nil
}
