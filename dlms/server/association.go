package server

import (
	"time"

	"smets1/dlms/cosem"
	"smets1/dlms/security"
)

// association is one open (or pending) association of a device. Its buffers and ciphers live as long as it does.
type association struct {
	device *Device
	peer   Peer
	index  int
	spec   *Association

	pending     bool // HLS passes 3 and 4 are still to come
	ciphered    bool // application context 3
	conformance cosem.Conformance
	maxReply    int // longest APDU the client takes from us, before any link
	title       security.SystemTitle
	user        uint8

	ownChallenge, peerChallenge []byte

	version   KeyVersion
	cipher    *security.Cipher
	dedicated *security.Cipher
	dedTx     security.SendCounter
	dedRx     security.ReceiveCounter

	request request
	general general // of a request in general-ciphering
	call    Call
	plain   []byte // the deciphered request
	reply   []byte // the reply before it is protected
	long    longReply
	gather  gathering
	out     outBlocks
	in      inBlocks

	lastTransaction []byte // of general-signing and of fresh keys
	lastUsed        time.Time
}

// wrapping is how a request was protected, and its reply will be.
type wrapping uint8

const (
	wrapNone wrapping = iota
	wrapGlo
	wrapDed
	wrapGeneralGlo
	wrapGeneralDed
	wrapGeneralCiphering
)

// request is what the layers below the service learned about the request being served.
type request struct {
	wrap       wrapping
	protection security.Protection // of the request
	reply      security.Protection // its reply needs, beside that of the policy
}
