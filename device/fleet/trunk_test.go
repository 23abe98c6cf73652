package fleet

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/device/core"
	"smets1/dlms/client"
	"smets1/dlms/cosem"
)

// behind gives the way to a device of any home over one connection.
func (w *world) behind(l client.Link, name, device string) client.Link {
	e := w.device(name, device).EUI
	return client.Behind(l, 1, e[:])
}

// Hubs and meters of several homes are reached over one connection, in turn and with
// associations open side by side; what cannot be reached is told by an exception.
func TestOnePortForAllHomes(t *testing.T) {
	w := open(t, demo(t), Options{Gateway: "127.0.0.1:0"})
	require.NotNil(t, w.GatewayAddr())
	for _, dial := range []func() (net.Conn, error){
		w.DialGateway,
		func() (net.Conn, error) { return net.Dial("tcp", w.GatewayAddr().String()) },
	} {
		nc, err := dial()
		require.NoError(t, err)
		wr := client.NewWrapper(nc)
		link := wr.Link(1, 1)
		serial := cosem.Attribute{Class: cosem.ClassData, Instance: core.SerialName, ID: 2}
		open := map[[2]string]*client.Client{}
		for _, name := range []string{"foc-clock-off", "foc-gas-silent"} {
			for _, device := range []string{"hub", "esme"} {
				l := w.behind(link, name, device)
				public := w.behind(wr.Link(0x10, 1), name, device)
				n, err := client.ReadCounter(t.Context(), public, cosem.OBIS{0, 0, 43, 1, 0, 255}, client.Config{})
				require.NoError(t, err)
				c, err := w.associate(l, w.m.keys(w.device(name, device).EUI), client.CountFrom(n+1))
				require.NoError(t, err, "%s %s", name, device)
				open[[2]string{name, device}] = c
			}
		}
		for who, c := range open {
			got, err := c.GetString(t.Context(), serial)
			require.NoError(t, err)
			require.Equal(t, w.device(who[0], who[1]).Serial, got)
		}
		i, _ := w.m.find("foc-clock-off")
		h, err := w.home(i)
		require.NoError(t, err)
		h.mu.Lock()
		require.Positive(t, h.hub.Device.Open())
		h.mu.Unlock()

		// A hub that sleeps, an address of nobody, and a request without a prefix.
		_, err = client.Associate(t.Context(), w.behind(wr.Link(0x10, 1), "moc-prepayment", "hub"), client.Config{})
		require.ErrorContains(t, err, "service-not-allowed, other-reason")
		_, err = client.Associate(t.Context(), client.Behind(wr.Link(0x10, 1), 1, []byte("ABCDEFGH")), client.Config{})
		require.ErrorContains(t, err, "service-unknown, operation-not-possible")
		_, err = client.Associate(t.Context(), wr.Link(0x10, 1), client.Config{})
		require.Error(t, err)
		require.NoError(t, wr.Close())
		require.Eventually(t, func() bool {
			h.mu.Lock()
			defer h.mu.Unlock()
			return h.hub.Device.Open() == 0
		}, 5*time.Second, time.Millisecond)
	}
	_, err := Open(t.Context(), w.m, Options{Gateway: w.GatewayAddr().String()})
	require.ErrorContains(t, err, "another address")
	_, err = Open(t.Context(), w.m, Options{Gateway: "0.0.0.0:0"})
	require.ErrorContains(t, err, "loopback")
}

// Junk, and requests cut at every octet, harm nobody on the trunk either.
func TestJunkOnATrunk(t *testing.T) {
	w := open(t, demo(t), Options{})
	hub := w.device("foc-clock-off", "hub").EUI
	request := append([]byte{0, 1, 0, 0x10, 0, 1, 0, 14, 0xE6, 1, 8}, hub[:]...)
	request = append(request, 0xC0, 0x01, 0xC1)
	for n := range request {
		nc, err := w.DialGateway()
		require.NoError(t, err)
		_, err = nc.Write(request[:n])
		require.NoError(t, err)
		require.NoError(t, nc.Close())
	}
	nc, err := w.DialGateway()
	require.NoError(t, err)
	_, err = nc.Write(request)
	require.NoError(t, err)
	b := make([]byte, 64)
	n, err := nc.Read(b)
	require.NoError(t, err)
	require.Equal(t, "E7", hexUpper(b[8:9]), "% X", b[:n])
	require.NoError(t, nc.Close())
}

func hexUpper(b []byte) string {
	const digits = "0123456789ABCDEF"
	out := ""
	for _, x := range b {
		out += string(digits[x>>4]) + string(digits[x&15])
	}
	return out
}
