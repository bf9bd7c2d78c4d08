package chipsim

import (
	"sync"
	"time"
)

// A PCA9548 is a simulated multiplexer, after NXP's datasheet: what is behind
// its open ports is on the bus, too. The bus asks it (I2C.Add).
type PCA9548 struct {
	ails
	ports  byte
	behind [8]map[uint16]Device
	shared sync.Mutex // of behind
}

// NewPCA9548 makes a multiplexer with all ports closed.
func NewPCA9548() *PCA9548 { return &PCA9548{} }

// Add puts a chip behind a port, 0 to 7.
func (c *PCA9548) Add(port int, addr uint16, d Device) {
	c.shared.Lock()
	defer c.shared.Unlock()
	if c.behind[port] == nil {
		c.behind[port] = map[uint16]Device{}
	}
	c.behind[port][addr] = d
}

// Set makes something go wrong with the chip, or right again. Frozen: its
// ports stay as they are, whatever it says.
func (c *PCA9548) Set(t Trouble) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.turned(t) {
		c.ports = 0
	}
}

func (c *PCA9548) tx(w, r []byte, _ time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.answers() {
		return errNack
	}
	if len(w) > 0 && c.state != Frozen {
		c.ports = w[len(w)-1]
	}
	for i := range r {
		r[i] = c.ports
	}
	c.spoil(r)
	return nil
}

// at gives the chips at an address behind the ports that are open.
func (c *PCA9548) at(addr uint16) (list []Device) {
	c.mu.Lock()
	open := c.ports
	c.mu.Unlock()
	c.shared.Lock()
	defer c.shared.Unlock()
	for port, chips := range c.behind {
		if d := chips[addr]; d != nil && open>>port&1 == 1 {
			list = append(list, d)
		}
	}
	return list
}
