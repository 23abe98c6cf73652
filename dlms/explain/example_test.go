package explain_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"time"

	"smets1/dlms/client"
	"smets1/dlms/cosem"
	"smets1/dlms/explain"
	"smets1/dlms/server"
)

func ExampleExplainer_Explain() {
	apdu, _ := hex.DecodeString("C401C10006000001F4")
	e := explain.New(explain.Options{}).Explain(apdu)
	_ = e.Write(os.Stdout, explain.Style{})
	fmt.Println(e.Err())
	// Output:
	// 0000  C4 01                    APDU: get-response-normal
	// 0002  C1                         invoke-id-and-priority: request 1, confirmed, high priority
	// 0003  00                         result: data
	// 0004  06 00 00 01 F4             value: double-long-unsigned 500
	// <nil>
}

// A meter with one register answers a client, both in this process.
func Example_clientAndServer() {
	energy := cosem.MustOBIS("1-0:1.8.0.255")
	model := server.MustModel(server.Config{
		Name:         "example",
		Associations: []server.Association{{Name: "public", Client: 16}},
		Objects: []server.Object{
			server.LogicalDeviceName(server.All(server.Read), func(*server.Call) string { return "SMEEXAMPLE000001" }),
			server.Register(energy, server.Value{
				Access: server.All(server.Read),
				Get:    server.Uint32(func(*server.Call) uint32 { return 123456 }),
			}, server.ScalerUnit{Unit: cosem.UnitWattHour}, server.Method{}),
		},
	})

	// The server has no sockets of its own: this is all that carries bytes.
	near, far := net.Pipe()
	go func() {
		stream := server.NewStream(server.StreamConfig{Host: server.Devices{{Model: model}}})
		defer stream.Close()
		buf := make([]byte, 2048)
		for {
			n, err := far.Read(buf)
			if err != nil {
				return
			}
			stream.Input(time.Now(), buf[:n])
			if _, err := far.Write(stream.Output()); err != nil {
				return
			}
		}
	}()

	ctx := context.Background()
	line := client.NewWrapper(near)
	defer line.Close()
	c, err := client.Associate(ctx, line.Link(16, 1), client.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	q, err := c.Register(ctx, cosem.ClassRegister, energy)
	fmt.Println(q, err)
	fmt.Println(c.Release(ctx))
	// Output:
	// 123456 Wh <nil>
	// <nil>
}
