package chips

import (
	"errors"
	"fmt"

	"periph.io/x/conn/v3/i2c"

	"coldkeep/sensor"
)

// word reads two bytes of a register, the high one first.
func word(b i2c.Bus, addr uint16, reg ...byte) (uint16, error) {
	r := make([]byte, 2)
	if err := b.Tx(addr, reg, r); err != nil {
		return 0, err
	}
	return uint16(r[0])<<8 | uint16(r[1]), nil
}

// agreed reads a value until two readings in a row are the same, three times at
// most: of a chip without checks this is how damaged bytes are known. A value
// that just changed is there with the third.
func agreed[T comparable](read func() (T, outcome)) (T, outcome) {
	last, o := read()
	for range 2 {
		if o.fault != "" {
			return last, o
		}
		var v T
		if v, o = read(); o.fault == "" && v == last {
			return v, o
		}
		last = v
	}
	if o.fault == "" {
		o = outcome{fault: sensor.FaultCRC, cause: errors.New("three readings in a row, and each is another")}
	}
	return last, o
}

// agreedWord is agreed of a register.
func agreedWord(b i2c.Bus, addr uint16, what string, reg byte) (uint16, outcome) {
	return agreed(func() (uint16, outcome) {
		v, err := word(b, addr, reg)
		if err != nil {
			return 0, outcome{fault: i2cFault(err), cause: fmt.Errorf("read %s: %w", what, err)}
		}
		return v, outcome{}
	})
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
