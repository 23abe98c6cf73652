package signon

import (
	"context"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/dlms/hdlc"
	"smets1/dlms/optical"
)

var meterID = optical.Identification{Maker: "SME", Speed: '5', Escapes: "2", Text: "AS300P"}

func frame(t *testing.T, client uint8, kind hdlc.Kind) []byte {
	b, err := hdlc.Frame{Destination: hdlc.Server1(1), Source: hdlc.Client(client), Control: hdlc.Control{Kind: kind, Final: true}}.AppendBinary(nil)
	require.NoError(t, err)
	return b
}

type formats []optical.Format

func (f *formats) set(to optical.Format) error { *f = append(*f, to); return nil }

func TestModeE(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer near.Close()
		var ours, theirs formats
		m, err := NewMeter(far, theirs.set, optical.ServerConfig{Identification: meterID})
		require.NoError(t, err)
		defer m.Close()
		_, err = m.Write([]byte("nobody hears this"))
		require.NoError(t, err)
		go func() { // what stands for HDLC: an answer to each frame
			buf := make([]byte, 100)
			for {
				n, err := m.Read(buf)
				if err != nil {
					return
				}
				_, _ = m.Write(append([]byte("re "), buf[:n]...))
			}
		}()
		start := time.Now()
		r, err := Dial(t.Context(), near, ours.set, optical.ClientConfig{Purpose: optical.HDLC})
		require.NoError(t, err)
		// Three reactions and the settling; a pipe takes no time.
		require.Equal(t, 900*time.Millisecond, time.Since(start))
		require.Equal(t, Result{Identification: meterID, Format: optical.Format{Baud: 9600}}, r)
		synctest.Wait()
		require.Equal(t, formats{optical.SignOn, {Baud: 9600}}, ours)
		require.Equal(t, formats{optical.SignOn, {Baud: 9600}}, theirs)
		talk := func(b []byte) {
			_, err := near.Write(b)
			require.NoError(t, err)
			got := make([]byte, len(b)+3)
			_, err = io.ReadFull(near, got)
			require.NoError(t, err)
			require.Equal(t, "re "+string(b), string(got))
		}
		// Two connections; only the end of both ends the conversation.
		talk(frame(t, 16, hdlc.SNRM))
		talk(frame(t, 1, hdlc.SNRM))
		talk(frame(t, 16, hdlc.DISC))
		synctest.Wait()
		require.Len(t, theirs, 2)
		talk(frame(t, 1, hdlc.DISC))
		synctest.Wait()
		require.Equal(t, formats{optical.SignOn, {Baud: 9600}, optical.SignOn}, theirs)
		// And again, at another speed; then silence.
		r, err = Dial(t.Context(), near, ours.set, optical.ClientConfig{Purpose: optical.HDLC, MaxBaud: 2400})
		require.NoError(t, err)
		require.Equal(t, 2400, r.Format.Baud)
		time.Sleep(121 * time.Second)
		synctest.Wait()
		require.Equal(t, optical.SignOn, theirs[len(theirs)-1])
	})
}

func TestReadout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer near.Close()
		data := optical.Data{{{Address: "1.8.0", Values: []optical.Value{{Text: "1", Unit: "kWh"}}}}}
		m, err := NewMeter(far, nil, optical.ServerConfig{Identification: meterID, Data: data})
		require.NoError(t, err)
		defer m.Close()
		go func() { _, _ = m.Read(make([]byte, 10)) }()
		r, err := Dial(t.Context(), near, nil, optical.ClientConfig{})
		require.NoError(t, err)
		require.Equal(t, data, r.Data)
		require.Equal(t, optical.SignOn, r.Format)
	})
}

func TestDialFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, far) }()
		_, err := Dial(t.Context(), near, nil, optical.ClientConfig{Purpose: optical.HDLC})
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err = Dial(ctx, near, nil, optical.ClientConfig{})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(start))
		_, err = Dial(t.Context(), near, func(optical.Format) error { return os.ErrInvalid }, optical.ClientConfig{})
		require.ErrorIs(t, err, os.ErrInvalid)
		require.NoError(t, far.Close())
		_, err = Dial(t.Context(), near, nil, optical.ClientConfig{})
		require.Error(t, err)
		_, err = Dial(t.Context(), near, nil, optical.ClientConfig{Address: "!"})
		require.Error(t, err)
		_, err = NewMeter(far, nil, optical.ServerConfig{})
		require.Error(t, err)
		require.NoError(t, near.Close())
	})
}
