package core

import (
	"encoding/binary"
	"time"

	"smets1/dlms/server"
	"smets1/dlms/wrapper"
)

// hanLink is the link id of the HAN at a meter. It has no other link.
const hanLink = 1

// idle is after how long without a word a meter drops an association that came over
// the HAN, which unlike a connection has no end (ours).
const idle = 24 * time.Hour

// ServeFrame answers a frame of the HAN: one wrapper unit. It appends the units of
// the answer, and nothing when the device is silent, without power, or has no such
// logical device.
func (u *Unit) ServeFrame(now time.Time, frame, dst []byte) []byte {
	if u.faults.Silent || !u.On(now) {
		return dst
	}
	h, n, err := wrapper.ParseHeader(frame)
	if err != nil || n+int(h.Length) != len(frame) || h.Destination != u.Device.SAP {
		return dst
	}
	u.Device.Sweep(now.Add(-idle))
	p := server.Peer{Link: hanLink, Client: h.Source}
	start := len(dst)
	for more := false; ; more = true {
		mark := len(dst)
		if dst, err = (wrapper.Header{Source: h.Destination, Destination: h.Source}).AppendBinary(dst); err != nil {
			return dst[:start]
		}
		body := len(dst)
		if more {
			dst = u.Device.More(now, p, dst)
		} else {
			dst = u.Device.Serve(now, p, frame[n:], dst)
		}
		size := len(dst) - body
		if size == 0 || size > wrapper.MaxLength {
			dst = dst[:mark]
			break
		}
		binary.BigEndian.PutUint16(dst[body-2:], uint16(size))
	}
	u.Served(now)
	return dst
}
