package security_test

import (
	"fmt"

	"smets1/dlms/security"
)

func Example() {
	ek, _ := security.ParseKey("000102030405060708090A0B0C0D0E0F")
	ak, _ := security.ParseKey("D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF")
	title, _ := security.ParseSystemTitle("4D4D4D0000BC614E")
	c, _ := security.NewCipher(security.Suite0, ek, ak)

	get := []byte{0xC0, 0x01, 0x00, 0x00, 0x08, 0x00, 0x00, 0x01, 0x00, 0x00, 0xFF, 0x02, 0x00}
	sc := security.NewControl(security.Suite0, security.ProtectBoth)
	apdu, _ := c.AppendService(nil, 0xC8, title, sc, 0x01234567, get)
	fmt.Printf("%X\n", apdu)

	h, plain, err := c.Open(nil, title, apdu[2:])
	fmt.Printf("%v %v %X %v\n", h.Control, h.Counter, plain, err)

	var seen security.ReceiveCounter
	fmt.Println(seen.Accept(h.Counter))
	fmt.Println(seen.Accept(h.Counter))
	// The key itself never prints.
	fmt.Printf("%v %x\n", ek, ak)
	// Output:
	// C81E3001234567411312FF935A47566827C467BC7D825C3BE4A77C3FCC056B6B
	// 30 (authenticated, encrypted) 19088743 C0010000080000010000FF0200 <nil>
	// <nil>
	// security: invocation counter 19088743 was used before: expected 19088744 or more
	// redacted redacted
}
