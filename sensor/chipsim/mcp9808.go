package chipsim

import "time"

// An MCP9808 is a simulated chip, after Microchip's datasheet DS25095A.
type MCP9808 struct {
	ails
	source Source

	config  uint16
	limits  [3]uint16
	res     byte
	value   uint16 // of the last conversion
	powered time.Time
}

// NewMCP9808 makes a chip that got power just now.
func NewMCP9808(source Source) *MCP9808 {
	return &MCP9808{source: source, res: 3, powered: time.Now()}
}

// Set makes something go wrong with the chip, or right again.
func (c *MCP9808) Set(t Trouble) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.turned(t) {
		c.powered, c.value, c.config, c.res = time.Now(), 0, 0, 3
	}
}

func (c *MCP9808) tx(w, r []byte, now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.answers() {
		return errNack
	}
	if len(w) == 0 {
		return nil
	}
	reg := w[0] & 0x0f
	switch data := w[1:]; {
	case len(data) >= 2 && reg == 1:
		c.config = uint16(data[0])<<8 | uint16(data[1])
	case len(data) >= 2 && reg >= 2 && reg <= 4:
		c.limits[reg-2] = uint16(data[0])<<8 | uint16(data[1])
	case len(data) >= 1 && reg == 8:
		c.res = data[0] & 3
	}
	var v uint16
	switch reg {
	case 1:
		v = c.config
	case 2, 3, 4:
		v = c.limits[reg-2]
	case 5:
		// The first conversion takes 250 ms; until then the register is zero.
		if c.config&0x100 == 0 && c.state != Frozen && now.Sub(c.powered) >= 250*time.Millisecond {
			c.value = uint16(sixteenths(c.source(now))) & 0x1fff
		}
		v = c.value
	case 6:
		v = 0x0054
	case 7:
		v = 0x0400
	case 8:
		v = uint16(c.res) << 8
	}
	if c.state == WrongIdentity && reg >= 6 && reg <= 7 {
		v = 0x0ff0
	}
	for i := range r {
		r[i] = byte(v >> (8 * (1 - i%2)))
	}
	c.spoil(r)
	return nil
}
