package client

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/dlms/apdu"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/security"
	"smets1/dlms/server"
)

// open makes a client whose association is already there, over a script.
func open(t *testing.T, cfg Config, steps ...scriptStep) (*Client, *scriptLink) {
	t.Helper()
	link := &scriptLink{t: t, steps: steps}
	c := newClient(link, cfg)
	c.conformance, c.serverPDU = DefaultConformance, 0xFFFF
	t.Cleanup(func() { require.Empty(t, link.steps, "requests that were not made") })
	return c, link
}

var (
	clock2   = cosem.Attribute{Class: 8, Instance: cosem.Clock, ID: 2}
	data2    = cosem.Attribute{Class: 1, Instance: cosem.MustOBIS("0-0:96.1.0.255"), ID: 2}
	register = cosem.MustOBIS("1-0:1.8.0.255")
	method1  = cosem.Method{Class: 3, Instance: register, ID: 1}
)

const (
	getData2 = "C001C1 0001 0000600100FF 02 00"
	getAgain = "C001C2 0001 0000600100FF 02 00"
)

// x is n times the hexadecimal of "x".
func x(n int) string { return strings.Repeat("78", n) }

func TestGet(t *testing.T) {
	c, _ := open(t, Config{},
		scriptStep{getData2, []string{"C401C1 00 0902ABCD"}},
		scriptStep{getAgain, []string{"C401C2 01 04"}},
	)
	raw, err := c.Get(t.Context(), data2)
	require.NoError(t, err)
	require.Equal(t, unhex(t, "0902ABCD"), raw)

	_, err = c.Get(t.Context(), data2)
	var access *AccessError
	require.ErrorAs(t, err, &access)
	require.Equal(t, cosem.ObjectUndefined, access.Result)
	require.ErrorIs(t, err, cosem.ObjectUndefined)
	require.EqualError(t, err, "client: get 1/0-0:96.1.0.255/2: "+cosem.ObjectUndefined.Error())
	require.NoError(t, c.Err())
}

// Trap 15: the invoke-id must be echoed. What comes with another one answers an earlier request.
func TestStaleAnswers(t *testing.T) {
	var notified []string
	c, _ := open(t, Config{Notify: func(b []byte) { notified = append(notified, hex.EncodeToString(b)) }},
		scriptStep{getData2, []string{
			"C401CF 00 1199",           // the answer to a request long ago
			"C501C1 00",                // another service's
			"6303800100",               // a release response of another client on this line (u9n issue 95)
			"0F00000001 00 1105",       // a notification
			"C200 000107FF 0000000002", // too short for anything
			"C401C1 00 1101",
		}},
		scriptStep{getAgain, repeat("C401C1 00 1101", maxStale+1)},
	)
	v, err := c.GetUint(t.Context(), data2)
	require.NoError(t, err)
	require.EqualValues(t, 1, v)
	require.Equal(t, []string{"0f00000001001105", "c200000107ff0000000002"}, notified)

	_, err = c.Get(t.Context(), data2)
	require.ErrorIs(t, err, ErrProtocol)
	_, err = c.Get(t.Context(), data2)
	require.ErrorIs(t, err, ErrLost)
	require.ErrorIs(t, err, ErrProtocol)
}

// A server that does not echo the invoke-id, as Gurux Python where an object is undefined, is named as the likely reason
// of the timeout; Config.AnyInvokeID takes its answers.
func TestInvokeIDNotEchoed(t *testing.T) {
	c, link := open(t, Config{}, scriptStep{getData2, []string{"C401C5 01 04"}})
	link.end = os.ErrDeadlineExceeded
	_, err := c.Get(t.Context(), data2)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.ErrorContains(t, err, "an answer came with invoke-id 5 instead of 1")
	c, _ = open(t, Config{AnyInvokeID: true}, scriptStep{getData2, []string{"C401C5 01 04"}})
	_, err = c.Get(t.Context(), data2)
	require.ErrorIs(t, err, cosem.ObjectUndefined)
}

func repeat(s string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = s
	}
	return out
}

func TestExceptions(t *testing.T) {
	c, _ := open(t, Config{},
		scriptStep{getData2, []string{"D80101"}},
		scriptStep{getAgain, []string{"0E050303"}},
		scriptStep{"C001C3 0001 0000600100FF 02 00", []string{"D8010600000123"}},
	)
	_, err := c.Get(t.Context(), data2)
	var e *ExceptionError
	require.ErrorAs(t, err, &e)
	require.ErrorContains(t, err, "Check the client address")
	var plain apdu.Exception
	require.ErrorAs(t, err, &plain)
	_, err = c.Get(t.Context(), data2)
	var s *ServiceError
	require.ErrorAs(t, err, &s)
	_, err = c.Get(t.Context(), data2)
	require.ErrorAs(t, err, &e)
	expected, ok := e.ExpectedCounter()
	require.True(t, ok)
	require.EqualValues(t, 0x123, expected)
	require.NoError(t, c.Err())
}

func TestGetBlocks(t *testing.T) {
	c, _ := open(t, Config{},
		scriptStep{getData2, []string{"C402C1 00 00000001 00 03 0904AA"}},
		scriptStep{"C002C1 00000001", []string{"C402C1 00 00000002 00 02 BBCC"}},
		scriptStep{"C002C1 00000002", []string{"C402C1 01 00000003 00 01 DD"}},
	)
	raw, err := c.AppendGet(t.Context(), []byte("kept"), data2, Selection{})
	require.NoError(t, err)
	require.Equal(t, append([]byte("kept"), unhex(t, "0904AABBCCDD")...), raw)
}

// A server that lost the transfer says 16, Gurux says 19 in either form; the read starts over, once.
func TestGetBlocksLost(t *testing.T) {
	for _, gone := range []string{"C402C1 01 00000002 01 10", "C402C1 01 00000002 01 13", "C401C1 01 13", "C401C1 01 0F"} {
		c, _ := open(t, Config{},
			scriptStep{getData2, []string{"C402C1 00 00000001 00 03 0904AA"}},
			scriptStep{"C002C1 00000001", []string{gone}},
			scriptStep{getAgain, []string{"C401C2 00 0904AABBCCDD"}},
		)
		raw, err := c.Get(t.Context(), data2)
		require.NoError(t, err)
		require.Equal(t, unhex(t, "0904AABBCCDD"), raw)
	}
	c, _ := open(t, Config{},
		scriptStep{getData2, []string{"C401C1 01 10"}},
		scriptStep{getAgain, []string{"C401C2 01 10"}},
	)
	_, err := c.Get(t.Context(), data2)
	require.ErrorIs(t, err, cosem.NoLongGetInProgress)
}

func TestGetBlocksBad(t *testing.T) {
	for name, second := range map[string]string{
		"out of order": "C402C1 00 00000003 00 02 BBCC",
		"again":        "C402C1 00 00000001 00 02 BBCC",
		"truncated":    "C402C1 00 00000002 00 05 BBCC",
		"not a block":  "C403C1 01 00 1101",
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := open(t, Config{},
				scriptStep{getData2, []string{"C402C1 00 00000001 00 03 0904AA"}},
				scriptStep{"C002C1 00000001", []string{second}},
			)
			_, err := c.Get(t.Context(), data2)
			require.Error(t, err)
			require.ErrorIs(t, c.Err(), ErrLost)
		})
	}
	c, _ := open(t, Config{MaxData: 4},
		scriptStep{getData2, []string{"C402C1 00 00000001 00 03 0904AA"}},
		scriptStep{"C002C1 00000001", []string{"C402C1 00 00000002 00 02 BBCC"}},
	)
	_, err := c.Get(t.Context(), data2)
	require.ErrorContains(t, err, "MaxData")
	c, _ = open(t, Config{}, scriptStep{getData2, []string{"C402C1 01 00000001 00 03 0904AA"}})
	_, err = c.Get(t.Context(), data2)
	require.ErrorContains(t, err, "not one value")
}

func TestGetList(t *testing.T) {
	items := []GetItem{{Attribute: data2}, {Attribute: clock2}}
	const request = "C003C1 02 0001 0000600100FF 02 00 0008 0000010000FF 02 00"
	want := []Result{{Data: unhex(t, "1105")}, {Err: &AccessError{Op: "get", Attribute: clock2, Result: cosem.ReadWriteDenied}}}
	c, _ := open(t, Config{}, scriptStep{request, []string{"C403C1 02 00 1105 01 03"}})
	got, err := c.GetList(t.Context(), items...)
	require.NoError(t, err)
	require.Equal(t, want, got)

	// In blocks: they carry the count, too.
	c, _ = open(t, Config{},
		scriptStep{request, []string{"C402C1 00 00000001 00 03 020011"}},
		scriptStep{"C002C1 00000001", []string{"C402C1 01 00000002 00 03 050103"}})
	got, err = c.GetList(t.Context(), items...)
	require.NoError(t, err)
	require.Equal(t, want, got)

	// One by one where lists were not negotiated.
	c, _ = open(t, Config{},
		scriptStep{getData2, []string{"C401C1 00 1105"}},
		scriptStep{"C001C2 0008 0000010000FF 02 00", []string{"C401C2 01 03"}})
	c.conformance &^= cosem.ConfMultipleReferences
	got, err = c.GetList(t.Context(), items...)
	require.NoError(t, err)
	require.Equal(t, want, got)

	// More than a request holds goes in several.
	c, _ = open(t, Config{},
		scriptStep{"C003C1 01 0001 0000600100FF 02 00", []string{"C403C1 01 00 1105"}},
		scriptStep{"C003C2 01 0008 0000010000FF 02 00", []string{"C403C2 01 01 03"}})
	c.serverPDU = 20
	got, err = c.GetList(t.Context(), items...)
	require.NoError(t, err)
	require.Equal(t, want, got)

	// A server that counts wrong.
	c, _ = open(t, Config{}, scriptStep{request, []string{"C403C1 01 00 1105"}})
	_, err = c.GetList(t.Context(), items...)
	require.ErrorIs(t, err, ErrProtocol)
}

func TestSet(t *testing.T) {
	c, _ := open(t, Config{},
		scriptStep{"C101C1 0001 0000600100FF 02 00 1107", []string{"C501C1 00"}},
		scriptStep{"C101C2 0001 0000600100FF 02 00 1107", []string{"C501C2 03"}},
	)
	require.NoError(t, c.Set(t.Context(), data2, unhex(t, "1107")))
	err := c.SetAxdr(t.Context(), data2, axdr.Uint8(7))
	require.ErrorIs(t, err, cosem.ReadWriteDenied)
	require.ErrorContains(t, err, "set 1/0-0:96.1.0.255/2")
}

func TestSetBlocks(t *testing.T) {
	value := append([]byte{9, 20}, strings.Repeat("x", 20)...)
	c, _ := open(t, Config{},
		// 13 bytes of descriptor, up to 8 around the block: 30 hold 9 of them.
		scriptStep{"C102C1 0001 0000600100FF 02 00 00 00000001 09 0914" + x(7), []string{"C502C1 00000001"}},
		scriptStep{"C103C1 01 00000002 0D" + x(13), []string{"C503C1 00 00000002"}},
	)
	c.serverPDU = 30
	require.NoError(t, c.Set(t.Context(), data2, value))

	c, _ = open(t, Config{})
	c.serverPDU, c.conformance = 30, c.conformance&^(cosem.ConfBlockTransferSet|cosem.ConfGeneralBlockTransfer)
	require.ErrorIs(t, c.Set(t.Context(), data2, value), ErrTooLong)

	// The server may end the transfer early.
	c, _ = open(t, Config{}, scriptStep{"", []string{"C503C1 11 00000001"}})
	c.serverPDU = 30
	require.ErrorIs(t, c.Set(t.Context(), data2, value), cosem.LongSetAborted)
	// But not acknowledge for ever.
	c, _ = open(t, Config{}, scriptStep{"", []string{"C502C1 00000001"}}, scriptStep{"", []string{"C502C1 00000002"}})
	c.serverPDU = 30
	require.ErrorIs(t, c.Set(t.Context(), data2, value), ErrProtocol)
}

func TestSetList(t *testing.T) {
	items := []SetItem{{Attribute: data2, Data: unhex(t, "090A"+x(10))}, {Attribute: clock2, Data: unhex(t, "1102")}}
	const names = "02 0001 0000600100FF 02 00 0008 0000010000FF 02 00"
	want := []error{nil, &AccessError{Op: "set", Attribute: clock2, Result: cosem.TypeUnmatched}}
	c, _ := open(t, Config{}, scriptStep{"C104C1 " + names + " 02 090A" + x(10) + "1102", []string{"C505C1 02 00 0C"}})
	got, err := c.SetList(t.Context(), items...)
	require.NoError(t, err)
	require.Equal(t, want, got)

	c, _ = open(t, Config{},
		scriptStep{"C105C1 " + names + " 00 00000001 04 02090A78", []string{"C502C1 00000001"}},
		scriptStep{"C103C1 01 00000002 0B" + x(9) + "1102", []string{"C504C1 02 00 0C 00000002"}})
	c.serverPDU = 36
	got, err = c.SetList(t.Context(), items...)
	require.NoError(t, err)
	require.Equal(t, want, got)

	c, _ = open(t, Config{},
		scriptStep{"C101C1 0001 0000600100FF 02 00 090A" + x(10), []string{"C501C1 00"}},
		scriptStep{"C101C2 0008 0000010000FF 02 00 1102", []string{"C501C2 0C"}})
	c.conformance &^= cosem.ConfMultipleReferences
	got, err = c.SetList(t.Context(), items...)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestAction(t *testing.T) {
	const call = "C301%s 0003 0100010800FF 01 01 0F00"
	for _, tt := range []struct {
		answer, want string
		err          error
	}{
		{"C701C1 00 00", "", nil},
		{"C701C1 00 01 00 1105", "1105", nil},
		{"C701C1 00 01 01 00", "", nil}, // Gurux, for a method that returns nothing
		{"C701C1 00 01 01 0B", "", cosem.ObjectUnavailable},
		{"C701C1 03 00", "", cosem.ActionReadWriteDenied},
		{"C702C1 01 00000001 02 1105", "1105", nil},
		{"C702C1 01 00000001 03 001105", "1105", nil}, // with the choice before the data
		{"C702C1 01 00000001 03 221105", "", ErrProtocol},
	} {
		c, _ := open(t, Config{}, scriptStep{fmt.Sprintf(call, "C1"), []string{tt.answer}})
		got, err := c.ActionAxdr(t.Context(), method1, axdr.Int8(0))
		require.ErrorIs(t, err, tt.err)
		require.Equal(t, tt.want, strings.ToUpper(hex.EncodeToString(got)), tt.answer)
	}
}

func TestActionBlocks(t *testing.T) {
	value := append([]byte{9, 20}, strings.Repeat("x", 20)...)
	c, _ := open(t, Config{},
		scriptStep{"C304C1 0003 0100010800FF 01 00 00000001 0A 0914" + x(8), []string{"C704C1 00000001"}},
		scriptStep{"C306C1 01 00000002 0C" + x(12), []string{"C702C1 00 00000001 03 0904AA"}},
		scriptStep{"C302C1 00000001", []string{"C702C1 01 00000002 03 BBCCDD"}},
	)
	c.serverPDU = 30
	got, err := c.Action(t.Context(), method1, value)
	require.NoError(t, err)
	require.Equal(t, unhex(t, "0904AABBCCDD"), got)
}

func TestActionList(t *testing.T) {
	items := []ActionItem{{Method: method1}, {Method: method1, Data: unhex(t, "1101")}}
	c, _ := open(t, Config{}, scriptStep{
		"C303C1 02 0003 0100010800FF 01 0003 0100010800FF 01 02 00 1101", []string{"C703C1 02 00 01 00 1105 03 00"},
	})
	got, err := c.ActionList(t.Context(), items...)
	require.NoError(t, err)
	require.Equal(t, []Result{{Data: unhex(t, "1105")}, {Err: &ActionError{Method: method1, Result: cosem.ActionReadWriteDenied}}}, got)
}

// General block transfer as Gurux does it: acknowledged block by block, our block numbers counting up.
func TestGeneralBlocks(t *testing.T) {
	c, _ := open(t, Config{},
		scriptStep{getData2, []string{"E0 01 0001 0000 04 C401C100"}},
		scriptStep{"E0 81 0001 0001 00", []string{"E0 01 0003 0001 01 CC"}},   // block 2 is missing
		scriptStep{"E0 81 0002 0001 00", []string{"E0 41 0002 0002 02 0904"}}, // streaming, yet it waits
		scriptStep{"E0 81 0003 0002 00", []string{"E0 41 0003 0003 02 AABB"}},
		scriptStep{"E0 81 0004 0003 00", []string{"E0 81 0004 0004 02 CCDD"}},
		scriptStep{getAgain, []string{"E0 01 0001 0000 04 C401C200"}},
		scriptStep{"E0 81 0001 0001 00", []string{"D80101"}},
	)
	raw, err := c.Get(t.Context(), data2)
	require.NoError(t, err)
	require.Equal(t, unhex(t, "0904AABBCCDD"), raw)
	_, err = c.Get(t.Context(), data2)
	require.ErrorContains(t, err, "middle of a general block transfer")
}

// A request longer than a PDU goes in general blocks where the service's own are not negotiated.
func TestGeneralBlocksSent(t *testing.T) {
	value := append([]byte{9, 12}, strings.Repeat("x", 12)...)
	c, _ := open(t, Config{},
		scriptStep{"E0 01 0001 0000 0B C101C1 0001 0000600100FF", []string{"E0 81 0001 0001 00"}},
		scriptStep{"E0 01 0002 0000 0B 02 00 090C" + x(7), []string{"E0 81 0002 0001 00"}}, // lost: again
		scriptStep{"E0 01 0002 0000 0B 02 00 090C" + x(7), []string{"E0 81 0003 0002 00"}},
		scriptStep{"E0 81 0003 0000 05" + x(5), []string{"E0 01 0004 0003 02 C501"}},
		scriptStep{"E0 81 0004 0004 00", []string{"E0 81 0005 0003 02 C100"}},
	)
	c.serverPDU, c.conformance = 20, c.conformance&^cosem.ConfBlockTransferSet
	require.NoError(t, c.Set(t.Context(), data2, value))
}

// ciphered gives a client and the server's half of its association.
func ciphered(t *testing.T, cfg Config, steps ...scriptStep) (*Client, *scriptLink, *security.Cipher) {
	t.Helper()
	key, err := security.ParseKey("000102030405060708090A0B0C0D0E0F")
	require.NoError(t, err)
	auth, err := security.ParseKey("D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF")
	require.NoError(t, err)
	cfg.Keys = security.KeySet{GUEK: key, GAK: auth}
	cfg.SystemTitle = security.SystemTitle(unhex(t, "4D4D4D0000BC614E"))
	cfg.ServerTitle = serverTitle
	cfg.Counter = CountFrom(0x01234567)
	c, link := open(t, cfg, steps...)
	c.cipher, err = cfg.Keys.Cipher(security.Suite0)
	require.NoError(t, err)
	server, err := cfg.Keys.Cipher(security.Suite0)
	require.NoError(t, err)
	return c, link, server
}

var serverTitle = security.SystemTitle{'G', 'R', 'X', 0, 0, 0, 0, 1}

func seal(t *testing.T, s *security.Cipher, tag apdu.Tag, sc security.Control, ic uint32, plain string) string {
	t.Helper()
	var b []byte
	var err error
	if tag == apdu.TagGeneralGlo {
		b, err = s.AppendGeneral(nil, byte(tag), serverTitle, sc, ic, unhex(t, plain))
	} else {
		b, err = s.AppendService(nil, byte(tag), serverTitle, sc, ic, unhex(t, plain))
	}
	require.NoError(t, err)
	return hex.EncodeToString(b)
}

func TestCiphered(t *testing.T) {
	// The request is the Green Book's own vector, but for the invoke-id.
	c, link, server := ciphered(t, Config{})
	link.steps = []scriptStep{
		{"", []string{seal(t, server, apdu.TagGloGetResponse, 0x30, 1, "C401C1001101")}},
		{"", []string{seal(t, server, apdu.TagGeneralGlo, 0x30, 2, "C401C2001102")}},
		{"", []string{"D8010601234569"}}, // trap 9: in the clear
	}
	v, err := c.GetUint(t.Context(), data2)
	require.NoError(t, err)
	require.EqualValues(t, 1, v)
	require.Equal(t, unhex(t, "C8 1E 30 01234567"), link.sent[0][:7])
	v, err = c.GetUint(t.Context(), data2)
	require.NoError(t, err)
	require.EqualValues(t, 2, v)
	_, err = c.Get(t.Context(), data2)
	var e *ExceptionError
	require.ErrorAs(t, err, &e)
	require.True(t, e.Ciphered)
	require.EqualValues(t, 0x01234569, e.Sent)
	require.ErrorContains(t, err, "go on above")
	require.NoError(t, c.Err())
}

func TestCipheredRefusals(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer func(s *security.Cipher) string
		want   error
	}{
		{"replay", func(s *security.Cipher) string {
			return seal(t, s, apdu.TagGloGetResponse, 0x30, 4, "C401C1001101")
		}, &security.ReplayError{Got: 4, Expected: 5}},
		{"in the clear", func(*security.Cipher) string { return "C401C1001101" }, ErrUnprotected},
		{"not authenticated", func(s *security.Cipher) string {
			return seal(t, s, apdu.TagGloGetResponse, 0x20, 9, "C401C1001101")
		}, ErrUnprotected},
		{"another title", func(s *security.Cipher) string {
			return strings.Replace(seal(t, s, apdu.TagGeneralGlo, 0x30, 9, "C401C1001101"), "47525800", "47525900", 1)
		}, ErrProtocol},
		{"damaged", func(s *security.Cipher) string {
			b := seal(t, s, apdu.TagGloGetResponse, 0x30, 9, "C401C1001101")
			return b[:len(b)-2] + "00"
		}, security.ErrDecipher},
		{"dedicated without a key", func(s *security.Cipher) string {
			return seal(t, s, apdu.TagDedGetResponse, 0x30, 9, "C401C1001101")
		}, ErrProtocol},
		{"signed, cut short", func(*security.Cipher) string { return "DF00" }, axdr.ErrTruncated},
		{"empty", func(s *security.Cipher) string { return seal(t, s, apdu.TagGloGetResponse, 0x30, 9, "") }, ErrProtocol},
		{"short", func(*security.Cipher) string { return "CC0530000000" }, axdr.ErrTruncated},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, link, server := ciphered(t, Config{})
			*c.cfg.ServerCounter = security.NewReceiveCounter(5)
			link.steps = []scriptStep{{"", []string{tt.answer(server)}}}
			_, err := c.Get(t.Context(), data2)
			var want, got *security.ReplayError
			if errors.As(tt.want, &want) {
				require.ErrorAs(t, err, &got)
				require.Equal(t, want, got)
			} else {
				require.ErrorIs(t, err, tt.want)
			}
			require.ErrorIs(t, c.Err(), ErrLost)
		})
	}
}

// Reading into memory that is there does not allocate.
func TestGetAllocates(t *testing.T) {
	for _, sap := range []uint16{sapPublic, sapManage} {
		meter, _ := newMeter(t)
		link := linkFunc(func(request, dst []byte) []byte {
			return meter.Serve(time.Now(), server.Peer{Link: 1, Client: sap}, request, dst)
		})
		cfg := Config{}
		if sap == sapManage {
			cfg = managed(t)
		}
		c, err := Associate(t.Context(), &bufferedLink{serve: link}, cfg)
		require.NoError(t, err)
		buf := make([]byte, 0, 64)
		n := testing.AllocsPerRun(200, func() {
			var err error
			buf, err = c.AppendGet(t.Context(), buf[:0], data2, Selection{})
			require.NoError(t, err)
		})
		require.Zero(t, n)
	}
}

type linkFunc func(request, dst []byte) []byte

// bufferedLink serves in place, as the links of this package do: without a context of its own.
type bufferedLink struct {
	serve linkFunc
	buf   []byte
}

func (l *bufferedLink) RoundTrip(ctx context.Context, b []byte) ([]byte, error) {
	return l.roundTripBy(ctx, nil, b)
}

func (l *bufferedLink) roundTripBy(_ context.Context, _ <-chan time.Time, b []byte) ([]byte, error) {
	l.buf = l.serve(b, l.buf[:0])
	return l.buf, nil
}

func (l *bufferedLink) receiveBy(context.Context, <-chan time.Time) ([]byte, error) {
	return nil, errScript
}
func (l *bufferedLink) Close() error { return nil }
