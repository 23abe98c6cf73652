// Package rcp joins radios and Spinel: [Server] offers a radio, such as a station of an in-memory air, to an independent
// host stack as an OpenThread radio co-processor; [Host] is the other way about, a real co-processor on a serial line as
// the radio of our own node.
//
//	their host stack ─ line ─▶ Server ─▶ station of an air
//	our node ─▶ Host ─ line ─▶ dongle with OpenThread RCP firmware
//
// Both take and give octets and own no goroutine: whoever has the line hands them over. Both ends of an air are structural:
// the methods are those of transport/radio.Radio and its Client.
//
// zigbee-on-host, under zigbee-herdsman, runs on a Server (TestInterop). What a real dongle does was not tried: Host is
// tested against Server.
package rcp
