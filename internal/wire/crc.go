package wire

// crcTable is the table of the reflected polynomial 0x8408, which both CRCs
// below share; they differ in their start and end values only.
var crcTable = func() (t [256]uint16) {
	for i := range t {
		c := uint16(i)
		for range 8 {
			if c&1 != 0 {
				c = c>>1 ^ 0x8408
			} else {
				c >>= 1
			}
		}
		t[i] = c
	}
	return t
}()

func crc16(c uint16, b []byte) uint16 {
	for _, x := range b {
		c = c>>8 ^ crcTable[byte(c)^x]
	}
	return c
}

// CRC16X25 is the frame check of HDLC (IEC 62056-46; ISO/IEC 13239): start
// 0xFFFF, inverted at the end, sent low byte first. The ZigBee install code
// uses the same.
func CRC16X25(b []byte) uint16 { return ^crc16(0xFFFF, b) }

// CRC16Kermit is the FCS of IEEE 802.15.4: start 0, not inverted, sent low
// byte first.
func CRC16Kermit(b []byte) uint16 { return crc16(0, b) }
