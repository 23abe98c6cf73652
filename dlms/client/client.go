package client

import (
	"sync/atomic"

	"smets1/dlms/apdu"
	"smets1/dlms/cosem"
	"smets1/dlms/security"
	"smets1/internal/clock"
)

// Client is an open association. Its methods may be called from several goroutines; operations take turns.
type Client struct {
	cfg  Config
	link Link
	turn chan struct{} // holds a token while nobody has the association
	lost atomic.Pointer[error]

	conformance cosem.Conformance
	serverPDU   uint16
	serverTitle security.SystemTitle
	challenge   []byte // ours

	cipher           *security.Cipher // under the global keys; nil without keys
	dedicated        *security.Cipher // under the dedicated key, once the association is open
	dedicatedCounter security.SendCounter
	dedicatedServer  security.ReceiveCounter

	invoke      uint8
	sent        atomic.Uint32 // invocation counter of the last ciphered request
	transaction uint64        // of the last request in general-ciphering or general-signing
	gbt         uint16        // general blocks that carried the last request
	alarm       clock.Timer

	// Memory that is used again and again.
	plain, out, signed, in, whole, blockOut []byte
}

func newClient(link Link, cfg Config) *Client {
	c := &Client{cfg: cfg.withDefaults(), link: link, turn: make(chan struct{}, 1), serverTitle: cfg.ServerTitle}
	c.turn <- struct{}{}
	return c
}

// Err is why the association came to an end; nil while it is open.
func (c *Client) Err() error {
	if err := c.lost.Load(); err != nil {
		return *err
	}
	return nil
}

// Conformance is what was negotiated.
func (c *Client) Conformance() cosem.Conformance { return c.conformance }

// MaxPDU is the longest APDU that the server accepts; 0 and FFFF mean no limit.
func (c *Client) MaxPDU() uint16 { return c.serverPDU }

// ServerTitle is the server's system title; zero when it told none.
func (c *Client) ServerTitle() security.SystemTitle { return c.serverTitle }

// LastCounter is the invocation counter of the last ciphered request.
func (c *Client) LastCounter() uint32 { return c.sent.Load() }

// exception makes an error of an exception response, which comes in the clear even in a ciphered association.
func (c *Client) exception(plain []byte) error {
	e, _, err := apdu.ParseException(plain)
	if err != nil {
		return c.lose(err)
	}
	return &ExceptionError{Exception: e, Ciphered: c.cfg.ciphered(), Sent: c.sent.Load()}
}

func (c *Client) serviceError(plain []byte) error {
	e, _, err := apdu.ParseConfirmedServiceError(plain)
	if err != nil {
		return c.lose(err)
	}
	return &ServiceError{e}
}
