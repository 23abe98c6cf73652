package server_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/dlms/acse"
	"smets1/dlms/apdu"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/security"
	"smets1/dlms/server"
	"smets1/dlms/server/ctt"
)

// TestBadInput is the table "what the reference servers answer to bad input", column "ours"; after each row a good
// request is served.
func TestBadInput(t *testing.T) {
	const (
		aarq  = "601DA109060760857405080101BE10040E01000000065F1F0400621E5DFFFF"
		get   = "C001C10001" + "00002A0000FF" + "0200"
		value = "C401C1000910534D315245464552454E434530303031"
	)
	for _, row := range []struct{ what, request, reply string }{
		{"unknown object", "C001C10001090909090909" + "0200", "C401C10104"},
		{"right name, wrong class", "C001C10003" + "00002A0000FF" + "0200", "C401C10109"},
		{"attribute 99", "C001C10001" + "00002A0000FF" + "6300", "C401C10103"},
		{"attribute 0 not negotiated", "C001C10001" + "00002A0000FF" + "0000", "C401C10104"},
		{"set read-only", "C101C10003" + "0100010800FF" + "02000600000001", "C501C103"},
		{"action on class 1", "C301C10001" + "00002A0000FF" + "0100", "C701C10300"},
		{"get-next without transfer", "C002C100000001", "C402C101000000010110"},
		{"set block without transfer", "C103C101000000010100", "C503C11200000001"},
		{"action block without transfer", "C306C101000000010100", "C701C11000"},
		{"short names", "0501020000", "D80202"},
		{"short names, write", "06010200000111FF", "D80202"},
		{"unknown tag", "FE0102", "D80202"},
		{"unknown form", "C009C1", "D80202"},
		{"truncated", "C001C100010000", "D80101"},
		{"bytes after the end", get + "00", "D80101"},
		{"count beyond the end", "C003C1FF", "D80101"},
		{"length beyond the end", "C101C10001" + "00002A0000FF" + "020009FF00", "D80101"},
		{"nested too deep", "C101C10001" + "00002A0000FF" + "0200" + repeat("0201", 40) + "00", "D80101"},
		{"ciphered in an unciphered association", "C81E3000000001411312FF935A47566827C467BC7D825C3BE4A77C3FCC056B6B", "D80105"},
		{"general-glo of nobody", "DB084D4D4D0000BC614E1E300000006950A7C37DBCFFCB41C1F21B38F78EA3432734AF4BC4ECF3E11A", "D80105"},
		{"signed by nobody", "DF0101084D4D4D0000BC614E00000003C001C10101", "D80105"},
		{"gateway prefix at a meter", "E6010800DB1234567890A0" + get, "D80202"},
		{"a response", "C401C10000", ""},
		{"a notification", "0F000000010000", ""},
		{"an exception", "D80101", ""},
		{"with-list, one bad", "C003C102" + "0001" + "00002A0000FF" + "0200" + "0001" + "090909090909" + "0200", "C403C102000910534D315245464552454E4345303030310104"},
	} {
		t.Run(row.what, func(t *testing.T) {
			x := newClient(t, ctt.NewReference(0), public(), 1)
			require.Equal(t, "D80101", x.hex(get), "before the AARQ")
			require.Equal(t, "6129A109060760857405080101A203020100A305A103020100BE10040E0800065F1F0400601E5D04000007", x.hex(aarq))
			require.Equal(t, row.reply, x.hex(row.request))
			require.Equal(t, value, x.hex(get))
			require.Equal(t, "6303800100", x.hex("6203800100"))
			require.Equal(t, "D80101", x.hex(get), "after the RLRQ")
		})
	}
}

func repeat(s string, n int) string { return string(bytes.Repeat([]byte(s), n)) }

func TestSecondAARQResets(t *testing.T) {
	x := newClient(t, ctt.NewReference(0), public(), 1).open(0, everyBit)
	x.open(0, cosem.ConfGet)
	require.Equal(t, 1, x.d.Open())
	require.Equal(t, "D80102", x.hex("C101C10001"+"00002A0000FF"+"02000600000001"), "set is not negotiated any more")
	// One that is refused ends the association as well.
	require.Equal(t, byte(acse.TagAARE), x.raw(x.aarq(11, everyBit))[0])
	require.Zero(t, x.d.Open())
}

func TestAttributeZero(t *testing.T) {
	x := newClient(t, ctt.NewReference(0), public(), 1).open(0, everyBit)
	a := energy
	a.ID = 0
	v, _, err := axdr.Parse(x.get(a, apdu.Selection{}).Data)
	require.NoError(t, err)
	require.True(t, v.Equal(axdr.Structure(axdr.Octets(energy.Instance[:]), axdr.Uint32(123456), axdr.Structure(axdr.Int8(0), axdr.Enum(30)))), "%v", v)
}

// TestSizes reads the object list and a long profile at many PDU sizes, by service blocks and by general block
// transfer; no reply exceeds the size.
func TestSizes(t *testing.T) {
	for _, m := range []struct {
		name        string
		credentials func(*ctt.Reference) ctt.Credentials
		smallest    int // the protection alone takes some bytes
	}{
		{"plain", func(*ctt.Reference) ctt.Credentials { return public() }, 12},
		{"ciphered", openCredentials, 60},
	} {
		for _, blocks := range []cosem.Conformance{cosem.ConfBlockTransferGet, cosem.ConfGeneralBlockTransfer} {
			var want []byte
			for _, size := range []uint16{0, 12, 13, 60, 61, 130, 140, 200, 300, 512, 0xFFFF} {
				if size != 0 && int(size) < m.smallest {
					continue
				}
				ref := ctt.NewReference(0)
				x := newClient(t, ref, m.credentials(ref), 1).open(size, everyBit&^(cosem.ConfBlockTransferGet|cosem.ConfGeneralBlockTransfer)|blocks)
				limit := 1024
				if size != 0 && size < 1024 {
					limit = int(size)
				}
				got := x.long(getRequest(t, objects, apdu.Selection{}), limit)
				if want == nil {
					want = got
				}
				require.Equal(t, want, got, "%s %v %d", m.name, blocks, size)
			}
		}
	}
}

// long sends a GET and fetches its whole reply, holding each APDU against a limit.
func (x *client) long(plain []byte, limit int) []byte {
	x.t.Helper()
	request := plain
	if x.c.Ciphered {
		request = x.seal(apdu.TagGloGetRequest, plain)
	}
	reply := x.raw(request)
	var gbt []byte
	for n := uint16(1); len(reply) > 0 && apdu.Tag(reply[0]) == apdu.TagGeneralBlockTransfer; n++ {
		require.LessOrEqual(x.t, len(reply), limit)
		b, _, err := apdu.ParseGeneralBlockTransfer(reply)
		require.NoError(x.t, err)
		require.Equal(x.t, n, b.Block)
		if gbt = append(gbt, b.Raw...); b.Last {
			reply = gbt
			break
		}
		ack, err := apdu.GeneralBlockTransfer{Last: true, Window: 1, Block: n, Ack: n}.AppendBinary(nil)
		require.NoError(x.t, err)
		reply = x.raw(ack)
	}
	if gbt == nil {
		require.LessOrEqual(x.t, len(reply), limit)
	}
	plain = x.decipher(reply)
	if r, _, err := apdu.ParseGetResponseNormal(plain); err == nil {
		require.NoError(x.t, r.Result.Err())
		return r.Result.Data
	}
	var whole []byte
	for n := uint32(1); ; n++ {
		r, _, err := apdu.ParseGetResponseBlock(plain)
		require.NoError(x.t, err, "%X", plain)
		require.Equal(x.t, n, r.Number)
		if whole = append(whole, r.Raw...); r.Last {
			return whole
		}
		next, err := apdu.GetRequestNext{InvokeID: 0xC1, Number: n}.AppendBinary(nil)
		require.NoError(x.t, err)
		if x.c.Ciphered {
			next = x.seal(apdu.TagGloGetRequest, next)
		}
		reply = x.raw(next)
		require.LessOrEqual(x.t, len(reply), limit)
		plain = x.decipher(reply)
	}
}

func TestGetBlocksRepeatAndAbort(t *testing.T) {
	x := newClient(t, ctt.NewReference(0), public(), 1).open(100, everyBit&^cosem.ConfGeneralBlockTransfer)
	first := x.raw(getRequest(t, objects, apdu.Selection{}))
	second := x.hex("C002C100000001")
	require.NotEqual(t, upper(first), second)
	require.Equal(t, second, x.hex("C002C100000001"), "the reply was lost: the same block again")
	require.Equal(t, "C402C101000000070113", x.hex("C002C100000007"), "a wrong number ends the transfer")
	require.Equal(t, "C402C101000000020110", x.hex("C002C100000002"))
	x.raw(getRequest(t, objects, apdu.Selection{}))
	x.raw(getRequest(t, name, apdu.Selection{}))
	require.Equal(t, "C402C101000000010110", x.hex("C002C100000001"), "another request ends the transfer")
}

func TestNoBlocksNegotiated(t *testing.T) {
	x := newClient(t, ctt.NewReference(0), public(), 1).open(100, cosem.ConfGet|cosem.ConfMultipleReferences)
	require.Equal(t, cosem.DataBlockUnavailable, x.get(objects, apdu.Selection{}).Result)
	require.Equal(t, "C403C101010E", x.hex("C003C101000F0000280000FF0200"))
}

func TestSetBlocks(t *testing.T) {
	x := newClient(t, ctt.NewReference(0), lls(), 1).open(0, everyBit)
	ln := "0001" + "0000600200FF" + "0200"
	// A value in three blocks, the second sent twice.
	require.Equal(t, "C502C100000001", x.hex("C102C1"+ln+"00"+"00000001"+"0106"))
	require.Equal(t, "C502C100000002", x.hex("C103C1"+"00"+"00000002"+"020000"))
	require.Equal(t, "C502C100000002", x.hex("C103C1"+"00"+"00000002"+"020000"))
	require.Equal(t, "C503C10000000003", x.hex("C103C1"+"01"+"00000003"+"021234"))
	require.Equal(t, axdr.AppendUint32(nil, 0x1234), x.get(note, apdu.Selection{}).Data)
	// All in the first block.
	require.Equal(t, "C503C10000000001", x.hex("C102C1"+ln+"01"+"00000001"+"050600000007"))
	// Out of order, and gone.
	require.Equal(t, "C502C100000001", x.hex("C102C1"+ln+"00"+"00000001"+"0106"))
	require.Equal(t, "C503C11300000003", x.hex("C103C1"+"01"+"00000003"+"0100"))
	require.Equal(t, "C503C11200000002", x.hex("C103C1"+"01"+"00000002"+"0100"))
	require.Equal(t, axdr.AppendUint32(nil, 7), x.get(note, apdu.Selection{}).Data)
	// A list of two in blocks: the second is not there.
	list := "C105C1" + "02" + ln + "0001" + "090909090909" + "0200"
	require.Equal(t, "C502C100000001", x.hex(list+"00"+"00000001"+"03020600"))
	require.Equal(t, "C504C102000400000002", x.hex("C103C1"+"01"+"00000002"+"08"+"000009"+"0600000000"))
	require.Equal(t, axdr.AppendUint32(nil, 9), x.get(note, apdu.Selection{}).Data)
}

func TestSetList(t *testing.T) {
	x := newClient(t, ctt.NewReference(0), lls(), 1).open(0, everyBit)
	ln := "0001" + "0000600200FF" + "0200"
	require.Equal(t, "C505C1020C00", x.hex("C104C1"+"02"+ln+ln+"02"+"1101"+"0600000003"), "wrong type, then right")
	require.Equal(t, axdr.AppendUint32(nil, 3), x.get(note, apdu.Selection{}).Data)
	require.Equal(t, "D80101", x.hex("C104C1"+"02"+ln+ln+"01"+"1101"), "lists of different length")
	require.Equal(t, "", x.hex("C10181"+ln+"0600000004"), "an unconfirmed request has no answer")
	require.Equal(t, axdr.AppendUint32(nil, 4), x.get(note, apdu.Selection{}).Data)
}

func TestActions(t *testing.T) {
	m := ctt.NewReference(0)
	x := newClient(t, m, lls(), 1).open(0, everyBit)
	control := "0046" + "000060030AFF"
	require.True(t, m.Output())
	require.Equal(t, "C701C10000", x.hex("C301C1"+control+"01"+"010F00"))
	require.False(t, m.Output())
	// In blocks.
	require.Equal(t, "C704C100000001", x.hex("C304C1"+control+"02"+"00"+"00000001"+"010F"))
	require.Equal(t, "C701C10000", x.hex("C306C1"+"01"+"00000002"+"0100"))
	require.True(t, m.Output())
	// A list: one good, one without the right, one that is not there.
	require.Equal(t, "C703C103"+"0000"+"0300"+"0400", x.hex("C303C1"+"03"+control+"01"+control+"05"+"0046"+"000060030BFF"+"01"+"03"+"0F00"+"0F00"+"0F00"))
	require.False(t, m.Output())
	// A list in blocks.
	require.Equal(t, "C704C100000001", x.hex("C305C1"+"02"+control+"02"+control+"01"+"00"+"00000001"+"02020F"))
	require.Equal(t, "C703C102"+"0000"+"0000", x.hex("C306C1"+"01"+"00000002"+"03"+"000F00"))
	require.False(t, m.Output())
	require.Equal(t, "C701C10C00", x.hex("C301C1"+control+"01"+"010900"), "wrong type")
	require.Equal(t, "C701C10F00", x.hex("C304C1"+control+"02"+"00"+"00000003"+"010F"), "blocks count from 1")
	// A script runs its actions as the device itself.
	require.Equal(t, cosem.ActionSuccess, x.action(cosem.Method{Class: 70, Instance: cosem.MustOBIS("0-0:96.3.10.255"), ID: 2}, axdr.AppendInt8(nil, 0)).Result)
	require.Equal(t, cosem.ActionSuccess, x.action(cosem.Method{Class: 9, Instance: cosem.MustOBIS("0-0:10.0.106.255"), ID: 1}, axdr.AppendUint16(nil, 1)).Result)
	require.False(t, m.Output())
}

func TestAccess(t *testing.T) {
	m := ctt.NewReference(0)
	x := newClient(t, m, lls(), 1).open(0, everyBit)
	noteLN, control := "0001"+"0000600200FF"+"02", "0046"+"000060030AFF"+"01"
	ask := func(flags string) string {
		return x.hex("D9" + flags + "000005" + "00" + "05" +
			"01" + "0001" + "00002A0000FF" + "02" + "02" + noteLN + "01" + noteLN + "01" + "0001" + "090909090909" + "02" + "03" + control +
			"05" + "00" + "0600000011" + "00" + "00" + "0F00")
	}
	require.Equal(t, "DA40000005"+"00"+"00"+"05"+"0910534D315245464552454E434530303031"+"00"+"0600000011"+"00"+"00"+
		"05"+"0100"+"0200"+"0100"+"0104"+"0300", ask("40"))
	require.False(t, m.Output())
	_ = m.Reconnect(m.Now)
	require.Equal(t, "DA60000005"+"00"+"00"+"05"+"0910534D315245464552454E434530303031"+"00"+"0600000011"+"00"+"00"+
		"05"+"0100"+"0200"+"0100"+"0104"+"03FA", ask("60"), "break on error")
	require.True(t, m.Output())
	require.Equal(t, "", ask("00"), "not confirmed")
}

// TestGeneralBlockTransfer sends a request in blocks, streams the reply with a window and loses some of it.
func TestGeneralBlockTransfer(t *testing.T) {
	x := newClient(t, ctt.NewReference(0), public(), 1).open(64, everyBit&^cosem.ConfBlockTransferGet)
	block := func(p apdu.GeneralBlockTransfer) []byte {
		b, err := p.AppendBinary(nil)
		require.NoError(t, err)
		return x.raw(b)
	}
	parse := func(b []byte) apdu.GeneralBlockTransfer {
		p, n, err := apdu.ParseGeneralBlockTransfer(b)
		require.NoError(t, err, "%X", b)
		require.Equal(t, len(b), n)
		return p
	}
	request := getRequest(t, objects, apdu.Selection{})
	want := newClient(t, ctt.NewReference(0), public(), 1).open(0, everyBit).long(request, 1024)

	ack := parse(block(apdu.GeneralBlockTransfer{Block: 1, Window: 4, Raw: request[:5]}))
	require.Equal(t, apdu.GeneralBlockTransfer{Last: true, Window: 1, Block: 1, Ack: 1, Raw: ack.Raw}, ack)
	ack = parse(block(apdu.GeneralBlockTransfer{Block: 1, Window: 4, Raw: request[:5]}))
	require.Equal(t, uint16(1), ack.Ack, "repeated")
	ack = parse(block(apdu.GeneralBlockTransfer{Last: true, Block: 3, Window: 4, Raw: request[8:]}))
	require.Equal(t, uint16(1), ack.Ack, "block 2 is missing")
	require.Empty(t, block(apdu.GeneralBlockTransfer{Streaming: true, Block: 2, Window: 4, Raw: request[5:8]}), "streamed: no answer yet")

	// The reply comes four blocks at once. Every other burst loses its second block.
	var got []byte
	reply := block(apdu.GeneralBlockTransfer{Last: true, Block: 3, Window: 4, Raw: request[8:]})
	last := uint16(0)
	for burst := 0; ; burst++ {
		require.Less(t, burst, 200)
		done := false
		for n := 0; len(reply) > 0; n++ {
			require.Less(t, n, 4)
			require.LessOrEqual(t, len(reply), 64)
			p := parse(reply)
			require.Equal(t, uint16(3), p.Ack)
			if p.Block == last+1 && (burst%2 == 0 || n != 1) {
				got, last, done = append(got, p.Raw...), p.Block, p.Last
			}
			reply = x.d.More(x.now, x.peer, nil)
			require.Equal(t, p.Streaming, len(reply) > 0)
		}
		if done {
			break
		}
		reply = block(apdu.GeneralBlockTransfer{Last: true, Window: 4, Block: uint16(burst + 1), Ack: last})
	}
	require.Equal(t, want, got[4:])
	require.Empty(t, block(apdu.GeneralBlockTransfer{Last: true, Window: 4, Block: 99, Ack: last}), "the last acknowledgement")
	require.Equal(t, cosem.Success, x.get(name, apdu.Selection{}).Result, "and a plain request after it")
	require.Equal(t, "D80101", x.hex("E08100010001"+"00"), "an acknowledgement of nothing")
}

func TestProfileSelection(t *testing.T) {
	x := newClient(t, ctt.NewReference(0), public(), 1).open(0, everyBit&^cosem.ConfGeneralBlockTransfer)
	clock := cosem.CaptureObject{Attribute: cosem.Attribute{Class: cosem.ClassClock, Instance: cosem.MustOBIS("0-0:1.0.0.255"), ID: 2}}
	value := cosem.CaptureObject{Attribute: energy}
	count := func(sel apdu.Selection) (int, cosem.Result) {
		r := x.get(buffer, sel)
		if r.Err() != nil {
			return 0, r.Result
		}
		v, _, err := axdr.Parse(r.Data)
		require.NoError(t, err)
		return len(v.Items), cosem.Success
	}
	ranged := func(by cosem.CaptureObject, from, to axdr.Value) apdu.Selection {
		f, err := from.AppendBinary(nil)
		require.NoError(t, err)
		u, err := to.AppendBinary(nil)
		require.NoError(t, err)
		return apdu.Selection{Selector: cosem.SelectRange, Data: cosem.RangeDescriptor{Restricting: by, From: f, To: u}.AppendTo(nil)}
	}
	entries := func(d cosem.EntryDescriptor) apdu.Selection {
		return apdu.Selection{Selector: cosem.SelectEntry, Data: d.AppendTo(nil)}
	}
	at := func(i int) axdr.Value {
		return axdr.DateTimeOctets(axdr.DateTimeOf((&ctt.Reference{}).Time(nil, i-48)))
	}
	open := axdr.DateTimeOctets(axdr.UnspecifiedDateTime)
	for _, row := range []struct {
		what string
		sel  apdu.Selection
		n    int
		r    cosem.Result
	}{
		{"all", apdu.Selection{}, 48, 0},
		{"open at both ends", ranged(clock, open, open), 48, 0},
		{"null limits", ranged(clock, axdr.Null(), axdr.Null()), 48, 0},
		{"from an entry", ranged(clock, at(40), open), 8, 0},
		{"to an entry", ranged(clock, open, at(7)), 8, 0},
		{"backwards", ranged(clock, at(7), at(3)), 0, 0},
		{"outside", ranged(clock, at(100), at(200)), 0, 0},
		{"by value", ranged(value, axdr.Uint32(1000), axdr.Uint32(1021)), 4, 0},
		{"by an unknown column", ranged(cosem.CaptureObject{Attribute: name}, axdr.Uint32(0), axdr.Uint32(1)), 0, cosem.ScopeOfAccessViolated},
		{"limits of a wrong type", ranged(clock, axdr.Bool(true), open), 0, cosem.TypeUnmatched},
		{"entries beyond the end", entries(cosem.EntryDescriptor{FromEntry: 40, ToEntry: 1 << 31}), 9, 0},
		{"entry 0", entries(cosem.EntryDescriptor{}), 48, 0},
		{"entries backwards", entries(cosem.EntryDescriptor{FromEntry: 9, ToEntry: 3}), 0, 0},
		{"a selector nobody has", apdu.Selection{Selector: 9, Data: []byte{0}}, 0, cosem.ScopeOfAccessViolated},
		{"not a descriptor", apdu.Selection{Selector: 1, Data: []byte{0}}, 0, cosem.TypeUnmatched},
	} {
		n, r := count(row.sel)
		require.Equal(t, row.r, r, row.what)
		require.Equal(t, row.n, n, row.what)
	}
}

func TestObjectListSelection(t *testing.T) {
	x := newClient(t, ctt.NewReference(0), public(), 1).open(0, everyBit&^cosem.ConfGeneralBlockTransfer)
	read := func(selector uint8, v axdr.Value) []axdr.Value {
		b, err := v.AppendBinary(nil)
		require.NoError(t, err)
		l, _, err := axdr.Parse(x.get(objects, apdu.Selection{Selector: selector, Data: b}).Data)
		require.NoError(t, err)
		return l.Items
	}
	all := read(1, axdr.Null())
	require.Greater(t, len(all), 5)
	require.Len(t, read(2, axdr.Array(axdr.Uint16(3), axdr.Uint16(4))), 2)
	id := axdr.Structure(axdr.Uint16(3), axdr.Octets(energy.Instance[:]))
	require.Len(t, read(3, axdr.Array(id, id)), 1)
	require.Len(t, read(4, id), 1)
	// The view shows an association its own rights: the public client does not see what it may not touch.
	for _, o := range all {
		require.NotEqual(t, uint64(cosem.ClassImageTransfer), o.At(0).Num)
	}
	m := ctt.NewReference(0)
	y := newClient(t, m, openCredentials(m), 2).open(0, everyBit&^cosem.ConfGeneralBlockTransfer)
	v, _, err := axdr.Parse(y.get(objects, apdu.Selection{}).Data)
	require.NoError(t, err)
	require.Greater(t, len(v.Items), len(all))
}

func TestSeveralAssociations(t *testing.T) {
	m := ctt.NewReference(0)
	a := newClient(t, m, public(), 1).open(0, everyBit)
	b := newClient(t, m, lls(), 1).open(0, everyBit)
	c := newClient(t, m, lls(), 2).open(0, everyBit)
	d := newClient(t, m, m.Management(), 1).open(0, everyBit)
	require.Equal(t, 4, m.Device.Open())
	require.Equal(t, cosem.Success, c.set(note, axdr.AppendUint32(nil, 5)))
	require.Equal(t, cosem.ReadWriteDenied, a.set(note, axdr.AppendUint32(nil, 6)))
	for _, x := range []*client{a, b, c, d} {
		require.Equal(t, axdr.AppendUint32(nil, 5), x.get(note, apdu.Selection{}).Data)
	}
	m.Device.Disconnect(1)
	require.Equal(t, 1, m.Device.Open())
	require.Equal(t, cosem.Success, c.get(note, apdu.Selection{}).Result)
	// More than the model allows are refused for now.
	for link := range uint64(7) {
		newClient(t, m, public(), 10+link).open(0, everyBit)
	}
	r, _, err := acse.ParseAARE(newClient(t, m, public(), 99).raw(a.aarq(0, everyBit)))
	require.NoError(t, err)
	require.Equal(t, acse.ResultRejectedTransient, r.Result)
	m.Device.Sweep(m.Now.Add(1))
	require.Zero(t, m.Device.Open())
}

func TestMechanisms(t *testing.T) {
	secret := security.NewSecret([]byte("sixteen bytes ok"))
	for m := security.MechanismHLS; m <= security.MechanismSHA256; m++ {
		t.Run(m.String(), func(t *testing.T) {
			ref := ctt.NewReference(0)
			ref.Device.Model = server.MustModel(server.Config{
				Associations: []server.Association{{Client: 5, Mechanism: m}},
				Objects:      []server.Object{server.LogicalDeviceName(server.All(server.Read), func(*server.Call) string { return "SM1" })},
			})
			ref.Device.Security = server.NewKeyring(server.KeyringConfig{Title: ref.Keyring.SystemTitle(), Keys: ref.Keys, Secrets: []security.Secret{secret}})
			c := ctt.Credentials{Client: 5, Mechanism: m, Secret: secret, Title: ref.Management().Title, Keys: ref.Keys}
			x := newClient(t, ref, c, 1)
			if m < security.MechanismGMAC {
				// Older mechanisms work without titles; the server names none.
				x.open0()
				return
			}
			x.open(0, everyBit)
			require.Equal(t, cosem.Success, x.get(name, apdu.Selection{}).Result)
		})
	}
}

// open0 opens an association of a mechanism without titles.
func (x *client) open0() {
	var err error
	x.aare, _, err = acse.ParseAARE(x.raw(x.aarq(0, everyBit)))
	require.NoError(x.t, err)
	require.True(x.t, x.aare.Pending())
	r := x.action(cosem.Method{Class: cosem.ClassAssociationLN, Instance: objects.Instance, ID: 1}, axdr.AppendOctetString(nil, x.answer()))
	require.NoError(x.t, r.Result.Err())
	require.Equal(x.t, cosem.Success, x.get(name, apdu.Selection{}).Result)
}
