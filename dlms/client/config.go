package client

import (
	"context"
	"crypto/rand"
	"io"
	"sync"
	"time"

	"smets1/dlms/cosem"
	"smets1/dlms/security"
	"smets1/internal/clock"
)

// Wrapping is how a ciphered APDU travels.
type Wrapping uint8

// The wrappings.
const (
	WrapService   Wrapping = iota // a glo- or ded- tag for each service: what every ciphering server takes
	WrapGeneral                   // general-glo-ciphering or general-ded-ciphering, which carry the sender's title
	WrapCiphering                 // general-ciphering: under the GUEK, or a key that Config.KeyUse makes for the one APDU
)

// Config says how to associate. The zero Config is the public client: no authentication, no ciphering.
type Config struct {
	// Mechanism is the authentication. Zero: none.
	Mechanism security.Mechanism
	// Secret is the LLS password or the secret of HLS 2, 3, 4 and 6.
	Secret security.Secret

	// Suite and Keys protect APDUs and serve HLS 5. Zero: suite 0; a zero GUEK: no ciphering.
	Suite security.Suite
	Keys  security.KeySet
	// Protection of every APDU, from the initiate request on. Zero: both when there is a GUEK and Plain is not set. With
	// ProtectSign, what follows the association is signed too (general-signing) and its answers must be; the initiate
	// request and the release are ciphered only.
	Protection security.Protection
	// Plain leaves APDUs unprotected although there are keys, for HLS 5 in an association without ciphering.
	Plain bool
	// Wrapping of ciphered APDUs. Zero: service-specific tags.
	Wrapping Wrapping
	// Dedicated asks for a fresh key for this association alone, sent inside the ciphered initiate request.
	Dedicated bool

	// SystemTitle is the client's. Needed for ciphering and HLS 5, 6 and 7.
	SystemTitle security.SystemTitle
	// ServerTitle is what the server should be. Zero: learn it from the association response.
	ServerTitle security.SystemTitle
	// SigningKey and ServerKey serve HLS 7, signing, and one-pass key agreement.
	SigningKey security.SigningKey
	ServerKey  security.VerifyKey
	// KeyUse is the way to the key of general-ciphering (WrapCiphering). Zero: the GUEK.
	KeyUse security.KeyUse
	// AgreementKey and ServerAgreement, the server's static public key x || y, serve the ways that agree on a key.
	AgreementKey    security.AgreementKey
	ServerAgreement []byte

	// Counter gives the invocation counters of the GUEK in the client's direction. Zero: one that starts at 1, which is
	// right only for a key that was never used.
	Counter Counter
	// ServerCounter checks the server's counters. Zero: they must rise within this association. Give one that outlives
	// associations to refuse replays across them; some servers start anew each time.
	ServerCounter *security.ReceiveCounter

	// AnyInvokeID takes answers whatever their invoke-id, for servers that do not echo it: Gurux Python 1.0.203 answers
	// with 1 when an object is undefined. Zero: an answer must carry the invoke-id of its request.
	AnyInvokeID bool

	// UserID is the client user (calling-AE-invocation-id). Zero: not sent.
	UserID uint8
	// Conformance is what to propose. Zero: all that this client does.
	Conformance cosem.Conformance
	// MaxPDU is the longest APDU to accept. Zero: 1024.
	MaxPDU uint16
	// MaxData bounds what one answer may grow to over its blocks. Zero: 16 MiB.
	MaxData int

	// Timeout of one request and answer (each block counts as one). Zero: 30 s.
	Timeout time.Duration
	// Clock measures Timeout, and makes the transaction ids of general-ciphering and general-signing, which must rise
	// for a server that remembers them. Zero: the machine's.
	Clock clock.Clock
	// Random gives challenges, dedicated and ephemeral keys. Zero: crypto/rand.
	Random io.Reader
	// Notify gets data and event notifications that arrive while the client waits for an answer: the APDU in the clear,
	// valid during the call. Zero: they are dropped.
	Notify func(apdu []byte)
}

// DefaultConformance is what this client can do.
const DefaultConformance = cosem.ConfGeneralProtection | cosem.ConfGeneralBlockTransfer |
	cosem.ConfBlockTransferGet | cosem.ConfBlockTransferSet | cosem.ConfBlockTransferAction |
	cosem.ConfMultipleReferences | cosem.ConfAccess | cosem.ConfDataNotification | cosem.ConfGet | cosem.ConfSet |
	cosem.ConfSelectiveAccess | cosem.ConfEventNotification | cosem.ConfAction

func (c Config) withDefaults() Config {
	if c.Protection == security.ProtectNone && !c.Plain && !c.Keys.GUEK.IsZero() {
		c.Protection = security.ProtectBoth
	}
	if c.Counter == nil {
		c.Counter = CountFrom(1)
	}
	if c.ServerCounter == nil {
		c.ServerCounter = new(security.ReceiveCounter)
	}
	if c.Conformance == 0 {
		c.Conformance = DefaultConformance
	}
	if c.MaxPDU == 0 {
		c.MaxPDU = 1024
	}
	if c.MaxData == 0 {
		c.MaxData = 16 << 20
	}
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	if c.Clock == nil {
		c.Clock = clock.Real()
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	return c
}

func (c Config) ciphered() bool { return c.Protection != security.ProtectNone }

// opening is the protection of the initiate request and of its answer: nothing is signed before the association is open.
func (c Config) opening() security.Protection {
	if both := c.Protection & security.ProtectBoth; both != 0 || !c.ciphered() {
		return both
	}
	return security.ProtectBoth
}

// Counter gives invocation counters, each greater than the one before. Whoever implements it has made sure, on disk if
// need be, that a value it gives is never given again under the same key.
type Counter interface {
	Next(ctx context.Context) (uint32, error)
}

// CountFrom is a Counter in memory whose first value is next. It is safe for concurrent use.
func CountFrom(next uint32) Counter { return &memoryCounter{c: security.NewSendCounter(next)} }

type memoryCounter struct {
	mu sync.Mutex
	c  security.SendCounter
}

func (m *memoryCounter) Next(context.Context) (uint32, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.c.Next()
}
