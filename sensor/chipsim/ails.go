package chipsim

import "sync"

// ails is what can be wrong with any chip on I²C.
type ails struct {
	mu    sync.Mutex
	state Trouble
	asked int // transactions, for what goes wrong now and then
}

// answers says whether the chip acknowledges this transaction. Its mutex is
// held.
func (a *ails) answers() bool {
	a.asked++
	return a.state != Unplugged && (a.state != Intermittent || a.asked%3 != 0)
}

// spoil does to what was read what is wrong with the line. Its mutex is held.
func (a *ails) spoil(r []byte) {
	switch a.state {
	case Zeros:
		clear(r)
	case Ones:
		for i := range r {
			r[i] = 0xff
		}
	case Noise:
		if len(r) > 0 {
			r[a.asked*7%len(r)] ^= byte(a.asked*0x25) | 1
		}
	}
}

// turned is what becomes of a trouble once it has happened: a chip that lost
// its power has it again.
func (a *ails) turned(t Trouble) (powered bool) {
	a.state = t
	if t == PoweredAnew {
		a.state = None
		return true
	}
	return false
}

// fill puts words into r, the high byte first, the last one again and again.
func fill(r []byte, words ...uint16) {
	for i := range r {
		v := words[min(i/2, len(words)-1)]
		r[i] = byte(v >> (8 * (1 - i%2)))
	}
}
