package chipsim

import (
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"time"
)

// A DS18B20 is a simulated chip, after Maxim's datasheet 19-7487.
type DS18B20 struct {
	ROM [8]byte

	source Source

	mu      sync.Mutex
	state   Trouble
	pad     [9]byte // CRC last
	eeprom  [3]byte
	ready   time.Time // when the conversion ends
	pending int16
	busy    bool
	noise   byte
	asked   int // function commands, for what goes wrong now and then
}

// NewDS18B20 makes a chip. The address is as the kernel writes it,
// 28-00000c8cf9b1.
func NewDS18B20(address string, source Source) (*DS18B20, error) {
	raw, err := hex.DecodeString(strings.Replace(address, "-", "", 1))
	if err != nil || len(raw) != 7 {
		return nil, fmt.Errorf("make DS18B20: address %q is not like 28-00000c8cf9b1", address)
	}
	c := &DS18B20{source: source, eeprom: [3]byte{0x4b, 0x46, 0x7f}}
	c.ROM[0] = raw[0]
	for i := range 6 {
		c.ROM[1+i] = raw[6-i]
	}
	c.ROM[7] = crc(c.ROM[:7])
	c.power()
	return c, nil
}

// power puts the chip into its power-on state: 85 °C, with 0x0C in byte 6.
func (c *DS18B20) power() {
	c.pad = [9]byte{0x50, 0x05, c.eeprom[0], c.eeprom[1], c.eeprom[2], 0xff, 0x0c, 0x10}
	c.busy = false
	c.seal()
}

func (c *DS18B20) seal() { c.pad[8] = crc(c.pad[:8]) }

// Set makes something go wrong with the chip, or right again.
func (c *DS18B20) Set(t Trouble) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state = t
	if t == PoweredAnew {
		c.power()
	}
}

func (c *DS18B20) trouble() Trouble {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// settle finishes a conversion whose time is over.
func (c *DS18B20) settle(now time.Time) {
	if !c.busy || now.Before(c.ready) {
		return
	}
	c.busy = false
	bits := c.pad[4] >> 5 & 3
	v := uint16(c.pending) &^ (1<<(3-bits) - 1)
	c.pad[0], c.pad[1] = byte(v), byte(v>>8)
	c.pad[6] = 0x10 - byte(v)&0x0f
	c.seal()
}

// function is a function command with what follows it on the wire.
func (c *DS18B20) function(w, r []byte, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settle(now)
	c.asked++
	if len(w) == 0 || c.state == Ones || c.state == Intermittent && c.asked%3 == 0 {
		return // what nobody pulls down is ones
	}
	switch w[0] {
	case 0x44: // convert
		if c.state == Frozen {
			return
		}
		if c.state == PoweredAnew {
			// It loses power again in every conversion, which draws most.
			c.power()
			and(r, make([]byte, len(r)))
			return
		}
		c.busy, c.pending = true, sixteenths(c.source(now))
		c.ready = now.Add(750 * time.Millisecond >> (3 - c.pad[4]>>5&3))
		and(r, make([]byte, len(r)))
	case 0xbe: // read scratchpad
		pad := c.pad
		if c.state == Noise {
			c.noise += 0x25
			pad[0] ^= c.noise | 1
		}
		and(r, pad[:])
	case 0x4e: // write scratchpad
		if len(w) >= 4 {
			copy(c.pad[2:5], w[1:4])
			c.pad[4] = c.pad[4]&0x60 | 0x1f
			c.seal()
		}
	case 0x48: // copy scratchpad
		copy(c.eeprom[:], c.pad[2:5])
	case 0xb8: // recall
		copy(c.pad[2:5], c.eeprom[:])
		c.seal()
	case 0xb4: // power supply: ones, it has a wire of its own
	}
}

func crc(b []byte) (sum byte) {
	for _, v := range b {
		for i := range 8 {
			mix := (sum ^ v>>i) & 1
			sum >>= 1
			if mix == 1 {
				sum ^= 0x8c
			}
		}
	}
	return sum
}
