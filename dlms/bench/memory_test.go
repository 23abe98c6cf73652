package bench

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/dlms/acse"
	"smets1/dlms/apdu"
	"smets1/dlms/client"
	"smets1/dlms/security"
	"smets1/dlms/server"
)

// heap is what is alive.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkMemory makes 10,000 meters of one model, idle, then with an open
// association each, then with another that ciphers.
func BenchmarkMemory(b *testing.B) {
	const n = 10_000
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for range b.N {
		before := heap()
		devices := make([]*server.Device, n)
		for i := range devices {
			devices[i] = newMeter()
		}
		idle := heap()
		for i, d := range devices {
			get(b, d, now, server.Peer{Link: uint64(i), Client: clientPlain}, false)
		}
		open := heap()
		for i, d := range devices {
			get(b, d, now, server.Peer{Link: uint64(i), Client: clientSecured}, true)
		}
		secured := heap()
		for i, d := range devices {
			d.Disconnect(uint64(i))
		}
		after := heap()
		b.ReportMetric(float64(idle-before)/n, "B/meter")
		b.ReportMetric(float64(open-idle)/n, "B/assoc-plain")
		b.ReportMetric(float64(secured-open)/n, "B/assoc-suite0")
		b.ReportMetric(float64(after-before)/n, "B/meter-after")
		runtime.KeepAlive(devices)
	}
}

// get opens an association and reads a register in it.
func get(b *testing.B, d *server.Device, now time.Time, p server.Peer, secured bool) {
	initiate, err := apdu.InitiateRequest{Version: apdu.DLMSVersion, Conformance: client.DefaultConformance, MaxPDU: 1024}.AppendBinary(nil)
	require.NoError(b, err)
	request, err := apdu.GetRequestNormal{
		InvokeID: apdu.ConfirmedInvoke(1), Attribute: energy,
	}.AppendBinary(nil)
	require.NoError(b, err)
	aarq := acse.AARQ{Context: acse.ContextLN, UserInformation: initiate}
	if secured {
		c, err := keys.Cipher(security.Suite0)
		require.NoError(b, err)
		aarq.Context, aarq.CallingAPTitle = acse.ContextLNCiphered, clientTitle[:]
		aarq.UserInformation, err = c.AppendService(nil, byte(apdu.TagGloInitiateRequest), clientTitle, protectBoth, 1, initiate)
		require.NoError(b, err)
		request, err = c.AppendService(nil, byte(apdu.TagGloGetRequest), clientTitle, protectBoth, 2, request)
		require.NoError(b, err)
	}
	open, err := aarq.AppendBinary(nil)
	require.NoError(b, err)
	aare, _, err := acse.ParseAARE(d.Serve(now, p, open, nil))
	require.NoError(b, err)
	require.NoError(b, aare.Err())
	reply := d.Serve(now, p, request, nil)
	want := byte(apdu.TagGetResponse)
	if secured {
		want = byte(apdu.TagGloGetResponse)
	}
	require.NotEmpty(b, reply)
	require.Equal(b, want, reply[0])
}
