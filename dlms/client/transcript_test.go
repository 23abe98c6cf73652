package client

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/dlms/acse"
	"smets1/dlms/apdu"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/hdlc"
	"smets1/dlms/security"
	"smets1/dlms/wrapper"
)

// The dialogues in testdata/transcripts were recorded between Gurux Java programs. Our client is made to do the same and
// must send the same bytes, to the counters and tags, and make sense of every answer.

type transcript struct {
	Frames []struct{ Dir, Hex, Plaintext string }
}

type exchange struct {
	request, answer []byte // as they go over the line
	plain           []byte // the request in the clear
}

func readTranscript(t *testing.T, name string) []exchange {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "transcripts", name))
	require.NoError(t, err)
	var tr transcript
	require.NoError(t, json.Unmarshal(raw, &tr))
	var out []exchange
	for i := 0; i+1 < len(tr.Frames); i += 2 {
		require.Equal(t, "client", tr.Frames[i].Dir)
		require.Equal(t, "server", tr.Frames[i+1].Dir)
		e := exchange{request: unhex(t, tr.Frames[i].Hex), answer: unhex(t, tr.Frames[i+1].Hex)}
		e.plain = unhex(t, tr.Frames[i].Plaintext)
		out = append(out, e)
	}
	return out
}

// replayStream is the far end: it accepts the recorded bytes only.
type replayStream struct {
	t       *testing.T
	mu      sync.Mutex
	script  []exchange
	written []byte
	answers chan []byte
	rest    []byte
}

func (s *replayStream) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written = append(s.written, b...)
	if len(s.script) == 0 {
		s.t.Errorf("nothing was recorded after the end, sent %X", b)
		return 0, io.ErrClosedPipe
	}
	want := s.script[0].request
	if !bytes.HasPrefix(want, s.written) {
		s.t.Errorf("sent     %X\nrecorded %X", s.written, want)
		return 0, io.ErrClosedPipe
	}
	if len(s.written) == len(want) {
		s.answers <- s.script[0].answer
		s.script, s.written = s.script[1:], nil
	}
	return len(b), nil
}

func (s *replayStream) Read(b []byte) (int, error) {
	if len(s.rest) == 0 {
		a, ok := <-s.answers
		if !ok {
			return 0, io.EOF
		}
		s.rest = a
	}
	n := copy(b, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func (s *replayStream) Close() error {
	close(s.answers)
	return nil
}

// inner is the APDU of a wrapper unit, or of an HDLC frame's first segment.
func inner(t *testing.T, frame []byte) []byte {
	t.Helper()
	if frame[0] != 0x7E {
		_, n, err := wrapper.ParseHeader(frame)
		require.NoError(t, err)
		return frame[n:]
	}
	var dec hdlc.Decoder
	_, _ = dec.Write(frame)
	var f hdlc.Frame
	require.True(t, dec.Next(&f))
	if len(f.Info) > 3 && f.Info[0] == 0xE6 {
		return f.Info[3:]
	}
	return nil
}

// drive makes the client do what the recorded requests ask for.
func drive(t *testing.T, script []exchange, link func(client uint8) Link, cfg func(aarq acse.AARQ) Config) (gets int) {
	t.Helper()
	ctx := t.Context()
	var c *Client
	client := func(e exchange) uint8 {
		if e.request[0] != 0x7E {
			return e.request[3]
		}
		return e.request[4] >> 1
	}
	for _, e := range script {
		plain := e.plain
		if len(plain) == 0 {
			plain = inner(t, e.request)
		}
		if len(plain) == 0 {
			if e.request[5] == 0x53 { // DISC
				require.NoError(t, c.link.Close())
			}
			continue // SNRM, RR: part of what comes around them
		}
		if c != nil {
			c.invoke = 0 // Gurux numbers every request 1
		}
		switch apdu.Tag(plain[0]) {
		case acse.TagAARQ:
			aarq, _, err := acse.ParseAARQ(plain)
			require.NoError(t, err)
			c, err = Associate(ctx, link(client(e)), cfg(aarq))
			require.NoError(t, err)
			c.cfg.Wrapping = WrapGeneral // Gurux changes to it after the HLS answer
		case apdu.TagGetRequest:
			switch kind, _ := apdu.KindOf(plain); kind {
			case apdu.KindGetRequestNormal:
				p, _, err := apdu.ParseGetRequestNormal(plain)
				require.NoError(t, err)
				raw, err := c.GetWith(ctx, p.Attribute, p.Selection)
				require.NoError(t, err)
				_, err = axdr.ParseAll(raw)
				require.NoError(t, err)
				if p.Attribute.Class == cosem.ClassAssociationLN && p.Attribute.ID == 2 {
					objects, err := parseObjects(raw)
					require.NoError(t, err)
					require.NotEmpty(t, objects)
				}
				gets++
			case apdu.KindGetRequestList:
				p, _, err := apdu.ParseGetRequestList(plain)
				require.NoError(t, err)
				var items []GetItem
				for _, a := range p.Attributes.All() {
					items = append(items, GetItem{Attribute: a.Attribute, Selection: a.Selection})
				}
				results, err := c.GetList(ctx, items...)
				require.NoError(t, err)
				require.Len(t, results, len(items))
				gets++
			default: // the next block, part of the read before
			}
		default: // pass 3, part of Associate; acknowledgements of general blocks
		}
	}
	return gets
}

// configOf is how to send the recorded AARQ.
func configOf(t *testing.T) func(acse.AARQ) Config {
	return func(q acse.AARQ) Config {
		cfg := Config{Conformance: 0x621E5D, MaxPDU: 0xFFFF}
		if q.Mechanism.Set {
			cfg.Mechanism = security.Mechanism(q.Mechanism.Value)
			cfg.Secret = security.NewSecret([]byte("Gurux"))
			cfg.Random = bytes.NewReader(q.Authentication.Bytes())
		}
		if q.Context == acse.ContextLNCiphered {
			var err error
			cfg.Keys.GUEK, err = security.ParseKey("000102030405060708090A0B0C0D0E0F")
			require.NoError(t, err)
			cfg.Keys.GAK, err = security.ParseKey("D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF")
			require.NoError(t, err)
			cfg.SystemTitle = security.SystemTitle(q.CallingAPTitle)
			cfg.Counter = CountFrom(0x65) // the public client read 0x64
		}
		return cfg
	}
}

func TestTranscriptsWrapper(t *testing.T) {
	for name, gets := range map[string]int{
		"wrap_none.json": 23, "wrap_low.json": 23, "wrap_high.json": 21, "wrap_ciph.json": 21,
	} {
		t.Run(name, func(t *testing.T) {
			var script []exchange
			for _, e := range readTranscript(t, name) {
				tag := apdu.Tag(inner(t, e.request)[0])
				if len(e.plain) > 0 {
					tag = apdu.Tag(e.plain[0])
				}
				// ACCESS is not this client's; a release without ciphering goes without user-information here.
				if tag != apdu.TagAccessRequest && tag != acse.TagRLRQ {
					script = append(script, e)
				}
			}
			stream := &replayStream{t: t, script: script, answers: make(chan []byte, 1)}
			line := NewWrapper(stream)
			defer line.Close()
			n := drive(t, script, func(client uint8) Link { return line.Link(uint16(client), 1) }, func(q acse.AARQ) Config {
				cfg := configOf(t)(q)
				if cfg.Counter != nil {
					cfg.Counter = &skipping{Counter: cfg.Counter, skip: 0x68} // the ACCESS request's
				}
				return cfg
			})
			require.Equal(t, gets, n)
			require.Empty(t, stream.script)
		})
	}
}

type skipping struct {
	Counter
	skip uint32
}

func (s *skipping) Next(ctx context.Context) (uint32, error) {
	v, err := s.Counter.Next(ctx)
	if v == s.skip {
		return s.Counter.Next(ctx)
	}
	return v, err
}

func TestTranscriptsHDLC(t *testing.T) {
	for name, tt := range map[string]struct {
		params hdlc.Params
		gets   int
	}{
		"hdlc_none.json": {hdlc.Params{}, 22},
		"hdlc_ciph.json": {hdlc.Params{InfoTransmit: 512, InfoReceive: 512}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			var script []exchange
			for _, e := range readTranscript(t, name) {
				if len(e.plain) > 0 && apdu.Tag(e.plain[0]) == apdu.TagAccessRequest {
					break
				}
				script = append(script, e)
			}
			stream := &replayStream{t: t, script: script, answers: make(chan []byte, 1)}
			line := NewHDLC(stream, hdlc.ClientConfig{Params: tt.params, OmitParams: true}, nil)
			defer line.Close()
			n := drive(t, script, func(client uint8) Link {
				link, err := line.Link(hdlc.Client(client), hdlc.Server1(1))
				require.NoError(t, err)
				return link
			}, configOf(t))
			require.Equal(t, tt.gets, n)
			require.Empty(t, stream.script)
		})
	}
}

// The image transfer of Gurux Java's example meter, step by step.
func TestTranscriptImageTransfer(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("testdata", "transcripts", "image_transfer_gurux_java.json"))
	require.NoError(t, err)
	var steps []struct{ Step, Request, Response string }
	require.NoError(t, json.Unmarshal(raw, &steps))
	var c *Client
	link := &scriptLink{t: t}
	for _, s := range steps {
		link.steps = append(link.steps, scriptStep{s.Request, []string{s.Response}})
	}
	for _, s := range steps {
		request := unhex(t, s.Request)
		if c != nil {
			c.invoke = 0
		}
		switch kind, _ := apdu.KindOf(request); {
		case request[0] == acse.TagAARQ:
			q, _, err := acse.ParseAARQ(request)
			require.NoError(t, err)
			c, err = Associate(t.Context(), link, configOf(t)(q))
			require.NoError(t, err)
		case kind == apdu.KindGetRequestNormal:
			p, _, err := apdu.ParseGetRequestNormal(request)
			require.NoError(t, err)
			_, err = c.GetAxdr(t.Context(), p.Attribute)
			require.NoError(t, err)
		case kind == apdu.KindActionRequestNormal:
			p, _, err := apdu.ParseActionRequestNormal(request)
			require.NoError(t, err)
			if p.Method.Class == cosem.ClassAssociationLN {
				continue
			}
			_, err = c.Action(t.Context(), p.Method, p.Data)
			require.NoError(t, err)
		case request[0] == acse.TagRLRQ:
			require.NoError(t, c.Release(t.Context())) // trap 1: the answer's lengths are wrong
		}
	}
	require.Empty(t, link.steps)
}
