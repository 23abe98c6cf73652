package client

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

// hostile answers every request with the next of some APDUs, cut out of fuzzed bytes: length(1), APDU.
type hostile struct{ rest []byte }

func (h *hostile) next() ([]byte, error) {
	if len(h.rest) == 0 {
		return nil, errScript
	}
	n := min(int(h.rest[0]), len(h.rest)-1)
	a := h.rest[1 : 1+n]
	h.rest = h.rest[1+n:]
	return a, nil
}

func (h *hostile) RoundTrip(context.Context, []byte) ([]byte, error) { return h.next() }
func (h *hostile) Receive(context.Context) ([]byte, error)           { return h.next() }
func (h *hostile) Close() error                                      { return nil }

func lengthen(apdus ...[]byte) []byte {
	var out []byte
	for _, a := range apdus {
		if len(a) < 256 {
			out = append(append(out, byte(len(a))), a...)
		}
	}
	return out
}

// FuzzAnswers: whatever a server answers, a client gives a well-formed value or an error, and keeps within its bounds.
func FuzzAnswers(f *testing.F) {
	for _, answers := range [][]string{
		{"C401C1000902ABCD"},
		{"C402C10000000001000309" + "04AA", "C402C101000000020003BBCCDD"},
		{"E00100010000" + "04C401C100", "E0810002000104" + "0902ABCD"},
		{"C403C10200110501" + "03"},
		{"C501C100"}, {"C701C1000100" + "1105"}, {"C702C101000000" + "01021105"},
		{"C703C1020001001105" + "0300"},
		{"6129A109060760857405080101A203020100A305A103020100BE10040E0800065F1F040000001004000007"},
		{"D8010600000123"}, {"0E010602"}, {"0F00000001001105", "C401C1001101"},
	} {
		var apdus [][]byte
		for _, a := range answers {
			apdus = append(apdus, unhex(f, a))
		}
		f.Add(uint8(0), lengthen(apdus...))
		f.Add(uint8(3), lengthen(apdus...))
	}
	names, err := filepath.Glob("testdata/transcripts/wrap_*.json")
	require.NoError(f, err)
	require.NotEmpty(f, names)
	if raw, err := os.ReadFile(names[0]); err == nil {
		f.Add(uint8(1), raw[:min(len(raw), 500)])
	}
	f.Fuzz(func(t *testing.T, op uint8, answers []byte) {
		c := newClient(&hostile{rest: answers}, Config{MaxData: 4096, AnyInvokeID: op&0x80 != 0})
		c.conformance, c.serverPDU = DefaultConformance, 64
		ctx := t.Context()
		valid := func(raw []byte, err error) {
			if err != nil || raw == nil {
				return
			}
			n, err := axdr.Skip(raw)
			require.NoError(t, err)
			require.Len(t, raw, n)
			require.LessOrEqual(t, n, 4096)
		}
		switch op & 0x7F % 8 {
		case 0:
			valid(c.Get(ctx, data2))
		case 1:
			_, _ = Associate(ctx, c.link, Config{})
		case 2:
			_ = c.Set(ctx, data2, axdr.AppendOctetString(nil, make([]byte, 100)))
		case 3:
			valid(c.Action(ctx, method1, axdr.AppendOctetString(nil, make([]byte, 100))))
		case 4:
			results, err := c.GetList(ctx, GetItem{Attribute: data2}, GetItem{Attribute: clock2})
			require.True(t, err != nil || len(results) == 2)
			for _, r := range results {
				valid(r.Data, r.Err)
			}
		case 5:
			n := 0
			for row, err := range c.Profile(ctx, cosem.MustOBIS("1-0:99.1.0.255"), Rows{Columns: profileColumns}) {
				if err == nil {
					require.Len(t, row.Cells, 2)
				}
				n++
				require.LessOrEqual(t, n, 4096)
			}
		case 6:
			results, err := c.ActionList(ctx, ActionItem{Method: method1}, ActionItem{Method: method1})
			require.True(t, err != nil || len(results) == 2)
		case 7:
			_, _ = c.Objects(ctx)
		}
	})
}
