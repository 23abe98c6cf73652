package wrapper_test

import (
	"fmt"

	"smets1/dlms/wrapper"
)

func Example() {
	request, _ := wrapper.Append(nil, 16, 1, []byte{0xC0, 0x01, 0xC1})
	fmt.Printf("%X\n", request)

	var d wrapper.Decoder
	_, _ = d.Write(request[:5]) // a stream comes in pieces
	_, _ = d.Write(request[5:])
	h, apdu, ok := d.Next()
	fmt.Printf("from %d to %d: %X %v\n", h.Source, h.Destination, apdu, ok)
	fmt.Printf("%+v\n", h.Reply(9))
	// Output:
	// 0001001000010003C001C1
	// from 16 to 1: C001C1 true
	// {Version:1 Source:1 Destination:16 Length:9}
}
