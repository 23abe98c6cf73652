package security_test

import (
	"crypto/rand"
	"fmt"

	"smets1/internal/wire"
	"smets1/zigbee/security"
)

// A device's label gives the key under which the hub hands out the network key.
func ExampleParseInstallCode() {
	code, err := security.ParseInstallCode("83FE D340 7A93 9723 A5C6 39B2 6916 D505 C3B5")
	fmt.Println(code, err)
	fmt.Printf("%x\n", code.LinkKey().Reveal())
	_, err = security.ParseInstallCode("83FE D340 7A93 9723 A5C6 39B2 6916 D505 C3B6")
	fmt.Println(err)
	// Output:
	// redacted <nil>
	// 66b6900981e1ee3ca4206b6b861c02bb
	// security: the CRC does not match, a digit is wrong: not an install code: want 6, 8, 12 or 16 octets and a matching CRC-16, as on the label
}

// A meter and a hub, both certified by the simulator's authority, agree on a link key in six messages.
func ExampleKeyEstablishment() {
	root, _ := security.GeneratePrivateKey(rand.Reader, security.Suite1)
	ca, _ := security.NewSimulatorCA(root)
	issuer := wire.EUI64([]byte("SIMSECA1"))
	certified := func(own, peer wire.EUI64) security.KEConfig {
		c, k, _ := ca.Mint(rand.Reader, security.Certificate1{Subject: own, Issuer: issuer, Attributes: [10]byte{0x01, 0x09}})
		return security.KEConfig{Certificate: c, Key: k, Peer: peer, Authorities: map[wire.EUI64]security.PublicKey{issuer: ca.Public()}, Rand: rand.Reader}
	}
	meter, hub := wire.MustEUI64("00-15-5F-00-B0-02-00-02"), wire.MustEUI64("00-15-5F-00-B0-01-00-01")
	initiator, message, _ := security.NewInitiator(certified(meter, hub))
	responder, _ := security.NewResponder(certified(hub, meter))
	for to, other := responder, initiator; message.Payload != nil; to, other = other, to {
		fmt.Printf("command %02X, %d octets\n", message.Command, len(message.Payload))
		message, _ = to.Receive(message)
	}
	fmt.Println(initiator.Done(), responder.Done(), initiator.LinkKey().Equal(responder.LinkKey()))
	// Output:
	// command 00, 52 octets
	// command 00, 52 octets
	// command 01, 22 octets
	// command 01, 22 octets
	// command 02, 16 octets
	// command 02, 16 octets
	// true true true
}
