package chips

import "periph.io/x/conn/v3/i2c"

// word reads two bytes of a register, the high one first.
func word(b i2c.Bus, addr uint16, reg ...byte) (uint16, error) {
	r := make([]byte, 2)
	if err := b.Tx(addr, reg, r); err != nil {
		return 0, err
	}
	return uint16(r[0])<<8 | uint16(r[1]), nil
}

// crcSensirion is the check of Sensirion's and Texas Instruments' humidity
// sensors over a word: x⁸+x⁵+x⁴+1, highest bit first, from ones (Sensirion
// SHT4x datasheet, section 4.4).
func crcSensirion(b []byte) byte {
	crc := byte(0xff)
	for _, v := range b {
		crc ^= v
		for range 8 {
			if crc&0x80 != 0 {
				crc = crc<<1 ^ 0x31
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}

// checked says whether each pair of bytes is followed by its check.
func checked(b []byte) bool {
	for i := 0; i+2 < len(b); i += 3 {
		if crcSensirion(b[i:i+2]) != b[i+2] {
			return false
		}
	}
	return len(b) > 0 && len(b)%3 == 0
}

// steady says whether all bytes are v: then the data line is stuck.
func steady(b []byte, v byte) bool {
	for _, x := range b {
		if x != v {
			return false
		}
	}
	return len(b) > 0
}
