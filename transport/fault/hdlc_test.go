package fault_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/dlms/client"
	"smets1/dlms/cosem"
	"smets1/dlms/hdlc"
	"smets1/dlms/security"
	"smets1/dlms/server"
	"smets1/internal/clock"
	"smets1/transport/fault"
	"smets1/transport/trace"
)

var (
	reading = cosem.MustOBIS("1-0:1.8.0.255")
	model   = server.MustModel(server.Config{
		Name: "meter of the faults test",
		Associations: []server.Association{
			{Name: "public", Client: 16},
			{
				Name: "management", Client: 1, Mechanism: security.MechanismGMAC, Ciphered: true,
				Policy: security.RequestAuthenticated | security.RequestEncrypted | security.ResponseAuthenticated | security.ResponseEncrypted,
			},
		},
		Objects: []server.Object{
			server.Register(reading, server.Value{
				Access: server.All(server.Read),
				Get:    server.Uint32(func(c *server.Call) uint32 { return server.State[*meter](c).next() }),
			}, cosem.ScalerUnit{Unit: cosem.UnitWattHour}, server.Method{}),
		},
	})
)

// meter gives another value at each read, none of which is near another.
type meter struct{ given map[uint32]int } // at which read

func (m *meter) next() uint32 {
	v := uint32(len(m.given)+1) * 2654435761
	m.given[v] = len(m.given) + 1
	return v
}

func keys(t *testing.T) security.KeySet {
	key := func(s string) security.Key {
		k, err := security.ParseKey(s)
		require.NoError(t, err)
		return k
	}
	return security.KeySet{GUEK: key("000102030405060708090A0B0C0D0E0F"), GAK: key("D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF")}
}

// serve runs the meter on a line, in the test's time.
func serve(t *testing.T, conn io.ReadWriteCloser, m *meter) *sync.WaitGroup {
	d := &server.Device{
		Model: model, State: m, Rand: rand.New(rand.NewSource(7)),
		Security: server.NewKeyring(server.KeyringConfig{Title: security.SystemTitle{'S', 'M', 'E', 0, 0, 0, 0, 9}, Keys: keys(t)}),
	}
	l := server.NewLine(server.LineConfig{Host: server.Devices{d}, Link: 1})
	var wg sync.WaitGroup
	wg.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			l.Input(time.Now(), buf[:n])
			if out := l.Output(); len(out) > 0 {
				if _, err := conn.Write(out); err != nil {
					return
				}
			}
		}
	})
	return &wg
}

func config(t *testing.T, counter uint32) client.Config {
	return client.Config{
		Mechanism: security.MechanismGMAC, Keys: keys(t), SystemTitle: security.SystemTitle{'S', 'M', 'E', 0, 0, 0, 0, 1},
		Counter: client.CountFrom(counter), Timeout: time.Minute,
	}
}

// Over a line that loses, flips and repeats one byte in a hundred, thousands of reads give the right value or an error, and
// the conversation goes on after each error. Time is the bubble's: what would take a day takes seconds.
func TestReadsOverABadLine(t *testing.T) {
	reads := 10_000
	if raceEnabled {
		reads = 500
	}
	for _, ciphered := range []bool{false, true} {
		for _, kind := range []fault.Kind{fault.Lose, fault.Flip, fault.Repeat} {
			name := string(kind) + ", public"
			if ciphered {
				name = string(kind) + ", ciphered"
			}
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					bad, err := fault.New(fault.Plan{Seed: 1, Faults: []fault.Fault{{Kind: kind, Rate: 0.01}}}, nil)
					require.NoError(t, err)
					near, far := net.Pipe()
					m := &meter{given: map[uint32]int{}}
					served := serve(t, far, m)
					line := client.NewHDLC(bad.Stream(near), hdlc.ClientConfig{}, nil)
					sap, counter := uint8(16), uint32(1)
					if ciphered {
						sap = 1
					}
					link, err := line.Link(hdlc.Client(sap), hdlc.Server1(1))
					require.NoError(t, err)
					ctx := context.Background()
					var c *client.Client
					var right, failed, wrong, opened, longest, row int
					for range reads {
						err := error(nil)
						if c == nil {
							cfg := client.Config{Timeout: time.Minute}
							if ciphered {
								cfg = config(t, counter)
								counter += 10_000
							}
							if c, err = client.Associate(ctx, link, cfg); err == nil {
								opened++
							} else {
								c = nil
							}
						}
						var v uint64
						before := len(m.given)
						if err == nil {
							v, err = c.GetUint(ctx, cosem.Attribute{Class: 3, Instance: reading, ID: 2})
						}
						switch {
						case err != nil:
							require.NotEmpty(t, err.Error())
							failed++
							row++
							c = nil // an association that is in doubt is opened anew
						case m.given[uint32(v)] > before: // given to this read, not the late answer of one before
							right++
							row = 0
						default:
							wrong++
						}
						longest = max(longest, row)
					}
					in, out := bad.Passed()
					t.Logf("%d reads: %d right, %d failed with an error (at most %d in a row), %d wrong; %d associations, %d bytes, %d faults, %v of line time",
						reads, right, failed, longest, wrong, opened, in+out, len(bad.Fired()), time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).Round(time.Minute))
					require.Zero(t, wrong)
					least := reads * 9 / 10
					if ciphered {
						least = reads / 2 // frames of over a hundred bytes, of which every second is hurt
					}
					require.Greater(t, right, least)
					require.Less(t, longest, 100)
					_ = line.Close()
					_ = far.Close()
					served.Wait()
				})
			})
		}
	}
}

// session opens an association with HLS 5 and reads, over any stream, always in the same words.
func session(t *testing.T, s io.ReadWriteCloser) (uint64, error) {
	line := client.NewHDLC(s, hdlc.ClientConfig{Retries: -1, ResponseTimeout: time.Second}, nil)
	defer line.Close()
	link, err := line.Link(hdlc.Client(1), hdlc.Server1(1))
	require.NoError(t, err)
	cfg := config(t, 1)
	cfg.Random = rand.New(rand.NewSource(3)) // the challenge repeats
	cfg.Timeout = 2 * time.Second
	c, err := client.Associate(t.Context(), link, cfg)
	if err != nil {
		return 0, err
	}
	v, err := c.GetUint(t.Context(), cosem.Attribute{Class: 3, Instance: reading, ID: 2})
	if err != nil {
		return 0, err
	}
	return v, errors.Join(c.Release(t.Context()), link.Close())
}

// A recorded session with ciphering and a challenge replays without the meter, and one changed byte does not go unnoticed.
func TestSessionReplays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		m := &meter{given: map[uint32]int{}}
		served := serve(t, far, m)
		var text bytes.Buffer
		r := trace.NewRecorder(&text, clock.Real(), "virtual meter")
		v, err := session(t, r.Stream(near))
		require.NoError(t, err)
		require.NoError(t, r.Close())
		served.Wait()
		tr, err := trace.Parse(bytes.NewReader(text.Bytes()))
		require.NoError(t, err)
		require.Greater(t, len(tr.Events), 9)

		again := trace.NewReplay(tr, trace.Config{Timed: true})
		got, err := session(t, again)
		require.NoError(t, err)
		require.Equal(t, v, got)
		require.NoError(t, again.Done())

		// Every byte that the client sent counts.
		for i, e := range tr.Events {
			if e.Kind != trace.Sent {
				continue
			}
			k := len(e.Data) / 2
			tr.Events[i].Data[k] ^= 1
			changed := trace.NewReplay(tr, trace.Config{})
			_, err := session(t, changed)
			require.Error(t, err)
			var mismatch *trace.MismatchError
			require.ErrorAs(t, changed.Done(), &mismatch)
			require.Equal(t, e.Line, mismatch.Line)
			require.Equal(t, k+1, mismatch.Byte)
			require.NotEqual(t, mismatch.Want, mismatch.Got)
			tr.Events[i].Data[k] ^= 1
		}
	})
}
