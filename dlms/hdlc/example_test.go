package hdlc_test

import (
	"fmt"
	"time"

	"smets1/dlms/hdlc"
)

// A client and a server with nothing but memory between them. On a real line the bytes of Output go out, what comes in
// goes to Input, and Tick is called by the Deadline.
func Example() {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	server := hdlc.NewServerLink(hdlc.ServerConfig{Accepts: hdlc.AcceptDevices(17, 1)})
	client, _ := hdlc.NewClientLink(hdlc.ClientConfig{Server: hdlc.Server2(1, 17)})

	exchange := func() {
		server.Input(now, client.Output())
		for e, ok := server.Next(); ok; e, ok = server.Next() {
			fmt.Println("server:", e.Kind, e.Peer)
			if e.Kind == hdlc.Received {
				_ = server.Reply(now, e.Token, append([]byte("answer to "), e.APDU...))
			}
		}
		client.Input(now, server.Output())
		for e, ok := client.Next(); ok; e, ok = client.Next() {
			fmt.Printf("client: %v %q\n", e.Kind, e.APDU)
		}
	}
	_ = client.Connect(now)
	exchange()
	_ = client.Send(now, []byte("question"))
	exchange()
	_ = client.Disconnect(now)
	exchange()
	// Output:
	// server: connected client 16 ↔ server 1/17
	// client: connected ""
	// server: received client 16 ↔ server 1/17
	// client: received "answer to question"
	// server: disconnected client 16 ↔ server 1/17
	// client: disconnected ""
}
