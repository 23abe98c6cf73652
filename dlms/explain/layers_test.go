package explain_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/dlms/apdu"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/explain"
	"smets1/dlms/hdlc"
	"smets1/dlms/security"
	"smets1/dlms/wrapper"
)

const gloGet = "C81E3001234567411312FF935A47566827C467BC7D825C3BE4A77C3FCC056B6B"

var (
	guekHex   = "000102030405060708090A0B0C0D0E0F"
	gakHex    = "D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF"
	greenBook = "4D4D4D0000BC614E"
)

// What keeps ciphered content from being deciphered is told.
func TestNotDeciphered(t *testing.T) {
	guek, gak, sender := key(t, guekHex), key(t, gakHex), title(t, greenBook)
	for name, c := range map[string]struct {
		o    explain.Options
		want string
	}{
		"no keys":    {explain.Options{}, ""},
		"no title":   {explain.Options{Keys: security.KeySet{GUEK: guek, GAK: gak}}, "the system title of the sender is not known"},
		"wrong key":  {explain.Options{Keys: security.KeySet{GUEK: gak, GAK: gak}, ClientTitle: sender}, "check the encryption key"},
		"no GUEK":    {explain.Options{Keys: security.KeySet{GAK: gak}, ClientTitle: sender}, "the GUEK is not known"},
		"short keys": {explain.Options{Keys: security.KeySet{GUEK: key(t, guekHex+guekHex), GAK: gak}, ClientTitle: sender}, "not deciphered"},
	} {
		e := explain.New(c.o).Explain(unhex(t, gloGet))
		covered(t, e)
		require.Len(t, e.Layers, 1, name)
		if c.want == "" {
			require.NoError(t, e.Err(), name)
			continue
		}
		require.ErrorContains(t, e.Err(), c.want, name)
	}
}

// Without the GAK content can be read and not be trusted.
func TestDecipherWithoutGAK(t *testing.T) {
	e := explain.New(explain.Options{Keys: security.KeySet{GUEK: key(t, guekHex)}, ClientTitle: title(t, greenBook)}).Explain(unhex(t, gloGet))
	covered(t, e)
	require.NoError(t, e.Err())
	require.Contains(t, e.Layers[1].Name, "not checked because the GAK is not known")
	require.Equal(t, unhex(t, "C0010000080000010000FF0200"), e.Layers[1].Bytes)
}

// A title that either side may have is tried for both.
func TestTitleOfTheOtherSide(t *testing.T) {
	e := explain.New(explain.Options{
		Keys: security.KeySet{GUEK: key(t, guekHex), GAK: key(t, gakHex)}, ServerTitle: title(t, greenBook),
	}).Explain(unhex(t, gloGet))
	require.NoError(t, e.Err())
	require.Len(t, e.Layers, 2)
}

// The dedicated key of an initiate request deciphers what comes after it, and
// is never shown unless asked for.
func TestDedicatedKey(t *testing.T) {
	keys := security.KeySet{GUEK: key(t, guekHex), GAK: key(t, gakHex)}
	x := explain.New(explain.Options{Keys: keys, ClientTitle: title(t, greenBook)})
	e := x.Explain(unhex(t, "21303001234567801302FF8A7874133D414CED25B42534D28DB0047720606B175BD52211BE6841DB204D39EE6FDB8E356855"))
	require.NoError(t, e.Err())
	const dedicated = "00112233445566778899AABBCCDDEEFF"
	require.NotContains(t, strings.ReplaceAll(e.String(), " ", ""), "AABBCCDDEEFF")
	text, err := e.JSON(explain.Style{})
	require.NoError(t, err)
	require.True(t, json.Valid(text))
	require.NotContains(t, string(text), dedicated)
	text, err = e.JSON(explain.Style{Secrets: true})
	require.NoError(t, err)
	require.Contains(t, string(text), dedicated)
	var s strings.Builder
	require.NoError(t, e.Write(&s, explain.Style{Secrets: true}))
	require.Contains(t, s.String(), dedicated)

	c, err := security.NewCipher(security.Suite0, key(t, dedicated), keys.GAK)
	require.NoError(t, err)
	get := unhex(t, "C001C100080000010000FF0200")
	b, err := c.AppendService(nil, byte(apdu.TagDedGetRequest), title(t, greenBook), 0x30, 1, get)
	require.NoError(t, err)
	e = x.Explain(b)
	covered(t, e)
	require.NoError(t, e.Err())
	require.Equal(t, get, e.Layers[1].Bytes)
	require.Equal(t, "deciphered under the dedicated key", e.Layers[1].Name)
}

func TestPassword(t *testing.T) {
	aarq := unhex(t, "6036A1090607608574050801018A0207808B0760857405080201AC0A80083132333435363738BE10040E01000000065F1F040000101D0400")
	e := explain.New(explain.Options{}).Explain(aarq)
	covered(t, e)
	require.NoError(t, e.Err())
	require.NotContains(t, strings.ReplaceAll(e.String(), " ", ""), "313233")
	require.Contains(t, e.String(), "password: redacted")
	// The new secret in a SET of the association is one too.
	e = explain.New(explain.Options{}).Explain(unhex(t, "C101C1000F0000280000FF07000908 3132333435363738"))
	require.NoError(t, e.Err())
	require.NotContains(t, strings.ReplaceAll(e.String(), " ", ""), "313233")
}

func TestGeneralCiphering(t *testing.T) {
	keys := security.KeySet{GUEK: key(t, guekHex), GAK: key(t, gakHex), KEK: key(t, gakHex)}
	sender, receiver := title(t, greenBook), title(t, "4D4D4D0000000001")
	get := unhex(t, "C001C100080000010000FF0200")
	for use, want := range map[security.KeyUse]string{
		security.UseGUEK: "deciphered under the GUEK", security.UseWrapped: "deciphered under the key that came wrapped",
	} {
		g := security.General{Own: sender, Peer: receiver, Keys: keys, Rand: strings.NewReader(strings.Repeat("0123456789", 10))}
		p, err := g.Seal(g.Header([]byte{1, 2, 3, 4, 5, 6, 7, 8}), use, security.ProtectBoth, 5, get)
		require.NoError(t, err)
		b, err := p.AppendBinary(nil)
		require.NoError(t, err)
		e := explain.New(explain.Options{Keys: keys}).Explain(b)
		covered(t, e)
		require.NoError(t, e.Err())
		require.Equal(t, want, e.Layers[1].Name)
		require.Equal(t, get, e.Layers[1].Bytes)
		e = explain.New(explain.Options{}).Explain(b)
		require.NoError(t, e.Err())
	}
}

// A bad frame does not keep the good one behind it from being explained.
func TestBadFramesInAStream(t *testing.T) {
	snrm := unhex(t, "7EA0070321930F017E")
	good := "control: SNRM P/F=1"
	for name, c := range map[string]struct{ before, want string }{
		"noise":        {"0102", "2 bytes that belong to no frame"},
		"sign-on text": {"2F3F210D0A", "belong to no frame"},
		"wrong FCS":    {"7EA0070321930F027E", "the FCS is 0F 02 and should be 0F 01"},
		"wrong type":   {"7E50070321930F017E", "want A… for type 3"},
		"cut":          {"7EA00703", "source address"},
		"address":      {"7EA00A0202020202020203937E", "address field is not 1, 2 or 4 bytes"},
		"no room":      {"7EA0030321930F017E", "has no room for its header"},
	} {
		e := explain.New(explain.Options{Form: explain.HDLC}).Explain(append(unhex(t, c.before), snrm...))
		covered(t, e)
		require.Error(t, e.Err(), name)
		require.Contains(t, e.String(), c.want, name)
		require.Contains(t, e.String(), good, name)
	}
	two := append(append([]byte{}, snrm[:len(snrm)-1]...), snrm...)
	e := explain.New(explain.Options{}).Explain(two)
	covered(t, e)
	require.NoError(t, e.Err())
	require.Equal(t, 2, strings.Count(e.String(), good), "two frames share a flag")
}

func TestSegmentsAndBlocks(t *testing.T) {
	get := unhex(t, "E6E600C001C100030100010800FF0200")
	x := explain.New(explain.Options{})
	for i, part := range [][]byte{get[:5], get[5:9], get[9:]} {
		b, err := hdlc.Frame{
			Destination: hdlc.Server1(1), Source: hdlc.Client(16), Segmented: i < 2, Info: part,
			Control: hdlc.Control{Kind: hdlc.I, NS: uint8(i), Final: true},
		}.AppendBinary(nil)
		require.NoError(t, err)
		e := x.Explain(b)
		covered(t, e)
		require.NoError(t, e.Err())
		if i == 2 {
			require.Equal(t, get[3:], e.Layers[1].Bytes)
			require.Contains(t, e.String(), "1-0:1.8.0.255")
		}
	}
	// A GET in blocks, its value put together.
	for i, b := range []string{"C402C1000000000100020906", "C402C1010000000200060100010800FF"} {
		e := x.Explain(unhex(t, b))
		covered(t, e)
		require.NoError(t, e.Err())
		require.Len(t, e.Layers, 1+i)
	}
	// A block that is missing leaves the rest as it is.
	for _, b := range []string{"C402C1000000000100020906", "C402C1010000000300060100010800FF"} {
		e := x.Explain(unhex(t, b))
		require.NoError(t, e.Err())
		require.Len(t, e.Layers, 1)
	}
}

func TestGatewayAndWrapper(t *testing.T) {
	inner := unhex(t, "E601 08 00DB1234567890A0 C001C100080000010000FF0200")
	b, err := wrapper.Append(nil, 1, 1, inner)
	require.NoError(t, err)
	e := explain.New(explain.Options{}).Explain(append(b, b...))
	covered(t, e)
	require.NoError(t, e.Err())
	require.Equal(t, 2, strings.Count(e.String(), "EUI-64 00-DB-12-34-56-78-90-A0"))
	require.Equal(t, 2, strings.Count(e.String(), "get-request-normal"))
	e = explain.New(explain.Options{Form: explain.Wrapper}).Explain(unhex(t, "0002000100010000"))
	require.ErrorContains(t, e.Err(), "version 0002 of the wrapper")
	// One unit that is wrong inside does not hide the next.
	bad, err := wrapper.Append(nil, 1, 1, []byte{0xC0, 0x09})
	require.NoError(t, err)
	e = explain.New(explain.Options{}).Explain(append(bad, b...))
	covered(t, e)
	require.ErrorContains(t, e.Err(), "09 is not a form of get-request")
	require.Contains(t, e.String(), "get-request-normal")
}

func TestForms(t *testing.T) {
	for hex, want := range map[string]explain.Form{
		"7EA0": explain.HDLC, "0001": explain.Wrapper, "60": explain.APDU, "C001": explain.APDU, "09060100010800FF": explain.Data,
		"0F05": explain.Data, "020100": explain.Data, "E601": explain.APDU, "": explain.APDU, "99": explain.APDU,
		"0100": explain.Data, "01000000065F1F040000101D0400": explain.APDU, "0E010602": explain.APDU,
	} {
		require.Equal(t, want, explain.Guess(unhex(t, hex)), hex)
	}
	for _, f := range []explain.Form{explain.Auto, explain.HDLC, explain.Wrapper, explain.APDU, explain.Data} {
		got, err := explain.ParseForm(f.String())
		require.NoError(t, err)
		require.Equal(t, f, got)
	}
	_, err := explain.ParseForm("xml")
	require.ErrorContains(t, err, "want auto, hdlc")
	require.Equal(t, "form 9", explain.Form(9).String())
}

// What a hostile message costs is bounded by its length.
func TestHostile(t *testing.T) {
	deep := strings.Repeat("0201", 60) + "00"
	e := explain.New(explain.Options{Form: explain.Data}).Explain(unhex(t, deep))
	covered(t, e)
	require.ErrorContains(t, e.Err(), "more than 16 containers")
	e = explain.New(explain.Options{Form: explain.Data}).Explain(unhex(t, "0184FFFFFFFF"))
	require.ErrorContains(t, e.Err(), "a length of 4294967295 cannot be")
	// Each of these stands for 65,536 elements.
	bomb := strings.Repeat("130202 11 01 FFFF 00 01 05", 100)
	e = explain.New(explain.Options{Form: explain.Data}).Explain(unhex(t, "0164"+strings.ReplaceAll(bomb, " ", "")))
	covered(t, e)
	require.Error(t, e.Err())
	// A layer inside a layer, again and again.
	apduBytes := unhex(t, "C002C100000001")
	for range 100 {
		apduBytes = append([]byte{0xE0, 0x81, 0, 1, 0, 0, 0x82, byte(len(apduBytes) >> 8), byte(len(apduBytes))}, apduBytes...)
	}
	e = explain.New(explain.Options{}).Explain(apduBytes)
	covered(t, e)
	require.ErrorContains(t, e.Err(), "more than 64 layers")
}

// The answer to a call in blocks: the value of one call, the responses of a list.
func TestActionBlocks(t *testing.T) {
	value := axdr.AppendOctetString(nil, []byte("a value in two blocks"))
	list := append([]byte{2, 0, 1, 0}, value...) // success with a value
	list = append(list, 3, 0)                    // read-write-denied
	request := func(list bool) []byte {
		m := cosem.Method{Class: 1, Instance: cosem.MustOBIS("0-0:96.1.0.255"), ID: 1}
		if !list {
			b, err := apdu.ActionRequestNormal{InvokeID: 0xC1, Method: m}.AppendBinary(nil)
			require.NoError(t, err)
			return b
		}
		q := apdu.ActionRequestList{InvokeID: 0xC1}
		for range 2 {
			q.Methods.Add(m)
			q.Data.Add(axdr.AppendNull(nil))
		}
		b, err := q.AppendBinary(nil)
		require.NoError(t, err)
		return b
	}
	for name, c := range map[string]struct {
		list bool
		raw  []byte
		want []string
	}{
		"one call": {false, value, []string{"return value"}},
		"a list":   {true, list, []string{"read-write-denied", "return value"}},
	} {
		t.Run(name, func(t *testing.T) {
			x := explain.New(explain.Options{})
			covered(t, x.Explain(request(c.list)))
			var e *explain.Explanation
			for i, raw := range [][]byte{c.raw[:7], c.raw[7:]} {
				b, err := apdu.ActionResponseBlock{
					InvokeID: 0xC1, Block: apdu.DataBlock{Last: i == 1, Number: uint32(i + 1), Raw: raw},
				}.AppendBinary(nil)
				require.NoError(t, err)
				e = x.Explain(b)
				covered(t, e)
				require.NoError(t, e.Err())
			}
			require.Len(t, e.Layers, 2)
			require.Equal(t, "put together from 2 blocks", e.Layers[1].Name)
			require.Equal(t, c.raw, e.Layers[1].Bytes)
			text := e.String()
			for _, want := range c.want {
				require.Contains(t, text, want)
			}
		})
	}
}
