package security

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCipherVectors(t *testing.T) {
	all := vectors(t)
	for _, name := range []string{
		"gb_glo_get_request_auth_only", "gb_glo_get_request_enc_only", "gb_glo_get_request_auth_enc",
		"gb_glo_initiate_request", "own_glo_initiate_response",
	} {
		t.Run(name, func(t *testing.T) {
			v := all[name]
			c, err := NewCipher(Suite0, v.key(t, "ek"), v.key(t, "ak"))
			require.NoError(t, err)
			title, ic := v.title(t, "system_title"), binary.BigEndian.Uint32(v.bytes(t, "ic"))
			sc := Control(v.bytes(t, "sc")[0])
			plain, apdu := v.bytes(t, "plaintext"), v.bytes(t, "apdu")

			got, err := c.AppendService(nil, apdu[0], title, sc, ic, plain)
			require.NoError(t, err)
			require.Equal(t, apdu, got)

			h, back, err := c.Open(nil, title, apdu[2:])
			require.NoError(t, err)
			require.Equal(t, Content{Control: sc, Counter: ic}, h)
			require.Equal(t, plain, back)

			// In place, and nothing behind the content is touched.
			buf := append(bytes.Clone(apdu[2:]), 0xEE, 0xEE, 0xEE, 0xEE, 0xEE, 0xEE, 0xEE, 0xEE, 0xEE, 0xEE, 0xEE, 0xEE)
			content := buf[:len(apdu)-2]
			_, back, err = c.Open(content[HeaderSize:HeaderSize], title, content)
			require.NoError(t, err)
			require.Equal(t, plain, back)
			require.Equal(t, bytes.Repeat([]byte{0xEE}, 12), buf[len(content):])

			for i := range apdu[2:] {
				_, out, err := c.Open(nil, title, apdu[2:2+i])
				if sc&Authenticated != 0 || i < HeaderSize {
					require.Error(t, err, "truncated to %d", i)
					require.Empty(t, out)
				}
			}
			if sc&Authenticated == 0 {
				return
			}
			for i := range apdu[2:] {
				bad := bytes.Clone(apdu[2:])
				bad[i] ^= 0x04
				_, _, err := c.Open(nil, title, bad)
				require.Error(t, err, "byte %d flipped", i)
			}
			other := title
			other[7]++
			_, _, err = c.Open(nil, other, apdu[2:])
			require.ErrorIs(t, err, ErrDecipher)
		})
	}
}

func TestCipherCiphertextOfSuite1(t *testing.T) {
	for _, name := range []string{"gb_c2_onepass_dh_client_to_server", "gb_c3_static_unified_model"} {
		v := vectors(t)[name]
		ek := v.key(t, "aes_key")
		c, err := NewCipher(Suite1, ek, ek) // the example's AK is not published, so only the ciphertext can be compared
		require.NoError(t, err)
		iv := v.bytes(t, "iv")
		got, err := c.Seal(nil, SystemTitle(iv), 0x31, binary.BigEndian.Uint32(iv[8:]), v.bytes(t, "plaintext"))
		require.NoError(t, err)
		require.Equal(t, v.bytes(t, "ciphertext"), got[HeaderSize:len(got)-TagSize])
	}
}

// The jDLMS capture: the response to key_transfer is under the old key, the next request under the new one.
func TestKeyTransferCapture(t *testing.T) {
	v := vectors(t)["jdlms_key_transfer_guek"]
	kek, oldKey, newKey, ak := v.key(t, "kek"), v.key(t, "old_guek"), v.key(t, "new_guek"), v.key(t, "ak")
	wrapped, err := WrapKey(kek, newKey)
	require.NoError(t, err)
	require.Equal(t, v.bytes(t, "wrapped"), wrapped)
	client, server := v.title(t, "client_system_title"), v.title(t, "server_system_title")
	for _, x := range []struct {
		key              Key
		title            SystemTitle
		plain, ciphertxt string
	}{
		{oldKey, client, "action_plain", "action_ciphered"},
		{oldKey, server, "response_plain", "response_ciphered"},
		{newKey, client, "next_get_plain", "next_get_ciphered_with_new_key"},
	} {
		c, err := NewCipher(Suite0, x.key, ak)
		require.NoError(t, err)
		apdu := v.bytes(t, x.ciphertxt)
		h, plain, err := c.Open(nil, x.title, apdu[2:])
		require.NoError(t, err)
		require.Equal(t, v.bytes(t, x.plain), plain)
		again, err := c.AppendService(nil, apdu[0], x.title, h.Control, h.Counter, plain)
		require.NoError(t, err)
		require.Equal(t, apdu, again)
	}
}

func TestCipherSuite2(t *testing.T) {
	ek, err := NewKey(bytes.Repeat([]byte{1}, 32))
	require.NoError(t, err)
	ak, err := NewKey(bytes.Repeat([]byte{2}, 32))
	require.NoError(t, err)
	c, err := NewCipher(Suite2, ek, ak)
	require.NoError(t, err)
	for _, p := range []Protection{ProtectNone, ProtectAuth, ProtectEnc, ProtectBoth} {
		sc := NewControl(Suite2, p)
		b, err := c.Seal([]byte("head"), SystemTitle{1}, sc, 9, []byte("plaintext"))
		require.NoError(t, err)
		require.Len(t, b, 4+SealedLen(sc, 9))
		h, plain, err := c.Open([]byte("out:"), SystemTitle{1}, b[4:])
		require.NoError(t, err)
		require.Equal(t, Content{sc, 9}, h)
		require.Equal(t, "out:plaintext", string(plain))
	}
	_, err = c.Seal(nil, SystemTitle{}, 0x30, 1, nil)
	require.ErrorContains(t, err, "suite 0")
	_, err = NewCipher(Suite2, vectors(t)["gb_hls5_gmac"].key(t, "ek"), ak)
	require.ErrorContains(t, err, "needs 32")
	_, err = NewCipher(3, ek, ak)
	require.ErrorContains(t, err, "unknown suite 3")
}

func TestCipherRefusals(t *testing.T) {
	c, title := testCipher(t)
	_, err := c.Seal(nil, title, 0xB0, 1, nil)
	require.ErrorIs(t, err, ErrCompressed)
	_, _, err = c.Open(nil, title, []byte{0xB0, 0, 0, 0, 1})
	require.ErrorIs(t, err, ErrCompressed)
	_, _, err = c.Open(nil, title, []byte{0x05, 0, 0, 0, 1})
	require.ErrorContains(t, err, "suite 5")
	_, err = c.Seal(nil, title, 0x70, 1, nil)
	require.ErrorIs(t, err, ErrNoBroadcastKey)
	_, err = c.Seal(nil, title, 0x30, CounterMax, nil)
	require.ErrorIs(t, err, ErrCounterExhausted)
	_, _, err = c.Open(nil, title, []byte{0x30, 0, 0, 0, 1})
	require.ErrorIs(t, err, ErrTruncated)
}

func TestBroadcastKey(t *testing.T) {
	c, title := testCipher(t)
	gbek, err := NewKey(bytes.Repeat([]byte{7}, 16))
	require.NoError(t, err)
	require.NoError(t, c.SetBroadcastKey(gbek))
	uni, err := c.Seal(nil, title, 0x30, 5, []byte("x"))
	require.NoError(t, err)
	multi, err := c.Seal(nil, title, 0x30|Broadcast, 5, []byte("x"))
	require.NoError(t, err)
	require.NotEqual(t, uni[5:], multi[5:])
	_, plain, err := c.Open(nil, title, multi)
	require.NoError(t, err)
	require.Equal(t, "x", string(plain))
	multi[0] &^= byte(Broadcast)
	_, _, err = c.Open(nil, title, multi)
	require.ErrorIs(t, err, ErrDecipher)
}

// The transcripts of Gurux programs: general-glo requests and glo- actions of HLS, decrypted to the plaintexts beside them.
func TestTranscripts(t *testing.T) {
	for _, name := range []string{"wrap_ciph.json", "hdlc_ciph.json"} {
		raw, err := os.ReadFile("testdata/" + name)
		require.NoError(t, err)
		var tr struct {
			Frames []struct{ Dir, Hex, Plaintext string }
		}
		require.NoError(t, json.Unmarshal(raw, &tr))
		c, client := testCipher(t)
		server, err := ParseSystemTitle("4752580000000001")
		require.NoError(t, err)
		n := 0
		for _, fr := range tr.Frames {
			frame, plain := mustHex(t, fr.Hex), mustHex(t, fr.Plaintext)
			title := client
			if fr.Dir == "server" {
				title = server
			}
			apdu := frame[8:]
			if name == "hdlc_ciph.json" {
				if len(frame) < 15 {
					continue
				}
				apdu = frame[11 : len(frame)-3]
			}
			if len(plain) == 0 || (apdu[0] != 0xCB && apdu[0] != 0xCF && apdu[0] != 0xDB) {
				continue
			}
			general := apdu[0] == 0xDB
			content := apdu[2:]
			if general {
				require.Equal(t, title[:], apdu[2:10])
				content = apdu[11:]
			}
			h, got, err := c.Open(nil, title, content)
			require.NoError(t, err)
			require.Equal(t, plain, got)
			var again []byte
			if general {
				again, err = c.AppendGeneral(nil, apdu[0], title, h.Control, h.Counter, got)
			} else {
				again, err = c.AppendService(nil, apdu[0], title, h.Control, h.Counter, got)
			}
			require.NoError(t, err)
			require.Equal(t, apdu, again)
			n++
		}
		require.GreaterOrEqual(t, n, 3, name)
	}
}

func TestCipherDoesNotAllocate(t *testing.T) {
	c, title := testCipher(t)
	plain := make([]byte, 200)
	dst, out := make([]byte, 0, 300), make([]byte, 0, 300)
	for _, sc := range []Control{0x10, 0x20, 0x30} {
		run := func() {
			b, err := c.AppendGeneral(dst, 0xDB, title, sc, 1, plain)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err = c.Open(out, title, b[len(b)-SealedLen(sc, len(plain)):]); err != nil {
				t.Fatal(err)
			}
		}
		run()
		require.Zero(t, testing.AllocsPerRun(100, run), "SC %v", sc)
	}
}

func FuzzOpen(f *testing.F) {
	for _, v := range vectors(f) {
		if _, ok := v["ciphertext"]; ok && v["apdu"] != nil {
			f.Add(v.bytes(f, "apdu")[2:])
		}
	}
	c, title := testCipher(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		in := bytes.Clone(b)
		h, plain, err := c.Open(nil, title, b)
		require.Equal(t, in, b)
		if err != nil {
			require.Empty(t, plain)
			return
		}
		if h.Counter == CounterMax {
			return
		}
		again, err := c.Seal(nil, title, h.Control, h.Counter, plain)
		require.NoError(t, err)
		require.Equal(t, in, again)
	})
}

func BenchmarkSeal64(b *testing.B) {
	c, title := testCipher(b)
	dst, plain := make([]byte, 0, 128), make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = c.Seal(dst, title, 0x30, 1, plain)
	}
}
