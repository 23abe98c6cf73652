// Package ctt holds the conformance tests named in the DLMS UA's abstract test suites (data link layer 1001-3,
// application layer, COSEM and symmetric key security suite 0 1001-6; the names are published, the steps are ours,
// after the purpose of each) as functions that run against any meter over any transport: the caller describes the meter
// in a [Target] and supplies links to it.
//
//	for _, c := range ctt.Cases() {
//		err := c.Run(target)      // nil passed, ErrNotApplicable the meter does not offer it, else what was wrong
//	}
//
// Run executes one case on fresh links. The cases change a meter's state only where their purpose says so, and put it
// back: Key_Tx restores the keys; SecPol, which cannot be undone, runs only on a Target that allows it.
//
// [NewReference] is the meter of this module's own server that the tests are checked with.
package ctt

import (
	"errors"
	"fmt"

	"smets1/dlms/cosem"
	"smets1/dlms/security"
)

// ErrNotApplicable is a case for something the target does not offer.
var ErrNotApplicable = errors.New("not applicable to this target")

// Conn carries APDUs to one logical device as one client.
type Conn interface {
	// Exchange sends an APDU and gives the reply, nil if the meter keeps silent.
	Exchange(apdu []byte) ([]byte, error)
	// Close ends the link.
	Close() error
}

// Line carries bytes of an HDLC line.
type Line interface {
	// Exchange sends bytes and gives what comes back until the line is quiet, nil if nothing does.
	Exchange(b []byte) ([]byte, error)
	// Wait lets time pass, in seconds.
	Wait(seconds int) error
	Close() error
}

// Credentials open one association.
type Credentials struct {
	Client    uint16
	Mechanism security.Mechanism
	Secret    security.Secret // LLS and HLS other than GMAC
	Ciphered  bool
	Title     security.SystemTitle // of the client
	Keys      security.KeySet
	// Protection of requests in a ciphered association.
	Protection security.Protection
}

// Value is an attribute and an encoded value.
type Value struct {
	Attribute cosem.Attribute
	Data      []byte
}

// Target is a meter under test.
type Target struct {
	Name string
	// Dial opens a link as a client. Required.
	Dial func(client uint16) (Conn, error)
	// Line opens an HDLC line to the meter. Nil makes the HDLC cases not applicable.
	Line func() (Line, error)
	// Server is the upper HDLC address of the management logical device, and Physical its lower one. Zero Server means
	// 1.
	Server, Physical uint16

	// Public is the association without security. Required.
	Public Credentials
	// Low is one with a password. Nil makes its cases not applicable.
	Low *Credentials
	// Open is a ciphered HLS association without a security policy, Strict one whose policy asks for both protections.
	// Nil ones are not applicable.
	Open, Strict *Credentials
	// Counter is the first invocation counter to send; Cases go on from there. 0 means 1.
	Counter uint32

	// Writable may be written with its Data by Open or Low, and put back.
	Writable Value
	// ReadOnly may be read and not written by Public.
	ReadOnly cosem.Attribute
	// Profile is a profile buffer that Public may read.
	Profile cosem.Attribute
	// SecuritySetup is the logical name of the class 64 object. Zero makes key transfer not applicable.
	SecuritySetup cosem.OBIS
	// MayRaisePolicy allows the SecPol cases, which cannot be undone.
	MayRaisePolicy bool
	// Push asks the meter to push and gives the APDU it sends. Nil makes the push case not applicable.
	Push func() ([]byte, error)

	counters map[string]uint32
}

// Case is one conformance test.
type Case struct {
	Suite   string // HDLC, APPL, COSEM, SYMSEC_0
	Name    string // as published
	Purpose string
	run     func(*Target) error
}

// Run executes the case.
func (c Case) Run(t *Target) error {
	if err := c.run(t); err != nil {
		return fmt.Errorf("%s: %w", c.Name, err)
	}
	return nil
}

// Cases lists all tests.
func Cases() []Case {
	var all []Case
	for _, s := range []struct {
		name  string
		cases []Case
	}{{"HDLC", hdlcCases()}, {"APPL", applCases()}, {"COSEM", cosemCases()}, {"SYMSEC_0", symsecCases()}} {
		for _, c := range s.cases {
			c.Suite = s.name
			all = append(all, c)
		}
	}
	return all
}

func failf(format string, args ...any) error { return fmt.Errorf(format, args...) }
