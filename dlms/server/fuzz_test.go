package server_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/dlms/apdu"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/security"
	"smets1/dlms/server"
	"smets1/dlms/server/ctt"
)

// FuzzServe sends two hostile APDUs into a plain and a ciphered association and over a stream: nothing panics, memory
// stays bounded, and the next good request, in a new association if theirs ended one, is served.
func FuzzServe(f *testing.F) {
	m := ctt.NewReference(0)
	x := newClient(f, m, m.Management(), 1)
	for _, b := range [][]byte{
		newClient(f, m, public(), 1).aarq(0, everyBit), x.aarq(0, everyBit), getRequest(f, objects, apdu.Selection{}),
		x.seal(apdu.TagGloGetRequest, getRequest(f, name, apdu.Selection{})),
	} {
		f.Add(b, b)
	}
	for _, s := range []string{
		"6203800100", "C002C100000001", "C003C10200010000600200FF0200" + "00010000600200FF0200", "C101C100010000600200FF02000600000001",
		"C102C100010000600200FF020000000000010106", "C103C10100000002020000", "C104C10100010000600200FF0200010600000001",
		"C301C1004600006003" + "0AFF01010F00", "C304C100460000600" + "30AFF010000000001010F", "D94000000500" + "0101000100002A0000FF020100",
		"E08100010000" + "0DC001C1000100002A0000FF0200", "E04100010000" + "03C001C1", "E0810001000100", "DB084D4D4D0000BC614E1E300000006950A7C37DBCFFCB41C1F21B38F78EA3432734AF4BC4ECF3E11A",
		"DD0101084D4D4D00000000010000000100001E300000000100000000000000000000000000000000000000000000", "DF0101084D4D4D000000000100000003C001C10101", "E6010800DB1234567890A0C001C1",
		"C001C1000701006301" + "00FF02010204020412000809060000010000FF0F02120000090C07E80301050C00000000000000090C07E80301050C000000000000000100",
	} {
		f.Add(unhex(f, s), unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		m := ctt.NewReference(0)
		plain := newClient(t, m, lls(), 1).open(0, everyBit)
		ciphered := newClient(t, m, openCredentials(m), 2).open(0, everyBit)
		stream := server.NewStream(server.StreamConfig{Host: server.Devices{m.Device}, Link: 3})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for _, hostile := range [][]byte{a, b} {
			plain.raw(hostile)
			ciphered.raw(hostile)
			// The same again as if the client had ciphered it.
			ciphered.ic++
			if sealed, err := ciphered.cipher.AppendGeneral(nil, byte(apdu.TagGeneralGlo), ciphered.c.Title, 0x30, ciphered.ic, hostile); err == nil {
				ciphered.raw(sealed)
			}
			stream.Input(m.Now, hostile)
			stream.Output()
		}
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<20))
		require.LessOrEqual(t, m.Device.Open(), 8)

		for _, x := range []*client{plain, ciphered} {
			x.d.DisconnectPeer(x.peer)
			x.follow = true
			if keys, ok := m.Keyring.Keys(m.Now, 1); !ok || !keys.Equal(x.c.Keys) {
				return // the input changed the keys, which a client with the keys may
			}
			if x.raw(x.aarq(0, everyBit))[0] == 0xD8 {
				t.Fatal("a good AARQ is refused")
			}
		}
		p := newClient(t, m, public(), 4).open(0, everyBit)
		require.Equal(t, cosem.Success, p.get(name, apdu.Selection{}).Result)
	})
}

// TestHostileSizes: requests that ask for much get little.
func TestHostileSizes(t *testing.T) {
	m := ctt.NewReference(0)
	x := newClient(t, m, public(), 1).open(0, everyBit&^cosem.ConfGeneralBlockTransfer)
	var list apdu.AttributeList
	for range 5000 {
		list.Add(objects, apdu.Selection{})
	}
	b, err := apdu.GetRequestList{InvokeID: 0xC1, Attributes: list}.AppendBinary(nil)
	require.NoError(t, err)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	reply := x.raw(b)
	runtime.ReadMemStats(&after)
	require.LessOrEqual(t, len(reply), 1024)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16<<20), "5000 object lists are more than a transfer may hold")

	// A set in blocks that never ends is cut off, and its memory given back.
	y := newClient(t, m, lls(), 2).open(0, everyBit)
	chunk := make([]byte, 60000)
	first, err := apdu.SetRequestFirstBlock{InvokeID: 0xC1, Attribute: note, Block: apdu.DataBlock{Number: 1, Raw: chunk}}.AppendBinary(nil)
	require.NoError(t, err)
	reply = y.raw(first)
	for n := uint32(2); n < 100 && reply[1] == 2; n++ {
		next, err := apdu.SetRequestBlock{InvokeID: 0xC1, Block: apdu.DataBlock{Number: n, Raw: chunk}}.AppendBinary(nil)
		require.NoError(t, err)
		reply = y.raw(next)
	}
	require.Equal(t, "C503C11100000012", upper(reply), "long-set-aborted")
	// So is a general block transfer.
	for n := uint16(1); ; n++ {
		require.Less(t, n, uint16(100))
		b, err := apdu.GeneralBlockTransfer{Block: n, Window: 1, Raw: chunk}.AppendBinary(nil)
		require.NoError(t, err)
		if reply = y.raw(b); apdu.Tag(reply[0]) == apdu.TagException {
			break
		}
	}
	require.Equal(t, cosem.Success, y.get(name, apdu.Selection{}).Result)
}

// BenchmarkGet is one GET of a register: request in, reply out, without a link.
func BenchmarkGet(b *testing.B) {
	for name, c := range map[string]func(*ctt.Reference) ctt.Credentials{
		"plain": func(*ctt.Reference) ctt.Credentials { return public() }, "suite0": func(m *ctt.Reference) ctt.Credentials { return m.Management() },
	} {
		b.Run(name, func(b *testing.B) {
			m := ctt.NewReference(0)
			x := newClient(b, m, c(m), 1).open(0, everyBit)
			plain := getRequest(b, energy, apdu.Selection{})
			const batch = 1024
			requests := make([][]byte, batch)
			reply := make([]byte, 0, 256)
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				if i%batch == 0 {
					b.StopTimer()
					for k := range requests {
						requests[k] = plain
						if x.c.Ciphered {
							x.ic++
							requests[k], _ = x.cipher.AppendService(nil, byte(apdu.TagGloGetRequest), x.c.Title, 0x30, x.ic, plain)
						}
					}
					b.StartTimer()
				}
				reply = x.d.Serve(x.now, x.peer, requests[i%batch], reply[:0])
			}
			b.StopTimer()
			if reply[0] == 0xD8 {
				b.Fatalf("% X", reply)
			}
		})
	}
}

// BenchmarkIdleDevice and BenchmarkAssociation give the bytes each takes.
func BenchmarkIdleDevice(b *testing.B) {
	model := ctt.NewReference(0).Device.Model
	b.ReportAllocs()
	var sink *server.Device
	for range b.N {
		sink = &server.Device{Model: model}
	}
	_ = sink
}

// BenchmarkAssociation opens and drops one, HLS GMAC and suite 0.
func BenchmarkAssociation(b *testing.B) {
	m := ctt.NewReference(0)
	c := m.Management()
	cipher, err := c.Keys.Cipher(security.Suite0)
	if err != nil {
		b.Fatal(err)
	}
	x := &client{t: b, m: m, d: m.Device, now: m.Now, c: c, cipher: cipher, peer: server.Peer{Link: 1, Client: c.Client}}
	b.ReportAllocs()
	for range b.N {
		x.open(0, everyBit)
	}
}

// FuzzObjects writes any data to the attributes of every class, and calls its methods with it: whatever is accepted can
// be read back, as exactly one Data, and attributes stay readable.
func FuzzObjects(f *testing.F) {
	objects := declared()
	when := time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)
	for i, o := range objects {
		d := device(f, objects...)
		for _, a := range o.Attrs {
			if raw, err := d.Get(when, cosem.Attribute{Class: o.Class, Instance: o.Instance, ID: a.ID}, nil); err == nil {
				f.Add(uint8(i), a.ID, raw)
			}
		}
		for _, m := range o.Methods {
			f.Add(uint8(i), -m.ID, unhex(f, "0203120003090600000100FF0F02"))
		}
	}
	f.Fuzz(func(t *testing.T, index uint8, id int8, raw []byte) {
		objects := declared()
		o := objects[int(index)%len(objects)]
		d := device(t, objects...)
		var err error
		if id < 0 {
			_, err = d.Do(when, cosem.Method{Class: o.Class, Instance: o.Instance, ID: -id}, raw, nil)
		} else {
			err = d.Set(when, cosem.Attribute{Class: o.Class, Instance: o.Instance, ID: id}, raw)
		}
		for _, a := range o.Attrs {
			got, e := d.Get(when, cosem.Attribute{Class: o.Class, Instance: o.Instance, ID: a.ID}, nil)
			if e != nil {
				require.NotEqual(t, cosem.ReadWriteDenied, e)
				continue
			}
			n, e := axdr.Skip(got)
			require.NoError(t, e)
			require.Equal(t, len(got), n)
			if err == nil && a.ID == id && o.Class == cosem.ClassSchedule {
				require.NoError(t, d.Set(when, cosem.Attribute{Class: o.Class, Instance: o.Instance, ID: id}, got))
			}
		}
	})
}
