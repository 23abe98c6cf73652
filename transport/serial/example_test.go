package serial_test

import (
	"errors"
	"fmt"

	"smets1/transport/serial"
)

func ExampleOpenURL() {
	port, err := serial.OpenURL("serial:///dev/no-such-port?baud=9600&mode=8N1")
	if err != nil {
		var e *serial.Error
		fmt.Println(errors.As(err, &e), e.Port)
		return
	}
	defer port.Close()
	// Output: true /dev/no-such-port
}

func ExampleParseMode() {
	m, _ := serial.ParseMode("300 7E1")
	fmt.Println(m, m.BitsPerByte())
	_, err := serial.ParseMode("300 9E1")
	fmt.Println(err)
	// Output:
	// 300 7E1 10
	// serial: 9 data bits: use 5 to 8
}
