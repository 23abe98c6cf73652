package server_test

import (
	"crypto/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/dlms/acse"
	"smets1/dlms/apdu"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/hdlc"
	"smets1/dlms/security"
	"smets1/dlms/server"
	"smets1/dlms/server/ctt"
)

// The traps others fell into (found by running independent servers and clients), and the tests that keep us out of them:
//
//	 1  RLRE with a length too short           acse TestReleaseAsOthersAnswer, TestVectors; ours: TestTrapReleaseLength
//	 2  the same nonce over associations       TestNoNonceTwice, TestKeyringNeverRepeatsACounter
//	 3  challenges from an unseeded generator  TestTrapChallenges
//	 3a first counter 0                        TestNoNonceTwice
//	 4  association outlives the TCP stream    TestStreamCutAnywhere, edge TestPush
//	 5  FRMR on a bad HCS                      TestTrapBadHCS, ctt HDLC_FRAME_N*
//	 6  stream out of step after junk          TestStreamCutAnywhere, TestBadInput, wrapper TestDecoderResync
//	 7  80 02 07 80 in an AARE                 acse TestAARE, TestVectors; ours: TestTrapAARE
//	 8  diagnostic 14 with HLS is no failure   TestTrapAARE, acse TestAAREErr
//	 9  replay answered in clear               TestReplay
//	10  key_transfer answered under the old key  TestKeyTransferAtOnce, client TestServerKeyTransfer
//	11  general blocks of ciphered APDUs       TestSmallAPDUs, TestSizes, client TestGeneralBlocks
//	12  block numbers start at 1               TestTrapBlockNumbers, client TestGetBlocks
//	13  one client for each server object      TestTrapTwoConnections, TestSeveralAssociations
//	14  mode E echoes the acknowledgement      transport/serial, with mode E
//	15  the invoke-id is echoed                TestTrapInvokeID, client TestInvokeIDNotEchoed
//	16  counters near FFFFFFFF                 TestTrapCountersRunOut, security TestSendCounter

func TestTrapReleaseLength(t *testing.T) {
	m := ctt.NewReference(0)
	x := newClient(t, m, m.Management(), 1).open(0, everyBit)
	plain, err := apdu.InitiateRequest{Version: 6, Conformance: everyBit}.AppendBinary(nil)
	require.NoError(t, err)
	q, err := acse.RLRQ{UserInformation: x.seal(apdu.TagGloInitiateRequest, plain)}.AppendBinary(nil)
	require.NoError(t, err)
	reply := x.raw(q)
	require.Equal(t, byte(acse.TagRLRE), reply[0])
	require.Len(t, reply, 2+int(reply[1]), "the length says it all")
	_, n, err := acse.ParseRLRE(reply)
	require.NoError(t, err)
	require.Len(t, reply, n)
}

func TestTrapChallenges(t *testing.T) {
	m := ctt.NewReference(0)
	m.Device.Rand = rand.Reader
	seen := map[string]bool{string(passOne): true}
	for link := range uint64(50) {
		x := newClient(t, m, m.Management(), link)
		x.follow = true
		r, _, err := acse.ParseAARE(x.raw(x.aarq(0, everyBit)))
		require.NoError(t, err)
		challenge := string(r.Authentication.Bytes())
		require.False(t, seen[challenge])
		seen[challenge] = true
		m.Device.Disconnect(link)
	}
}

func TestTrapBadHCS(t *testing.T) {
	m := ctt.NewReference(0)
	l := server.NewLine(server.LineConfig{Host: server.Devices{m.Device}})
	frame := func(c hdlc.Control, info []byte) []byte {
		f, err := hdlc.Frame{Destination: hdlc.Server1(1), Source: hdlc.Client(16), Control: c, Info: info}.AppendBinary(nil)
		require.NoError(t, err)
		return f
	}
	l.Input(m.Now, frame(hdlc.Control{Kind: hdlc.SNRM, Final: true}, nil))
	require.NotEmpty(t, l.Output())
	good := frame(hdlc.Control{Kind: hdlc.I, Final: true}, append([]byte{0xE6, 0xE6, 0}, newClient(t, m, public(), 0).aarq(0, everyBit)...))
	bad := append([]byte(nil), good...)
	bad[6] ^= 1 // the first byte of the HCS
	l.Input(m.Now, bad)
	require.Empty(t, l.Output(), "silence")
	l.Input(m.Now, good)
	require.NotEmpty(t, l.Output(), "and the line goes on")
	require.Equal(t, 1, m.Device.Open())
}

func TestTrapAARE(t *testing.T) {
	m := ctt.NewReference(0)
	x := newClient(t, m, m.Management(), 1)
	r, _, err := acse.ParseAARE(x.raw(x.aarq(0, everyBit)))
	require.NoError(t, err)
	require.Equal(t, acse.ResultAccepted, r.Result)
	require.Equal(t, acse.DiagnosticAuthenticationRequired, r.Diagnostic)
	require.True(t, r.Pending())
	// A protocol version and requirements in the AARQ, as some send them, are no reason to refuse.
	for _, aarq := range []string{
		"6021" + "80020780" + "A109060760857405080101" + "BE10040E01000000065F1F0400" + "7EFFFF" + "0000",
		"6025" + "80020780" + "A109060760857405080101" + "8A020700" + "BE10040E01000000065F1F0400" + "7EFFFF" + "0000",
	} {
		y := newClient(t, m, public(), 2)
		a, _, err := acse.ParseAARE(y.raw(unhex(t, aarq)))
		require.NoError(t, err)
		require.NoError(t, a.Err(), aarq)
	}
}

func TestTrapBlockNumbers(t *testing.T) {
	x := newClient(t, ctt.NewReference(0), public(), 1).open(100, everyBit&^cosem.ConfGeneralBlockTransfer)
	r, _, err := apdu.ParseGetResponseBlock(x.send(getRequest(t, objects, apdu.Selection{})))
	require.NoError(t, err)
	require.Equal(t, uint32(1), r.Number)
	// A first block of a request with number 0 is refused, not stored.
	first, err := apdu.SetRequestFirstBlock{InvokeID: 0xC1, Attribute: note, Block: apdu.DataBlock{Number: 0, Raw: axdr.AppendUint32(nil, 1)}}.AppendBinary(nil)
	require.NoError(t, err)
	last, _, err := apdu.ParseSetResponseLastBlock(x.send(first))
	require.NoError(t, err)
	require.Equal(t, cosem.DataBlockNumberInvalid, last.Result)
}

func TestTrapTwoConnections(t *testing.T) {
	m := ctt.NewReference(0)
	a := newClient(t, m, m.Management(), 1)
	a.follow = true
	a.open(100, everyBit&^cosem.ConfGeneralBlockTransfer)
	r, _, err := apdu.ParseGetResponseBlock(a.send(getRequest(t, objects, apdu.Selection{})))
	require.NoError(t, err)
	require.False(t, r.Last)
	// The same client on another connection, and its end, leave the first in the middle of its blocks.
	b := newClient(t, m, m.Management(), 2)
	b.follow = true
	b.open(0, everyBit)
	require.Equal(t, cosem.Success, b.get(name, apdu.Selection{}).Result)
	m.Device.Disconnect(2)
	next, err := apdu.GetRequestNext{InvokeID: 0xC1, Number: 1}.AppendBinary(nil)
	require.NoError(t, err)
	r, _, err = apdu.ParseGetResponseBlock(a.send(next))
	require.NoError(t, err)
	require.Equal(t, uint32(2), r.Number)
	require.Equal(t, cosem.Success, r.Result)
}

func TestTrapInvokeID(t *testing.T) {
	x := newClient(t, ctt.NewReference(0), public(), 1).open(0, everyBit)
	for id := range 256 {
		b := getRequest(t, name, apdu.Selection{})
		b[2] = byte(id)
		reply := x.raw(b)
		require.Equal(t, byte(id), reply[2])
		// What does not exist too.
		b = getRequest(t, cosem.Attribute{Class: 1, ID: 2}, apdu.Selection{})
		b[2] = byte(id)
		require.Equal(t, byte(id), x.raw(b)[2])
	}
}

// TestTrapCountersRunOut: a device whose counter runs out stops sending under its key, and goes on under a new one.
func TestTrapCountersRunOut(t *testing.T) {
	m := ctt.NewReference(0)
	m.Keyring.Restore(server.Snapshot{Keys: m.Keys, Version: 1, NextTx: security.CounterMax - 5})
	x := newClient(t, m, m.Management(), 1).open(0, everyBit) // three counters: AARE, f(CtoS) and the APDU around it
	require.Equal(t, cosem.Success, x.get(name, apdu.Selection{}).Result)
	next := m.Keys
	next.GUEK = key(t, 0x51)
	require.Equal(t, unhex(t, "C701C10000"), x.decipher(x.transfer(next)))
	// The last counter went with the answer to key_transfer; the key is new, and so is the count.
	x.c.Keys, x.ic = next, 0
	var err error
	x.cipher, err = next.Cipher(security.Suite0)
	require.NoError(t, err)
	require.Equal(t, cosem.Success, x.get(name, apdu.Selection{}).Result)
	require.Equal(t, uint32(2), m.Keyring.PeekTx())
	// Without the change there is no further answer under that key.
	m = ctt.NewReference(0)
	m.Keyring.Restore(server.Snapshot{Keys: m.Keys, Version: 1, NextTx: security.CounterMax - 3})
	y := newClient(t, m, m.Management(), 1).open(0, everyBit)
	for range 3 {
		require.Equal(t, unhex(t, "D80101"), y.raw(y.seal(apdu.TagGloGetRequest, getRequest(t, name, apdu.Selection{}))), "in clear, and nothing else")
	}
}
