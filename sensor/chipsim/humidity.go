package chipsim

import (
	"math"
	"time"
)

// crcSensirion is the check over a word of Sensirion's and of the HDC302x.
func crcSensirion(b []byte) byte {
	crc := byte(0xff)
	for _, v := range b {
		crc ^= v
		for range 8 {
			carry := crc & 0x80
			if crc <<= 1; carry != 0 {
				crc ^= 0x31
			}
		}
	}
	return crc
}

// checked puts words into r, each with its check behind it.
func checked(r []byte, words ...uint16) {
	var b []byte
	for _, v := range words {
		two := []byte{byte(v >> 8), byte(v)}
		b = append(b, two[0], two[1], crcSensirion(two))
	}
	copy(r, b)
}

func humidityWord(celsius float64) uint16 {
	return uint16(math.Round(min(max((celsius+45)/175, 0), 1) * 65535))
}

const someHumidity = 0x8000

// An SHT4x is a simulated chip, after Sensirion's datasheet of the SHT4x.
type SHT4x struct {
	ails
	source Source
	ready  time.Time // when what was asked for can be read; zero: nothing was
	serial bool      // the serial number was
}

// NewSHT4x makes a chip.
func NewSHT4x(source Source) *SHT4x { return &SHT4x{source: source} }

// Set makes something go wrong with the chip, or right again.
func (c *SHT4x) Set(t Trouble) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.turned(t) {
		c.ready = time.Time{}
	}
}

func (c *SHT4x) tx(w, r []byte, now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.answers() {
		return errNack
	}
	if c.state == WrongIdentity {
		// An HDC302x answers two-byte commands alone.
		if len(w) == 1 || len(w) == 0 {
			return errNack
		}
	}
	if len(w) > 0 {
		switch w[0] {
		case 0xfd, 0xf6, 0xe0:
			c.ready, c.serial = now.Add(8300*time.Microsecond), false
		case 0x89:
			c.ready, c.serial = now, true
		case 0x94:
			c.ready = time.Time{}
		default:
			return errNack
		}
	}
	if len(r) == 0 {
		return nil
	}
	if c.ready.IsZero() || now.Before(c.ready) || (c.state == Busy || c.state == Frozen) && !c.serial {
		return errNack
	}
	if c.serial {
		checked(r, 0x0c0f, 0xfee1)
	} else {
		checked(r, humidityWord(c.source(now)), someHumidity)
	}
	c.ready = time.Time{} // it is given once
	c.spoil(r)
	return nil
}
