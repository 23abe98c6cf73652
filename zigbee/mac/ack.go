package mac

// Ack is the acknowledgement of the frame with that sequence number: three octets and FCS, sent 192 µs after it. pending
// tells a child that polled that a frame follows.
//
//	FCF=0002|0012 sequence(1) FCS(2)
func Ack(sequence uint8, pending bool) Frame {
	return Frame{Type: TypeAck, Sequence: sequence, FramePending: pending}
}
