package apdu

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// sink keeps the compiler from dropping what is measured.
var sink int

// TestAllocations holds the reading and writing of every form that travels
// often to no allocation at all.
func TestAllocations(t *testing.T) {
	getNormal := un(t, "C001C100030100010800FF0200")
	getRange := un(t, "C001C100070100630100FF0201010204020412000809060000010000FF0F02120000090C07E90A0104000000000000FF090C07E90A0204000000000000FF0100")
	getNext := un(t, "C002C100000001")
	getList := un(t, "C003C10200030100010800FF020000030100010800FF0300")
	response := un(t, "C401C1000600000064")
	block := un(t, "C402C100000000010004AABBCCDD")
	responses := un(t, "C403C1020006000000640104")
	set := un(t, "C101C100010000600100FF02000904DEADBEEF")
	setBlock := un(t, "C103C101000000020400112233")
	setResponse := un(t, "C501C100")
	action := un(t, "C301C10046000060030AFF01010F00")
	actionResponse := un(t, "C701C1000100090411223344")
	access := un(t, "D94000000000020100030100010800FF020200010000600100FF0202000904DEADBEEF")
	notification := un(t, "0F000000010C07EA0B1802000000FF80000002010600000064")
	initiate := un(t, "01000000065F1F0400621E5DFFFF")
	gbt := un(t, "E0C10001000003AABBCC")
	glo := un(t, "C81E3001234567411312FF935A47566827C467BC7D825C3BE4A77C3FCC056B6B")
	general := un(t, "DB084D4D4D0000BC614E023001")
	gateway := un(t, "E6010800DB1234567890A0")
	out := make([]byte, 0, 256)
	for name, run := range map[string]func() (int, error){
		"get normal":  func() (int, error) { _, n, err := ParseGetRequestNormal(getNormal); return n, err },
		"get range":   func() (int, error) { _, n, err := ParseGetRequestNormal(getRange); return n, err },
		"get next":    func() (int, error) { _, n, err := ParseGetRequestNext(getNext); return n, err },
		"response":    func() (int, error) { _, n, err := ParseGetResponseNormal(response); return n, err },
		"block":       func() (int, error) { _, n, err := ParseGetResponseBlock(block); return n, err },
		"set":         func() (int, error) { _, n, err := ParseSetRequestNormal(set); return n, err },
		"set block":   func() (int, error) { _, n, err := ParseSetRequestBlock(setBlock); return n, err },
		"set resp":    func() (int, error) { _, n, err := ParseSetResponseNormal(setResponse); return n, err },
		"action":      func() (int, error) { _, n, err := ParseActionRequestNormal(action); return n, err },
		"action resp": func() (int, error) { _, n, err := ParseActionResponseNormal(actionResponse); return n, err },
		"push":        func() (int, error) { _, n, err := ParseDataNotification(notification); return n, err },
		"initiate":    func() (int, error) { _, n, err := ParseInitiateRequest(initiate); return n, err },
		"gbt":         func() (int, error) { _, n, err := ParseGeneralBlockTransfer(gbt); return n, err },
		"glo":         func() (int, error) { _, n, err := ParseCiphered(glo); return n, err },
		"general":     func() (int, error) { _, n, err := ParseGeneralGlo(general); return n, err },
		"gateway":     func() (int, error) { _, n, err := ParseGatewayPrefix(gateway); return n, err },
		"get list": func() (int, error) {
			p, n, err := ParseGetRequestList(getList)
			for _, a := range p.Attributes.All() {
				sink += int(a.Attribute.ID)
			}
			return n, err
		},
		"responses": func() (int, error) {
			p, n, err := ParseGetResponseList(responses)
			for _, g := range p.Results.All() {
				sink += len(g.Data)
			}
			return n, err
		},
		"access": func() (int, error) {
			p, n, err := ParseAccessRequest(access)
			for _, s := range p.Specs.All() {
				sink += int(s.Kind)
			}
			for _, d := range p.Data.All() {
				sink += len(d)
			}
			return n, err
		},
		"write response": func() (int, error) {
			b, err := GetResponseNormal{InvokeID: 0xC1, Result: GetResult{Data: response[4:]}}.AppendBinary(out[:0])
			return len(b), err
		},
		"write request": func() (int, error) {
			b, err := GetRequestNormal{InvokeID: 0xC1, Attribute: register}.AppendBinary(out[:0])
			return len(b), err
		},
		"write block": func() (int, error) {
			b, err := GetResponseBlock{InvokeID: 0xC1, Number: 1, Raw: response}.AppendBinary(out[:0])
			return len(b), err
		},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := run()
			require.NoError(t, err)
			require.NotZero(t, n)
			require.Zero(t, testing.AllocsPerRun(100, func() {
				n, _ := run()
				sink += n
			}))
		})
	}
}

func BenchmarkParseGetRequestNormal(b *testing.B) {
	in := un(b, "C001C100030100010800FF0200")
	b.ReportAllocs()
	for b.Loop() {
		_, n, _ := ParseGetRequestNormal(in)
		sink += n
	}
}
