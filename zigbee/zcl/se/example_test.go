package se_test

import (
	"fmt"

	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

// A hub asks a meter for its last half hours; the frame is taken apart again as a meter would.
func ExampleParse() {
	frame, _ := se.Append(nil, zcl.Header{Sequence: 7}, se.GetProfile{EndTime: 0, Periods: 4})
	fmt.Printf("%x\n", frame)

	f, _, _ := zcl.ParseFrame(frame)
	cmd, _, err := se.Parse(se.Key{Cluster: se.Metering, FromServer: f.FromServer, ID: f.Command}, f.Payload)
	fmt.Printf("%+v %v\n", cmd, err)
	// Output:
	// 010700000000000004
	// {Channel:0 EndTime:0 Periods:4} <nil>
}

// The table names attributes and their types.
func ExampleAttributes() {
	a, _ := se.Attributes().Lookup(se.Metering, false, 0x0102)
	fmt.Println(a.Name, a.Type)
	// Output: CurrentTier2SummationDelivered uint48
}
